/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Varints for the inner loops of the journal and the history: the same bytes as base/bytes.h writes, but
 * inline, with the one-byte case first. gg_put_varint() needs 10 bytes of room that the caller has made.
 */
#ifndef GG_VARINT_H
#define GG_VARINT_H

#include "base/bytes.h"

static inline uint64_t gg_zigzag(int64_t v)
{
	return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

static inline int64_t gg_unzigzag(uint64_t v)
{
	return (int64_t)((v >> 1) ^ (0 - (v & 1)));
}

static inline uint8_t *gg_put_varint(uint8_t *p, uint64_t v)
{
	while (v >= 0x80) {
		*p++ = (uint8_t)(v | 0x80);
		v >>= 7;
	}
	*p++ = (uint8_t)v;
	return p;
}

static inline uint64_t gg_take_varint(struct gg_reader *r)
{
	if (r->p < r->end && *r->p < 0x80)
		return *r->p++;
	return gg_read_varint(r);
}

#endif
