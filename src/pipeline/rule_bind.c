/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names to signals. Plain names are found by a map, those with wildcards by trying each pattern; a signal
 * that a rule names gets a slot, the row of its last value, and a list of the instances that look at it. All
 * this happens when signals appear, never per sample.
 */
#include "base/log.h"
#include "pipeline/rule_internal.h"

static int add_use(struct gg_ruleset *rs, uint32_t rule, uint32_t ref)
{
	const struct gg_expr_ref *r = ref_of(&rs->rules[rule], ref);
	if (gg_grow(&rs->uses, rs->use_count, &rs->use_cap, sizeof *rs->uses) < 0)
		return -ENOMEM;
	struct use *u = &rs->uses[rs->use_count];
	*u = (struct use){.rule = rule, .ref = ref};
	if (r->wild) {
		u->next = rs->first_wild;
		rs->first_wild = rs->use_count++;
		return 0;
	}
	u->next = (uint32_t)gg_map_get(&rs->by_name, r->name, 0) - 1U;
	return gg_map_put(&rs->by_name, r->name, ++rs->use_count);
}

int gg_rule_bind_all(struct gg_ruleset *rs)
{
	for (uint32_t i = 0; i < rs->rule_count; i++) {
		for (uint32_t k = 0; k < rs->rules[i].ref_count; k++)
			if (add_use(rs, i, k) < 0)
				return -ENOMEM;
		if (rs->rules[i].when && !rs->rules[i].stars && !gg_rule_instance(rs, i, GG_STR(""), true))
			return -ENOMEM;
	}
	return 0;
}

/* ---- slots ---- */

static uint32_t slot_of(struct gg_ruleset *rs, uint32_t signal)
{
	if (signal >= rs->slot_of_cap) {
		uint32_t cap = (signal | 255U) + 1;
		uint32_t *bigger = realloc(rs->slot_of, cap * sizeof *bigger);
		if (!bigger)
			return GG_NONE;
		memset(bigger + rs->slot_of_cap, 0xff, (cap - rs->slot_of_cap) * sizeof *bigger);
		rs->slot_of = bigger;
		rs->slot_of_cap = cap;
	}
	if (rs->slot_of[signal] != GG_NONE)
		return rs->slot_of[signal];
	uint32_t cap = rs->slot_cap;
	if (gg_grow(&rs->lasts, rs->slot_count, &cap, sizeof *rs->lasts) < 0 ||
		gg_grow(&rs->watchers, rs->slot_count, &rs->slot_cap, sizeof *rs->watchers) < 0)
		return GG_NONE;
	rs->lasts[rs->slot_count] = (struct gg_expr_last){.signal = signal};
	rs->watchers[rs->slot_count] = (struct watchers){0};
	return rs->slot_of[signal] = rs->slot_count++;
}

static int watch(struct gg_ruleset *rs, uint32_t slot, uint32_t instance)
{
	struct watchers *w = &rs->watchers[slot];
	for (uint32_t i = 0; i < w->count; i++)
		if (w->items[i] == instance)
			return 0;
	if (gg_grow(&w->items, w->count, &w->cap, sizeof *w->items) < 0)
		return -ENOMEM;
	w->items[w->count++] = instance;
	return 0;
}

/* ---- instances ---- */

/* The signal may say its value in another unit than the rule was written for. */
static void set_convert(
	struct instance *in, const struct rule *r, uint32_t ref, const struct gg_signal_info *info)
{
	const struct gg_expr_ref *named = ref_of(r, ref);
	struct gg_expr_linear l = {1, 0};
	if (!*named->unit || !*info->unit || strcmp(named->unit, info->unit) == 0)
		return;
	if (gg_unit_linear(info->unit, named->unit, &l) < 0) {
		gg_log(GG_WARN, options_of(r)->name, "rule rests: unit of a signal does not fit",
			GG_SV("signal", info->name), GG_S("unit", info->unit), GG_S("wanted", named->unit));
		in->broken = true;
		return;
	}
	if (!in->convert) {
		in->convert = calloc(r->ref_count, sizeof *in->convert);
		for (uint32_t i = 0; in->convert && i < r->ref_count; i++)
			in->convert[i].scale = 1;
	}
	if (in->convert)
		in->convert[ref] = l;
	else
		in->broken = true;
}

