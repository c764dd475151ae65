/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON bodies. YAML readers take most of JSON, but not all of it (tabs as indentation, surrogate pairs), so a
 * text that is exact JSON is read as such; anything else is YAML.
 */
#include "core/value_tree.h"

static bool is_json(struct gg_str text)
{
	struct gg_json_reader r = gg_json_reader(text);
	enum gg_json_token token;
	do
		token = gg_json_next(&r);
	while (token > GG_JSON_END);
	return token == GG_JSON_END;
}

struct place {
	const char *p;
	unsigned line;
	const char *line_start;
};

/* Counts lines from where it stood the last time, so that a whole text costs one pass. */
static struct gg_tree_node place_of(struct place *place, const char *p)
{
	for (; place->p < p; place->p++) {
		if (*place->p == '\n') {
			place->line++;
			place->line_start = place->p + 1;
		}
	}
	return (struct gg_tree_node){.line = place->line, .column = (unsigned)(p - place->line_start) + 1};
}

static int put_text(struct gg_tree *t, const struct gg_json_reader *r, struct gg_tree_scalar *s)
{
	s->text = r->text;
	if (!r->escaped)
		return gg_tree_put(t, s);
	char *plain = malloc(r->text.len + 1);
	if (!plain)
		return gg_tree_fail(t, -ENOMEM, 0, 0, "out of memory");
	s->text = gg_str_n(plain, gg_json_unescape(r->text, plain));
	int rc = gg_tree_put(t, s);
	free(plain);
	return rc;
}

static int put_token(struct gg_tree *t, const struct gg_json_reader *r, enum gg_json_token token,
	const struct gg_tree_node *at)
{
	struct gg_tree_scalar s = {.at = *at};
	switch (token) {
	case GG_JSON_OBJECT:
		return gg_tree_open(t, GG_VALUE_MAP, at);
	case GG_JSON_ARRAY:
		return gg_tree_open(t, GG_VALUE_LIST, at);
	case GG_JSON_OBJECT_END:
	case GG_JSON_ARRAY_END:
		return gg_tree_close(t);
	case GG_JSON_KEY:
	case GG_JSON_STRING:
		s.quoted = true;
		return put_text(t, r, &s);
	case GG_JSON_NUMBER:
		s.text = r->text;
		return gg_tree_put(t, &s);
	case GG_JSON_TRUE:
	case GG_JSON_FALSE:
		s.text = token == GG_JSON_TRUE ? GG_STR("true") : GG_STR("false");
		return gg_tree_put(t, &s);
	default:
		s.text = GG_STR("null");
		s.null = true;
		return gg_tree_put(t, &s);
	}
}

int gg_value_read_json(struct gg_tree *t, struct gg_str text)
{
	if (!is_json(text))
		return -EINVAL;
	struct gg_json_reader r = gg_json_reader(text);
	struct place place = {.p = text.p, .line = 1, .line_start = text.p};
	for (;;) {
		const char *start = r.p;
		const char *separators = " \t\r\n,:";
		while (start < r.end && strchr(separators, *start))
			start++;
		enum gg_json_token token = gg_json_next(&r);
		if (token <= GG_JSON_END)
			return 0;
		struct gg_tree_node at = place_of(&place, start);
		if (put_token(t, &r, token, &at) < 0)
			return t->error;
	}
}
