/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The builder under both readers. Children wait in `pending` until their map or list closes, and then move
 * into the arena as one array. An alias is not copied: the tree shares the anchor's value, so it is a graph
 * in memory but a tree to whoever walks it. What a walk costs is therefore counted here, with each alias at
 * its anchor's full size: ten lines that would unfold to a billion nodes stop at GG_VALUE_NODES.
 */
#include "core/value_tree.h"

#include <stdarg.h>

void gg_tree_done(struct gg_tree *t)
{
	free(t->pending);
	free(t->anchors);
	gg_map_done(&t->anchor_names);
}

int gg_tree_fail(struct gg_tree *t, int code, unsigned line, unsigned column, const char *format, ...)
{
	if (t->error)
		return t->error;
	struct gg_value at = {.file = t->file, .line = line, .column = column};
	char text[GG_ERROR_TEXT];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	gg_problem(t->problems, &at, "%s", text);
	return t->error = code;
}

static int no_memory(struct gg_tree *t)
{
	return gg_tree_fail(t, -ENOMEM, 0, 0, "out of memory");
}

static struct gg_tree_level *top(struct gg_tree *t)
{
	return t->depth ? &t->levels[t->depth - 1] : NULL;
}

bool gg_tree_wants_key(const struct gg_tree *t)
{
	const struct gg_tree_level *l = t->depth ? &t->levels[t->depth - 1] : NULL;
	return l && l->kind == GG_VALUE_MAP && !l->key;
}

static void raise_height(struct gg_tree *t, unsigned height)
{
	struct gg_tree_level *l = top(t);
	if (l && l->height < height)
		l->height = height;
}

static int push(struct gg_tree *t, struct gg_value *v)
{
	if (t->count == t->cap) {
		size_t cap = t->cap ? t->cap * 2 : 64;
		struct gg_value **bigger = realloc(t->pending, cap * sizeof(struct gg_value *));
		if (!bigger)
			return no_memory(t);
		t->pending = bigger;
		t->cap = cap;
	}
	t->pending[t->count++] = v;
	return 0;
}

/* Puts a whole value where the parser stands: the root, a list's next item, or the waiting key's value. */
static int attach(struct gg_tree *t, struct gg_value *v)
{
	struct gg_tree_level *l = top(t);
	if (!l) {
		t->root = v;
		return 0;
	}
	if (l->kind == GG_VALUE_LIST)
		return push(t, v);
	if (v->line == 0) { /* "key:" with nothing behind it has the key's place */
		v->line = l->key->line;
		v->column = l->key->column;
	}
	int rc = push(t, l->key);
	l->key = NULL;
	return rc ? rc : push(t, v);
}

static int count_nodes(struct gg_tree *t, size_t nodes, unsigned line, unsigned column)
{
	t->nodes += nodes;
	if (t->nodes > GG_VALUE_NODES)
		return gg_tree_fail(t, -E2BIG, line, column,
			"too much: more than %d values, counting what aliases repeat", GG_VALUE_NODES);
	return 0;
}

static int open_anchor(struct gg_tree *t, const struct gg_tree_node *at, size_t *ret_index)
{
	if (at->anchor.len == 0)
		return 0;
	if (t->anchor_count == t->anchor_cap) {
		size_t cap = t->anchor_cap ? t->anchor_cap * 2 : 16;
		struct gg_tree_anchor *bigger = realloc(t->anchors, cap * sizeof *bigger);
		if (!bigger)
			return no_memory(t);
		t->anchors = bigger;
		t->anchor_cap = cap;
	}
	t->anchors[t->anchor_count++] = (struct gg_tree_anchor){.nodes = t->nodes};
	if (gg_map_put(&t->anchor_names, at->anchor, t->anchor_count) < 0)
		return no_memory(t);
	*ret_index = t->anchor_count;
	return 0;
}

static void close_anchor(struct gg_tree *t, size_t index, struct gg_value *v, unsigned height)
{
	if (index == 0)
		return;
	struct gg_tree_anchor *a = &t->anchors[index - 1];
	a->value = v;
	a->nodes = t->nodes - a->nodes;
	a->height = height;
}

static struct gg_value *new_value(struct gg_tree *t, enum gg_value_kind kind, unsigned line, unsigned column)
{
	struct gg_value *v = GG_NEW(t->arena, struct gg_value);
	if (!v) {
		no_memory(t);
		return NULL;
	}
	v->kind = kind;
	v->file = t->file;
	v->line = line;
	v->column = column;
	return v;
}

int gg_tree_open(struct gg_tree *t, enum gg_value_kind kind, const struct gg_tree_node *at)
{
	if (t->error)
		return t->error;
	if (gg_tree_wants_key(t))
		return gg_tree_fail(t, -EINVAL, at->line, at->column, "expected a key that is a plain text");
	if (t->depth >= GG_VALUE_DEPTH)
		return gg_tree_fail(
			t, -E2BIG, at->line, at->column, "nested deeper than %d levels", GG_VALUE_DEPTH);
	size_t anchor = 0;
	if (open_anchor(t, at, &anchor) || count_nodes(t, 1, at->line, at->column))
		return t->error;
	t->levels[t->depth++] = (struct gg_tree_level){
		.kind = kind, .first = t->count, .line = at->line, .column = at->column, .anchor = anchor};
	return 0;
}

