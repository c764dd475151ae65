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
	if (s->out_count - s->out_sent >= b->o.max_queued)
		return -ENOBUFS;
	if (s->out_count == s->out_cap && grow(s) < 0)
		return -ENOMEM;
	struct outgoing *o = at(s, s->out_count++);
	*o = (struct outgoing){
		.message = gg_message_ref(m), .qos = qos, .retain = retain, .state = OUT_QUEUED};
	if (ids)
		memcpy(o->ids, ids, sizeof o->ids);
	return 0;
}

static void pop_done(struct session *s)
{
	while (s->out_count && at(s, 0)->state == OUT_DONE) {
		gg_message_unref(at(s, 0)->message);
		s->out_first++;
		s->out_count--;
		s->out_sent -= s->out_sent > 0;
	}
}

/* It has arrived, or will never. */
void gg_outbound_finish(struct session *s, struct outgoing *o)
{
	if (o->state == OUT_SENT || o->state == OUT_RELEASED)
		s->out_unacked -= s->out_unacked > 0;
	o->state = OUT_DONE;
	if (gg_session_persists(s) && o->message->id)
		gg_persist_outgoing(s, o);
}

/* How many ids behind the last one are free: one look at all that is in flight, for many messages. */
static uint16_t free_ids_ahead(const struct session *s)
{
	uint16_t free_ids = UINT16_MAX;
	for (uint32_t i = 0; i < s->out_sent; i++) {
		uint16_t ahead = (uint16_t)(at(s, i)->packet_id - s->last_packet_id - 1);
		if (at(s, i)->state != OUT_DONE && ahead < free_ids)
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
	if (expires_ns != INT64_MAX)
		q.properties.message_expiry_s =
			(uint32_t)((expires_ns - gg_loop_utc(b->loop) + GG_NS_PER_S - 1) / GG_NS_PER_S);
	for (size_t i = 0; i < OUT_IDS && o->ids[i]; i++) {
		q.properties.subscription_ids[i] = o->ids[i];
		gg_mqtt_set(&q.properties, GG_MQTT_SUBSCRIPTION_ID);
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
	b->sent++;
	gg_count(b->count.out[q.qos], 1);
	gg_count(b->count.bytes_out, size);
	return 0;
}

static bool expired(const struct session *s, const struct outgoing *o)
{
	return o->message->expires_ns <= gg_loop_utc(s->broker->loop);
}

/* Sends the next one that waits; -EAGAIN: no room. */
static int send_next(struct session *s)
{
	struct outgoing *o = at(s, s->out_sent);
	if (expired(s, o)) {
		gg_count(s->broker->count.dropped_expired, 1);
		s->out_sent++;
		gg_outbound_finish(s, o);
		return 0;
	}
	o->packet_id = new_packet_id(s);
	int rc = gg_outbound_send(s->connection, &o->message->publish, o->message->expires_ns, o, false);
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
	if (o->qos == 2 && gg_session_persists(s) && o->message->id)
		gg_persist_outgoing(s, o);
	return 0;
}

void gg_outbound_pump(struct session *s)
{
	const struct connection *c = s->connection;
	if (!c || c->closing || c->state != CONNECTED)
		return;
	uint32_t window = c->receive_maximum < s->broker->o.max_inflight
				  ? c->receive_maximum
				  : (uint32_t)s->broker->o.max_inflight;
	while (s->out_sent < s->out_count && s->out_unacked < window)
		if (send_next(s) < 0)
			break;
	pop_done(s);
}

void gg_outbound_reconnected(struct session *s)
{
	struct connection *c = s->connection;
	for (uint32_t i = 0; i < s->out_sent; i++) {
		struct outgoing *o = at(s, i);
		if (o->state == OUT_RELEASED)
			gg_connection_send_ack(c, GG_MQTT_PUBREL, o->packet_id, 0);
		if (o->state == OUT_SENT && gg_outbound_send(c, &o->message->publish, o->message->expires_ns,
						    o, true) == -EAGAIN) {
			gg_connection_end(c, GG_MQTT_QUOTA, "no room to send again what was in flight");
			return;
		}
	}
	gg_outbound_pump(s);
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
			o->state = OUT_RELEASED;
			if (gg_session_persists(s) && o->message->id)
				gg_persist_outgoing(s, o);
		}
		gg_connection_send_ack(
			s->connection, GG_MQTT_PUBREL, packet_id, fits ? 0 : GG_MQTT_PACKET_ID_NOT_FOUND);
		return;
	}
	if (!o || (type == GG_MQTT_PUBACK) != (o->qos == 1))
		return; /* late, or nonsense: there is nothing to end */
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

/* Replay: the entry was in flight when the process ended. It goes before those that were not. */
void gg_outbound_restore(struct session *s, struct outgoing *o, uint16_t packet_id, uint8_t state)
{
	struct outgoing moved = *o;
	if (moved.state == OUT_QUEUED) {
		uint32_t i = 0;
		while (at(s, i) != o)
			i++;
		for (; i > s->out_sent; i--)
			*at(s, i) = *at(s, i - 1);
		o = at(s, s->out_sent++);
		s->out_unacked++;
	}
	moved.packet_id = packet_id;
	moved.state = state;
	*o = moved;
	if (packet_id > s->last_packet_id)
		s->last_packet_id = packet_id;
	s->free_ids = 0;
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
	s->out_cap = s->out_count = s->out_sent = s->out_unacked = 0;
}
