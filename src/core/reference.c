/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reference pages in Markdown from the option tables: one of the root, one per component. A nested option
 * stands in the same table under its path: `tls.certificate`, `topics.<name>.format`, `blocks[].start`.
 */
#include "core/config.h"

enum { NESTING = 8, PATH = 256 };

static const char *const type_names[] = {
	[GG_OPT_BOOL] = "true or false",
	[GG_OPT_INT] = "whole number",
	[GG_OPT_UINT] = "whole number, not negative",
	[GG_OPT_FLOAT] = "number",
	[GG_OPT_DURATION] = "duration",
	[GG_OPT_SIZE] = "size in bytes",
	[GG_OPT_STRING] = "text",
	[GG_OPT_CHOICE] = "one of",
	[GG_OPT_STRINGS] = "list of texts",
	[GG_OPT_GROUP] = "settings",
	[GG_OPT_LIST] = "list of settings",
	[GG_OPT_MAP] = "map: name to settings",
	[GG_OPT_KEY] = "name",
	[GG_OPT_VALUE] = "any",
	[GG_OPT_SOURCE] = "",
	[GG_OPT_INSTANCES] = "map: name to",
	[GG_OPT_STEPS] = "list of",
};

/* Text in a table's cell: '|' would end it. */
static void put_cell(struct gg_buf *to, const char *text)
{
	for (; text && *text; text++) {
		if (*text == '|')
			gg_buf_char(to, '\\');
		gg_buf_char(to, *text == '\n' ? ' ' : *text);
	}
}

static void put_type(struct gg_buf *to, const struct gg_option *o)
{
	gg_buf_printf(to, "%s", type_names[o->type]);
	if (o->type == GG_OPT_INSTANCES || o->type == GG_OPT_STEPS)
		gg_buf_printf(to, " %s%s", gg_kind_name(o->kind), o->type == GG_OPT_STEPS ? "s" : "");
	if (o->min && o->max)
		gg_buf_printf(to, ", %s to %s", o->min, o->max);
	else if (o->min || o->max)
		gg_buf_printf(to, ", at %s %s", o->min ? "least" : "most", o->min ? o->min : o->max);
	if (o->choices && o->type != GG_OPT_CHOICE)
		gg_buf_str(to, GG_STR(", or"));
	for (const char *const *c = o->choices; c && *c; c++)
		gg_buf_printf(to, "%s `%s`", c == o->choices ? "" : ",", *c);
	if (o->unit)
		gg_buf_printf(to, ", %s", o->unit);
}

static void put_flags(struct gg_buf *to, const struct gg_option *o)
{
	if (o->flags & GG_MAIN)
		gg_buf_str(to, GG_STR(" May be given alone, in place of the map."));
	if (o->flags & GG_SECRET)
		gg_buf_str(to, GG_STR(" Never shown."));
	if (o->flags & GG_LIVE)
		gg_buf_str(to, GG_STR(" Changes without a restart."));
}

static void put_row(struct gg_buf *to, const struct gg_option *o, const char *path)
{
	gg_buf_printf(to, "| `%s` | ", path);
	put_type(to, o);
	gg_buf_str(to, GG_STR(" | "));
	if (o->flags & GG_REQUIRED)
		gg_buf_str(to, GG_STR("**required**"));
	else if (o->def) {
		gg_buf_char(to, '`');
		put_cell(to, o->def);
		gg_buf_char(to, '`');
	}
	gg_buf_str(to, GG_STR(" | "));
	put_cell(to, o->help);
	gg_buf_str(to, o->help ? GG_STR(".") : GG_STR(""));
	put_flags(to, o);
	if (o->example) {
		gg_buf_str(to, GG_STR(" Example: `"));
		put_cell(to, o->example);
		gg_buf_char(to, '`');
	}
	gg_buf_str(to, GG_STR(" |\n"));
}

static void put_rows(struct gg_buf *to, const struct gg_option *table, const char *before, unsigned nesting)
{
	const struct gg_option *o;
	gg_each_option(o, table)
	{
		char path[PATH], inner[PATH + 16];
		const char *dot = before[0] ? "." : "";
		if (!gg_option_has_key(o))
			continue;
		snprintf(path, sizeof path, "%s%s%s", before, dot, o->name);
		put_row(to, o, path);
		if (!o->sub || nesting >= NESTING)
			continue;
		const char *step = o->type == GG_OPT_LIST ? "[]" : o->type == GG_OPT_GROUP ? "" : ".<name>";
		snprintf(inner, sizeof inner, "%s%s", path, step);
		put_rows(to, o->sub, inner, nesting + 1);
	}
}

static void put_options(struct gg_buf *to, const struct gg_option *table)
{
	gg_buf_str(to, GG_STR("## Options\n\n"));
	if (!table || !table->name) {
		gg_buf_str(to, GG_STR("None.\n"));
		return;
	}
	gg_buf_str(to, GG_STR("| option | type | default | |\n|---|---|---|---|\n"));
	put_rows(to, table, "", 0);
}

static void put_components(struct gg_buf *to)
{
	gg_buf_str(to, GG_STR("\n## Components\n\n| kind | name | |\n|---|---|---|\n"));
	for (const struct gg_component *const *c = gg_components(); *c; c++) {
		const char *kind = gg_kind_name((*c)->kind);
		gg_buf_printf(to, "| %s | [%s](%s-%s.md) | ", kind, (*c)->name, kind, (*c)->name);
		put_cell(to, (*c)->title);
		gg_buf_str(to, GG_STR(" |\n"));
	}
}

static void put_root(struct gg_buf *to)
{
	gg_buf_str(to,
		GG_STR("# Configuration\n\n"
		       "One YAML file and `conf.d/*.yaml` beside it. In any value `${NAME}` stands for an "
		       "environment variable, `${NAME:-default}` has a default, and `${file:/path}` is the "
		       "content of a file; such values are never shown. Durations are written like `500ms`, "
		       "`10s`, `1h30min`, sizes like `64KiB` or `10MB`.\n\n"));
	put_options(to, gg_site_options);
	put_components(to);
}

void gg_reference_write(const struct gg_component *component, struct gg_buf *to)
{
	if (!component) {
		put_root(to);
		return;
	}
	gg_buf_printf(to, "# %s: %s\n\n", gg_kind_name(component->kind), component->name);
	if (component->title)
		gg_buf_printf(to, "%s.\n\n", component->title);
	if (component->help)
		gg_buf_printf(to, "%s\n\n", component->help);
	if (component->example) {
		size_t len = strlen(component->example);
		bool ends = len && component->example[len - 1] == '\n';
		gg_buf_printf(to, "```yaml\n%s%s```\n\n", component->example, ends ? "" : "\n");
	}
	put_options(to, component->options);
}
