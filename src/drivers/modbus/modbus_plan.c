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
	if (x->file != y->file)
		return x->file < y->file ? -1 : 1;
	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	if (x->count != y->count)
		return x->count < y->count ? -1 : 1;
	return x->signal < y->signal ? -1 : x->signal > y->signal;
}

static struct gg_modbus_length *length_of(struct gg_modbus_plan *p, uint8_t table)
{
	return &p->lengths[gg_modbus_table_is_bits(table)];
}

/* While the longest is not found: half way between what was taken and what was refused. */
static unsigned found(const struct gg_modbus_length *l, unsigned limit)
{
	if (!l->refused)
		return limit;
	unsigned middle = (l->taken + (unsigned)l->refused) / 2;
	middle = middle ? middle : 1;
	return middle < limit ? middle : limit;
}

static unsigned most(const struct gg_modbus_plan *p, uint8_t table)
{
	if (table == GG_MODBUS_FILE)
		return p->limits.max_registers < GG_MODBUS_READ_RECORDS ? p->limits.max_registers
									: GG_MODBUS_READ_RECORDS;
	if (table == GG_MODBUS_FIFO)
		return GG_MODBUS_FIFO_REGS;
	bool bits = gg_modbus_table_is_bits(table);
	return found(&p->lengths[bits], bits ? p->limits.max_bits : p->limits.max_registers);
}

static bool same_place(const struct gg_modbus_item *a, const struct gg_modbus_item *b)
{
	return a->table == b->table && a->file == b->file && a->address == b->address && a->count == b->count;
}

static bool may_join(
	const struct gg_modbus_plan *p, const struct gg_modbus_range *r, const struct gg_modbus_item *i)
{
	const struct gg_modbus_item *before = i - 1;
	if (i->refused || before->refused)
		return i->refused && before->refused && same_place(i, before);
	if (i->table != r->table || i->file != r->file || i->barrier)
		return false;
	if (i->table == GG_MODBUS_FIFO)
		return same_place(i, before);
	unsigned gap = p->limits.max_gap * (gg_modbus_table_is_bits(i->table) ? 16U : 1U);
	unsigned end = r->address + (unsigned)r->count;
	return i->address <= end + gap && end_of(i) <= r->address + most(p, i->table);
}

/* Walks the ranges; without `to` they are only counted. */
static uint32_t lay_out(const struct gg_modbus_plan *p, struct gg_modbus_range *to)
{
	struct gg_modbus_range now = {0};
	uint32_t count = 0;
	for (uint32_t n = 0; n < p->item_count; n++) {
		const struct gg_modbus_item *i = &p->items[n];
		if (count && may_join(p, &now, i)) {
			if (end_of(i) > now.address + (unsigned)now.count)
				now.count = (uint16_t)(end_of(i) - now.address);
			now.items++;
		} else {
			count++;
			now = (struct gg_modbus_range){.table = i->table,
				.file = i->file,
				.address = i->address,
				.count = i->count,
				.first = n,
				.items = 1};
		}
		if (to)
			to[count - 1] = now;
	}
	return count;
}

/* A thousand items are a few ranges, so these are not kept for the worst. */
static int build(struct gg_modbus_plan *p)
{
	uint32_t count = lay_out(p, NULL);
	if (count > p->range_cap || !p->ranges) {
		struct gg_modbus_range *more = realloc(p->ranges, (count ? count : 1) * sizeof *more);
		if (!more)
			return -ENOMEM;
		p->ranges = more;
		p->range_cap = count;
	}
	p->range_count = lay_out(p, p->ranges);
	return 0;
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
	if (made.items && count) {
		memcpy(made.items, items, count * sizeof *items);
		qsort(made.items, count, sizeof *made.items, compare);
	}
	if (!made.items || build(&made) != 0) {
		gg_modbus_plan_done(&made);
		return -ENOMEM;
	}
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

/* Then that may be why it was refused, and not its length. */
static bool has_gap(const struct gg_modbus_plan *p, const struct gg_modbus_range *r)
{
	const struct gg_modbus_item *items = p->items + r->first;
	unsigned end = end_of(&items[0]);
	for (uint32_t n = 1; n < r->items; n++) {
		if (items[n].address > end)
			return true;
		if (end_of(&items[n]) > end)
			end = end_of(&items[n]);
	}
	return false;
}

/* An item longer than what was found to be the longest is read alone, whatever becomes of it. */
static void note_refusal(struct gg_modbus_plan *p, const struct gg_modbus_range *r, bool splits)
{
	struct gg_modbus_length *l = length_of(p, r->table);
	if (r->table > GG_MODBUS_HOLDING)
		return;
	if (!splits)
		l->culprit = true;
	else if (!has_gap(p, r) && r->count > l->taken && (!l->suspect || r->count < l->suspect))
		l->suspect = r->count;
}

int gg_modbus_plan_learn(struct gg_modbus_plan *p)
{
	/* What is settled first, because it forgets guesses; then the new guesses. */
	for (uint32_t n = 0; n < p->range_count; n++) {
		const struct gg_modbus_range *r = &p->ranges[n];
		bool splits = gg_modbus_plan_splits(p, n);
		if (r->refused)
			note_refusal(p, r, splits);
		if (r->refused && !splits) {
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
	return build(p);
}

void gg_modbus_plan_taken(struct gg_modbus_plan *p, const struct gg_modbus_range *r)
{
	struct gg_modbus_length *l = length_of(p, r->table);
	if (r->table <= GG_MODBUS_HOLDING && r->count > l->taken)
		l->taken = r->count;
}

/* Is any range longer than what is known to be taken, so that the next poll will tell more? */
static bool settle_table(struct gg_modbus_plan *p, bool bits)
{
	struct gg_modbus_length *l = &p->lengths[bits];
	uint16_t suspect = l->suspect;
	bool culprit = l->culprit, longer = l->taken != l->settled;
	l->settled = l->taken;
	l->suspect = 0;
	l->culprit = false;
	if (culprit || !suspect || suspect <= l->taken)
		return l->refused && longer; /* what was tried was taken: longer may be, too */
	if (!l->refused || suspect < l->refused)
		l->refused = suspect;
	for (uint8_t t = GG_MODBUS_COIL; t <= GG_MODBUS_HOLDING; t++)
		if (gg_modbus_table_is_bits(t) == bits)
			forget_guesses(p, t);
	return true;
}

bool gg_modbus_plan_settle(struct gg_modbus_plan *p)
{
	bool changed = settle_table(p, false);
	changed |= settle_table(p, true);
	return changed && build(p) == 0;
}

int gg_modbus_plan_rebuild(struct gg_modbus_plan *p)
{
	return build(p);
}

void gg_modbus_plan_inherit(struct gg_modbus_plan *p, const struct gg_modbus_plan *from)
{
	memcpy(p->lengths, from->lengths, sizeof p->lengths);
	for (uint32_t n = 0, k = 0; n < p->item_count; n++) {
		struct gg_modbus_item *i = &p->items[n];
		while (k < from->item_count && compare(&from->items[k], i) < 0 &&
			!same_place(&from->items[k], i))
			k++;
		if (k < from->item_count && same_place(&from->items[k], i)) {
			i->refused = from->items[k].refused;
			i->barrier = from->items[k].barrier;
		}
	}
	(void)build(p);
}

uint32_t gg_modbus_plan_refused(const struct gg_modbus_plan *p)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < p->item_count; i++)
		n += p->items[i].refused;
	return n;
}
