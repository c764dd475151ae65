/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first promise: a client is told PUBACK or PUBREC when what its message carried is in the journal and
 * synced, and in the order of its messages ([MQTT-4.6.0-2], -3).
 *
 *   a turn of a connection:  PUBLISH PUBLISH PUBLISH ...
 *                               └── samples ──▶ one batch ──▶ submit ──┐ receipt
 *                               └── retained, queued ──▶ records ──────┤ receipts
 *   hold: acks of the turn, how many receipts are missing ◀────────────┘
 *   holds of a connection in order: the first whose receipts are all there lets its acks go, then the next
 *
 * When the journal can't take more: 5.0 has a reason for it (0x97). 3.1.1 has none, so the acknowledgement
 * is held back, reading stops, and the batch, of which we hold a reference, is submitted again with a
 * growing back-off until it succeeds; where only a record was lost, the connection is ended after the
 * back-off, and the client sends its message again. A full shard (-EAGAIN) stops reading until resume().
 *
 * A wait outlives its connection: the core has its receipt. It then leads nowhere and only frees itself.
 */
#include "broker.h"

#include "base/log.h"

struct hold {
	struct connection *connection; /* NULL: gone */
	struct hold *next;
	unsigned waiting; /* receipts that are missing */
	uint32_t acks;    /* how many of the connection's ring are mine */
	int status;       /* the worst of the receipts */
	bool open;        /* the turn is still on */
	struct gg_buf reply;
	void (*over)(void *arg, int status); /* of gg_promise_apart() */
	void *arg;
};

struct wait {
	struct gg_receipt receipt; /* first */
	struct broker *broker;
	struct hold *hold;      /* NULL: nobody waits */
	struct gg_batch *batch; /* to submit again; NULL for a record */
	struct wait *next;      /* idle or stalled */
	int why;                /* it stalled: a negative errno */
	bool soon;              /* of gg_promise_keep_soon() */
	uint32_t number;
	void (*kept)(void *arg, uint32_t number);
	void *arg;
};

static const int64_t stall_first_ns = 100 * GG_NS_PER_MS, stall_most_ns = 10 * GG_NS_PER_S;

static void receipt_done(struct gg_receipt *r, int status);
static void stall_over(struct gg_timer *t);

static struct wait *wait_new(struct broker *b, struct hold *hold)
{
	struct wait *w = b->idle_waits;
	if (w)
		b->idle_waits = w->next;
	else
		w = malloc(sizeof *w);
	if (!w)
		return NULL;
	*w = (struct wait){.receipt = {.done = receipt_done, .loop = b->loop}, .broker = b, .hold = hold};
	if (hold)
		hold->waiting++;
	atomic_fetch_add_explicit(&b->waits_under_way, 1, memory_order_relaxed);
	return w;
}

static void wait_free(struct wait *w)
{
	struct broker *b = w->broker;
	gg_batch_unref(w->batch);
	w->batch = NULL;
	w->next = b->idle_waits;
	b->idle_waits = w;
	if (atomic_fetch_sub_explicit(&b->waits_under_way, 1, memory_order_release) == 1)
		gg_broker_look_idle(b);
}

/* ---- holds ---- */

struct hold *gg_promise_hold(struct connection *c)
{
	if (c->hold)
		return c->hold;
	struct hold *h = calloc(1, sizeof *h);
	if (!h)
		return NULL;
	h->connection = c;
	h->open = true;
	h->reply = GG_BUF(1 << 20);
	if (c->holds_last)
		c->holds_last->next = h;
	else
		c->holds_first = h;
	c->holds_last = h;
	c->hold = h;
	return h;
}

static void hold_free(struct hold *h)
{
	if (h->over)
		h->over(h->arg, h->status);
	gg_buf_done(&h->reply);
	free(h);
}

struct hold *gg_promise_apart(void (*over)(void *arg, int status), void *arg)
{
	struct hold *h = calloc(1, sizeof *h);
	if (!h)
		return NULL;
	*h = (struct hold){.open = true, .over = over, .arg = arg};
	return h;
}

void gg_promise_apart_done(struct hold *h)
{
	h->open = false;
	if (!h->waiting)
		hold_free(h);
}

