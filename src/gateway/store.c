/* SPDX-License-Identifier: Apache-2.0 */
/* The journal, the catalog and the history, opened together in the data folder, and what they tell. */
#include "core/revisions.h"
#include "ganglion/driver.h"
#include "gateway/gateway.h"
#include "gateway/kept.h"
#include "gateway/recover.h"
#include "store/catalog.h"
#include "store/history.h"
#include "store/journal.h"
#include "store/sealed_file.h"
#include "store/sql.h"
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

static void journal_tampered(void *arg, uint64_t position)
{
	char title[200];
	(void)arg;
	snprintf(title, sizeof title,
		"A record of the journal was changed by somebody, or put there from elsewhere: it is passed "
		"over "
		"(position %llu)",
		(unsigned long long)position);
	gg_event(&(struct gg_event_report){.kind = "journal-tampered",
		.key = GG_STR("journal"),
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

/* ---- the history, and how long what lives there ---- */

static void take_ages(struct gg_history_keep *to, const struct gg_site_ages *a)
{
	const int64_t given[GG_LEVELS] = {
		a->samples_ns, a->seconds_ns, a->minutes_ns, a->hours_ns, a->days_ns};
	for (int level = 0; level < GG_LEVELS; level++)
		to->age_ns[level] = given[level] ? given[level] : a->samples_ns;
}

static bool has_labels(const struct gg_site_device *d, const struct gg_many *wanted)
{
	const struct gg_label *labels = d->labels.items, *w = wanted->items;
	for (size_t k = 0; k < wanted->count; k++) {
		bool found = false;
		for (size_t i = 0; i < d->labels.count && !found; i++)
			found = strcmp(labels[i].name, w[k].name) == 0 &&
				strcmp(labels[i].value, w[k].value) == 0;
		if (!found)
			return false;
	}
	return true;
}

/* The rule of a selection; its texts are the configuration's. Errors: -ENOMEM. */
static int make_rule(
	const struct gg_site *site, const struct gg_site_selection *s, struct gg_history_keep *to)
{
	const struct gg_site_device *devices = site->devices.items;
	size_t device_count = s->labels.count ? site->devices.count : 0;
	struct gg_str *texts = calloc(s->select.count + device_count + 1, sizeof *texts);
	if (!texts)
		return -ENOMEM;
	for (size_t i = 0; i < s->select.count; i++)
		texts[i] = gg_str(s->select.items[i]);
	*to = (struct gg_history_keep){.select = texts, .select_count = s->select.count};
	to->devices = s->labels.count ? texts + s->select.count : NULL;
	for (size_t i = 0; i < device_count; i++)
		if (has_labels(&devices[i], &s->labels))
			texts[s->select.count + to->device_count++] = gg_str(devices[i].id);
	take_ages(to, &s->ages);
	return 0;
}

/* The rules for o; *ret_rules to be freed by free_rules(). Errors: -ENOMEM. */
static int make_rules(
	const struct gg_site *site, struct gg_history_options *o, struct gg_history_keep **ret_rules)
{
	const struct gg_site_history *c = &site->history;
	const struct gg_many *selections = &c->retention.selections;
	struct gg_history_keep *rules = calloc(selections->count + 1, sizeof *rules);
	int rc = rules ? 0 : -ENOMEM;
	for (; rc == 0 && o->keep_count < selections->count; o->keep_count++)
		rc = make_rule(site, (const struct gg_site_selection *)selections->items + o->keep_count,
			&rules[o->keep_count]);
	if (rc == 0)
		take_ages(&rules[o->keep_count++], &c->retention.ages);
	o->keep = rules;
	o->keep_bytes = c->retention.size ? c->retention.size : UINT64_MAX;
	*ret_rules = rules;
	return rc;
}

static void free_rules(struct gg_history_keep *rules, size_t count)
{
	for (size_t i = 0; rules && i < count; i++)
		free((void *)(uintptr_t)rules[i].select);
	free(rules);
}

static int open_history(struct gg_gateway *g, struct gg_error *e)
{
	char path[PATH_BYTES];
	struct gg_history_keep *rules = NULL;
	if (!g->config->site.history.enabled)
		return 0;
	struct gg_history_options o = {
		.path = in_data(g, path, "history.db"), .block_age_ns = g->config->site.history.block_ns};
	int rc = make_rules(&g->config->site, &o, &rules);
	rc = rc == 0 ? gg_history_open(&o, &g->history, e) : gg_error_set(e, rc, "out of memory");
	free_rules(rules, o.keep_count);
	return rc;
}

void gg_stores_tune_history(struct gg_gateway *g, const struct gg_site *site)
{
	struct gg_history_options o = {0};
	struct gg_history_keep *rules = NULL;
	int rc = g->history ? make_rules(site, &o, &rules) : 0;
	if (rc == 0 && rules)
		rc = gg_history_tune(g->history, &o);
	if (rc < 0)
		gg_log(GG_ERROR, "history", "out of memory: the rules of retention stay as they were");
	free_rules(rules, o.keep_count);
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
		.root = g->key.sealed ? g->key.root : NULL,
		.min_position = cursor > stored ? cursor : stored,
		.names = &gg_names_table,
		.arg = g,
		.on_state = journal_state,
		.on_lost = journal_lost,
		.on_tampered = journal_tampered,
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

/* The small files: what was plain before is sealed at once. */
static int open_files(struct gg_gateway *g, struct gg_error *e)
{
	size_t count = 0;
	struct gg_error why = {0};
	int rc = gg_sealed_files(g->key.sealed ? g->key.root : NULL);
	if (rc < 0)
		return gg_error_set(
			e, rc, "the key of the data folder's files can't be made: %s", strerror(-rc));
	if (!g->key.sealed)
		return 0;
	if (gg_revisions_seal_old(g->data_dir, &count, &why) < 0)
		gg_log(GG_WARN, "config", "plain revisions could not be sealed, they stay as they are",
			GG_S("reason", why.text));
	else if (count)
		gg_log(GG_INFO, "config", "revisions that were plain from before are sealed now",
			GG_I("revisions", count));
	return 0;
}

int gg_stores_open(struct gg_gateway *g, struct gg_error *e)
{
	char path[PATH_BYTES];
	int rc = gg_vault_open(g->data_dir, &g->config->site.encryption, &g->key, e);
	gg_vault_guard(&g->key);
	if (rc == 0 && (rc = gg_sql_seal(g->key.sealed ? g->key.root : NULL)) < 0)
		gg_error_set(e, rc, "the databases' key can't be made: %s", strerror(-rc));
	if (rc == 0)
		rc = open_files(g, e);
	if (rc == 0)
		rc = gg_catalog_open(in_data(g, path, "catalog.db"), &g->catalog, e);
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
	(void)gg_sealed_files(NULL);
	g->history = NULL;
	g->journal = NULL;
	g->engine = NULL;
	g->catalog = NULL;
}
