/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MQTT bytes to packets. A frame is found first (§2.1), then its body is decoded by the packet's type:
 * decoders by type stand in one table. Whatever is read past the end of the body makes the reader fail, and
 * that is a malformed packet; other reasons are put into *reason by whoever finds them.
 */
#include "net/mqtt_codec.h"
#include "net/mqtt_topic.h"

const char *gg_mqtt_reason_text(uint8_t reason)
{
	switch (reason) {
#define ROW(name, code, text)                                                                                \
	case code:                                                                                           \
		return text;
		GG_MQTT_REASONS(ROW)
#undef ROW
	default:
		return "unknown reason";
	}
}

const char *gg_mqtt_type_name(uint8_t type)
{
	static const char *const names[] = {"(reserved)", "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC",
		"PUBREL", "PUBCOMP", "SUBSCRIBE", "SUBACK", "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP",
		"DISCONNECT", "AUTH"};
	return type < GG_COUNT(names) ? names[type] : "(reserved)";
}

int gg_mqtt_frame(struct gg_str input, size_t max_packet, struct gg_mqtt_frame *ret_frame, size_t *ret_need)
{
	const uint8_t *p = (const uint8_t *)input.p;
	size_t length = 0, at = 1;
	for (;; at++) {
		if (at > 4)
			return -EPROTO; /* a fifth byte of Remaining Length (§1.5.5) */
		if (at >= input.len) {
			if (ret_need)
				*ret_need = at + 1;
			return -EAGAIN;
		}
		length |= (size_t)(p[at] & 0x7f) << (7 * (at - 1));
		if (!(p[at] & 0x80))
			break;
	}
	size_t head = at + 1;
	if (head + length > max_packet)
		return -E2BIG;
	if (input.len < head + length) {
		if (ret_need)
			*ret_need = head + length;
		return -EAGAIN;
	}
	*ret_frame = (struct gg_mqtt_frame){.type = p[0] >> 4,
		.flags = p[0] & 0x0f,
		.padded = at > 1 && p[at] == 0,
		.size = head + length,
		.body = {input.p + head, length}};
	return 0;
}

static struct gg_str read_binary(struct gg_reader *r)
{
	return gg_read_str(r, gg_read_be16(r));
}

static struct gg_str read_text(struct gg_reader *r)
{
	struct gg_str s = read_binary(r);
	if (!gg_mqtt_string_valid(s))
		r->failed = true;
	return s;
}

static struct gg_str read_rest(struct gg_reader *r)
{
	return gg_read_str(r, gg_reader_left(r));
}

/* Packet ids are not 0 (§2.2.1). */
static uint16_t read_packet_id(struct gg_reader *r)
{
	uint16_t id = gg_read_be16(r);
	if (id == 0)
		r->failed = true;
	return id;
}

static void fail(struct gg_reader *r, uint8_t why, uint8_t *reason)
{
	r->failed = true;
	*reason = why;
}

/* What each decoder gets. */
struct decode {
	struct gg_reader *r;
	uint8_t flags;
	uint8_t type;
	enum gg_mqtt_version version;
	uint8_t *reason;
};

static void read_will(struct decode *d, uint8_t flags, struct gg_mqtt_connect *c)
{
	c->has_will = true;
	c->will.qos = flags >> 3 & 3;
	c->will.retain = flags & 0x20;
	c->will.properties = (struct gg_mqtt_properties){0};
	if (c->version == GG_MQTT_V5)
		gg_mqtt_read_properties(d->r, GG_MQTT_WILL, &c->will.properties, d->reason);
	c->will.topic = read_text(d->r);
	c->will.payload = read_binary(d->r);
	if (!d->r->failed && !gg_mqtt_topic_valid(c->will.topic))
		fail(d->r, GG_MQTT_BAD_TOPIC, d->reason);
}

enum { CLEAN = 0x02, WILL = 0x04, WILL_QOS_RETAIN = 0x38, PASSWORD = 0x40, USER = 0x80 };