bool gg_promise_full(const struct connection *c)
{
	return c->ack_count >= c->broker->o.max_inflight;
}

static int grow_acks(struct connection *c)
{
	uint32_t cap = c->ack_cap ? c->ack_cap * 2 : 16;
	struct ack *bigger = malloc(cap * sizeof *bigger);
	if (!bigger)
		return -ENOMEM;
	for (uint32_t i = 0; i < c->ack_count; i++)
		bigger[i] = c->acks[(c->ack_first + i) & (c->ack_cap - 1)];
	free(c->acks);
	c->acks = bigger;
	c->ack_cap = cap;
	c->ack_first = 0;
	return 0;
}

static int add_ack(struct connection *c, const struct ack *a)
{
	struct hold *h = gg_promise_hold(c);
	if (!h || (c->ack_count == c->ack_cap && grow_acks(c) < 0))
		return -ENOMEM;
	c->acks[(c->ack_first + c->ack_count++) & (c->ack_cap - 1)] = *a;
	h->acks++;
	return 0;
}

int gg_promise_ack(struct connection *c, enum gg_mqtt_type type, uint16_t packet_id, uint8_t reason)
{
	struct ack a = {.received_ns = gg_loop_now(c->broker->loop),
		.packet_id = packet_id,
		.type = (uint8_t)type,
		.reason = reason};
	return add_ack(c, &a);
}

int gg_promise_refusal(struct connection *c, enum gg_mqtt_type type, uint16_t packet_id, uint8_t reason)
{
	struct ack a = {.received_ns = gg_loop_now(c->broker->loop),
		.packet_id = packet_id,
		.type = (uint8_t)type,
		.reason = reason,
		.text = reason ? c->broker->why : NULL,
		.limit = reason ? c->broker->limit : NULL};
	return add_ack(c, &a);
}

int gg_promise_reply(struct connection *c, const struct gg_mqtt_packet *packet)
{
	struct hold *h = gg_promise_hold(c);
	struct gg_mqtt_packet fitted = *packet;
	const struct gg_mqtt_packet *p = &fitted;
	gg_connection_fit_words(c, &fitted);
	size_t size = gg_mqtt_size(p, c->version);
	if (size > gg_connection_most(c))
		return -EMSGSIZE;
	char *to = h ? gg_buf_room(&h->reply, size) : NULL;
	if (!to)
		return -ENOMEM;
	struct gg_writer w = gg_writer(to, size);
	gg_mqtt_encode(&w, p, c->version);
	if (!gg_writer_ok(&w))
		return -E2BIG;
	h->reply.len += size;
	return 0;
}

static uint8_t failure_reason(int status)
{
	return status == -ENOSPC || status == -EDQUOT ? GG_MQTT_QUOTA : GG_MQTT_IMPLEMENTATION;
}

/* What an acknowledgement says now that it is known how the keeping went, and what ends with it. */
static void settle_ack(struct connection *c, struct ack *a, int status, int64_t now)
{
	if (a->type != GG_MQTT_PUBACK && a->type != GG_MQTT_PUBREC)
		return;
	if (status < 0 && a->reason < GG_MQTT_UNSPECIFIED) {
		a->reason = failure_reason(status);
		a->text = "what it carried could not be kept";
	}
	bool failed = a->reason >= GG_MQTT_UNSPECIFIED;
	if (a->type == GG_MQTT_PUBACK || failed)
		c->unreleased -= c->unreleased > 0;
	if (a->type == GG_MQTT_PUBREC && failed && c->session)
		gg_session_set_received(c->session, a->packet_id, false);
	gg_histogram_add(c->broker->count.ack_wait, now - a->received_ns);
}

