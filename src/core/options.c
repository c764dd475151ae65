/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filling structs from values by option tables. Each type has one function in `fillers`; a struct is filled
 * row by row, and then every key that no row took is reported with its nearest known name. Nothing stops at
 * the first mistake: whoever writes a configuration wants to see all of them.
 */
#include "core/options.h"

typedef void filler(struct gg_fill *f, const struct gg_option *o, void *to, const struct gg_value *v);

const struct gg_option *gg_option_find(const struct gg_option *table, struct gg_str key)
{
	const struct gg_option *o;
	gg_each_option(o, table) if (gg_option_has_key(o) && gg_str_is(key, o->name)) return o;
	return NULL;
}

bool gg_option_has_key(const struct gg_option *o)
{
	return o->type != GG_OPT_KEY && o->type != GG_OPT_SOURCE;
}

static const struct gg_option *find_in_parts(
	const struct gg_option_part *parts, size_t count, struct gg_str key)
{
	const struct gg_option *o = NULL;
	for (size_t i = 0; i < count && !o; i++)
		o = gg_option_find(parts[i].table, key);
	return o;
}

static const struct gg_option *main_row(const struct gg_option_part *parts, size_t count)
{
	const struct gg_option *o;
	for (size_t i = 0; i < count; i++)
		gg_each_option(o, parts[i].table) if (o->flags & GG_MAIN) return o;
	return NULL;
}

static bool may_be_map(enum gg_option_type type)
{
	return type == GG_OPT_MAP || type == GG_OPT_VALUE || type == GG_OPT_INSTANCES;
}

const struct gg_option *gg_option_takes_whole(
	const struct gg_option_part *parts, size_t count, const struct gg_value *value)
{
	if (!value || value->kind == GG_VALUE_NULL)
		return NULL;
	const struct gg_option *main = main_row(parts, count);
	if (value->kind != GG_VALUE_MAP || !main)
		return main;
	if (!may_be_map(main->type) || value->count == 0)
		return NULL;
	for (size_t i = 0; i < value->count; i++)
		if (find_in_parts(parts, count, value->keys[i]->text))
			return NULL;
	return main;
}

const struct gg_value *gg_option_value(const struct gg_option_part *parts, size_t count,
	const struct gg_option *o, const struct gg_value *value)
{
	const struct gg_option *whole = gg_option_takes_whole(parts, count, value);
	const struct gg_value *v = whole ? (whole == o ? value : NULL) : gg_value_get(value, o->name);
	return v && v->kind != GG_VALUE_NULL ? v : NULL;
}

/* What was written, for a message; a secret is never told. */
static struct gg_str shown(const struct gg_option *o, const struct gg_value *v)
{
	static const char *const kinds[] = {"nothing", "", "a list", "a map"};
	if (v->kind != GG_VALUE_SCALAR)
		return gg_str(kinds[v->kind]);
	if (o->flags & GG_SECRET)
		return GG_STR(GG_SECRET_TEXT);
	return v->secret ? v->raw : v->text;
}

static void wrong(
	struct gg_fill *f, const struct gg_option *o, const struct gg_value *v, const char *expected)
{
	struct gg_str got = shown(o, v);
	bool scalar = v->kind == GG_VALUE_SCALAR;
	gg_problem(f->problems, v, "expected %s, got %s%.*s%s", expected, scalar ? "\"" : "",
		(int)gg_min_size(got.len, 80), got.p, scalar ? "\"" : "");
}

static void out_of_memory(struct gg_fill *f, const struct gg_value *v)
{
	gg_problem(f->problems, v, "out of memory: the configuration is too large");
}

static void fill_scalar(struct gg_fill *f, const struct gg_option *o, void *to, const struct gg_value *v)
{
	char expected[GG_ERROR_TEXT] = "a single value";
	if (v->kind != GG_VALUE_SCALAR || !gg_option_read_scalar(o, to, v->text, expected))
		wrong(f, o, v, expected);
}

static void fill_string(struct gg_fill *f, const struct gg_option *o, void *to, const struct gg_value *v)
{
	if (v->kind != GG_VALUE_SCALAR) {
		wrong(f, o, v, "a text");
		return;
	}
	if ((o->flags & GG_SECRET) && gg_str_is(v->text, GG_SECRET_TEXT)) {
		gg_problem(f->problems, v,
			"\"" GG_SECRET_TEXT
			"\" stands for a value that is not shown: write the value itself, or "
			"${NAME} or ${file:/path}");
		return;
	}
	*(const char **)to = v->text.p; /* ended by NUL in the arena */
}

