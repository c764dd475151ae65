/* SPDX-License-Identifier: Apache-2.0 */
#include "core/config.h"

const char *gg_config_change_name(enum gg_config_change kind)
{
	static const char *const names[] = {"same", "live", "restart", "added", "removed"};
	return (size_t)kind < GG_COUNT(names) ? names[kind] : "?";
}

void gg_config_changes_done(struct gg_config_changes *c)
{
	free(c->items);
	*c = (struct gg_config_changes){0};
}

enum gg_config_change gg_config_changes_find(
	const struct gg_config_changes *c, const char *section, const char *name)
{
	for (size_t i = 0; i < c->count; i++) {
		const struct gg_config_change_item *one = &c->items[i];
		if (strcmp(one->section, section) == 0 && gg_str_eq(gg_str(one->name), gg_str(name)))
			return one->kind;
	}
	return GG_CONFIG_SAME;
}

static int add(struct gg_config_changes *c, const char *section, const char *name, enum gg_config_change kind)
{
	if ((c->count & (c->count - 1)) == 0) { /* full at each power of two */
		struct gg_config_change_item *bigger =
			realloc(c->items, gg_max_size(c->count * 2, 1) * sizeof *bigger);
		if (!bigger)
			return -ENOMEM;
		c->items = bigger;
	}
	c->items[c->count++] = (struct gg_config_change_item){section, name, kind};
	return 0;
}

static const struct gg_value *get(const struct gg_value *map, struct gg_str key)
{
	size_t at = gg_value_find(map, key);
	return map && map->kind == GG_VALUE_MAP && at < map->count ? map->items[at] : NULL;
}

static enum gg_config_change compare_named(const struct gg_option *o, const struct gg_value *key,
	const struct gg_value *a, const struct gg_value *b)
{
	struct gg_option_part part = {.table = o->sub};
	enum gg_difference d = o->type == GG_OPT_INSTANCES ? gg_instance_compare(o, key, a, b)
							   : gg_options_compare(&part, 1, a, b);
	return (enum gg_config_change)d;
}

/* Large maps (thousands of devices) are mostly in the same order: position first, then a search. */
static size_t place_in(const struct gg_value *map, size_t i, struct gg_str key)
{
	size_t count = map && map->kind == GG_VALUE_MAP ? map->count : 0;
	return i < count && gg_str_eq(map->keys[i]->text, key) ? i : gg_value_find(map, key);
}

static int compare_section(struct gg_config_changes *c, const struct gg_option *o, const struct gg_value *a,
	const struct gg_value *b)
{
	size_t old = a && a->kind == GG_VALUE_MAP ? a->count : 0;
	size_t fresh = b && b->kind == GG_VALUE_MAP ? b->count : 0;
	int rc = 0;
	for (size_t i = 0; i < old && rc == 0; i++) {
		struct gg_str key = a->keys[i]->text;
		size_t at = place_in(b, i, key);
		rc = add(c, o->name, key.p,
			at < fresh ? compare_named(o, a->keys[i], a->items[i], b->items[at])
				   : GG_CONFIG_REMOVED);
	}
	for (size_t i = 0; i < fresh && rc == 0; i++)
		if (place_in(a, i, b->keys[i]->text) >= old)
			rc = add(c, o->name, b->keys[i]->text.p, GG_CONFIG_ADDED);
	return rc;
}

int gg_config_compare(
	const struct gg_config *old, const struct gg_config *fresh, struct gg_config_changes *ret_changes)
{
	struct gg_config_changes c = {0};
	int rc = 0;
	const struct gg_option *o;
	gg_each_option(o, gg_site_options)
	{
		const struct gg_value *a = old ? get(old->root, gg_str(o->name)) : NULL;
		const struct gg_value *b = get(fresh->root, gg_str(o->name));
		if (o->type == GG_OPT_INSTANCES || o->type == GG_OPT_MAP) {
			rc = compare_section(&c, o, a, b);
		} else {
			struct gg_option row[] = {*o, {0}};
			struct gg_option_part part = {.table = row};
			rc = add(&c, o->name, NULL,
				(enum gg_config_change)gg_options_compare(
					&part, 1, old ? old->root : NULL, fresh->root));
		}
		if (rc < 0)
			break;
	}
	if (rc < 0)
		gg_config_changes_done(&c);
	else
		*ret_changes = c;
	return rc;
}
