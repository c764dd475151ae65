/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Instances of drivers and uplinks, as a configuration names them. A driver that can't start (a port in use,
 * a file missing) fails the start of the gateway and a change alike, with its name and the reason; a device
 * that does not answer is no such failure.
 */
#include "ganglion/driver.h"
#include "gateway/gateway.h"
#include "gateway/recover.h"
#include "store/journal.h"

static struct gg_host **list_of(const struct gg_instance_config *c)
{
	return c->component->kind == GG_DRIVER ? &gg_gateway.drivers : &gg_gateway.uplinks;
}

static bool enabled(const struct gg_instance_config *c)
{
	return c->component->kind == GG_DRIVER ? ((const struct gg_driver_common *)c->common)->enabled
					       : ((const struct gg_uplink_common *)c->common)->enabled;
}

/* Counted as gg_gateway.generation; the one that is not in force yet is the next. */
static uint64_t generation_of(const struct gg_config *config)
{
	return gg_gateway.generation + (config != gg_gateway.config);
}

/* What the instance before it wrote must be readable: that is, synced. */
static int hand_kept(struct gg_host *h, struct gg_error *e)
{
	if (!h->component->driver->kept)
		return 0;
	gg_journal_flush(gg_gateway.journal);
	int rc = gg_gateway_hand_kept(&gg_gateway, h);
	return rc < 0 ? gg_error_set(e, rc, "what it kept in the journal can't be read: %s", strerror(-rc))
		      : 0;
}

static int start_one(const struct gg_config *config, const struct gg_instance_config *c, struct gg_error *e)
{
	struct gg_host *h = NULL;
	bool driver = c->component->kind == GG_DRIVER;
	int rc = gg_instance_new(
		c->name, c->component, c->value, driver ? gg_gateway.io : gg_gateway.north, &h, e);
	if (rc == 0)
		h->generation = generation_of(config);
	if (rc == 0 && driver)
		rc = hand_kept(h, e);
	if (rc == 0)
		rc = gg_gateway_enter(h);
	if (rc == 0)
		rc = driver ? gg_instance_start(h, e) : gg_gateway_start_uplink(h, c, e);
	if (rc < 0) {
		if (h)
			gg_gateway_leave(h);
		gg_error_prefix(e, "%s %s", gg_kind_name(c->component->kind), c->name);
		if (c->place && !e->line)
			gg_error_at(e, c->place->file, c->place->line, c->place->column);
		gg_instance_free(h);
		return rc;
	}
	struct gg_host **end = list_of(c);
	while (*end)
		end = &(*end)->next;
	*end = h;
	return 0;
}

static void stop_one(struct gg_host *h)
{
	struct gg_host **at = h->component->kind == GG_DRIVER ? &gg_gateway.drivers : &gg_gateway.uplinks;
	while (*at && *at != h)
		at = &(*at)->next;
	if (*at)
		*at = h->next;
	gg_gateway_leave(h);
	if (h->component->kind == GG_UPLINK)
		gg_gateway_end_uplink(h);
	else
		gg_instance_end(h);
	gg_instance_free(h);
}

static int start_list(const struct gg_config *config, const struct gg_instances *all, struct gg_error *e)
{
	int rc = 0;
	for (size_t i = 0; i < all->count && rc == 0; i++)
		rc = enabled(&all->items[i]) ? start_one(config, &all->items[i], e) : 0;
	return rc;
}

int gg_instances_start(const struct gg_config *config, struct gg_error *e)
{
	int rc = start_list(config, &config->site.uplinks, e);
	return rc == 0 ? start_list(config, &config->site.drivers, e) : rc;
}

void gg_instances_stop(void)
{
	while (gg_gateway.drivers)
		stop_one(gg_gateway.drivers);
	while (gg_gateway.uplinks)
		stop_one(gg_gateway.uplinks);
}

/* ---- change ---- */

static struct gg_host *running(struct gg_host *list, const char *name)
{
	while (list && strcmp(list->name, name) != 0)
		list = list->next;
	return list;
}

static const struct gg_instance_config *configured(
	const struct gg_config *c, const char *section, const char *name)
{
	return gg_instances_find(
		strcmp(section, "drivers") == 0 ? &c->site.drivers : &c->site.uplinks, gg_str(name));
}

static int change_live(
	struct gg_host *h, const struct gg_config *to, const struct gg_instance_config *c, struct gg_error *e)
{
	/* Without update() it is the engine's options that have changed: the others would have meant a
	 * restart. */
	bool engine_only = h->component->kind == GG_UPLINK && !h->component->update;
	int rc = engine_only ? 0 : gg_instance_update(h, c->value, e);
	if (rc == 0 && h->component->kind == GG_UPLINK)
		gg_gateway_change_uplink(h, c);
	if (rc == 0)
		h->live_generation = generation_of(to);
	return rc;
}

/* Brings the instance of that name to what c says (NULL: gone). */
static int bring(struct gg_host *h, const struct gg_config *to, const struct gg_instance_config *c,
	enum gg_config_change kind, struct gg_error *e)
{
	if (h && c && enabled(c) && kind == GG_CONFIG_LIVE) {
		int rc = change_live(h, to, c, e);
		if (rc != -ENOTSUP)
			return rc;
	}
	if (h && !(c && enabled(c)))
		gg_gateway_unpin(h);
	if (h)
		stop_one(h);
	return c && enabled(c) ? start_one(to, c, e) : 0;
}

static int change_one(
	const struct gg_config *to, const struct gg_config_change_item *item, struct gg_error *e)
{
	struct gg_host *list =
		strcmp(item->section, "drivers") == 0 ? gg_gateway.drivers : gg_gateway.uplinks;
	return bring(running(list, item->name), to, configured(to, item->section, item->name), item->kind, e);
}

static bool is_instance(const struct gg_config_change_item *item)
{
	return item->kind != GG_CONFIG_SAME && item->name &&
	       (strcmp(item->section, "drivers") == 0 || strcmp(item->section, "uplinks") == 0);
}

int gg_instances_change(const struct gg_config *old, const struct gg_config *fresh, struct gg_error *e)
{
	struct gg_config_changes changes = {0};
	int rc = gg_config_compare(old, fresh, &changes);
	size_t done = 0;
	for (; done < changes.count && rc == 0; done++)
		if (is_instance(&changes.items[done]))
			rc = change_one(fresh, &changes.items[done], e);
	while (rc < 0 && done-- > 0) { /* back to what was; a port that was free a moment ago is free again */
		struct gg_error ignored = {0};
		if (is_instance(&changes.items[done]) && change_one(old, &changes.items[done], &ignored) < 0)
			gg_log(GG_ERROR, changes.items[done].name,
				"could not be started again after a failed change",
				GG_S("reason", ignored.text));
	}
	gg_config_changes_done(&changes);
	return rc;
}
