/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The broker's numbers, twice: as metrics, and as the $SYS topics that dashboards look for, by the names that
 * mosquitto gave them. $SYS messages are retained but never kept; only applications may subscribe to them.
 */
#include "broker.h"

static struct gg_counter *counter(
	struct broker *b, const char *name, const char *key, const char *value, const char *help)
{
	char labels[192];
	if (key)
		snprintf(labels, sizeof labels, "driver=\"%s\",%s=\"%s\"", b->outside.name, key, value);
	else
		snprintf(labels, sizeof labels, "driver=\"%s\"", b->outside.name);
	return gg_metric_counter(name, labels, help);
}

static struct gg_gauge *gauge(struct broker *b, const char *name, const char *help)
{
	char labels[128];
	snprintf(labels, sizeof labels, "driver=\"%s\"", b->outside.name);
	return gg_metric_gauge(name, labels, help);
}

void gg_sys_init(struct broker *b)
{
	static const char *const qos[] = {"0", "1", "2"};
	static const char *const in_help = "MQTT messages that clients published";
	static const char *const drop_help = "MQTT messages that were not taken or not delivered, by cause";
	struct broker_counters *c = &b->count;
	char labels[128];
	snprintf(labels, sizeof labels, "driver=\"%s\"", b->outside.name);
	for (size_t i = 0; i < 3; i++) {
		c->in[i] = counter(b, "mqtt_messages_in_total", "qos", qos[i], in_help);
		c->out[i] =
			counter(b, "mqtt_messages_out_total", "qos", qos[i], "MQTT messages sent to clients");
	}
	c->connections = gauge(b, "mqtt_connections", "MQTT clients that are connected");
	c->sessions = gauge(b, "mqtt_sessions", "MQTT sessions, connected or not");
	c->retained = gauge(b, "mqtt_retained_messages", "MQTT messages retained");
	c->queued_bytes = gauge(b, "mqtt_message_bytes", "Memory of queued and retained MQTT messages");
	c->bytes_in = counter(b, "mqtt_in_bytes_total", NULL, NULL, "Bytes of MQTT packets received");
	c->bytes_out = counter(b, "mqtt_out_bytes_total", NULL, NULL, "Bytes of MQTT packets sent");
	static const char *const drops = "mqtt_dropped_total";
	c->dropped_payload = counter(b, drops, "cause", "payload", drop_help);
	c->dropped_denied = counter(b, drops, "cause", "denied", drop_help);
	c->dropped_slow = counter(b, drops, "cause", "slow-client", drop_help);
	c->dropped_full = counter(b, drops, "cause", "queue-full", drop_help);
	c->dropped_expired = counter(b, drops, "cause", "expired", drop_help);
	c->dropped_large = counter(b, drops, "cause", "too-large", drop_help);
	c->dropped_limit = counter(b, drops, "cause", "limit", drop_help);
	static const char *const throttled_help = "How often an MQTT client was read no faster, by the limit";
	c->throttled[0] = counter(b, "mqtt_throttled_total", "limit", "rate", throttled_help);
	c->throttled[1] = counter(b, "mqtt_throttled_total", "limit", "rate_bytes", throttled_help);
	c->refused_logins = counter(b, "mqtt_refused_logins_total", NULL, NULL, "MQTT clients not let in");
	c->protocol_errors =
		counter(b, "mqtt_protocol_errors_total", NULL, NULL, "MQTT packets that broke the protocol");
	c->ack_wait = gg_metric_histogram(
		"mqtt_ack_wait_seconds", labels, "From a PUBLISH with QoS > 0 to its PUBACK or PUBREC");
}

static void say(struct broker *b, const char *topic, const char *text)
{
	struct gg_mqtt_publish p = {.topic = gg_str(topic), .payload = gg_str(text), .retain = true};
	gg_retain_quietly(b, &p, GG_NONE, 0);
	gg_deliver(b, &p, NULL, NULL);
}

static void say_number(struct broker *b, const char *topic, uint64_t number)
{
	char text[32];
	gg_format_uint(text, number);
	say(b, topic, text);
}

static void say_all(struct broker *b)
{
	size_t away = b->sessions.count > b->connection_count ? b->sessions.count - b->connection_count : 0;
	const struct {
		const char *topic;
		uint64_t number;
	} rows[] = {{"clients/connected", b->connection_count}, {"clients/active", b->connection_count},
		{"clients/disconnected", away}, {"clients/inactive", away},
		{"clients/total", b->sessions.count}, {"clients/maximum", b->most_clients},
		{"clients/expired", b->expired_clients}, {"messages/received", b->packets_received},
		{"messages/sent", b->packets_sent}, {"publish/messages/received", b->received},
		{"publish/messages/sent", b->sent}, {"publish/messages/dropped", b->dropped},
		{"publish/bytes/received", b->payload_received}, {"publish/bytes/sent", b->payload_sent},
		{"bytes/received", b->bytes_received}, {"bytes/sent", b->bytes_sent},
		{"subscriptions/count", b->subscription_count},
		{"shared_subscriptions/count", b->shared_count},
		{"retained messages/count", b->retained_count}, {"store/messages/bytes", b->message_bytes}};
	for (size_t i = 0; i < GG_COUNT(rows); i++) {
		char topic[96];
		snprintf(topic, sizeof topic, "$SYS/broker/%s", rows[i].topic);
		say_number(b, topic, rows[i].number);
	}
}

static void tick(struct gg_timer *t)
{
	struct broker *b = GG_CONTAINER(t, struct broker, sys_timer);
	char uptime[48];
	snprintf(uptime, sizeof uptime, "%lld seconds",
		(long long)((gg_loop_now(b->loop) - b->started_ns) / GG_NS_PER_S));
	say(b, "$SYS/broker/version", "Ganglion " GG_VERSION);
	say(b, "$SYS/broker/uptime", uptime);
	say_all(b);
	gg_timer_start(b->loop, &b->sys_timer, b->o.sys_interval_ns, tick);
}

void gg_sys_start(struct broker *b)
{
	b->started_ns = gg_loop_now(b->loop);
	if (b->o.sys_interval_ns)
		tick(&b->sys_timer);
}
