/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/stage_kit.h"
#include "base/map.h"
#include "pipeline/state_io.h"

static bool grow(void **p, uint32_t *count, uint32_t want, size_t size)
{
	uint32_t n = *count ? *count : 16;
	while (n < want)
		n *= 2;
	void *bigger = realloc(*p, n * size);
	if (!bigger)
		return false;
	*p = bigger;
	*count = n;
	return true;
}

/* An item is zeroed when it is taken and not before: what a large table has in reserve costs no memory until
 * then. */
void *gg_slots_add(struct gg_slots *t, uint32_t slot, size_t size)
{
	void *place = t->place, *items = t->items;
	uint32_t places = t->places;
	bool ok = slot < t->places || grow(&place, &t->places, slot + 1, sizeof *t->place);
	t->place = place;
	if (t->places > places)
		memset(t->place + places, 0, (t->places - places) * sizeof *t->place);
	ok = ok && (t->count < t->cap || grow(&items, &t->cap, t->count + 1, size));
	t->items = items;
	if (!ok)
		return NULL;
	t->place[slot] = ++t->count;
	return memset(gg_slots_at(t, slot, size), 0, size);
}

void gg_slots_done(struct gg_slots *t)
{
	free(t->place);
	free(t->items);
	*t = (struct gg_slots){0};
}

uint64_t gg_value_bits(const struct gg_flow *flow, const struct gg_sample *s)
{
	if (s->quality == GG_BAD)
		return 0; /* what it says does not count, only why it is bad */
	switch (s->type) {
	case GG_TYPE_BOOL:
		return s->v.b;
	case GG_TYPE_INT:
	case GG_TYPE_UINT:
		return s->v.u;
	case GG_TYPE_FLOAT: {
		double v = s->v.f + 0.0; /* -0 becomes 0 */
		uint64_t bits;
		memcpy(&bits, &v, sizeof bits);
		return v != v ? 0x7ff8000000000000ULL : bits;
	}
	case GG_TYPE_STRING:
	case GG_TYPE_BYTES:
		return gg_hash_stable(gg_flow_text(flow, s));
	default:
		return 0;
	}
}

void gg_passed_save(const struct gg_passed *p, struct gg_buf *to)
{
	gg_put_u8(to, p->any);
	gg_put_i64(to, p->time_ns);
	gg_put_u64(to, p->bits);
	gg_put_u8(to, p->type);
	gg_put_u8(to, p->quality);
	gg_put_u16(to, p->aux);
}

int gg_passed_load(struct gg_passed *p, struct gg_reader *from)
{
	struct gg_passed q = {.any = gg_read_u8(from) != 0};
	q.time_ns = gg_read_i64(from);
	q.bits = gg_read_le64(from);
	q.type = gg_read_u8(from);
	q.quality = gg_read_u8(from);
	q.aux = gg_read_le16(from);
	if (!gg_reader_ok(from) || q.type > GG_TYPE_BYTES || q.quality > GG_BAD)
		return -EINVAL;
	*p = q;
	return 0;
}
