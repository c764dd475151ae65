/* SPDX-License-Identifier: Apache-2.0 */
/*
 * duplicate: drops a sample with the time, value and quality of one of the last few that were let through:
 * what a device says again because an acknowledgement was lost.
 *
 * With order: drop it also drops what is older than the newest let through, for consumers that want time to
 * go forward only. "The newest" is never ahead of the gateway's own time, so a single sample from the future
 * does not shut the signal off.
 */
#include "pipeline/stages_internal.h"
#include "pipeline/state_io.h"

enum { REMEMBER_MOST = 16 };

struct mark {
	int64_t time_ns;
	uint64_t bits; /* of value, quality and reason */
};

struct duplicate_slot {
	struct mark marks[REMEMBER_MOST]; /* a ring */
	uint32_t count, next;
	int64_t newest_ns;
};

static int duplicate_init(void *self, struct gg_host *host, struct gg_error *e)
{
	struct duplicate *d = self;
	(void)host;
	if (d->remember == 0 || d->remember > REMEMBER_MOST)
		return gg_error_set(e, -EINVAL, "remember is %llu: 1 to %d was expected",
			(unsigned long long)d->remember, REMEMBER_MOST);
	return 0;
}

static int duplicate_add_slot(
	void *self, struct gg_pipeline *p, const struct gg_stage_slot *slot, struct gg_error *e)
{
	(void)p;
	struct duplicate_slot *s =
		GG_SLOT_ADD(&((struct duplicate *)self)->slots, slot->slot, struct duplicate_slot);
	if (!s)
		return gg_error_set(e, -ENOMEM, "out of memory");
	s->newest_ns = INT64_MIN;
	return 0;
}

static struct mark mark_of(const struct gg_flow *flow, uint32_t at)
{
	const struct gg_sample *s = &flow->samples[at];
	uint64_t bits = gg_value_bits(flow, s) ^ ((uint64_t)s->quality << 62) ^ ((uint64_t)s->aux << 40);
	return (struct mark){s->time_ns, bits};
}

static bool duplicate_wants(const void *self, const struct gg_flow *flow, uint32_t at)
{
	const struct duplicate *d = self;
	const struct duplicate_slot *s = GG_SLOT(&d->slots, flow->slots[at], struct duplicate_slot);
	struct mark now = mark_of(flow, at);
	if (d->order == ORDER_DROP && now.time_ns < s->newest_ns)
		return false;
	for (uint32_t i = 0; i < s->count; i++)
		if (s->marks[i].time_ns == now.time_ns && s->marks[i].bits == now.bits)
			return false;
	return true;
}

static void duplicate_took(void *self, const struct gg_flow *flow, uint32_t at)
{
	struct duplicate *d = self;
	struct duplicate_slot *s = GG_SLOT(&d->slots, flow->slots[at], struct duplicate_slot);
	struct mark now = mark_of(flow, at);
	s->marks[s->next] = now;
	s->next = (s->next + 1) % (uint32_t)d->remember;
	if (s->count < d->remember)
		s->count++;
	int64_t newest = now.time_ns < flow->now_ns ? now.time_ns : flow->now_ns;
	if (newest > s->newest_ns)
		s->newest_ns = newest;
}

GG_FILTER_PROCESS(duplicate)

static void duplicate_save_slot(const void *self, uint32_t slot, struct gg_buf *to)
{
	const struct duplicate *d = self;
	const struct duplicate_slot *s = GG_SLOT_FIND(&d->slots, slot, struct duplicate_slot);
	if (!s || s->count == 0)
		return;
	gg_put_i64(to, s->newest_ns);
	gg_put_u8(to, (uint8_t)s->count);
	for (uint32_t i = 0; i < s->count; i++) { /* oldest first, so that `remember` may change */
		const struct mark *m = &s->marks[s->count < d->remember ? i : (s->next + i) % s->count];
		gg_put_i64(to, m->time_ns);
		gg_put_u64(to, m->bits);
	}
}

static int duplicate_load_slot(void *self, uint32_t slot, struct gg_reader *from)
{
	struct duplicate *d = self;
	struct duplicate_slot *s = GG_SLOT_FIND(&d->slots, slot, struct duplicate_slot), fresh = {0};
	fresh.newest_ns = gg_read_i64(from);
	uint32_t count = gg_read_u8(from);
	for (uint32_t i = 0; i < count && gg_reader_ok(from); i++) {
		struct mark *m = &fresh.marks[fresh.next];
		m->time_ns = gg_read_i64(from);
		m->bits = gg_read_le64(from);
		fresh.next = (fresh.next + 1) % (uint32_t)d->remember;
		if (fresh.count < d->remember)
			fresh.count++;
	}
	if (!s || !gg_reader_ok(from))
		return -EINVAL;
	*s = fresh;
	return 0;
}

static void duplicate_fini(void *self)
{
	gg_slots_done(&((struct duplicate *)self)->slots);
}

static const char *const orders[] = {"pass", "drop", NULL};

static const struct gg_option options[] = {
	GG_OPTION(struct duplicate, remember, UINT, .def = "8", .min = "1", .max = "16",
		.help = "With how many of the latest samples each is compared"),
	GG_OPTION(struct duplicate, order, CHOICE, .def = "pass", .choices = orders,
		.help = "What happens to samples older than the newest: they pass, or are dropped"),
	{0}};

static const struct gg_stage_ops ops = {
	.flags = GG_STAGE_FILTER,
	.add_slot = duplicate_add_slot,
	.process = duplicate_process,
	.wants = duplicate_wants,
	.took = duplicate_took,
	.save_slot = duplicate_save_slot,
	.load_slot = duplicate_load_slot,
};

const struct gg_component gg_stage_duplicate = {
	.name = "duplicate",
	.title = "Duplicates and order",
	.help = "Drops samples that a device has sent twice, and, if asked, those that come out of order.",
	.example = "- duplicate: { order: drop }\n",
	.kind = GG_STAGE,
	.self_size = sizeof(struct duplicate),
	.options = options,
	.init = duplicate_init,
	.fini = duplicate_fini,
	.stage = &ops,
};
