/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PUBLISH from a client (§3.3) and PUBREL (§3.6). The order of questions: may it now (rate, receive maximum),
 * which topic (alias), may it there, has it come before (QoS 2) - and then the message goes three ways:
 * samples, retained, subscribers.
 *
 * A denied or undecodable message is told by a reason in 5.0. 3.1.1 has no way to say so: it is acknowledged
 * and dropped, and counted, as other brokers do; to end the connection would make the client send it for
 * ever.
 */
#include "broker.h"

#include "base/log.h"

/* §3.3.2.3.4. Returns a reason, 0 = the topic stands. */
static uint8_t resolve_alias(struct connection *c, struct gg_mqtt_publish *p)
{
	if (!gg_mqtt_has(&p->properties, GG_MQTT_TOPIC_ALIAS))
		return 0;
	uint16_t alias = p->properties.topic_alias;
	if (alias == 0 || alias > BROKER_ALIASES)
		return GG_MQTT_BAD_ALIAS;
	if (!c->aliases)
		c->aliases = calloc(UINT8_MAX, sizeof *c->aliases);
	if (!c->aliases)
		return GG_MQTT_IMPLEMENTATION;
	char **known = &c->aliases[alias - 1];
	if (p->topic.len == 0) {
		p->topic = gg_str(*known);
		return *known ? 0 : GG_MQTT_PROTOCOL_ERROR;
	}
	if (*known && gg_str_is(p->topic, *known))
		return 0;
	char *topic = gg_str_dup(p->topic);
	if (!topic)
		return GG_MQTT_IMPLEMENTATION;
	free(*known);
	*known = topic;
	return 0;
}

static struct gg_str client_of(const struct session *s)
{
	return s ? gg_session_id(s) : GG_STR("");
}

/* What became of the samples, as a reason; 0: the message goes on. */
static uint8_t judge(struct broker *b, const struct session *from, const struct gg_mqtt_publish *p, int rc)
{
	switch (rc) {
	case -ENOMEM:
		return GG_MQTT_IMPLEMENTATION;
	case -EACCES:
		gg_count(b->count.dropped_denied, 1);
		b->why = "its samples would be another device's";
		return GG_MQTT_NOT_AUTHORIZED;
	case -EDQUOT:
		gg_count(b->count.dropped_limit, 1);
		b->why = "the limit of devices or signals is reached";
		gg_log(GG_WARN, b->outside.name,
			"message dropped, the limit of devices or signals is reached",
			GG_SV("client", client_of(from)), GG_SV("topic", p->topic));
		return GG_MQTT_QUOTA;
	case -EINVAL:
	case -E2BIG:
		gg_count(b->count.dropped_payload, 1);
		b->why = "the payload can't be read as its topic says";
		gg_log(GG_WARN, b->outside.name,
			"message dropped, its payload can't be read as its topic says",
			GG_SV("client", client_of(from)), GG_SV("topic", p->topic));
		return GG_MQTT_BAD_PAYLOAD;
	default:
		return 0;
	}
}

static uint8_t retain(struct broker *b, const struct connection *c, const struct session *from,
	const struct gg_mqtt_publish *p, struct hold *hold)
{
	uint32_t owner = c ? c->device : from ? from->device : GG_NONE;
	int rc = gg_retain(b, p, owner, hold);
	if (rc == 0)
		return 0;
	gg_count(b->count.dropped_limit, 1);
	gg_log(GG_WARN, b->outside.name, "message not retained", GG_SV("client", client_of(from)),
		GG_SV("topic", p->topic), GG_S("limit", rc == -EDQUOT && b->limit ? b->limit : "memory"));
	return GG_MQTT_QUOTA;
}

uint8_t gg_broker_route(struct broker *b, struct connection *c, struct session *from,
	const struct gg_mqtt_publish *p, struct hold *hold, unsigned *ret_receivers)
{
	uint8_t reason = judge(b, from, p, p->payload.len ? gg_ingest(b, c, from, p, hold) : 0);
	if (reason)
		return reason;
	if (p->retain)
		reason = retain(b, c, from, p, hold);
	bool once = c && p->qos == 2 && reason == 0 && gg_session_persists(from);
	b->received_id = once ? p->packet_id : 0;
	unsigned receivers = gg_deliver(b, p, from, hold);
	if (ret_receivers)
		*ret_receivers = receivers;
	return reason;
}

