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
		.message = gg_str(e->message),
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

void gg_events_store_turn(bool begins)
{
	if (!gg_gateway.catalog)
		return;
	if (begins) {
		gg_catalog_together(gg_gateway.catalog);
		return;
	}
	int rc = gg_catalog_together_end(gg_gateway.catalog);
	if (rc < 0)
		gg_log(GG_WARN, "events", "events could not be kept in the catalog, continuing without",
			GG_S("reason", strerror(-rc)));
}

/* ---- from the catalog ---- */

static struct gg_event_entry *entry_of(const struct gg_event_row *r)
{
	struct gg_event_entry *e = calloc(1, sizeof *e);
	if (!e)
		return NULL;
	*e = (struct gg_event_entry){.id = r->id,
		.kind = gg_str_dup(r->kind),
		.key = gg_str_dup(r->key),
		.title = gg_str_dup(r->title),
		.message = gg_str_dup(r->message),
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
	if (e->kind && e->key && e->title && e->message && e->device && e->signal)
		return e;
	gg_event_entry_free(e);
	return NULL;
}

static void take_row(void *arg, const struct gg_event_row *r)
{
	struct gg_event_list *l = arg;
	if (l->count == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 256;
		struct gg_event_entry **items = realloc(l->items, cap * sizeof(struct gg_event_entry *));
		if (!items) {
			l->failed = true;
			return;
		}
		l->items = items;
		l->cap = cap;
	}
	struct gg_event_entry *e = entry_of(r);
	if (e)
		l->items[l->count++] = e;
	else
		l->failed = true;
}

int gg_events_stored(const struct gg_event_filter *f, struct gg_event_list *ret_list)
{
	struct gg_event_list list = {0};
	int rc = gg_catalog_events(gg_gateway.catalog, f, take_row, &list);
	if (rc == 0 && list.failed)
		rc = -ENOMEM;
	if (rc < 0)
		gg_event_list_done(&list);
	else
		*ret_list = list;
	return rc;
}

int gg_events_stored_one(uint64_t id, struct gg_event_entry **ret_entry)
{
	struct gg_event_list list = {0};
	int rc = gg_catalog_event(gg_gateway.catalog, id, take_row, &list);
	if (rc == 0 && list.failed)
		rc = -ENOMEM;
	if (rc == 0)
		*ret_entry = list.items[--list.count];
	gg_event_list_done(&list);
	return rc;
}

void gg_event_list_done(struct gg_event_list *l)
{
	for (size_t i = 0; i < l->count; i++)
		gg_event_entry_free(l->items[i]);
	free(l->items);
	*l = (struct gg_event_list){0};
}

/* ---- at start ---- */

/* Above which id nothing was left out; newest first, so the last is the oldest that was taken. */
static uint64_t whole_above(const struct gg_event_list *l, size_t limit)
{
	return l->count && l->count >= limit ? l->items[l->count - 1]->id - 1 : 0;
}

int gg_events_load(void (*each)(void *arg, struct gg_event_entry *e), void *arg, uint64_t *ret_whole_above)
{
	const struct gg_event_filter open = {.state = -2, .limit = GG_EVENTS_MOST};
	struct gg_event_filter cleared = {.state = GG_EVENT_CLEARED};
	struct gg_event_list a = {0}, b = {0};
	int rc = gg_events_stored(&open, &a);
	cleared.limit = gg_min_size(LOADED_MOST, GG_EVENTS_MOST - gg_min_size(a.count, GG_EVENTS_MOST - 1));
	if (rc == 0)
		rc = gg_events_stored(&cleared, &b);
	uint64_t of_open = whole_above(&a, open.limit), of_cleared = whole_above(&b, cleared.limit);
	if (rc == 0)
		*ret_whole_above = of_open > of_cleared ? of_open : of_cleared;
	while (rc == 0 && a.count + b.count) { /* the older of the two last */
		struct gg_event_list *l =
			!a.count || (b.count && b.items[b.count - 1]->id < a.items[a.count - 1]->id) ? &b
												     : &a;
		each(arg, l->items[--l->count]);
	}
	gg_event_list_done(&a);
	gg_event_list_done(&b);
	return rc;
}
