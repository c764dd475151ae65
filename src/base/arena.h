/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that is taken piece by piece and freed at once: a configuration, a request, a compiled expression.
 * Has a maximum from birth. Owner: whoever has the struct. Thread: its owner's.
 */
#ifndef GG_ARENA_H
#define GG_ARENA_H

#include "base/str.h"

struct gg_arena_block;

struct gg_arena {
	struct gg_arena_block *blocks;
	size_t used, max; /* bytes in all */
};

#define GG_ARENA(max_bytes) ((struct gg_arena){.max = (max_bytes)})

void gg_arena_done(struct gg_arena *a);
/* Zeroed, aligned to 16. NULL when out of memory or past the maximum. */
void *gg_arena_alloc(struct gg_arena *a, size_t size);
/* A copy ended by NUL, or NULL. */
char *gg_arena_str(struct gg_arena *a, struct gg_str s);

#define GG_NEW(arena, type) ((type *)gg_arena_alloc((arena), sizeof(type)))

#endif
