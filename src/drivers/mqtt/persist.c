/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What survives the process: small records in the journal, replayed in order at the next start.
 *
 *   S session     client id, expiry, when it left (0: connected), device
 *   X its end     client id
 *   s subscribed  client id, filter, options, identifier
 *   u and no more client id, filter
 *   M message     id, expiry, receivers, PUBLISH of 5.0
 *   m QoS 2 in    client id, packet id, and M: whole or not at all, so that it is neither lost nor sent twice
 *   A also for    message id, receiver
 *   O outgoing    client id, message id, packet id, state; QoS 2 in flight, DONE of any
 *   Q QoS 2 in    client id, packet id, received or released
 *   R retained    expiry, PUBLISH of 5.0; empty payload: cleared
 *   r retained    device whose it is, expiry, PUBLISH
 *   W will        client id, device, flags, delay, serial, PUBLISH
 *   w no will     client id, serial
 *
 * A receiver is a client id, options (QoS, 4 retain, 8 may have been sent, 16 identifiers follow) and the
 * first subscription identifier.
 *
 * A record says everything it needs, so that replaying one twice does no harm. Messages are encoded as the
 * protocol does, so there is no second codec. Compacting writes what is still valid anew.
 */
#include "broker.h"

#include "base/log.h"

enum { RECORD_EXTRA = 64 << 10 };

static struct gg_writer begin(struct broker *b, size_t size)
{
	gg_buf_clear(&b->record);
	char *room = gg_buf_room(&b->record, size);
	struct gg_writer w = gg_writer(room, room ? size : 0);
	w.failed = !room;
	return w;
}

static void end(struct broker *b, const struct gg_writer *w, struct hold *hold)
{
	if (gg_writer_ok(w))
		gg_promise_keep(b, hold, gg_str_n(w->start, gg_writer_len(w)));
	else
		gg_log(GG_ERROR, b->outside.name, "a record is too large to be kept");
}

/* A record for whose being on disk somebody waits who is no acknowledgement. */
static void end_soon(struct broker *b, const struct gg_writer *w, void (*kept)(void *arg, uint32_t number),
	void *arg, uint32_t number)
{
	if (gg_writer_ok(w)) {
		gg_promise_keep_soon(b, gg_str_n(w->start, gg_writer_len(w)), kept, arg, number);
		return;
	}
	gg_log(GG_ERROR, b->outside.name, "a record is too large to be kept");
	if (kept)
		kept(arg, number);
}

static void put_str(struct gg_writer *w, struct gg_str s)
{
	gg_write_be16(w, (uint16_t)s.len);
	gg_write_bytes(w, s.p, s.len);
}

static struct gg_str get_str(struct gg_reader *r)
{
	return gg_read_str(r, gg_read_be16(r));
}

/* ---- writing ---- */

void gg_persist_session(struct session *s, struct hold *hold)
{
	struct broker *b = s->broker;
	struct gg_writer w = begin(b, s->id_len + 512);
	gg_write_u8(&w, 'S');
	put_str(&w, gg_session_id(s));
	gg_write_be32(&w, s->expiry_s);
	gg_write_be64(&w, (uint64_t)(s->connection ? 0 : s->left_ns));
	put_str(&w, s->device == GG_NONE ? gg_str_n("", 0) : b->outside.device_id(s->device));
	end(b, &w, hold);
}

void gg_persist_session_end(struct session *s)
{
	struct gg_writer w = begin(s->broker, s->id_len + 16);
	gg_write_u8(&w, 'X');
	put_str(&w, gg_session_id(s));
	end(s->broker, &w, NULL);
}

void gg_persist_subscription(const struct subscription *s, struct hold *hold)
{
	struct broker *b = s->session->broker;
	struct gg_writer w = begin(b, s->session->id_len + s->filter.len + 32);
	gg_write_u8(&w, 's');
	put_str(&w, gg_session_id(s->session));
	put_str(&w, s->filter);
	gg_write_u8(&w, (uint8_t)(s->qos | (s->no_local ? 4 : 0) | (s->retain_as_published ? 8 : 0)));
	gg_write_be32(&w, s->id);
	end(b, &w, hold);
}

void gg_persist_unsubscribe(struct session *s, struct gg_str filter, struct hold *hold)
{
	struct gg_writer w = begin(s->broker, s->id_len + filter.len + 16);
	gg_write_u8(&w, 'u');
	put_str(&w, gg_session_id(s));
	put_str(&w, filter);
	end(s->broker, &w, hold);
}

