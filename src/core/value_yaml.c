/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML 1.2 by libfyaml's event parser. Its document layer is not used: events let the tree be bounded while
 * it grows, and keep the place of every key. What a plain scalar means is left to the option tables; only
 * null ("", ~, null) is told apart here. The parser's own diagnostics become problems with their place.
 */
#include "core/value_tree.h"

#include <libfyaml.h>

static struct gg_tree_node place_of(struct fy_event *e, struct fy_token *anchor)
{
	const struct fy_mark *mark = fy_event_start_mark(e);
	struct gg_tree_node at = {0};
	if (mark) {
		at.line = (unsigned)mark->line + 1;
		at.column = (unsigned)mark->column + 1;
	}
	if (anchor) {
		size_t len = 0;
		const char *text = fy_token_get_text(anchor, &len);
		at.anchor = gg_str_n(text ? text : "", text ? len : 0);
	}
	return at;
}

/* "!!str" makes a text of a scalar; other tags mean nothing here. */
static int check_tag(struct gg_tree *t, struct fy_token *tag, const struct gg_tree_node *at, bool *ret_text)
{
	if (!tag)
		return 0;
	size_t len = 0;
	const char *text = fy_token_get_text(tag, &len);
	struct gg_str name = gg_str_n(text ? text : "", text ? len : 0);
	if (ret_text && (gg_str_is(name, "tag:yaml.org,2002:str") || gg_str_is(name, "!"))) {
		*ret_text = true;
		return 0;
	}
	return gg_tree_fail(
		t, -EINVAL, at->line, at->column, "tags like \"%.*s\" mean nothing here", GG_STR_ARG(name));
}

static int on_scalar(struct gg_tree *t, struct fy_event *e)
{
	struct fy_token *value = e->scalar.value;
	struct gg_tree_scalar s = {.at = place_of(e, e->scalar.anchor)};
	size_t len = 0;
	const char *text = value ? fy_token_get_text(value, &len) : NULL;
	s.text = gg_str_n(text ? text : "", text ? len : 0);
	enum fy_scalar_style style = value ? fy_token_scalar_style(value) : FYSS_PLAIN;
	s.quoted = style != FYSS_PLAIN;
	if ((style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED) && s.at.column > 1)
		s.at.column--; /* the mark stands behind the quote */
	if (check_tag(t, e->scalar.tag, &s.at, &s.quoted) < 0)
		return t->error;
	s.null = !s.quoted && (s.text.len == 0 || gg_str_is(s.text, "~") || gg_str_is(s.text, "null"));
	return gg_tree_put(t, &s);
}

static int on_open(struct gg_tree *t, struct fy_event *e)
{
	bool map = e->type == FYET_MAPPING_START;
	struct gg_tree_node at = place_of(e, map ? e->mapping_start.anchor : e->sequence_start.anchor);
	if (check_tag(t, map ? e->mapping_start.tag : e->sequence_start.tag, &at, NULL) < 0)
		return t->error;
	return gg_tree_open(t, map ? GG_VALUE_MAP : GG_VALUE_LIST, &at);
}

static int on_event(struct gg_tree *t, struct fy_event *e, unsigned *documents)
{
	struct gg_tree_node at = {0};
	switch (e->type) {
	case FYET_DOCUMENT_START:
		at = place_of(e, NULL);
		return ++*documents == 1 ? 0
					 : gg_tree_fail(t, -EINVAL, at.line, at.column,
						   "expected one document, and here a second one begins");
	case FYET_SCALAR:
		return on_scalar(t, e);
	case FYET_MAPPING_START:
	case FYET_SEQUENCE_START:
		return on_open(t, e);
	case FYET_MAPPING_END:
	case FYET_SEQUENCE_END:
		return gg_tree_close(t);
	case FYET_ALIAS:
		at = place_of(e, e->alias.anchor);
		at.column -= at.column > 1; /* the mark stands behind the '*' */
		return gg_tree_alias(
			t, &(struct gg_tree_node){.line = at.line, .column = at.column}, at.anchor);
	default:
		return 0;
	}
}