static void refuse_twice(struct gg_tree *t, const struct gg_value *again, const struct gg_value *first)
{
	gg_tree_fail(t, -EINVAL, again->line, again->column,
		"\"%.*s\" is here twice; the first is in line %u", GG_STR_ARG(again->text), first->line);
}

/* Small maps by comparing, large ones by a hash, so that 100,000 keys are no attack. */
static int check_keys(struct gg_tree *t, const struct gg_value *map)
{
	struct gg_map seen = {0};
	for (size_t i = 0; i < map->count && !t->error; i++) {
		struct gg_value *key = map->keys[i];
		if (map->count <= 16) {
			for (size_t j = 0; j < i; j++)
				if (gg_str_eq(key->text, map->keys[j]->text))
					refuse_twice(t, key, map->keys[j]);
			continue;
		}
		const struct gg_value *first = gg_map_get_ptr(&seen, key->text);
		if (first)
			refuse_twice(t, key, first);
		else if (gg_map_put_ptr(&seen, key->text, key) < 0)
			no_memory(t);
	}
	gg_map_done(&seen);
	return t->error;
}

static int take_children(struct gg_tree *t, struct gg_value *v, size_t first)
{
	bool map = v->kind == GG_VALUE_MAP;
	size_t held = t->count - first;
	struct gg_value **all = gg_arena_alloc(t->arena, gg_max_size(held, 2) * sizeof(struct gg_value *));
	if (!all)
		return no_memory(t);
	v->count = map ? held / 2 : held;
	v->keys = map ? all : NULL;
	v->items = map ? all + v->count : all;
	for (size_t i = 0; i < v->count; i++) {
		if (map)
			v->keys[i] = t->pending[first + 2 * i];
		v->items[i] = t->pending[first + (map ? 2 * i + 1 : i)];
	}
	t->count = first;
	return map ? check_keys(t, v) : 0;
}

int gg_tree_close(struct gg_tree *t)
{
	if (t->error)
		return t->error;
	struct gg_tree_level level = *top(t);
	struct gg_value *v = new_value(t, level.kind, level.line, level.column);
	if (!v || take_children(t, v, level.first))
		return t->error;
	close_anchor(t, level.anchor, v, level.height + 1);
	t->depth--;
	raise_height(t, level.height + 1);
	return attach(t, v);
}

static int put_key(struct gg_tree *t, const struct gg_tree_scalar *s, struct gg_value *v)
{
	if (s->text.len == 0 || s->text.len > GG_VALUE_KEY)
		return gg_tree_fail(t, -EINVAL, s->at.line, s->at.column, "expected a key of 1 to %d bytes",
			GG_VALUE_KEY);
	for (size_t i = 0; i < s->text.len; i++)
		if ((unsigned char)s->text.p[i] < 0x20 || s->text.p[i] == 0x7f)
			return gg_tree_fail(t, -EINVAL, s->at.line, s->at.column,
				"a key must not hold control characters");
	top(t)->key = v;
	return 0;
}

int gg_tree_put(struct gg_tree *t, const struct gg_tree_scalar *s)
{
	if (t->error)
		return t->error;
	size_t anchor = 0;
	unsigned line = s->at.line, column = s->at.column;
	bool key = gg_tree_wants_key(t);
	if (!gg_utf8_valid(s->text) || memchr(s->text.p, 0, s->text.len))
		return gg_tree_fail(t, -EINVAL, line, column, "expected UTF-8 text without zero bytes");
	struct gg_value *v = new_value(t, s->null && !key ? GG_VALUE_NULL : GG_VALUE_SCALAR, line, column);
	const char *copy = v ? gg_arena_str(t->arena, s->text) : NULL;
	if (!copy)
		return no_memory(t);
	v->text = gg_str_n(copy, s->text.len);
	v->quoted = s->quoted;
	if (open_anchor(t, &s->at, &anchor) || count_nodes(t, 1, line, column))
		return t->error;
	if (key) {
		if (anchor) /* "&a key: 1": *a is the key's text */
			close_anchor(t, anchor, v, 0);
		return put_key(t, s, v);
	}
	if (v->kind == GG_VALUE_SCALAR && gg_value_substitute(t->arena, v, t->env, t->problems) < 0)
		return no_memory(t);
	close_anchor(t, anchor, v, 0);
	return attach(t, v);
}

int gg_tree_alias(struct gg_tree *t, const struct gg_tree_node *at, struct gg_str name)
{
	if (t->error)
		return t->error;
	size_t index = gg_map_get(&t->anchor_names, name, 0);
	if (index == 0)
		return gg_tree_fail(t, -EINVAL, at->line, at->column,
			"there is no anchor \"&%.*s\" before this", GG_STR_ARG(name));
	const struct gg_tree_anchor *a = &t->anchors[index - 1];
	if (!a->value)
		return gg_tree_fail(t, -EINVAL, at->line, at->column,
			"\"*%.*s\" stands within what it repeats", GG_STR_ARG(name));
	if (gg_tree_wants_key(t))
		return gg_tree_fail(t, -EINVAL, at->line, at->column, "expected a key that is a plain text");
	if (t->depth + a->height > GG_VALUE_DEPTH)
		return gg_tree_fail(
			t, -E2BIG, at->line, at->column, "nested deeper than %d levels", GG_VALUE_DEPTH);
	raise_height(t, a->height);
	if (count_nodes(t, a->nodes, at->line, at->column))
		return t->error;
	return attach(t, a->value);
}
