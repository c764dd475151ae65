/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parcels to an MQTT broker, 5.0 or 3.1.1. The peer has a parcel for good when it has sent PUBACK; with qos 0
 * when it has been handed to the connection, which promises nothing.
 *
 * In 5.0 a message carries the content type, and the parcel's id as the user property "id", by which a
 * receiver may recognise what comes twice; in 3.1.1 the id is in the payload (JSON and CBOR have it there
 * anyway).
 */
#include "uplinks/mqtt/mqtt_uplink.h"

enum { VERSION_5, VERSION_3 };

/* ---- topics ---- */

struct placeholder {
	const char *word;
	struct gg_str value;
};

int gg_mqtt_topic(
	const struct gg_mqtt_uplink *m, const char *pattern, struct gg_str name, char *to, size_t size)
{
	const struct placeholder all[] = {{"{site}", gg_str(gg_host_site(m->host))},
		{"{uplink}", gg_str(gg_host_name(m->host))}, {"{name}", name}};
	size_t len = 0;
	for (const char *p = pattern; *p;) {
		struct gg_str piece = gg_str_n(p, 1);
		size_t width = 1;
		for (size_t i = 0; i < GG_COUNT(all); i++) {
			if (gg_str_starts(gg_str(p), gg_str(all[i].word))) {
				piece = all[i].value;
				width = strlen(all[i].word);
			}
		}
		if (len + piece.len >= size)
			return -E2BIG;
		if (piece.len)
			memcpy(to + len, piece.p, piece.len);
		len += piece.len;
		p += width;
	}
	to[len] = '\0';
	return 0;
}

/* ---- parcels ---- */

static unsigned window(void *self)
{
	const struct gg_mqtt_uplink *m = self;
	uint64_t w = m->window < GG_MQTT_WINDOW ? m->window : GG_MQTT_WINDOW;
	/* One for the status message, which is acknowledged too. */
	uint64_t theirs = m->receive_maximum > 1 ? m->receive_maximum - 1 : 1;
	return (unsigned)(w < theirs ? w : theirs);
}

static size_t free_place(const struct gg_mqtt_uplink *m)
{
	size_t i = 0;
	while (i < GG_MQTT_WINDOW && m->under_way[i].used)
		i++;
	return i;
}

/* What 5.0 can say about a parcel. user_bytes holds the user properties. */
static void describe(const struct gg_mqtt_uplink *m, const struct gg_parcel *p, struct gg_writer *user,
	struct gg_mqtt_properties *to)
{
	char id[17];
	int n = snprintf(id, sizeof id, "%016llx", (unsigned long long)p->id);
	gg_mqtt_user_add(user, GG_STR("id"), gg_str_n(id, (size_t)n));
	if (p->content_encoding)
		gg_mqtt_user_add(user, GG_STR("content-encoding"), gg_str(p->content_encoding));
	to->user = gg_str_n(user->start, gg_writer_len(user));
	gg_mqtt_set(to, GG_MQTT_USER_PROPERTY);
	to->content_type = gg_str(p->content_type);
	gg_mqtt_set(to, GG_MQTT_CONTENT_TYPE);
	if (m->expiry_ns) {
		to->message_expiry_s = (uint32_t)(m->expiry_ns / GG_NS_PER_S);
		gg_mqtt_set(to, GG_MQTT_MESSAGE_EXPIRY);
	}
}

static int send_parcel(void *self, const struct gg_parcel *p)
{
	struct gg_mqtt_uplink *m = self;
	char topic[GG_MQTT_TOPIC];
	uint8_t user_bytes[128];
	struct gg_writer user = gg_writer(user_bytes, sizeof user_bytes);
	bool event = p->urgent && gg_str_is(p->name, "events");
	size_t place = free_place(m);
	bool acknowledged = m->qos && !m->maximum_qos_0;
	if (acknowledged && place == GG_MQTT_WINDOW)
		return -EAGAIN;
	struct gg_mqtt_publish message = {.retain = m->retain && !m->no_retain && !event,
		.qos = acknowledged,
		.packet_id = acknowledged ? (uint16_t)(place + 1) : 0,
		.payload = p->payload};
	int rc = gg_mqtt_topic(m, event ? m->events_topic : m->topic, p->name, topic, sizeof topic);
	if (rc == 0) {
		message.topic = gg_str(topic);
		if (m->protocol == GG_MQTT_V5)
			describe(m, p, &user, &message.properties);
		rc = gg_mqtt_link_publish(m, &message);
	}
	if (rc == -E2BIG || rc == -EINVAL) { /* it will never fit */
		gg_uplink_done(m->host, p->id, -EINVAL);
		return 0;
	}
	if (rc < 0)
		return rc;
	if (acknowledged) {
		m->under_way[place] =
			(struct gg_mqtt_under_way){p->id, gg_loop_now(gg_host_loop(m->host)), true};
		m->under_way_count++;
	} else {
		gg_uplink_done(m->host, p->id, 0);
	}
	return 0;
}

/* ---- life ---- */

static int check_topic(
	const struct gg_mqtt_uplink *m, const char *option, const char *pattern, struct gg_error *e)
{
	char topic[GG_MQTT_TOPIC];
	if (gg_mqtt_topic(m, pattern, GG_STR("name"), topic, sizeof topic) < 0)
		return gg_error_set(e, -EINVAL, "%s \"%.80s\" is too long", option, pattern);
	if (strpbrk(topic, "+#"))
		return gg_error_set(
			e, -EINVAL, "%s \"%s\" must not have the wildcards + and #", option, pattern);
	return topic[0] ? 0 : gg_error_set(e, -EINVAL, "%s must not be empty", option);
}

