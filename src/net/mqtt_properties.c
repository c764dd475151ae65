/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Properties of MQTT 5.0 (§2.2.2): one table says for each its type, where it may stand, what values it may
 * have and which field holds it; reading, measuring and writing walk the table. User properties stay encoded
 * where they are: most are passed through unread.
 */
#include "net/mqtt_codec.h"

enum kind { BYTE = 1, TWO, FOUR, VARINT, TEXT, BINARY, PAIR };
enum check { ANY, BOOL, NOT_ZERO };

struct row {
	uint8_t kind, check;
	uint16_t where; /* 1 << enum gg_mqtt_type */
	uint16_t offset;
};

#define AT(field)  offsetof(struct gg_mqtt_properties, field)
#define IN(packet) (1U << GG_MQTT_##packet)
#define ACKS                                                                                                 \
	(IN(CONNACK) | IN(PUBACK) | IN(PUBREC) | IN(PUBREL) | IN(PUBCOMP) | IN(SUBACK) | IN(UNSUBACK) |      \
		IN(DISCONNECT) | IN(AUTH))
#define MESSAGE (IN(PUBLISH) | IN(WILL))

enum { LAST_ID = GG_MQTT_SHARED_AVAILABLE };

static const struct row rows[LAST_ID + 1] = {
	[GG_MQTT_PAYLOAD_FORMAT] = {BYTE, BOOL, MESSAGE, AT(payload_format)},
	[GG_MQTT_MESSAGE_EXPIRY] = {FOUR, ANY, MESSAGE, AT(message_expiry_s)},
	[GG_MQTT_CONTENT_TYPE] = {TEXT, ANY, MESSAGE, AT(content_type)},
	[GG_MQTT_RESPONSE_TOPIC] = {TEXT, ANY, MESSAGE, AT(response_topic)},
	[GG_MQTT_CORRELATION] = {BINARY, ANY, MESSAGE, AT(correlation)},
	[GG_MQTT_SUBSCRIPTION_ID] = {VARINT, NOT_ZERO, IN(PUBLISH) | IN(SUBSCRIBE), AT(subscription_ids)},
	[GG_MQTT_SESSION_EXPIRY] = {FOUR, ANY, IN(CONNECT) | IN(CONNACK) | IN(DISCONNECT),
		AT(session_expiry_s)},
	[GG_MQTT_ASSIGNED_CLIENT_ID] = {TEXT, ANY, IN(CONNACK), AT(assigned_client_id)},
	[GG_MQTT_SERVER_KEEP_ALIVE] = {TWO, ANY, IN(CONNACK), AT(server_keep_alive_s)},
	[GG_MQTT_AUTH_METHOD] = {TEXT, ANY, IN(CONNECT) | IN(CONNACK) | IN(AUTH), AT(auth_method)},
	[GG_MQTT_AUTH_DATA] = {BINARY, ANY, IN(CONNECT) | IN(CONNACK) | IN(AUTH), AT(auth_data)},
	[GG_MQTT_REQUEST_PROBLEM] = {BYTE, BOOL, IN(CONNECT), AT(request_problem)},
	[GG_MQTT_WILL_DELAY] = {FOUR, ANY, IN(WILL), AT(will_delay_s)},
	[GG_MQTT_REQUEST_RESPONSE] = {BYTE, BOOL, IN(CONNECT), AT(request_response)},
	[GG_MQTT_RESPONSE_INFO] = {TEXT, ANY, IN(CONNACK), AT(response_info)},
	[GG_MQTT_SERVER_REFERENCE] = {TEXT, ANY, IN(CONNACK) | IN(DISCONNECT), AT(server_reference)},
	[GG_MQTT_REASON_STRING] = {TEXT, ANY, ACKS, AT(reason)},
	[GG_MQTT_RECEIVE_MAXIMUM_ID] = {TWO, NOT_ZERO, IN(CONNECT) | IN(CONNACK), AT(receive_maximum)},
	[GG_MQTT_ALIAS_MAXIMUM] = {TWO, ANY, IN(CONNECT) | IN(CONNACK), AT(alias_maximum)},
	[GG_MQTT_TOPIC_ALIAS] = {TWO, ANY, IN(PUBLISH), AT(topic_alias)}, /* 0: reason 0x94, not 0x82 */
	[GG_MQTT_MAXIMUM_QOS] = {BYTE, BOOL, IN(CONNACK), AT(maximum_qos)},
	[GG_MQTT_RETAIN_AVAILABLE] = {BYTE, BOOL, IN(CONNACK), AT(retain_available)},
	[GG_MQTT_USER_PROPERTY] = {PAIR, ANY, ACKS | MESSAGE | IN(CONNECT) | IN(SUBSCRIBE) | IN(UNSUBSCRIBE),
		AT(user)},
	[GG_MQTT_MAXIMUM_PACKET] = {FOUR, NOT_ZERO, IN(CONNECT) | IN(CONNACK), AT(maximum_packet)},
	[GG_MQTT_WILDCARD_AVAILABLE] = {BYTE, BOOL, IN(CONNACK), AT(wildcard_available)},
	[GG_MQTT_SUBSCRIPTION_ID_AVAILABLE] = {BYTE, BOOL, IN(CONNACK), AT(subscription_id_available)},
	[GG_MQTT_SHARED_AVAILABLE] = {BYTE, BOOL, IN(CONNACK), AT(shared_available)},
};

