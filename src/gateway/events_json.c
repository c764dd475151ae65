/* SPDX-License-Identifier: Apache-2.0 */
/* An event as the API, the catalog and the uplinks have it. */
#include "gateway/events.h"

static void put_time(struct gg_json_writer *w, const char *key, int64_t ns)
{
	if (ns)
		gg_json_put_time(w, key, ns);
}

void gg_event_json_brief(const struct gg_event_entry *e, struct gg_json_writer *w)
{
	gg_json_put_int(w, "id", (int64_t)e->id);
	gg_json_put_str(w, "kind", gg_str(e->kind));
	gg_json_put_str(w, "key", gg_str(e->key));
	gg_json_put_str(w, "severity", gg_str(gg_severity_name(e->severity)));
	gg_json_put_str(w, "state", gg_str(gg_event_state_name(e->state)));
	gg_json_put_str(w, "title", gg_str(e->title));
	if (e->message[0])
		gg_json_put_str(w, "message", gg_str(e->message));
	if (e->device[0])
		gg_json_put_str(w, "device", gg_str(e->device));
	if (e->signal[0])
		gg_json_put_str(w, "signal", gg_str(e->signal));
	put_time(w, "opened", e->opened_ns);
	put_time(w, "acknowledged", e->acknowledged_ns);
	put_time(w, "cleared", e->cleared_ns);
	if (e->acknowledged_by)
		gg_json_put_str(w, "acknowledged_by", gg_str(e->acknowledged_by));
	if (e->repeats)
		gg_json_put_int(w, "repeats", (int64_t)e->repeats);
}

void gg_event_json(const struct gg_event_entry *e, struct gg_json_writer *w)
{
	gg_json_begin_object(w);
	gg_event_json_brief(e, w);
	gg_json_key(w, GG_STR("trace"));
	gg_json_begin_array(w);
	if (e->trace.len)
		gg_json_raw(w, gg_buf_view(&e->trace));
	gg_json_end_array(w);
	gg_json_end_object(w);
}
