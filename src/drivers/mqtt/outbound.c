/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session's outgoing messages with QoS 1 and 2, in one ring in order:
 *
 *   first ──▶ SENT  DONE  RELEASED  SENT │ QUEUED  QUEUED ... ◀── count
 *             └──────── out_sent ───────┘
 *
 * What is in flight stands before what waits, so order holds ([MQTT-4.6.0-6]) and a reconnect sends the same
 * again from the start ([MQTT-4.4.0-1]). The window is the client's Receive Maximum (§4.9). QoS 1: SENT, then
 * DONE by PUBACK. QoS 2: SENT, RELEASED by PUBREC (the client has it; PUBREL goes out), DONE by PUBCOMP.
 * DONE entries leave from the front.
 *
 * A new connection begins with an empty window: what was SENT goes out again within it, in order and before
 * anything new.
 *
 * QoS 2 means once, over a crash as well: the client knows a message by its packet id, so that id is on disk
 * before the message is sent (records are written ahead, for as many as the window has room), and so is
 * RELEASED before PUBREL. A record on its way holds the session's outbox; the records of a session come back
 * in order, so a number tells which are there.
 */
#include "broker.h"

static struct outgoing *at(const struct session *s, uint32_t i)
{
	return &s->out[(s->out_first + i) & (s->out_cap - 1)];
}

static int grow(struct session *s)
{
	uint32_t cap = s->out_cap ? s->out_cap * 2 : 8;
	struct outgoing *bigger = malloc(cap * sizeof *bigger);
	if (!bigger)
		return -ENOMEM;
	for (uint32_t i = 0; i < s->out_count; i++)
		bigger[i] = *at(s, i);
	free(s->out);
	s->out = bigger;
	s->out_cap = cap;
	s->out_first = 0;
	return 0;
}

int gg_outbound_add(struct session *s, struct message *m, uint8_t qos, bool retain, const uint32_t *ids)
{
	const struct broker *b = s->broker;
	if (s->out_count - s->out_sent >= b->o.max_queued && !b->replaying)
		return -ENOBUFS;
	size_t bytes = s->out_bytes + s->subscription_bytes + m->size;
	if (b->o.client_memory && bytes > b->o.client_memory && !b->replaying)
		return -EDQUOT;
	if (s->out_count == s->out_cap && grow(s) < 0)
		return -ENOMEM;
	struct outgoing *o = at(s, s->out_count++);
	*o = (struct outgoing){
		.message = gg_message_ref(m), .qos = qos, .retain = retain, .state = OUT_QUEUED};
	if (ids)
		memcpy(o->ids, ids, sizeof o->ids);
	s->out_bytes += m->size;
	return 0;
}

static void pop_done(struct session *s)
{
	while (s->out_count && at(s, 0)->state == OUT_DONE) {
		s->out_bytes -= at(s, 0)->message->size;
		gg_message_unref(at(s, 0)->message);
		s->out_first++;
		s->out_count--;
		s->out_sent -= s->out_sent > 0;
		s->out_looked -= s->out_looked > 0;
	}
}

/* It has arrived, or will never. */
void gg_outbound_finish(struct session *s, struct outgoing *o)
{
	if (o->resend)
		s->out_resend--;
	else if (o->state == OUT_SENT || o->state == OUT_RELEASED)
		s->out_unacked -= s->out_unacked > 0;
	o->resend = false;
	o->state = OUT_DONE;
	if (gg_session_persists(s) && o->message->id)
		gg_persist_outgoing(s, o, OUT_DONE, NULL);
}

/* How many ids behind the last one are free: one look at all that is in flight, for many messages. */
static uint16_t free_ids_ahead(const struct session *s)
{
	uint16_t free_ids = UINT16_MAX;
	uint32_t end = s->out_looked > s->out_sent ? s->out_looked : s->out_sent;
	for (uint32_t i = 0; i < end && i < s->out_count; i++) {
		uint16_t id = at(s, i)->packet_id, ahead = (uint16_t)(id - s->last_packet_id - 1);
		if (id && at(s, i)->state != OUT_DONE && ahead < free_ids)
			free_ids = ahead;
	}
	return free_ids;
}