static void put_message(struct gg_writer *w, const struct message *m)
{
	struct gg_mqtt_publish p = m->publish;
	if (p.qos)
		p.packet_id = 1;
	gg_mqtt_encode_publish(w, &p, GG_MQTT_V5);
}

static size_t message_room(const struct message *m)
{
	return gg_mqtt_publish_size(&m->publish, GG_MQTT_V5) + 8;
}

void gg_persist_retained(struct broker *b, const struct message *m, uint32_t owner, struct hold *hold)
{
	struct gg_writer w = begin(b, message_room(m) + 512);
	gg_write_u8(&w, owner == GG_NONE ? 'R' : 'r');
	if (owner != GG_NONE)
		put_str(&w, b->outside.device_id(owner));
	gg_write_be64(&w, (uint64_t)m->expires_ns);
	put_message(&w, m);
	end(b, &w, hold);
}

void gg_persist_retained_clear(struct broker *b, struct gg_str topic, struct hold *hold)
{
	struct gg_mqtt_publish p = {.topic = topic, .payload = {"", 0}, .retain = true};
	struct gg_writer w = begin(b, gg_mqtt_publish_size(&p, GG_MQTT_V5) + 16);
	gg_write_u8(&w, 'R');
	gg_write_be64(&w, (uint64_t)INT64_MAX);
	gg_mqtt_encode_publish(&w, &p, GG_MQTT_V5);
	end(b, &w, hold);
}

enum { RETAIN = 4, AGAIN = 8, MORE_IDS = 16, RECEIVER_ROOM = 8 + 4 * OUT_IDS };

static void put_receiver(struct gg_writer *w, const struct persist_receiver *r)
{
	bool more = r->ids[1] != 0;
	put_str(w, gg_session_id(r->session));
	gg_write_u8(w, (uint8_t)(r->qos | (r->retain ? RETAIN : 0) | (r->again ? AGAIN : 0) |
				 (more ? MORE_IDS : 0)));
	gg_write_be32(w, r->ids[0]);
	for (size_t i = 1; more && i < OUT_IDS; i++)
		gg_write_be32(w, r->ids[i]);
}

struct receiver {
	struct gg_str id;
	uint8_t options;
	uint32_t ids[OUT_IDS];
};

static void get_receiver(struct gg_reader *r, struct receiver *ret)
{
	*ret = (struct receiver){.id = get_str(r)};
	ret->options = gg_read_u8(r);
	ret->ids[0] = gg_read_be32(r);
	for (size_t i = 1; (ret->options & MORE_IDS) && i < OUT_IDS; i++)
		ret->ids[i] = gg_read_be32(r);
}

void gg_persist_message(struct broker *b, struct message *m, const struct persist_receiver *receivers,
	size_t count, const struct session *received_from, struct hold *hold)
{
	size_t size = message_room(m) + 64 + (received_from ? received_from->id_len : 0);
	if (!m->id)
		m->id = b->next_message_id++;
	for (size_t i = 0; i < count; i++)
		size += receivers[i].session->id_len + RECEIVER_ROOM;
	struct gg_writer w = begin(b, size);
	gg_write_u8(&w, received_from ? 'm' : 'M');
	if (received_from) {
		put_str(&w, gg_session_id(received_from));
		gg_write_be16(&w, b->received_id);
		b->received_id = 0;
	}
	gg_write_be64(&w, m->id);
	gg_write_be64(&w, (uint64_t)m->expires_ns);
	gg_write_be32(&w, (uint32_t)count);
	for (size_t i = 0; i < count; i++)
		put_receiver(&w, &receivers[i]);
	put_message(&w, m);
	end(b, &w, hold);
}

static void persist_also(struct session *s, const struct outgoing *o)
{
	struct gg_writer w = begin(s->broker, s->id_len + 32 + RECEIVER_ROOM);
	struct persist_receiver r = {.session = s,
		.qos = o->qos,
		.retain = o->retain,
		.again = o->again || o->state != OUT_QUEUED};
	memcpy(r.ids, o->ids, sizeof r.ids);
	gg_write_u8(&w, 'A');
	gg_write_be64(&w, o->message->id);
	put_receiver(&w, &r);
	end(s->broker, &w, NULL);
}

