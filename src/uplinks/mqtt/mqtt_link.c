/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection to the broker: CONNECT with a will, CONNACK, keep-alive, acknowledgements. Sessions are
 * always clean: what is to be sent again the engine knows, from the journal.
 *
 *   connect ─▶ opened: CONNECT ─▶ CONNACK ─▶ status "online" ─▶ ready ─▶ PUBLISH ... PUBACK
 *
 * One timer looks after all that takes too long: the CONNACK, an answer to PINGREQ, an acknowledgement.
 */
#include "uplinks/mqtt/mqtt_uplink.h"

#include "base/log.h"

#define ANSWER_NS (10 * GG_NS_PER_S)
#define ACK_NS    (60 * GG_NS_PER_S)

enum { OUTPUT_BYTES = 16 << 20, MAX_INPUT_PACKET = 60 << 10 };

static const char offline[] = "{\"online\":false}", online[] = "{\"online\":true}";

static struct gg_loop *loop_of(const struct gg_mqtt_uplink *m)
{
	return gg_host_loop(m->host);
}

/* ---- writing ---- */

static int write_packet(struct gg_mqtt_uplink *m, const struct gg_mqtt_packet *p)
{
	size_t size = gg_mqtt_size(p, m->protocol);
	uint8_t *room = m->stream ? gg_stream_room(m->stream, size) : NULL;
	if (!room)
		return -EAGAIN;
	struct gg_writer w = gg_writer(room, size);
	gg_mqtt_encode(&w, p, m->protocol);
	if (!gg_writer_ok(&w))
		return -EINVAL;
	gg_stream_commit(m->stream, size);
	m->written_ns = gg_loop_now(loop_of(m));
	return 0;
}

int gg_mqtt_link_publish(struct gg_mqtt_uplink *m, const struct gg_mqtt_publish *p)
{
	if (!m->connected)
		return -ENOTCONN;
	size_t size = gg_mqtt_publish_size(p, m->protocol);
	if (m->maximum_packet && size > m->maximum_packet)
		return -E2BIG;
	uint8_t *room = gg_stream_room(m->stream, size);
	if (!room)
		return -EAGAIN;
	struct gg_writer w = gg_writer(room, size);
	gg_mqtt_encode_publish(&w, p, m->protocol);
	if (!gg_writer_ok(&w))
		return -EINVAL;
	gg_stream_commit(m->stream, size);
	m->written_ns = gg_loop_now(loop_of(m));
	return 0;
}

static struct gg_mqtt_publish status_message(const struct gg_mqtt_uplink *m, const char *text)
{
	bool acknowledged = m->qos && !m->maximum_qos_0;
	return (struct gg_mqtt_publish){.retain = !m->no_retain,
		.qos = acknowledged,
		.packet_id = acknowledged ? GG_MQTT_STATUS_ID : 0,
		.topic = gg_str(m->status),
		.payload = gg_str(text)};
}

static void say_hello(struct gg_mqtt_uplink *m)
{
	int64_t keep_alive_s = m->keep_alive_ns / GG_NS_PER_S;
	struct gg_mqtt_packet p = {.type = GG_MQTT_CONNECT};
	struct gg_mqtt_connect *c = &p.connect;
	c->version = (uint8_t)m->protocol;
	c->clean = true;
	c->keep_alive_s = (uint16_t)(keep_alive_s < 1 ? 1 : keep_alive_s);
	c->client_id = gg_str(m->client);
	c->has_user = m->user != NULL;
	c->user = gg_str(m->user);
	c->has_password = m->password != NULL;
	c->password = gg_str(m->password);
	c->has_will = m->status[0] != '\0';
	c->will = (struct gg_mqtt_will){
		.topic = gg_str(m->status), .payload = gg_str(offline), .qos = m->qos > 0, .retain = true};
	if (write_packet(m, &p) < 0)
		gg_stream_close(m->stream, false, "out of memory");
}

/* ---- being closed ---- */

static void close_because(struct gg_mqtt_uplink *m, const char *reason)
{
	gg_str_copy(m->reason, sizeof m->reason, gg_str(reason));
	gg_stream_close(m->stream, false, reason);
}

