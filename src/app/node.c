/* SPDX-License-Identifier: Apache-2.0 */
#include "app/node.h"
#include "base/clock.h"

#include <math.h>

struct building {
	struct gg_arena *arena;
	struct gg_json_reader reader;
};

static struct gg_str unescaped(struct building *b)
{
	struct gg_str text = b->reader.text;
	char *to;
	if (!b->reader.escaped || !(to = gg_arena_alloc(b->arena, text.len + 1)))
		return text;
	return gg_str_n(to, gg_json_unescape(text, to));
}

/* Nested at most GG_JSON_DEPTH deep: the reader sees to that. */
static int build(struct building *b, enum gg_json_token t, struct gg_node **ret_node)
{
	struct gg_node *n = GG_NEW(b->arena, struct gg_node), **end;
	if (!n)
		return -ENOMEM;
	n->type = t;
	end = &n->first;
	if (t == GG_JSON_STRING)
		n->text = unescaped(b);
	else if (t == GG_JSON_NUMBER)
		n->text = b->reader.text;
	else if (t == GG_JSON_OBJECT || t == GG_JSON_ARRAY) {
		enum gg_json_token close = t == GG_JSON_OBJECT ? GG_JSON_OBJECT_END : GG_JSON_ARRAY_END;
		while ((t = gg_json_next(&b->reader)) != close) {
			struct gg_str key = GG_STR("");
			if (t == GG_JSON_KEY) {
				key = unescaped(b);
				t = gg_json_next(&b->reader);
			}
			int rc = t <= GG_JSON_END ? -EINVAL : build(b, t, end);
			if (rc < 0)
				return rc;
			(*end)->key = key;
			end = &(*end)->next;
			n->count++;
		}
	}
	*ret_node = n;
	return 0;
}

int gg_node_parse(struct gg_arena *arena, struct gg_str json, struct gg_node **ret_root)
{
	struct building b = {arena, gg_json_reader(json)};
	struct gg_node *root = NULL;
	enum gg_json_token t = gg_json_next(&b.reader);
	int rc = t <= GG_JSON_END ? -EINVAL : build(&b, t, &root);
	if (rc == 0 && gg_json_next(&b.reader) != GG_JSON_END)
		rc = -EINVAL;
	if (rc == 0)
		*ret_root = root;
	return rc;
}

const struct gg_node *gg_node_get(const struct gg_node *n, const char *key)
{
	for (const struct gg_node *m = n ? n->first : NULL; m; m = m->next)
		if (gg_str_is(m->key, key))
			return m;
	return NULL;
}

struct gg_str gg_node_scalar(const struct gg_node *n)
{
	switch (n ? n->type : GG_JSON_NULL) {
	case GG_JSON_STRING:
	case GG_JSON_NUMBER:
		return n->text;
	case GG_JSON_TRUE:
		return GG_STR("true");
	case GG_JSON_FALSE:
		return GG_STR("false");
	case GG_JSON_OBJECT: /* a value of bytes */
		return gg_node_text(n, "base64");
	default:
		return GG_STR("");
	}
}

struct gg_str gg_node_text(const struct gg_node *n, const char *key)
{
	return gg_node_scalar(gg_node_get(n, key));
}

double gg_node_number(const struct gg_node *n, const char *key, double otherwise)
{
	double value;
	return gg_parse_float(gg_node_text(n, key), &value) == 0 ? value : otherwise;
}

bool gg_node_true(const struct gg_node *n, const char *key)
{
	const struct gg_node *m = gg_node_get(n, key);
	return m && m->type == GG_JSON_TRUE;
}

int64_t gg_node_time(const struct gg_node *n, const char *key)
{
	int64_t ns;
	struct gg_str text = gg_node_text(n, key);
	return text.len && gg_time_parse(text, &ns) == 0 ? ns : 0;
}

void gg_node_write(const struct gg_node *n, struct gg_json_writer *w)
{
	if (n->type == GG_JSON_STRING) {
		gg_json_string(w, n->text);
		return;
	}
	if (n->type != GG_JSON_OBJECT && n->type != GG_JSON_ARRAY) {
		gg_json_raw(w, n->type == GG_JSON_NULL ? GG_STR("null") : gg_node_scalar(n));
		return;
	}
	bool object = n->type == GG_JSON_OBJECT;
	object ? gg_json_begin_object(w) : gg_json_begin_array(w);
	for (const struct gg_node *m = n->first; m; m = m->next) {
		if (object)
			gg_json_key(w, m->key);
		gg_node_write(m, w);
	}
	object ? gg_json_end_object(w) : gg_json_end_array(w);
}
