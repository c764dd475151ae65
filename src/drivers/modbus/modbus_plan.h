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
 * other signals keep their values. When it was refused and all of its pieces were taken, it was too long: the
 * longest that the device takes is looked for between what was taken and what was refused, a request a poll.
 * Whoever polls marks ranges as answers come; the plan changes only when no request is under way. Thread: its
 * owner's. Pure but for memory.
 */
#ifndef GG_MODBUS_PLAN_H
#define GG_MODBUS_PLAN_H

#include "drivers/modbus/modbus_address.h"

struct gg_modbus_limits {
	uint16_t max_gap;       /* registers, or groups of 16 bits, that may be read in vain */
	uint16_t max_registers; /* in one request */
	uint16_t max_bits;
};

/* There are a hundred thousand of them. */
struct gg_modbus_item {
	uint32_t signal; /* the caller's index */
	uint8_t table;
	bool barrier : 1;        /* learnt: no range crosses from the item before to this one */
	bool refused : 1;        /* learnt: the device does not have it */
	bool done : 1;           /* the poll under way has its value: for whoever polls */
	uint16_t address, count; /* registers or bits */
	uint16_t file;           /* FILE */
};

struct gg_modbus_range {
	uint8_t table;
	uint16_t address, count, file;
	uint32_t first, items; /* in the plan's items */
	bool refused;          /* mark for gg_modbus_plan_learn(): the device does not have (all of) it */
	bool accepted;         /* mark: items that had been refused are there now */
};

/* What is known of the longest request of a kind. */
struct gg_modbus_length {
	uint16_t taken;   /* the longest that was answered */
	uint16_t refused; /* the shortest that was refused although all of its pieces were there; 0: none */
	uint16_t settled; /* taken, when a poll was through last */
	uint16_t suspect; /* the shortest that was refused in this poll */
	bool culprit;     /* a refusal in this poll had another cause */
};

struct gg_modbus_plan {
	struct gg_modbus_item *items;   /* sorted */
	struct gg_modbus_range *ranges; /* as many as items at most */
	uint32_t item_count, range_count, range_cap;
	struct gg_modbus_limits limits;
	struct gg_modbus_length lengths[2]; /* registers, bits */
};

/* Copies the items. Errors: -ENOMEM, -EINVAL an item that fits in no request. */
int gg_modbus_plan_init(struct gg_modbus_plan *p, const struct gg_modbus_item *items, uint32_t count,
	struct gg_modbus_limits limits);
void gg_modbus_plan_done(struct gg_modbus_plan *p);

/* Can the range be split, or does it stand for one item (or several that want the very same registers)? */
bool gg_modbus_plan_splits(const struct gg_modbus_plan *p, uint32_t range);
/* Takes in what was marked in the ranges and builds them anew: nothing may be under way. Errors: -ENOMEM; it
 * stays as it is then. */
int gg_modbus_plan_learn(struct gg_modbus_plan *p);
/* A range of that many registers or bits was answered. */
void gg_modbus_plan_taken(struct gg_modbus_plan *p, const struct gg_modbus_range *r);
/* A poll is through: was something refused for its length alone? Then ranges get shorter from here on, until
 * the longest is found. True when it has changed something. Errors: none; without memory it stays as it is.
 */
bool gg_modbus_plan_settle(struct gg_modbus_plan *p);
/* Is the longest being looked for, and the poll has taught something? */
static inline bool gg_modbus_plan_unsettled(const struct gg_modbus_plan *p)
{
	return (p->lengths[0].refused && p->lengths[0].taken != p->lengths[0].settled) ||
	       (p->lengths[1].refused && p->lengths[1].taken != p->lengths[1].settled);
}
/* Builds the ranges anew from what the items and lengths say. Errors: -ENOMEM; they stay as they are then. */
int gg_modbus_plan_rebuild(struct gg_modbus_plan *p);
/* Takes over what another plan of the device has learnt: of the same items, and of lengths. */
void gg_modbus_plan_inherit(struct gg_modbus_plan *p, const struct gg_modbus_plan *from);
uint32_t gg_modbus_plan_refused(const struct gg_modbus_plan *p);

#endif
