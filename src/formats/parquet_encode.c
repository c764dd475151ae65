/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/parquet_encode.h"

#include "formats/thrift.h"

enum { BLOCK = 128, MINI_COUNT = 4, MINI = BLOCK / MINI_COUNT };

void gg_parquet_le32(struct gg_buf *to, uint32_t v)
{
	const uint8_t bytes[] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24)};
	gg_buf_add(to, bytes, sizeof bytes);
}

void gg_parquet_le64(struct gg_buf *to, uint64_t v)
{
	gg_parquet_le32(to, (uint32_t)v);
	gg_parquet_le32(to, (uint32_t)(v >> 32));
}

static unsigned width_of(uint64_t v)
{
	return v ? 64 - (unsigned)__builtin_clzll(v) : 0;
}

unsigned gg_parquet_width(uint32_t most)
{
	return width_of(most);
}

/* MINI values of width bits each, low bits first. */
static void pack(struct gg_buf *to, const uint64_t *values, unsigned width)
{
	uint8_t bytes[MINI * 8] = {0};
	size_t bit = 0;
	for (size_t i = 0; i < MINI; i++)
		for (unsigned b = 0; b < width; bit++, b++)
			bytes[bit / 8] |= (uint8_t)((values[i] >> b & 1) << bit % 8);
	gg_buf_add(to, bytes, MINI / 8 * width);
}

/* All arithmetic wraps around, as the format wants. */
static void delta_block(struct gg_buf *to, const uint64_t *deltas, size_t count)
{
	uint64_t rest[BLOCK] = {0};
	uint8_t widths[MINI_COUNT] = {0};
	int64_t least = (int64_t)deltas[0];
	for (size_t i = 1; i < count; i++)
		least = (int64_t)deltas[i] < least ? (int64_t)deltas[i] : least;
	for (size_t i = 0; i < count; i++) {
		rest[i] = deltas[i] - (uint64_t)least;
		unsigned width = width_of(rest[i]);
		widths[i / MINI] = width > widths[i / MINI] ? (uint8_t)width : widths[i / MINI];
	}
	gg_thrift_zigzag(to, least);
	gg_buf_add(to, widths, sizeof widths);
	for (size_t m = 0; m < MINI_COUNT && m * MINI < count; m++)
		pack(to, rest + m * MINI, widths[m]);
}

void gg_parquet_delta(struct gg_buf *to, const int64_t *values, size_t count)
{
	uint64_t deltas[BLOCK];
	gg_thrift_varint(to, BLOCK);
	gg_thrift_varint(to, MINI_COUNT);
	gg_thrift_varint(to, count);
	gg_thrift_zigzag(to, count ? values[0] : 0);
	for (size_t i = 1; i < count;) {
		size_t n = 0;
		for (; n < BLOCK && i < count; i++)
			deltas[n++] = (uint64_t)values[i] - (uint64_t)values[i - 1];
		delta_block(to, deltas, n);
	}
}

void gg_parquet_runs(struct gg_buf *to, const uint32_t *values, size_t count, unsigned width)
{
	for (size_t i = 0; i < count;) {
		size_t end = i + 1;
		while (end < count && values[end] == values[i])
			end++;
		gg_thrift_varint(to, (uint64_t)(end - i) << 1);
		for (unsigned b = 0; b < width; b += 8)
			gg_buf_char(to, (char)(values[i] >> b));
		i = end;
	}
}
