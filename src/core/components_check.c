/* SPDX-License-Identifier: Apache-2.0 */
#include "core/components_check.h"

enum { NESTING = 8 };

struct check {
	struct gg_arena arena;
	struct gg_problems *problems;
	char where[200]; /* "driver modbus" */
};

static bool is_number(enum gg_option_type type)
{
	return type == GG_OPT_INT || type == GG_OPT_UINT || type == GG_OPT_FLOAT || type == GG_OPT_DURATION ||
	       type == GG_OPT_SIZE;
}

static void check_word(
	struct check *c, const struct gg_option *o, const char *what, const char *text, bool bounds)
{
	union {
		bool b;
		int i;
		double f;
		uint64_t u;
	} value;
	char expected[GG_ERROR_TEXT];
	struct gg_option row = *o;
	if (!bounds)
		row.min = row.max = NULL;
	if (text && !gg_option_read_scalar(&row, &value, gg_str(text), expected))
		gg_problem(c->problems, NULL, "%s: %s of option \"%s\": expected %s, got \"%s\"", c->where,
			what, o->name, expected, text);
}

static bool needs_sub(const struct gg_option *o)
{
	return o->type == GG_OPT_GROUP || o->type == GG_OPT_LIST || o->type == GG_OPT_MAP;
}

static void check_row(struct check *c, const struct gg_option *o)
{
	if (is_number(o->type)) {
		check_word(c, o, "min", o->min, false);
		check_word(c, o, "max", o->max, false);
	}
	if (is_number(o->type) || o->type == GG_OPT_BOOL || o->type == GG_OPT_CHOICE)
		check_word(c, o, "default", o->def, true);
	if (o->type == GG_OPT_CHOICE && !o->choices)
		gg_problem(c->problems, NULL, "%s: option \"%s\" has no choices", c->where, o->name);
	if (needs_sub(o) && !o->sub)
		gg_problem(c->problems, NULL, "%s: option \"%s\" has no table", c->where, o->name);
	if (needs_sub(o) && o->type != GG_OPT_GROUP && !o->sub_size)
		gg_problem(c->problems, NULL, "%s: option \"%s\" has no sub_size", c->where, o->name);
	if (!o->help && gg_option_has_key(o))
		gg_problem(c->problems, NULL, "%s: option \"%s\" has no help", c->where, o->name);
}

/* Defaults of lists are YAML: filling an empty struct reads them. */
static void check_yaml_default(struct check *c, const struct gg_option *o)
{
	struct gg_problems found = {0};
	struct gg_value *v = NULL;
	bool yaml = o->type == GG_OPT_STRINGS || o->type == GG_OPT_LIST || o->type == GG_OPT_MAP ||
		    o->type == GG_OPT_VALUE || o->type == GG_OPT_INSTANCES || o->type == GG_OPT_STEPS;
	if (yaml && o->def && gg_value_parse(&c->arena, o->name, gg_str(o->def), NULL, &found, &v) < 0)
		gg_problem(c->problems, NULL, "%s: default of option \"%s\": %s", c->where, o->name,
			found.items[0].text);
	gg_problems_done(&found);
}

static void check_table(struct check *c, const struct gg_option *table, unsigned nesting)
{
	const struct gg_option *o;
	gg_each_option(o, table)
	{
		check_row(c, o);
		check_yaml_default(c, o);
		if (gg_option_has_key(o) && gg_option_find(table, gg_str(o->name)) != o)
			gg_problem(c->problems, NULL, "%s: two options are called \"%s\"", c->where, o->name);
		if (o->sub && nesting < NESTING)
			check_table(c, o->sub, nesting + 1);
	}
}

static void check_shared_names(struct check *c, const struct gg_component *component)
{
	const struct gg_option *o, *root;
	gg_each_option(root, gg_site_options)
	{
		if (root->type != GG_OPT_INSTANCES || root->kind != component->kind)
			continue;
		gg_each_option(o, component->options) if (gg_option_find(root->sub, gg_str(o->name)) ||
							  strcmp(o->name, gg_kind_name(component->kind)) == 0)
			gg_problem(c->problems, NULL, "%s: \"%s\" is an option of every %s already", c->where,
				o->name, gg_kind_name(component->kind));
	}
}

/* Puts the example where it belongs in an else empty configuration. */
static struct gg_value *around(struct check *c, unsigned kind, struct gg_value *example)
{
	const struct gg_str drivers[] = {GG_STR("drivers")}, uplinks[] = {GG_STR("uplinks")};
	const struct gg_str stages[] = {GG_STR("pipelines"), GG_STR("example"), GG_STR("stages")};
	const struct gg_str action[] = {GG_STR("rules"), GG_STR("example"), GG_STR("do")};
	const struct gg_str when[] = {GG_STR("rules"), GG_STR("example"), GG_STR("when")};
	switch (kind) {
	case GG_DRIVER:
		return gg_value_set(&c->arena, NULL, drivers, 1, example);
	case GG_UPLINK:
		return gg_value_set(&c->arena, NULL, uplinks, 1, example);
	case GG_STAGE:
		return gg_value_set(&c->arena, NULL, stages, 3, example);
	case GG_ACTION:
		return gg_value_set(&c->arena, gg_value_set(&c->arena, NULL, action, 3, example), when, 3,
			gg_value_scalar(&c->arena, GG_STR("a/b > 1"), true));
	default:
		return NULL;
	}
}

static void check_example(struct check *c, const struct gg_component *component)
{
	struct gg_value *example = NULL, *root = NULL;
	struct gg_problems found = {0};
	struct gg_site *site = GG_NEW(&c->arena, struct gg_site);
	if (!component->example || !site)
		return;
	if (gg_value_parse(&c->arena, "example", gg_str(component->example), NULL, &found, &example) == 0)
		root = around(c, component->kind, example);
	if (root)
		gg_options_fill(gg_site_options, site, root, &c->arena, &found);
	for (size_t i = 0; i < found.count; i++)
		gg_problem(c->problems, NULL, "%s: line %u of the example: %s", c->where, found.items[i].line,
			found.items[i].text);
	gg_problems_done(&found);
}

size_t gg_components_check(struct gg_problems *problems)
{
	size_t before = problems->count + problems->more;
	struct check c = {.arena = GG_ARENA(GG_CONFIG_MEMORY), .problems = problems, .where = "site"};
	check_table(&c, gg_site_options, 0);
	for (const struct gg_component *const *all = gg_components(); *all; all++) {
		snprintf(c.where, sizeof c.where, "%s %s", gg_kind_name((*all)->kind), (*all)->name);
		check_table(&c, (*all)->options, 0);
		check_shared_names(&c, *all);
		check_example(&c, *all);
	}
	gg_arena_done(&c.arena);
	return problems->count + problems->more - before;
}
