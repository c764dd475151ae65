/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rounds and the cursor. Parcels are acknowledged in any order; the cursor is where the oldest round begins
 * of which a parcel is still out, or behind all that has been read when there is none.
 */
#include "uplinks/private.h"

struct gg_round *gg_round_open(const struct gg_uplink_engine *u)
{
	if (u->round_count == 0)
		return NULL;
	const struct gg_round *last = &u->rounds[(u->round_first + u->round_count - 1) % GG_ROUNDS];
	return last->closed ? NULL : (struct gg_round *)(uintptr_t)last;
}

struct gg_round *gg_round_new(struct gg_uplink_engine *u, uint64_t start, int64_t received_ns)
{
	if (u->round_count == GG_ROUNDS)
		return NULL;
	struct gg_round *r = &u->rounds[(u->round_first + u->round_count++) % GG_ROUNDS];
	*r = (struct gg_round){.start = start, .received_ns = received_ns};
	return r;
}

void gg_round_settle(struct gg_uplink_engine *u)
{
	while (u->round_count) {
		struct gg_round *oldest = &u->rounds[u->round_first];
		if (!oldest->closed || oldest->left)
			break;
		u->round_first = (u->round_first + 1) % GG_ROUNDS;
		u->round_count--;
	}
	u->cursor = u->round_count ? u->rounds[u->round_first].start : u->read;
	size_t over = 0;
	while (over < u->passed_count && u->passed[over].last < u->read)
		over++;
	u->passed_count -= over;
	if (over)
		memmove(u->passed, u->passed + over, u->passed_count * sizeof *u->passed);
}

void gg_cursor_save(struct gg_uplink_engine *u)
{
	if (u->cursor == u->saved)
		return;
	u->all->memory.save(u->all->memory.arg, u->name, u->cursor);
	u->all->source.pin(u->all->source.arg, u->pin_name, u->cursor);
	u->saved = u->cursor;
}