static int report(struct gg_tree *t, struct fy_diag *diag)
{
	void *at = NULL;
	for (struct fy_diag_error *e; (e = fy_diag_errors_iterate(diag, &at));) {
		if (e->type < FYET_ERROR || !e->msg)
			continue;
		return gg_tree_fail(t, -EINVAL, e->line > 0 ? (unsigned)e->line : 0,
			e->column > 0 ? (unsigned)e->column : 0, "%s%s", e->msg,
			strstr(e->msg, "alias") ? "; a text that begins with \"*\" needs quotes" : "");
	}
	return gg_tree_fail(t, -EINVAL, 0, 0, "this is not YAML");
}

static int read_events(struct gg_tree *t, struct fy_parser *parser, struct fy_diag *diag)
{
	unsigned documents = 0;
	struct fy_event *e;
	while (!t->error && (e = fy_parser_parse(parser))) {
		on_event(t, e, &documents);
		fy_parser_event_free(parser, e);
	}
	if (!t->error && (fy_parser_get_stream_error(parser) || t->depth))
		report(t, diag);
	return t->error;
}

int gg_value_read_yaml(struct gg_tree *t, struct gg_str text)
{
	struct fy_diag_cfg quiet;
	fy_diag_cfg_default(&quiet);
	quiet.fp = NULL;
	struct fy_diag *diag = fy_diag_create(&quiet);
	if (!diag)
		return gg_tree_fail(t, -ENOMEM, 0, 0, "out of memory");
	fy_diag_set_collect_errors(diag, true);
	struct fy_parse_cfg how = {
		.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_DEFAULT_VERSION_1_2 | FYPCF_JSON_NONE,
		.diag = diag};
	struct fy_parser *parser = fy_parser_create(&how);
	if (!parser || fy_parser_set_string(parser, text.p, text.len) != 0)
		gg_tree_fail(t, -ENOMEM, 0, 0, "out of memory");
	else
		read_events(t, parser, diag);
	fy_parser_destroy(parser);
	fy_diag_destroy(diag);
	return t->error;
}

/* Every byte below blank but tab and line ends, which YAML 1.2 §5.1 does not allow either. */
static bool has_control(struct gg_str text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.p[i];
		if ((c < 0x20 && c != '\n' && c != '\r' && c != '\t') || c == 0x7f)
			return true;
	}
	return false;
}

int gg_value_parse(struct gg_arena *arena, const char *name, struct gg_str text,
	const struct gg_environment *env, struct gg_problems *problems, struct gg_value **ret_value)
{
	char *file = gg_arena_str(arena, gg_str(name));
	struct gg_tree t = {.arena = arena,
		.problems = problems,
		.env = env ? env : &gg_environment_process,
		.file = file ? file : ""};
	if (!file)
		gg_tree_fail(&t, -ENOMEM, 0, 0, "out of memory");
	else if (text.len > GG_VALUE_TEXT)
		gg_tree_fail(&t, -E2BIG, 0, 0, "larger than %d MiB", GG_VALUE_TEXT >> 20);
	else if (!gg_utf8_valid(text) || has_control(text))
		gg_tree_fail(&t, -EINVAL, 0, 0, "expected UTF-8 text without control characters");
	else if (gg_value_read_json(&t, text) == -EINVAL && !t.error)
		gg_value_read_yaml(&t, text);
	if (!t.error && !t.root) {
		t.root = GG_NEW(arena, struct gg_value);
		if (t.root)
			*t.root = (struct gg_value){
				.kind = GG_VALUE_NULL, .file = file, .line = 1, .column = 1};
		else
			gg_tree_fail(&t, -ENOMEM, 0, 0, "out of memory");
	}
	if (!t.error)
		*ret_value = t.root;
	gg_tree_done(&t);
	return t.error;
}
