/* SPDX-License-Identifier: Apache-2.0 */
/* Appending numbers to a checkpoint, little-endian: the counterpart of gg_read_le*() for a growing buffer. */
#ifndef GG_PIPELINE_STATE_IO_H
#define GG_PIPELINE_STATE_IO_H

#include "base/buf.h"
#include "base/bytes.h"

static inline void gg_put_u8(struct gg_buf *to, uint8_t v)
{
	gg_buf_add(to, &v, 1);
}

static inline void gg_put_u16(struct gg_buf *to, uint16_t v)
{
	uint16_t le = (uint16_t)GG_LE16(v);
	gg_buf_add(to, &le, sizeof le);
}

static inline void gg_put_u32(struct gg_buf *to, uint32_t v)
{
	uint32_t le = GG_LE32(v);
	gg_buf_add(to, &le, sizeof le);
}

static inline void gg_put_u64(struct gg_buf *to, uint64_t v)
{
	uint64_t le = GG_LE64(v);
	gg_buf_add(to, &le, sizeof le);
}

static inline void gg_put_i64(struct gg_buf *to, int64_t v)
{
	gg_put_u64(to, (uint64_t)v);
}

static inline void gg_put_double(struct gg_buf *to, double v)
{
	uint64_t bits;
	memcpy(&bits, &v, sizeof bits);
	gg_put_u64(to, bits);
}

static inline int64_t gg_read_i64(struct gg_reader *r)
{
	return (int64_t)gg_read_le64(r);
}

#endif
