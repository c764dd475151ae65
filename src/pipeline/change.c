/* SPDX-License-Identifier: Apache-2.0 */
/*
 * change: lets a sample through when its value, type or quality is another than that of the last one let
 * through. Values are compared exactly, strings and bytes too (by a 64-bit hash). max_silence is a heartbeat
 * as in deadband.
 */
#include "pipeline/stages_internal.h"

static int change_add_slot(
	void *self, struct gg_pipeline *p, const struct gg_stage_slot *slot, struct gg_error *e)
{
	(void)p;
	if (!GG_SLOT_ADD(&((struct change *)self)->slots, slot->slot, struct gg_passed))
		return gg_error_set(e, -ENOMEM, "out of memory");
	return 0;
}

static bool change_wants(const void *self, const struct gg_flow *flow, uint32_t at)
{
	const struct change *c = self;
	const struct gg_sample *now = &flow->samples[at];
	const struct gg_passed *last = GG_SLOT(&c->slots, flow->slots[at], struct gg_passed);
	return gg_passed_news(last, now) || gg_value_bits(flow, now) != last->bits ||
	       gg_passed_long_ago(last, now, c->max_silence_ns);
}

static void change_took(void *self, const struct gg_flow *flow, uint32_t at)
{
	struct change *c = self;
	gg_passed_set(GG_SLOT(&c->slots, flow->slots[at], struct gg_passed), flow, &flow->samples[at]);
}

GG_FILTER_PROCESS(change)

static void change_save_slot(const void *self, uint32_t slot, struct gg_buf *to)
{
	const struct gg_passed *last =
		GG_SLOT_FIND(&((const struct change *)self)->slots, slot, struct gg_passed);
	if (last && last->any)
		gg_passed_save(last, to);
}

static int change_load_slot(void *self, uint32_t slot, struct gg_reader *from)
{
	struct gg_passed *last = GG_SLOT_FIND(&((struct change *)self)->slots, slot, struct gg_passed);
	return last ? gg_passed_load(last, from) : -EINVAL;
}

static void change_fini(void *self)
{
	gg_slots_done(&((struct change *)self)->slots);
}

static const struct gg_option options[] = {
	GG_OPTION(struct change, max_silence_ns, DURATION, .name = "max_silence", .flags = GG_MAIN,
		.help = "Let a sample through anyway when the last one is that old; 0 = never"),
	{0}};

static const struct gg_stage_ops ops = {
	.flags = GG_STAGE_FILTER,
	.add_slot = change_add_slot,
	.process = change_process,
	.wants = change_wants,
	.took = change_took,
	.save_slot = change_save_slot,
	.load_slot = change_load_slot,
};

const struct gg_component gg_stage_change = {
	.name = "change",
	.title = "On change",
	.help = "Drops samples whose value and quality are those of the last one that was let through.",
	.example = "- change: { max_silence: 10min }\n",
	.kind = GG_STAGE,
	.self_size = sizeof(struct change),
	.options = options,
	.fini = change_fini,
	.stage = &ops,
};