static void send_acks(struct connection *c, const struct hold *h)
{
	int64_t now = gg_loop_now(c->broker->loop);
	if (h->status < 0 && c->version == GG_MQTT_V3) { /* it has no word for it */
		gg_connection_end(c, 0, "what it sent could not be kept");
		return;
	}
	for (uint32_t i = 0; i < h->acks; i++) {
		struct ack a = c->acks[c->ack_first & (c->ack_cap - 1)];
		c->ack_first++;
		c->ack_count--;
		settle_ack(c, &a, h->status, now);
		if (gg_connection_send_ack_text(c, &a) == -EAGAIN) {
			gg_connection_end(c, 0, "client does not read its answers");
			return;
		}
	}
	if (h->reply.len && gg_stream_write(c->stream, h->reply.p, h->reply.len) < 0)
		gg_connection_end(c, GG_MQTT_QUOTA, "client does not read its answers");
	else if (h->reply.len)
		gg_connection_sent(c, h->reply.len);
}

/* Lets go what waits for nothing more, in order. */
static void advance(struct connection *c)
{
	while (c->holds_first && !c->holds_first->open && !c->holds_first->waiting && c->stream &&
		!c->closing) {
		struct hold *h = c->holds_first;
		c->holds_first = h->next;
		if (!c->holds_first)
			c->holds_last = NULL;
		send_acks(c, h);
		hold_free(h);
	}
	if (c->paused & PAUSE_ACKS && !gg_promise_full(c))
		gg_connection_resume(c, PAUSE_ACKS);
}

void gg_promise_turn(struct connection *c)
{
	if (c->hold) {
		c->hold->open = false;
		c->hold = NULL;
	}
	advance(c);
}

void gg_promise_forget(struct connection *c)
{
	for (struct hold *h = c->holds_first; h;) {
		struct hold *next = h->next;
		h->connection = NULL;
		h->open = false;
		if (!h->waiting)
			hold_free(h);
		h = next;
	}
	c->holds_first = c->holds_last = c->hold = NULL;
	free(c->acks);
	c->acks = NULL;
	c->ack_cap = c->ack_count = 0;
}

static void settle(struct hold *h, int status)
{
	if (!h)
		return;
	h->waiting--;
	if (status < 0)
		h->status = status;
	if (h->connection)
		advance(h->connection);
	else if (!h->waiting && !h->open)
		hold_free(h);
}

/* ---- waits ---- */

static void stall(struct wait *w, int why)
{
	struct broker *b = w->broker;
	w->why = why;
	w->next = b->stalled;
	b->stalled = w;
	if (w->hold && w->hold->connection)
		gg_connection_pause(w->hold->connection, PAUSE_JOURNAL);
	if (!b->stall_ns)
		b->stall_ns = stall_first_ns;
	if (!b->stall_timer.place)
		gg_timer_start(b->loop, &b->stall_timer, b->stall_ns, stall_over);
}

static void receipt_done(struct gg_receipt *r, int status)
{
	struct wait *w = (struct wait *)r;
	if (w->soon) {
		struct wait done = *w;
		wait_free(w);
		if (done.kept)
			done.kept(done.arg, done.number);
		return;
	}
	struct connection *c = w->hold ? w->hold->connection : NULL;
	bool can_say = !c || c->version == GG_MQTT_V5;
	bool busy = status == -EAGAIN && (w->batch || c);
	if (!w->broker->closing && status < 0 && (busy || !can_say)) {
		stall(w, status);
		return;
	}
	if (status == 0)
		w->broker->stall_ns = 0;
	struct hold *h = w->hold;
	wait_free(w);
	settle(h, status);
}

static void submit_again(struct wait *w)
{
	struct broker *b = w->broker;
	struct connection *c = w->hold ? w->hold->connection : NULL;
	if (!w->batch && c) { /* a record: the client has the message still, and sends it again */
		struct hold *h = w->hold;
		wait_free(w);
		gg_connection_end(c, GG_MQTT_QUOTA, "the journal does not take more");
		settle(h, -ENOSPC);
		return;
	}
	if (!w->batch || (w->hold && !c && w->why != -EAGAIN)) {
		struct hold *h = w->hold;
		int why = w->why;
		wait_free(w);
		settle(h, why);
		return;
	}
	gg_batch_ref(w->batch); /* what submit takes */
	if (w->hold) {
		w->batch->receipt = &w->receipt;
		b->outside.submit_take(b->outside.arg, w->batch); /* a failure comes back as the receipt */
		return;
	}
	int rc = b->outside.submit_take(b->outside.arg, w->batch);
	if (rc == -EAGAIN)
		stall(w, rc);
	else
		wait_free(w);
}

