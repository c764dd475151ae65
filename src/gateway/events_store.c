/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/events_store.h"
#include "gateway/gateway.h"
#include "store/journal.h"

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

void gg_events_store(const struct gg_event_entry *e, const char *change)
{
	/* Steps of a trace are told with the next change of state; each one by itself would be noise up
	 * north. */
	if (strcmp(change, "traced") != 0)
		to_journal(e);
}

int gg_events_load(void (*each)(void *arg, struct gg_event_entry *e), void *arg)
{
	(void)each;
	(void)arg;
	return 0;
}
