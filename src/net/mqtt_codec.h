/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MQTT 3.1.1 (OASIS, 29 October 2014) and 5.0 (OASIS, 7 March 2019): bytes to packets and back, in both
 * directions, so that server and client share it. Pure: no I/O, no allocation, no state.
 *
 *   input ─▶ gg_mqtt_frame() ─▶ gg_mqtt_decode() ─▶ struct gg_mqtt_packet   views into the input, no copies
 *   struct gg_mqtt_packet ─▶ gg_mqtt_encode() ─▶ output                     straight into the output buffer
 *
 * What decode lets through is valid by the standard: flags, lengths, UTF-8 without U+0000, topic names and
 * filters, properties that belong to the packet and come once. What depends on the state of a connection
 * (packet ids, aliases, order of packets) is the caller's.
 * Section numbers are those of 5.0 unless they begin with "v3". Thread: pure functions.
 */
#ifndef GG_NET_MQTT_CODEC_H
#define GG_NET_MQTT_CODEC_H

#include "base/bytes.h"

enum gg_mqtt_version { GG_MQTT_V3 = 4, GG_MQTT_V5 = 5 }; /* protocol levels: 3.1.1 and 5.0 */

enum gg_mqtt_type { /* §2.1.2; 0 is the will of a CONNECT where properties are concerned */
	GG_MQTT_WILL,
	GG_MQTT_CONNECT,
	GG_MQTT_CONNACK,
	GG_MQTT_PUBLISH,
	GG_MQTT_PUBACK,
	GG_MQTT_PUBREC,
	GG_MQTT_PUBREL,
	GG_MQTT_PUBCOMP,
	GG_MQTT_SUBSCRIBE,
	GG_MQTT_SUBACK,
	GG_MQTT_UNSUBSCRIBE,
	GG_MQTT_UNSUBACK,
	GG_MQTT_PINGREQ,
	GG_MQTT_PINGRESP,
	GG_MQTT_DISCONNECT,
	GG_MQTT_AUTH,
};

/* §2.4, with the words of the table. */
#define GG_MQTT_REASONS(X)                                                                                   \
	X(SUCCESS, 0x00, "success")                                                                          \
	X(GRANTED_1, 0x01, "granted QoS 1")                                                                  \
	X(GRANTED_2, 0x02, "granted QoS 2")                                                                  \
	X(DISCONNECT_WITH_WILL, 0x04, "disconnect with will message")                                        \
	X(NO_SUBSCRIBERS, 0x10, "no matching subscribers")                                                   \
	X(NO_SUBSCRIPTION, 0x11, "no subscription existed")                                                  \
	X(CONTINUE_AUTH, 0x18, "continue authentication")                                                    \
	X(REAUTHENTICATE, 0x19, "re-authenticate")                                                           \
	X(UNSPECIFIED, 0x80, "unspecified error")                                                            \
	X(MALFORMED, 0x81, "malformed packet")                                                               \
	X(PROTOCOL_ERROR, 0x82, "protocol error")                                                            \
	X(IMPLEMENTATION, 0x83, "implementation specific error")                                             \
	X(BAD_VERSION, 0x84, "unsupported protocol version")                                                 \
	X(BAD_CLIENT_ID, 0x85, "client identifier not valid")                                                \
	X(BAD_CREDENTIALS, 0x86, "bad user name or password")                                                \
	X(NOT_AUTHORIZED, 0x87, "not authorized")                                                            \
	X(SERVER_UNAVAILABLE, 0x88, "server unavailable")                                                    \
	X(SERVER_BUSY, 0x89, "server busy")                                                                  \
	X(BANNED, 0x8a, "banned")                                                                            \
	X(SHUTTING_DOWN, 0x8b, "server shutting down")                                                       \
	X(BAD_AUTH_METHOD, 0x8c, "bad authentication method")                                                \
	X(KEEP_ALIVE_TIMEOUT, 0x8d, "keep alive timeout")                                                    \
	X(TAKEN_OVER, 0x8e, "session taken over")                                                            \
	X(BAD_FILTER, 0x8f, "topic filter invalid")                                                          \
	X(BAD_TOPIC, 0x90, "topic name invalid")                                                             \
	X(PACKET_ID_IN_USE, 0x91, "packet identifier in use")                                                \
	X(PACKET_ID_NOT_FOUND, 0x92, "packet identifier not found")                                          \
	X(RECEIVE_MAXIMUM, 0x93, "receive maximum exceeded")                                                 \
	X(BAD_ALIAS, 0x94, "topic alias invalid")                                                            \
	X(TOO_LARGE, 0x95, "packet too large")                                                               \
	X(RATE_TOO_HIGH, 0x96, "message rate too high")                                                      \
	X(QUOTA, 0x97, "quota exceeded")                                                                     \
	X(ADMINISTRATIVE, 0x98, "administrative action")                                                     \
	X(BAD_PAYLOAD, 0x99, "payload format invalid")                                                       \
	X(NO_RETAIN, 0x9a, "retain not supported")                                                           \
	X(NO_QOS, 0x9b, "QoS not supported")                                                                 \
	X(USE_ANOTHER_SERVER, 0x9c, "use another server")                                                    \
	X(SERVER_MOVED, 0x9d, "server moved")                                                                \
	X(NO_SHARED, 0x9e, "shared subscriptions not supported")                                             \
	X(CONNECTION_RATE, 0x9f, "connection rate exceeded")                                                 \
	X(MAXIMUM_CONNECT_TIME, 0xa0, "maximum connect time")                                                \
	X(NO_SUBSCRIPTION_IDS, 0xa1, "subscription identifiers not supported")                               \
	X(NO_WILDCARDS, 0xa2, "wildcard subscriptions not supported")