void gg_promise_resume(struct broker *b)
{
	struct wait *w = b->stalled;
	b->stalled = NULL;
	gg_timer_stop(&b->stall_timer);
	struct wait *in_order = NULL;
	while (w) { /* the list is newest first */
		struct wait *next = w->next;
		w->next = in_order;
		in_order = w;
		w = next;
	}
	while (in_order) {
		w = in_order;
		in_order = w->next;
		submit_again(w);
	}
	for (struct connection *c = b->connections, *next; !b->stalled && c; c = next) {
		next = c->next;
		if (c->paused & PAUSE_JOURNAL)
			gg_connection_resume(c, PAUSE_JOURNAL);
	}
}

static void stall_over(struct gg_timer *t)
{
	struct broker *b = GG_CONTAINER(t, struct broker, stall_timer);
	b->stall_ns = b->stall_ns * 2 < stall_most_ns ? b->stall_ns * 2 : stall_most_ns;
	gg_promise_resume(b);
}

void gg_promise_batch_take(struct broker *b, struct connection *c, struct hold *hold, struct gg_batch *batch)
{
	if (b->o.durability == DURABILITY_MEMORY)
		hold = NULL;
	struct wait *w = hold ? wait_new(b, hold) : NULL;
	struct gg_batch *again = gg_batch_ref(batch);
	if (w) {
		w->batch = again;
		batch->receipt = &w->receipt;
		b->outside.submit_take(b->outside.arg, batch);
		return;
	}
	int rc = b->outside.submit_take(b->outside.arg, batch);
	if (hold)
		hold->status = -ENOMEM; /* no memory for the wait: the client is told that it failed */
	if (rc != -EAGAIN || hold || !(w = wait_new(b, NULL))) {
		gg_batch_unref(again);
		return;
	}
	w->batch = again;
	stall(w, rc);
	if (c)
		gg_connection_pause(c, PAUSE_JOURNAL);
}

void gg_promise_keep(struct broker *b, struct hold *hold, struct gg_str record)
{
	if (b->replaying)
		return;
	bool wants = hold && b->o.durability == DURABILITY_DISK;
	struct wait *w = wants ? wait_new(b, hold) : NULL;
	int rc = b->outside.keep(b->outside.arg, record.p, record.len, w ? &w->receipt : NULL);
	if (rc < 0 && w) {
		wait_free(w);
		hold->waiting--;
	}
	if (rc < 0 || (wants && !w)) {
		if (hold)
			hold->status = rc < 0 ? rc : -ENOMEM;
		gg_log(GG_WARN, b->outside.name, "a record could not be kept", GG_I("errno", -rc));
	}
}

void gg_promise_keep_soon(struct broker *b, struct gg_str record, void (*kept)(void *arg, uint32_t number),
	void *arg, uint32_t number)
{
	struct wait *w = b->replaying || b->o.durability != DURABILITY_DISK ? NULL : wait_new(b, NULL);
	if (!w) {
		gg_promise_keep(b, NULL, record);
		if (kept)
			kept(arg, number);
		return;
	}
	w->soon = true;
	w->kept = kept;
	w->arg = arg;
	w->number = number;
	int rc = b->outside.keep(b->outside.arg, record.p, record.len, &w->receipt);
	if (rc == 0)
		return;
	gg_log(GG_WARN, b->outside.name, "a record could not be kept", GG_I("errno", -rc));
	receipt_done(&w->receipt, rc);
}

void gg_promise_done(struct broker *b)
{
	gg_timer_stop(&b->stall_timer);
	while (b->stalled) {
		struct wait *w = b->stalled;
		b->stalled = w->next;
		struct hold *h = w->hold;
		wait_free(w);
		settle(h, -ESHUTDOWN);
	}
}

/* Waits whose receipt is still with the core are left to it: it will write into them. */
void gg_promise_free(struct broker *b)
{
	while (b->idle_waits) {
		struct wait *w = b->idle_waits;
		b->idle_waits = w->next;
		free(w);
	}
}
