/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON Schema (draft 2020-12) from the option tables: editors complete and check `ganglion.yaml` with it, and
 * the dashboard builds its forms of it. Beyond the standard's words an option may have x-unit, x-live,
 * x-secret and x-file.
 *
 *   $defs/driver.modbus   all keys of a Modbus driver (shared ones too)
 *   $defs/driver          any driver that says which by its selector
 *   $defs/stage           one step: a name, or a map of one name
 *
 * The schema is a little wider than the program: what only code can check (names, patterns, conditions) it
 * lets pass.
 */
#include "core/config.h"

enum { NESTING = 8 }; /* of tables, so that one that holds itself ends */

static void row_schema(struct gg_json_writer *w, const struct gg_option *o, unsigned nesting);

static void put(struct gg_json_writer *w, const char *key, const char *text)
{
	gg_json_put_str(w, key, gg_str(text));
}

static void put_ref(struct gg_json_writer *w, const char *kind, const char *name)
{
	char ref[200];
	snprintf(ref, sizeof ref, "#/$defs/%s%s%s", kind, name ? "." : "", name ? name : "");
	put(w, "$ref", ref);
}

static void put_names(struct gg_json_writer *w, const char *key, const char *const *names)
{
	gg_json_key(w, gg_str(key));
	gg_json_begin_array(w);
	for (; names && *names; names++)
		gg_json_string(w, gg_str(*names));
	gg_json_end_array(w);
}

static void alternative_ref(struct gg_json_writer *w, const char *name)
{
	gg_json_begin_object(w);
	put_ref(w, name, NULL);
	gg_json_end_object(w);
}

static void put_yaml(struct gg_json_writer *w, const char *key, const char *text, bool in_array)
{
	struct gg_arena arena = GG_ARENA(1 << 20);
	struct gg_problems problems = {0};
	struct gg_value *v = NULL;
	gg_json_key(w, gg_str(key));
	if (in_array)
		gg_json_begin_array(w);
	if (gg_value_parse(&arena, key, gg_str(text), NULL, &problems, &v) == 0)
		gg_value_to_json(v, w);
	else
		gg_json_string(w, gg_str(text));
	if (in_array)
		gg_json_end_array(w);
	gg_problems_done(&problems);
	gg_arena_done(&arena);
}

/* A bound in the JSON type of the option; durations and sizes have no JSON bound, their text says it. */
static void put_bound(struct gg_json_writer *w, const struct gg_option *o, const char *key, const char *bound)
{
	if (bound && (o->type == GG_OPT_INT || o->type == GG_OPT_UINT || o->type == GG_OPT_FLOAT))
		put_yaml(w, key, bound, false);
	else if (bound)
		put(w, key[1] == 'i' ? "x-minimum" : "x-maximum", bound);
}

static void number_schema(struct gg_json_writer *w, const struct gg_option *o)
{
	static const char *const defs[] = {[GG_OPT_DURATION] = "duration", [GG_OPT_SIZE] = "size"};
	gg_json_key(w, GG_STR("anyOf"));
	gg_json_begin_array(w);
	gg_json_begin_object(w);
	if (o->type == GG_OPT_DURATION || o->type == GG_OPT_SIZE)
		put_ref(w, defs[o->type], NULL);
	else
		put(w, "type", o->type == GG_OPT_FLOAT ? "number" : "integer");
	put_bound(w, o, "minimum", o->min ? o->min : o->type == GG_OPT_UINT ? "0" : NULL);
	put_bound(w, o, "maximum", o->max);
	gg_json_end_object(w);
	if (o->choices) {
		gg_json_begin_object(w);
		put_names(w, "enum", o->choices);
		gg_json_end_object(w);
	}
	alternative_ref(w, "reference");
	gg_json_end_array(w);
}

static void choice_alternatives(struct gg_json_writer *w, const struct gg_option *o)
{
	gg_json_key(w, GG_STR("anyOf"));
	gg_json_begin_array(w);
	gg_json_begin_object(w);
	put_names(w, "enum", o->choices);
	gg_json_end_object(w);
	alternative_ref(w, "reference");
	gg_json_end_array(w);
}

static void strings_schema(struct gg_json_writer *w, const struct gg_option *o)
{
	gg_json_key(w, GG_STR("anyOf"));
	gg_json_begin_array(w);
	for (int list = 0; list < 2; list++) {
		gg_json_begin_object(w);
		if (list) {
			put(w, "type", "array");
			gg_json_key(w, GG_STR("items"));
			gg_json_begin_object(w);
		}
		if (o->choices)
			choice_alternatives(w, o);
		else
			put_ref(w, "text", NULL);
		if (list)
			gg_json_end_object(w);
		gg_json_end_object(w);
	}
	gg_json_end_array(w);
}

