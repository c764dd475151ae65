/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   gg_event() ── folded by kind and key ──▶ waiting ── one letter ──▶ control: all at once ──▶ the book
 *
 * Folding keeps what the book would have made of the reports one by one: its last state and its count. An
 * event that opens, clears and opens again within moments is the same one, chattering (see events.h), so
 * "open, clear, open" is an open with one repetition more, and "clear, open, clear" an open and a clear.
 */
#include "gateway/reports.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "core/loop.h"
#include "gateway/events.h"
#include "gateway/gateway.h"

#include <pthread.h>

enum { TITLE_MAX = 1024, MESSAGE_MAX = 4096, TEXT_ROOM = 160 };

static const int64_t turn_ns = 5 * GG_NS_PER_MS;

/* At most two reports of a kind and key, each the opposite of the other. */
struct waiting {
	struct waiting *next;
	struct gg_report *at[2];
	unsigned count;
};

struct step {
	struct step *next;
	uint64_t event;
	size_t len;
	char json[];
};

static struct {
	pthread_mutex_t lock; /* guards all but last_id and what is the control thread's own */
	struct gg_map by_key; /* -> struct waiting * */
	struct waiting *first, **tail;
	struct step *first_step, **step_tail;
	size_t bytes, steps, step_bytes;
	struct gg_map open; /* the book's keys that are not cleared */
	bool started, told;
	_Atomic uint64_t last_id;

	/* the control thread's own: what it has taken and not yet handed over */
	struct waiting *taken;
	struct step *taken_steps;
	struct gg_timer again;
} here = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct gg_str gg_report_key(char *to, size_t size, const char *kind, struct gg_str key)
{
	int n = snprintf(to, size, "%s\x1f%.*s", kind, GG_STR_ARG(key));
	return gg_str_n(to, gg_min_size((size_t)n, size - 1));
}

void gg_reports_lost(const char *cause, const struct gg_event_report *r)
{
	char label[40];
	snprintf(label, sizeof label, "cause=\"%s\"", cause);
	gg_count(
		gg_metric_counter("events_lost_total", label, "Events that could not be taken, by cause"), 1);
	gg_log(GG_ERROR, "events", "an event could not be taken", GG_S("cause", cause), GG_S("kind", r->kind),
		GG_SV("key", r->key), GG_SV("title", r->title));
}

/* ---- from any thread ---- */

static uint64_t next_id(void)
{
	uint64_t now = (uint64_t)(gg_clock_utc(&gg_clock_system) / GG_NS_PER_US);
	uint64_t last = atomic_load(&here.last_id), id;
	do {
		id = now > last ? now : last + 1;
	} while (!atomic_compare_exchange_weak(&here.last_id, &last, id));
	return id;
}

void gg_reports_after(uint64_t id)
{
	if (id > atomic_load(&here.last_id))
		atomic_store(&here.last_id, id);
}

static struct gg_str put(char **at, struct gg_str s)
{
	struct gg_str copy = gg_str_n(*at, s.len);
	gg_str_copy(*at, s.len + 1, s);
	*at += s.len + 1;
	return copy;
}

static struct gg_report *copy_of(const struct gg_event_report *r, uint64_t id)
{
	struct gg_str kind = gg_str(r->kind), title = r->title, message = r->message, trace = r->trace_json;
	title.len = gg_min_size(title.len, TITLE_MAX);
	message.len = gg_min_size(message.len, MESSAGE_MAX);
	if (trace.len > GG_EVENT_TRACE_MAX || here.bytes > GG_REPORT_BYTES)
		trace.len = 0;
	size_t room = gg_max_size(title.len, TEXT_ROOM);
	size_t message_room = message.len ? gg_max_size(message.len, TEXT_ROOM) : 0;
	size_t bytes = sizeof(struct gg_report) + kind.len + r->key.len + room + message_room + trace.len + 5;
	struct gg_report *copy = malloc(bytes);
	if (!copy)
		return NULL;
	*copy = (struct gg_report){
		.id = id, .r = *r, .title_room = room, .message_room = message_room, .bytes = bytes};
	char *at = copy->text;
	copy->r.kind = put(&at, kind).p;
	copy->r.key = put(&at, r->key);
	copy->r.trace_json = put(&at, trace);
	copy->r.title = put(&at, title);
	at = copy->text + (copy->r.title.p - copy->text) + room + 1;
	copy->r.message = put(&at, message);
	if (!r->time_ns)
		copy->r.time_ns = gg_clock_utc(&gg_clock_system);
	return copy;
}

