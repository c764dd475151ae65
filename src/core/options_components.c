/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options that name components. An entry of an INSTANCES map says which component it is by a selector key
 * ("driver: modbus") or by its own name; what remains of its map, after what all of the kind share, are the
 * component's own options. A STEP is `name` or `name: settings`. The options are filled into memory that no
 * instance ever uses, so that `ganglion check` finds what a start would find.
 */
#include "core/options.h"

static const char *next_component(const void *ctx, size_t i)
{
	unsigned kind = *(const unsigned *)ctx;
	for (const struct gg_component *const *c = gg_components(); *c; c++)
		if ((*c)->kind == kind && i-- == 0)
			return (*c)->name;
	return NULL;
}

static void unknown_component(struct gg_fill *f, unsigned kind, const struct gg_value *at, bool by_key)
{
	const char *called = gg_kind_name(kind);
	const char *near = gg_nearest(at->text, next_component, &kind);
	char hint[200] = "";
	if (near)
		snprintf(hint, sizeof hint, "; did you mean \"%s\"?", near);
	else if (by_key)
		snprintf(hint, sizeof hint, "; if that is a name of your own, add \"%s: ...\"", called);
	gg_problem(f->problems, at, "there is no %s \"%.*s\"%s", called, GG_STR_ARG(at->text), hint);
}

const struct gg_component *gg_instance_component(
	unsigned kind, const struct gg_value *key, const struct gg_value *value)
{
	const struct gg_value *selector = gg_value_get(value, gg_kind_name(kind));
	const struct gg_value *name = selector && selector->kind == GG_VALUE_SCALAR ? selector : key;
	return gg_component_find(kind, name->text);
}

void gg_selector_table(unsigned kind, struct gg_option *to)
{
	to[0] = (struct gg_option){.name = gg_kind_name(kind), .type = GG_OPT_STRING};
	to[1] = (struct gg_option){0};
}

/* The map without the selector and the shared keys. Same places, so that later messages point right. */
static const struct gg_value *own_settings(
	struct gg_fill *f, const struct gg_option_part *shared, const struct gg_value *v)
{
	if (!v || v->kind != GG_VALUE_MAP)
		return v;
	struct gg_value *own = gg_value_map(f->arena, v->count);
	if (!own)
		return NULL;
	own->file = v->file;
	own->line = v->line;
	own->column = v->column;
	for (size_t i = 0; i < v->count; i++) {
		struct gg_str key = v->keys[i]->text;
		if (!gg_option_find(shared[0].table, key) && !gg_option_find(shared[1].table, key))
			gg_value_add(own, v->keys[i], v->items[i]);
	}
	return own;
}

/* What the component itself has to say, of settings that are right each by itself. */
static void ask_component(struct gg_fill *f, const struct gg_component *c, const void *self,
	const struct gg_value *at, size_t problems_before)
{
	struct gg_error e = {0};
	if (c->check && f->problems->count + f->problems->more == problems_before && c->check(self, &e) < 0)
		gg_problem(f->problems, at, "%s", e.text);
}

static void fill_instance(struct gg_fill *f, const struct gg_option *o, struct gg_instance_config *to,
	const struct gg_value *key, const struct gg_value *v)
{
	struct gg_option selector[2];
	gg_selector_table(o->kind, selector);
	const char *selected = NULL;
	to->name = key->text.p;
	to->place = key;
	to->component = gg_instance_component(o->kind, key, v);
	const struct gg_value *named = gg_value_get(v, selector[0].name);
	if (!to->component) {
		unknown_component(
			f, o->kind, named && named->kind == GG_VALUE_SCALAR ? named : key, named == NULL);
		return;
	}
	void *self = gg_arena_alloc(f->arena, gg_max_size(to->component->self_size, 1));
	to->checked = self;
	to->common = gg_arena_alloc(f->arena, gg_max_size(o->sub_size, 1));
	struct gg_option_part parts[] = {
		{selector, &selected}, {o->sub, to->common}, {to->component->options, self}};
	to->value = own_settings(f, parts, v);
	size_t before = f->problems->count + f->problems->more;
	if (!self || !to->common || (v && !to->value)) {
		gg_problem(f->problems, key, "out of memory: the configuration is too large");
		return;
	}
	gg_fill_struct(f, &(struct gg_fill_struct){parts, 3, v, key, key->text.p, true});
	ask_component(f, to->component, self, key, before);
}

static struct gg_instance_config *new_instances(
	struct gg_fill *f, struct gg_instances *to, size_t count, const struct gg_value *v)
{
	to->items = gg_arena_alloc(f->arena, gg_max_size(count, 1) * sizeof *to->items);
	to->count = to->items ? count : 0;
	if (!to->items)
		gg_problem(f->problems, v, "out of memory: the configuration is too large");
	return to->items;
}

void gg_fill_instances(
	struct gg_fill *f, const struct gg_option *o, struct gg_instances *to, const struct gg_value *v)
{
	struct gg_instance_config *items = new_instances(f, to, v->count, v);
	for (size_t i = 0; items && i < v->count; i++)
		fill_instance(f, o, &items[i], v->keys[i], v->items[i]);
}

bool gg_step_split(
	const struct gg_value *step, const struct gg_value **ret_name, const struct gg_value **ret_settings)
{
	bool map = step->kind == GG_VALUE_MAP && step->count == 1;
	if (!map && step->kind != GG_VALUE_SCALAR)
		return false;
	*ret_name = map ? step->keys[0] : step;
	*ret_settings = map ? step->items[0] : NULL;
	return true;
}

static void fill_step(struct gg_fill *f, const struct gg_option *o, struct gg_instance_config *to,
	const struct gg_value *step)
{
	const struct gg_value *name, *settings;
	const char *called = gg_kind_name(o->kind);
	if (!gg_step_split(step, &name, &settings)) {
		gg_problem(f->problems, step, "expected %s %s: its name, or \"name: settings\" with one name",
			strchr("aeiou", called[0]) ? "an" : "a", called);
		return;
	}
	to->name = name->text.p;
	to->place = name;
	to->value = settings;
	to->component = gg_component_find(o->kind, name->text);
	if (!to->component) {
		unknown_component(f, o->kind, name, false);
		return;
	}
	void *self = gg_arena_alloc(f->arena, gg_max_size(to->component->self_size, 1));
	to->checked = self;
	struct gg_option_part part = {to->component->options, self};
	size_t before = f->problems->count + f->problems->more;
	if (!self) {
		gg_problem(f->problems, name, "out of memory: the configuration is too large");
		return;
	}
	gg_fill_struct(f, &(struct gg_fill_struct){&part, 1, settings, name, NULL, true});
	ask_component(f, to->component, self, name, before);
}

void gg_fill_steps(
	struct gg_fill *f, const struct gg_option *o, struct gg_instances *to, const struct gg_value *v)
{
	struct gg_value *one = (struct gg_value *)(uintptr_t)v;
	bool list = v->kind == GG_VALUE_LIST;
	size_t count = list ? v->count : 1;
	struct gg_value *const *steps = list ? v->items : &one;
	struct gg_instance_config *items = new_instances(f, to, count, v);
	for (size_t i = 0; items && i < count; i++)
		fill_step(f, o, &items[i], steps[i]);
}