static void put_properties(
	struct gg_json_writer *w, const struct gg_option *const *tables, size_t count, unsigned nesting)
{
	const struct gg_option *o;
	for (size_t i = 0; i < count; i++)
		gg_each_option(o, tables[i]) if (gg_option_has_key(o))
		{
			gg_json_key(w, gg_str(o->name));
			row_schema(w, o, nesting + 1);
		}
}

static void put_required(struct gg_json_writer *w, const struct gg_option *const *tables, size_t count)
{
	const struct gg_option *o;
	gg_json_key(w, GG_STR("required"));
	gg_json_begin_array(w);
	for (size_t i = 0; i < count; i++)
		gg_each_option(o, tables[i]) if (o->flags & GG_REQUIRED) gg_json_string(w, gg_str(o->name));
	gg_json_end_array(w);
}

static bool needs_something(const struct gg_option *const *tables, size_t count)
{
	const struct gg_option *o;
	for (size_t i = 0; i < count; i++)
		gg_each_option(o, tables[i]) if (o->flags & GG_REQUIRED) return true;
	return false;
}

/* The members of an object schema; selector and component: an instance's, whose selector must fit. */
static void object_members(struct gg_json_writer *w, const struct gg_option *const *tables, size_t count,
	const char *selector, const char *component, unsigned nesting)
{
	gg_json_key(w, GG_STR("type"));
	gg_json_begin_array(w);
	gg_json_string(w, GG_STR("object"));
	if (!needs_something(tables, count))
		gg_json_string(w, GG_STR("null"));
	gg_json_end_array(w);
	gg_json_key(w, GG_STR("properties"));
	gg_json_begin_object(w);
	if (selector) {
		gg_json_key(w, gg_str(selector));
		gg_json_begin_object(w);
		put(w, "const", component);
		gg_json_end_object(w);
	}
	put_properties(w, tables, count, nesting);
	gg_json_end_object(w);
	put_required(w, tables, count);
	gg_json_put_bool(w, "additionalProperties", false);
}

static const struct gg_option *find_main(const struct gg_option *const *tables, size_t count)
{
	const struct gg_option *o;
	for (size_t i = 0; i < count; i++)
		gg_each_option(o, tables[i]) if (o->flags & GG_MAIN) return o;
	return NULL;
}

static void struct_members(struct gg_json_writer *w, const struct gg_option *const *tables, size_t count,
	const char *selector, const char *component, unsigned nesting)
{
	const struct gg_option *main = find_main(tables, count);
	if (!main) {
		object_members(w, tables, count, selector, component, nesting);
		return;
	}
	gg_json_key(w, GG_STR("anyOf"));
	gg_json_begin_array(w);
	gg_json_begin_object(w);
	object_members(w, tables, count, selector, component, nesting);
	gg_json_end_object(w);
	row_schema(w, main, nesting + 1);
	gg_json_end_array(w);
}

static void sub_schema(struct gg_json_writer *w, const struct gg_option *o, unsigned nesting)
{
	gg_json_begin_object(w);
	struct_members(w, &o->sub, 1, NULL, NULL, nesting);
	gg_json_end_object(w);
}

static void instances_schema(struct gg_json_writer *w, const struct gg_option *o)
{
	const char *kind = gg_kind_name(o->kind);
	gg_json_key(w, GG_STR("type"));
	gg_json_raw(w, GG_STR("[\"object\",\"null\"]"));
	gg_json_key(w, GG_STR("properties"));
	gg_json_begin_object(w);
	for (const struct gg_component *const *c = gg_components(); *c; c++) {
		if ((*c)->kind != o->kind)
			continue;
		gg_json_key(w, gg_str((*c)->name));
		gg_json_begin_object(w);
		gg_json_key(w, GG_STR("anyOf"));
		gg_json_begin_array(w);
		gg_json_begin_object(w);
		put_ref(w, kind, (*c)->name);
		gg_json_end_object(w);
		alternative_ref(w, kind);
		gg_json_end_array(w);
		gg_json_end_object(w);
	}
	gg_json_end_object(w);
	gg_json_key(w, GG_STR("additionalProperties"));
	alternative_ref(w, kind);
}

