/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A run of an action: from the trigger to gg_call_done(). The call knows its event and how to speak of the
 * result, and nothing of the ruleset, which may be gone by then.
 */
#ifndef GG_RULE_CALL_H
#define GG_RULE_CALL_H

#include "pipeline/rule.h"

/* Runs the action at that place of the rule's list, counted from 0; its result becomes a step in the event's
 * trace, a failure also an event "action-failed" with a key of its own (gg_rule_call_key()), which the next
 * success clears. Returns false when it could not be started (that is said the same way). */
bool gg_rule_call(const struct gg_rule_ops *ops, void *ctx, const struct gg_rule_action *a, unsigned place,
	const struct gg_trigger *t);
/* "overheating/do.2.write": by rule, list and place (from 1), so two actions of a kind are told apart and a
 * restart finds its events again. */
struct gg_str gg_rule_call_key(
	char *to, size_t size, struct gg_str rule, bool clearing, unsigned place, const char *action);
/* An event "action-failed" of an earlier run is open: the action's next success has it to clear. Thread: any.
 */
void gg_rule_call_failed_before(struct gg_str key);
/* Runs under way. Thread: any. */
unsigned gg_rule_calls(void);

#endif
