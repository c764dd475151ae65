/* SPDX-License-Identifier: Apache-2.0 */
/* What the gateway's rulesets do to the world. */
#include "pipeline/rule.h"

static uint64_t event(void *ctx, const struct gg_event_report *r)
{
	(void)ctx;
	return gg_event(r);
}

static void trace(void *ctx, uint64_t id, struct gg_str step_json)
{
	(void)ctx;
	gg_event_trace(id, step_json);
}

static int run(void *ctx, const struct gg_rule_action *a, const struct gg_trigger *t, struct gg_call *call,
	struct gg_error *e)
{
	(void)ctx;
	return a->component->action->run(a->self, t, call, e);
}

const struct gg_rule_ops gg_rule_ops_live = {.event = event, .trace = trace, .run = run};
