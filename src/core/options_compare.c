/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a change takes. Row by row: options that are the same cost nothing, those marked LIVE are taken over
 * by a running instance, and any other means a restart of the instance. Writing a default out is no change.
 */
#include "core/options.h"

static enum gg_difference worse(enum gg_difference a, enum gg_difference b)
{
	return a > b ? a : b;
}

static bool same_as_default(const struct gg_option *o, const struct gg_value *v)
{
	return o->def && v->kind == GG_VALUE_SCALAR && gg_str_is(v->text, o->def);
}

static bool same(const struct gg_option *o, const struct gg_value *a, const struct gg_value *b)
{
	if (a && b)
		return gg_value_equal(a, b) ||
		       (o->type != GG_OPT_VALUE && a->kind == GG_VALUE_SCALAR && b->kind == GG_VALUE_SCALAR &&
			       gg_str_eq(a->text, b->text));
	const struct gg_value *given = a ? a : b;
	return !given || same_as_default(o, given);
}

static enum gg_difference compare_step(
	const struct gg_option *o, const struct gg_value *a, const struct gg_value *b)
{
	const struct gg_value *name_a, *name_b, *settings_a, *settings_b;
	if (!gg_step_split(a, &name_a, &settings_a) || !gg_step_split(b, &name_b, &settings_b) ||
		!gg_str_eq(name_a->text, name_b->text))
		return GG_RESTART;
	const struct gg_component *c = gg_component_find(o->kind, name_a->text);
	if (!c)
		return GG_RESTART;
	struct gg_option_part part = {.table = c->options};
	enum gg_difference d = gg_options_compare(&part, 1, settings_a, settings_b);
	return d == GG_LIVE_CHANGE && !c->update ? GG_RESTART : d;
}

static enum gg_difference compare_steps(
	const struct gg_option *o, const struct gg_value *a, const struct gg_value *b)
{
	if (!a || !b || a->kind != GG_VALUE_LIST || b->kind != GG_VALUE_LIST || a->count != b->count)
		return GG_RESTART;
	enum gg_difference d = GG_SAME;
	for (size_t i = 0; i < a->count && d < GG_RESTART; i++)
		d = worse(d, compare_step(o, a->items[i], b->items[i]));
	return d;
}

static enum gg_difference compare_row(
	const struct gg_option *o, const struct gg_value *a, const struct gg_value *b)
{
	if (same(o, a, b))
		return GG_SAME;
	if (o->flags & GG_LIVE)
		return GG_LIVE_CHANGE;
	struct gg_option_part part = {.table = o->sub};
	if (o->type == GG_OPT_GROUP)
		return gg_options_compare(&part, 1, a, b);
	return o->type == GG_OPT_STEPS ? compare_steps(o, a, b) : GG_RESTART;
}

enum gg_difference gg_options_compare(
	const struct gg_option_part *parts, size_t count, const struct gg_value *a, const struct gg_value *b)
{
	enum gg_difference d = GG_SAME;
	const struct gg_option *o;
	for (size_t i = 0; i < count; i++)
		gg_each_option(o, parts[i].table) if (gg_option_has_key(o)) d =
			worse(d, compare_row(o, gg_option_value(parts, count, o, a),
					 gg_option_value(parts, count, o, b)));
	return d;
}

/* A component that has no update() is restarted for any change of its own options; those that all of the kind
 * share are the engine's business. */
enum gg_difference gg_instance_compare(const struct gg_option *o, const struct gg_value *key,
	const struct gg_value *a, const struct gg_value *b)
{
	const struct gg_component *c = gg_instance_component(o->kind, key, a);
	if (!c || c != gg_instance_component(o->kind, key, b))
		return GG_RESTART;
	struct gg_option_part parts[] = {{.table = o->sub}, {.table = c->options}};
	enum gg_difference own = GG_SAME, shared = GG_SAME;
	const struct gg_option *row;
	for (size_t i = 0; i < 2; i++)
		gg_each_option(row, parts[i].table)
		{
			enum gg_difference *d = i ? &own : &shared;
			if (gg_option_has_key(row))
				*d = worse(*d, compare_row(row, gg_option_value(parts, 2, row, a),
						       gg_option_value(parts, 2, row, b)));
		}
	if (own == GG_LIVE_CHANGE && !c->update)
		own = GG_RESTART;
	return worse(own, shared);
}
