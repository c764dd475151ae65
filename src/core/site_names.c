/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of the configuration: such that can be parts of signals, topics, paths and metrics, and none that two
 * owners share. A pipeline's outputs are signals under its name, as a driver's are under its devices': which
 * devices a driver has is read from its settings, where its table marks an option with GG_DEVICE. Devices
 * that name themselves (MQTT, HTTP) are known only when they come.
 */
#include "core/options.h"
#include "core/site.h"

enum { NESTING = 8 };

/* The names of host.h: they become parts of signals, topics, paths and metrics. */
static bool is_name(struct gg_str s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];
		if (c <= ' ' || c == 0x7f || strchr("*?#+/", c))
			return false;
	}
	return s.len >= 1 && s.len <= 128;
}

static void check_names(const struct gg_value *root, const char *section, struct gg_problems *problems)
{
	const struct gg_value *map = gg_value_get(root, section);
	for (size_t i = 0; map && map->kind == GG_VALUE_MAP && i < map->count; i++)
		if (!is_name(map->keys[i]->text))
			gg_problem(problems, map->keys[i],
				"expected a name of 1 to 128 bytes without blanks, '/', '*', '?', '#' and "
				"'+'");
}

/* ---- devices that a driver's settings name ---- */

static bool keys_are_devices(const struct gg_option *o)
{
	const struct gg_option *row;
	if (o->type == GG_OPT_MAP)
		gg_each_option(row, o->sub) if (row->type == GG_OPT_KEY) return (row->flags & GG_DEVICE) != 0;
	return false;
}

static const struct gg_value *find_in_table(
	const struct gg_option *table, const struct gg_value *v, struct gg_str name, unsigned nesting);

/* The place where an option, or what lies in it, names the device. */
static const struct gg_value *find_in_option(
	const struct gg_option *o, const struct gg_value *v, struct gg_str name, unsigned nesting)
{
	const struct gg_value *found = NULL;
	bool map = v->kind == GG_VALUE_MAP;
	if ((o->flags & GG_DEVICE) && v->kind == GG_VALUE_SCALAR)
		return gg_str_eq(v->text, name) ? v : NULL;
	if (map && keys_are_devices(o) && gg_value_find(v, name) < v->count)
		return v->keys[gg_value_find(v, name)];
	if (!o->sub || nesting == 0)
		return NULL;
	if (o->type == GG_OPT_GROUP)
		return find_in_table(o->sub, v, name, nesting - 1);
	for (size_t i = 0; (map || v->kind == GG_VALUE_LIST) && !found && i < v->count; i++)
		found = find_in_table(o->sub, v->items[i], name, nesting - 1);
	return found;
}

static const struct gg_value *find_in_table(
	const struct gg_option *table, const struct gg_value *v, struct gg_str name, unsigned nesting)
{
	const struct gg_value *found = NULL;
	const struct gg_option *o;
	if (!v || v->kind != GG_VALUE_MAP)
		return NULL;
	gg_each_option(o, table)
	{
		const struct gg_value *its = gg_option_has_key(o) ? gg_value_get(v, o->name) : NULL;
		found = its && !found ? find_in_option(o, its, name, nesting) : found;
	}
	return found;
}

static const struct gg_value *find_device(
	const struct gg_site *site, struct gg_str name, const char **ret_driver)
{
	for (size_t i = 0; i < site->drivers.count; i++) {
		const struct gg_instance_config *c = &site->drivers.items[i];
		const struct gg_value *at =
			c->component ? find_in_table(c->component->options, c->value, name, NESTING) : NULL;
		*ret_driver = c->name;
		if (at)
			return at;
	}
	return NULL;
}

/* ---- pipelines ---- */

static void check_pipeline(const struct gg_site *site, const struct gg_value *root,
	const struct gg_value *key, struct gg_problems *problems)
{
	static const char *const others[] = {"drivers", "devices"};
	const char *driver = NULL;
	for (size_t i = 0; i < GG_COUNT(others); i++) {
		const struct gg_value *other = gg_value_get(root, others[i]);
		if (other && other->kind == GG_VALUE_MAP && gg_value_find(other, key->text) < other->count) {
			gg_problem(problems, key,
				"\"%.*s\" is a name under %s already; a pipeline needs one of its own",
				GG_STR_ARG(key->text), others[i]);
			return;
		}
	}
	const struct gg_value *device = find_device(site, key->text, &driver);
	if (device)
		gg_problem(problems, key,
			"\"%.*s\" is a device of driver %s already (%s:%u); a pipeline's outputs are signals "
			"under its name, so give it one of its own",
			GG_STR_ARG(key->text), driver, device->file ? device->file : "?", device->line);
}

void gg_site_check_names(
	const struct gg_site *site, const struct gg_value *root, struct gg_problems *problems)
{
	static const char *const sections[] = {"drivers", "devices", "pipelines", "rules", "uplinks"};
	const struct gg_value *pipelines = gg_value_get(root, "pipelines");
	for (size_t i = 0; i < GG_COUNT(sections); i++)
		check_names(root, sections[i], problems);
	for (size_t i = 0; pipelines && pipelines->kind == GG_VALUE_MAP && i < pipelines->count; i++)
		check_pipeline(site, root, pipelines->keys[i], problems);
}
