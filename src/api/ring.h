/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ring of the latest messages, numbered from 1 on, bounded in number and bytes: what live streams send, and
 * send again to a client that comes back. Each reader keeps the number it has seen; nothing is queued per
 * reader. Thread: its owner's.
 */
#ifndef GG_API_RING_H
#define GG_API_RING_H

#include "base/str.h"

enum { GG_RING_MESSAGES = 1024, GG_RING_BYTES = 4 << 20 };

struct gg_ring {
	char *texts[GG_RING_MESSAGES];
	size_t lens[GG_RING_MESSAGES];
	uint64_t next;   /* number that comes next is next + 1 */
	uint64_t oldest; /* number of the oldest there is; next + 1 when empty. 0: not begun */
	size_t bytes;
};

void gg_ring_done(struct gg_ring *r);
/* Appends a copy; the oldest go when there is no room. Returns its number, 0 when out of memory or too long.
 */
uint64_t gg_ring_add(struct gg_ring *r, struct gg_str text);
/* The message behind number seen. *ret_number is its number. Errors: -EAGAIN there is none yet, -ESTALE those
 * behind seen are gone in part, or seen was never given. */
int gg_ring_after(const struct gg_ring *r, uint64_t seen, uint64_t *ret_number, struct gg_str *ret_text);
/* The newest's number. */
uint64_t gg_ring_newest(const struct gg_ring *r);

#endif
