/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plan: what one shard has to do under one configuration, its pipelines and (on shard 0) its rules. The
 * control thread builds it, the shard then owns it; it is replaced whole.
 */
#ifndef GG_GATEWAY_PLAN_H
#define GG_GATEWAY_PLAN_H

#include "pipeline/pipeline.h"

struct gg_site;
struct gg_plan_rules;
struct gg_rule_ops;

struct gg_plan {
	struct gg_arena arena; /* options of stages and actions */
	struct gg_pipeline **pipelines;
	size_t pipeline_count;
	struct gg_plan_rules *rules; /* NULL: none here */
	struct gg_batch **held;      /* derived batches that wait until their input has gone to the journal */
	size_t held_count, held_cap;
};

struct gg_plan_options {
	const struct gg_site *site; /* outlives the plan */
	unsigned shard;
	struct gg_loop *loop; /* where actions live: the shard's */
	bool rules;           /* this shard is the rules' home */
	bool dry;             /* a replay of what is not live: actions are checked, never started */
	const struct gg_rule_ops *rule_ops;
	void *rule_arg;
	void (*event)(void *arg, const struct gg_event_report *r); /* NULL: events of stages go nowhere */
	void *event_arg;
	uint64_t revision;
};

/* Errors: -EINVAL with text and place, -ENOMEM. */
int gg_plan_new(const struct gg_plan_options *o, struct gg_plan **ret_plan, struct gg_error *e);
void gg_plan_free(struct gg_plan *p);
/* A sink for derived batches that holds them back, and what lets them go, in order. */
void gg_plan_hold(void *plan, struct gg_batch *b);
void gg_plan_release(struct gg_plan *p, void (*to)(void *arg, struct gg_batch *b), void *arg);
/* Rules over a frozen batch. p may be NULL. */
void gg_plan_rules(struct gg_plan *p, const struct gg_batch *b, int64_t now_ns);
void gg_plan_event(struct gg_plan *p, const struct gg_event_report *r, int64_t now_ns);
/* Not live: states follow, but no events are opened by rules, and no actions run. */
void gg_plan_set_live(struct gg_plan *p, bool live);
/* As gg_ruleset_reconcile(). */
void gg_plan_reconcile(struct gg_plan *p, int64_t now_ns, bool recovered);
void gg_plan_tick_rules(struct gg_plan *p, int64_t now_ns);
/* When the next tick is due; INT64_MAX: none. */
int64_t gg_plan_due(const struct gg_plan *p);
void gg_plan_save(const struct gg_plan *p, struct gg_buf *to);
/* Takes over what fits; a part that does not begins anew (logged). Errors: -EINVAL it is not whole, and
 * nothing has been taken. */
int gg_plan_load(struct gg_plan *p, struct gg_reader *from);

/* ---- the rules' half (plan_rules.c) ---- */
int gg_plan_add_rules(struct gg_plan *p, const struct gg_plan_options *o, struct gg_error *e);
void gg_plan_free_rules(struct gg_plan *p);
void gg_plan_save_rules(const struct gg_plan *p, struct gg_buf *to);
int gg_plan_load_rules(struct gg_plan *p, struct gg_reader *from);
int64_t gg_plan_rules_due(const struct gg_plan *p);

#endif