enum gg_mqtt_reason {
#define ROW(name, code, text) GG_MQTT_##name = code,
	GG_MQTT_REASONS(ROW)
#undef ROW
};

const char *gg_mqtt_reason_text(uint8_t reason);
const char *gg_mqtt_type_name(uint8_t type);

/* ---- properties (§2.2.2) ---- */

enum gg_mqtt_property {
	GG_MQTT_PAYLOAD_FORMAT = 0x01,
	GG_MQTT_MESSAGE_EXPIRY = 0x02,
	GG_MQTT_CONTENT_TYPE = 0x03,
	GG_MQTT_RESPONSE_TOPIC = 0x08,
	GG_MQTT_CORRELATION = 0x09,
	GG_MQTT_SUBSCRIPTION_ID = 0x0b,
	GG_MQTT_SESSION_EXPIRY = 0x11,
	GG_MQTT_ASSIGNED_CLIENT_ID = 0x12,
	GG_MQTT_SERVER_KEEP_ALIVE = 0x13,
	GG_MQTT_AUTH_METHOD = 0x15,
	GG_MQTT_AUTH_DATA = 0x16,
	GG_MQTT_REQUEST_PROBLEM = 0x17,
	GG_MQTT_WILL_DELAY = 0x18,
	GG_MQTT_REQUEST_RESPONSE = 0x19,
	GG_MQTT_RESPONSE_INFO = 0x1a,
	GG_MQTT_SERVER_REFERENCE = 0x1c,
	GG_MQTT_REASON_STRING = 0x1f,
	GG_MQTT_RECEIVE_MAXIMUM_ID = 0x21,
	GG_MQTT_ALIAS_MAXIMUM = 0x22,
	GG_MQTT_TOPIC_ALIAS = 0x23,
	GG_MQTT_MAXIMUM_QOS = 0x24,
	GG_MQTT_RETAIN_AVAILABLE = 0x25,
	GG_MQTT_USER_PROPERTY = 0x26,
	GG_MQTT_MAXIMUM_PACKET = 0x27,
	GG_MQTT_WILDCARD_AVAILABLE = 0x28,
	GG_MQTT_SUBSCRIPTION_ID_AVAILABLE = 0x29,
	GG_MQTT_SHARED_AVAILABLE = 0x2a,
};

