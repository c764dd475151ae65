/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deadband: lets a sample through when it differs from the last one let through by more than a band. The band
 * is absolute ("0.2", in the signal's unit), or a part ("2%") of the signal's range where it has one, as OPC
 * UA's percent deadband, else of the last value.
 *
 * Always through: the first sample, another quality or type, and, with max_silence, whatever comes that long
 * after the last (a heartbeat: it tells "still the same" from "gone"). Strings go through when they differ.
 * Late samples are judged in the order of arrival; a clock that jumps by max_silence either way counts as
 * that much silence.
 */
#include "pipeline/stages_internal.h"

#include <math.h>

struct deadband_slot {
	struct gg_passed last;
	double span; /* of the signal's range, 0 = unknown */
};

static int deadband_init(void *self, struct gg_host *host, struct gg_error *e)
{
	struct deadband *d = self;
	(void)host;
	struct gg_str text = gg_str_trim(gg_str(d->band));
	d->relative = text.len && text.p[text.len - 1] == '%';
	text.len -= d->relative;
	if (gg_parse_float(gg_str_trim(text), &d->width) < 0 || !isfinite(d->width) || d->width < 0)
		return gg_error_set(e, -EINVAL,
			"band is \"%s\": a number such as 0.2 or a part such as 2%% was expected",
			d->band ? d->band : "");
	if (d->relative)
		d->width /= 100;
	return 0;
}

static int deadband_add_slot(
	void *self, struct gg_pipeline *p, const struct gg_stage_slot *slot, struct gg_error *e)
{
	struct deadband *d = self;
	(void)p;
	struct deadband_slot *s = GG_SLOT_ADD(&d->slots, slot->slot, struct deadband_slot);
	if (!s)
		return gg_error_set(e, -ENOMEM, "out of memory");
	s->span = slot->info->high > slot->info->low ? slot->info->high - slot->info->low : 0;
	return 0;
}

static bool deadband_wants(const void *self, const struct gg_flow *flow, uint32_t at)
{
	const struct deadband *d = self;
	const struct gg_sample *now = &flow->samples[at];
	const struct deadband_slot *s = GG_SLOT(&d->slots, flow->slots[at], struct deadband_slot);
	if (gg_passed_news(&s->last, now) || gg_passed_long_ago(&s->last, now, d->max_silence_ns))
		return true;
	if (now->quality == GG_BAD)
		return false;
	if (!gg_type_is_number(now->type))
		return gg_value_bits(flow, now) != s->last.bits;
	double before = gg_passed_number(&s->last), band = d->width;
	if (d->relative)
		band *= s->span > 0 ? s->span : fabs(before);
	return fabs(gg_sample_number(now) - before) > band;
}

static void deadband_took(void *self, const struct gg_flow *flow, uint32_t at)
{
	struct deadband *d = self;
	gg_passed_set(
		&GG_SLOT(&d->slots, flow->slots[at], struct deadband_slot)->last, flow, &flow->samples[at]);
}

GG_FILTER_PROCESS(deadband)

static void deadband_save_slot(const void *self, uint32_t slot, struct gg_buf *to)
{
	const struct deadband *d = self;
	const struct deadband_slot *s = GG_SLOT_FIND(&d->slots, slot, struct deadband_slot);
	if (s && s->last.any)
		gg_passed_save(&s->last, to);
}

static int deadband_load_slot(void *self, uint32_t slot, struct gg_reader *from)
{
	struct deadband *d = self;
	struct deadband_slot *s = GG_SLOT_FIND(&d->slots, slot, struct deadband_slot);
	return s ? gg_passed_load(&s->last, from) : -EINVAL;
}

static void deadband_fini(void *self)
{
	gg_slots_done(&((struct deadband *)self)->slots);
}

static const struct gg_option options[] = {
	GG_OPTION(struct deadband, band, STRING, .flags = GG_REQUIRED | GG_MAIN,
		.help = "How far a value must move to be let through: a number in the signal's unit, or a "
			"part of "
			"its range such as 2%",
		.example = "0.2"),
	GG_OPTION(struct deadband, max_silence_ns, DURATION, .name = "max_silence",
		.help = "Let a sample through anyway when the last one is that old; 0 = never"),
	{0}};

static const struct gg_stage_ops ops = {
	.flags = GG_STAGE_FILTER,
	.add_slot = deadband_add_slot,
	.process = deadband_process,
	.wants = deadband_wants,
	.took = deadband_took,
	.save_slot = deadband_save_slot,
	.load_slot = deadband_load_slot,
};

const struct gg_component gg_stage_deadband = {
	.name = "deadband",
	.title = "Deadband",
	.help = "Drops samples that differ too little from the last one that was let through.",
	.example = "- deadband: 0.2\n",
	.kind = GG_STAGE,
	.self_size = sizeof(struct deadband),
	.options = options,
	.init = deadband_init,
	.fini = deadband_fini,
	.stage = &ops,
};
