/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a poll group is read in as few requests as the device allows. Items (what signals want) are sorted by
 * table and address and merged into ranges; a range never bridges more than max_gap registers nobody asked
 * for, never exceeds what one request may carry, and never crosses a barrier.
 *
 *   wanted    ##.####...##.........#####            # an item's registers   . nobody's
 *   ranges    [----------]        [---]             max_gap 3
 *
 * Devices differ from their manuals, so a plan learns: when a range is refused it is split, at its widest gap
 * first (the usual cause), in the middle otherwise, until what is refused is a single item. That one is
 * marked and read alone from then on; the splits made on the way where there was no gap are undone. So all
 * other signals keep their values. Whoever polls marks ranges as answers come; the plan changes only when no
 * request is under way. Thread: its owner's. Pure but for memory.
 */
#ifndef GG_MODBUS_PLAN_H
#define GG_MODBUS_PLAN_H

#include "drivers/modbus/modbus_address.h"

struct gg_modbus_limits {
	uint16_t max_gap;       /* registers, or groups of 16 bits, that may be read in vain */
	uint16_t max_registers; /* in one request */
	uint16_t max_bits;
};

struct gg_modbus_item {
	uint8_t table;
	uint16_t address, count; /* registers or bits */
	bool barrier;            /* learnt: no range crosses from the item before to this one */
	bool refused;            /* learnt: the device does not have it */
	bool done;               /* the poll under way has its value: for whoever polls */
	uint32_t signal;         /* the caller's index */
};

struct gg_modbus_range {
	uint8_t table;
	uint16_t address, count;
	uint32_t first, items; /* in the plan's items */
	bool refused;          /* mark for gg_modbus_plan_learn(): the device does not have (all of) it */
	bool accepted;         /* mark: items that had been refused are there now */
};

struct gg_modbus_plan {
	struct gg_modbus_item *items;   /* sorted */
	struct gg_modbus_range *ranges; /* as many as items at most */
	uint32_t item_count, range_count;
	struct gg_modbus_limits limits;
};

/* Copies the items. Errors: -ENOMEM, -EINVAL an item that fits in no request. */
int gg_modbus_plan_init(struct gg_modbus_plan *p, const struct gg_modbus_item *items, uint32_t count,
	struct gg_modbus_limits limits);
void gg_modbus_plan_done(struct gg_modbus_plan *p);

/* Can the range be split, or does it stand for one item (or several that want the very same registers)? */
bool gg_modbus_plan_splits(const struct gg_modbus_plan *p, uint32_t range);
/* Takes in what was marked in the ranges and builds them anew: nothing may be under way. */
void gg_modbus_plan_learn(struct gg_modbus_plan *p);

#endif
