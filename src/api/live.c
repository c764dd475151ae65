/* SPDX-License-Identifier: Apache-2.0 */
#include "api/live.h"
#include "api/handlers.h"
#include "api/ring.h"
#include "api/tokens.h"
#include "base/log.h"
#include "core/signals.h"
#include "gateway/gateway.h"

enum { MESSAGE_BYTES = 32 << 10, MESSAGE_MAX = 256 << 10, QUEUED_MOST = 1 << 20, PATTERNS_MOST = 2000 };

#define TURN_NS      (100 * GG_NS_PER_MS)
#define STATUS_NS    GG_NS_PER_S
#define HEARTBEAT_NS (10 * GG_NS_PER_S)
#define PATIENCE_NS  (15 * GG_NS_PER_S)

struct client {
	struct gg_http_request *r;
	struct client *next;
	char *patterns; /* NULL: all signals */
	bool values, events, status, gone;
	uint64_t seen; /* number in the ring */
	char token[sizeof((struct gg_api_call *)0)->token];
	/* per signal of the table, as far as it was looked at: chosen, and the count last sent */
	struct {
		uint64_t sent;
		bool chosen;
	} * signals;
	uint32_t known;
	int64_t written_ns; /* when something was last put to it */
	int64_t blocked_ns; /* since when it takes nothing; 0: it takes */
	size_t queued_before;
};

static struct {
	struct gg_loop *loop;
	struct gg_timer timer;
	struct client *clients;
	unsigned count;
	struct gg_ring ring;
	struct gg_buf text; /* of the message being made */
	int64_t status_ns;  /* when status was last sent */
	struct gg_gauge *clients_now;
	struct gg_counter *dropped;
} live;

/* ---- sending ---- */

static int put(struct client *c, struct gg_str text)
{
	if (c->gone)
		return -EPIPE;
	if (gg_http_stream_queued(c->r) + text.len > QUEUED_MOST)
		return -EAGAIN;
	int rc = gg_http_stream_write(c->r, text);
	if (rc == 0)
		c->written_ns = gg_loop_now(live.loop);
	return rc;
}

static struct gg_json_writer begin_message(const char *event, uint64_t number)
{
	gg_buf_clear(&live.text);
	if (number)
		gg_buf_printf(&live.text, "id: %llx-%llu\n", (unsigned long long)gg_gateway.started_ns,
			(unsigned long long)number);
	gg_buf_printf(&live.text, "event: %s\ndata: ", event);
	return gg_json_writer(&live.text);
}

static bool end_message(void)
{
	gg_buf_str(&live.text, GG_STR("\n\n"));
	return !live.text.error;
}

/* ---- events: through the ring ---- */

static void on_event(void *arg, const struct gg_event_entry *e, const char *change)
{
	(void)arg;
	struct gg_json_writer w = begin_message("event", gg_ring_newest(&live.ring) + 1);
	gg_json_begin_object(&w);
	gg_json_put_str(&w, "change", gg_str(change));
	gg_json_key(&w, GG_STR("event"));
	gg_json_begin_object(&w);
	gg_event_json_brief(e, &w);
	gg_json_end_object(&w);
	gg_json_end_object(&w);
	if (end_message())
		gg_ring_add(&live.ring, gg_buf_view(&live.text));
}

static void send_events(struct client *c)
{
	struct gg_str text;
	uint64_t number;
	int rc;
	while ((rc = gg_ring_after(&live.ring, c->seen, &number, &text)) == 0) {
		if (put(c, text) < 0)
			return;
		c->seen = number;
	}
	if (rc != -ESTALE)
		return;
	struct gg_json_writer w = begin_message("reset", gg_ring_newest(&live.ring));
	gg_json_begin_object(&w);
	gg_json_end_object(&w);
	if (end_message() && put(c, gg_buf_view(&live.text)) == 0)
		c->seen = gg_ring_newest(&live.ring);
}

/* ---- values ---- */

