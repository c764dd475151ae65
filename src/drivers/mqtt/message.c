/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A message that outlives its packet: retained, queued or a will. One block of memory with its bytes behind
 * it, shared by all who wait for it; all together are bounded by the option memory.
 */
#include "broker.h"

static struct gg_str copy(char **at, struct gg_str s)
{
	char *to = *at;
	if (s.len)
		memcpy(to, s.p, s.len);
	*at += s.len;
	return gg_str_n(to, s.len);
}

/* Properties that travel with a message (§3.3.2.3); the others belong to a hop. */
static const uint64_t travels = 1ULL << GG_MQTT_PAYLOAD_FORMAT | 1ULL << GG_MQTT_MESSAGE_EXPIRY |
				1ULL << GG_MQTT_CONTENT_TYPE | 1ULL << GG_MQTT_RESPONSE_TOPIC |
				1ULL << GG_MQTT_CORRELATION | 1ULL << GG_MQTT_USER_PROPERTY;

static struct gg_str if_set(const struct gg_mqtt_properties *p, enum gg_mqtt_property id, struct gg_str s)
{
	return gg_mqtt_has(p, id) ? s : gg_str_n("", 0);
}

struct message *gg_message_new(struct broker *b, const struct gg_mqtt_publish *p)
{
	const struct gg_mqtt_properties *q = &p->properties;
	uint64_t present = q->present & travels;
	struct gg_str type = if_set(q, GG_MQTT_CONTENT_TYPE, q->content_type);
	struct gg_str response = if_set(q, GG_MQTT_RESPONSE_TOPIC, q->response_topic);
	struct gg_str correlation = if_set(q, GG_MQTT_CORRELATION, q->correlation);
	struct gg_str user = if_set(q, GG_MQTT_USER_PROPERTY, q->user);
	size_t bytes = p->topic.len + p->payload.len + type.len + response.len + correlation.len + user.len;
	size_t size = sizeof(struct message) + bytes;
	if (!b->replaying && (size > b->o.memory || b->message_bytes > b->o.memory - size))
		return NULL;
	struct message *m = malloc(size);
	if (!m)
		return NULL;
	*m = (struct message){.refs = 1, .size = size, .broker = b, .expires_ns = INT64_MAX};
	char *at = m->bytes;
	m->publish = (struct gg_mqtt_publish){.retain = p->retain,
		.qos = p->qos,
		.topic = copy(&at, p->topic),
		.payload = copy(&at, p->payload)};
	if (present) {
		struct gg_mqtt_properties *to = &m->publish.properties;
		to->present = present;
		to->payload_format = q->payload_format;
		to->message_expiry_s = q->message_expiry_s;
		to->content_type = copy(&at, type);
		to->response_topic = copy(&at, response);
		to->correlation = copy(&at, correlation);
		to->user = copy(&at, user);
	}
	if (gg_mqtt_has(q, GG_MQTT_MESSAGE_EXPIRY))
		m->expires_ns = gg_broker_utc(b) + (int64_t)q->message_expiry_s * GG_NS_PER_S;
	b->message_bytes += size;
	gg_gauge_set(b->count.queued_bytes, (int64_t)b->message_bytes);
	return m;
}

struct message *gg_message_ref(struct message *m)
{
	m->refs++;
	return m;
}

void gg_message_unref(struct message *m)
{
	if (!m || --m->refs)
		return;
	if (m->command)
		gg_command_answered(m, GG_MQTT_UNSPECIFIED);
	m->broker->message_bytes -= m->size;
	gg_gauge_set(m->broker->count.queued_bytes, (int64_t)m->broker->message_bytes);
	free(m);
}