static uint16_t new_packet_id(struct session *s)
{
	for (;;) {
		if (!s->free_ids)
			s->free_ids = free_ids_ahead(s);
		bool used = !s->free_ids;
		s->free_ids = (uint16_t)(s->free_ids - !used);
		s->last_packet_id++;
		if (!used && s->last_packet_id)
			return s->last_packet_id;
	}
}

int gg_outbound_send(struct connection *c, const struct gg_mqtt_publish *p, int64_t expires_ns,
	const struct outgoing *o, bool dup)
{
	struct broker *b = c->broker;
	struct gg_mqtt_publish q = *p;
	q.qos = o->qos;
	q.dup = dup && o->qos;
	q.retain = o->retain;
	q.packet_id = o->packet_id;
	int64_t left_ns = expires_ns - gg_broker_utc(b);
	if (expires_ns != INT64_MAX) /* what is sent again may have expired meanwhile */
		q.properties.message_expiry_s =
			left_ns > GG_NS_PER_S ? (uint32_t)((left_ns + GG_NS_PER_S - 1) / GG_NS_PER_S) : 1;
	for (size_t i = 0; i < OUT_IDS && o->ids[i]; i++) {
		q.properties.subscription_ids[i] = o->ids[i];
		gg_mqtt_set(&q.properties, GG_MQTT_SUBSCRIPTION_ID);
	}
	bool known = false;
	uint16_t alias = c->alias_maximum ? gg_alias_pick(c, p->topic, &known) : 0;
	if (alias) {
		q.properties.topic_alias = alias;
		gg_mqtt_set(&q.properties, GG_MQTT_TOPIC_ALIAS);
		q.topic = known ? gg_str_n("", 0) : q.topic;
	}
	size_t size = gg_mqtt_publish_size(&q, c->version);
	if (size > c->maximum_packet)
		return -EMSGSIZE;
	uint8_t *room = gg_stream_room(c->stream, size);
	if (!room)
		return -EAGAIN;
	struct gg_writer w = gg_writer(room, size);
	gg_mqtt_encode_publish(&w, &q, c->version);
	if (!gg_writer_ok(&w))
		return -EMSGSIZE;
	gg_stream_commit(c->stream, size);
	if (alias && !known)
		gg_alias_sent(c, alias, p->topic);
	b->sent++;
	b->payload_sent += q.payload.len;
	gg_count(b->count.out[q.qos], 1);
	gg_connection_sent(c, size);
	return 0;
}

static bool expired(const struct session *s, const struct outgoing *o)
{
	return o->message->expires_ns <= gg_broker_utc(s->broker);
}

static bool needs_record(const struct session *s, const struct outgoing *o)
{
	return o->qos == 2 && gg_session_persists(s) && o->message->id;
}

/* Sends the next one that waits. Errors: -EAGAIN no room, -EINPROGRESS its packet id is not on disk yet. */
static int send_next(struct session *s)
{
	struct outgoing *o = at(s, s->out_sent);
	if (o->state == OUT_DONE) { /* it had arrived before the process ended */
		s->out_sent++;
		return 0;
	}
	if (expired(s, o)) {
		gg_count(s->broker->count.dropped_expired, 1);
		s->out_sent++;
		gg_outbound_finish(s, o);
		return 0;
	}
	if (needs_record(s, o) && (!o->record || (int32_t)(s->records_kept - o->record) < 0))
		return -EINPROGRESS;
	if (!o->packet_id)
		o->packet_id = new_packet_id(s);
	int rc = gg_outbound_send(s->connection, &o->message->publish, o->message->expires_ns, o, o->again);
	if (rc == -EAGAIN)
		return rc;
	s->out_sent++;
	if (rc < 0) { /* [MQTT-3.1.2-25]: larger than the client takes: as if it had arrived */
		gg_count(s->broker->count.dropped_large, 1);
		gg_outbound_finish(s, o);
		return 0;
	}
	o->state = OUT_SENT;
	s->out_unacked++;
	return 0;
}

