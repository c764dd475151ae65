/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/events_store.h"
#include "gateway/gateway.h"
#include "store/catalog.h"
#include "store/journal.h"

enum { LOADED_MOST = 5000 };

static void to_journal(const struct gg_event_entry *e)
{
	struct gg_buf json GG_CLEANUP(gg_buf_done) = GG_BUF(2 * GG_EVENT_TRACE_MAX);
	struct gg_json_writer w = gg_json_writer(&json);
	gg_event_json(e, &w);
	if (!json.error)
		gg_journal_append_record(gg_gateway.journal, GG_RECORD_EVENT, gg_str(e->kind),
			gg_buf_view(&json),
			/* receipt= */ NULL);
}

static int to_catalog(const struct gg_event_entry *e)
{
	struct gg_buf trace GG_CLEANUP(gg_buf_done) = GG_BUF(2 * GG_EVENT_TRACE_MAX);
	gg_buf_char(&trace, '[');
	gg_buf_str(&trace, gg_buf_view(&e->trace));
	gg_buf_char(&trace, ']');
	struct gg_event_row row = {.id = e->id,
		.kind = gg_str(e->kind),
		.key = gg_str(e->key),
		.title = gg_str(e->title),
		.device = gg_str(e->device),
		.signal = gg_str(e->signal),
		.trace_json = gg_buf_view(&trace),
		.acknowledged_by = gg_str(e->acknowledged_by),
		.severity = e->severity,
		.state = e->state,
		.count = e->repeats + 1,
		.opened_ns = e->opened_ns,
		.updated_ns = gg_clock_utc(&gg_clock_system),
		.acknowledged_ns = e->acknowledged_ns,
		.cleared_ns = e->cleared_ns};
	return trace.error ? trace.error : gg_catalog_put_event(gg_gateway.catalog, &row);
}

void gg_events_store(const struct gg_event_entry *e, const char *change)
{
	int rc = to_catalog(e);
	if (rc < 0)
		gg_log(GG_WARN, "events", "an event could not be kept in the catalog, continuing without",
			GG_S("change", change), GG_S("reason", strerror(-rc)));
	/* Steps of a trace are told with the next change of state; each one by itself would be noise up
	 * north. */
	if (strcmp(change, "traced") != 0)
		to_journal(e);
}

/* ---- from the catalog, at start ---- */

struct loading {
	struct gg_event_entry *newest_first[LOADED_MOST];
	size_t count;
};

static struct gg_event_entry *entry_of(const struct gg_event_row *r)
{
	struct gg_event_entry *e = calloc(1, sizeof *e);
	if (!e)
		return NULL;
	*e = (struct gg_event_entry){.id = r->id,
		.kind = gg_str_dup(r->kind),
		.key = gg_str_dup(r->key),
		.title = gg_str_dup(r->title),
		.device = gg_str_dup(r->device),
		.signal = gg_str_dup(r->signal),
		.severity = r->severity,
		.state = r->state,
		.opened_ns = r->opened_ns,
		.acknowledged_ns = r->acknowledged_ns,
		.cleared_ns = r->cleared_ns,
		.acknowledged_by = r->acknowledged_by.len ? gg_str_dup(r->acknowledged_by) : NULL,
		.repeats = r->count ? r->count - 1 : 0,
		.trace = GG_BUF(GG_EVENT_TRACE_MAX)};
	if (r->trace_json.len > 2)
		gg_buf_add(&e->trace, r->trace_json.p + 1, r->trace_json.len - 2); /* without the brackets */
	return e;
}

static void take_row(void *arg, const struct gg_event_row *r)
{
	struct loading *l = arg;
	struct gg_event_entry *e = l->count < LOADED_MOST ? entry_of(r) : NULL;
	if (e)
		l->newest_first[l->count++] = e;
}

int gg_events_load(void (*each)(void *arg, struct gg_event_entry *e), void *arg)
{
	struct gg_event_filter filter = {.state = -1, .limit = LOADED_MOST};
	struct loading *l = calloc(1, sizeof *l);
	if (!l)
		return -ENOMEM;
	int rc = gg_catalog_events(gg_gateway.catalog, &filter, take_row, l);
	while (l->count > 0)
		each(arg, l->newest_first[--l->count]);
	free(l);
	return rc;
}
