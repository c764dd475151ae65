/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MQTT packets to bytes. The Remaining Length stands in front of the body, so each body is measured first and
 * then written once, in place; nothing is moved and nothing is copied twice.
 */
#include "net/mqtt_codec.h"

static size_t properties_size(const struct gg_mqtt_properties *p, enum gg_mqtt_version version)
{
	if (version != GG_MQTT_V5)
		return 0;
	size_t size = p->present ? gg_mqtt_properties_size(p) : 0;
	return gg_mqtt_varint_size(size) + size;
}

static void write_properties(
	struct gg_writer *w, const struct gg_mqtt_properties *p, enum gg_mqtt_version version)
{
	if (version != GG_MQTT_V5)
		return;
	if (p->present)
		gg_mqtt_write_properties(w, p);
	else
		gg_write_u8(w, 0);
}

static void write_text(struct gg_writer *w, struct gg_str s)
{
	if (s.len > UINT16_MAX)
		w->failed = true;
	gg_write_be16(w, (uint16_t)s.len);
	gg_write_bytes(w, s.p, s.len);
}

static void write_head(struct gg_writer *w, uint8_t type, uint8_t flags, size_t length)
{
	gg_write_u8(w, (uint8_t)(type << 4 | flags));
	gg_mqtt_write_varint(w, length);
}

/* ---- PUBLISH ---- */

static size_t publish_length(const struct gg_mqtt_publish *p, enum gg_mqtt_version version)
{
	return 2 + p->topic.len + (p->qos ? 2 : 0) + properties_size(&p->properties, version) +
	       p->payload.len;
}

size_t gg_mqtt_publish_size(const struct gg_mqtt_publish *p, enum gg_mqtt_version version)
{
	size_t length = publish_length(p, version);
	return 1 + gg_mqtt_varint_size(length) + length;
}

void gg_mqtt_encode_publish(
	struct gg_writer *w, const struct gg_mqtt_publish *p, enum gg_mqtt_version version)
{
	uint8_t flags = (uint8_t)((p->dup ? 8 : 0) | p->qos << 1 | (p->retain ? 1 : 0));
	write_head(w, GG_MQTT_PUBLISH, flags, publish_length(p, version));
	write_text(w, p->topic);
	if (p->qos)
		gg_write_be16(w, p->packet_id);
	write_properties(w, &p->properties, version);
	gg_write_bytes(w, p->payload.p, p->payload.len);
}

/* ---- CONNECT ---- */

static size_t connect_length(const struct gg_mqtt_connect *c)
{
	enum gg_mqtt_version version = c->version;
	size_t n = 10 + properties_size(&c->properties, version) + 2 + c->client_id.len;
	if (c->has_will)
		n += properties_size(&c->will.properties, version) + 4 + c->will.topic.len +
		     c->will.payload.len;
	if (c->has_user)
		n += 2 + c->user.len;
	if (c->has_password)
		n += 2 + c->password.len;
	return n;
}

static void write_connect(struct gg_writer *w, const struct gg_mqtt_connect *c)
{
	enum gg_mqtt_version version = c->version;
	unsigned flags = (c->clean ? 2U : 0) | (c->has_user ? 0x80U : 0) | (c->has_password ? 0x40U : 0);
	if (c->has_will)
		flags |= 4U | (unsigned)c->will.qos << 3 | (c->will.retain ? 0x20U : 0);
	write_text(w, GG_STR("MQTT"));
	gg_write_u8(w, c->version);
	gg_write_u8(w, (uint8_t)flags);
	gg_write_be16(w, c->keep_alive_s);
	write_properties(w, &c->properties, version);
	write_text(w, c->client_id);
	if (c->has_will) {
		write_properties(w, &c->will.properties, version);
		write_text(w, c->will.topic);
		write_text(w, c->will.payload);
	}
	if (c->has_user)
		write_text(w, c->user);
	if (c->has_password)
		write_text(w, c->password);
}

/* ---- acknowledgements ---- */

/* §3.4.2.1: reason and properties are left out where they say nothing. */
static size_t ack_length(const struct gg_mqtt_ack *a, enum gg_mqtt_version version)
{
	if (version != GG_MQTT_V5 || (a->reason == 0 && !a->properties.present))
		return 2;
	return a->properties.present ? 3 + properties_size(&a->properties, version) : 3;
}

static void write_ack(struct gg_writer *w, const struct gg_mqtt_ack *a, enum gg_mqtt_version version)
{
	size_t length = ack_length(a, version);
	gg_write_be16(w, a->packet_id);
	if (length > 2)
		gg_write_u8(w, a->reason);
	if (length > 3)
		write_properties(w, &a->properties, version);
}

/* ---- CONNACK: the return codes of 3.1.1 (v3 table 3.1) ---- */

