/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions (§4.1): what a client finds again when it comes back. A session lives as long as its connection
 * and then for its expiry; a will with a delay is sent when the delay or the session is over, unless the
 * client is back before (§3.1.3.2.2).
 */
#include "broker.h"

enum { RECEIVED_WORDS = 65536 / 64 };

struct session *gg_session_find(struct broker *b, struct gg_str id)
{
	return gg_map_get_ptr(&b->sessions, id);
}

struct session *gg_session_new(struct broker *b, struct gg_str id)
{
	struct session *s = calloc(1, sizeof *s);
	if (!s || gg_map_put_ptr(&b->sessions, id, s) < 0) {
		free(s);
		return NULL;
	}
	s->broker = b;
	s->id = gg_map_find(&b->sessions, id)->key; /* the key's memory does not move */
	s->id_len = id.len;
	s->device = GG_NONE;
	gg_gauge_set(b->count.sessions, (int64_t)b->sessions.count);
	return s;
}

/* Which will was sent; its session may have ended, or have another by now. */
struct sent_will {
	struct broker *broker;
	uint32_t serial;
	size_t len;
	char client[];
};

/* What it said is on disk: now it may be forgotten. If it is not, a restart sends it again. */
static void will_safe(void *arg, int status)
{
	struct sent_will *w = arg;
	if (status == 0 && !w->broker->closing)
		gg_persist_will_gone(w->broker, gg_str_n(w->client, w->len), w->serial);
	free(w);
}

static struct hold *hold_will(const struct session *s)
{
	struct sent_will *w = s->will_kept ? malloc(sizeof *w + s->id_len) : NULL;
	if (!w)
		return NULL;
	*w = (struct sent_will){.broker = s->broker, .serial = s->will_serial, .len = s->id_len};
	memcpy(w->client, s->id, s->id_len);
	struct hold *h = gg_promise_apart(will_safe, w);
	if (!h)
		free(w);
	return h;
}

void gg_session_will(struct session *s)
{
	struct message *m = GG_TAKE(s->will);
	gg_timer_stop(&s->will_timer);
	if (m && !s->broker->closing && !s->broker->replaying) {
		struct hold *h = hold_will(s);
		gg_broker_route(s->broker, NULL, s, &m->publish, h, NULL);
		if (h)
			gg_promise_apart_done(h);
	}
	s->will_kept = false;
	s->will_serial = 0;
	gg_message_unref(m);
}

void gg_session_drop_will(struct session *s)
{
	gg_timer_stop(&s->will_timer);
	gg_message_unref(s->will);
	s->will = NULL;
	if (s->will_kept && !s->broker->closing)
		gg_persist_will_gone(s->broker, gg_session_id(s), s->will_serial);
	s->will_kept = false;
	s->will_serial = 0;
}

void gg_session_end(struct session *s, bool keep_record)
{
	struct broker *b = s->broker;
	gg_session_will(s);
	if (gg_session_persists(s) && !keep_record)
		gg_persist_session_end(s);
	gg_timer_stop(&s->expiry);
	while (s->subscriptions)
		gg_subscription_drop(s, s->subscriptions->filter);
	gg_outbound_done(s);
	gg_map_remove(&b->sessions, gg_session_id(s)); /* and with it goes the id */
	gg_gauge_set(b->count.sessions, (int64_t)b->sessions.count);
	free(s->received);
	free(s);
}

void gg_session_empty(struct session *s)
{
	s->expiry_s = 0;
	while (s->subscriptions)
		gg_subscription_drop(s, s->subscriptions->filter);
	gg_outbound_done(s);
	free(s->received);
	s->received = NULL;
}

static void expiry_over(struct gg_timer *t)
{
	struct session *s = GG_CONTAINER(t, struct session, expiry);
	s->broker->expired_clients++;
	gg_session_end(s, false);
}

static void will_over(struct gg_timer *t)
{
	gg_session_will(GG_CONTAINER(t, struct session, will_timer));
}

void gg_session_start_expiry(struct session *s)
{
	int64_t now = gg_broker_utc(s->broker);
	if (s->expiry_s == UINT32_MAX)
		return;
	if (!s->left_ns)
		s->left_ns = now;
	if (s->left_ns > now) /* the clock was ahead when it left */
		s->left_ns = now;
	int64_t left = s->left_ns + (int64_t)s->expiry_s * GG_NS_PER_S - now;
	gg_timer_start(s->broker->loop, &s->expiry, left, expiry_over);
}

void gg_session_left(struct session *s, bool goodbye)
{
	struct broker *b = s->broker;
	if (goodbye)
		gg_session_drop_will(s);
	if (!gg_session_persists(s)) {
		gg_session_end(s, b->closing);
		return;
	}
	s->left_ns = gg_broker_utc(b);
	gg_persist_session(s, NULL);
	gg_session_start_expiry(s);
	if (s->will && s->will_delay_s)
		gg_timer_start(b->loop, &s->will_timer, (int64_t)s->will_delay_s * GG_NS_PER_S, will_over);
	else if (s->will)
		gg_session_will(s);
}

void gg_session_replayed(struct session *s)
{
	struct broker *b = s->broker;
	int64_t now = gg_broker_utc(b);
	if (!s->left_ns)
		s->left_ns = now; /* it was connected: it leaves now */
	if (!gg_session_persists(s)) {
		gg_session_end(s, false);
		return;
	}
	gg_session_start_expiry(s);
	int64_t left = s->left_ns + (int64_t)s->will_delay_s * GG_NS_PER_S - now;
	if (s->will && left > 0)
		gg_timer_start(b->loop, &s->will_timer, left, will_over);
	else if (s->will)
		gg_session_will(s);
}

bool gg_session_received(struct session *s, uint16_t id)
{
	return s->received && (s->received[id / 64] >> (id % 64) & 1);
}

int gg_session_set_received(struct session *s, uint16_t id, bool on)
{
	if (!s->received && !on)
		return 0;
	if (!s->received)
		s->received = calloc(RECEIVED_WORDS, sizeof *s->received);
	if (!s->received)
		return -ENOMEM;
	uint64_t bit = 1ULL << (id % 64);
	s->received[id / 64] = on ? s->received[id / 64] | bit : s->received[id / 64] & ~bit;
	return 0;
}