uint32_t gg_mqtt_read_varint(struct gg_reader *r)
{
	uint32_t v = 0;
	for (unsigned shift = 0; shift < 28; shift += 7) {
		uint8_t byte = gg_read_u8(r);
		v |= (uint32_t)(byte & 0x7f) << shift;
		if (byte & 0x80)
			continue;
		if (byte == 0 && shift > 0)
			r->failed = true; /* [MQTT-1.5.5-1]: as few bytes as possible */
		return r->failed ? 0 : v;
	}
	r->failed = true;
	return 0;
}

void gg_mqtt_write_varint(struct gg_writer *w, size_t v)
{
	if (v > 268435455) {
		w->failed = true;
		return;
	}
	for (; v >= 128; v >>= 7)
		gg_write_u8(w, (uint8_t)(v | 0x80));
	gg_write_u8(w, (uint8_t)v);
}

static bool is_ascii(struct gg_str s)
{
	uint64_t seen = 0, zero = 0;
	size_t i = 0;
	for (; i + 8 <= s.len; i += 8) {
		uint64_t word;
		memcpy(&word, s.p + i, 8);
		seen |= word;
		zero |= (word - 0x0101010101010101ULL) & ~word;
	}
	for (; i < s.len; i++) {
		seen |= (uint8_t)s.p[i];
		zero |= s.p[i] == 0 ? 0x80 : 0;
	}
	return ((seen | zero) & 0x8080808080808080ULL) == 0;
}

bool gg_mqtt_string_valid(struct gg_str s)
{
	return is_ascii(s) || (gg_utf8_valid(s) && memchr(s.p, 0, s.len) == NULL);
}

static struct gg_str read_text(struct gg_reader *r)
{
	struct gg_str s = gg_read_str(r, gg_read_be16(r));
	if (!gg_mqtt_string_valid(s))
		r->failed = true;
	return s;
}

static uint32_t read_number(struct gg_reader *r, uint8_t kind)
{
	switch (kind) {
	case BYTE:
		return gg_read_u8(r);
	case TWO:
		return gg_read_be16(r);
	case FOUR:
		return gg_read_be32(r);
	default:
		return gg_mqtt_read_varint(r);
	}
}

/* A message may carry any number of them (§3.3.2.3.8); those beyond our maximum are passed over. */
static void add_subscription_id(struct gg_mqtt_properties *p, uint32_t id)
{
	for (size_t i = 0; i < GG_MQTT_SUBSCRIPTION_IDS; i++)
		if (p->subscription_ids[i] == 0) {
			p->subscription_ids[i] = id;
			return;
		}
}

/* Stores a number; false when its value is not allowed. */
static bool put_number(struct gg_mqtt_properties *p, const struct row *row, uint32_t v)
{
	if ((row->check == BOOL && v > 1) || (row->check == NOT_ZERO && v == 0))
		return false;
	char *at = (char *)p + row->offset;
	uint8_t byte = (uint8_t)v;
	uint16_t two = (uint16_t)v;
	if (row->kind == BYTE)
		memcpy(at, &byte, sizeof byte);
	else if (row->kind == TWO)
		memcpy(at, &two, sizeof two);
	else if (row->kind == FOUR)
		memcpy(at, &v, sizeof v);
	else
		add_subscription_id(p, v);
	return true;
}

/* One property: 0 or the reason it is wrong. */
static uint8_t read_one(struct gg_reader *r, enum gg_mqtt_type type, struct gg_mqtt_properties *p)
{
	uint32_t id = gg_mqtt_read_varint(r);
	if (id > LAST_ID || !rows[id].kind || !(rows[id].where >> type & 1))
		return GG_MQTT_MALFORMED;
	const struct row *row = &rows[id];
	bool many = row->kind == PAIR || (id == GG_MQTT_SUBSCRIPTION_ID && type == GG_MQTT_PUBLISH);
	if (p->present >> id & 1 && !many)
		return GG_MQTT_PROTOCOL_ERROR;
	p->present |= 1ULL << id;
	if (row->kind < TEXT) {
		uint32_t v = read_number(r, row->kind);
		if (r->failed)
			return GG_MQTT_MALFORMED;
		return put_number(p, row, v) ? 0 : GG_MQTT_PROTOCOL_ERROR;
	}
	struct gg_str s = row->kind == BINARY ? gg_read_str(r, gg_read_be16(r)) : read_text(r);
	if (row->kind == PAIR)
		read_text(r); /* stays in the block */
	else
		memcpy((char *)p + row->offset, &s, sizeof s);
	return r->failed ? GG_MQTT_MALFORMED : 0;
}