static void free_report(struct gg_report *r)
{
	if (r)
		here.bytes -= r->bytes;
	free(r);
}

static void renew(struct gg_report *rep, struct gg_str *text, size_t room, struct gg_str fresh)
{
	fresh.len = gg_min_size(fresh.len, room);
	if (fresh.len == 0)
		return;
	gg_str_copy(rep->text + (text->p - rep->text), fresh.len + 1, fresh);
	text->len = fresh.len;
}

/* What it says now is what people should read. */
static void repeat(struct gg_report *first, const struct gg_event_report *r)
{
	first->more++;
	renew(first, &first->r.title, first->title_room, r->title);
	renew(first, &first->r.message, first->message_room, r->message);
}

static uint64_t take_in(struct waiting *w, struct gg_report *copy)
{
	here.bytes += copy->bytes;
	w->at[w->count++] = copy;
	return copy->id;
}

/* Returns the id it counts for; 0: no memory. */
static uint64_t fold(struct waiting *w, const struct gg_event_report *r)
{
	struct gg_report *last = w->at[w->count - 1];
	if (last->r.clear == r->clear) {
		if (!r->clear)
			repeat(last, r);
		return last->id;
	}
	if (w->count == 2 && !r->clear) { /* open, clear, open */
		free_report(w->at[--w->count]);
		repeat(w->at[0], r);
		return w->at[0]->id;
	}
	struct gg_report *copy = copy_of(r, next_id());
	if (!copy)
		return 0;
	if (w->count == 2) { /* clear, open, clear */
		free_report(w->at[0]);
		w->at[0] = w->at[--w->count];
	}
	return take_in(w, copy);
}

static uint64_t wait_new(const struct gg_event_report *r, struct gg_str key)
{
	struct waiting *w = calloc(1, sizeof *w);
	struct gg_report *copy = w ? copy_of(r, next_id()) : NULL;
	if (!copy || gg_map_put_ptr(&here.by_key, key, w) < 0) {
		free(copy);
		free(w);
		return 0;
	}
	if (!here.tail)
		here.tail = &here.first;
	*here.tail = w;
	here.tail = &w->next;
	return take_in(w, copy);
}

static void told(void *arg, int64_t number);

/* Under the lock. Once is enough until the control thread has looked. */
static void tell_control(void)
{
	if (here.told || !here.started)
		return;
	here.told = gg_loop_post_lazy(gg_gateway.control, told, NULL, 0) == 0 ||
		    gg_loop_post_sure(gg_gateway.control, told, NULL, 0) == 0;
}

static struct gg_counter *folded_counter(void)
{
	static _Atomic(struct gg_counter *) counter;
	struct gg_counter *c = atomic_load(&counter);
	if (!c)
		atomic_store(&counter, c = gg_metric_counter("events_folded_total", NULL,
					       "Reports of events that were folded into one that waited"));
	return c;
}

uint64_t gg_event(const struct gg_event_report *r)
{
	char text[GG_REPORT_KEY];
	struct gg_str key = gg_report_key(text, sizeof text, r->kind, r->key);
	const char *cause = "memory";
	uint64_t id = 0;
	pthread_mutex_lock(&here.lock);
	struct waiting *w = gg_map_get_ptr(&here.by_key, key);
	bool full = here.by_key.count >= GG_REPORT_KEYS || here.bytes > GG_REPORT_BYTES;
	bool nothing = r->clear && full && !w && !gg_map_find(&here.open, key);
	if (w)
		id = fold(w, r);
	else if (full && !r->clear)
		cause = "flood";
	else if (!nothing)
		id = wait_new(r, key);
	if (id)
		tell_control();
	pthread_mutex_unlock(&here.lock);
	if (w && id)
		gg_count(folded_counter(), 1);
	if (!id && !nothing)
		gg_reports_lost(cause, r);
	return id;
}

