/* SPDX-License-Identifier: Apache-2.0 */
/*
 * range: what to do with numbers outside low to high: drop them, give them bad quality, or clamp them to the
 * nearer bound (then uncertain). Without low and high the range is the signal's own. It has no memory, so
 * order, lateness and clocks are nothing to it. What is no number, or bad already, goes through as it is.
 *
 * As the first stage it runs at intake: dropping keeps implausible values out of the journal; with bad and
 * clamp the journal keeps what the device said.
 */
#include "pipeline/stages_internal.h"

#include <math.h>

/* The defaults of the options: wider than anything measured. */
#define NOT_GIVEN 1e308

struct range_slot {
	double low, high;
};

static int range_init(void *self, struct gg_host *host, struct gg_error *e)
{
	const struct range *r = self;
	(void)host;
	if (isnan(r->low) || isnan(r->high) || r->low > r->high)
		return gg_error_set(
			e, -EINVAL, "low is %g and high is %g: low must not be above high", r->low, r->high);
	return 0;
}

static int range_add_slot(
	void *self, struct gg_pipeline *p, const struct gg_stage_slot *slot, struct gg_error *e)
{
	struct range *r = self;
	(void)p;
	struct range_slot *s = GG_SLOT_ADD(&r->slots, slot->slot, struct range_slot);
	if (!s)
		return gg_error_set(e, -ENOMEM, "out of memory");
	*s = (struct range_slot){r->low, r->high};
	if (r->low <= -NOT_GIVEN && r->high >= NOT_GIVEN && slot->info->low < slot->info->high)
		*s = (struct range_slot){slot->info->low, slot->info->high};
	return 0;
}

static bool is_outside(const struct range *r, const struct gg_flow *flow, uint32_t at)
{
	const struct gg_sample *s = &flow->samples[at];
	if (s->quality == GG_BAD || !gg_type_is_number(s->type))
		return false;
	const struct range_slot *b = GG_SLOT(&r->slots, flow->slots[at], struct range_slot);
	double v = gg_sample_number(s);
	return v < b->low || v > b->high;
}

static bool range_wants(const void *self, const struct gg_flow *flow, uint32_t at)
{
	const struct range *r = self;
	return r->otherwise != RANGE_DROP || !is_outside(r, flow, at);
}

static void mark(const struct range *r, struct gg_flow *flow, uint32_t at)
{
	struct gg_sample *s = &flow->samples[at];
	s->aux = GG_REASON_OUT_OF_RANGE;
	if (r->otherwise == RANGE_BAD) {
		s->quality = GG_BAD;
		return;
	}
	const struct range_slot *b = GG_SLOT(&r->slots, flow->slots[at], struct range_slot);
	s->v.f = gg_sample_number(s) < b->low ? b->low : b->high;
	s->type = GG_TYPE_FLOAT;
	s->quality = GG_UNCERTAIN;
}

static void range_process(void *self, struct gg_flow *flow)
{
	const struct range *r = self;
	uint32_t n = 0;
	for (uint32_t i = 0; i < flow->count; i++) {
		if (is_outside(r, flow, i)) {
			if (r->otherwise == RANGE_DROP)
				continue;
			mark(r, flow, i);
		}
		gg_flow_move(flow, n++, i);
	}
	flow->count = n;
}

static bool range_alters(const void *self)
{
	return ((const struct range *)self)->otherwise != RANGE_DROP;
}

static void range_fini(void *self)
{
	gg_slots_done(&((struct range *)self)->slots);
}

static const char *const choices[] = {"drop", "bad", "clamp", NULL};

static const struct gg_option options[] = {
	GG_OPTION(struct range, low, FLOAT, .def = "-1e308", .help = "The lowest plausible value"),
	GG_OPTION(struct range, high, FLOAT, .def = "1e308", .help = "The highest plausible value"),
	GG_OPTION(struct range, otherwise, CHOICE, .name = "else", .def = "drop", .choices = choices,
		.help = "What happens to values outside: they are dropped, get bad quality, or become the "
			"nearer "
			"bound"),
	{0}};

static const struct gg_stage_ops ops = {
	.flags = GG_STAGE_FILTER,
	.add_slot = range_add_slot,
	.process = range_process,
	.wants = range_wants,
	.alters = range_alters,
};

const struct gg_component gg_stage_range = {
	.name = "range",
	.title = "Plausible range",
	.help = "Drops or marks values that can't be, such as 850 degC from a broken wire.",
	.example = "- range: { low: -40, high: 125, else: bad }\n",
	.kind = GG_STAGE,
	.self_size = sizeof(struct range),
	.options = options,
	.init = range_init,
	.fini = range_fini,
	.stage = &ops,
};
