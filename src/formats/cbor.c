/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/cbor.h"
#include "base/json.h"

#include <math.h>

size_t gg_cbor_head(uint8_t *to, enum gg_cbor_major major, uint64_t n)
{
	unsigned bytes = n < 24 ? 0 : n <= 0xff ? 1 : n <= 0xffff ? 2 : n <= 0xffffffff ? 4 : 8;
	static const uint8_t info[] = {0, 24, 25, 0, 26, 0, 0, 0, 27};
	to[0] = (uint8_t)(major << 5 | (bytes ? info[bytes] : (uint8_t)n));
	for (unsigned i = 0; i < bytes; i++)
		to[1 + i] = (uint8_t)(n >> 8 * (bytes - 1 - i));
	return 1 + bytes;
}

static void put_head(struct gg_buf *b, enum gg_cbor_major major, uint64_t n)
{
	uint8_t head[9];
	gg_buf_add(b, head, gg_cbor_head(head, major, n));
}

void gg_cbor_uint(struct gg_buf *b, uint64_t v)
{
	put_head(b, GG_CBOR_UINT, v);
}

void gg_cbor_int(struct gg_buf *b, int64_t v)
{
	if (v >= 0)
		put_head(b, GG_CBOR_UINT, (uint64_t)v);
	else
		put_head(b, GG_CBOR_NEGATIVE, ~(uint64_t)v); /* -1 - v */
}

static void put_bits(struct gg_buf *b, uint8_t first, uint64_t bits, unsigned bytes)
{
	gg_buf_char(b, (char)first);
	for (unsigned i = bytes; i-- > 0;)
		gg_buf_char(b, (char)(bits >> 8 * i & 0xff));
}

/* The bits of a half that is exactly f, or false. Appendix D read backwards. */
static bool as_half(float f, uint16_t *ret_half)
{
	uint32_t bits;
	memcpy(&bits, &f, sizeof bits);
	uint32_t sign = bits >> 16 & 0x8000, mantissa = bits & 0x7fffff;
	int exponent = (int)(bits >> 23 & 0xff) - 127;
	if ((bits & 0x7fffffff) == 0) {
		*ret_half = (uint16_t)sign;
		return true;
	}
	if (exponent >= -14 && exponent <= 15 && (mantissa & 0x1fff) == 0) {
		*ret_half = (uint16_t)(sign | (uint32_t)(exponent + 15) << 10 | mantissa >> 13);
		return true;
	}
	if (exponent < -14 && exponent >= -24) { /* a subnormal of the half */
		uint32_t whole = mantissa | 0x800000;
		unsigned shift = (unsigned)(-exponent - 1); /* 2^exponent in units of 2^-24 */
		if ((whole & ((1U << shift) - 1)) == 0) {
			*ret_half = (uint16_t)(sign | whole >> shift);
			return true;
		}
	}
	return false;
}

void gg_cbor_float(struct gg_buf *b, double v)
{
	float f = (float)v;
	uint16_t half;
	double back = (double)f;
	if (isnan(v)) {
		put_bits(b, 0xf9, 0x7e00, 2);
	} else if (isinf(v)) {
		put_bits(b, 0xf9, v > 0 ? 0x7c00 : 0xfc00, 2);
	} else if (memcmp(&back, &v, sizeof v) != 0) {
		uint64_t bits;
		memcpy(&bits, &v, sizeof bits);
		put_bits(b, 0xfb, bits, 8);
	} else if (as_half(f, &half)) {
		put_bits(b, 0xf9, half, 2);
	} else {
		uint32_t bits;
		memcpy(&bits, &f, sizeof bits);
		put_bits(b, 0xfa, bits, 4);
	}
}

void gg_cbor_bool(struct gg_buf *b, bool v)
{
	gg_buf_char(b, (char)(v ? 0xf5 : 0xf4));
}

