/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mqtt driver: a server for devices. This file is its glue: options, life cycle, and the gateway's
 * services behind the callbacks that the broker knows.
 */
#include "broker.h"

#include "base/log.h"

struct mqtt {
	struct broker broker; /* first */
	struct gg_host *host;
};

static const char *const anonymous_choices[] = {"auto", "never", "always", NULL};
static const char *const durability_choices[] = {"disk", "memory", NULL};

static const struct gg_option topic_table[] = {
	GG_OPTION(struct topic_option, pattern, KEY,
		.help = "A topic with {device} and {signal} in it; {signal...} takes all levels that follow"),
	GG_FORMAT_ROWS(struct topic_option, format), {0}};

static const struct gg_option proxy_table[] = {
	GG_OPTION(struct proxy_option, listen, KEY, .help = "The listener, as it stands in listen"),
	GG_OPTION(struct proxy_option, from, STRINGS, .flags = GG_MAIN, .example = "10.0.0.0/8",
		.help = "Addresses and networks of the proxies, in numbers; unix = a unix socket"),
	{0}};

static const char *const redirect_choices[] = {"use", "moved", NULL};

static const struct gg_option redirect_table[] = {
	GG_OPTION(struct redirect_options, to, STRING, .flags = GG_MAIN | GG_LIVE,
		.example = "other.example:1883", .help = "The server to go to"),
	GG_OPTION(struct redirect_options, kind, CHOICE, .def = "use", .choices = redirect_choices,
		.flags = GG_LIVE, .help = "use = for now, moved = for good"),
	{0}};

#define ROW(field, kind, ...)          GG_OPTION(struct broker, o.field, kind, .name = #field, ##__VA_ARGS__)
#define NAMED(field, kind, label, ...) GG_OPTION(struct broker, o.field, kind, .name = label, ##__VA_ARGS__)

