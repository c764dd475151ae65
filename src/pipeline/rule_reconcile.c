/* SPDX-License-Identifier: Apache-2.0 */
/*
 * States of rules and the book of events are kept in two places: the shard's checkpoint with the journal
 * behind it, and the catalog. A crash can fall between them, a changed condition makes a rule begin anew.
 *
 *   rule     book       after a crash                       after a change
 *   open     no event   event and actions now               (on its way)
 *   rests    event      taken up: the rule's clear          the same, for a rule that is as new
 *                       condition decides from here on
 */
#include "pipeline/rule_internal.h"

static uint64_t known(struct gg_ruleset *rs, const char *kind, struct gg_str key)
{
	return rs->setup.ops->known(rs->setup.ctx, kind, key);
}

static void take_up(struct gg_ruleset *rs, struct instance *in, uint64_t event, int64_t now_ns)
{
	in->open = true;
	in->muted = false;
	in->event = event;
	in->clear_since_ns = 0;
	if (!in->opened_ns)
		in->opened_ns = now_ns;
	if (rs->rules[in->rule].when)
		gg_rule_evaluate(rs, in, GG_NONE, now_ns);
}

/* A rule that follows an event is open as long as that is. */
static void follow(struct gg_ruleset *rs, struct instance *in, uint64_t event, int64_t now_ns)
{
	const struct gg_site_rule *o = options_of(&rs->rules[in->rule]);
	struct gg_str key = gg_str(in->binding);
	const struct gg_event_report by = {.kind = o->on.event,
		.key = key,
		.title = key,
		.device = GG_NONE,
		.signal = GG_NONE,
		.time_ns = now_ns};
	bool followed = known(rs, o->on.event, key) != 0;
	if (in->open && !followed)
		gg_rule_clear(rs, in, GG_NONE, now_ns, &by);
	else if (in->open && !in->muted && !event)
		gg_rule_tell_open(rs, in, GG_NONE, in->opened_ns, &by);
	else if (!in->open && event && followed)
		take_up(rs, in, event, now_ns);
}

void gg_ruleset_reconcile(struct gg_ruleset *rs, int64_t now_ns, bool recovered)
{
	for (uint32_t i = 0; rs->setup.ops->known && i < rs->instance_count; i++) {
		struct instance *in = rs->instances[i];
		uint64_t event = known(rs, "rule", gg_rule_key(rs, in));
		if (!rs->rules[in->rule].when) {
			if (recovered)
				follow(rs, in, event, now_ns);
		} else if (!in->open && event && (recovered || !in->opened_ns)) {
			take_up(rs, in, event, now_ns);
		} else if (in->open && !in->muted && recovered && !event) {
			gg_rule_tell_open(rs, in, GG_NONE, in->opened_ns, NULL);
		} else if (in->open && recovered) {
			in->event = event;
		}
	}
	gg_rule_ask_all(rs);
}
