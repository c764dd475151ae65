/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client's connection: bytes become packets, packets go to the file that knows their kind.
 *
 *   AWAITS_CONNECT ──CONNECT──▶ AWAITS_LOGIN ──granted──▶ CONNECTED ──▶ closing
 *
 * One call of on_data() is a turn: all packets that have come are taken, then the samples they brought leave
 * as a batch, and acknowledgements that wait for nothing go out. Whoever must not be read from is paused, for
 * one cause or several; the rest of the input stays in the stream and comes again.
 */
#include "broker.h"

#include "base/log.h"

static const int64_t connect_timeout_ns = 10 * GG_NS_PER_S;

static struct gg_mqtt_properties *explained(struct gg_mqtt_packet *p)
{
	switch (p->type) {
	case GG_MQTT_CONNACK:
		return &p->connack.properties;
	case GG_MQTT_DISCONNECT:
	case GG_MQTT_AUTH:
		return &p->disconnect.properties;
	case GG_MQTT_SUBACK:
	case GG_MQTT_UNSUBACK:
		return &p->subscribe.properties;
	case GG_MQTT_PUBACK:
	case GG_MQTT_PUBREC:
		return &p->ack.properties;
	default:
		return NULL;
	}
}

static const uint64_t words = 1ULL << GG_MQTT_REASON_STRING | 1ULL << GG_MQTT_USER_PROPERTY;

void gg_connection_explain(
	struct gg_mqtt_properties *q, const char *text, const char *limit, char block[LIMIT_BLOCK])
{
	struct gg_writer w = gg_writer(block, LIMIT_BLOCK);
	if (text) {
		q->reason = gg_str(text);
		gg_mqtt_set(q, GG_MQTT_REASON_STRING);
	}
	if (!limit)
		return;
	gg_mqtt_user_add(&w, GG_STR("limit"), gg_str(limit));
	if (!gg_writer_ok(&w))
		return;
	q->user = gg_str_n(block, gg_writer_len(&w));
	gg_mqtt_set(q, GG_MQTT_USER_PROPERTY);
}

/* Words are left out for whom they are not for ([MQTT-3.1.2-29]) and where the packet would be too large for
 * its receiver ([MQTT-3.2.2-19] and its like). */
void gg_connection_fit_words(const struct connection *c, struct gg_mqtt_packet *p)
{
	struct gg_mqtt_properties *q = explained(p);
	if (!q || !(q->present & words))
		return;
	bool always = p->type == GG_MQTT_CONNACK || p->type == GG_MQTT_DISCONNECT;
	if (!c->problem_info && !always)
		q->present &= ~words;
	if (c->maximum_packet && gg_mqtt_size(p, c->version) > c->maximum_packet)
		q->present &= ~words;
}

int gg_connection_send(struct connection *c, const struct gg_mqtt_packet *packet)
{
	struct gg_mqtt_packet fitted = *packet;
	const struct gg_mqtt_packet *p = &fitted;
	gg_connection_fit_words(c, &fitted);
	size_t size = gg_mqtt_size(p, c->version);
	if (size > gg_connection_most(c))
		return -EMSGSIZE;
	uint8_t *room = gg_stream_room(c->stream, size);
	if (!room)
		return -EAGAIN;
	struct gg_writer w = gg_writer(room, size);
	gg_mqtt_encode(&w, p, c->version);
	if (!gg_writer_ok(&w))
		return -E2BIG;
	gg_stream_commit(c->stream, size);
	gg_connection_sent(c, size);
	return 0;
}

int gg_connection_send_ack(struct connection *c, enum gg_mqtt_type type, uint16_t packet_id, uint8_t reason)
{
	struct ack a = {.type = (uint8_t)type, .packet_id = packet_id, .reason = reason};
	return gg_connection_send_ack_text(c, &a);
}

