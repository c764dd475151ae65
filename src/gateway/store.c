/* SPDX-License-Identifier: Apache-2.0 */
/* The journal, the catalog and the history, opened together in the data folder, and what they tell. */
#include "ganglion/driver.h"
#include "gateway/gateway.h"
#include "gateway/kept.h"
#include "gateway/recover.h"
#include "store/catalog.h"
#include "store/history.h"
#include "store/journal.h"
#include "uplinks/engine.h"

enum { PATH_BYTES = 4096 };

/* What uplinks that lag behind may hold back of the journal. */
#define MAX_BYTES (4ULL << 30)

static void journal_state(void *arg, enum gg_journal_state state, const char *text)
{
	(void)arg;
	bool ok = state == GG_JOURNAL_OK;
	gg_log(ok ? GG_INFO : GG_ERROR, "journal",
		ok ? "the disk takes data again" : "the disk takes no more data", GG_S("reason", text));
	gg_event(&(struct gg_event_report){.kind = "disk",
		.key = GG_STR("journal"),
		.severity = GG_CRITICAL,
		.clear = ok,
		.title = gg_str(text),
		.device = GG_NONE,
		.signal = GG_NONE});
}

static void journal_lost(void *arg, const char *pin, uint64_t from, uint64_t to)
{
	char title[300];
	(void)arg;
	snprintf(title, sizeof title,
		"%s has not kept up: %llu MiB of the journal were deleted unread to stay within its maximum",
		pin, (unsigned long long)((to - from) >> 20));
	gg_event(&(struct gg_event_report){.kind = "backlog-lost",
		.key = gg_str(pin),
		.severity = GG_CRITICAL,
		.title = gg_str(title),
		.device = GG_NONE,
		.signal = GG_NONE});
}

static void journal_room(void *arg)
{
	gg_shards_journal_room(arg);
	gg_gateway_resume_drivers();
}

static const char *in_data(struct gg_gateway *g, char *to, const char *name)
{
	snprintf(to, PATH_BYTES, "%s/%s", g->data_dir, name);
	return to;
}

static int open_history(struct gg_gateway *g, struct gg_error *e)
{
	const struct gg_site_history *c = &g->config->site.history;
	char path[PATH_BYTES];
	struct gg_history_options o = {.path = in_data(g, path, "history.db"),
		.block_age_ns = c->block_ns,
		.keep_bytes = c->retention.size,
		.keep_ns = c->retention.age_ns};
	return c->enabled ? gg_history_open(&o, &g->history, e) : 0;
}

void gg_stores_journal_options(const struct gg_site_journal *c, struct gg_journal_options *o)
{
	uint64_t keep = c->retention.size ? c->retention.size : UINT64_MAX;
	o->segment_bytes = c->segment_size;
	o->reserve_bytes = c->reserve;
	o->keep_bytes = keep;
	o->max_bytes = keep > UINT64_MAX / 2 ? UINT64_MAX : keep > MAX_BYTES / 2 ? 2 * keep : MAX_BYTES;
	o->keep_ns = c->retention.age_ns;
	o->commit_ns = c->commit_ns ? c->commit_ns : 1; /* 0 would be its default */
}

static int open_journal(struct gg_gateway *g, struct gg_error *e)
{
	char dir[PATH_BYTES];
	uint64_t cursor = gg_catalog_highest_cursor(g->catalog);
	uint64_t stored = g->history ? gg_history_position(g->history) : 0;
	struct gg_journal_options o = {.dir = in_data(g, dir, "journal"),
		.min_position = cursor > stored ? cursor : stored,
		.names = &gg_names_table,
		.arg = g,
		.on_state = journal_state,
		.on_lost = journal_lost,
		.on_room = journal_room};
	gg_stores_journal_options(&g->config->site.journal, &o);
	return gg_journal_open(&o, &g->journal, e);
}

/* ---- uplinks' cursors ---- */

static int load_cursor(void *arg, const char *uplink, uint64_t *ret_position)
{
	char name[200];
	snprintf(name, sizeof name, "uplink.%s", uplink);
	return gg_catalog_get_cursor(arg, gg_str(name), ret_position);
}

static void save_cursor(void *arg, const char *uplink, uint64_t position)
{
	char name[200];
	snprintf(name, sizeof name, "uplink.%s", uplink);
	int rc = gg_catalog_put_cursor(arg, gg_str(name), position);
	if (rc < 0)
		gg_log(GG_WARN, uplink, "the cursor could not be kept, after a restart some is sent twice",
			GG_S("reason", strerror(-rc)));
}

static int make_engine(struct gg_gateway *g, struct gg_error *e)
{
	struct gg_uplink_source source = gg_uplink_journal(g->journal);
	struct gg_uplink_memory memory = {g->catalog, load_cursor, save_cursor};
	g->engine = gg_uplinks_new(g->north, &source, &memory);
	if (!g->engine)
		return gg_error_set(e, -ENOMEM, "out of memory");
	int rc = gg_journal_follow(g->journal, gg_uplinks_follow, g->engine);
	return rc == 0 ? gg_journal_follow(g->journal, gg_checkpoint_follow, g) : rc;
}

int gg_stores_open(struct gg_gateway *g, struct gg_error *e)
{
	char path[PATH_BYTES];
	int rc = gg_catalog_open(in_data(g, path, "catalog.db"), &g->catalog, e);
	if (rc == 0)
		rc = open_history(g, e);
	if (rc == 0)
		rc = open_journal(g, e);
	if (rc == 0)
		rc = gg_registry_open(g->catalog, e);
	return rc == 0 ? make_engine(g, e) : rc;
}

/* ---- pins: before the journal's first look at what may go ---- */

static void pin_uplink(struct gg_gateway *g, const char *uplink)
{
	char pin[220];
	uint64_t position;
	if (load_cursor(g->catalog, uplink, &position) < 0)
		return;
	gg_uplink_pin_name(uplink, pin, sizeof pin);
	gg_journal_pin(g->journal, pin, position, /* forever= */ false);
}

static void pin_all(struct gg_gateway *g)
{
	const struct gg_instances *uplinks = &g->config->site.uplinks, *drivers = &g->config->site.drivers;
	gg_checkpoint_pin(g);
	for (size_t i = 0; i < uplinks->count; i++)
		if (((const struct gg_uplink_common *)uplinks->items[i].common)->enabled)
			pin_uplink(g, uplinks->items[i].name);
	for (size_t i = 0; i < drivers->count; i++)
		if (drivers->items[i].component->driver->kept)
			gg_kept_position(g, drivers->items[i].name);
}

void gg_gateway_unpin(struct gg_host *h)
{
	char pin[220];
	if (h->component->kind == GG_UPLINK)
		gg_uplink_pin_name(h->name, pin, sizeof pin);
	else
		gg_kept_name(h->name, pin, sizeof pin);
	gg_journal_unpin(gg_gateway.journal, pin);
}

int gg_stores_start(struct gg_gateway *g, struct gg_error *e)
{
	pin_all(g);
	int rc = g->history ? gg_history_start(g->history, g->journal, e) : 0;
	if (rc == 0)
		rc = gg_journal_start(g->journal, e);
	if (rc == 0)
		gg_kept_start(g);
	return rc;
}

void gg_stores_close(struct gg_gateway *g)
{
	gg_kept_stop();
	gg_history_stop(g->history);
	gg_journal_close(g->journal);
	gg_uplinks_free(g->engine);
	gg_history_free(g->history);
	gg_registry_close();
	gg_catalog_close(g->catalog);
	g->history = NULL;
	g->journal = NULL;
	g->engine = NULL;
	g->catalog = NULL;
}
