/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The copy of a configuration that may be shown. Option tables say which values are secret; a value that came
 * from the environment or a file shows as it was written ("${TOKEN}"), unless its option is secret too.
 */
#include "core/options.h"

static struct gg_value *mask_row(struct gg_arena *arena, const struct gg_option *o,
	const struct gg_value *key, const struct gg_value *v);

static struct gg_value *as_written(struct gg_arena *arena, const struct gg_value *v)
{
	struct gg_value *copy = gg_value_scalar(arena, v->raw.p ? v->raw : v->text, v->quoted);
	if (copy && v->kind == GG_VALUE_NULL)
		copy->kind = GG_VALUE_NULL;
	return copy;
}

/* A list or map like v, whose items mask() makes. */
struct masker {
	struct gg_value *(*mask)(
		const struct masker *m, const struct gg_value *key, const struct gg_value *item);
	struct gg_arena *arena;
	const struct gg_option_part *parts;
	size_t count;
	const struct gg_option *o;
};

static struct gg_value *mask_items(const struct masker *m, const struct gg_value *v)
{
	struct gg_value *copy = gg_value_map(m->arena, v->count);
	if (!copy)
		return NULL;
	copy->kind = v->kind;
	for (size_t i = 0; i < v->count; i++) {
		struct gg_value *key = v->kind == GG_VALUE_MAP ? v->keys[i] : NULL;
		struct gg_value *item = m->mask(m, key, v->items[i]);
		if (!item)
			return NULL;
		gg_value_add(copy, key, item);
	}
	return copy;
}

static struct gg_value *mask_unknown(
	const struct masker *m, const struct gg_value *key GG_UNUSED, const struct gg_value *v)
{
	return v->kind == GG_VALUE_LIST || v->kind == GG_VALUE_MAP ? mask_items(m, v)
								   : as_written(m->arena, v);
}

static struct gg_value *mask_anything(struct gg_arena *arena, const struct gg_value *v)
{
	return mask_unknown(&(struct masker){.mask = mask_unknown, .arena = arena}, NULL, v);
}

static struct gg_value *mask_member(
	const struct masker *m, const struct gg_value *key, const struct gg_value *v)
{
	const struct gg_option *o = NULL;
	for (size_t i = 0; i < m->count && !o; i++)
		o = gg_option_find(m->parts[i].table, key->text);
	return o ? mask_row(m->arena, o, key, v) : mask_anything(m->arena, v);
}

static struct gg_value *mask_struct(
	struct gg_arena *arena, const struct gg_option_part *parts, size_t count, const struct gg_value *v)
{
	const struct gg_option *whole = gg_option_takes_whole(parts, count, v);
	if (whole)
		return mask_row(arena, whole, NULL, v);
	if (v->kind != GG_VALUE_MAP)
		return mask_anything(arena, v);
	return mask_items(&(struct masker){mask_member, arena, parts, count, NULL}, v);
}

static struct gg_value *mask_sub(
	const struct masker *m, const struct gg_value *key GG_UNUSED, const struct gg_value *v)
{
	struct gg_option_part part = {.table = m->o->sub};
	return mask_struct(m->arena, &part, 1, v);
}

static struct gg_value *mask_instance(
	const struct masker *m, const struct gg_value *key, const struct gg_value *v)
{
	struct gg_option selector[2];
	gg_selector_table(m->o->kind, selector);
	const struct gg_component *c = gg_instance_component(m->o->kind, key, v);
	struct gg_option_part parts[] = {
		{.table = selector}, {.table = m->o->sub}, {.table = c ? c->options : NULL}};
	return mask_struct(m->arena, parts, 3, v);
}

static struct gg_value *mask_step(
	const struct masker *m, const struct gg_value *key GG_UNUSED, const struct gg_value *v)
{
	const struct gg_value *name, *settings;
	if (!gg_step_split(v, &name, &settings) || !settings)
		return mask_anything(m->arena, v);
	const struct gg_component *c = gg_component_find(m->o->kind, name->text);
	struct gg_option_part part = {.table = c ? c->options : NULL};
	struct gg_value *map = gg_value_map(m->arena, 1);
	struct gg_value *inner = map ? mask_struct(m->arena, &part, 1, settings) : NULL;
	if (!inner)
		return NULL;
	gg_value_add(map, v->keys[0], inner);
	return map;
}

static struct gg_value *mask_row(struct gg_arena *arena, const struct gg_option *o,
	const struct gg_value *key, const struct gg_value *v)
{
	bool several = v->kind == GG_VALUE_LIST || v->kind == GG_VALUE_MAP;
	struct masker m = {.arena = arena, .o = o};
	if (v->kind == GG_VALUE_NULL)
		return as_written(arena, v);
	if (o->flags & GG_SECRET)
		return gg_value_scalar(arena, GG_STR(GG_SECRET_TEXT), true);
	switch (o->type) {
	case GG_OPT_GROUP:
		return mask_sub(&m, key, v);
	case GG_OPT_LIST:
	case GG_OPT_MAP:
		m.mask = mask_sub;
		break;
	case GG_OPT_INSTANCES:
		m.mask = mask_instance;
		break;
	case GG_OPT_STEPS:
		m.mask = mask_step;
		if (v->kind != GG_VALUE_LIST)
			return mask_step(&m, key, v);
		break;
	default:
		return mask_anything(arena, v);
	}
	return several ? mask_items(&m, v) : mask_anything(arena, v);
}

struct gg_value *gg_value_masked(
	struct gg_arena *arena, const struct gg_option *table, const struct gg_value *value)
{
	struct gg_option_part part = {.table = table};
	return mask_struct(arena, &part, 1, value);
}