int gg_connection_send_ack_text(struct connection *c, const struct ack *a)
{
	enum gg_mqtt_type type = (enum gg_mqtt_type)a->type;
	uint16_t packet_id = a->packet_id;
	char block[LIMIT_BLOCK];
	if (a->reason && c->version == GG_MQTT_V5) {
		struct gg_mqtt_packet p = {
			.type = a->type, .ack = {.packet_id = packet_id, .reason = a->reason}};
		gg_connection_explain(&p.ack.properties, a->text, a->limit, block);
		return gg_connection_send(c, &p);
	}
	uint8_t *room = gg_stream_room(c->stream, GG_MQTT_ACK_SIZE);
	if (!room)
		return -EAGAIN;
	gg_mqtt_put_ack(room, type, packet_id);
	gg_stream_commit(c->stream, GG_MQTT_ACK_SIZE);
	gg_connection_sent(c, GG_MQTT_ACK_SIZE);
	return 0;
}

void gg_connection_pause(struct connection *c, enum pause_cause cause)
{
	if (!c->paused && c->stream)
		gg_stream_pause(c->stream);
	c->paused |= (uint8_t)cause;
}

void gg_connection_resume(struct connection *c, enum pause_cause cause)
{
	bool was = c->paused;
	c->paused &= (uint8_t)~cause;
	if (was && !c->paused && c->stream && !c->closing) {
		c->last_seen_ns = gg_loop_now(c->broker->loop);
		gg_stream_resume(c->stream);
	}
}

/* The session lives on without it, or ends. */
static void leave(struct connection *c, const char *why)
{
	struct session *s = c->session;
	if (!s)
		return;
	c->session = NULL;
	s->connection = NULL;
	if (c->device != GG_NONE)
		c->broker->outside.health(c->broker->outside.arg, c->device, false, why);
	gg_session_left(s, c->said_goodbye);
}

/* Who was ended for what it did; an end that is nobody's fault is no news. */
static void tell_end(const struct connection *c, uint8_t reason, const char *why)
{
	if (c->told || c->said_goodbye || reason == GG_MQTT_TAKEN_OVER || reason == GG_MQTT_SHUTTING_DOWN)
		return;
	gg_log(GG_WARN, c->broker->outside.name, "connection ended", GG_S("peer", gg_stream_peer(c->stream)),
		GG_SV("client", c->session ? gg_session_id(c->session) : GG_STR("")), GG_S("why", why));
}

void gg_connection_end(struct connection *c, uint8_t reason, const char *why)
{
	gg_connection_end_limit(c, reason, NULL, why);
}

void gg_connection_end_limit(struct connection *c, uint8_t reason, const char *limit, const char *why)
{
	if (c->closing)
		return;
	tell_end(c, reason, why);
	if (reason && c->state == CONNECTED && c->version == GG_MQTT_V5) {
		char block[LIMIT_BLOCK];
		struct gg_mqtt_packet p = {.type = GG_MQTT_DISCONNECT, .disconnect = {.reason = reason}};
		struct gg_mqtt_properties *q = &p.disconnect.properties;
		gg_connection_explain(q, why, limit, block);
		bool moved = reason == GG_MQTT_USE_ANOTHER_SERVER || reason == GG_MQTT_SERVER_MOVED;
		if (moved && c->broker->o.redirect.to) {
			q->server_reference = gg_str(c->broker->o.redirect.to);
			gg_mqtt_set(q, GG_MQTT_SERVER_REFERENCE);
		}
		gg_connection_send(c, &p);
	}
	c->closing = true;
	leave(c, why);
	gg_stream_linger(c->stream);
	gg_stream_close(c->stream, true, why);
}

static void on_closed(void *arg, struct gg_stream *s, int status, const char *reason)
{
	struct connection *c = arg;
	struct broker *b = c->broker;
	(void)s;
	gg_log(GG_DEBUG, b->outside.name, "client gone", GG_S("peer", gg_stream_peer(s)),
		GG_I("status", status), GG_S("reason", reason));
	c->closing = true;
	c->stream = NULL;
	leave(c, reason);
	gg_connect_forget(c);
	gg_auth_forget(c);
	gg_alias_done(c);
	gg_ingest_flush(c);
	gg_promise_forget(c);
	gg_timer_stop(&c->timer);
	gg_timer_stop(&c->rate_timer);
	for (size_t i = 0; c->aliases && i < UINT8_MAX; i++)
		free(c->aliases[i]);
	free(c->aliases);
	free(c->id);
	free(c->topics);
	if (c->previous)
		c->previous->next = c->next;
	else
		b->connections = c->next;
	if (c->next)
		c->next->previous = c->previous;
	b->connection_count--;
	gg_gauge_set(b->count.connections, b->connection_count);
	free(c);
	gg_broker_look_idle(b);
}