static const struct gg_option options[] = {
	ROW(listen, STRINGS, .def = "127.0.0.1:1883", .flags = GG_MAIN, .example = "tls://0.0.0.0:8883",
		.help = "Where clients connect: host:port, tls://, ws:// and wss:// with a path"),
	NAMED(proxies, MAP, "proxy_protocol", GG_SUB(proxy_table, struct proxy_option),
		.example = "{ \"0.0.0.0:1883\": 10.0.0.5 }",
		.help = "By an address of listen: from where connections begin with a header of the PROXY "
			"protocol "
			"(1 or 2) that says who the client is. Others are served as they come"),
	ROW(tls, GROUP, .sub = gg_tls_server_option_table,
		.help = "Certificate and key for tls:// and wss://"),
	ROW(anonymous, CHOICE, .def = "auto", .choices = anonymous_choices, .flags = GG_LIVE,
		.help = "Who may come without credentials: auto = from this machine, on a loopback address"),
	ROW(topics, MAP, GG_SUB(topic_table, struct topic_option),
		.example = "{ \"{device}/{signal}\": plain, \"sensors/{device}\": json }",
		.help = "Which topics carry samples, and how their payload reads"),
	ROW(write, STRING, .example = "{device}/{signal}/set",
		.help = "The topic on which a device takes commands; without it nothing can be written"),
	ROW(durability, CHOICE, .def = "disk", .choices = durability_choices, .flags = GG_LIVE,
		.help = "When a message is acknowledged: disk = once it survives a power cut, memory = at "
			"once; "
			"then what came in the last moments before a crash is lost"),
	ROW(max_clients, UINT, .def = "5000", .min = "1", .max = "100000", .flags = GG_LIVE,
		.help = "Clients that may be connected at once"),
	ROW(max_packet, SIZE, .def = "1MiB", .min = "1KiB", .max = "64MiB",
		.help = "Largest packet a client may send"),
	ROW(max_inflight, UINT, .def = "1000", .min = "1", .max = "65535",
		.help = "Messages with QoS 1 and 2 that may be under way with one client, each way"),
	ROW(max_queued, UINT, .def = "1000", .min = "1", .max = "1000000", .flags = GG_LIVE,
		.help = "Messages that wait for one client; more are dropped and counted"),
	ROW(max_retained, UINT, .def = "10000", .max = "1000000", .help = "Topics with a retained message"),
	ROW(memory, SIZE, .def = "64MiB", .min = "1MiB", .flags = GG_LIVE,
		.help = "Memory for all queued and retained messages together"),
	ROW(rate, UINT, .def = "0", .flags = GG_LIVE, .unit = "1/s",
		.help = "Messages a client may publish in a second; it is read no faster. 0 = any number"),
	NAMED(rate_bytes, SIZE, "rate_bytes", .def = "0", .flags = GG_LIVE,
		.help = "Bytes a client may send in a second; it is read no faster. 0 = any number"),
	ROW(max_per_address, UINT, .def = "0",
		.help = "Connections from one address at a listener; more are turned away. 0 = any number"),
	ROW(connect_rate, UINT, .def = "1000", .min = "1", .max = "100000", .unit = "1/s",
		.help = "New connections a second at a listener; more wait"),
	ROW(client_memory, SIZE, .def = "16MiB", .flags = GG_LIVE,
		.help = "Memory for what waits for one client, its subscriptions included; messages beyond "
			"are "
			"dropped and counted. 0 = any"),
	ROW(max_subscriptions, UINT, .def = "1000", .min = "1", .max = "100000", .flags = GG_LIVE,
		.help = "Subscriptions of one client"),
	ROW(max_topic, UINT, .def = "65535", .min = "1", .max = "65535", .flags = GG_LIVE, .unit = "bytes",
		.help = "Longest topic or filter"),
	ROW(max_levels, UINT, .def = "64", .min = "1", .max = "64", .flags = GG_LIVE,
		.help = "Levels a topic or filter may have"),
	ROW(retained_memory, SIZE, .def = "0", .flags = GG_LIVE,
		.help = "Memory for all retained messages, a part of memory. 0 = all of it"),
	ROW(max_retained_per_device, UINT, .def = "0", .flags = GG_LIVE,
		.help = "Topics with a retained message of one device. 0 = any number"),
	ROW(retained_memory_per_device, SIZE, .def = "0", .flags = GG_LIVE,
		.help = "Memory for the retained messages of one device. 0 = any"),
	NAMED(write_timeout_ns, DURATION, "write_timeout", .def = "0s", .max = "1h", .flags = GG_LIVE,
		.help = "Within which time a device must acknowledge a command (QoS 1); then the write is "
			"done, "
			"else it has failed. 0 = a write is done once it was handed to a client"),
	NAMED(sys_interval_ns, DURATION, "sys_interval", .def = "10s", .max = "1d",
		.help = "How often the topics below $SYS are published, for applications only; 0 = never"),
	NAMED(session_expiry_ns, DURATION, "session_expiry", .def = "1d", .min = "0s", .flags = GG_LIVE,
		.help = "How long the session of a client that is away is kept at most"),
	NAMED(keep_alive_ns, DURATION, "keep_alive", .def = "0s", .max = "18h", .flags = GG_LIVE,
		.help = "Longest keep-alive that an MQTT 5.0 client may choose; 0 = as it likes"),
	ROW(redirect, GROUP, .sub = redirect_table, .flags = GG_LIVE,
		.help = "Sends clients to another server; those of 3.1.1 are only turned away"),
	ROW(response_information, STRING, .flags = GG_LIVE, .example = "answers/{client}",
		.help = "Where a client should listen for answers to its requests, told to who asks for it"),
	{0}};

/* ---- the gateway's services ---- */

static int to_device(void *arg, struct gg_str id, uint32_t *ret_device)
{
	return gg_host_device(((struct mqtt *)arg)->host, id, ret_device);
}

static int to_signal(void *arg, uint32_t device, struct gg_str name, uint32_t *ret_signal)
{
	const struct mqtt *m = arg;
	const struct gg_signal_spec spec = {.type = GG_TYPE_NONE, .writable = m->broker.has_write};
	return gg_host_signal(m->host, device, name, &spec, ret_signal);
}

static int to_submit(void *arg, struct gg_batch *batch)
{
	return gg_host_submit_take(((struct mqtt *)arg)->host, batch);
}

static int to_keep(void *arg, const void *data, size_t len, struct gg_receipt *receipt)
{
	return gg_host_keep(((struct mqtt *)arg)->host, data, len, receipt);
}

static int to_login(void *arg, const struct gg_login *login,
	void (*granted)(void *arg, const struct gg_grant *grant), void *granted_arg)
{
	return gg_host_login(((struct mqtt *)arg)->host, login, granted, granted_arg);
}

static void to_health(void *arg, uint32_t device, bool healthy, const char *reason)
{
	gg_host_device_health(((struct mqtt *)arg)->host, device, healthy, reason);
}

/* ---- life cycle ---- */

