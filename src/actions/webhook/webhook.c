/* SPDX-License-Identifier: Apache-2.0 */
/*
 * webhook: an HTTP request for each event.
 *
 *   - webhook: { url: "https://ops.example/alarm", headers: { Authorization: "Bearer ${OPS_TOKEN}" } }
 *
 * The body is the trigger as JSON, or a template. An answer of 2xx is success; no connection, 408, 429 and
 * 5xx are tried again with growing pauses, all else is final. Redirects are not followed. Certificates are
 * checked unless the configuration says otherwise. A retry carries the same Idempotency-Key, so that a
 * receiver can tell it from a second event. sender.c does the sending.
 */
#include "actions/webhook/webhook.h"

#include "actions/webhook/sender.h"

#include <stdatomic.h>

struct header {
	const char *name, *value;
};

struct webhook {
	const char *url, *body, *content_type, *ca;
	int method;
	struct gg_many headers; /* struct header */
	int64_t timeout_ns, pause_ns;
	uint64_t retries, queue;
	bool verify;
	_Atomic bool started;
	_Atomic unsigned waiting;
};

static const char *const methods[] = {"POST", "PUT", "PATCH", NULL};

struct arg {
	struct webhook *hook;
	struct gg_call *call;
};

static void done(struct sender_job *job, int status, const char *reason)
{
	struct arg *a = job->arg;
	gg_call_done(a->call, status, reason);
	atomic_fetch_sub(&a->hook->waiting, 1);
	free(a);
}

static bool add_header(struct sender_job *job, const char *name, const char *value)
{
	char line[4096];
	if ((size_t)snprintf(line, sizeof line, "%s: %s", name, value) >= sizeof line)
		return false;
	struct curl_slist *longer = curl_slist_append(job->headers, line);
	if (longer)
		job->headers = longer;
	return longer != NULL;
}

static bool add_headers(struct sender_job *job, const struct webhook *h, const struct gg_trigger *t)
{
	const struct header *list = h->headers.items;
	const char *type = h->content_type ? h->content_type
			   : h->body       ? "text/plain; charset=utf-8"
					   : "application/json";
	char key[64];
	snprintf(key, sizeof key, "%llu-%s", (unsigned long long)t->event, t->clearing ? "cleared" : "open");
	bool ok = add_header(job, "Content-Type", type);
	if (t->event)
		ok = ok && add_header(job, "Idempotency-Key", key);
	for (size_t i = 0; i < h->headers.count; i++)
		ok = ok && add_header(job, list[i].name, list[i].value);
	return ok;
}

static struct sender_job *job_new(struct webhook *h, const struct gg_trigger *t, struct gg_call *call)
{
	struct sender_job *job = calloc(1, sizeof *job);
	struct arg *a = calloc(1, sizeof *a);
	if (!job || !a)
		goto fail;
	*a = (struct arg){h, call};
	*job = (struct sender_job){.owner = h,
		.method = methods[h->method],
		.body = GG_BUF(256 << 10),
		.verify = h->verify,
		.timeout_ms = h->timeout_ns / GG_NS_PER_MS,
		.pause_ms = h->pause_ns / GG_NS_PER_MS,
		.tries_left = (unsigned)h->retries + 1,
		.done = done,
		.arg = a};
	job->url = gg_str_dup(gg_str(h->url));
	job->ca = h->ca ? gg_str_dup(gg_str(h->ca)) : NULL;
	if (h->body)
		gg_trigger_text(&job->body, gg_str(h->body), t);
	else
		gg_trigger_json(&job->body, t);
	if (!job->url || (h->ca && !job->ca) || job->body.error || !add_headers(job, h, t))
		goto fail;
	return job;
fail:
	sender_job_free(job);
	free(a);
	return NULL;
}

static int webhook_run(void *self, const struct gg_trigger *t, struct gg_call *call, struct gg_error *e)
{
	struct webhook *h = self;
	if (!h->started)
		return gg_error_set(e, -ESHUTDOWN, "the action is not running");
	if (atomic_fetch_add(&h->waiting, 1) >= h->queue) {
		atomic_fetch_sub(&h->waiting, 1);
		return gg_error_set(e, -EAGAIN, "%u requests are waiting already", (unsigned)h->queue);
	}
	struct sender_job *job = job_new(h, t, call);
	struct arg *a = job ? job->arg : NULL;
	int rc = job ? sender_send_take(job)
		     : gg_error_set(e, -ENOMEM, "the request is too large, or out of memory");
	if (rc < 0) {
		free(a);
		atomic_fetch_sub(&h->waiting, 1);
	}
	return rc;
}

