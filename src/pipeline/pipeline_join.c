/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a signal joins a pipeline: at its first sample the patterns are asked, then each stage in order makes
 * room for it, says what it becomes and names its outputs; these are slots too and join the stages behind
 * theirs. The answer is kept in an array by signal index, so that a sample costs one look-up.
 *
 *   boiler/temperature ─▶ normalise ─▶ window ┬▶ heat/boiler/temperature.mean ─▶ detect ┬▶ ...mean
 *        (slot 0)                             └▶ heat/boiler/temperature.p99  ─▶   ..   └▶ ...mean.score
 */
#include "base/log.h"
#include "core/signals.h"
#include "pipeline/pipeline_internal.h"

static bool pattern_matches(
	const struct gg_pipeline *p, struct gg_str pattern, const struct gg_signal_info *info)
{
	if (p->config.matches)
		return p->config.matches(p->config.arg, pattern, info);
	return gg_glob(pattern, info->name);
}

/* The patterns in order, the last that matches decides. Its own outputs are never selected. */
static bool selected(const struct gg_pipeline *p, const struct gg_signal_info *info)
{
	bool yes = false;
	if (info->device == p->device)
		return false;
	for (size_t i = 0; i < p->pattern_count; i++) {
		struct gg_str pattern = gg_str(p->patterns[i]);
		bool out = pattern.len && pattern.p[0] == '!';
		if (yes == out && pattern_matches(p, gg_str_n(pattern.p + out, pattern.len - out), info))
			yes = !out;
	}
	return yes;
}

static void slot_done(struct slot *s)
{
	free(s->out_name);
	if (s->own_info)
		free((void *)(uintptr_t)s->info);
}

void pipeline_slots_done(struct gg_pipeline *p)
{
	for (uint32_t i = 0; i < p->slot_count; i++)
		slot_done(&p->slots[i]);
	free(p->slots);
	free(p->slot_of);
	free(p->given);
}

/* info is the signal table's, and name the whole or the end of its name. */
static int slot_new(
	struct gg_pipeline *p, const struct gg_signal_info *info, const char *name, struct slot **ret_slot)
{
	if (p->slot_count == p->slot_cap) {
		uint32_t cap = p->slot_cap ? 2 * p->slot_cap : 16;
		struct slot *slots = realloc(p->slots, cap * sizeof *slots);
		if (!slots)
			return -ENOMEM;
		p->slots = slots;
		p->slot_cap = cap;
	}
	struct slot *s = &p->slots[p->slot_count++];
	*s = (struct slot){.source = GG_NONE, .out = GG_NONE, .name = name, .info = info};
	*ret_slot = s;
	return 0;
}

/* Errors: -EEXIST it has been given out before. */
static int give_out(struct gg_pipeline *p, uint32_t signal)
{
	if (signal / 8 >= p->given_bytes) {
		uint32_t count = p->given_bytes ? p->given_bytes : 64;
		while (count <= signal / 8)
			count *= 2;
		uint8_t *bigger = realloc(p->given, count);
		if (!bigger)
			return -ENOMEM;
		memset(bigger + p->given_bytes, 0, count - p->given_bytes);
		p->given = bigger;
		p->given_bytes = count;
	}
	unsigned bit = 1U << signal % 8;
	if (p->given[signal / 8] & bit)
		return -EEXIST;
	p->given[signal / 8] = (uint8_t)(p->given[signal / 8] | bit);
	return 0;
}

/* Makes the derived signal under which a slot leaves. */
static int name_signal(
	struct gg_pipeline *p, struct gg_str name, const struct gg_signal_spec *spec, uint32_t *ret_signal)
{
	uint32_t signal;
	int rc = gg_signal_make(p->device, name, spec, &signal);
	if (rc == 0)
		rc = give_out(p, signal);
	if (rc == 0)
		*ret_signal = signal;
	return rc;
}

