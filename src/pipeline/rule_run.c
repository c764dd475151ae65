/* SPDX-License-Identifier: Apache-2.0 */
/* Samples and time to states: the part of the rules that runs per sample. Nothing here allocates; what opens
 * and clears is in rule_event.c. */
#include "pipeline/expr_internal.h"
#include "pipeline/rule_internal.h"

#include <math.h>

/* ---- the heap of what is due ---- */

static void place(struct gg_ruleset *rs, uint32_t at, uint32_t instance)
{
	rs->heap[at] = instance;
	rs->instances[instance]->heap = at + 1;
}

/* Equal times go by number, so that a replay has the same order. */
static bool before(const struct gg_ruleset *rs, uint32_t a, uint32_t b)
{
	int64_t x = rs->instances[a]->due_ns, y = rs->instances[b]->due_ns;
	return x != y ? x < y : a < b;
}

static void up(struct gg_ruleset *rs, uint32_t at, uint32_t instance)
{
	for (; at && before(rs, instance, rs->heap[(at - 1) / 2]); at = (at - 1) / 2)
		place(rs, at, rs->heap[(at - 1) / 2]);
	place(rs, at, instance);
}

static void down(struct gg_ruleset *rs, uint32_t at, uint32_t instance)
{
	for (uint32_t child; (child = at * 2 + 1) < rs->heap_count; at = child) {
		if (child + 1 < rs->heap_count && before(rs, rs->heap[child + 1], rs->heap[child]))
			child++;
		if (!before(rs, rs->heap[child], instance))
			break;
		place(rs, at, rs->heap[child]);
	}
	place(rs, at, instance);
}

static void heap_remove(struct gg_ruleset *rs, struct instance *in)
{
	uint32_t at = in->heap - 1;
	in->heap = 0;
	uint32_t last = rs->heap[--rs->heap_count];
	if (at == rs->heap_count)
		return;
	if (at && before(rs, last, rs->heap[(at - 1) / 2]))
		up(rs, at, last);
	else
		down(rs, at, last);
}

/* The heap has room for all instances once one of them has been due. */
static bool heap_room(struct gg_ruleset *rs)
{
	if (rs->heap_count < rs->heap_cap)
		return true;
	uint32_t cap = rs->instance_cap;
	uint32_t *bigger = realloc(rs->heap, cap * sizeof *bigger);
	if (!bigger)
		return false;
	rs->heap = bigger;
	rs->heap_cap = cap;
	return true;
}

void gg_rule_set_due(struct gg_ruleset *rs, struct instance *in, int64_t due_ns)
{
	if (in->heap && in->due_ns == due_ns)
		return;
	if (in->heap)
		heap_remove(rs, in);
	in->due_ns = due_ns;
	if (due_ns == INT64_MAX || !heap_room(rs))
		return;
	up(rs, rs->heap_count++, in->number);
}

/* ---- states ---- */

static int64_t later(int64_t at, int64_t by)
{
	return at > INT64_MAX - by ? INT64_MAX : at + by;
}

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static enum gg_truth ask(struct gg_ruleset *rs, const struct instance *in, const struct gg_expr *x,
	uint32_t first_ref, struct gg_expr_env *env)
{
	env->lasts = rs->lasts;
	env->slots = in->slots + first_ref;
	env->convert = in->convert ? in->convert + first_ref : NULL;
	return gg_expr_truth(x, env);
}

static int64_t run_closed(struct gg_ruleset *rs, struct instance *in, struct gg_expr_env *env)
{
	const struct rule *r = &rs->rules[in->rule];
	if (ask(rs, in, r->when, 0, env) != GG_TRUE) {
		in->since_ns = 0;
		return INT64_MAX;
	}
	if (!in->since_ns)
		in->since_ns = env->now_ns;
	int64_t at = later(in->since_ns, r->for_ns);
	if (env->now_ns < at)
		return at;
	gg_rule_open(rs, in, env->cause, env->now_ns, NULL);
	return INT64_MAX;
}

static int64_t run_open(struct gg_ruleset *rs, struct instance *in, struct gg_expr_env *env)
{
	const struct rule *r = &rs->rules[in->rule];
	bool clear = r->clear ? ask(rs, in, r->clear, r->when->ref_count, env) == GG_TRUE
			      : ask(rs, in, r->unclear, 0, env) == GG_FALSE;
	if (!clear) {
		in->clear_since_ns = 0;
		return INT64_MAX;
	}
	if (!in->clear_since_ns)
		in->clear_since_ns = env->now_ns;
	int64_t at = later(in->clear_since_ns, options_of(r)->clear_for_ns);
	if (env->now_ns < at)
		return at;
	gg_rule_clear(rs, in, env->cause, env->now_ns, NULL);
	in->since_ns = 0;
	return INT64_MAX;
}