static uint8_t return_code(uint8_t reason)
{
	switch (reason) {
	case GG_MQTT_SUCCESS:
		return 0;
	case GG_MQTT_BAD_VERSION:
		return 1;
	case GG_MQTT_BAD_CLIENT_ID:
		return 2;
	case GG_MQTT_BAD_CREDENTIALS:
	case GG_MQTT_BAD_AUTH_METHOD:
		return 4;
	case GG_MQTT_NOT_AUTHORIZED:
	case GG_MQTT_BANNED:
		return 5;
	default:
		return 3;
	}
}

/* ---- all ---- */

static size_t body_length(const struct gg_mqtt_packet *p, enum gg_mqtt_version version)
{
	const struct gg_mqtt_subscribe *s = &p->subscribe;
	bool v5 = version == GG_MQTT_V5;
	switch (p->type) {
	case GG_MQTT_CONNECT:
		return connect_length(&p->connect);
	case GG_MQTT_CONNACK:
		return 2 + properties_size(&p->connack.properties, version);
	case GG_MQTT_PUBLISH:
		return publish_length(&p->publish, version);
	case GG_MQTT_PUBACK:
	case GG_MQTT_PUBREC:
	case GG_MQTT_PUBREL:
	case GG_MQTT_PUBCOMP:
		return ack_length(&p->ack, version);
	case GG_MQTT_SUBSCRIBE:
	case GG_MQTT_UNSUBSCRIBE:
		return 2 + properties_size(&s->properties, version) + s->filters.len;
	case GG_MQTT_SUBACK:
		return 2 + properties_size(&s->properties, version) + s->codes.len;
	case GG_MQTT_UNSUBACK:
		return 2 + properties_size(&s->properties, version) + (v5 ? s->codes.len : 0);
	case GG_MQTT_DISCONNECT:
	case GG_MQTT_AUTH:
		if (!v5 || (p->disconnect.reason == 0 && !p->disconnect.properties.present))
			return 0;
		return 1 + properties_size(&p->disconnect.properties, version);
	default:
		return 0;
	}
}

static void write_body(struct gg_writer *w, const struct gg_mqtt_packet *p, enum gg_mqtt_version version)
{
	const struct gg_mqtt_subscribe *s = &p->subscribe;
	switch (p->type) {
	case GG_MQTT_CONNECT:
		write_connect(w, &p->connect);
		break;
	case GG_MQTT_CONNACK:
		gg_write_u8(w, p->connack.session_present);
		gg_write_u8(w, version == GG_MQTT_V5 ? p->connack.reason : return_code(p->connack.reason));
		write_properties(w, &p->connack.properties, version);
		break;
	case GG_MQTT_SUBSCRIBE:
	case GG_MQTT_UNSUBSCRIBE:
		gg_write_be16(w, s->packet_id);
		write_properties(w, &s->properties, version);
		gg_write_bytes(w, s->filters.p, s->filters.len);
		break;
	case GG_MQTT_SUBACK:
	case GG_MQTT_UNSUBACK:
		gg_write_be16(w, s->packet_id);
		write_properties(w, &s->properties, version);
		if (version == GG_MQTT_V5 || p->type == GG_MQTT_SUBACK)
			gg_write_bytes(w, s->codes.p, s->codes.len);
		break;
	case GG_MQTT_DISCONNECT:
	case GG_MQTT_AUTH:
		if (body_length(p, version) == 0)
			break;
		gg_write_u8(w, p->disconnect.reason);
		write_properties(w, &p->disconnect.properties, version);
		break;
	default:
		break;
	}
}

size_t gg_mqtt_size(const struct gg_mqtt_packet *p, enum gg_mqtt_version version)
{
	size_t length = body_length(p, version);
	return 1 + gg_mqtt_varint_size(length) + length;
}

void gg_mqtt_encode(struct gg_writer *w, const struct gg_mqtt_packet *p, enum gg_mqtt_version version)
{
	if (p->type == GG_MQTT_PUBLISH) {
		gg_mqtt_encode_publish(w, &p->publish, version);
		return;
	}
	bool two =
		p->type == GG_MQTT_PUBREL || p->type == GG_MQTT_SUBSCRIBE || p->type == GG_MQTT_UNSUBSCRIBE;
	write_head(w, p->type, two ? 2 : 0, body_length(p, version));
	if (p->type >= GG_MQTT_PUBACK && p->type <= GG_MQTT_PUBCOMP)
		write_ack(w, &p->ack, version);
	else
		write_body(w, p, version);
}

void gg_mqtt_filter_add(struct gg_writer *w, enum gg_mqtt_type type, const struct gg_mqtt_filter *f)
{
	write_text(w, f->filter);
	if (type == GG_MQTT_SUBSCRIBE)
		gg_write_u8(w, (uint8_t)(f->qos | (f->no_local ? 4 : 0) | (f->retain_as_published ? 8 : 0) |
					 f->retain_handling << 4));
}
