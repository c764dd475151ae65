/* SPDX-License-Identifier: Apache-2.0 */
/* Building a ruleset from its configuration, and taking it down. */
#include "pipeline/rule_internal.h"

/* "2" or "2 K": a number and a unit. */
static int parse_hysteresis(
	const struct gg_site_rule *o, double *ret_value, char *unit, size_t size, struct gg_error *e)
{
	struct gg_str s = gg_str_trim(gg_str(o->hysteresis));
	size_t n = 0;
	while (n < s.len && strchr("0123456789.eE", s.p[n]))
		n++;
	double value = 0;
	if (gg_parse_float(gg_str_n(s.p, n), &value) < 0 || !(value > 0))
		return gg_error_set(
			e, -EINVAL, "hysteresis: '%s' is no positive number (e.g. 2, or 2 K)", o->hysteresis);
	gg_str_copy(unit, size, gg_str_trim(gg_str_n(s.p + n, s.len - n)));
	*ret_value = value;
	return 0;
}

/* What the signal table knows; a name that it does not know yet may come and be anything. */
static int find_signal(const void *ctx, struct gg_str name, struct gg_expr_signal *ret_signal)
{
	const struct gg_signal_info *info = NULL;
	(void)ctx;
	if (!gg_glob_has_wildcard(name))
		info = gg_signal(gg_signal_find(name));
	for (uint32_t i = 0; !info && gg_glob_has_wildcard(name) && i < gg_signal_count(); i++)
		if (gg_glob(name, gg_signal(i)->name))
			info = gg_signal(i);
	*ret_signal = info ? (struct gg_expr_signal){info->type, info->unit} : (struct gg_expr_signal){0};
	return 0;
}

static const struct gg_expr_names signal_table = {.find = find_signal};

static int compile(struct gg_ruleset *rs, const struct rule *r, const char *key, const char *text,
	const struct gg_expr_options *options, struct gg_expr **ret_expr, struct gg_error *e)
{
	int rc = gg_expr_compile(gg_str(text), rs->setup.names, options, &rs->arena, ret_expr, e);
	if (rc < 0) {
		gg_expr_error_at(e, gg_value_get(options_of(r)->at, key));
		gg_error_prefix(e, "%s", key);
	}
	return rc;
}

static int compile_clear(struct gg_ruleset *rs, struct rule *r, struct gg_error *e)
{
	const struct gg_site_rule *o = options_of(r);
	struct gg_expr_options options = {.flags = GG_EXPR_CONDITION};
	char unit[64];
	int rc = 0;
	r->unclear = r->when;
	if (o->hysteresis) {
		options.loosen_unit = unit;
		rc = parse_hysteresis(o, &options.loosen, unit, sizeof unit, e);
		if (rc == 0)
			rc = compile(rs, r, "when", o->when, &options, &r->unclear, e);
		options = (struct gg_expr_options){.flags = GG_EXPR_CONDITION};
	}
	if (rc == 0 && o->clear_when)
		rc = compile(rs, r, "clear_when", o->clear_when, &options, &r->clear, e);
	if (rc < 0 || !r->clear)
		return rc;
	if (r->clear->for_ns)
		return gg_error_set(e, -EINVAL, "clear_when: write the time in clear_for");
	if (r->clear->stars && r->clear->stars != r->when->stars)
		return gg_error_set(e, -EINVAL, "clear_when: has other wildcards than when");
	return 0;
}

static int build_when(struct gg_ruleset *rs, struct rule *r, struct gg_error *e)
{
	const struct gg_site_rule *o = options_of(r);
	const struct gg_expr_options options = {.flags = GG_EXPR_CONDITION};
	int rc = compile(rs, r, "when", o->when, &options, &r->when, e);
	if (rc == 0)
		rc = compile_clear(rs, r, e);
	if (rc < 0)
		return rc;
	if (r->when->for_ns && o->for_ns)
		return gg_error_set(e, -EINVAL, "for: is written in the condition already");
	r->for_ns = r->when->for_ns ? r->when->for_ns : o->for_ns;
	r->stars = r->when->stars;
	r->ref_count = r->when->ref_count + (r->clear ? r->clear->ref_count : 0U);
	if (r->ref_count == 0)
		return gg_error_set(e, -EINVAL, "when: names no signal, so it would never change");
	r->known = gg_arena_alloc(&rs->arena, r->ref_count * sizeof *r->known);
	if (!r->known)
		return gg_error_set(e, -ENOMEM, "out of memory");
	memset(r->known, 0xff, r->ref_count * sizeof *r->known);
	return 0;
}

static int build_rule(struct gg_ruleset *rs, struct rule *r, struct gg_error *e)
{
	const struct gg_site_rule *o = options_of(r);
	r->first_instance = GG_NONE;
	if (!!o->when == !!o->on.event)
		return gg_error_set(e, -EINVAL,
			o->when ? "has both `when` and `on`; one is enough"
				: "wants `when` (a condition) or `on` (an event)");
	if (o->when)
		return build_when(rs, r, e);
	if (o->clear_when || o->hysteresis || o->for_ns)
		return gg_error_set(
			e, -EINVAL, "`clear_when`, `hysteresis` and `for` belong to `when`, not to `on`");
	if (gg_str_is(gg_str(o->on.event), "rule"))
		return gg_error_set(
			e, -EINVAL, "on: a rule can't follow the events of rules; put the action there");
	return 0;
}

