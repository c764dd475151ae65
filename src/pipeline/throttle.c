/* SPDX-License-Identifier: Apache-2.0 */
/*
 * throttle: at most one sample per `every` of each signal, by the samples' own times. A change of quality is
 * never held back. A sample older than the last one let through by less than `every` is dropped; one older by
 * more says that the clock was set back, and goes through.
 */
#include "pipeline/stages_internal.h"

static int throttle_add_slot(
	void *self, struct gg_pipeline *p, const struct gg_stage_slot *slot, struct gg_error *e)
{
	(void)p;
	if (!GG_SLOT_ADD(&((struct throttle *)self)->slots, slot->slot, struct gg_passed))
		return gg_error_set(e, -ENOMEM, "out of memory");
	return 0;
}

static bool throttle_wants(const void *self, const struct gg_flow *flow, uint32_t at)
{
	const struct throttle *t = self;
	const struct gg_sample *now = &flow->samples[at];
	const struct gg_passed *last = GG_SLOT(&t->slots, flow->slots[at], struct gg_passed);
	return !last->any || last->quality != now->quality || gg_passed_long_ago(last, now, t->every_ns);
}

static void throttle_took(void *self, const struct gg_flow *flow, uint32_t at)
{
	const struct gg_sample *now = &flow->samples[at];
	*GG_SLOT(&((struct throttle *)self)->slots, flow->slots[at], struct gg_passed) =
		(struct gg_passed){.time_ns = now->time_ns, .quality = now->quality, .any = true};
}

GG_FILTER_PROCESS(throttle)

static void throttle_save_slot(const void *self, uint32_t slot, struct gg_buf *to)
{
	const struct gg_passed *last =
		GG_SLOT_FIND(&((const struct throttle *)self)->slots, slot, struct gg_passed);
	if (last && last->any)
		gg_passed_save(last, to);
}

static int throttle_load_slot(void *self, uint32_t slot, struct gg_reader *from)
{
	struct gg_passed *last = GG_SLOT_FIND(&((struct throttle *)self)->slots, slot, struct gg_passed);
	return last ? gg_passed_load(last, from) : -EINVAL;
}

static void throttle_fini(void *self)
{
	gg_slots_done(&((struct throttle *)self)->slots);
}

static const struct gg_option options[] = {
	GG_OPTION(struct throttle, every_ns, DURATION, .name = "every", .flags = GG_REQUIRED | GG_MAIN,
		.min = "1us", .help = "At most one sample of each signal in this time", .example = "1s"),
	{0}};

static const struct gg_stage_ops ops = {
	.flags = GG_STAGE_FILTER,
	.add_slot = throttle_add_slot,
	.process = throttle_process,
	.wants = throttle_wants,
	.took = throttle_took,
	.save_slot = throttle_save_slot,
	.load_slot = throttle_load_slot,
};

const struct gg_component gg_stage_throttle = {
	.name = "throttle",
	.title = "Throttle",
	.help = "Lets at most one sample per interval through; fast signals become slow ones.",
	.example = "- throttle: 1s\n",
	.kind = GG_STAGE,
	.self_size = sizeof(struct throttle),
	.options = options,
	.fini = throttle_fini,
	.stage = &ops,
};
