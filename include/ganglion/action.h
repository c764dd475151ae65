/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An action is what a rule does. run() is called on a shard's thread, must not block, and may be under way
 * many times at once; it ends each call with gg_call_done(), from any thread.
 */
#ifndef GANGLION_ACTION_H
#define GANGLION_ACTION_H

#include "ganglion/host.h"

/* Why the action runs. Valid during run() only; copy what is needed later. */
struct gg_trigger {
	struct gg_str rule;
	enum gg_severity severity;
	bool clearing;   /* the condition has passed (actions under `on_clear`) */
	uint64_t event;  /* id, 0 = none */
	uint32_t signal; /* what made the condition true */
	struct gg_sample sample;
	struct gg_str text; /* its string, if it is one */
	int64_t time_ns;
	struct gg_str title;
	struct gg_str message; /* more words, or empty */
	struct gg_str binding; /* what the wildcards of the rule stand for, parted by byte 0x1f */
};

struct gg_call; /* one run of an action */

struct gg_action_ops {
	/* Answers by gg_call_done(); a negative errno with text when it can't even be tried (no
	 * gg_call_done() then). */
	int (*run)(void *self, const struct gg_trigger *t, struct gg_call *call, struct gg_error *e);
};

/* status 0 or a negative errno; text (may be NULL) goes into the event's trace. Thread: any. */
void gg_call_done(struct gg_call *call, int status, const char *text);

/* ---- what actions make of a trigger ---- */

struct gg_buf;

/* Appends the template with {rule} {title} {message} {severity} {device} {signal} {value} {unit} {quality}
 * {time} {event} {state} and $1 to $4 (what the wildcards matched) filled in; other braces stay as they are.
 */
void gg_trigger_text(struct gg_buf *to, struct gg_str template_text, const struct gg_trigger *t);
/* Appends the trigger as a JSON object: what publish and webhook send when nothing else is said. */
void gg_trigger_json(struct gg_buf *to, const struct gg_trigger *t);
/* Works out a formula without signals, after filling in the template: "{value} * 0.5 + 3". Errors: -EINVAL
 * with text. */
int gg_trigger_number(
	const struct gg_trigger *t, struct gg_str formula, double *ret_value, struct gg_error *e);

#endif