int gg_rule_check(const struct gg_site_rule *o, const struct gg_expr_names *names, struct gg_error *e)
{
	static const struct gg_rule_ops nothing = {0};
	struct gg_rule rule = {.options = o};
	struct gg_ruleset_setup setup = {.names = names, .ops = &nothing};
	struct gg_ruleset *rs = NULL;
	int rc = gg_ruleset_new(&rule, 1, &setup, &rs, e);
	gg_ruleset_free(rs);
	return rc;
}

int gg_ruleset_new(const struct gg_rule *rules, size_t count, const struct gg_ruleset_setup *setup,
	struct gg_ruleset **ret_ruleset, struct gg_error *e)
{
	struct gg_ruleset *rs = calloc(1, sizeof *rs);
	int rc = -ENOMEM;
	if (!rs)
		return gg_error_set(e, rc, "out of memory");
	rs->setup = *setup;
	if (!rs->setup.names)
		rs->setup.names = &signal_table;
	rs->live = true;
	rs->arena = GG_ARENA((size_t)256 << 20);
	rs->first_wild = GG_NONE;
	rs->scratch = GG_BUF(64 << 10);
	rs->title = GG_BUF(1024);
	rs->message = GG_BUF(4096);
	rs->key = GG_BUF(1024);
	rs->rules = calloc(count ? count : 1, sizeof *rs->rules);
	if (!rs->rules)
		goto fail;
	for (size_t i = 0; i < count; i++) {
		if (!rules[i].options->enabled && setup->ops->event)
			continue;
		struct rule *r = &rs->rules[rs->rule_count];
		r->config = &rules[i];
		rc = build_rule(rs, r, e);
		if (rc < 0) {
			gg_error_prefix(e, "rule %s", rules[i].options->name);
			if (e && !e->line && rules[i].options->at)
				gg_error_at(e, rules[i].options->at->file, rules[i].options->at->line,
					rules[i].options->at->column);
			goto fail;
		}
		rs->rule_count++;
	}
	rc = gg_rule_bind_all(rs);
	if (rc < 0)
		goto fail;
	rs->setup.names = NULL;
	*ret_ruleset = rs;
	return 0;
fail:
	if (rc == -ENOMEM)
		gg_error_set(e, rc, "out of memory");
	gg_ruleset_free(rs);
	return rc;
}

void gg_ruleset_free(struct gg_ruleset *rs)
{
	if (!rs)
		return;
	for (uint32_t i = 0; i < rs->instance_count; i++) {
		free(rs->instances[i]->binding);
		free(rs->instances[i]->slots);
		free(rs->instances[i]->convert);
		free(rs->instances[i]);
	}
	for (uint32_t i = 0; i < rs->slot_count; i++) {
		gg_expr_last_done(&rs->lasts[i]);
		free(rs->watchers[i].items);
	}
	free(rs->instances);
	free(rs->lasts);
	free(rs->watchers);
	free(rs->slot_of);
	free(rs->heap);
	free(rs->uses);
	gg_map_done(&rs->by_binding);
	gg_map_done(&rs->by_name);
	gg_buf_done(&rs->scratch);
	gg_buf_done(&rs->title);
	gg_buf_done(&rs->message);
	gg_buf_done(&rs->key);
	gg_arena_done(&rs->arena);
	free(rs->rules);
	free(rs);
}

void gg_ruleset_set_live(struct gg_ruleset *rs, bool live)
{
	rs->live = live;
}

bool gg_ruleset_wants(const struct gg_ruleset *rs, uint32_t signal)
{
	return signal < rs->slot_of_cap && rs->slot_of[signal] != GG_NONE;
}

static bool names(const char *text, struct gg_str signal)
{
	struct gg_arena arena = GG_ARENA(1 << 20);
	struct gg_expr_options options = {.flags = GG_EXPR_CONDITION};
	struct gg_expr *x = NULL;
	bool found = false;
	if (text && gg_expr_compile(gg_str(text), NULL, &options, &arena, &x, NULL) == 0)
		for (unsigned i = 0; i < x->ref_count; i++)
			found |= gg_glob(x->refs[i].name, signal);
	gg_arena_done(&arena);
	return found;
}

bool gg_rule_names(const struct gg_site_rule *o, struct gg_str signal)
{
	return names(o->when, signal) || names(o->clear_when, signal);
}

void gg_ruleset_stats(const struct gg_ruleset *rs, struct gg_ruleset_stats *ret_stats)
{
	*ret_stats = rs->stats;
	ret_stats->rules = rs->rule_count;
	ret_stats->instances = rs->instance_count;
	size_t bytes = sizeof *rs + rs->arena.used + rs->rule_count * sizeof *rs->rules;
	bytes += rs->slot_cap * (sizeof *rs->lasts + sizeof *rs->watchers) +
		 rs->slot_of_cap * sizeof(uint32_t);
	bytes += rs->use_cap * sizeof *rs->uses + rs->heap_cap * sizeof(uint32_t) +
		 rs->instance_cap * sizeof(void *);
	for (uint32_t i = 0; i < rs->instance_count; i++) {
		const struct instance *in = rs->instances[i];
		ret_stats->open += in->open;
		bytes += sizeof *in + 16 + (in->binding ? strlen(in->binding) + 17 : 0);
		bytes += rs->rules[in->rule].ref_count * (4U + (in->convert ? 16U : 0U)) + 16;
	}
	for (uint32_t i = 0; i < rs->slot_count; i++)
		bytes += rs->watchers[i].cap * sizeof *rs->watchers[i].items + rs->lasts[i].text_cap + 16U;
	bytes += rs->by_name.cap * (sizeof(struct gg_map_entry) + 24) +
		 rs->by_binding.cap * (sizeof(struct gg_map_entry) + 16);
	ret_stats->memory_bytes = bytes;
}