/* [MQTT-3.1.2-3], -11 to -15; v3 [MQTT-3.1.2-22] */
static bool connect_flags_valid(uint8_t flags, uint8_t version)
{
	if ((flags & 1) || (flags >> 3 & 3) == 3 || (!(flags & WILL) && (flags & WILL_QOS_RETAIN)))
		return false;
	return version != GG_MQTT_V3 || (flags & USER) || !(flags & PASSWORD);
}

/* §3.1 */
static void decode_connect(struct decode *d, struct gg_mqtt_packet *p)
{
	struct gg_mqtt_connect *c = &p->connect;
	*c = (struct gg_mqtt_connect){0};
	struct gg_str name = read_text(d->r);
	c->version = gg_read_u8(d->r);
	if (d->r->failed)
		return;
	bool known = c->version == GG_MQTT_V3 || c->version == GG_MQTT_V5;
	if (!gg_str_is(name, "MQTT") || !known) {
		fail(d->r, GG_MQTT_BAD_VERSION, d->reason);
		return;
	}
	uint8_t flags = gg_read_u8(d->r);
	if (!connect_flags_valid(flags, c->version)) {
		d->r->failed = true;
		return;
	}
	c->clean = flags & CLEAN;
	c->keep_alive_s = gg_read_be16(d->r);
	if (c->version == GG_MQTT_V5)
		gg_mqtt_read_properties(d->r, GG_MQTT_CONNECT, &c->properties, d->reason);
	c->client_id = read_text(d->r);
	if (flags & WILL)
		read_will(d, flags, c);
	c->has_user = flags & USER;
	c->has_password = flags & PASSWORD;
	if (c->has_user)
		c->user = read_text(d->r);
	if (c->has_password)
		c->password = read_binary(d->r);
	if (gg_mqtt_has(&c->properties, GG_MQTT_AUTH_DATA) &&
		!gg_mqtt_has(&c->properties, GG_MQTT_AUTH_METHOD))
		fail(d->r, GG_MQTT_PROTOCOL_ERROR, d->reason); /* §3.1.2.11.10 */
}

/* Return codes of 3.1.1 (v3 table 3.1) as reasons. */
static const uint8_t return_codes[] = {GG_MQTT_SUCCESS, GG_MQTT_BAD_VERSION, GG_MQTT_BAD_CLIENT_ID,
	GG_MQTT_SERVER_UNAVAILABLE, GG_MQTT_BAD_CREDENTIALS, GG_MQTT_NOT_AUTHORIZED};

/* §3.2 */
static void decode_connack(struct decode *d, struct gg_mqtt_packet *p)
{
	struct gg_mqtt_connack *c = &p->connack;
	*c = (struct gg_mqtt_connack){0};
	uint8_t flags = gg_read_u8(d->r);
	uint8_t code = gg_read_u8(d->r);
	c->session_present = flags & 1;
	if (flags & 0xfe)
		d->r->failed = true;
	if (d->version == GG_MQTT_V5) {
		c->reason = code;
		gg_mqtt_read_properties(d->r, GG_MQTT_CONNACK, &c->properties, d->reason);
	} else if (code < sizeof return_codes) {
		c->reason = return_codes[code];
	} else {
		d->r->failed = true;
	}
}

