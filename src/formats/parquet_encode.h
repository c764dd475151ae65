/* SPDX-License-Identifier: Apache-2.0 */
/* Parquet's encodings of values, each a pure function that appends to a buffer. */
#ifndef GG_PARQUET_ENCODE_H
#define GG_PARQUET_ENCODE_H

#include "base/buf.h"

/* DELTA_BINARY_PACKED: blocks of 128 in four miniblocks. */
void gg_parquet_delta(struct gg_buf *to, const int64_t *values, size_t count);
/* Runs of the hybrid encoding, without its bit packing; width in bits, at most 32. */
void gg_parquet_runs(struct gg_buf *to, const uint32_t *values, size_t count, unsigned width);
/* Bits that hold values up to most. */
unsigned gg_parquet_width(uint32_t most);
void gg_parquet_le32(struct gg_buf *to, uint32_t v);
void gg_parquet_le64(struct gg_buf *to, uint64_t v);

#endif