static int init(void *self, struct gg_host *host, struct gg_error *e)
{
	struct mqtt *m = self;
	struct broker *b = &m->broker;
	m->host = host;
	b->loop = gg_host_loop(host);
	b->outside = (struct broker_outside){.arg = m,
		.name = gg_host_name(host),
		.device = to_device,
		.signal = to_signal,
		.device_id = gg_device_id,
		.submit_take = to_submit,
		.keep = to_keep,
		.login = to_login,
		.health = to_health};
	int rc = gg_listen_check(b, e);
	if (rc < 0)
		return rc;
	if (b->o.tls.certificate) {
		rc = gg_tls_server_new(&b->o.tls, &b->tls, e);
		if (rc < 0)
			return rc;
	}
	return gg_broker_init(b, e);
}

static int start(void *self, struct gg_error *e)
{
	struct broker *b = self;
	gg_persist_replayed(b);
	int rc = gg_listen_start(b, e);
	if (rc < 0)
		return rc;
	gg_sys_start(b);
	return 0;
}

static int update(void *self, const void *fresh, struct gg_error *e)
{
	struct broker *b = self;
	const struct broker *f = fresh;
	(void)e;
	b->o.anonymous = f->o.anonymous;
	b->o.durability = f->o.durability;
	b->o.max_clients = f->o.max_clients;
	b->o.max_queued = f->o.max_queued;
	b->o.memory = f->o.memory;
	b->o.rate = f->o.rate;
	b->o.rate_bytes = f->o.rate_bytes;
	b->o.client_memory = f->o.client_memory;
	b->o.max_subscriptions = f->o.max_subscriptions;
	b->o.max_topic = f->o.max_topic;
	b->o.max_levels = f->o.max_levels;
	b->o.retained_memory = f->o.retained_memory;
	b->o.max_retained_per_device = f->o.max_retained_per_device;
	b->o.retained_memory_per_device = f->o.retained_memory_per_device;
	b->o.write_timeout_ns = f->o.write_timeout_ns;
	b->o.session_expiry_ns = f->o.session_expiry_ns;
	b->o.keep_alive_ns = f->o.keep_alive_ns;
	b->o.response_information = f->o.response_information;
	b->o.redirect = f->o.redirect;
	for (struct connection *c = b->connections; b->o.redirect.to && c; c = c->next)
		gg_connection_end(c, gg_redirect_reason(b), "clients are sent to another server");
	return 0;
}

static void close_(void *self)
{
	struct broker *b = self;
	gg_listen_close(b);
	gg_broker_close(b);
}

/* Receipts that are still with the journal point into our waits, and streams may be flushing. */
static void stop(void *self)
{
	struct broker *b = self;
	if (gg_broker_wait_idle(b, 5 * GG_NS_PER_S))
		return;
	gg_log(GG_WARN, b->outside.name, "stopped with acknowledgements or connections under way");
}

static void fini(void *self)
{
	struct broker *b = self;
	gg_broker_done(b);
	gg_tls_unref(b->tls);
}

static int write_(void *self, struct gg_write *w, struct gg_error *e)
{
	return gg_command_write(self, w, e);
}

static int publish(void *self, struct gg_publish *p, struct gg_error *e)
{
	return gg_command_publish(self, p, e);
}

static void resume(void *self)
{
	gg_promise_resume(self);
}

static void revoked(void *self, struct gg_str id)
{
	const struct broker *b = self;
	for (struct connection *c = b->connections; c; c = c->next)
		if (c->id && gg_str_is(id, c->id))
			gg_connection_end(
				c, GG_MQTT_ADMINISTRATIVE, "its registration was changed or removed");
}

static void kept(void *self, struct gg_str record)
{
	gg_persist_replay(self, record);
}

static void compact(void *self)
{
	gg_persist_compact(self);
}

static const struct gg_driver_ops ops = {
	.write = write_,
	.publish = publish,
	.resume = resume,
	.kept = kept,
	.compact = compact,
	.revoked = revoked,
};

const struct gg_component gg_driver_mqtt = {
	.name = "mqtt",
	.title = "MQTT server",
	.help = "A server to which devices connect with MQTT 3.1.1 or 5.0. Topics and payloads become "
		"signals; a "
		"message with QoS 1 or 2 is acknowledged when what it carried is on disk. Clients among "
		"themselves can use it like any broker.",
	.example = "mqtt:\n  listen: 127.0.0.1:1883\n  topics:\n    \"{device}/{signal}\": plain\n"
		   "    \"sensors/{device}\": json\n",
	.kind = GG_DRIVER,
	.self_size = sizeof(struct mqtt),
	.options = options,
	.init = init,
	.start = start,
	.update = update,
	.close = close_,
	.stop = stop,
	.fini = fini,
	.driver = &ops,
};
