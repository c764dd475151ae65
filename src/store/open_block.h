/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A block that is still filled: samples of one signal as a string of bytes, in the order they come, in one
 * piece of memory. A gateway has one per signal, so what it takes decides how many samples a block gets
 * before memory is full; a sample takes some 7 bytes here where the columns of struct gg_block take 20.
 * Owner: whoever has the pointer. Thread: its owner's.
 *
 *   sample  u8 head: bytes left out above (3 bits) | bytes kept << 3 (4 bits) | mark follows << 7
 *           varint mark                 if it is another than before
 *           zigzag varint               time step less the step before
 *           bytes kept                  of value XOR the value before
 *           varint length, bytes        of a string, in place of the value
 */
#ifndef GG_OPEN_BLOCK_H
#define GG_OPEN_BLOCK_H

#include "store/block.h"

struct gg_open_block {
	struct gg_open_block *next; /* the caller's */
	uint64_t first_position, last_position;
	int64_t since; /* monotonic */
	int64_t first_ns, last_ns;
	uint64_t last_step, last_value;
	uint32_t count, mark;
	uint32_t used, cap; /* bytes */
	uint32_t twice;     /* samples that were left out when it was stored */
	uint8_t bytes[];
};

/* One without samples; NULL when there is no memory. */
struct gg_open_block *gg_open_block_new(void);
/* Adds a sample; the block moves when it grows. Errors: -ENOMEM, -E2BIG; the block is what it was. */
int gg_open_block_add(struct gg_open_block **b, const struct gg_sample *s, struct gg_str text);
/* Adds its samples with from <= time <= to to a block, in the order they came. Errors: -ENOMEM, -E2BIG. */
int gg_open_block_copy(const struct gg_open_block *b, struct gg_block *to, int64_t from_ns, int64_t to_ns);

/* Accepts NULL. */
static inline size_t gg_open_block_memory(const struct gg_open_block *b)
{
	return b ? sizeof *b + b->cap : 0;
}

#endif