static void step_lost(void)
{
	gg_count(gg_metric_counter(
			 "event_steps_lost_total", NULL, "Steps of events' traces that could not be taken"),
		1);
}

void gg_event_trace(uint64_t event, struct gg_str json)
{
	struct step *s = json.len <= GG_EVENT_TRACE_MAX ? malloc(sizeof *s + json.len + 1) : NULL;
	if (!s) {
		step_lost();
		return;
	}
	*s = (struct step){.event = event, .len = json.len};
	gg_str_copy(s->json, json.len + 1, json);
	pthread_mutex_lock(&here.lock);
	bool full = here.steps >= GG_REPORT_STEPS || here.step_bytes > GG_REPORT_STEP_BYTES;
	if (!full) {
		if (!here.step_tail)
			here.step_tail = &here.first_step;
		*here.step_tail = s;
		here.step_tail = &s->next;
		here.steps++;
		here.step_bytes += s->len;
		tell_control();
	}
	pthread_mutex_unlock(&here.lock);
	if (full) {
		free(s);
		step_lost();
	}
}

/* ---- the control thread ---- */

static void take_all(void)
{
	pthread_mutex_lock(&here.lock);
	struct gg_map empty = {0}, was = here.by_key;
	here.by_key = empty;
	here.taken = GG_TAKE(here.first);
	here.taken_steps = GG_TAKE(here.first_step);
	here.tail = NULL;
	here.step_tail = NULL;
	here.bytes = here.steps = here.step_bytes = 0;
	here.told = false;
	pthread_mutex_unlock(&here.lock);
	gg_map_done(&was);
}

static bool hand_over_one(void)
{
	struct waiting *w = here.taken;
	struct step *s = here.taken_steps;
	if (w) {
		here.taken = w->next;
		for (unsigned i = 0; i < w->count; i++) {
			gg_book_take(w->at[i]);
			free(w->at[i]);
		}
		free(w);
	} else if (s) { /* behind the reports: they may be of these */
		here.taken_steps = s->next;
		gg_book_step(s->event, gg_str_n(s->json, s->len));
		free(s);
	}
	return w || s;
}

/* Others want to be served between two turns: the API, instances' answers. */
static void turn(struct gg_timer *t)
{
	int64_t until = gg_clock_monotonic(&gg_clock_system) + turn_ns;
	if (!here.taken && !here.taken_steps)
		take_all();
	gg_book_turn(true);
	while (hand_over_one() && gg_clock_monotonic(&gg_clock_system) < until)
		;
	gg_book_turn(false);
	bool more = gg_reports_waiting();
	pthread_mutex_lock(&here.lock);
	here.told = more && gg_timer_start(gg_gateway.control, t, 0, turn) == 0;
	pthread_mutex_unlock(&here.lock);
}

static void told(void *arg, int64_t number)
{
	(void)arg;
	(void)number;
	turn(&here.again);
}

bool gg_reports_waiting(void)
{
	pthread_mutex_lock(&here.lock);
	bool waiting = here.taken || here.taken_steps || here.first || here.first_step;
	pthread_mutex_unlock(&here.lock);
	return waiting;
}

void gg_reports_opened(struct gg_str key)
{
	pthread_mutex_lock(&here.lock);
	gg_map_put(&here.open, key, 1);
	pthread_mutex_unlock(&here.lock);
}

void gg_reports_cleared(struct gg_str key)
{
	pthread_mutex_lock(&here.lock);
	gg_map_remove(&here.open, key);
	pthread_mutex_unlock(&here.lock);
}

void gg_reports_start(void)
{
	gg_metric_counter("events_lost_total", "cause=\"flood\"", "Events that could not be taken, by cause");
	folded_counter();
	pthread_mutex_lock(&here.lock);
	here.started = true;
	if (here.first || here.first_step)
		tell_control();
	pthread_mutex_unlock(&here.lock);
}

void gg_reports_stop(void)
{
	gg_timer_stop(&here.again);
	gg_book_turn(true);
	while (hand_over_one())
		;
	take_all();
	while (hand_over_one())
		;
	gg_book_turn(false);
	pthread_mutex_lock(&here.lock);
	here.started = here.told = false;
	gg_map_done(&here.open);
	pthread_mutex_unlock(&here.lock);
}