/* Sends what an earlier connection left; false: not all of it, for now. */
static bool send_again(struct session *s, uint32_t window)
{
	for (uint32_t i = 0; s->out_resend && i < s->out_sent; i++) {
		struct outgoing *o = at(s, i);
		if (!o->resend)
			continue;
		if (s->out_unacked >= window)
			return false;
		if (!o->packet_id)
			o->packet_id = new_packet_id(s);
		int rc = gg_outbound_send(
			s->connection, &o->message->publish, o->message->expires_ns, o, true);
		if (rc == -EAGAIN)
			return false;
		if (rc < 0) { /* as in send_next() */
			gg_count(s->broker->count.dropped_large, 1);
			gg_outbound_finish(s, o);
			continue;
		}
		o->resend = false;
		s->out_resend--;
		s->out_unacked++;
	}
	return true;
}

static void outbox_unref(struct outbox *x)
{
	if (x && --x->refs == 0)
		free(x);
}

static void ids_kept(void *arg, uint32_t number)
{
	struct outbox *x = arg;
	struct session *s = x->session;
	if (s) {
		s->records_kept = number;
		if (!s->pumping)
			gg_outbound_pump(s);
	}
	outbox_unref(x);
}

/* Gives packet ids to the messages of QoS 2 that fit the window, and keeps them. Only the last record tells
 * when it is on disk: those before it are then as well. */
static void record_ahead(struct session *s, uint32_t window)
{
	uint32_t room = window - (s->out_unacked < window ? s->out_unacked : window);
	struct outgoing *last = NULL;
	if (s->out_looked < s->out_sent)
		s->out_looked = s->out_sent;
	while (s->out_looked < s->out_count && s->out_looked - s->out_sent < room) {
		struct outgoing *o = at(s, s->out_looked++);
		if (o->state == OUT_DONE || o->record || !needs_record(s, o))
			continue;
		if (last)
			gg_persist_outgoing(s, last, OUT_SENT, NULL);
		if (!o->packet_id)
			o->packet_id = new_packet_id(s);
		if (++s->records_asked == 0)
			s->records_asked = 1;
		o->record = s->records_asked;
		last = o;
	}
	if (!last)
		return;
	if (!s->outbox && (s->outbox = calloc(1, sizeof *s->outbox)))
		*s->outbox = (struct outbox){.session = s, .refs = 1};
	if (!s->outbox) { /* no memory to wait with: rather twice after a crash than never */
		gg_persist_outgoing(s, last, OUT_SENT, NULL);
		s->records_kept = s->records_asked;
		return;
	}
	s->outbox->refs++;
	gg_persist_sending(s, last, ids_kept, s->outbox, s->records_asked);
}

void gg_outbound_pump(struct session *s)
{
	const struct connection *c = s->connection;
	if (!c || c->closing || c->state != CONNECTED)
		return;
	uint32_t window = c->receive_maximum < s->broker->o.max_inflight
				  ? c->receive_maximum
				  : (uint32_t)s->broker->o.max_inflight;
	s->pumping = true;
	record_ahead(s, window);
	bool more = !s->out_resend || send_again(s, window);
	while (more && s->out_sent < s->out_count && s->out_unacked < window)
		if (send_next(s) < 0)
			break;
	s->pumping = false;
	pop_done(s);
}

void gg_outbound_reconnected(struct session *s)
{
	s->out_unacked = s->out_resend = 0;
	for (uint32_t i = 0; i < s->out_sent; i++) {
		struct outgoing *o = at(s, i);
		o->resend = o->state == OUT_SENT;
		s->out_resend += o->resend;
		if (o->state != OUT_RELEASED)
			continue;
		s->out_unacked++;
		gg_connection_send_ack(s->connection, GG_MQTT_PUBREL, o->packet_id, 0);
	}
	gg_outbound_pump(s);
}

