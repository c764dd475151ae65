/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changing trees. Values are immutable, so each change makes the maps on its way anew and shares all else;
 * the casts that take const away are for that sharing only, nothing is written through them.
 */
#include "core/value.h"

static struct gg_value *share(const struct gg_value *v)
{
	return (struct gg_value *)(uintptr_t)v;
}

static struct gg_value *map_like(struct gg_arena *arena, const struct gg_value *v, size_t capacity)
{
	struct gg_value *map = gg_value_map(arena, capacity);
	if (map && v) {
		map->file = v->file;
		map->line = v->line;
		map->column = v->column;
	}
	return map;
}

static bool is_map(const struct gg_value *v)
{
	return v && v->kind == GG_VALUE_MAP;
}

static bool keeps_secret(const struct gg_value *target, const struct gg_value *patch)
{
	return target && patch->kind == GG_VALUE_SCALAR && gg_str_is(patch->text, GG_SECRET_TEXT);
}

struct gg_value *gg_value_merge_patch(
	struct gg_arena *arena, const struct gg_value *target, const struct gg_value *patch)
{
	if (keeps_secret(target, patch))
		return share(target);
	if (!is_map(patch))
		return share(patch);
	size_t old = is_map(target) ? target->count : 0;
	struct gg_value *map = map_like(arena, is_map(target) ? target : patch, old + patch->count);
	for (size_t i = 0; map && i < old; i++) {
		size_t at = gg_value_find(patch, target->keys[i]->text);
		struct gg_value *value = target->items[i];
		if (at < patch->count && patch->items[at]->kind == GG_VALUE_NULL)
			continue;
		if (at < patch->count)
			value = gg_value_merge_patch(arena, value, patch->items[at]);
		if (!value)
			return NULL;
		gg_value_add(map, target->keys[i], value);
	}
	for (size_t i = 0; map && i < patch->count; i++) {
		if (patch->items[i]->kind == GG_VALUE_NULL ||
			(old && gg_value_find(target, patch->keys[i]->text) < old))
			continue;
		struct gg_value *value = gg_value_merge_patch(arena, NULL, patch->items[i]);
		if (!value)
			return NULL;
		gg_value_add(map, patch->keys[i], value);
	}
	return map;
}

struct gg_value *gg_value_set(struct gg_arena *arena, const struct gg_value *root, const struct gg_str *keys,
	size_t count, const struct gg_value *value)
{
	if (count == 0)
		return share(value);
	size_t old = is_map(root) ? root->count : 0;
	struct gg_value *map = map_like(arena, root, old + 1);
	if (!map)
		return NULL;
	bool found = false;
	for (size_t i = 0; i < old; i++) {
		struct gg_value *v = root->items[i];
		if (gg_str_eq(root->keys[i]->text, keys[0])) {
			found = true;
			if (count == 1 && !value)
				continue;
			v = gg_value_set(arena, v, keys + 1, count - 1, value);
			if (!v)
				return NULL;
		}
		gg_value_add(map, root->keys[i], v);
	}
	if (found || !value)
		return map;
	struct gg_value *key = gg_value_scalar(arena, keys[0], false);
	struct gg_value *v = gg_value_set(arena, NULL, keys + 1, count - 1, value);
	if (!key || !v)
		return NULL;
	gg_value_add(map, key, v);
	return map;
}

static void twice(struct gg_problems *problems, const struct gg_value *first, const struct gg_value *again)
{
	gg_problem(problems, again, "\"%.*s\" is defined here and at %s:%u:%u", GG_STR_ARG(again->text),
		first->file ? first->file : "?", first->line, first->column);
}

struct gg_value *gg_value_join(struct gg_arena *arena, const struct gg_value *a, const struct gg_value *b,
	struct gg_problems *problems)
{
	if (!b || b->kind == GG_VALUE_NULL)
		return share(a);
	if (!a || a->kind == GG_VALUE_NULL)
		return share(b);
	struct gg_value *map = map_like(arena, a, a->count + b->count);
	if (!map)
		return NULL;
	for (size_t i = 0; i < a->count; i++)
		gg_value_add(map, a->keys[i], a->items[i]);
	for (size_t i = 0; i < b->count; i++) {
		size_t at = gg_value_find(a, b->keys[i]->text);
		if (at == a->count) {
			gg_value_add(map, b->keys[i], b->items[i]);
			continue;
		}
		bool both = is_map(a->items[at]) && is_map(b->items[i]);
		bool empty = a->items[at]->kind == GG_VALUE_NULL;
		if (!both && !empty) {
			twice(problems, a->keys[at], b->keys[i]);
			continue;
		}
		map->items[at] = gg_value_join(arena, a->items[at], b->items[i], problems);
		if (!map->items[at])
			return NULL;
	}
	return map;
}