enum { GG_MQTT_SUBSCRIPTION_IDS = 8 };

/* A field counts only when its bit is set in present; see gg_mqtt_has() and gg_mqtt_set(). */
struct gg_mqtt_properties {
	uint64_t present; /* 1 << enum gg_mqtt_property */
	uint8_t payload_format, request_problem, request_response, maximum_qos;
	uint8_t retain_available, wildcard_available, subscription_id_available, shared_available;
	uint16_t server_keep_alive_s, receive_maximum, alias_maximum, topic_alias;
	uint32_t message_expiry_s, session_expiry_s, will_delay_s, maximum_packet;
	uint32_t subscription_ids[GG_MQTT_SUBSCRIPTION_IDS]; /* 0 marks the end */
	struct gg_str content_type, response_topic, correlation, assigned_client_id, auth_method, auth_data;
	struct gg_str response_info, server_reference, reason;
	struct gg_str user; /* encoded properties, of which the user properties count: gg_mqtt_user_next() */
};

static inline bool gg_mqtt_has(const struct gg_mqtt_properties *p, enum gg_mqtt_property id)
{
	return p->present >> id & 1;
}

static inline void gg_mqtt_set(struct gg_mqtt_properties *p, enum gg_mqtt_property id)
{
	p->present |= 1ULL << id;
}

/* Reads length and properties of a packet of that type. Failure is the reader's; *ret_reason says which. */
void gg_mqtt_read_properties(
	struct gg_reader *r, enum gg_mqtt_type type, struct gg_mqtt_properties *ret_p, uint8_t *ret_reason);
/* Without the length in front. */
size_t gg_mqtt_properties_size(const struct gg_mqtt_properties *p);
/* With the length in front. */
void gg_mqtt_write_properties(struct gg_writer *w, const struct gg_mqtt_properties *p);
/* Cuts the next user property off the block; false at its end. */
bool gg_mqtt_user_next(struct gg_str *block, struct gg_str *ret_name, struct gg_str *ret_value);
void gg_mqtt_user_add(struct gg_writer *w, struct gg_str name, struct gg_str value);

/* Variable byte integers (§1.5.5), at most 4 bytes. */
static inline size_t gg_mqtt_varint_size(size_t v)
{
	return v < 128 ? 1 : v < 16384 ? 2 : v < 2097152 ? 3 : 4;
}
uint32_t gg_mqtt_read_varint(struct gg_reader *r);
void gg_mqtt_write_varint(struct gg_writer *w, size_t v);

/* ---- packets ---- */

struct gg_mqtt_will {
	struct gg_str topic, payload;
	uint8_t qos;
	bool retain;
	struct gg_mqtt_properties properties;
};

struct gg_mqtt_connect {
	uint8_t version; /* enum gg_mqtt_version */
	bool clean, has_will, has_user, has_password;
	uint16_t keep_alive_s;
	struct gg_str client_id, user, password;
	struct gg_mqtt_properties properties;
	struct gg_mqtt_will will;
};

struct gg_mqtt_connack {
	bool session_present;
	uint8_t reason; /* of 5.0; encode and decode translate the return codes of 3.1.1 (v3 3.2.2.3) */
	struct gg_mqtt_properties properties;
};

struct gg_mqtt_publish {
	bool dup, retain;
	uint8_t qos;
	uint16_t packet_id; /* 0 with QoS 0 */
	struct gg_str topic, payload;
	struct gg_mqtt_properties properties;
};

struct gg_mqtt_ack { /* PUBACK, PUBREC, PUBREL, PUBCOMP */
	uint16_t packet_id;
	uint8_t reason;
	struct gg_mqtt_properties properties;
};