static void stream_closed(void *arg, struct gg_stream *s, int status, const char *reason)
{
	struct gg_mqtt_uplink *m = arg;
	char text[sizeof m->reason + 300];
	(void)s, (void)status;
	m->stream = NULL;
	m->connected = m->ping_sent = false;
	memset(m->under_way, 0, sizeof m->under_way);
	m->under_way_count = 0;
	gg_timer_stop(&m->timer);
	snprintf(text, sizeof text, "%s: %s", m->connect, m->reason[0] ? m->reason : reason);
	if (!m->closing)
		gg_uplink_ready(m->host, false, text);
}

/* ---- what takes too long ---- */

static int64_t keep_alive_ns(const struct gg_mqtt_uplink *m)
{
	return m->server_keep_alive_s ? m->server_keep_alive_s * GG_NS_PER_S : m->keep_alive_ns;
}

static bool ack_is_late(const struct gg_mqtt_uplink *m, int64_t now)
{
	for (size_t i = 0; i < GG_MQTT_WINDOW; i++)
		if (m->under_way[i].used && now - m->under_way[i].sent_ns > ACK_NS)
			return true;
	return false;
}

static void look_after(struct gg_timer *t)
{
	struct gg_mqtt_uplink *m = GG_CONTAINER(t, struct gg_mqtt_uplink, timer);
	int64_t now = gg_loop_now(loop_of(m));
	int64_t silence = now - m->heard_ns, period = keep_alive_ns(m) / 2;
	gg_timer_start(loop_of(m), t, period < GG_NS_PER_S ? period : GG_NS_PER_S, look_after);
	if (!m->connected) {
		if (now - m->connect_began_ns > ANSWER_NS)
			close_because(m, "the broker does not answer CONNECT");
	} else if (m->ping_sent && silence > ANSWER_NS && now - m->written_ns > ANSWER_NS) {
		close_because(m, "the broker does not answer PINGREQ");
	} else if (ack_is_late(m, now)) {
		close_because(m, "the broker does not acknowledge");
	} else if (!m->ping_sent && (now - m->written_ns >= period || silence >= period)) {
		m->ping_sent = write_packet(m, &(struct gg_mqtt_packet){.type = GG_MQTT_PINGREQ}) == 0;
	}
}

/* ---- what the broker says ---- */

static void on_connack(struct gg_mqtt_uplink *m, const struct gg_mqtt_connack *c)
{
	const struct gg_mqtt_properties *p = &c->properties;
	if (c->reason) {
		char text[160];
		snprintf(text, sizeof text, "the broker refuses: %s%s%.*s", gg_mqtt_reason_text(c->reason),
			p->reason.len ? ", " : "", (int)gg_min_size(p->reason.len, 80),
			p->reason.len ? p->reason.p : "");
		close_because(m, text);
		return;
	}
	m->receive_maximum = gg_mqtt_has(p, GG_MQTT_RECEIVE_MAXIMUM_ID) ? p->receive_maximum : 65535;
	m->maximum_packet = gg_mqtt_has(p, GG_MQTT_MAXIMUM_PACKET) ? p->maximum_packet : 0;
	m->maximum_qos_0 = gg_mqtt_has(p, GG_MQTT_MAXIMUM_QOS) && p->maximum_qos == 0;
	m->no_retain = gg_mqtt_has(p, GG_MQTT_RETAIN_AVAILABLE) && !p->retain_available;
	m->server_keep_alive_s = gg_mqtt_has(p, GG_MQTT_SERVER_KEEP_ALIVE) ? p->server_keep_alive_s : 0;
	m->connected = true;
	if (m->status[0]) {
		struct gg_mqtt_publish status = status_message(m, online);
		gg_mqtt_link_publish(m, &status);
	}
	gg_uplink_ready(m->host, true, NULL);
}

/* What the engine is to do: 0 acknowledged, -EINVAL it will never be taken, -EAGAIN try again. */
static int verdict(uint8_t reason)
{
	if (reason < 0x80)
		return 0;
	bool final =
		reason == GG_MQTT_BAD_TOPIC || reason == GG_MQTT_BAD_PAYLOAD || reason == GG_MQTT_TOO_LARGE;
	return final ? -EINVAL : -EAGAIN;
}

static void on_puback(struct gg_mqtt_uplink *m, const struct gg_mqtt_ack *a)
{
	size_t i = (size_t)a->packet_id - 1;
	if (a->packet_id == GG_MQTT_STATUS_ID)
		return;
	if (i >= GG_MQTT_WINDOW || !m->under_way[i].used)
		return;
	uint64_t parcel_id = m->under_way[i].parcel_id;
	m->under_way[i].used = false;
	m->under_way_count--;
	if (a->reason >= 0x80)
		gg_log(GG_WARN, gg_host_name(m->host), "the broker refuses a message",
			GG_S("reason", gg_mqtt_reason_text(a->reason)));
	gg_uplink_done(m->host, parcel_id, verdict(a->reason));
}