static bool learn_signals(struct client *c)
{
	uint32_t count = gg_signal_count();
	if (count == c->known)
		return true;
	void *more = realloc(c->signals, count * sizeof *c->signals);
	if (!more)
		return false;
	c->signals = more;
	for (uint32_t i = c->known; i < count; i++) {
		const struct gg_signal_info *info = gg_signal(i);
		c->signals[i].sent = 0;
		c->signals[i].chosen = info && gg_api_pattern_fits(gg_str(c->patterns), info->name);
	}
	c->known = count;
	return true;
}

static void put_value(struct gg_json_writer *w, uint32_t i, const struct gg_last *last)
{
	const struct gg_signal_info *info = gg_signal(i);
	gg_json_begin_object(w);
	gg_json_put_str(w, "name", info->name);
	gg_api_last_json(w, last);
	gg_json_end_object(w);
}

/* What is not taken now stays unsent, and goes with its newest value in a later turn. */
static uint32_t fill_message(struct client *c, uint32_t from, struct gg_json_writer *w)
{
	uint32_t i;
	for (i = from; i < c->known && live.text.len < MESSAGE_BYTES; i++) {
		struct gg_last last;
		if (!c->signals[i].chosen || !gg_last_get(i, &last) || last.count == c->signals[i].sent)
			continue;
		put_value(w, i, &last);
		c->signals[i].sent = last.count;
	}
	return i;
}

static void send_values(struct client *c)
{
	if (!learn_signals(c) || gg_http_stream_queued(c->r) > QUEUED_MOST / 2)
		return;
	for (uint32_t at = 0; at < c->known;) {
		struct gg_json_writer w = begin_message("values", 0);
		size_t empty = live.text.len;
		gg_json_begin_array(&w);
		at = fill_message(c, at, &w);
		gg_json_end_array(&w);
		if (live.text.len == empty + 2) /* "[]" */
			return;
		if (!end_message() || put(c, gg_buf_view(&live.text)) < 0) {
			/* What was marked as sent was not: say it all again when there is room. */
			for (uint32_t i = 0; i < c->known; i++)
				c->signals[i].sent = 0;
			return;
		}
		if (gg_http_stream_queued(c->r) > QUEUED_MOST / 2)
			return;
	}
}

/* ---- the turn ---- */

static void free_client(struct client *c)
{
	struct client **at = &live.clients;
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	live.count--;
	gg_gauge_set(live.clients_now, live.count);
	gg_http_stream_end(c->r, /* whole= */ !c->gone && !c->blocked_ns);
	free(c->patterns);
	free(c->signals);
	free(c);
}

static bool is_stuck(struct client *c)
{
	size_t queued = gg_http_stream_queued(c->r);
	int64_t now = gg_loop_now(live.loop);
	bool takes = queued == 0 || queued < c->queued_before;
	c->queued_before = queued;
	if (takes)
		c->blocked_ns = 0;
	else if (!c->blocked_ns)
		c->blocked_ns = now;
	return c->blocked_ns && now - c->blocked_ns > PATIENCE_NS;
}

/* A token that was taken away ends what was begun with it. */
static bool may_stay(const struct client *c)
{
	return !c->token[0] || gg_tokens_find(gg_str(c->token));
}

static void serve(struct client *c, bool status_due)
{
	if (c->events)
		send_events(c);
	if (c->values)
		send_values(c);
	if (c->status && status_due) {
		struct gg_json_writer w = begin_message("status", 0);
		gg_api_status_json(&w);
		if (end_message())
			put(c, gg_buf_view(&live.text));
	}
	if (gg_loop_now(live.loop) - c->written_ns > HEARTBEAT_NS)
		put(c, GG_STR(": still here\n\n"));
}