static void set_slot(struct gg_ruleset *rs, uint32_t number, uint32_t ref, uint32_t slot)
{
	struct instance *in = rs->instances[number];
	const struct gg_signal_info *info = gg_signal(rs->lasts[slot].signal);
	if (watch(rs, slot, number) < 0) {
		in->broken = true;
		return;
	}
	in->slots[ref] = slot;
	if (info)
		set_convert(in, &rs->rules[in->rule], ref, info);
}

static struct instance *instance_new(struct gg_ruleset *rs, uint32_t rule, struct gg_str binding)
{
	struct rule *r = &rs->rules[rule];
	struct instance *in = calloc(1, sizeof *in);
	if (!in || gg_grow(&rs->instances, rs->instance_count, &rs->instance_cap, sizeof *rs->instances) < 0)
		goto fail;
	in->slots = malloc((r->ref_count ? r->ref_count : 1) * sizeof *in->slots);
	in->binding = binding.len ? gg_str_dup(binding) : NULL;
	if (!in->slots || (binding.len && !in->binding))
		goto fail;
	memset(in->slots, 0xff, r->ref_count * sizeof *in->slots);
	in->number = rs->instance_count;
	in->rule = rule;
	in->next = r->first_instance;
	r->first_instance = rs->instance_count;
	rs->instances[rs->instance_count++] = in;
	for (uint32_t i = 0; i < r->ref_count; i++)
		if (r->known[i] != GG_NONE)
			set_slot(rs, r->first_instance, i, r->known[i]);
	return in;
fail:
	if (in) {
		free(in->slots);
		free(in->binding);
	}
	free(in);
	return NULL;
}

struct instance *gg_rule_instance(struct gg_ruleset *rs, uint32_t rule, struct gg_str binding, bool make)
{
	struct rule *r = &rs->rules[rule];
	if (r->when && !r->stars && r->first_instance != GG_NONE)
		return rs->instances[r->first_instance];
	char key[GG_BINDING + 280];
	int n = snprintf(key, sizeof key, "%u%c%.*s", rule, GG_BINDING_SEPARATOR, GG_STR_ARG(binding));
	struct gg_str name = gg_str_n(key, gg_min_size((size_t)n, sizeof key - 1));
	uint64_t found = gg_map_get(&rs->by_binding, name, 0);
	if (found || !make)
		return found ? rs->instances[found - 1] : NULL;
	if (rs->instance_count >= GG_RULE_INSTANCES) {
		gg_log(GG_ERROR, options_of(r)->name, "too many instances of rules, this one is left out",
			GG_I("most", GG_RULE_INSTANCES));
		return NULL;
	}
	struct instance *in = instance_new(rs, rule, binding);
	if (in && gg_map_put(&rs->by_binding, name, rs->instance_count) < 0)
		in->broken = true;
	return in;
}

static void bind_plain(struct gg_ruleset *rs, const struct use *u, uint32_t slot)
{
	struct rule *r = &rs->rules[u->rule];
	r->known[u->ref] = slot;
	for (uint32_t i = r->first_instance; i != GG_NONE; i = rs->instances[i]->next)
		set_slot(rs, i, u->ref, slot);
}

static bool bind_wild(struct gg_ruleset *rs, const struct use *u, const struct gg_signal_info *info)
{
	const struct gg_expr_ref *ref = ref_of(&rs->rules[u->rule], u->ref);
	char binding[GG_BINDING];
	int n = gg_expr_bind(ref->name, info->name, binding, sizeof binding);
	if (n < 0)
		return false;
	uint32_t slot = slot_of(rs, info->index);
	struct instance *in =
		slot == GG_NONE ? NULL : gg_rule_instance(rs, u->rule, gg_str_n(binding, (size_t)n), true);
	if (!in)
		return false;
	set_slot(rs, in->number, u->ref, slot);
	return true;
}

bool gg_ruleset_add_signal(struct gg_ruleset *rs, const struct gg_signal_info *info)
{
	bool wanted = false;
	uint32_t first = (uint32_t)gg_map_get(&rs->by_name, info->name, 0) - 1U;
	uint32_t slot = first == GG_NONE ? GG_NONE : slot_of(rs, info->index);
	for (uint32_t i = first; i != GG_NONE && slot != GG_NONE; i = rs->uses[i].next) {
		bind_plain(rs, &rs->uses[i], slot);
		wanted = true;
	}
	for (uint32_t i = rs->first_wild; i != GG_NONE; i = rs->uses[i].next)
		wanted |= bind_wild(rs, &rs->uses[i], info);
	return wanted;
}
