/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Merging and learning. Ranges are always built from the sorted items and what was learnt (barriers and
 * refusals), in one pass, so that there is only one place that knows the limits.
 *
 * A split costs one refused request each, so finding one bad signal among n takes about log2(n) requests,
 * once.
 */
#include "drivers/modbus/modbus_plan.h"

#include "drivers/modbus/modbus_codec.h"

static unsigned end_of(const struct gg_modbus_item *i)
{
	return i->address + (unsigned)i->count;
}

static int compare(const void *a, const void *b)
{
	const struct gg_modbus_item *x = a, *y = b;
	if (x->table != y->table)
		return x->table < y->table ? -1 : 1;
	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	if (x->count != y->count)
		return x->count < y->count ? -1 : 1;
	return x->signal < y->signal ? -1 : x->signal > y->signal;
}

static unsigned most(const struct gg_modbus_plan *p, uint8_t table)
{
	return gg_modbus_table_is_bits(table) ? p->limits.max_bits : p->limits.max_registers;
}

static bool same_place(const struct gg_modbus_item *a, const struct gg_modbus_item *b)
{
	return a->table == b->table && a->address == b->address && a->count == b->count;
}

static bool may_join(
	const struct gg_modbus_plan *p, const struct gg_modbus_range *r, const struct gg_modbus_item *i)
{
	const struct gg_modbus_item *before = i - 1;
	if (i->refused || before->refused)
		return i->refused && before->refused && same_place(i, before);
	if (i->table != r->table || i->barrier)
		return false;
	unsigned gap = p->limits.max_gap * (gg_modbus_table_is_bits(i->table) ? 16U : 1U);
	unsigned end = r->address + (unsigned)r->count;
	return i->address <= end + gap && end_of(i) <= r->address + most(p, i->table);
}

static void build(struct gg_modbus_plan *p)
{
	struct gg_modbus_range *r = NULL;
	p->range_count = 0;
	for (uint32_t n = 0; n < p->item_count; n++) {
		const struct gg_modbus_item *i = &p->items[n];
		if (r && may_join(p, r, i)) {
			if (end_of(i) > r->address + (unsigned)r->count)
				r->count = (uint16_t)(end_of(i) - r->address);
			r->items++;
			continue;
		}
		r = &p->ranges[p->range_count++];
		*r = (struct gg_modbus_range){
			.table = i->table, .address = i->address, .count = i->count, .first = n, .items = 1};
	}
}

static struct gg_modbus_limits bounded(struct gg_modbus_limits l)
{
	if (l.max_registers < 1 || l.max_registers > GG_MODBUS_READ_REGS)
		l.max_registers = GG_MODBUS_READ_REGS;
	if (l.max_bits < 1 || l.max_bits > GG_MODBUS_READ_BITS)
		l.max_bits = GG_MODBUS_READ_BITS;
	if (l.max_gap > GG_MODBUS_READ_REGS)
		l.max_gap = GG_MODBUS_READ_REGS;
	return l;
}

int gg_modbus_plan_init(struct gg_modbus_plan *p, const struct gg_modbus_item *items, uint32_t count,
	struct gg_modbus_limits limits)
{
	struct gg_modbus_plan made = {.limits = bounded(limits), .item_count = count};
	for (uint32_t n = 0; n < count; n++)
		if (items[n].count < 1 || items[n].count > most(&made, items[n].table) ||
			end_of(&items[n]) > 65536)
			return -EINVAL;
	made.items = calloc(count ? count : 1, sizeof *made.items);
	made.ranges = calloc(count ? count : 1, sizeof *made.ranges);
	if (!made.items || !made.ranges) {
		gg_modbus_plan_done(&made);
		return -ENOMEM;
	}
	if (count) {
		memcpy(made.items, items, count * sizeof *items);
		qsort(made.items, count, sizeof *made.items, compare);
	}
	build(&made);
	*p = made;
	return 0;
}

void gg_modbus_plan_done(struct gg_modbus_plan *p)
{
	free(p->items);
	free(p->ranges);
	*p = (struct gg_modbus_plan){0};
}

/* Where to split: the item before which the gap is widest, else the middle; never between items that want the
 * very same registers. 0: can't be split. */
static uint32_t split_place(const struct gg_modbus_plan *p, const struct gg_modbus_range *r)
{
	const struct gg_modbus_item *items = p->items + r->first;
	unsigned end = end_of(&items[0]), widest = 0;
	uint32_t gap_at = 0, middle = 0;
	for (uint32_t n = 1; n < r->items; n++) {
		unsigned gap = items[n].address > end ? items[n].address - end : 0;
		if (gap > widest) {
			widest = gap;
			gap_at = n;
		}
		if (end_of(&items[n]) > end)
			end = end_of(&items[n]);
		bool nearer = !middle || n <= r->items / 2;
		if (nearer && !same_place(&items[n], &items[n - 1]))
			middle = n;
	}
	return gap_at ? gap_at : middle;
}

/* Barriers without a gap were guesses on the way to the culprit: around it they are not needed any more. */
static void forget_guesses(struct gg_modbus_plan *p, uint8_t table)
{
	for (uint32_t n = 1; n < p->item_count; n++) {
		struct gg_modbus_item *i = &p->items[n];
		if (i->table == table && i->barrier && i->address <= end_of(i - 1))
			i->barrier = false;
	}
}

bool gg_modbus_plan_splits(const struct gg_modbus_plan *p, uint32_t range)
{
	return split_place(p, &p->ranges[range]) != 0;
}

static void set_refused(struct gg_modbus_plan *p, const struct gg_modbus_range *r, bool refused)
{
	for (uint32_t n = r->first; n < r->first + r->items; n++)
		p->items[n].refused = refused;
}

void gg_modbus_plan_learn(struct gg_modbus_plan *p)
{
	/* What is settled first, because it forgets guesses; then the new guesses. */
	for (uint32_t n = 0; n < p->range_count; n++) {
		const struct gg_modbus_range *r = &p->ranges[n];
		if (r->refused && !gg_modbus_plan_splits(p, n)) {
			set_refused(p, r, true);
			forget_guesses(p, r->table);
		} else if (r->accepted) {
			set_refused(p, r, false);
		}
	}
	for (uint32_t n = 0; n < p->range_count; n++) {
		uint32_t at = p->ranges[n].refused ? split_place(p, &p->ranges[n]) : 0;
		if (at)
			p->items[p->ranges[n].first + at].barrier = true;
	}
	build(p);
}