/* Before CONNECT has come, and then for the keep alive (§3.1.2.10): no timer is touched per packet. */
static void on_timer(struct gg_timer *t)
{
	struct connection *c = GG_CONTAINER(t, struct connection, timer);
	int64_t now = gg_loop_now(c->broker->loop);
	if (c->state != CONNECTED) {
		gg_connection_end(c, 0, "no CONNECT in time");
		return;
	}
	if (!c->keep_alive_ns)
		return;
	int64_t left = c->last_seen_ns + c->keep_alive_ns - now;
	if (c->paused) /* it is us who do not listen */
		left = c->keep_alive_ns;
	if (left <= 0)
		gg_connection_end(c, GG_MQTT_KEEP_ALIVE_TIMEOUT, "keep alive timeout");
	else
		gg_timer_start(c->broker->loop, &c->timer, left, on_timer);
}

static void on_disconnect(struct connection *c, const struct gg_mqtt_disconnect *d)
{
	struct session *s = c->session;
	if (gg_mqtt_has(&d->properties, GG_MQTT_SESSION_EXPIRY)) {
		uint32_t asked = d->properties.session_expiry_s;
		uint64_t most = (uint64_t)(c->broker->o.session_expiry_ns / GG_NS_PER_S);
		if (!s->expiry_s && asked) { /* §3.14.2.2.2 */
			gg_connection_end(c, GG_MQTT_PROTOCOL_ERROR, "session expiry in DISCONNECT");
			return;
		}
		if (s->expiry_s && !asked)
			gg_persist_session_end(s);
		s->expiry_s = asked > most ? (uint32_t)most : asked;
	}
	c->said_goodbye = d->reason == GG_MQTT_SUCCESS; /* with any other its will is sent, [MQTT-3.14.4-3] */
	gg_connection_end(c, 0, "client disconnected");
}

/* false: not now, present it again. */
static bool dispatch(struct connection *c, struct gg_mqtt_packet *p)
{
	struct gg_mqtt_packet pong = {.type = GG_MQTT_PINGRESP};
	switch (p->type) {
	case GG_MQTT_PUBLISH:
		return gg_publish_in(c, &p->publish);
	case GG_MQTT_PUBACK:
	case GG_MQTT_PUBREC:
	case GG_MQTT_PUBCOMP:
		gg_outbound_ack(c->session, (enum gg_mqtt_type)p->type, p->ack.packet_id, p->ack.reason);
		return true;
	case GG_MQTT_PUBREL:
		gg_pubrel_in(c, &p->ack);
		return true;
	case GG_MQTT_SUBSCRIBE:
		gg_subscribe_in(c, &p->subscribe);
		return true;
	case GG_MQTT_UNSUBSCRIBE:
		gg_unsubscribe_in(c, &p->subscribe);
		return true;
	case GG_MQTT_PINGREQ:
		gg_connection_send(c, &pong);
		return true;
	case GG_MQTT_DISCONNECT:
		on_disconnect(c, &p->disconnect);
		return true;
	case GG_MQTT_AUTH:
		gg_auth_in(c, &p->disconnect);
		return true;
	default: /* what only a server sends, a second CONNECT ([MQTT-3.1.0-2]) */
		gg_count(c->broker->count.protocol_errors, 1);
		gg_connection_end(c, GG_MQTT_PROTOCOL_ERROR, gg_mqtt_type_name(p->type));
		return true;
	}
}

static void refuse_malformed(struct connection *c, const struct gg_mqtt_frame *f, uint8_t reason)
{
	gg_count(c->broker->count.protocol_errors, 1);
	c->told = true;
	gg_log(GG_WARN, c->broker->outside.name, "client sent a wrong packet",
		GG_S("peer", gg_stream_peer(c->stream)),
		GG_SV("client", c->session ? gg_session_id(c->session) : GG_STR("")),
		GG_S("packet", gg_mqtt_type_name(f->type)), GG_S("reason", gg_mqtt_reason_text(reason)));
	if (c->state == AWAITS_CONNECT && reason == GG_MQTT_BAD_VERSION) {
		/* It speaks another version; of those with a return code, 3.1.1 is the likeliest to be read.
		 */
		struct gg_mqtt_packet p = {.type = GG_MQTT_CONNACK, .connack = {.reason = reason}};
		gg_connection_send(c, &p);
	}
	gg_connection_end(c, reason, gg_mqtt_reason_text(reason));
}