/* PUBREL waits until it is on disk that the client has the message: else a crash would send it again. */
static void release(struct connection *c, uint16_t packet_id, uint8_t reason)
{
	if (gg_promise_ack(c, GG_MQTT_PUBREL, packet_id, reason) < 0)
		gg_connection_send_ack(c, GG_MQTT_PUBREL, packet_id, reason);
}

void gg_outbound_ack(struct session *s, enum gg_mqtt_type type, uint16_t packet_id, uint8_t reason)
{
	struct outgoing *o = NULL;
	for (uint32_t i = 0; i < s->out_sent && !o; i++)
		if (at(s, i)->packet_id == packet_id && at(s, i)->state != OUT_DONE)
			o = at(s, i);
	bool failed = reason >= GG_MQTT_UNSPECIFIED;
	if (type == GG_MQTT_PUBREC && !failed) {
		bool fits = o && o->qos == 2;
		if (fits && o->state == OUT_SENT) {
			s->out_unacked += o->resend;
			s->out_resend -= o->resend;
			o->resend = false;
			o->state = OUT_RELEASED;
			if (gg_session_persists(s) && o->message->id)
				gg_persist_outgoing(s, o, OUT_RELEASED, gg_promise_hold(s->connection));
		}
		release(s->connection, packet_id, fits ? 0 : GG_MQTT_PACKET_ID_NOT_FOUND);
		return;
	}
	if (!o || (type == GG_MQTT_PUBACK) != (o->qos == 1))
		return; /* late, or nonsense: there is nothing to end */
	if (o->message->command)
		gg_command_answered(o->message, reason);
	gg_outbound_finish(s, o);
	gg_outbound_pump(s);
}

struct outgoing *gg_outbound_find(struct session *s, uint64_t message_id)
{
	for (uint32_t i = 0; i < s->out_count; i++)
		if (at(s, i)->message->id == message_id && at(s, i)->state != OUT_DONE)
			return at(s, i);
	return NULL;
}

/* Replay: the entry was in flight when the process ended, or about to be: its packet id stands. Those before
 * it may have been sent as well; their ids are not known. */
void gg_outbound_restore(struct session *s, struct outgoing *o, uint16_t packet_id, uint8_t state)
{
	if (o->state == OUT_QUEUED) {
		uint32_t i = 0;
		while (at(s, i) != o)
			i++;
		for (; s->out_sent <= i; s->out_sent++)
			if (at(s, s->out_sent)->state == OUT_QUEUED) {
				at(s, s->out_sent)->state = OUT_SENT;
				s->out_unacked++;
			}
	}
	o->packet_id = packet_id;
	o->state = state;
	if (packet_id > s->last_packet_id)
		s->last_packet_id = packet_id;
	s->free_ids = 0;
}

/* Replay: the client was connected with these in its queue. */
void gg_outbound_maybe_sent(struct session *s)
{
	for (uint32_t i = 0; i < s->out_count; i++)
		at(s, i)->again = true;
}

void gg_outbound_trim(struct session *s)
{
	pop_done(s);
}

void gg_outbound_each(
	struct session *s, void (*each)(void *arg, struct session *s, struct outgoing *o), void *arg)
{
	for (uint32_t i = 0; i < s->out_count; i++)
		if (at(s, i)->state != OUT_DONE)
			each(arg, s, at(s, i));
}

void gg_outbound_done(struct session *s)
{
	for (uint32_t i = 0; i < s->out_count; i++)
		gg_message_unref(at(s, i)->message);
	free(s->out);
	s->out = NULL;
	if (s->outbox)
		s->outbox->session = NULL;
	outbox_unref(GG_TAKE(s->outbox));
	s->out_bytes = 0;
	s->out_looked = 0;
	s->out_cap = s->out_count = s->out_sent = s->out_unacked = s->out_resend = 0;
}