/* Says yes or no to a message with QoS > 0. */
static void answer(struct connection *c, const struct gg_mqtt_publish *p, uint8_t reason)
{
	struct session *s = c->session;
	if (c->version == GG_MQTT_V3 && reason == GG_MQTT_IMPLEMENTATION) {
		gg_connection_end(c, reason, "out of memory; the client may send it again");
		return;
	}
	if (p->qos == 2 && reason < GG_MQTT_UNSPECIFIED) {
		if (gg_session_set_received(s, p->packet_id, true) < 0)
			reason = GG_MQTT_IMPLEMENTATION;
		else if (gg_session_persists(s) && c->broker->received_id)
			gg_persist_received(s, p->packet_id, true, gg_promise_hold(c));
	}
	enum gg_mqtt_type type = p->qos == 2 ? GG_MQTT_PUBREC : GG_MQTT_PUBACK;
	c->unreleased++;
	if (gg_promise_refusal(c, type, p->packet_id, c->version == GG_MQTT_V5 ? reason : 0) < 0)
		gg_connection_end(c, GG_MQTT_IMPLEMENTATION, "out of memory");
}

static bool may_come(struct connection *c, const struct gg_mqtt_publish *p)
{
	if (p->qos && c->version == GG_MQTT_V5 && c->unreleased >= c->broker->o.max_inflight) {
		gg_connection_end(c, GG_MQTT_RECEIVE_MAXIMUM, "receive maximum exceeded");
		return true;
	}
	if (p->qos && gg_promise_full(c)) {
		gg_connection_pause(c, PAUSE_ACKS);
		return false;
	}
	return gg_limit_message(c);
}

bool gg_publish_in(struct connection *c, struct gg_mqtt_publish *p)
{
	struct broker *b = c->broker;
	if (!may_come(c, p))
		return false;
	if (c->closing)
		return true;
	uint8_t reason = resolve_alias(c, p);
	b->why = b->limit = NULL;
	if (gg_mqtt_has(&p->properties, GG_MQTT_SUBSCRIPTION_ID))
		reason = GG_MQTT_PROTOCOL_ERROR; /* [MQTT-3.3.4-6] */
	if (reason) {
		gg_count(b->count.protocol_errors, 1);
		gg_connection_end(c, reason, gg_mqtt_reason_text(reason));
		return true;
	}
	if (p->qos == 2 && gg_session_received(c->session, p->packet_id)) {
		if (gg_promise_ack(c, GG_MQTT_PUBREC, p->packet_id, 0) <
			0) /* again: taken, not routed twice */
			gg_connection_end(c, GG_MQTT_IMPLEMENTATION, "out of memory");
		return true;
	}
	struct hold *hold = p->qos ? gg_promise_hold(c) : NULL;
	const char *limit = gg_limit_topic(b, p->topic);
	if (limit) {
		gg_count(b->count.dropped_limit, 1);
		gg_log(GG_WARN, b->outside.name, "message dropped, its topic is too long",
			GG_SV("client", gg_session_id(c->session)), GG_I("bytes", p->topic.len),
			GG_S("limit", limit));
		b->why = "the topic is too long";
		b->limit = limit;
		reason = GG_MQTT_BAD_TOPIC;
	} else if (p->topic.p[0] == '$' || !gg_access(c, p->topic)) {
		gg_count(b->count.dropped_denied, 1);
		gg_log(GG_WARN, b->outside.name, "message dropped, its topic is not the client's own",
			GG_SV("client", gg_session_id(c->session)), GG_SV("topic", p->topic));
		b->why = "the topic is not the client's own";
		reason = GG_MQTT_NOT_AUTHORIZED;
	} else if (p->qos && !hold) {
		reason = GG_MQTT_IMPLEMENTATION;
	} else {
		reason = gg_broker_route(b, c, c->session, p, hold, NULL);
		if (reason ==
			GG_MQTT_IMPLEMENTATION) { /* nothing has happened yet: again, when there is memory */
			gg_limit_pause(c, 10 * GG_NS_PER_MS);
			return false;
		}
	}
	b->received++;
	b->payload_received += p->payload.len;
	gg_count(b->count.in[p->qos], 1);
	if (p->qos && !c->closing)
		answer(c, p, reason);
	return true;
}

void gg_pubrel_in(struct connection *c, const struct gg_mqtt_ack *a)
{
	struct session *s = c->session;
	bool known = gg_session_received(s, a->packet_id);
	if (known) {
		gg_session_set_received(s, a->packet_id, false);
		c->unreleased -= c->unreleased > 0;
		if (gg_session_persists(s))
			gg_persist_received(s, a->packet_id, false, gg_promise_hold(c));
	}
	/* Its packet id may be another message's from PUBCOMP on: that it is free must be on disk before. */
	if (gg_promise_ack(c, GG_MQTT_PUBCOMP, a->packet_id, known ? 0 : GG_MQTT_PACKET_ID_NOT_FOUND) < 0)
		gg_connection_end(c, GG_MQTT_IMPLEMENTATION, "out of memory");
}