/* One packet; false: not now. */
static bool take(struct connection *c, const struct gg_mqtt_frame *f)
{
	struct gg_mqtt_packet p;
	uint8_t reason = 0;
	if (gg_mqtt_decode(f, c->version, &p, &reason) < 0) {
		refuse_malformed(c, f, reason);
		return true;
	}
	if (c->state == CONNECTED)
		return dispatch(c, &p);
	if (c->state == AWAITS_CONNECT)
		gg_connect_in(c, f, &p.connect);
	else if (p.type == GG_MQTT_AUTH)
		gg_auth_in(c, &p.disconnect);
	else
		gg_connection_end(c, 0, "it broke off its authentication"); /* [MQTT-3.1.2-30] */
	return true;
}

static size_t on_data(void *arg, struct gg_stream *s, const uint8_t *bytes, size_t len)
{
	struct connection *c = arg;
	(void)s;
	size_t used = 0;
	c->last_seen_ns = gg_loop_now(c->broker->loop);
	if (c->state == AWAITS_CONNECT && len && bytes[0] >> 4 != GG_MQTT_CONNECT) {
		/* before the rest of what is no MQTT, whose length may be any */
		gg_count(c->broker->count.protocol_errors, 1);
		gg_connection_end(c, 0, "the first packet is not CONNECT");
		return len;
	}
	while (!c->closing && !c->paused) {
		struct gg_mqtt_frame f;
		int rc = gg_mqtt_frame(gg_str_n(bytes + used, len - used), c->broker->o.max_packet, &f, NULL);
		if (rc == -EAGAIN)
			break;
		if (rc < 0) {
			gg_count(c->broker->count.protocol_errors, 1);
			gg_connection_end(c, rc == -E2BIG ? GG_MQTT_TOO_LARGE : GG_MQTT_MALFORMED,
				rc == -E2BIG ? "packet too large" : "malformed packet");
			break;
		}
		if (!gg_limit_bytes(c) || !take(c, &f))
			break;
		used += f.size;
		c->broker->packets_received++;
		gg_limit_bytes_spend(c, f.size);
	}
	c->broker->bytes_received += used;
	gg_count(c->broker->count.bytes_in, used);
	gg_ingest_flush(c);
	gg_promise_turn(c);
	return c->closing ? len : used;
}

static void on_drained(void *arg, struct gg_stream *s)
{
	struct connection *c = arg;
	(void)s;
	if (c->session)
		gg_outbound_pump(c->session);
}

static const struct gg_stream_handler handler = {
	.data = on_data,
	.drained = on_drained,
	.closed = on_closed,
};

const struct gg_stream_handler *gg_broker_accept(void *arg, struct gg_stream *s, void **ret_arg)
{
	struct broker_listener *l = arg;
	struct broker *b = l->broker;
	if (b->closing || b->connection_count >= b->o.max_clients) {
		gg_log(GG_WARN, b->outside.name, "too many clients, connection refused",
			GG_S("peer", gg_stream_peer(s)), GG_I("max_clients", b->o.max_clients));
		return NULL;
	}
	struct connection *c = calloc(1, sizeof *c);
	if (!c)
		return NULL;
	c->broker = b;
	c->stream = s;
	c->version = GG_MQTT_V3;
	c->device = GG_NONE;
	c->trusted = l->loopback && gg_stream_is_local(s);
	c->last_seen_ns = gg_loop_now(b->loop);
	c->next = b->connections;
	if (c->next)
		c->next->previous = c;
	b->connections = c;
	b->connection_count++;
	if (b->connection_count > b->most_clients)
		b->most_clients = b->connection_count;
	gg_gauge_set(b->count.connections, b->connection_count);
	gg_timer_start(b->loop, &c->timer, connect_timeout_ns, on_timer);
	*ret_arg = c;
	return &handler;
}
