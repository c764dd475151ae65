/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events: pages of them, one with its trace, and what people do with them. The book has the newest and all
 * that are open; where a page reaches behind it, a worker reads the rest from the catalog and both are
 * merged.
 */
#include "gateway/events.h"
#include "api/handlers.h"
#include "core/work.h"
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

/* ---- a page ---- */

struct page {
	struct gg_api_call *c;
	struct filter f;
	struct gg_event_filter stored_filter;
	struct gg_event_list stored;
	int status;
};

static const struct gg_event_entry *next_of_book(const struct filter *f, const struct gg_event_entry *e)
{
	while (e && !fits(f, e))
		e = e->older;
	return e;
}

/* The next that is in the catalog only; one that is in both is told as the book has it. */
static const struct gg_event_entry *next_stored(const struct gg_event_list *l, size_t *at)
{
	while (*at < l->count && gg_events_find(l->items[*at]->id))
		(*at)++;
	return *at < l->count ? l->items[*at] : NULL;
}

/* Both newest first. Where the catalog's page ended, there may be more behind it. */
static void answer_page(struct gg_api_call *c, const struct filter *f, const struct gg_event_list *stored)
{
	struct gg_answer a;
	uint64_t n = 0, last = 0,
		 floor = stored->count >= f->limit ? stored->items[stored->count - 1]->id : 0;
	size_t at = 0;
	const struct gg_event_entry *in_book = next_of_book(f, gg_events_newest());
	const struct gg_event_entry *in_file = next_stored(stored, &at);
	gg_answer_begin(&a);
	gg_json_begin_object(&a.w);
	gg_json_key(&a.w, GG_STR("events"));
	gg_json_begin_array(&a.w);
	for (; n < f->limit && (in_book || in_file); n++) {
		bool book = in_book && (!in_file || in_book->id > in_file->id);
		const struct gg_event_entry *e = book ? in_book : in_file;
		if (e->id < floor)
			break;
		gg_json_begin_object(&a.w);
		gg_event_json_brief(e, &a.w);
		gg_json_end_object(&a.w);
		last = e->id;
		if (book) {
			in_book = next_of_book(f, e->older);
		} else {
			at++;
			in_file = next_stored(stored, &at);
		}
	}
	gg_json_end_array(&a.w);
	/* What the book has may be all there is, unless it is known to have left out something older. */
	bool behind = n == f->limit && gg_events_whole_above();
	if (in_book || in_file || floor || behind) {
		gg_json_key(&a.w, GG_STR("next"));
		gg_json_uint(&a.w, last > floor && n == f->limit ? last : floor);
	}
	gg_json_end_object(&a.w);
	gg_answer_send(c, 200, &a);
}

static void read_stored(void *arg)
{
	struct page *p = arg;
	p->status = gg_events_stored(&p->stored_filter, &p->stored);
}

static void have_stored(void *arg)
{
	struct page *p = arg;
	if (p->status < 0)
		gg_api_problem(p->c, p->status, "the catalog can't be read: %s", strerror(-p->status));
	else
		answer_page(p->c, &p->f, &p->stored);
	gg_event_list_done(&p->stored);
}

/* The book alone has the whole page. */
static bool in_book(const struct filter *f)
{
	uint64_t n = 0, above = gg_events_whole_above();
	for (const struct gg_event_entry *e = gg_events_newest(); e && e->id > above && n < f->limit;
		e = e->older)
		n += fits(f, e);
	return above == 0 || n == f->limit;
}

void gg_api_events(struct gg_api_call *c)
{
	static const struct gg_event_list none;
	struct filter found = {0}; /* not in the request's memory, which goes with a refusal */
	if (!take_filter(c, &found))
		return;
	if (in_book(&found)) {
		answer_page(c, &found, &none);
		return;
	}
	struct page *p = GG_NEW(gg_http_arena(c->r), struct page);
	if (!p) {
		gg_api_problem(c, -ENOMEM, "out of memory");
		return;
	}
	*p = (struct page){.c = c, .f = found};
	const struct filter *f = &p->f;
	p->stored_filter = (struct gg_event_filter){.before_id = f->before,
		.state = f->state,
		.least_severity = (int)f->at_least,
		.kind = f->kind,
		.device = f->device,
		.signal = f->signal,
		.from_ns = f->from,
		.to_ns = f->to == INT64_MAX ? 0 : f->to,
		.limit = f->limit,
		.brief = true};
	if (gg_work(gg_gateway.control, read_stored, have_stored, p) < 0)
		gg_api_problem(c, -EAGAIN, "too much is under way: try again in a moment");
}

/* ---- one ---- */

static bool id_of(const struct gg_api_call *c, uint64_t *ret_id)
{
	return gg_parse_uint(c->parts[0], ret_id) == 0 && *ret_id <= INT64_MAX;
}

static void no_such(struct gg_api_call *c)
{
	gg_api_problem(c, -ENOENT, "there is no event \"%.*s\"", (int)gg_min_size(c->parts[0].len, 40),
		c->parts[0].p);
}

/* In *ret_stored when it is no longer in the book: for gg_event_entry_free(). NULL when it was answered. */
static const struct gg_event_entry *event_of(struct gg_api_call *c, struct gg_event_entry **ret_stored)
{
	uint64_t id;
	if (!id_of(c, &id)) {
		no_such(c);
		return NULL;
	}
	const struct gg_event_entry *e = gg_events_find(id);
	int rc = e ? 0 : gg_events_stored_one(id, ret_stored);
	if (rc == -ENOENT)
		no_such(c);
	else if (rc < 0)
		gg_api_problem(c, rc, "the catalog can't be read: %s", strerror(-rc));
	return e ? e : *ret_stored;
}

static void answer_event(struct gg_api_call *c, const struct gg_event_entry *e)
{
	struct gg_answer a;
	gg_answer_begin(&a);
	gg_event_json(e, &a.w);
	gg_answer_send(c, 200, &a);
}

static void free_stored(struct gg_event_entry **e)
{
	if (*e)
		gg_event_entry_free(*e);
}

void gg_api_event(struct gg_api_call *c)
{
	struct gg_event_entry *stored GG_CLEANUP(free_stored) = NULL;
	const struct gg_event_entry *e = event_of(c, &stored);
	if (e)
		answer_event(c, e);
}

void gg_api_event_acknowledge(struct gg_api_call *c)
{
	struct gg_in_field f = {.name = "comment", .type = GG_IN_STRING};
	struct gg_event_entry *stored GG_CLEANUP(free_stored) = NULL;
	const struct gg_event_entry *e = event_of(c, &stored);
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
	struct gg_event_entry *stored GG_CLEANUP(free_stored) = NULL, *now GG_CLEANUP(free_stored) = NULL;
	const struct gg_event_entry *e = event_of(c, &stored);
	if (!e || !gg_api_body(c, &f, 1))
		return;
	int rc = f.text.len == 0 || f.text.len > 4000 ? -EINVAL
						      : gg_events_comment(e->id, gg_str(c->who), f.text);
	if (rc < 0)
		gg_api_problem(c, rc, "text: expected 1 to 4,000 bytes");
	else if ((e = event_of(c, &now))) /* a stored one is another now */
		answer_event(c, e);
}