void gg_mqtt_read_properties(
	struct gg_reader *r, enum gg_mqtt_type type, struct gg_mqtt_properties *ret_p, uint8_t *ret_reason)
{
	*ret_p = (struct gg_mqtt_properties){0};
	size_t size = gg_mqtt_read_varint(r);
	struct gg_str block = gg_read_str(r, size);
	ret_p->user = block;
	struct gg_reader in = gg_reader(block.p, block.len);
	uint8_t reason = r->failed ? GG_MQTT_MALFORMED : 0;
	while (!reason && gg_reader_left(&in))
		reason = read_one(&in, type, ret_p);
	if (!reason)
		return;
	r->failed = true;
	*ret_reason = reason;
}

bool gg_mqtt_user_next(struct gg_str *block, struct gg_str *ret_name, struct gg_str *ret_value)
{
	struct gg_reader r = gg_reader(block->p, block->len);
	while (gg_reader_left(&r) && !r.failed) {
		uint32_t id = gg_mqtt_read_varint(&r);
		uint8_t kind = id <= LAST_ID ? rows[id].kind : 0;
		if (!kind)
			break;
		if (kind < TEXT) {
			read_number(&r, kind);
			continue;
		}
		struct gg_str name = gg_read_str(&r, gg_read_be16(&r));
		if (kind != PAIR)
			continue;
		struct gg_str value = gg_read_str(&r, gg_read_be16(&r));
		if (r.failed)
			break;
		*block = gg_str_n(r.p, gg_reader_left(&r));
		*ret_name = name;
		*ret_value = value;
		return true;
	}
	*block = gg_str_n("", 0);
	return false;
}

static void write_text(struct gg_writer *w, struct gg_str s)
{
	if (s.len > UINT16_MAX)
		w->failed = true;
	gg_write_be16(w, (uint16_t)s.len);
	gg_write_bytes(w, s.p, s.len);
}

void gg_mqtt_user_add(struct gg_writer *w, struct gg_str name, struct gg_str value)
{
	gg_write_u8(w, GG_MQTT_USER_PROPERTY);
	write_text(w, name);
	write_text(w, value);
}

static size_t user_size(struct gg_str block)
{
	struct gg_str name, value;
	size_t size = 0;
	while (gg_mqtt_user_next(&block, &name, &value))
		size += 5 + name.len + value.len;
	return size;
}

static size_t ids_size(const uint32_t *ids)
{
	size_t size = 0;
	for (size_t i = 0; i < GG_MQTT_SUBSCRIPTION_IDS && ids[i]; i++)
		size += 1 + gg_mqtt_varint_size(ids[i]);
	return size;
}

static struct gg_str text_at(const struct gg_mqtt_properties *p, const struct row *row)
{
	struct gg_str s;
	memcpy(&s, (const char *)p + row->offset, sizeof s);
	return s;
}

size_t gg_mqtt_properties_size(const struct gg_mqtt_properties *p)
{
	static const uint8_t fixed[] = {[BYTE] = 2, [TWO] = 3, [FOUR] = 5};
	size_t size = 0;
	for (uint64_t left = p->present; left; left &= left - 1) {
		unsigned id = (unsigned)__builtin_ctzll(left);
		if (id > LAST_ID || !rows[id].kind)
			continue;
		const struct row *row = &rows[id];
		if (row->kind <= FOUR)
			size += fixed[row->kind];
		else if (row->kind == VARINT)
			size += ids_size(p->subscription_ids);
		else if (row->kind == PAIR)
			size += user_size(p->user);
		else
			size += 3 + text_at(p, row).len;
	}
	return size;
}

static void write_one(struct gg_writer *w, unsigned id, const struct gg_mqtt_properties *p)
{
	const struct row *row = &rows[id];
	const char *at = (const char *)p + row->offset;
	uint16_t two;
	uint32_t four;
	gg_write_u8(w, (uint8_t)id);
	switch (row->kind) {
	case BYTE:
		gg_write_bytes(w, at, 1);
		break;
	case TWO:
		memcpy(&two, at, sizeof two);
		gg_write_be16(w, two);
		break;
	case FOUR:
		memcpy(&four, at, sizeof four);
		gg_write_be32(w, four);
		break;
	default:
		write_text(w, text_at(p, row));
	}
}

static void write_many(struct gg_writer *w, unsigned id, const struct gg_mqtt_properties *p)
{
	struct gg_str block = p->user, name, value;
	if (id == GG_MQTT_USER_PROPERTY) {
		while (gg_mqtt_user_next(&block, &name, &value))
			gg_mqtt_user_add(w, name, value);
		return;
	}
	for (size_t i = 0; i < GG_MQTT_SUBSCRIPTION_IDS && p->subscription_ids[i]; i++) {
		gg_write_u8(w, (uint8_t)id);
		gg_mqtt_write_varint(w, p->subscription_ids[i]);
	}
}

void gg_mqtt_write_properties(struct gg_writer *w, const struct gg_mqtt_properties *p)
{
	gg_mqtt_write_varint(w, gg_mqtt_properties_size(p));
	for (uint64_t left = p->present; left; left &= left - 1) {
		unsigned id = (unsigned)__builtin_ctzll(left);
		if (id > LAST_ID || !rows[id].kind)
			continue;
		if (rows[id].kind == PAIR || rows[id].kind == VARINT)
			write_many(w, id, p);
		else
			write_one(w, id, p);
	}
}
