/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A run of an action: from the trigger to gg_call_done(). The call knows its event and how to speak of the
 * result, and nothing of the ruleset, which may be gone by then.
 */
#ifndef GG_RULE_CALL_H
#define GG_RULE_CALL_H

#include "pipeline/rule.h"

/* Runs one action; its result becomes a step in the event's trace, a failure also an event "action-failed".
 * Returns false when it could not be started (that is said the same way). */
bool gg_rule_call(
	const struct gg_rule_ops *ops, void *ctx, const struct gg_rule_action *a, const struct gg_trigger *t);
/* Runs under way. Thread: any. */
unsigned gg_rule_calls(void);

#endif