static void steps_schema(struct gg_json_writer *w, const struct gg_option *o)
{
	gg_json_key(w, GG_STR("anyOf"));
	gg_json_begin_array(w);
	gg_json_begin_object(w);
	put(w, "type", "array");
	gg_json_key(w, GG_STR("items"));
	alternative_ref(w, gg_kind_name(o->kind));
	gg_json_end_object(w);
	alternative_ref(w, gg_kind_name(o->kind));
	gg_json_end_array(w);
}

static void many_schema(struct gg_json_writer *w, const struct gg_option *o, unsigned nesting)
{
	gg_json_key(w, GG_STR("type"));
	gg_json_raw(
		w, o->type == GG_OPT_LIST ? GG_STR("[\"array\",\"null\"]") : GG_STR("[\"object\",\"null\"]"));
	gg_json_key(w, o->type == GG_OPT_LIST ? GG_STR("items") : GG_STR("additionalProperties"));
	sub_schema(w, o, nesting);
}

static void put_notes(struct gg_json_writer *w, const struct gg_option *o)
{
	if (o->help)
		put(w, "description", o->help);
	if (o->def && !(o->flags & GG_SECRET))
		put_yaml(w, "default", o->def, false);
	if (o->example)
		put_yaml(w, "examples", o->example, true);
	if (o->unit)
		put(w, "x-unit", o->unit);
	if (o->flags & GG_LIVE)
		gg_json_put_bool(w, "x-live", true);
	if (o->flags & GG_SECRET)
		gg_json_put_bool(w, "x-secret", true);
	if (o->flags & GG_FILE)
		gg_json_put_bool(w, "x-file", true);
}

static void row_schema(struct gg_json_writer *w, const struct gg_option *o, unsigned nesting)
{
	gg_json_begin_object(w);
	put_notes(w, o);
	switch (o->type) {
	case GG_OPT_BOOL:
		put_ref(w, "truth", NULL);
		break;
	case GG_OPT_CHOICE:
		choice_alternatives(w, o);
		break;
	case GG_OPT_STRING:
		put_ref(w, "text", NULL);
		break;
	case GG_OPT_STRINGS:
		strings_schema(w, o);
		break;
	case GG_OPT_GROUP:
		if (nesting < NESTING)
			struct_members(w, &o->sub, 1, NULL, NULL, nesting);
		break;
	case GG_OPT_LIST:
	case GG_OPT_MAP:
		if (nesting < NESTING)
			many_schema(w, o, nesting);
		break;
	case GG_OPT_INSTANCES:
		instances_schema(w, o);
		break;
	case GG_OPT_STEPS:
		steps_schema(w, o);
		break;
	case GG_OPT_VALUE:
	case GG_OPT_KEY:
	case GG_OPT_SOURCE:
		break;
	default:
		number_schema(w, o);
	}
	gg_json_end_object(w);
}

static void component_def(
	struct gg_json_writer *w, const struct gg_component *c, const struct gg_option *shared)
{
	const struct gg_option *tables[] = {c->options, shared};
	const char *kind = gg_kind_name(c->kind);
	char name[200];
	snprintf(name, sizeof name, "%s.%s", kind, c->name);
	gg_json_key(w, gg_str(name));
	gg_json_begin_object(w);
	if (c->title)
		put(w, "title", c->title);
	if (c->help)
		put(w, "description", c->help);
	struct_members(w, tables, shared ? 2 : 1, shared ? kind : NULL, c->name, 0);
	gg_json_end_object(w);
}

static void put_component_names(struct gg_json_writer *w, unsigned kind, const char *key)
{
	gg_json_key(w, gg_str(key));
	gg_json_begin_array(w);
	for (const struct gg_component *const *c = gg_components(); *c; c++)
		if ((*c)->kind == kind)
			gg_json_string(w, gg_str((*c)->name));
	gg_json_end_array(w);
}

