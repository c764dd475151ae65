/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the gateway itself says over MQTT: rules publish messages, and a write to a signal becomes a message
 * on the topic that the option write names. A write is done when a client that subscribed to that topic has
 * been given it; nobody subscribed is a failure a person should see.
 */
#include "broker.h"

int gg_command_publish(struct broker *b, struct gg_publish *p, struct gg_error *e)
{
	if (!gg_mqtt_topic_valid(p->topic) || p->topic.p[0] == '$')
		return gg_error_set(
			e, -EINVAL, "\"%.*s\" is not a topic to publish to", GG_STR_ARG(p->topic));
	struct gg_mqtt_publish m = {.topic = p->topic,
		.payload = p->payload,
		.qos = p->qos > 2 ? 2 : p->qos,
		.retain = p->retain};
	if (gg_mqtt_publish_size(&m, GG_MQTT_V5) > b->o.max_packet)
		return gg_error_set(e, -E2BIG, "the message is larger than max_packet");
	int rc = m.retain ? gg_retain(b, &m, NULL) : 0;
	if (rc < 0)
		return gg_error_set(e, rc, "no more retained messages are allowed");
	gg_deliver(b, &m, NULL, NULL);
	gg_publish_done(p, 0, NULL);
	return 0;
}

static struct gg_str value_text(const struct gg_write *w, char *to)
{
	switch (w->value.type) {
	case GG_TYPE_BOOL:
		return w->value.v.b ? GG_STR("true") : GG_STR("false");
	case GG_TYPE_INT:
		return gg_str_n(to, gg_format_int(to, w->value.v.i));
	case GG_TYPE_UINT:
		return gg_str_n(to, gg_format_uint(to, w->value.v.u));
	case GG_TYPE_FLOAT:
		return gg_str_n(to, gg_format_float(to, w->value.v.f));
	default:
		return w->text;
	}
}

int gg_command_write(struct broker *b, struct gg_write *w, struct gg_error *e)
{
	char topic[512], number[32];
	const struct gg_signal_info *info = gg_signal(w->signal);
	if (!b->has_write)
		return gg_error_set(e, -ENOTSUP, "the option write, a topic for commands, is not set");
	if (!info)
		return gg_error_set(e, -ENOENT, "no such signal");
	struct gg_str device = b->outside.device_id(info->device);
	size_t n = gg_topic_pattern_fill(&b->write_pattern, device, info->signal, topic, sizeof topic);
	if (n == 0)
		return gg_error_set(e, -EINVAL, "%.*s has no command topic by \"%s\"", GG_STR_ARG(info->name),
			b->o.write);
	struct gg_mqtt_publish m = {.topic = {topic, n}, .payload = value_text(w, number), .qos = 1};
	if (!gg_mqtt_topic_valid(m.topic))
		return gg_error_set(e, -EINVAL, "\"%s\" is not a valid topic", topic);
	if (gg_deliver(b, &m, NULL, NULL) == 0)
		return gg_error_set(e, -ENOENT, "no client listens at %s", topic);
	gg_write_done(w, 0, NULL);
	return 0;
}
