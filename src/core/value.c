/* SPDX-License-Identifier: Apache-2.0 */
#include "core/value.h"

size_t gg_value_find(const struct gg_value *map, struct gg_str key)
{
	size_t count = map && map->kind == GG_VALUE_MAP ? map->count : 0;
	for (size_t i = 0; i < count; i++)
		if (gg_str_eq(map->keys[i]->text, key))
			return i;
	return count;
}

const struct gg_value *gg_value_get(const struct gg_value *v, const char *key)
{
	if (!v || v->kind != GG_VALUE_MAP)
		return NULL;
	size_t at = gg_value_find(v, gg_str(key));
	return at < v->count ? v->items[at] : NULL;
}

int gg_parse_bool(struct gg_str text, bool *ret_value)
{
	static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};
	for (size_t i = 0; i < GG_COUNT(words); i++) {
		if (gg_str_is(text, words[i])) {
			*ret_value = i & 1;
			return 0;
		}
	}
	return -EINVAL;
}

bool gg_value_looks_typed(struct gg_str text)
{
	bool truth;
	double number;
	return text.len == 0 || gg_str_is(text, "null") || gg_str_is(text, "~") ||
	       gg_parse_bool(text, &truth) == 0 || gg_parse_float(text, &number) == 0;
}

static bool same_scalar(const struct gg_value *a, const struct gg_value *b)
{
	if (!gg_str_eq(a->text, b->text))
		return false;
	return a->quoted == b->quoted || !gg_value_looks_typed(a->text);
}

/* Maps are the same in any order; mostly the order is the same too, so position i is tried first. */
static bool same_member(const struct gg_value *a, size_t i, const struct gg_value *b)
{
	size_t at = gg_str_eq(a->keys[i]->text, b->keys[i]->text) ? i : gg_value_find(b, a->keys[i]->text);
	return at < b->count && gg_value_equal(a->items[i], b->items[at]);
}

bool gg_value_equal(const struct gg_value *a, const struct gg_value *b)
{
	bool nothing_a = !a || a->kind == GG_VALUE_NULL, nothing_b = !b || b->kind == GG_VALUE_NULL;
	if (a == b || nothing_a || nothing_b)
		return a == b || (nothing_a && nothing_b);
	if (a->kind != b->kind)
		return false;
	if (a->kind == GG_VALUE_SCALAR)
		return same_scalar(a, b);
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (a->kind == GG_VALUE_MAP ? !same_member(a, i, b)
					    : !gg_value_equal(a->items[i], b->items[i]))
			return false;
	return true;
}

struct gg_value *gg_value_scalar(struct gg_arena *arena, struct gg_str text, bool quoted)
{
	struct gg_value *v = GG_NEW(arena, struct gg_value);
	char *copy = v ? gg_arena_str(arena, text) : NULL;
	if (!copy)
		return NULL;
	v->kind = GG_VALUE_SCALAR;
	v->quoted = quoted;
	v->text = gg_str_n(copy, text.len);
	return v;
}

struct gg_value *gg_value_map(struct gg_arena *arena, size_t capacity)
{
	struct gg_value *v = GG_NEW(arena, struct gg_value);
	if (!v)
		return NULL;
	v->kind = GG_VALUE_MAP;
	v->keys = gg_arena_alloc(arena, gg_max_size(capacity, 1) * 2 * sizeof(struct gg_value *));
	if (!v->keys)
		return NULL;
	v->items = v->keys + gg_max_size(capacity, 1);
	return v;
}

void gg_value_add(struct gg_value *map, struct gg_value *key, struct gg_value *value)
{
	map->keys[map->count] = key;
	map->items[map->count++] = value;
}

static struct gg_value **copy_all(struct gg_arena *arena, struct gg_value *const *from, size_t count)
{
	struct gg_value **to = gg_arena_alloc(arena, gg_max_size(count, 1) * sizeof *to);
	for (size_t i = 0; to && i < count; i++)
		if (!(to[i] = gg_value_copy(arena, from[i])))
			return NULL;
	return to;
}

static bool copy_text(struct gg_arena *arena, struct gg_str *text)
{
	if (!text->p)
		return true;
	text->p = gg_arena_str(arena, *text);
	return text->p != NULL;
}

struct gg_value *gg_value_copy(struct gg_arena *arena, const struct gg_value *v)
{
	struct gg_value *copy = GG_NEW(arena, struct gg_value);
	if (!copy)
		return NULL;
	*copy = *v;
	if (v->file)
		copy->file = gg_arena_str(arena, gg_str(v->file));
	bool ok = copy_text(arena, &copy->text) && copy_text(arena, &copy->raw) && (!v->file || copy->file);
	if (ok && v->items)
		ok = (copy->items = copy_all(arena, v->items, v->count)) != NULL;
	if (ok && v->keys)
		ok = (copy->keys = copy_all(arena, v->keys, v->count)) != NULL;
	return ok ? copy : NULL;
}
