/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/rule_call.h"

#include "base/json.h"
#include "base/map.h"

#include <pthread.h>
#include <stdatomic.h>

struct gg_call {
	const struct gg_rule_ops *ops;
	void *ctx;
	uint64_t event;
	int64_t started_ns; /* monotonic */
	enum gg_severity severity;
	uint32_t signal;
	bool clearing;
	char rule[132], action[36], key[192];
};

static _Atomic unsigned under_way;

unsigned gg_rule_calls(void)
{
	return atomic_load(&under_way);
}

static void trace_step(const struct gg_call *c, int status, const char *text)
{
	struct gg_buf b = GG_BUF(4096);
	struct gg_json_writer w = gg_json_writer(&b);
	int64_t took = gg_clock_monotonic(&gg_clock_system) - c->started_ns;
	gg_json_begin_object(&w);
	gg_json_put_str(&w, "action", gg_str(c->action));
	gg_json_put_bool(&w, "ok", status == 0);
	if (status)
		gg_json_put_str(&w, "error", gg_str(gg_error_name(status)));
	if (text && *text)
		gg_json_put_str(&w, "text", gg_str_n(text, gg_min_size(strlen(text), 1000)));
	if (c->clearing)
		gg_json_put_bool(&w, "on_clear", true);
	gg_json_put_time(&w, "time", gg_clock_utc(&gg_clock_system));
	gg_json_put_float(&w, "took_ms", (double)(took / 1000) / 1e3);
	gg_json_end_object(&w);
	if (!b.error && c->event && c->ops->trace)
		c->ops->trace(c->ctx, c->event, gg_buf_view(&b));
	gg_buf_done(&b);
}

/* ---- which actions stand as failed: only their success is worth a report ---- */

static struct {
	pthread_mutex_t lock; /* guards keys */
	struct gg_map keys;
	_Atomic size_t count; /* of keys: while it is 0, as it should be, a success takes no lock */
	_Atomic bool unsure;  /* one found no memory: from then on every success is told */
} failed = {.lock = PTHREAD_MUTEX_INITIALIZER};

void gg_rule_call_failed_before(struct gg_str key)
{
	pthread_mutex_lock(&failed.lock);
	if (gg_map_put(&failed.keys, key, 1) < 0)
		atomic_store(&failed.unsure, true);
	atomic_store(&failed.count, failed.keys.count);
	pthread_mutex_unlock(&failed.lock);
}

static bool was_failed(struct gg_str key)
{
	if (atomic_load(&failed.count) == 0)
		return atomic_load(&failed.unsure);
	pthread_mutex_lock(&failed.lock);
	bool was = gg_map_remove(&failed.keys, key);
	atomic_store(&failed.count, failed.keys.count);
	pthread_mutex_unlock(&failed.lock);
	return was || atomic_load(&failed.unsure);
}

struct gg_str gg_rule_call_key(
	char *to, size_t size, struct gg_str rule, bool clearing, unsigned place, const char *action)
{
	int n = snprintf(
		to, size, "%.*s/%s.%u.%s", GG_STR_ARG(rule), clearing ? "on_clear" : "do", place + 1, action);
	return gg_str_n(to, gg_min_size((size_t)n, size - 1));
}

static void report(const struct gg_call *c, int status, const char *text)
{
	char title[700];
	struct gg_str key = gg_str(c->key);
	snprintf(title, sizeof title, "Action %s of rule %s failed: %s", strchr(c->key, '/') + 1, c->rule,
		text && *text ? text : gg_error_name(status));
	const struct gg_event_report r = {.kind = "action-failed",
		.key = key,
		.severity = c->severity,
		.clear = status == 0,
		.title = gg_str(title),
		.device = GG_NONE,
		.signal = c->signal};
	c->ops->event(c->ctx, &r);
}

static void finish(struct gg_call *c, int status, const char *text)
{
	trace_step(c, status, text);
	if (status || was_failed(gg_str(c->key)))
		report(c, status, text);
	if (status) /* after the report: a success that comes between must not clear what is not open yet */
		gg_rule_call_failed_before(gg_str(c->key));
	free(c);
	atomic_fetch_sub(&under_way, 1);
}

void gg_call_done(struct gg_call *call, int status, const char *text)
{
	finish(call, status, text);
}

bool gg_rule_call(const struct gg_rule_ops *ops, void *ctx, const struct gg_rule_action *a, unsigned place,
	const struct gg_trigger *t)
{
	struct gg_error e = {0};
	struct gg_call *c = calloc(1, sizeof *c);
	if (!c)
		return false;
	*c = (struct gg_call){.ops = ops,
		.ctx = ctx,
		.event = t->event,
		.started_ns = gg_clock_monotonic(&gg_clock_system),
		.severity = t->severity == GG_INFORMATION ? GG_WARNING : t->severity,
		.signal = t->signal,
		.clearing = t->clearing};
	gg_str_copy(c->rule, sizeof c->rule, t->rule);
	gg_str_copy(c->action, sizeof c->action, gg_str(a->component ? a->component->name : "action"));
	gg_rule_call_key(c->key, sizeof c->key, t->rule, t->clearing, place, c->action);
	if (atomic_fetch_add(&under_way, 1) >= GG_RULE_CALLS) {
		finish(c, -EAGAIN, "too many actions are under way");
		return false;
	}
	int rc = ops->run(ctx, a, t, c, &e);
	if (rc == 0)
		return true; /* c may be gone already */
	finish(c, rc, e.text);
	return false;
}