static struct gg_writer outgoing_record(struct session *s, const struct outgoing *o, uint8_t state)
{
	struct gg_writer w = begin(s->broker, s->id_len + 32);
	gg_write_u8(&w, 'O');
	put_str(&w, gg_session_id(s));
	gg_write_be64(&w, o->message->id);
	gg_write_be16(&w, o->packet_id);
	gg_write_u8(&w, state);
	return w;
}

void gg_persist_outgoing(struct session *s, const struct outgoing *o, uint8_t state, struct hold *hold)
{
	struct gg_writer w = outgoing_record(s, o, state);
	end(s->broker, &w, hold);
}

void gg_persist_sending(struct session *s, const struct outgoing *o, void (*kept)(void *arg, uint32_t number),
	void *arg, uint32_t number)
{
	struct gg_writer w = outgoing_record(s, o, OUT_SENT);
	end_soon(s->broker, &w, kept, arg, number);
}

/* A will is not acknowledged, but it has to be on disk before long: the crash may come before the client
 * goes. */
void gg_persist_will(struct session *s)
{
	struct broker *b = s->broker;
	if (!s->will_serial)
		s->will_serial = ++b->last_will;
	struct gg_writer w = begin(b, message_room(s->will) + s->id_len + 512);
	gg_write_u8(&w, 'W');
	put_str(&w, gg_session_id(s));
	put_str(&w, s->device == GG_NONE ? gg_str_n("", 0) : b->outside.device_id(s->device));
	gg_write_u8(&w, s->any_topic);
	gg_write_be32(&w, s->will_delay_s);
	gg_write_be32(&w, s->will_serial);
	put_message(&w, s->will);
	end_soon(b, &w, NULL, NULL, 0);
	s->will_kept = true;
}

void gg_persist_will_gone(struct broker *b, struct gg_str client, uint32_t serial)
{
	struct gg_writer w = begin(b, client.len + 16);
	gg_write_u8(&w, 'w');
	put_str(&w, client);
	gg_write_be32(&w, serial);
	end_soon(b, &w, NULL, NULL, 0);
}

void gg_persist_received(struct session *s, uint16_t packet_id, bool on, struct hold *hold)
{
	struct gg_writer w = begin(s->broker, s->id_len + 16);
	gg_write_u8(&w, 'Q');
	put_str(&w, gg_session_id(s));
	gg_write_be16(&w, packet_id);
	gg_write_u8(&w, on);
	end(s->broker, &w, hold);
}

/* ---- replaying ---- */

/* A time that no clock can have shown would not survive being reckoned with. */
static int64_t get_time(struct gg_reader *r)
{
	int64_t ns = (int64_t)gg_read_be64(r);
	return ns < 0 ? 0 : ns;
}

static struct gg_str key_of(uint64_t *id)
{
	return gg_str_n(id, sizeof *id);
}

static void replay_session(struct broker *b, struct gg_reader *r)
{
	struct gg_str id = get_str(r);
	uint32_t expiry_s = gg_read_be32(r);
	int64_t left_ns = get_time(r);
	struct gg_str device = get_str(r);
	struct session *s = r->failed ? NULL : gg_session_find(b, id);
	if (!r->failed && !s)
		s = gg_session_new(b, id);
	if (!s)
		return;
	s->expiry_s = expiry_s;
	s->left_ns = left_ns;
	if (!left_ns)
		gg_outbound_maybe_sent(s);
	if (device.len)
		b->outside.device(b->outside.arg, device, &s->device);
}

/* Nothing of the server's own topics is ever kept, so none is taken from a record. */
static bool get_message(struct gg_reader *r, struct gg_mqtt_packet *ret)
{
	struct gg_mqtt_frame f;
	uint8_t reason;
	struct gg_str rest = gg_read_str(r, gg_reader_left(r));
	return gg_mqtt_frame(rest, SIZE_MAX, &f, NULL) == 0 && f.type == GG_MQTT_PUBLISH &&
	       gg_mqtt_decode(&f, GG_MQTT_V5, ret, &reason) == 0 && ret->publish.topic.len &&
	       ret->publish.topic.p[0] != '$';
}