static bool header_ok(const struct header *h)
{
	return !strpbrk(h->name, "\r\n: ") && !strpbrk(h->value, "\r\n");
}

static int webhook_init(void *self, struct gg_host *host, struct gg_error *e)
{
	struct webhook *h = self;
	const struct header *list = h->headers.items;
	(void)host;
	struct gg_str url = gg_str(h->url);
	if (!gg_str_starts(url, GG_STR("http://")) && !gg_str_starts(url, GG_STR("https://")))
		return gg_error_set(e, -EINVAL, "url: http:// or https:// was expected");
	for (size_t i = 0; i < h->headers.count; i++)
		if (!header_ok(&list[i]))
			return gg_error_set(
				e, -EINVAL, "headers: '%s' is no header of one line", list[i].name);
	return 0;
}

static int webhook_start(void *self, struct gg_error *e)
{
	struct webhook *h = self;
	int rc = sender_start(e);
	if (rc < 0)
		return rc;
	h->started = true;
	return 0;
}

static void webhook_stop(void *self)
{
	struct webhook *h = self;
	if (!h->started)
		return;
	h->started = false;
	sender_cancel(h);
	sender_stop();
}

static const struct gg_option header_options[] = {
	GG_OPTION(struct header, name, KEY, .help = "The header's name"),
	GG_OPTION(struct header, value, STRING, .flags = GG_REQUIRED | GG_MAIN | GG_SECRET,
		.help = "Its value"),
	{0}};

static const struct gg_option options[] = {
	GG_OPTION(struct webhook, url, STRING, .flags = GG_REQUIRED | GG_MAIN,
		.example = "https://ops.example/alarm", .help = "Where to send it"),
	GG_OPTION(struct webhook, method, CHOICE, .choices = methods, .def = "POST",
		.help = "The request's method"),
	GG_OPTION(struct webhook, headers, MAP, GG_SUB(header_options, struct header),
		.example = "{ Authorization: \"Bearer ${OPS_TOKEN}\" }", .help = "More headers"),
	GG_OPTION(struct webhook, body, STRING, .example = "{title}",
		.help = "A template; absent: a JSON object with rule, state, severity, title, signal, value"),
	GG_OPTION(struct webhook, content_type, STRING,
		.help = "Absent: application/json, or text/plain with a body of one's own"),
	GG_OPTION(struct webhook, timeout_ns, DURATION, .name = "timeout", .def = "10s", .min = "100ms",
		.max = "5min", .help = "How long a try may take"),
	GG_OPTION(struct webhook, retries, UINT, .def = "5", .max = "100",
		.help = "How often it is tried again"),
	GG_OPTION(struct webhook, pause_ns, DURATION, .name = "pause", .def = "1s", .min = "1ms",
		.max = "1min", .help = "Before the first retry; doubles with each, up to a minute"),
	GG_OPTION(struct webhook, queue, UINT, .def = "256", .min = "1", .max = "10000",
		.help = "Most requests waiting or under way"),
	GG_OPTION(
		struct webhook, verify, BOOL, .def = "true", .help = "Is the server's certificate checked?"),
	GG_OPTION(struct webhook, ca, STRING, .flags = GG_FILE,
		.help = "PEM file of the authorities to check with; absent: the system's"),
	{0}};

static const struct gg_action_ops ops = {.run = webhook_run};

const struct gg_component gg_action_webhook = {
	.name = "webhook",
	.title = "Call a webhook",
	.help = "Sends an HTTP request for each event.",
	.example = "- webhook: https://ops.example/alarm\n",
	.kind = GG_ACTION,
	.self_size = sizeof(struct webhook),
	.options = options,
	.init = webhook_init,
	.start = webhook_start,
	.stop = webhook_stop,
	.action = &ops,
};
