/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks as files of the first version hold them: read only.
 *
 *   block   u8 version 1, u8 1 = zstd, [varint length of body], body (compressed or not)
 *   body    varint count, le64 first time, u8 unit (10^(3 unit) ns), times, marks, values, texts
 *   times   delta of delta, zigzag varints; a run of zeros is 0 and its length - 1: a regular signal takes 3
 * bytes marks   runs: varint length, u8 type, u8 quality, varint aux values  u8 method: 0..6   integers m of
 * which each value is m / 10^method (0 for integers proper): deltas like times' 7      XOR with the value
 * before, byte planes (all first bytes, all second bytes, ...) texts   the bytes of strings, one after the
 * other; their lengths stand in values
 *
 * Decimals compress best as the integers they were on the instrument's display; planes put the bytes that
 * hardly change side by side, so that zstd finds them.
 */
#include "store/block_coder.h"
#include "store/varint.h"

#include <zstd.h>

enum { VERSION = 1, ZSTD_FLAG = 1, DIGITS_MAX = 6, METHOD_XOR = 7, BODY_MAX = 32 << 20 };

static const double powers[DIGITS_MAX + 1] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};
static const int64_t units[4] = {1, 1000, 1000000, 1000000000};

/* ---- decoding ---- */

struct undeltas {
	struct gg_reader *r;
	uint64_t run;
};

static uint64_t take_delta(struct undeltas *d)
{
	if (d->run) {
		d->run--;
		return 0;
	}
	uint64_t v = gg_take_varint(d->r);
	if (v == 0)
		d->run = gg_take_varint(d->r);
	return (uint64_t)gg_unzigzag(v);
}

static bool take_times(struct gg_reader *r, struct gg_block *b)
{
	b->times[0] = (int64_t)gg_read_le64(r);
	uint8_t unit = gg_read_u8(r);
	struct undeltas d = {.r = r};
	uint64_t step = 0;
	if (unit >= GG_COUNT(units))
		return false;
	for (uint32_t i = 1; i < b->count; i++) {
		step += take_delta(&d);
		b->times[i] = (int64_t)((uint64_t)b->times[i - 1] + step * (uint64_t)units[unit]);
		b->unsorted |= b->times[i] < b->times[i - 1];
	}
	return !r->failed && d.run == 0;
}

static bool take_marks(struct gg_reader *r, struct gg_block *b)
{
	for (uint32_t i = 0; i < b->count;) {
		uint64_t run = gg_take_varint(r);
		uint8_t type = gg_read_u8(r), quality = gg_read_u8(r);
		uint64_t aux = gg_take_varint(r);
		if (r->failed || run == 0 || run > b->count - i || type > GG_TYPE_BYTES || quality > GG_BAD ||
			aux > UINT16_MAX)
			return false;
		for (; run > 0; run--)
			b->marks[i++] = type | (uint32_t)quality << 8 | (uint32_t)aux << 16;
	}
	return true;
}

static void take_integers(struct gg_reader *r, struct gg_block *b, unsigned digits)
{
	struct undeltas d = {.r = r};
	uint64_t m = 0;
	for (uint32_t i = 0; i < b->count; i++) {
		m += take_delta(&d);
		b->values[i] = m;
		if ((uint8_t)b->marks[i] == GG_TYPE_FLOAT) {
			double v = (double)(int64_t)m / powers[digits];
			memcpy(&b->values[i], &v, sizeof v);
		}
	}
}

static void take_planes(struct gg_reader *r, struct gg_block *b)
{
	const uint8_t *p = gg_read_bytes(r, (size_t)8 * b->count);
	uint64_t v = 0;
	for (uint32_t i = 0; p && i < b->count; i++) {
		uint64_t x = 0;
		for (unsigned plane = 0; plane < 8; plane++)
			x = x << 8 | p[plane * b->count + i];
		v ^= x;
		b->values[i] = v;
	}
}

/* Lengths become places in text; what has no value gets 0. */
static bool take_texts(struct gg_reader *r, struct gg_block *b)
{
	for (uint32_t i = 0; i < b->count; i++) {
		uint8_t type = (uint8_t)b->marks[i];
		if (type == GG_TYPE_NONE)
			b->values[i] = 0;
		else if (type == GG_TYPE_BOOL)
			b->values[i] = b->values[i] != 0;
		if (type < GG_TYPE_STRING)
			continue;
		uint64_t len = b->values[i];
		struct gg_str text = gg_read_str(r, len > GG_BLOCK_TEXT_MAX ? SIZE_MAX : (size_t)len);
		b->values[i] = (uint64_t)b->text.len << 32 | text.len;
		gg_buf_str(&b->text, text);
		if (r->failed || b->text.error)
			return false;
	}
	return gg_reader_left(r) == 0;
}

static int take_body(struct gg_block *b, struct gg_reader r)
{
	uint64_t count = gg_take_varint(&r);
	gg_block_clear(b);
	if (r.failed || count > GG_BLOCK_MAX)
		return -EINVAL;
	if (count == 0)
		return gg_reader_left(&r) == 0 ? 0 : -EINVAL;
	if (gg_block_reserve(b, (uint32_t)count) < 0)
		return -ENOMEM;
	b->count = (uint32_t)count;
	bool good = take_times(&r, b) && take_marks(&r, b);
	uint8_t method = gg_read_u8(&r);
	if (good && method < METHOD_XOR)
		take_integers(&r, b, method);
	else if (good && method == METHOD_XOR)
		take_planes(&r, b);
	good = good && method <= METHOD_XOR && !r.failed && take_texts(&r, b);
	if (!good)
		gg_block_clear(b);
	return good ? 0 : -EINVAL;
}

int gg_block_decode1(struct gg_block *b, struct gg_str bytes)
{
	struct gg_reader r = gg_reader(bytes.p, bytes.len);
	uint8_t version = gg_read_u8(&r), flags = gg_read_u8(&r);
	if (r.failed || version != VERSION || flags > ZSTD_FLAG)
		return -EINVAL;
	if (flags == 0)
		return take_body(b, r);
	uint64_t len = gg_take_varint(&r);
	size_t left = gg_reader_left(&r);
	/* zstd does not reach 1 : 40000 on what we write, so nobody makes us take 32 MiB for a few bytes
	 * often */
	if (r.failed || len > BODY_MAX || len / 40000 > left)
		return -EINVAL;
	uint8_t *body GG_CLEANUP(gg_free_p) = malloc((size_t)len + 1);
	if (!body)
		return -ENOMEM;
	size_t n = ZSTD_decompress(body, (size_t)len, r.p, left);
	if (ZSTD_isError(n) || n != len)
		return -EINVAL;
	return take_body(b, gg_reader(body, (size_t)len));
}