/* Any instance of a kind: which it is says its selector, and then its own definition holds. */
static void instance_def(struct gg_json_writer *w, unsigned kind)
{
	const char *selector = gg_kind_name(kind);
	gg_json_key(w, gg_str(selector));
	gg_json_begin_object(w);
	put(w, "type", "object");
	gg_json_key(w, GG_STR("properties"));
	gg_json_begin_object(w);
	gg_json_key(w, gg_str(selector));
	gg_json_begin_object(w);
	put_component_names(w, kind, "enum");
	gg_json_end_object(w);
	gg_json_end_object(w);
	put_names(w, "required", (const char *const[]){selector, NULL});
	gg_json_key(w, GG_STR("allOf"));
	gg_json_begin_array(w);
	gg_json_raw(w, GG_STR("true"));
	for (const struct gg_component *const *c = gg_components(); *c; c++) {
		if ((*c)->kind != kind)
			continue;
		gg_json_begin_object(w);
		gg_json_key(w, GG_STR("if"));
		gg_json_begin_object(w);
		gg_json_key(w, GG_STR("properties"));
		gg_json_begin_object(w);
		gg_json_key(w, gg_str(selector));
		gg_json_begin_object(w);
		put(w, "const", (*c)->name);
		gg_json_end_object(w);
		gg_json_end_object(w);
		gg_json_end_object(w);
		gg_json_key(w, GG_STR("then"));
		gg_json_begin_object(w);
		put_ref(w, selector, (*c)->name);
		gg_json_end_object(w);
		gg_json_end_object(w);
	}
	gg_json_end_array(w);
	gg_json_end_object(w);
}

static void step_def(struct gg_json_writer *w, unsigned kind)
{
	const char *name = gg_kind_name(kind);
	gg_json_key(w, gg_str(name));
	gg_json_begin_object(w);
	gg_json_key(w, GG_STR("anyOf"));
	gg_json_begin_array(w);
	gg_json_begin_object(w);
	put_component_names(w, kind, "enum");
	gg_json_end_object(w);
	gg_json_begin_object(w);
	put(w, "type", "object");
	gg_json_put_int(w, "minProperties", 1);
	gg_json_put_int(w, "maxProperties", 1);
	gg_json_put_bool(w, "additionalProperties", false);
	gg_json_key(w, GG_STR("properties"));
	gg_json_begin_object(w);
	for (const struct gg_component *const *c = gg_components(); *c; c++) {
		if ((*c)->kind != kind)
			continue;
		gg_json_key(w, gg_str((*c)->name));
		gg_json_begin_object(w);
		put_ref(w, name, (*c)->name);
		gg_json_end_object(w);
	}
	gg_json_end_object(w);
	gg_json_end_object(w);
	gg_json_end_array(w);
	gg_json_end_object(w);
}

static const struct gg_option *shared_of(unsigned kind)
{
	const struct gg_option *o;
	gg_each_option(o, gg_site_options) if (o->type == GG_OPT_INSTANCES && o->kind == kind) return o->sub;
	return NULL;
}

/* ${...} may stand in place of any word. */
static const char words[] =
	"\"reference\":{\"type\":\"string\",\"pattern\":\"\\\\$\\\\{\"},"
	"\"truth\":{\"anyOf\":[{\"type\":\"boolean\"},{\"enum\":[\"yes\",\"no\",\"on\",\"off\",\"true\","
	"\"false\"]},"
	"{\"$ref\":\"#/$defs/reference\"}]},"
	"\"text\":{\"type\":[\"string\",\"number\",\"boolean\"]},"
	"\"duration\":{\"anyOf\":[{\"type\":\"number\",\"minimum\":0},{\"type\":\"string\",\"pattern\":"
	"\"^([0-9.]+ ?(ns|us|ms|s|sec|min|m|h|d|w)? ?)+$\"}]},"
	"\"size\":{\"anyOf\":[{\"type\":\"number\",\"minimum\":0},{\"type\":\"string\",\"pattern\":"
	"\"^[0-9.]+ ?(B|[kKMGT]B|[KMGT]iB)?$\"}]}";

void gg_schema_write(struct gg_buf *to)
{
	struct gg_json_writer json = gg_json_writer(to), *w = &json;
	gg_json_begin_object(w);
	put(w, "$schema", "https://json-schema.org/draft/2020-12/schema");
	put(w, "title", "Ganglion configuration");
	object_members(w, (const struct gg_option *const[]){gg_site_options}, 1, NULL, NULL, 0);
	gg_json_key(w, GG_STR("$defs"));
	gg_json_begin_object(w);
	gg_json_raw(w, gg_str_n(words, sizeof words - 1));
	instance_def(w, GG_DRIVER);
	instance_def(w, GG_UPLINK);
	step_def(w, GG_STAGE);
	step_def(w, GG_ACTION);
	for (const struct gg_component *const *c = gg_components(); *c; c++)
		component_def(w, *c, shared_of((*c)->kind));
	gg_json_end_object(w);
	gg_json_end_object(w);
	gg_buf_char(to, '\n');
}