/* §3.3 */
static void decode_publish(struct decode *d, struct gg_mqtt_packet *p)
{
	struct gg_mqtt_publish *m = &p->publish;
	m->dup = d->flags & 8;
	m->qos = d->flags >> 1 & 3;
	m->retain = d->flags & 1;
	if (m->qos == 3 || (m->dup && m->qos == 0)) { /* [MQTT-3.3.1-2], -4 */
		d->r->failed = true;
		return;
	}
	m->topic = read_text(d->r);
	m->packet_id = m->qos ? read_packet_id(d->r) : 0;
	m->properties.present = 0;
	if (d->version == GG_MQTT_V5)
		gg_mqtt_read_properties(d->r, GG_MQTT_PUBLISH, &m->properties, d->reason);
	m->payload = read_rest(d->r);
	if (d->r->failed)
		return;
	struct gg_mqtt_properties *q = &m->properties;
	bool aliased = m->topic.len == 0 && gg_mqtt_has(q, GG_MQTT_TOPIC_ALIAS);
	if (m->topic.len == 0 && !aliased)
		fail(d->r, GG_MQTT_PROTOCOL_ERROR, d->reason);
	else if (!aliased && !gg_mqtt_topic_valid(m->topic))
		fail(d->r, GG_MQTT_BAD_TOPIC, d->reason);
	else if (gg_mqtt_has(q, GG_MQTT_RESPONSE_TOPIC) && !gg_mqtt_topic_valid(q->response_topic))
		fail(d->r, GG_MQTT_PROTOCOL_ERROR, d->reason); /* [MQTT-3.3.2-14] */
}

/* §3.4 to §3.7 */
static void decode_ack(struct decode *d, struct gg_mqtt_packet *p)
{
	struct gg_mqtt_ack *a = &p->ack;
	a->packet_id = read_packet_id(d->r);
	a->reason = 0;
	a->properties.present = 0;
	if (d->version == GG_MQTT_V5 && gg_reader_left(d->r)) {
		a->reason = gg_read_u8(d->r);
		if (gg_reader_left(d->r))
			gg_mqtt_read_properties(d->r, p->type, &a->properties, d->reason);
	}
}

static void check_filters(struct decode *d, struct gg_str filters)
{
	struct gg_reader r = gg_reader(filters.p, filters.len);
	if (filters.len == 0)
		fail(d->r, GG_MQTT_PROTOCOL_ERROR, d->reason); /* [MQTT-3.8.3-2] */
	while (gg_reader_left(&r) && !d->r->failed) {
		struct gg_str filter = read_text(&r);
		uint8_t options = d->type == GG_MQTT_SUBSCRIBE ? gg_read_u8(&r) : 0;
		bool wrong = d->version == GG_MQTT_V5 ? (options & 0xc0) : (options & 0xfc);
		if (r.failed || wrong || (options & 3) == 3)
			fail(d->r, GG_MQTT_MALFORMED, d->reason);
		else if ((options & 0x30) == 0x30)
			fail(d->r, GG_MQTT_PROTOCOL_ERROR, d->reason);
		else if (!gg_mqtt_filter_valid(filter))
			fail(d->r, GG_MQTT_BAD_FILTER, d->reason);
	}
}

/* §3.8, §3.10 */
static void decode_subscribe(struct decode *d, struct gg_mqtt_packet *p)
{
	struct gg_mqtt_subscribe *s = &p->subscribe;
	*s = (struct gg_mqtt_subscribe){.packet_id = read_packet_id(d->r)};
	if (d->version == GG_MQTT_V5)
		gg_mqtt_read_properties(d->r, p->type, &s->properties, d->reason);
	s->filters = read_rest(d->r);
	if (!d->r->failed)
		check_filters(d, s->filters);
}

/* §3.9, §3.11 */
static void decode_suback(struct decode *d, struct gg_mqtt_packet *p)
{
	struct gg_mqtt_subscribe *s = &p->subscribe;
	*s = (struct gg_mqtt_subscribe){.packet_id = read_packet_id(d->r)};
	if (d->version == GG_MQTT_V5)
		gg_mqtt_read_properties(d->r, p->type, &s->properties, d->reason);
	s->codes = read_rest(d->r);
	if (s->codes.len == 0 && (p->type == GG_MQTT_SUBACK || d->version == GG_MQTT_V5))
		d->r->failed = true;
}

static void decode_ping(struct decode *d, struct gg_mqtt_packet *p)
{
	(void)d;
	(void)p;
}