void gg_cbor_null(struct gg_buf *b)
{
	gg_buf_char(b, (char)0xf6);
}

void gg_cbor_text(struct gg_buf *b, struct gg_str s)
{
	put_head(b, gg_utf8_valid(s) ? GG_CBOR_TEXT : GG_CBOR_BYTES, s.len);
	gg_buf_str(b, s);
}

void gg_cbor_bytes(struct gg_buf *b, struct gg_str s)
{
	put_head(b, GG_CBOR_BYTES, s.len);
	gg_buf_str(b, s);
}

void gg_cbor_array(struct gg_buf *b, uint64_t count)
{
	put_head(b, GG_CBOR_ARRAY, count);
}

void gg_cbor_map(struct gg_buf *b, uint64_t pairs)
{
	put_head(b, GG_CBOR_MAP, pairs);
}

void gg_cbor_array_around(struct gg_buf *b, size_t mark, uint64_t count)
{
	uint8_t head[9];
	size_t n = gg_cbor_head(head, GG_CBOR_ARRAY, count);
	if (!gg_buf_room(b, n))
		return;
	memmove(b->p + mark + n, b->p + mark, b->len - mark);
	memcpy(b->p + mark, head, n);
	b->len += n;
}

/* ---- from JSON: levels are counted first, as their heads say how much is inside ---- */

static bool count_level(struct gg_json_reader r, enum gg_json_token end, uint64_t *ret_count)
{
	uint64_t count = 0;
	for (enum gg_json_token t; (t = gg_json_next(&r)) != end; count++) {
		if (t == GG_JSON_KEY)
			t = gg_json_next(&r);
		if (t == GG_JSON_ERROR || t == GG_JSON_END || !gg_json_skip(&r, t))
			return false;
	}
	*ret_count = count;
	return true;
}

static int put_json_text(struct gg_buf *b, const struct gg_json_reader *r)
{
	if (!r->escaped) {
		gg_cbor_text(b, r->text);
		return 0;
	}
	char *plain GG_CLEANUP(gg_free_p) = malloc(r->text.len + 1);
	if (!plain)
		return -ENOMEM;
	gg_cbor_text(b, gg_str_n(plain, gg_json_unescape(r->text, plain)));
	return 0;
}

static void put_json_number(struct gg_buf *b, struct gg_str text)
{
	int64_t i;
	uint64_t u;
	double d = 0;
	if (gg_parse_int(text, &i) == 0) {
		gg_cbor_int(b, i);
	} else if (gg_parse_uint(text, &u) == 0) {
		gg_cbor_uint(b, u);
	} else {
		(void)!gg_parse_float(text, &d);
		gg_cbor_float(b, d);
	}
}

int gg_cbor_json(struct gg_buf *b, struct gg_str json)
{
	struct gg_json_reader r = gg_json_reader(json);
	for (enum gg_json_token t; (t = gg_json_next(&r)) != GG_JSON_END;) {
		uint64_t count = 0;
		if (t == GG_JSON_ERROR)
			return -EINVAL;
		if (t == GG_JSON_OBJECT || t == GG_JSON_ARRAY) {
			bool object = t == GG_JSON_OBJECT;
			if (!count_level(r, object ? GG_JSON_OBJECT_END : GG_JSON_ARRAY_END, &count))
				return -EINVAL;
			put_head(b, object ? GG_CBOR_MAP : GG_CBOR_ARRAY, count);
		} else if (t == GG_JSON_KEY || t == GG_JSON_STRING) {
			int rc = put_json_text(b, &r);
			if (rc < 0)
				return rc;
		} else if (t == GG_JSON_NUMBER) {
			put_json_number(b, r.text);
		} else if (t == GG_JSON_TRUE || t == GG_JSON_FALSE) {
			gg_cbor_bool(b, t == GG_JSON_TRUE);
		} else if (t == GG_JSON_NULL) {
			gg_cbor_null(b);
		}
	}
	return 0;
}
