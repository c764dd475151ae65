/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the gateway itself says over MQTT: rules publish messages, and a write to a signal becomes a message
 * on the topic that the option write names. A write is done when a client that subscribed to that topic has
 * been given it; nobody subscribed is a failure a person should see. With write_timeout it is done when a
 * client has acknowledged the message, and has failed when none did in that time: then it is sent to nobody
 * any more either, for a command that comes late may be a wrong one.
 */
#include "broker.h"

struct command {
	struct gg_write *write;
	struct broker *broker;
	struct message *message; /* NULL: not made yet */
	struct command *next, *previous;
	struct gg_timer timer;
};

/* Answers, and forgets it. */
static void over(struct command *k, int status, const char *reason)
{
	struct broker *b = k->broker;
	gg_timer_stop(&k->timer);
	if (k->message)
		k->message->command = NULL;
	if (k->previous)
		k->previous->next = k->next;
	else
		b->commands = k->next;
	if (k->next)
		k->next->previous = k->previous;
	gg_write_done(k->write, status, reason);
	free(k);
}

static void too_late(struct gg_timer *t)
{
	over(GG_CONTAINER(t, struct command, timer), -ETIMEDOUT, "the device did not acknowledge in time");
}

void gg_command_attach(struct command *k, struct message *m)
{
	k->message = m;
	m->command = k;
	m->expires_ns = gg_broker_utc(k->broker) + k->broker->o.write_timeout_ns;
}

void gg_command_answered(struct message *m, uint8_t reason)
{
	if (reason < GG_MQTT_UNSPECIFIED)
		over(m->command, 0, NULL);
	else if (m->refs == 0)
		over(m->command, -ECANCELED, "no client acknowledged the command");
	else
		over(m->command, -EPROTO, gg_mqtt_reason_text(reason));
}

void gg_commands_done(struct broker *b)
{
	while (b->commands)
		over(b->commands, -ESHUTDOWN, "the gateway shuts down");
}

static struct command *command_new(struct broker *b, struct gg_write *w)
{
	struct command *k = calloc(1, sizeof *k);
	if (!k)
		return NULL;
	*k = (struct command){.write = w, .broker = b, .next = b->commands};
	if (k->next)
		k->next->previous = k;
	b->commands = k;
	return k;
}

/* Takes back one that has not been answered. */
static void command_drop(struct command *k)
{
	struct broker *b = k->broker;
	b->commands = k->next; /* it is the newest */
	if (k->next)
		k->next->previous = NULL;
	free(k);
}

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
	int rc = m.retain ? gg_retain(b, &m, GG_NONE, NULL) : 0;
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

static int write_and_wait(
	struct broker *b, const struct gg_mqtt_publish *m, struct gg_write *w, struct gg_error *e)
{
	struct command *k = command_new(b, w);
	if (!k)
		return gg_error_set(e, -ENOMEM, "out of memory");
	b->command = k;
	unsigned given = gg_deliver(b, m, NULL, NULL);
	b->command = NULL;
	if (b->commands != k) /* none could be given it, and it was answered so */
		return 0;
	if (k->message) {
		gg_timer_start(b->loop, &k->timer, b->o.write_timeout_ns, too_late);
		return 0;
	}
	command_drop(k);
	return given ? gg_error_set(e, -ENOTSUP,
			       "who listens at %.*s does so with QoS 0, and acknowledges nothing",
			       GG_STR_ARG(m->topic))
		     : gg_error_set(e, -ENOENT, "no client listens at %.*s", GG_STR_ARG(m->topic));
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
	if (b->o.write_timeout_ns)
		return write_and_wait(b, &m, w, e);
	if (gg_deliver(b, &m, NULL, NULL) == 0)
		return gg_error_set(e, -ENOENT, "no client listens at %s", topic);
	gg_write_done(w, 0, NULL);
	return 0;
}