static int check_address(struct gg_mqtt_uplink *m, bool *ret_secure, struct gg_error *e)
{
	bool secure = gg_str_starts(gg_str(m->connect), GG_STR("mqtts://")) ||
		      gg_str_starts(gg_str(m->connect), GG_STR("tls://"));
	int rc = gg_address_parse(gg_str(m->connect), secure ? 8883 : 1883, &m->address, e);
	if (rc < 0)
		return rc;
	static const char *const schemes[] = {"", "mqtt", "tcp", "mqtts", "tls", "unix"};
	for (size_t i = 0; i < GG_COUNT(schemes); i++) {
		if (strcmp(m->address.scheme, schemes[i]) == 0) {
			*ret_secure = secure;
			return 0;
		}
	}
	return gg_error_set(e, -EINVAL, "connect \"%s\": expected mqtt://HOST or mqtts://HOST", m->connect);
}

static int init(void *self, struct gg_host *host, struct gg_error *e)
{
	struct gg_mqtt_uplink *m = self;
	bool secure = false;
	m->host = host;
	m->protocol = m->version == VERSION_3 ? GG_MQTT_V3 : GG_MQTT_V5;
	int rc = check_address(m, &secure, e);
	if (rc == 0)
		rc = check_topic(m, "topic", m->topic, e);
	if (rc == 0)
		rc = check_topic(m, "events_topic", m->events_topic, e);
	if (rc == 0 && m->status_topic && *m->status_topic) {
		rc = check_topic(m, "status_topic", m->status_topic, e);
		gg_mqtt_topic(m, m->status_topic, GG_STR(""), m->status, sizeof m->status);
	}
	if (rc == 0 && gg_mqtt_topic(m, m->client_id, GG_STR(""), m->client, sizeof m->client) < 0)
		rc = gg_error_set(e, -EINVAL, "client_id is too long");
	if (rc == 0 && m->password && !m->user && m->protocol == GG_MQTT_V3)
		rc = gg_error_set(e, -EINVAL, "version 3.1.1 wants a user where there is a password");
	if (rc == 0 && secure)
		rc = gg_tls_client_new(&m->tls, &m->context, e);
	return rc;
}

static void close_uplink(void *self)
{
	gg_mqtt_link_close(self);
}

static void fini(void *self)
{
	struct gg_mqtt_uplink *m = self;
	m->context = gg_tls_unref(m->context);
}

static const char *const versions[] = {"5", "3.1.1", NULL};

static const struct gg_option options[] = {
	GG_OPTION(struct gg_mqtt_uplink, connect, STRING, .flags = GG_REQUIRED,
		.example = "mqtts://broker.example:8883",
		.help = "The broker: mqtt://HOST[:1883], or mqtts://HOST[:8883] for TLS"),
	GG_OPTION(struct gg_mqtt_uplink, tls, GROUP, .sub = gg_tls_option_table,
		.help = "Certificates, for mqtts://"),
	GG_OPTION(struct gg_mqtt_uplink, client_id, STRING, .def = "ganglion-{site}-{uplink}",
		.help = "Client identifier"),
	GG_OPTION(struct gg_mqtt_uplink, user, STRING, .help = "User name"),
	GG_OPTION(struct gg_mqtt_uplink, password, STRING, .flags = GG_SECRET, .help = "Password"),
	GG_OPTION(struct gg_mqtt_uplink, version, CHOICE, .def = "5", .choices = versions,
		.help = "MQTT's version"),
	GG_OPTION(struct gg_mqtt_uplink, keep_alive_ns, DURATION, .name = "keep_alive", .def = "30s",
		.min = "1s", .max = "1h",
		.help = "How long the connection may be silent before the broker is asked"),
	GG_OPTION(struct gg_mqtt_uplink, expiry_ns, DURATION, .name = "expiry", .def = "0s",
		.help = "The broker may throw messages away after this; 0: never. Version 5 only"),
	GG_OPTION(struct gg_mqtt_uplink, topic, STRING, .def = "ganglion/{site}/{name}",
		.help = "Where samples go; {name} is the device or pipeline"),
	GG_OPTION(struct gg_mqtt_uplink, events_topic, STRING, .def = "ganglion/{site}/events",
		.help = "Where events go"),
	GG_OPTION(struct gg_mqtt_uplink, status_topic, STRING, .def = "ganglion/{site}/status",
		.help = "Retained: {\"online\":true}, and false by the broker when the gateway is lost; "
			"empty: none"),
	GG_OPTION(struct gg_mqtt_uplink, qos, UINT, .def = "1", .max = "1",
		.help = "1: the broker acknowledges; 0: what is on the way when the link breaks is lost"),
	GG_OPTION(struct gg_mqtt_uplink, window, UINT, .def = "16", .min = "1", .max = "64",
		.help = "How many messages may wait for their acknowledgement"),
	GG_OPTION(struct gg_mqtt_uplink, retain, BOOL, .def = "false",
		.help = "The broker keeps the latest message of each topic"),
	{0}};

static const struct gg_uplink_ops ops = {gg_mqtt_link_connect, window, send_parcel};

const struct gg_component gg_uplink_mqtt = {
	.name = "mqtt",
	.title = "MQTT broker",
	.help = "Publishes samples and events to a broker, version 5.0 or 3.1.1, over TCP or TLS. Nothing "
		"counts as "
		"sent before the broker has acknowledged it.",
	.example = "cloud:\n"
		   "  uplink: mqtt\n"
		   "  connect: mqtts://broker.example:8883\n"
		   "  send: [events, heat/*]\n",
	.kind = GG_UPLINK,
	.self_size = sizeof(struct gg_mqtt_uplink),
	.options = options,
	.init = init,
	.close = close_uplink,
	.fini = fini,
	.uplink = &ops,
};
