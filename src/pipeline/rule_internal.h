/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a ruleset, shared by rule*.c. */
#ifndef GG_RULE_INTERNAL_H
#define GG_RULE_INTERNAL_H

#include "base/buf.h"
#include "base/map.h"
#include "pipeline/rule.h"

struct rule {
	const struct gg_rule *config;
	struct gg_expr *when;    /* NULL: an event rule */
	struct gg_expr *unclear; /* while true the event stays open: `when`, loosened by the hysteresis */
	struct gg_expr *clear;   /* clear_when, or NULL */
	int64_t for_ns;
	uint32_t *known;         /* by ref: slot of a name without wildcards, GG_NONE = not there yet */
	uint32_t ref_count;      /* of when and clear together */
	uint32_t first_instance; /* GG_NONE = none */
	uint32_t stars;
	int64_t window_ns; /* when the limit's window began */
	uint64_t in_window;
};

struct instance {
	uint32_t number, rule, next; /* next of the same rule */
	uint32_t heap;               /* place + 1, 0 = not due */
	bool open, muted, broken;
	int64_t due_ns;
	int64_t since_ns; /* when the condition became true, 0 = it is not */
	int64_t clear_since_ns;
	int64_t opened_ns; /* last time, for the pause */
	uint64_t event;
	char *binding;                  /* NULL = none */
	uint32_t *slots;                /* by ref */
	struct gg_expr_linear *convert; /* by ref, or NULL */
};

/* An instance that looks at a slot. A number from..to leaves its state as it is, so it need not be asked:
 * most rules are "signal > 50", and most samples change nothing. from > to: nothing is known, ask. */
struct watcher {
	double from, to;
	uint32_t instance;
};

/* Who looks at a slot. */
struct watchers {
	struct watcher *items;
	uint32_t count, cap;
};

/* A name in a rule; chained by equal name, or in the list of those with wildcards. */
struct use {
	uint32_t rule, ref, next;
};

struct gg_ruleset {
	struct gg_arena arena; /* expressions and what lives as long */
	struct rule *rules;
	size_t rule_count;
	struct gg_ruleset_setup setup;
	bool live;
	struct instance **instances;
	uint32_t instance_count, instance_cap;
	struct gg_map by_binding; /* "rule number 0x1f binding" -> instance + 1 */
	struct use *uses;
	uint32_t use_count, use_cap;
	struct gg_map by_name; /* plain name -> use + 1 */
	uint32_t first_wild;
	struct gg_expr_last *lasts; /* by slot */
	struct watchers *watchers;
	uint32_t slot_count, slot_cap;
	uint32_t *slot_of; /* by signal */
	uint32_t slot_of_cap;
	uint32_t *heap; /* instances by due_ns */
	uint32_t heap_count, heap_cap;
	struct gg_buf scratch, title, message, key;
	struct gg_ruleset_stats stats;
};

static inline const struct gg_site_rule *options_of(const struct rule *r)
{
	return r->config->options;
}

/* Ref i of a rule, counted over both expressions. */
static inline struct gg_expr_ref *ref_of(const struct rule *r, uint32_t i)
{
	return i < r->when->ref_count ? &r->when->refs[i] : &r->clear->refs[i - r->when->ref_count];
}

/* rule_bind.c */
int gg_rule_bind_all(struct gg_ruleset *rs);
struct instance *gg_rule_instance(struct gg_ruleset *rs, uint32_t rule, struct gg_str binding, bool make);
/* rule_run.c */
void gg_rule_evaluate(struct gg_ruleset *rs, struct instance *in, uint32_t cause, int64_t now_ns);
void gg_rule_set_due(struct gg_ruleset *rs, struct instance *in, int64_t due_ns);
/* States were changed from outside: all are asked at their next sample. */
void gg_rule_ask_all(struct gg_ruleset *rs);
/* rule_event.c */
/* Its key, valid until the next call: "overheating", or with a binding "overheating/2". */
struct gg_str gg_rule_key(struct gg_ruleset *rs, const struct instance *in);
/* Opens the event and runs the actions; the states are the caller's. */
void gg_rule_tell_open(struct gg_ruleset *rs, struct instance *in, uint32_t cause, int64_t now_ns,
	const struct gg_event_report *by_event);
void gg_rule_open(struct gg_ruleset *rs, struct instance *in, uint32_t cause, int64_t now_ns,
	const struct gg_event_report *by_event);
void gg_rule_clear(struct gg_ruleset *rs, struct instance *in, uint32_t cause, int64_t now_ns,
	const struct gg_event_report *by_event);

#endif
