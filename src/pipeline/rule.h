/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules: a condition over signals, or an event of another kind, that opens an event and runs actions.
 *
 *   sample ─▶ last value by slot ─▶ rules that name the signal ─▶ condition ─▶ state ─▶ event, actions
 *                                                                               │
 *                       due(), tick(): `for 10s`, age() ────────────────────────┘
 *
 *            condition true for `for`, limits allow              clear condition true for `clear_for`
 *   CLOSED ───────────────────────────────────────────▶ OPEN ───────────────────────────────────────▶ CLOSED
 *            (unknown counts as not true)                        (unknown holds it open)
 *
 * A ruleset lives on one shard. It is a function of what it is handed: samples, events and now_ns; the same
 * input gives the same output, so a replay and a recovery are the same code with set_live(false).
 *
 * A rule with wildcards has an instance for each binding of `*`, made when a signal that fits is added; the
 * others have one. Bounded: GG_RULE_INSTANCES in all.
 * Thread: the shard's; gg_call_done() any.
 */
#ifndef GG_RULE_H
#define GG_RULE_H

#include "base/bytes.h"
#include "core/site.h"
#include "ganglion/action.h"
#include "pipeline/expr.h"

enum { GG_RULE_INSTANCES = 65536, GG_RULE_CALLS = 1024 };

/* An action's instance; the caller makes and owns it. */
struct gg_rule_action {
	const struct gg_component *component;
	void *self;
};

struct gg_rule {
	const struct gg_site_rule *options; /* from the configuration */
	const struct gg_rule_action *actions, *on_clear;
	size_t action_count, on_clear_count;
};

/* What a ruleset does to the world. Must outlive all calls of actions. */
struct gg_rule_ops {
	/* Opens or clears; as gg_event(). */
	uint64_t (*event)(void *ctx, const struct gg_event_report *r);
	/* As gg_event_trace(). Thread: any. */
	void (*trace)(void *ctx, uint64_t event, struct gg_str step_json);
	/* As component->action->run(). */
	int (*run)(void *ctx, const struct gg_rule_action *a, const struct gg_trigger *t,
		struct gg_call *call, struct gg_error *e);
	/* The open event of that kind and key, 0 = none; asked when not live and by gg_ruleset_reconcile().
	 * May be NULL. */
	uint64_t (*known)(void *ctx, const char *kind, struct gg_str key);
};

/* The gateway's own. */
extern const struct gg_rule_ops gg_rule_ops_live;

struct gg_ruleset_setup {
	const struct gg_expr_names *names; /* to check against, while building; NULL: the signal table, where
					      an unknown name may come later */
	const struct gg_rule_ops *ops;
	void *ctx;
	uint64_t revision; /* of the configuration, for traces */
};

struct gg_ruleset;

/* Checks one rule by itself: for `ganglion check`. Errors: -EINVAL with place (file, line, column) and text.
 */
int gg_rule_check(const struct gg_site_rule *o, const struct gg_expr_names *names, struct gg_error *e);

/* Owner: the caller; options, actions and ops must outlive the ruleset. Errors: as gg_rule_check(), -ENOMEM.
 */
int gg_ruleset_new(const struct gg_rule *rules, size_t count, const struct gg_ruleset_setup *setup,
	struct gg_ruleset **ret_ruleset, struct gg_error *e);
void gg_ruleset_free(struct gg_ruleset *rs);
/* A signal exists: call for all there are after gg_ruleset_new(), and for each new one. Returns true when a
 * rule here names it, so that its samples must come here. */
bool gg_ruleset_add_signal(struct gg_ruleset *rs, const struct gg_signal_info *info);
/* Does a rule here name it? */
bool gg_ruleset_wants(const struct gg_ruleset *rs, uint32_t signal);
/* Does a pattern of a rule match the name? For the distribution over shards, before any signal exists. */
bool gg_rule_names(const struct gg_site_rule *o, struct gg_str signal);

/* Not live (recovery, replay): states follow, but no events are opened and no actions run. Starts live. */
void gg_ruleset_set_live(struct gg_ruleset *rs, bool live);
/* Makes states and the book of events agree, where a crash or a changed configuration came between them. An
 * event that is in the book while its rule rests is taken up again, and clears when the rule says so. After a
 * crash (recovered) a rule that stands open without an event tells it now and runs its actions: nobody knows
 * whether they ran. Thread: the shard's, while whoever keeps the book waits. */
void gg_ruleset_reconcile(struct gg_ruleset *rs, int64_t now_ns, bool recovered);
/* Samples in order. batch: where strings lie, may be NULL. What was due before now_ns is done first. */
void gg_ruleset_run(struct gg_ruleset *rs, const struct gg_sample *samples, uint32_t count,
	const struct gg_batch *batch, int64_t now_ns);
/* An event was opened or cleared: rules with `on`. The events of rules themselves do not count. */
void gg_ruleset_event(struct gg_ruleset *rs, const struct gg_event_report *r, int64_t now_ns);
/* When tick() is wanted next, UTC ns; INT64_MAX = not. */
int64_t gg_ruleset_due(const struct gg_ruleset *rs);
void gg_ruleset_tick(struct gg_ruleset *rs, int64_t now_ns);

/* Checkpoint, by names: survives a restart and a changed configuration (a rule whose condition was changed
 * starts anew). Load after the signals have been added. Errors: -EINVAL, and the ruleset is as new. */
void gg_ruleset_save(const struct gg_ruleset *rs, struct gg_buf *to);
int gg_ruleset_load(struct gg_ruleset *rs, struct gg_reader *from);

struct gg_ruleset_stats {
	uint64_t evaluations, opened, cleared, muted, action_runs, action_refusals;
	size_t rules, instances, open, memory_bytes;
};

void gg_ruleset_stats(const struct gg_ruleset *rs, struct gg_ruleset_stats *ret_stats);

#endif