void gg_rule_evaluate(struct gg_ruleset *rs, struct instance *in, uint32_t cause, int64_t now_ns)
{
	struct gg_expr_env env = {.cause = cause, .now_ns = now_ns, .due_ns = INT64_MAX};
	if (in->broken)
		return;
	rs->stats.evaluations++;
	bool was_open = in->open;
	int64_t due = was_open ? run_open(rs, in, &env) : run_closed(rs, in, &env);
	/* With time in the condition the new state has its own moment of turning. */
	if (in->open != was_open &&
		(rs->rules[in->rule].when->uses_time ||
			(rs->rules[in->rule].clear && rs->rules[in->rule].clear->uses_time)))
		due = later(now_ns, 1);
	due = sooner(due, env.due_ns);
	if (due != INT64_MAX || in->heap)
		gg_rule_set_due(rs, in, due);
}

/* ---- which numbers change nothing ---- */

/* The numbers for which "number token limit" is as wanted; empty where they are no one interval. */
static void set_interval(struct watcher *w, uint8_t token, double limit, bool wanted)
{
	bool above = (token == T_GT || token == T_GE) == wanted;
	bool itself = (token == T_GE || token == T_LE) == wanted;
	if (token == T_EQ || token == T_NE) {
		if ((token == T_EQ) == wanted)
			w->from = w->to = limit;
		return;
	}
	w->from = above ? (itself ? limit : nextafter(limit, INFINITY)) : -INFINITY;
	w->to = above ? INFINITY : (itself ? limit : nextafter(limit, -INFINITY));
}

static void ask_next_time(struct watcher *w)
{
	w->from = 1;
	w->to = 0;
}

static bool changes_nothing(const struct watcher *w, double value)
{
	return value >= w->from && value <= w->to;
}

/* Only for what is as plain as it can be: one comparison, nothing that waits for its time. And only when the
 * number of now is one of these; else the sample of another signal may open what clear_when has closed. */
static void learn(struct gg_ruleset *rs, struct watcher *w, uint32_t slot, double value)
{
	const struct instance *in = rs->instances[w->instance];
	const struct rule *r = &rs->rules[in->rule];
	const struct gg_expr *x = in->open ? r->unclear : r->when;
	int64_t since = in->open ? in->clear_since_ns : in->since_ns;
	ask_next_time(w);
	if (since || in->broken || in->heap || in->convert || (in->open && r->clear) || !x->simple ||
		in->slots[0] != slot)
		return;
	set_interval(w, x->simple, x->numbers[0], in->open);
	if (!changes_nothing(w, value))
		ask_next_time(w);
}

void gg_rule_ask_all(struct gg_ruleset *rs)
{
	for (uint32_t i = 0; i < rs->slot_count; i++)
		for (uint32_t k = 0; k < rs->watchers[i].count; k++)
			ask_next_time(&rs->watchers[i].items[k]);
}

static void ask_watchers(struct gg_ruleset *rs, uint32_t slot, int64_t now_ns)
{
	const struct gg_expr_last *l = &rs->lasts[slot];
	const struct watchers *list = &rs->watchers[slot];
	bool number = l->quality != GG_BAD && l->type != GG_TYPE_STRING && l->type != GG_TYPE_BOOL;
	double value = number ? l->number : NAN;
	for (uint32_t k = 0; k < list->count; k++) {
		struct watcher *w = &list->items[k];
		if (changes_nothing(w, value)) {
			rs->stats.evaluations++;
			continue;
		}
		gg_rule_evaluate(rs, rs->instances[w->instance], slot, now_ns);
		learn(rs, w, slot, value);
	}
}

void gg_ruleset_run(struct gg_ruleset *rs, const struct gg_sample *samples, uint32_t count,
	const struct gg_batch *batch, int64_t now_ns)
{
	if (rs->heap_count)
		gg_ruleset_tick(rs, now_ns);
	for (uint32_t i = 0; i < count; i++) {
		const struct gg_sample *s = &samples[i];
		uint32_t slot = s->signal < rs->slot_of_cap ? rs->slot_of[s->signal] : GG_NONE;
		if (slot == GG_NONE)
			continue;
		struct gg_str text = {"", 0};
		if (s->type == GG_TYPE_STRING && batch)
			text = gg_batch_text(batch, s);
		gg_expr_last_set(&rs->lasts[slot], s, text, now_ns);
		ask_watchers(rs, slot, now_ns);
	}
}

int64_t gg_ruleset_due(const struct gg_ruleset *rs)
{
	return rs->heap_count ? rs->instances[rs->heap[0]]->due_ns : INT64_MAX;
}

void gg_ruleset_tick(struct gg_ruleset *rs, int64_t now_ns)
{
	/* Each is asked at its own time and then wants a later one; the count bounds what a clock that jumped
	 * by years could cost. */
	for (unsigned turns = 0; rs->heap_count && turns < 4U * GG_RULE_INSTANCES; turns++) {
		struct instance *in = rs->instances[rs->heap[0]];
		int64_t at = in->due_ns;
		if (at > now_ns)
			return;
		if (turns >= 2 * rs->instance_count)
			at = now_ns;
		heap_remove(rs, in);
		in->due_ns = INT64_MAX;
		gg_rule_evaluate(rs, in, GG_NONE, at);
	}
}
