/* SPDX-License-Identifier: Apache-2.0 */
/*
 * publish: sends a message to a topic of a driver or uplink (MQTT).
 *
 *   - publish: { topic: alarms/overheating, payload: "{device} is at {value} {unit}", qos: 1 }
 *
 * Topic and payload are templates; without a payload it is the trigger as JSON. What fills a topic comes from
 * names and values of devices: one that holds a wildcard afterwards is refused.
 */
#include "actions/publish/publish.h"

#include "base/buf.h"

struct publish {
	struct gg_host *host;
	const char *topic, *payload, *via;
	uint64_t qos;
	bool retain;
};

struct run {
	struct gg_publish publish;
	struct gg_call *call;
	struct gg_buf topic, payload;
};

static void run_free(struct run *r)
{
	gg_buf_done(&r->topic);
	gg_buf_done(&r->payload);
	free(r);
}

static void published(struct gg_publish *p, int status, const char *reason)
{
	struct run *r = GG_CONTAINER(p, struct run, publish);
	gg_call_done(r->call, status, reason);
	run_free(r);
}

static bool topic_ok(struct gg_str topic)
{
	return topic.len && topic.len < 65536 && !memchr(topic.p, '#', topic.len) &&
	       !memchr(topic.p, '+', topic.len) && !memchr(topic.p, '\0', topic.len) && gg_utf8_valid(topic);
}

static int publish_run(void *self, const struct gg_trigger *t, struct gg_call *call, struct gg_error *e)
{
	struct publish *p = self;
	struct run *r = calloc(1, sizeof *r);
	if (!r)
		return gg_error_set(e, -ENOMEM, "out of memory");
	r->call = call;
	r->topic = GG_BUF(65536);
	r->payload = GG_BUF(256 << 10);
	gg_trigger_text(&r->topic, gg_str(p->topic), t);
	if (p->payload)
		gg_trigger_text(&r->payload, gg_str(p->payload), t);
	else
		gg_trigger_json(&r->payload, t);
	int rc = r->topic.error ? r->topic.error : r->payload.error;
	if (rc == 0 && !topic_ok(gg_buf_view(&r->topic)))
		rc = gg_error_set(e, -EINVAL, "'%.200s' is no topic to publish to", gg_buf_text(&r->topic));
	if (rc == 0) {
		r->publish = (struct gg_publish){.via = p->via,
			.topic = gg_buf_view(&r->topic),
			.payload = gg_buf_view(&r->payload),
			.qos = (uint8_t)p->qos,
			.retain = p->retain,
			.loop = gg_host_loop(p->host),
			.done = published};
		rc = gg_publish_start(&r->publish);
		if (rc == -ENOENT)
			gg_error_set(e, rc, "%s%s can publish", p->via ? p->via : "",
				p->via ? " is not there or" : "nobody");
	}
	if (rc < 0)
		run_free(r);
	return rc;
}

static int publish_init(void *self, struct gg_host *host, struct gg_error *e)
{
	struct publish *p = self;
	p->host = host;
	if (!topic_ok(gg_str(p->topic)))
		return gg_error_set(e, -EINVAL, "topic: '%s' is none to publish to (no + and #)", p->topic);
	return 0;
}

static const struct gg_option options[] = {
	GG_OPTION(struct publish, topic, STRING, .flags = GG_REQUIRED | GG_MAIN,
		.example = "alarms/overheating",
		.help = "The topic; {device}, {signal} and $1 are filled in"),
	GG_OPTION(struct publish, payload, STRING, .example = "{device} is at {value} {unit}",
		.help = "The message; absent: a JSON object with rule, state, severity, title, signal, "
			"value"),
	GG_OPTION(struct publish, qos, UINT, .def = "1", .max = "2", .help = "Quality of service"),
	GG_OPTION(struct publish, retain, BOOL, .def = "false", .help = "Is it kept for later subscribers?"),
	GG_OPTION(struct publish, via, STRING,
		.help = "Name of the driver or uplink; absent: the first that can"),
	{0}};

static const struct gg_action_ops ops = {.run = publish_run};

const struct gg_component gg_action_publish = {
	.name = "publish",
	.title = "Publish a message",
	.help = "Publishes a message to the clients of a driver or through an uplink.",
	.example = "- publish: { topic: alarms/overheating, qos: 1 }\n",
	.kind = GG_ACTION,
	.self_size = sizeof(struct publish),
	.options = options,
	.init = publish_init,
	.action = &ops,
};
