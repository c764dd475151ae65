/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/rule_call.h"

#include "base/json.h"

#include <stdatomic.h>

struct gg_call {
	const struct gg_rule_ops *ops;
	void *ctx;
	uint64_t event;
	int64_t started_ns; /* monotonic */
	enum gg_severity severity;
	uint32_t signal;
	bool clearing;
	char rule[64], action[32];
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

static void report_failure(const struct gg_call *c, int status, const char *text)
{
	char key[128], title[320];
	snprintf(key, sizeof key, "%s/%s", c->rule, c->action);
	snprintf(title, sizeof title, "Action %s of rule %s failed: %s", c->action, c->rule,
		text && *text ? text : gg_error_name(status));
	const struct gg_event_report r = {.kind = "action-failed",
		.key = gg_str(key),
		.severity = c->severity,
		.clear = status == 0,
		.title = gg_str(title),
		.device = GG_NONE,
		.signal = c->signal};
	c->ops->event(c->ctx, &r);
}

/* Which actions have an open "action-failed" is the event store's to know: a success clears it, and clearing
 * what is not open does nothing. */
static void finish(struct gg_call *c, int status, const char *text)
{
	trace_step(c, status, text);
	report_failure(c, status, text);
	free(c);
	atomic_fetch_sub(&under_way, 1);
}

void gg_call_done(struct gg_call *call, int status, const char *text)
{
	finish(call, status, text);
}

bool gg_rule_call(
	const struct gg_rule_ops *ops, void *ctx, const struct gg_rule_action *a, const struct gg_trigger *t)
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