/* SUBSCRIBE, UNSUBSCRIBE: filters are encoded entries, checked; walk them with gg_mqtt_filter_next().
 * SUBACK, UNSUBACK: codes, a byte each. */
struct gg_mqtt_subscribe {
	uint16_t packet_id;
	struct gg_str filters, codes;
	struct gg_mqtt_properties properties;
};

struct gg_mqtt_disconnect { /* DISCONNECT, AUTH */
	uint8_t reason;
	struct gg_mqtt_properties properties;
};

struct gg_mqtt_packet {
	uint8_t type; /* enum gg_mqtt_type; PINGREQ and PINGRESP have nothing more */
	union {
		struct gg_mqtt_connect connect;
		struct gg_mqtt_connack connack;
		struct gg_mqtt_publish publish;
		struct gg_mqtt_ack ack;
		struct gg_mqtt_subscribe subscribe;
		struct gg_mqtt_disconnect disconnect;
	};
};

/* A packet's frame: what the fixed header says (§2.1). */
struct gg_mqtt_frame {
	uint8_t type, flags;
	bool padded;        /* Remaining Length has more bytes than it needs: malformed in 5.0 */
	size_t size;        /* of the whole packet */
	struct gg_str body; /* what follows the fixed header */
};

/*
 * Finds the frame at the start of the input. Errors: -EAGAIN not all of it is there (*ret_need, which may be
 * NULL, is the size the input must at least have), -EPROTO malformed, -E2BIG larger than max_packet.
 */
int gg_mqtt_frame(struct gg_str input, size_t max_packet, struct gg_mqtt_frame *ret_frame, size_t *ret_need);
/* version: of the connection; for CONNECT any, the packet's own counts. Errors: -EPROTO, with *ret_reason
 * (enum gg_mqtt_reason) set. */
int gg_mqtt_decode(const struct gg_mqtt_frame *f, enum gg_mqtt_version version,
	struct gg_mqtt_packet *ret_packet, uint8_t *ret_reason);

struct gg_mqtt_filter {
	struct gg_str filter;
	uint8_t qos, retain_handling;
	bool no_local, retain_as_published;
};

/* type: SUBSCRIBE or UNSUBSCRIBE. Cuts the next entry off; false at the end. */
bool gg_mqtt_filter_next(struct gg_str *filters, enum gg_mqtt_type type, struct gg_mqtt_filter *ret_filter);
void gg_mqtt_filter_add(struct gg_writer *w, enum gg_mqtt_type type, const struct gg_mqtt_filter *f);

/* Exact. With version 3.1.1 properties and reasons that it does not know are left out. */
size_t gg_mqtt_size(const struct gg_mqtt_packet *p, enum gg_mqtt_version version);
/* Failure (no room, more than 268,435,455 bytes) is the writer's. */
void gg_mqtt_encode(struct gg_writer *w, const struct gg_mqtt_packet *p, enum gg_mqtt_version version);
/* A PUBLISH without the copy of a packet: the way of every message. */
size_t gg_mqtt_publish_size(const struct gg_mqtt_publish *p, enum gg_mqtt_version version);
void gg_mqtt_encode_publish(
	struct gg_writer *w, const struct gg_mqtt_publish *p, enum gg_mqtt_version version);

enum { GG_MQTT_ACK_SIZE = 4 };
/* An acknowledgement that says success: the same 4 bytes in both versions. */
static inline void gg_mqtt_put_ack(uint8_t *to, enum gg_mqtt_type type, uint16_t packet_id)
{
	to[0] = (uint8_t)(type << 4 | (type == GG_MQTT_PUBREL ? 2 : 0));
	to[1] = 2;
	to[2] = (uint8_t)(packet_id >> 8);
	to[3] = (uint8_t)packet_id;
}

/* UTF-8 without U+0000 (§1.5.4). */
bool gg_mqtt_string_valid(struct gg_str s);

#endif