int gg_stage_output_named(struct gg_pipeline *p, struct gg_str name, const struct gg_signal_spec *spec,
	uint32_t *ret_slot, uint32_t *ret_signal)
{
	struct slot *s;
	uint32_t signal = GG_NONE;
	int rc = name_signal(p, name, spec, &signal);
	if (rc < 0)
		return rc;
	const struct gg_signal_info *info = gg_signal(signal);
	rc = slot_new(p, info, info->signal.p, &s);
	if (rc < 0)
		return rc;
	s->out = signal;
	s->from = (uint8_t)(p->joining + 1);
	s->judgement = (p->stages[p->joining].ops->flags & GG_STAGE_JUDGES) != 0;
	*ret_slot = (uint32_t)(s - p->slots);
	*ret_signal = signal;
	return 0;
}

int gg_stage_output(struct gg_pipeline *p, const struct gg_stage_slot *source, const char *suffix,
	const struct gg_signal_spec *spec, uint32_t *ret_slot, uint32_t *ret_signal)
{
	struct gg_buf name GG_CLEANUP(gg_buf_done) = GG_BUF(512);
	const char *base = p->slots[source->slot].out_name;
	gg_buf_printf(&name, "%s%s", base ? base : p->slots[source->slot].name, suffix);
	if (name.error)
		return -EINVAL;
	struct gg_signal_spec whole = *spec;
	if (!whole.unit)
		whole.unit = source->info->unit;
	return gg_stage_output_named(p, gg_buf_view(&name), &whole, ret_slot, ret_signal);
}

static struct gg_signal_info *own_info(struct slot *s)
{
	struct gg_signal_info *copy = (void *)(uintptr_t)s->info;
	if (s->own_info)
		return copy;
	copy = malloc(sizeof *copy);
	if (!copy)
		return NULL;
	*copy = *s->info;
	s->info = copy;
	s->own_info = true;
	return copy;
}

int gg_stage_becomes(struct gg_pipeline *p, const struct gg_stage_slot *slot,
	const struct gg_signal_spec *spec, const char *name)
{
	struct slot *s = &p->slots[slot->slot];
	if (s->source == GG_NONE)
		return -ENOTSUP;
	struct gg_signal_info *info = own_info(s);
	if (!info)
		return -ENOMEM;
	info->type = spec->type;
	info->low = spec->low;
	info->high = spec->high;
	if (spec->unit)
		info->unit = spec->unit;
	if (!name)
		return 0;
	char *copy = gg_str_dup(gg_str(name));
	if (!copy)
		return -ENOMEM;
	free(s->out_name);
	s->out_name = copy;
	return 0;
}

/* As add_slot(): GG_STAGE_GOES_BY the stage leaves it alone. */
static int join_stage(struct gg_pipeline *p, uint32_t k, uint32_t slot, struct gg_error *e)
{
	struct stage *s = &p->stages[k];
	struct gg_signal_info before = *p->slots[slot].info;
	struct gg_stage_slot at = {
		.slot = slot, .signal = before.index, .info = &before, .judgement = p->slots[slot].judgement};
	p->joining = k;
	int rc = s->ops->add_slot ? s->ops->add_slot(s->self, p, &at, e) : 0;
	if (rc < 0) {
		if (e && !e->text[0])
			gg_error_set(e, rc, "%s", strerror(-rc));
		gg_error_prefix(e, "%.*s: stage %s", GG_STR_ARG(before.name), s->component->name);
		if (s->at)
			gg_error_at(e, s->at->file, s->at->line, s->at->column);
		return rc;
	}
	if (rc == 0)
		pipeline_claim(p, k, slot);
	return rc;
}