/* §3.14, §3.15 */
static void decode_disconnect(struct decode *d, struct gg_mqtt_packet *p)
{
	p->disconnect.reason = 0;
	p->disconnect.properties.present = 0;
	if (d->version == GG_MQTT_V5 && gg_reader_left(d->r)) {
		p->disconnect.reason = gg_read_u8(d->r);
		if (gg_reader_left(d->r))
			gg_mqtt_read_properties(d->r, p->type, &p->disconnect.properties, d->reason);
	}
	if (p->type == GG_MQTT_AUTH && d->version != GG_MQTT_V5)
		d->r->failed = true; /* type 15 is reserved in 3.1.1 */
}

static void (*const decoders[])(struct decode *d, struct gg_mqtt_packet *p) = {
	[GG_MQTT_CONNECT] = decode_connect,
	[GG_MQTT_CONNACK] = decode_connack,
	[GG_MQTT_PUBLISH] = decode_publish,
	[GG_MQTT_PUBACK] = decode_ack,
	[GG_MQTT_PUBREC] = decode_ack,
	[GG_MQTT_PUBREL] = decode_ack,
	[GG_MQTT_PUBCOMP] = decode_ack,
	[GG_MQTT_SUBSCRIBE] = decode_subscribe,
	[GG_MQTT_SUBACK] = decode_suback,
	[GG_MQTT_UNSUBSCRIBE] = decode_subscribe,
	[GG_MQTT_UNSUBACK] = decode_suback,
	[GG_MQTT_PINGREQ] = decode_ping,
	[GG_MQTT_PINGRESP] = decode_ping,
	[GG_MQTT_DISCONNECT] = decode_disconnect,
	[GG_MQTT_AUTH] = decode_disconnect,
};

/* §2.1.3: reserved flags. */
static bool flags_valid(uint8_t type, uint8_t flags)
{
	if (type == GG_MQTT_PUBLISH)
		return true;
	bool two = type == GG_MQTT_PUBREL || type == GG_MQTT_SUBSCRIBE || type == GG_MQTT_UNSUBSCRIBE;
	return flags == (two ? 2 : 0);
}

int gg_mqtt_decode(const struct gg_mqtt_frame *f, enum gg_mqtt_version version,
	struct gg_mqtt_packet *ret_packet, uint8_t *ret_reason)
{
	*ret_reason = GG_MQTT_MALFORMED;
	if (f->type == 0 || f->type >= GG_COUNT(decoders) || !flags_valid(f->type, f->flags))
		return -EPROTO;
	struct gg_reader r = gg_reader(f->body.p, f->body.len);
	struct decode d = {&r, f->flags, f->type, version, ret_reason};
	ret_packet->type = f->type;
	decoders[f->type](&d, ret_packet);
	if (f->type == GG_MQTT_CONNECT && !r.failed)
		version = (enum gg_mqtt_version)ret_packet->connect.version;
	if (f->padded && version == GG_MQTT_V5) { /* [MQTT-1.5.5-1]; 3.1.1 does not forbid it */
		*ret_reason = GG_MQTT_MALFORMED;
		return -EPROTO;
	}
	if (r.failed)
		return -EPROTO;
	if (gg_reader_left(&r))
		return -EPROTO; /* bytes nobody asked for */
	*ret_reason = 0;
	return 0;
}

bool gg_mqtt_filter_next(struct gg_str *filters, enum gg_mqtt_type type, struct gg_mqtt_filter *ret_filter)
{
	struct gg_reader r = gg_reader(filters->p, filters->len);
	if (!filters->len)
		return false;
	struct gg_mqtt_filter f = {.filter = read_binary(&r)};
	uint8_t options = type == GG_MQTT_SUBSCRIBE ? gg_read_u8(&r) : 0;
	if (r.failed)
		return false;
	f.qos = options & 3;
	f.no_local = options & 4;
	f.retain_as_published = options & 8;
	f.retain_handling = options >> 4 & 3;
	*filters = gg_str_n(r.p, gg_reader_left(&r));
	*ret_filter = f;
	return true;
}