static void replay_receiver(struct broker *b, struct gg_reader *r, struct message *m)
{
	struct receiver to;
	get_receiver(r, &to);
	struct session *s = r->failed ? NULL : gg_session_find(b, to.id);
	uint8_t qos = to.options & 3;
	if (!s || !m || !qos || qos > 2 || gg_outbound_find(s, m->id))
		return;
	if (gg_outbound_add(s, m, qos, to.options & RETAIN, to.ids) == 0 &&
		(!s->left_ns || (to.options & AGAIN)))
		gg_outbound_find(s, m->id)->again = true;
}

static void replay_will(struct broker *b, struct gg_reader *r)
{
	struct gg_str id = get_str(r), device = get_str(r);
	uint8_t any_topic = gg_read_u8(r);
	uint32_t delay_s = gg_read_be32(r), serial = gg_read_be32(r);
	struct gg_mqtt_packet p;
	if (r->failed || id.len == 0 || !get_message(r, &p))
		return;
	struct session *s = gg_session_find(b, id);
	if (!s)
		s = gg_session_new(b, id); /* it was to end with its connection, and did */
	if (!s)
		return;
	gg_message_unref(s->will);
	s->will = gg_message_new(b, &p.publish);
	s->will_delay_s = delay_s;
	s->will_kept = true;
	s->will_serial = serial;
	if (serial > b->last_will)
		b->last_will = serial;
	s->any_topic = any_topic;
	if (device.len)
		b->outside.device(b->outside.arg, device, &s->device);
}

static void replay_will_gone(struct session *s, uint32_t serial)
{
	if (s->will_serial != serial)
		return;
	gg_message_unref(s->will);
	s->will = NULL;
	s->will_kept = false;
	if (!gg_session_persists(s))
		gg_session_end(s, true);
}

static void replay_received(struct broker *b, struct gg_reader *r)
{
	struct session *s = gg_session_find(b, get_str(r));
	uint16_t id = gg_read_be16(r);
	if (s && !r->failed)
		gg_session_set_received(s, id, true);
}

static void replay_message(struct broker *b, struct gg_reader *r)
{
	uint64_t id = gg_read_be64(r);
	int64_t expires_ns = get_time(r);
	uint32_t count = gg_read_be32(r);
	struct gg_reader receivers = *r;
	for (uint32_t i = 0; i < count && !r->failed; i++) {
		struct receiver skipped;
		get_receiver(r, &skipped);
	}
	struct gg_mqtt_packet p;
	if (r->failed || !get_message(r, &p))
		return;
	struct message *m = gg_map_get_ptr(&b->replayed, key_of(&id));
	if (!m) {
		m = gg_message_new(b, &p.publish);
		if (!m || gg_map_put_ptr(&b->replayed, key_of(&id), m) < 0) {
			gg_message_unref(m);
			return;
		}
		m->id = id;
		m->expires_ns = expires_ns;
	}
	if (id >= b->next_message_id)
		b->next_message_id = id + 1;
	for (uint32_t i = 0; i < count; i++)
		replay_receiver(b, &receivers, m);
}

static void replay_outgoing(struct broker *b, struct gg_reader *r)
{
	struct session *s = gg_session_find(b, get_str(r));
	uint64_t id = gg_read_be64(r);
	uint16_t packet_id = gg_read_be16(r);
	uint8_t state = gg_read_u8(r);
	struct outgoing *o = s && !r->failed ? gg_outbound_find(s, id) : NULL;
	if (!o || state == OUT_QUEUED || state > OUT_DONE)
		return;
	if (state == OUT_DONE) {
		gg_outbound_finish(s, o);
		gg_outbound_trim(s);
	} else {
		gg_outbound_restore(s, o, packet_id, state);
	}
}

static void replay_subscription(struct broker *b, struct gg_reader *r)
{
	struct session *s = gg_session_find(b, get_str(r));
	struct gg_mqtt_filter f = {.filter = get_str(r)};
	uint8_t options = gg_read_u8(r);
	uint32_t id = gg_read_be32(r);
	bool is_new;
	f.qos = options & 3;
	f.no_local = options & 4;
	f.retain_as_published = options & 8;
	if (s && !r->failed)
		gg_subscription_set(s, &f, id, &is_new);
}

static void replay_retained(struct broker *b, uint8_t type, struct gg_reader *r)
{
	uint32_t owner = GG_NONE;
	struct gg_str device = type == 'r' ? get_str(r) : GG_STR("");
	int64_t expires_ns = get_time(r);
	struct gg_mqtt_packet p;
	if (r->failed || !get_message(r, &p))
		return;
	if (device.len)
		b->outside.device(b->outside.arg, device, &owner);
	gg_retain_quietly(b, &p.publish, owner, expires_ns);
}

