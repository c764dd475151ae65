/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A new configuration, whole or not at all: its plans are built and checked first (nothing has changed until
 * then), then drivers and uplinks follow; if one of them can't, those that changed go back and the old plans
 * stay. Last the plans are swapped, state carried over, and the revision is kept.
 */
#include "core/revisions.h"
#include "core/signals.h"
#include "gateway/gateway.h"

#include <unistd.h>

static bool fits_at(const struct gg_config_changes *c, const char *section)
{
	for (size_t i = 0; i < c->count; i++)
		if (strcmp(c->items[i].section, section) == 0 && c->items[i].kind != GG_CONFIG_SAME &&
			c->items[i].kind != GG_CONFIG_LIVE)
			return false;
	return true;
}

/* What can't change while we run; the answer names it. */
static int check_fixed(const struct gg_config *old, const struct gg_config *fresh, struct gg_error *e)
{
	static const char *const fixed[] = {"data_dir", "shards", "encryption", "journal", "history", "api"};
	struct gg_config_changes changes = {0};
	int rc = gg_config_compare(old, fresh, &changes);
	for (size_t i = 0; i < GG_COUNT(fixed) && rc == 0; i++)
		if (!fits_at(&changes, fixed[i]))
			rc = gg_error_set(e, -ENOTSUP,
				"a change of '%s' needs a restart of the gateway: restart it with this "
				"configuration",
				fixed[i]);
	gg_config_changes_done(&changes);
	return rc;
}

uint64_t gg_gateway_keep_revision(const struct gg_config *c, const char *who, const char *why)
{
	struct gg_buf text GG_CLEANUP(gg_buf_done) = GG_BUF(GG_CONFIG_MEMORY);
	struct gg_revision note = {.time_ns = gg_clock_utc(&gg_clock_system)};
	struct gg_error e = {0};
	uint64_t number = 0;
	gg_str_copy(note.who, sizeof note.who, gg_str(who));
	gg_str_copy(note.why, sizeof note.why, gg_str(why));
	gg_config_text(c, &text);
	if (text.error || gg_revision_store(gg_gateway.data_dir, &note, gg_buf_view(&text), &number, &e) < 0)
		gg_log(GG_ERROR, "config", "the revision could not be kept, continuing without it",
			GG_S("reason", e.text));
	return number;
}

/* Configurations that were in force. An instance that did not change points into the one it was made from,
 * and into the one that last changed it live, so each lives until no instance needs it. */
struct retired {
	struct gg_config *config;
	uint64_t generation;
	struct retired *next;
};

static struct retired *retired;

static bool in_use(uint64_t generation)
{
	struct gg_host *lists[] = {gg_gateway.drivers, gg_gateway.uplinks};
	for (size_t i = 0; i < GG_COUNT(lists); i++)
		for (struct gg_host *h = lists[i]; h; h = h->next)
			if (h->generation == generation || h->live_generation == generation)
				return true;
	return false;
}

static void free_unused(bool all)
{
	for (struct retired **at = &retired; *at;) {
		struct retired *r = *at;
		if (!all && in_use(r->generation)) {
			at = &r->next;
			continue;
		}
		*at = r->next;
		gg_config_free(r->config);
		free(r);
	}
}

void gg_gateway_free_retired(void)
{
	free_unused(true);
}

/* fresh is in force from here on. A config that can't be entered in the list is leaked, not freed under
 * somebody. */
static void retire(struct gg_config *old)
{
	struct retired *r = malloc(sizeof *r);
	if (r) {
		*r = (struct retired){old, gg_gateway.generation, retired};
		retired = r;
	}
	gg_gateway.generation++;
	free_unused(false);
}

static int change(struct gg_config *fresh, struct gg_error *e)
{
	struct gg_gateway *g = &gg_gateway;
	struct gg_plan *plans[GG_MOST_SHARDS] = {0};
	int rc = gg_shards_plan(g, fresh, g->revision + 1, plans, e);
	if (rc < 0)
		return rc;
	rc = gg_instances_change(g->config, fresh, e);
	if (rc == 0)
		gg_shards_swap(g, plans);
	for (unsigned i = 0; rc < 0 && i < g->shard_count; i++)
		gg_plan_free(plans[i]);
	return rc;
}

int gg_gateway_apply(struct gg_config *fresh, const char *who, const char *why, struct gg_error *e)
{
	struct gg_gateway *g = &gg_gateway;
	int rc = check_fixed(g->config, fresh, e);
	if (rc == 0)
		rc = gg_gateway_tune_prepare(fresh, e);
	if (rc == 0) {
		rc = change(fresh, e);
		gg_gateway_tune(g, fresh, rc == 0);
	}
	if (rc < 0) {
		gg_config_free(fresh);
		return rc;
	}
	const struct gg_site *site = &fresh->site;
	gg_signals_limit((uint32_t)site->limits.devices, (uint32_t)site->limits.signals);
	gg_gateway_limit_signals(site->limits.signals_per_device);
	gg_batch_set_budget(site->limits.batch_memory);
	gg_log_setup((enum gg_log_level)site->log.level, (enum gg_log_format)site->log.format, STDERR_FILENO);
	struct gg_config *old = g->config;
	g->config = fresh;
	gg_gateway_disable_devices(site);
	gg_gateway_revoke_lost_rights(&old->site, site);
	gg_shards_reconcile(g);
	retire(old);
	g->revision = gg_gateway_keep_revision(fresh, who, why);
	gg_log(GG_INFO, "config", "a new configuration is in force", GG_I("revision", g->revision),
		GG_S("by", who), GG_S("why", why));
	return 0;
}
