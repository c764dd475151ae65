/* SPDX-License-Identifier: Apache-2.0 */
/* The components that are built in, with their option tables: for forms. */
#include "api/handlers.h"
#include "ganglion/component.h"

enum { DEPTH = 6 };

static const char *const type_names[] = {"bool", "int", "uint", "float", "duration", "size", "string",
	"choice", "strings", "group", "list", "map", "key", "value", "source", "instances", "steps"};

static void put_text(struct gg_json_writer *w, const char *key, const char *text)
{
	if (text)
		gg_json_put_str(w, key, gg_str(text));
}

static void put_flag(struct gg_json_writer *w, const char *key, unsigned flags, unsigned flag)
{
	if (flags & flag)
		gg_json_put_bool(w, key, true);
}

static void put_options(struct gg_json_writer *w, const struct gg_option *table, unsigned depth);

static void put_option(struct gg_json_writer *w, const struct gg_option *o, unsigned depth)
{
	gg_json_begin_object(w);
	gg_json_put_str(w, "name", gg_str(o->name));
	gg_json_put_str(w, "type", gg_str(type_names[o->type]));
	put_text(w, "help", o->help);
	put_text(w, "default", o->def);
	put_text(w, "min", o->min);
	put_text(w, "max", o->max);
	put_text(w, "unit", o->unit);
	put_text(w, "example", o->example);
	put_flag(w, "required", o->flags, GG_REQUIRED);
	put_flag(w, "secret", o->flags, GG_SECRET);
	put_flag(w, "live", o->flags, GG_LIVE);
	put_flag(w, "main", o->flags, GG_MAIN);
	put_flag(w, "file", o->flags, GG_FILE);
	if (o->choices) {
		gg_json_key(w, GG_STR("choices"));
		gg_json_begin_array(w);
		for (size_t i = 0; o->choices[i]; i++)
			gg_json_string(w, gg_str(o->choices[i]));
		gg_json_end_array(w);
	}
	if (o->type == GG_OPT_INSTANCES || o->type == GG_OPT_STEPS)
		gg_json_put_str(w, "kind", gg_str(gg_kind_name((enum gg_component_kind)o->kind)));
	if (o->sub && depth > 0) {
		gg_json_key(w, GG_STR("options"));
		put_options(w, o->sub, depth - 1);
	}
	gg_json_end_object(w);
}

static void put_options(struct gg_json_writer *w, const struct gg_option *table, unsigned depth)
{
	gg_json_begin_array(w);
	for (const struct gg_option *o = table; o && o->name; o++)
		if (o->type != GG_OPT_SOURCE)
			put_option(w, o, depth);
	gg_json_end_array(w);
}

void gg_api_components(struct gg_api_call *c)
{
	struct gg_answer a;
	struct gg_str kind;
	if (!gg_api_text(c, "kind", &kind))
		return;
	gg_answer_begin(&a);
	gg_json_begin_object(&a.w);
	gg_json_key(&a.w, GG_STR("components"));
	gg_json_begin_array(&a.w);
	for (const struct gg_component *const *p = gg_components(); p && *p; p++) {
		if (kind.len && !gg_str_is(kind, gg_kind_name((*p)->kind)))
			continue;
		gg_json_begin_object(&a.w);
		gg_json_put_str(&a.w, "name", gg_str((*p)->name));
		gg_json_put_str(&a.w, "kind", gg_str(gg_kind_name((*p)->kind)));
		put_text(&a.w, "title", (*p)->title);
		put_text(&a.w, "help", (*p)->help);
		put_text(&a.w, "example", (*p)->example);
		gg_json_key(&a.w, GG_STR("options"));
		put_options(&a.w, (*p)->options, DEPTH);
		gg_json_end_object(&a.w);
	}
	gg_json_end_array(&a.w);
	gg_json_end_object(&a.w);
	gg_answer_send(c, 200, &a);
}