static void on_packet(struct gg_mqtt_uplink *m, const struct gg_mqtt_packet *p)
{
	if (p->type == GG_MQTT_CONNACK && !m->connected)
		on_connack(m, &p->connack);
	else if (p->type == GG_MQTT_PUBACK && m->connected)
		on_puback(m, &p->ack);
	else if (p->type == GG_MQTT_PINGRESP && m->connected)
		m->ping_sent = false;
	else if (p->type == GG_MQTT_DISCONNECT)
		close_because(m, gg_mqtt_reason_text(p->disconnect.reason));
	else
		close_because(m, "the broker sent a packet that was not expected");
}

static size_t stream_data(void *arg, struct gg_stream *s, const uint8_t *bytes, size_t len)
{
	struct gg_mqtt_uplink *m = arg;
	size_t used = 0;
	m->heard_ns = gg_loop_now(loop_of(m));
	while (m->stream == s && !m->reason[0]) {
		struct gg_mqtt_frame frame;
		struct gg_mqtt_packet packet;
		uint8_t reason = 0;
		int rc = gg_mqtt_frame(gg_str_n(bytes + used, len - used), MAX_INPUT_PACKET, &frame, NULL);
		if (rc == -EAGAIN)
			break;
		if (rc == 0)
			rc = gg_mqtt_decode(&frame, m->protocol, &packet, &reason);
		if (rc < 0) {
			close_because(m, "the broker sent a malformed packet");
			break;
		}
		used += frame.size;
		on_packet(m, &packet);
	}
	return used;
}

static void stream_opened(void *arg, struct gg_stream *s)
{
	struct gg_mqtt_uplink *m = arg;
	(void)s;
	say_hello(m);
}

static void stream_drained(void *arg, struct gg_stream *s)
{
	struct gg_mqtt_uplink *m = arg;
	(void)s;
	if (m->connected)
		gg_uplink_ready(m->host, true, NULL);
}

static const struct gg_stream_handler handler = {
	.opened = stream_opened, .data = stream_data, .drained = stream_drained, .closed = stream_closed};

void gg_mqtt_link_connect(void *self)
{
	struct gg_mqtt_uplink *m = self;
	struct gg_error e = {0};
	struct gg_stream_limits limits = {.output_bytes = OUTPUT_BYTES};
	if (m->stream || m->closing)
		return;
	m->reason[0] = '\0';
	m->server_keep_alive_s = 0;
	int64_t now = gg_loop_now(loop_of(m));
	m->connect_began_ns = m->heard_ns = m->written_ns = now;
	int rc = gg_stream_connect(loop_of(m), &m->address, m->context, &limits, &handler, m, &m->stream, &e);
	if (rc < 0) {
		gg_uplink_ready(m->host, false, e.text[0] ? e.text : strerror(-rc));
		return;
	}
	gg_timer_start(loop_of(m), &m->timer, GG_NS_PER_S, look_after);
}

/* ---- goodbye ---- */

static size_t ignore_data(void *arg, struct gg_stream *s, const uint8_t *bytes, size_t len)
{
	(void)arg, (void)s, (void)bytes;
	return len;
}

static void ignore_closed(void *arg, struct gg_stream *s, int status, const char *reason)
{
	(void)arg, (void)s, (void)status, (void)reason;
}

void gg_mqtt_link_close(struct gg_mqtt_uplink *m)
{
	static const struct gg_stream_handler nobody = {.data = ignore_data, .closed = ignore_closed};
	m->closing = true;
	gg_timer_stop(&m->timer);
	if (!m->stream)
		return;
	if (m->connected) {
		if (m->status[0]) {
			struct gg_mqtt_publish status = status_message(m, offline);
			gg_mqtt_link_publish(m, &status);
		}
		write_packet(m, &(struct gg_mqtt_packet){.type = GG_MQTT_DISCONNECT});
	}
	/* The instance may be gone before the stream is. */
	gg_stream_set_handler(m->stream, &nobody, NULL);
	gg_stream_close(m->stream, /* flush= */ m->connected, "uplink is closed");
	m->stream = NULL;
	m->connected = false;
}