static bool is_choice(const struct gg_option *o, struct gg_str text)
{
	for (const char *const *c = o->choices; c && *c; c++)
		if (gg_str_is(text, *c))
			return true;
	return o->choices == NULL;
}

static void fill_strings(struct gg_fill *f, const struct gg_option *o, void *to, const struct gg_value *v)
{
	struct gg_strings *strings = to;
	struct gg_value *one = (struct gg_value *)(uintptr_t)v;
	bool list = v->kind == GG_VALUE_LIST;
	size_t count = list ? v->count : 1;
	struct gg_value *const *items = list ? v->items : &one;
	strings->items = gg_arena_alloc(f->arena, gg_max_size(count, 1) * sizeof(char *));
	if (!strings->items) {
		out_of_memory(f, v);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		struct gg_option word = {.type = GG_OPT_CHOICE, .choices = o->choices, .flags = o->flags};
		if (items[i]->kind != GG_VALUE_SCALAR)
			wrong(f, o, items[i], list ? "a text" : "a list of texts");
		else if (!is_choice(o, items[i]->text))
			fill_scalar(f, &word, &(int){0}, items[i]);
		else
			strings->items[strings->count++] = items[i]->text.p;
	}
}

static void fill_group(struct gg_fill *f, const struct gg_option *o, void *to, const struct gg_value *v)
{
	struct gg_option_part part = {o->sub, to};
	gg_fill_struct(f, &(struct gg_fill_struct){&part, 1, v, v, NULL, true});
}

static void *new_items(
	struct gg_fill *f, const struct gg_option *o, struct gg_many *to, const struct gg_value *v)
{
	void *items = gg_arena_alloc(f->arena, gg_max_size(v->count, 1) * o->sub_size);
	if (!items)
		out_of_memory(f, v);
	to->items = items;
	to->count = items ? v->count : 0;
	return items;
}

static void fill_list(struct gg_fill *f, const struct gg_option *o, void *to, const struct gg_value *v)
{
	if (v->kind != GG_VALUE_LIST) {
		wrong(f, o, v, "a list");
		return;
	}
	char *items = new_items(f, o, to, v);
	for (size_t i = 0; items && i < v->count; i++) {
		struct gg_option_part part = {o->sub, items + i * o->sub_size};
		gg_fill_struct(f, &(struct gg_fill_struct){&part, 1, v->items[i], v->items[i], NULL, true});
	}
}

static void fill_map(struct gg_fill *f, const struct gg_option *o, void *to, const struct gg_value *v)
{
	if (v->kind != GG_VALUE_MAP) {
		wrong(f, o, v, "a map (name: settings)");
		return;
	}
	char *items = new_items(f, o, to, v);
	for (size_t i = 0; items && i < v->count; i++) {
		struct gg_option_part part = {o->sub, items + i * o->sub_size};
		gg_fill_struct(f, &(struct gg_fill_struct){
					  &part, 1, v->items[i], v->keys[i], v->keys[i]->text.p, true});
	}
}

static void fill_value(
	struct gg_fill *f GG_UNUSED, const struct gg_option *o GG_UNUSED, void *to, const struct gg_value *v)
{
	*(const struct gg_value **)to = v;
}

static void fill_instances(struct gg_fill *f, const struct gg_option *o, void *to, const struct gg_value *v)
{
	if (v->kind != GG_VALUE_MAP)
		wrong(f, o, v, "a map (name: settings)");
	else
		gg_fill_instances(f, o, to, v);
}

static void fill_steps(struct gg_fill *f, const struct gg_option *o, void *to, const struct gg_value *v)
{
	gg_fill_steps(f, o, to, v);
}

static filler *const fillers[] = {
	[GG_OPT_BOOL] = fill_scalar,
	[GG_OPT_INT] = fill_scalar,
	[GG_OPT_UINT] = fill_scalar,
	[GG_OPT_FLOAT] = fill_scalar,
	[GG_OPT_DURATION] = fill_scalar,
	[GG_OPT_SIZE] = fill_scalar,
	[GG_OPT_CHOICE] = fill_scalar,
	[GG_OPT_STRING] = fill_string,
	[GG_OPT_STRINGS] = fill_strings,
	[GG_OPT_GROUP] = fill_group,
	[GG_OPT_LIST] = fill_list,
	[GG_OPT_MAP] = fill_map,
	[GG_OPT_VALUE] = fill_value,
	[GG_OPT_INSTANCES] = fill_instances,
	[GG_OPT_STEPS] = fill_steps,
};

