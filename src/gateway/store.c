/* SPDX-License-Identifier: Apache-2.0 */
/* The journal, the catalog and the history, opened together in the data folder, and what they tell. */
#include "gateway/gateway.h"
#include "store/journal.h"

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

static int open_journal(struct gg_gateway *g, struct gg_error *e)
{
	const struct gg_site_journal *c = &g->config->site.journal;
	char dir[4096];
	snprintf(dir, sizeof dir, "%s/journal", g->data_dir);
	struct gg_journal_options o = {.dir = dir,
		.segment_bytes = c->segment_size,
		.keep_bytes = c->retention.size,
		.keep_ns = c->retention.age_ns,
		.commit_ns = c->commit_ns,
		.names = &gg_names_table,
		.on_state = journal_state,
		.on_lost = journal_lost};
	return gg_journal_open(&o, &g->journal, e);
}

int gg_stores_open(struct gg_gateway *g, struct gg_error *e)
{
	return open_journal(g, e);
}

int gg_stores_start(struct gg_gateway *g, struct gg_error *e)
{
	return gg_journal_start(g->journal, e);
}

void gg_stores_close(struct gg_gateway *g)
{
	gg_journal_close(g->journal);
	g->journal = NULL;
}