static void replay_small(struct broker *b, uint8_t type, struct gg_reader *r)
{
	struct session *s = gg_session_find(b, get_str(r));
	if (!s || r->failed)
		return;
	if (type == 'X') {
		if (s->will_kept)
			gg_session_empty(s);
		else
			gg_session_end(s, true);
	} else if (type == 'w') {
		replay_will_gone(s, gg_read_be32(r));
	} else if (type == 'u') {
		struct gg_str filter = get_str(r);
		if (!r->failed)
			gg_subscription_drop(s, filter);
	} else if (type == 'Q') {
		uint16_t id = gg_read_be16(r);
		bool on = gg_read_u8(r);
		if (!r->failed)
			gg_session_set_received(s, id, on);
	}
}

void gg_persist_replay(struct broker *b, struct gg_str record)
{
	struct gg_reader r = gg_reader(record.p, record.len);
	uint8_t type = gg_read_u8(&r);
	uint64_t id;
	b->replaying = true;
	switch (type) {
	case 'S':
		replay_session(b, &r);
		break;
	case 's':
		replay_subscription(b, &r);
		break;
	case 'm':
		replay_received(b, &r);
		replay_message(b, &r);
		break;
	case 'M':
		replay_message(b, &r);
		break;
	case 'A':
		id = gg_read_be64(&r);
		replay_receiver(b, &r, gg_map_get_ptr(&b->replayed, key_of(&id)));
		break;
	case 'O':
		replay_outgoing(b, &r);
		break;
	case 'R':
	case 'r':
		replay_retained(b, type, &r);
		break;
	case 'W':
		replay_will(b, &r);
		break;
	default:
		replay_small(b, type, &r);
	}
	b->replaying = false;
}

void gg_persist_replayed(struct broker *b)
{
	struct gg_map_entry *e;
	gg_map_each (e, &b->replayed)
		gg_message_unref((struct message *)(uintptr_t)e->value);
	gg_map_done(&b->replayed);
	/* A session may end here and its will open or close others: the list is gathered first. */
	size_t count = 0;
	struct session **all = calloc(b->sessions.count + 1, sizeof *all);
	gg_map_each (e, &b->sessions)
		if (all)
			all[count++] = (struct session *)(uintptr_t)e->value;
	for (size_t i = 0; i < count; i++)
		gg_session_replayed(all[i]);
	free(all);
}

/* ---- compacting ---- */

static void compact_retained(void *arg, struct message *m, uint32_t owner)
{
	gg_persist_retained(arg, m, owner, NULL);
}

static void compact_outgoing(void *arg, struct session *s, struct outgoing *o)
{
	struct gg_map *written = arg;
	struct gg_str key = gg_str_n(&o->message->id, sizeof o->message->id);
	if (!o->message->id || !gg_map_find(written, key)) {
		gg_persist_message(s->broker, o->message, NULL, 0, NULL, NULL);
		gg_map_put(written, gg_str_n(&o->message->id, sizeof o->message->id), 1);
	}
	persist_also(s, o);
	if (o->qos == 2 && o->state != OUT_QUEUED)
		gg_persist_outgoing(s, o, o->state, NULL);
	else if (o->qos == 2 && o->record)
		gg_persist_outgoing(s, o, OUT_SENT, NULL);
}

void gg_persist_compact(struct broker *b)
{
	struct gg_map written = {0};
	const struct gg_map_entry *e;
	gg_map_each (e, &b->sessions) {
		struct session *s = (struct session *)(uintptr_t)e->value;
		if (!gg_session_persists(s)) {
			if (s->will)
				gg_persist_will(s);
			continue;
		}
		gg_persist_session(s, NULL);
		if (s->will)
			gg_persist_will(s);
		for (const struct subscription *sub = s->subscriptions; sub; sub = sub->next)
			gg_persist_subscription(sub, NULL);
		for (uint32_t id = 1; s->received && id <= UINT16_MAX; id++)
			if (gg_session_received(s, (uint16_t)id))
				gg_persist_received(s, (uint16_t)id, true, NULL);
		gg_outbound_each(s, compact_outgoing, &written);
	}
	gg_map_done(&written);
	gg_retained_each(b, compact_retained, b);
}