static bool is_word(enum gg_option_type type)
{
	return type <= GG_OPT_STRING || type == GG_OPT_CHOICE;
}

/* A default is written like a value. For lists and maps that means YAML: "[mean, p99]". */
static void fill_default(struct gg_fill *f, const struct gg_option *o, void *to)
{
	if (o->type == GG_OPT_GROUP) {
		struct gg_option_part part = {o->sub, to};
		gg_fill_struct(f, &(struct gg_fill_struct){.parts = &part, .count = 1});
		return;
	}
	if (!o->def)
		return;
	/* A word needs no memory of the configuration's: eight thousand rules have ten defaults each. */
	struct gg_value word = {.kind = GG_VALUE_SCALAR, .text = gg_str(o->def)}, *v = &word;
	if (!is_word(o->type))
		gg_value_parse(f->arena, o->name, gg_str(o->def), NULL, f->problems, &v);
	if (v && v->kind != GG_VALUE_NULL)
		fillers[o->type](f, o, to, v);
}

static void fill_row(struct gg_fill *f, const struct gg_fill_struct *s, const struct gg_option *o, char *self)
{
	void *to = self + o->offset;
	if (o->type == GG_OPT_KEY) {
		*(const char **)to = s->key;
		return;
	}
	if (o->type == GG_OPT_SOURCE) {
		*(const struct gg_value **)to = s->value;
		return;
	}
	const struct gg_value *v = gg_option_value(s->parts, s->count, o, s->value);
	if (v)
		fillers[o->type](f, o, to, v);
	else if ((o->flags & GG_REQUIRED) && s->given)
		gg_problem(f->problems, s->where ? s->where : s->value, "missing \"%s\"%s%s", o->name,
			o->help ? ": " : "", o->help ? o->help : "");
	else
		fill_default(f, o, to);
}

/* Names for "did you mean": the keys of all parts, one after the other. */
static const char *next_key(const void *ctx, size_t i)
{
	const struct gg_fill_struct *s = ctx;
	const struct gg_option *o;
	for (size_t p = 0; p < s->count; p++)
		gg_each_option(o, s->parts[p].table) if (gg_option_has_key(o) && i-- == 0) return o->name;
	return NULL;
}

static void unknown_key(struct gg_fill *f, const struct gg_fill_struct *s, const struct gg_value *key)
{
	const char *near = gg_nearest(key->text, next_key, s);
	if (near) {
		gg_problem(f->problems, key, "unknown key \"%.*s\" here; did you mean \"%s\"?",
			GG_STR_ARG(key->text), near);
		return;
	}
	char known[300] = "";
	size_t n = 0;
	const char *name;
	for (size_t i = 0; (name = next_key(s, i)) && n < sizeof known; i++)
		n += (size_t)snprintf(known + n, sizeof known - n, "%s%s", i ? ", " : "; known are ", name);
	gg_problem(f->problems, key, "unknown key \"%.*s\" here%s", GG_STR_ARG(key->text), known);
}

void gg_fill_struct(struct gg_fill *f, const struct gg_fill_struct *s)
{
	bool map = s->value && s->value->kind == GG_VALUE_MAP;
	bool nothing = !s->value || s->value->kind == GG_VALUE_NULL;
	const struct gg_option *whole = gg_option_takes_whole(s->parts, s->count, s->value);
	const struct gg_option *o;
	if (!whole && !map && !nothing) {
		wrong(f, &(struct gg_option){0}, s->value, "settings (key: value)");
		return;
	}
	for (size_t i = 0; i < s->count; i++)
		gg_each_option(o, s->parts[i].table) fill_row(f, s, o, s->parts[i].self);
	for (size_t i = 0; map && !whole && i < s->value->count; i++)
		if (!find_in_parts(s->parts, s->count, s->value->keys[i]->text))
			unknown_key(f, s, s->value->keys[i]);
}

size_t gg_options_fill(const struct gg_option *table, void *self, const struct gg_value *value,
	struct gg_arena *arena, struct gg_problems *problems)
{
	size_t before = problems->count + problems->more;
	struct gg_fill f = {arena, problems};
	struct gg_option_part part = {table, self};
	gg_fill_struct(&f, &(struct gg_fill_struct){&part, 1, value, value, NULL, true});
	return problems->count + problems->more - before;
}