/* From its first stage on, until a stage replaces it by its outputs. */
static int join_slot(struct gg_pipeline *p, uint32_t slot, struct gg_error *e)
{
	p->slots[slot].until = (uint8_t)p->stage_count;
	for (uint32_t k = p->slots[slot].from; k < p->stage_count; k++) {
		int rc = join_stage(p, k, slot, e);
		if (rc < 0)
			return rc;
		if (rc == 0 && (p->stages[k].ops->flags & GG_STAGE_REPLACES)) {
			p->slots[slot].out = GG_NONE;
			p->slots[slot].until = (uint8_t)k;
			return 0;
		}
	}
	struct slot *s = &p->slots[slot];
	if (s->out != GG_NONE || !p->alters)
		return 0;
	struct gg_signal_spec spec = {.type = s->info->type,
		.unit = s->info->unit,
		.title = s->info->title,
		.low = s->info->low,
		.high = s->info->high,
		.period_ns = s->info->period_ns};
	int rc = name_signal(p, gg_str(s->out_name ? s->out_name : s->name), &spec, &s->out);
	if (rc < 0)
		return gg_error_set(e, rc, "%s: its name in the pipeline's output, \"%s/%s\", %s", s->name,
			p->name, s->out_name ? s->out_name : s->name,
			rc == -EEXIST ? "is already given to another signal" : "can't be");
	return 0;
}

static int remember(struct gg_pipeline *p, uint32_t signal, uint32_t what)
{
	if (signal >= p->slot_of_count) {
		uint32_t count = p->slot_of_count ? p->slot_of_count : 256;
		while (count <= signal)
			count *= 2;
		uint32_t *bigger = realloc(p->slot_of, count * sizeof *bigger);
		if (!bigger)
			return -ENOMEM;
		memset(bigger + p->slot_of_count, 0, (count - p->slot_of_count) * sizeof *bigger);
		p->slot_of = bigger;
		p->slot_of_count = count;
	}
	p->slot_of[signal] = what;
	return 0;
}

static int join_source(struct gg_pipeline *p, const struct gg_signal_info *info, struct gg_error *e)
{
	struct slot *s;
	uint32_t first = p->slot_count;
	int rc = slot_new(p, info, info->name.p, &s);
	if (rc < 0)
		return gg_error_set(e, rc, "out of memory");
	s->source = info->index;
	for (uint32_t i = first; i < p->slot_count; i++) {
		rc = join_slot(p, i, e);
		if (rc < 0)
			break;
	}
	if (rc == 0)
		rc = remember(p, info->index, first + 1);
	/* A half-joined slot stays as a number that no sample ever gets. */
	for (uint32_t i = first; rc < 0 && i < p->slot_count; i++) {
		p->slots[i].out = GG_NONE;
		p->slots[i].from = (uint8_t)p->stage_count;
	}
	return rc;
}

int gg_pipeline_join(struct gg_pipeline *p, uint32_t signal, struct gg_error *e)
{
	const struct gg_signal_info *info = gg_signal(signal);
	if (!info)
		return gg_error_set(e, -ENOENT, "there is no such signal");
	if (signal < p->slot_of_count && p->slot_of[signal] != 0 && p->slot_of[signal] != SLOT_NO)
		return 0;
	if (!selected(p, info)) {
		remember(p, signal, SLOT_NO);
		return gg_error_set(e, -ENOENT, "%s is not selected", info->name.p);
	}
	if (e)
		*e = (struct gg_error){0};
	int rc = join_source(p, info, e);
	if (rc < 0)
		remember(p, signal, SLOT_NO);
	return rc;
}

uint32_t pipeline_slot(struct gg_pipeline *p, uint32_t signal)
{
	if (signal < p->slot_of_count && p->slot_of[signal])
		return p->slot_of[signal] == SLOT_NO ? SLOT_NO : p->slot_of[signal] - 1;
	struct gg_error e = {0};
	int rc = gg_pipeline_join(p, signal, &e);
	if (rc == 0)
		return p->slot_of[signal] - 1;
	if (rc != -ENOENT) {
		char text[GG_ERROR_TEXT + 160];
		gg_count(p->refused, 1);
		gg_log(GG_WARN, p->name, "signal can't go through the pipeline, continuing without it",
			GG_S("reason", gg_error_format(&e, text, sizeof text)));
	}
	return SLOT_NO;
}

bool gg_pipeline_wants(struct gg_pipeline *p, uint32_t signal)
{
	return pipeline_slot(p, signal) != SLOT_NO;
}
