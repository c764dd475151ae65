/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of a plan: the ruleset, the instances of its actions, and which signals it has been told of. */
#include "core/signals.h"
#include "gateway/gateway.h"
#include "gateway/plan.h"
#include "pipeline/rule.h"

struct gg_plan_rules {
	struct gg_ruleset *set;
	struct gg_host *actions; /* a list */
	uint32_t signals_told;
};

/* ---- actions ---- */

static int add_actions(struct gg_plan *p, const struct gg_plan_options *o, const struct gg_instances *steps,
	struct gg_rule_action **ret_actions, struct gg_error *e)
{
	struct gg_rule_action *actions = gg_arena_alloc(&p->arena, (steps->count + 1) * sizeof *actions);
	if (!actions)
		return gg_error_set(e, -ENOMEM, "out of memory");
	for (size_t i = 0; i < steps->count; i++) {
		const struct gg_instance_config *c = &steps->items[i];
		struct gg_host *h = NULL;
		int rc = gg_instance_new(c->name, c->component, c->value, o->loop, &h, e);
		if (rc == 0) {
			h->next = p->rules->actions;
			p->rules->actions = h;
			rc = o->dry ? 0 : gg_instance_start(h, e);
		}
		if (rc < 0) {
			if (e && !e->line && c->place)
				gg_error_at(e, c->place->file, c->place->line, c->place->column);
			return rc;
		}
		actions[i] = (struct gg_rule_action){c->component, h->self};
	}
	*ret_actions = actions;
	return 0;
}

static int add_rule(struct gg_plan *p, const struct gg_plan_options *o, const struct gg_site_rule *c,
	struct gg_rule *rule, struct gg_error *e)
{
	struct gg_rule_action *actions = NULL, *on_clear = NULL;
	int rc = add_actions(p, o, &c->actions, &actions, e);
	if (rc == 0)
		rc = add_actions(p, o, &c->clear_actions, &on_clear, e);
	if (rc == 0)
		*rule = (struct gg_rule){c, actions, on_clear, c->actions.count, c->clear_actions.count};
	return rc;
}

int gg_plan_add_rules(struct gg_plan *p, const struct gg_plan_options *o, struct gg_error *e)
{
	const struct gg_site_rule *configs = o->site->rules.items;
	struct gg_rule *rules = gg_arena_alloc(&p->arena, (o->site->rules.count + 1) * sizeof *rules);
	struct gg_ruleset_setup setup = {.ops = o->rule_ops, .ctx = o->rule_arg, .revision = o->revision};
	size_t count = 0;
	p->rules = calloc(1, sizeof *p->rules);
	if (!rules || !p->rules)
		return gg_error_set(e, -ENOMEM, "out of memory");
	for (size_t i = 0; i < o->site->rules.count; i++) {
		int rc = configs[i].enabled ? add_rule(p, o, &configs[i], &rules[count], e) : 0;
		if (rc < 0)
			return rc;
		count += configs[i].enabled;
	}
	return count ? gg_ruleset_new(rules, count, &setup, &p->rules->set, e) : 0;
}

void gg_plan_free_rules(struct gg_plan *p)
{
	if (!p->rules)
		return;
	for (struct gg_host *h = p->rules->actions; h; h = h->next)
		gg_instance_end(h);
	gg_ruleset_free(p->rules->set);
	for (struct gg_host *h = p->rules->actions, *next; h; h = next) {
		next = h->next;
		gg_instance_free(h);
	}
	free(p->rules);
	p->rules = NULL;
}

/* ---- running ---- */

static struct gg_ruleset *set_of(const struct gg_plan *p)
{
	return p && p->rules ? p->rules->set : NULL;
}

static void tell_signals(struct gg_plan_rules *r)
{
	for (uint32_t count = gg_signal_count(); r->signals_told < count; r->signals_told++)
		gg_ruleset_add_signal(r->set, gg_signal(r->signals_told));
}

void gg_plan_rules(struct gg_plan *p, const struct gg_batch *b, int64_t now_ns)
{
	if (!set_of(p))
		return;
	tell_signals(p->rules);
	gg_ruleset_run(p->rules->set, b->samples, b->count, b, now_ns);
}

void gg_plan_tick_rules(struct gg_plan *p, int64_t now_ns)
{
	if (set_of(p) && gg_ruleset_due(p->rules->set) <= now_ns)
		gg_ruleset_tick(p->rules->set, now_ns);
}

void gg_plan_event(struct gg_plan *p, const struct gg_event_report *r, int64_t now_ns)
{
	if (set_of(p))
		gg_ruleset_event(p->rules->set, r, now_ns);
}

void gg_plan_set_live(struct gg_plan *p, bool live)
{
	if (set_of(p))
		gg_ruleset_set_live(p->rules->set, live);
}

void gg_plan_reconcile(struct gg_plan *p, int64_t now_ns, bool recovered)
{
	if (!set_of(p))
		return;
	tell_signals(p->rules);
	gg_ruleset_reconcile(p->rules->set, now_ns, recovered);
}

int64_t gg_plan_rules_due(const struct gg_plan *p)
{
	return set_of(p) ? gg_ruleset_due(p->rules->set) : INT64_MAX;
}

void gg_plan_save_rules(const struct gg_plan *p, struct gg_buf *to)
{
	if (set_of(p))
		gg_ruleset_save(p->rules->set, to);
}

int gg_plan_load_rules(struct gg_plan *p, struct gg_reader *from)
{
	if (!set_of(p))
		return 0;
	tell_signals(p->rules);
	return gg_ruleset_load(p->rules->set, from);
}
