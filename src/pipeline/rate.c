/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rate: a value that has moved faster than `limit` units a second since the last plausible one gets bad
 * quality, or is dropped. After a real step it heals by itself: the longer ago the last plausible value, the
 * further a value may lie from it.
 *
 * It is no filter in the sense of the kit: it has to look at every sample, also at those a filter behind it
 * would drop, or a jump after a long calm would look slow. So what reaches it is journalled. Samples that are
 * not younger than the last plausible one can't be judged: they go through, and a clock set back by more than
 * a minute begins anew. What is no number, or bad already, goes through.
 */
#include "pipeline/stages_internal.h"
#include "pipeline/state_io.h"

#include <math.h>

enum { CLOCK_SET_BACK_S = 60 };

struct rate_slot {
	int64_t time_ns;
	double value;
	bool any;
};

static int rate_init(void *self, struct gg_host *host, struct gg_error *e)
{
	const struct rate *r = self;
	(void)host;
	if (!(r->limit > 0) || !isfinite(r->limit))
		return gg_error_set(e, -EINVAL,
			"limit is %g: a number above 0, in units a second, was expected", r->limit);
	return 0;
}

static int rate_add_slot(
	void *self, struct gg_pipeline *p, const struct gg_stage_slot *slot, struct gg_error *e)
{
	(void)p;
	if (!GG_SLOT_ADD(&((struct rate *)self)->slots, slot->slot, struct rate_slot))
		return gg_error_set(e, -ENOMEM, "out of memory");
	return 0;
}

static bool plausible(const struct rate *r, struct rate_slot *s, const struct gg_sample *now)
{
	if (now->quality == GG_BAD || !gg_type_is_number(now->type))
		return true;
	double v = gg_sample_number(now);
	int64_t passed = gg_time_sub(now->time_ns, s->time_ns);
	bool older = s->any && passed <= 0;
	if (older && passed > -CLOCK_SET_BACK_S * GG_NS_PER_S)
		return true;
	if (s->any && !older && fabs(v - s->value) > r->limit * ((double)passed / 1e9))
		return false;
	*s = (struct rate_slot){now->time_ns, v, true};
	return true;
}

static void rate_process(void *self, struct gg_flow *flow)
{
	struct rate *r = self;
	uint32_t n = 0;
	for (uint32_t i = 0; i < flow->count; i++) {
		struct gg_sample *s = &flow->samples[i];
		if (!plausible(r, GG_SLOT(&r->slots, flow->slots[i], struct rate_slot), s)) {
			if (r->otherwise == RATE_DROP)
				continue;
			s->quality = GG_BAD;
			s->aux = GG_REASON_TOO_FAST;
		}
		gg_flow_move(flow, n++, i);
	}
	flow->count = n;
}

static void rate_save_slot(const void *self, uint32_t slot, struct gg_buf *to)
{
	const struct rate_slot *s = GG_SLOT_FIND(&((const struct rate *)self)->slots, slot, struct rate_slot);
	if (!s || !s->any)
		return;
	gg_put_i64(to, s->time_ns);
	gg_put_double(to, s->value);
}

static int rate_load_slot(void *self, uint32_t slot, struct gg_reader *from)
{
	struct rate_slot *s = GG_SLOT_FIND(&((struct rate *)self)->slots, slot, struct rate_slot);
	int64_t time_ns = gg_read_i64(from);
	double value = gg_read_le_double(from);
	if (!s || !gg_reader_ok(from) || !isfinite(value))
		return -EINVAL;
	*s = (struct rate_slot){time_ns, value, true};
	return 0;
}

static void rate_fini(void *self)
{
	gg_slots_done(&((struct rate *)self)->slots);
}

static const char *const choices[] = {"drop", "bad", NULL};

static const struct gg_option options[] = {
	GG_OPTION(struct rate, limit, FLOAT, .flags = GG_REQUIRED | GG_MAIN, .min = "0", .unit = "per second",
		.help = "The fastest plausible change, in the signal's unit per second", .example = "5"),
	GG_OPTION(struct rate, otherwise, CHOICE, .name = "else", .def = "bad", .choices = choices,
		.help = "What happens to values that changed faster: they are dropped or get bad quality"),
	{0}};

static const struct gg_stage_ops ops = {
	.add_slot = rate_add_slot,
	.process = rate_process,
	.save_slot = rate_save_slot,
	.load_slot = rate_load_slot,
};

const struct gg_component gg_stage_rate = {
	.name = "rate",
	.title = "Rate of change",
	.help = "Marks or drops values that changed faster than the thing they measure can.",
	.example = "- rate: { limit: 5, else: bad }\n",
	.kind = GG_STAGE,
	.self_size = sizeof(struct rate),
	.options = options,
	.init = rate_init,
	.fini = rate_fini,
	.stage = &ops,
};