static void turn(struct gg_timer *t)
{
	int64_t now = gg_loop_now(live.loop);
	bool status_due = now - live.status_ns >= STATUS_NS;
	if (status_due)
		live.status_ns = now;
	for (struct client *c = live.clients, *next; c; c = next) {
		next = c->next;
		if (!c->gone && is_stuck(c)) {
			gg_log(GG_WARN, "api", "a live client takes nothing, dropping it");
			gg_count(live.dropped, 1);
			free_client(c);
		} else if (c->gone || !may_stay(c)) {
			free_client(c);
		} else {
			serve(c, status_due);
		}
	}
	if (live.clients)
		gg_timer_start(live.loop, t, TURN_NS, turn);
}

/* ---- clients come and go ---- */

static void client_gone(void *arg, struct gg_http_request *r)
{
	struct client *c = arg;
	(void)r;
	c->gone = true; /* freed in the next turn: somebody may be walking the list now */
}

static bool has_topic(struct gg_str topics, const char *name)
{
	if (topics.len == 0)
		return true;
	while (topics.len)
		if (gg_str_is(gg_str_trim(gg_str_cut(&topics, ',')), name))
			return true;
	return false;
}

/* Where a client that comes back goes on; one that is new begins with what comes. */
static uint64_t resume_at(struct gg_api_call *call)
{
	struct gg_str number = gg_http_header(call->r, "last-event-id"), run;
	char start[24];
	uint64_t seen;
	if (number.len == 0)
		return gg_ring_newest(&live.ring);
	run = gg_str_cut(&number, '-');
	snprintf(start, sizeof start, "%llx", (unsigned long long)gg_gateway.started_ns);
	if (!gg_str_is(run, start) || gg_parse_uint(number, &seen) < 0)
		return UINT64_MAX; /* of a run before: a reset follows */
	return seen;
}

void gg_api_live(struct gg_api_call *call)
{
	static const struct gg_http_stream_ops ops = {.gone = client_gone};
	struct gg_str patterns, topics;
	if (!gg_api_text(call, "signals", &patterns) || !gg_api_text(call, "topics", &topics))
		return;
	struct client *c =
		live.count < GG_LIVE_CLIENTS && patterns.len <= PATTERNS_MOST ? calloc(1, sizeof *c) : NULL;
	if (!c) {
		gg_api_problem(call, -EAGAIN, "too many live clients (%d), or a pattern beyond %d bytes",
			GG_LIVE_CLIENTS, PATTERNS_MOST);
		return;
	}
	*c = (struct client){.r = call->r,
		.patterns = patterns.len ? gg_str_dup(patterns) : NULL,
		.values = has_topic(topics, "values"),
		.events = has_topic(topics, "events"),
		.status = has_topic(topics, "status"),
		.seen = resume_at(call),
		.next = live.clients,
		.written_ns = gg_loop_now(live.loop)};
	gg_str_copy(c->token, sizeof c->token, gg_str(call->token));
	live.clients = c;
	gg_gauge_set(live.clients_now, ++live.count);
	gg_http_add_header(call->r, "X-Accel-Buffering", GG_STR("no"));
	gg_http_stream_begin(c->r, 200, "text/event-stream", &ops, c);
	put(c, GG_STR("retry: 2000\n\n"));
	serve(c, /* status_due= */ true);
	if (!live.timer.place)
		gg_timer_start(live.loop, &live.timer, TURN_NS, turn);
}

int gg_live_start(struct gg_loop *loop)
{
	live.loop = loop;
	live.text = GG_BUF(MESSAGE_MAX);
	live.clients_now = gg_metric_gauge("api_live_clients", NULL, "Clients of the live stream");
	live.dropped = gg_metric_counter("api_live_dropped_total", NULL, "Live clients that took nothing");
	return gg_events_watch(on_event, NULL);
}

void gg_live_stop(void)
{
	if (!live.loop)
		return;
	while (live.clients)
		free_client(live.clients);
	gg_timer_stop(&live.timer);
	gg_buf_done(&live.text);
	gg_ring_done(&live.ring);
	memset(&live, 0, sizeof live);
}
