/* SPDX-License-Identifier: Apache-2.0 */
/* Events: the book's newest, one with its trace, and what people do with them. */
#include "gateway/events.h"
#include "api/handlers.h"
#include "gateway/gateway.h"

enum { LIMIT = 100, LIMIT_MOST = 1000 };

struct filter {
	struct gg_str kind, device, signal;
	int state; /* enum gg_event_state; -1: any; -2: not cleared */
	enum gg_severity at_least;
	uint64_t before, limit;
	int64_t from, to;
};

static bool take_state(struct gg_api_call *c, struct filter *f)
{
	struct gg_str text;
	f->state = -1;
	if (!gg_api_text(c, "state", &text))
		return false;
	if (text.len == 0)
		return true;
	if (gg_str_is(text, "active")) {
		f->state = -2;
		return true;
	}
	for (int i = GG_EVENT_OPEN; i <= GG_EVENT_CLEARED; i++)
		if (gg_str_is(text, gg_event_state_name((enum gg_event_state)i)))
			f->state = i;
	if (f->state == -1)
		gg_api_problem(c, -EINVAL, "state: expected open, acknowledged, cleared, or active");
	return f->state != -1;
}

static bool take_severity(struct gg_api_call *c, struct filter *f)
{
	struct gg_str text;
	if (!gg_api_text(c, "severity", &text))
		return false;
	f->at_least = GG_INFORMATION;
	for (int i = GG_INFORMATION; i <= GG_CRITICAL; i++) {
		if (text.len == 0 || gg_str_is(text, gg_severity_name((enum gg_severity)i))) {
			f->at_least = (enum gg_severity)i;
			return true;
		}
	}
	gg_api_problem(c, -EINVAL, "severity: expected info, warning or critical");
	return false;
}

static bool take_filter(struct gg_api_call *c, struct filter *f)
{
	return take_state(c, f) && take_severity(c, f) && gg_api_text(c, "kind", &f->kind) &&
	       gg_api_text(c, "device", &f->device) && gg_api_text(c, "signal", &f->signal) &&
	       gg_api_number(c, "before", 1, UINT64_MAX, UINT64_MAX, &f->before) &&
	       gg_api_number(c, "limit", 1, LIMIT_MOST, LIMIT, &f->limit) &&
	       gg_api_time(c, "from", INT64_MIN, &f->from) && gg_api_time(c, "to", INT64_MAX, &f->to);
}

static bool text_fits(struct gg_str wanted, const char *is)
{
	return wanted.len == 0 || gg_str_is(wanted, is);
}

static bool fits(const struct filter *f, const struct gg_event_entry *e)
{
	bool state = f->state == -1 || (int)e->state == f->state ||
		     (f->state == -2 && e->state != GG_EVENT_CLEARED);
	return state && e->severity >= f->at_least && e->id < f->before && e->opened_ns >= f->from &&
	       e->opened_ns < f->to && text_fits(f->kind, e->kind) && text_fits(f->device, e->device) &&
	       text_fits(f->signal, e->signal);
}

void gg_api_events(struct gg_api_call *c)
{
	struct filter f = {0};
	struct gg_answer a;
	uint64_t n = 0;
	const struct gg_event_entry *e, *last = NULL;
	if (!take_filter(c, &f))
		return;
	gg_answer_begin(&a);
	gg_json_begin_object(&a.w);
	gg_json_key(&a.w, GG_STR("events"));
	gg_json_begin_array(&a.w);
	for (e = gg_events_newest(); e && n < f.limit; e = e->older) {
		if (!fits(&f, e))
			continue;
		gg_json_begin_object(&a.w);
		gg_event_json_brief(e, &a.w);
		gg_json_end_object(&a.w);
		last = e;
		n++;
	}
	gg_json_end_array(&a.w);
	if (e && last) {
		gg_json_key(&a.w, GG_STR("next"));
		gg_json_uint(&a.w, last->id);
	}
	gg_json_end_object(&a.w);
	gg_answer_send(c, 200, &a);
}

/* NULL when it was answered: there is none. */
static const struct gg_event_entry *event_of(struct gg_api_call *c)
{
	uint64_t id = 0;
	const struct gg_event_entry *e = NULL;
	if (gg_parse_uint(c->parts[0], &id) == 0)
		e = gg_events_find(id);
	if (!e)
		gg_api_problem(c, -ENOENT, "there is no event \"%.*s\"",
			(int)gg_min_size(c->parts[0].len, 40), c->parts[0].p);
	return e;
}

static void answer_event(struct gg_api_call *c, const struct gg_event_entry *e)
{
	struct gg_answer a;
	gg_answer_begin(&a);
	gg_event_json(e, &a.w);
	gg_answer_send(c, 200, &a);
}

void gg_api_event(struct gg_api_call *c)
{
	const struct gg_event_entry *e = event_of(c);
	if (e)
		answer_event(c, e);
}

void gg_api_event_acknowledge(struct gg_api_call *c)
{
	struct gg_in_field f = {.name = "comment", .type = GG_IN_STRING};
	const struct gg_event_entry *e = event_of(c);
	if (!e || !gg_api_body(c, &f, 1))
		return;
	if (e->state == GG_EVENT_CLEARED) {
		gg_api_problem(c, -EALREADY, "the event has cleared: there is nothing left to acknowledge");
		return;
	}
	if (e->state == GG_EVENT_OPEN)
		gg_events_acknowledge(e->id, gg_str(c->who));
	if (f.text.len)
		gg_events_comment(e->id, gg_str(c->who), f.text);
	answer_event(c, e);
}

void gg_api_event_comment(struct gg_api_call *c)
{
	struct gg_in_field f = {.name = "text", .type = GG_IN_STRING, .required = true};
	const struct gg_event_entry *e = event_of(c);
	if (!e || !gg_api_body(c, &f, 1))
		return;
	int rc = f.text.len == 0 || f.text.len > 4000 ? -EINVAL
						      : gg_events_comment(e->id, gg_str(c->who), f.text);
	if (rc < 0)
		gg_api_problem(c, rc, "text: expected 1 to 4,000 bytes");
	else
		answer_event(c, e);
}
