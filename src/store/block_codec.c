/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compressed form of a block: columns of integers (block_ints.c), and how times, types, values and texts
 * become integers.
 *
 *   block   u8 version 2, le32 CRC32C of what follows, varint count, unit, times, marks, values, texts
 *   unit    u8: times are (t - t mod 10^(3 unit) ns) / 10^(3 unit): unit is the largest that divides all
 *   times   column
 *   marks   column of type | quality << 8 | reason << 16
 *   values  u8 method: 0..10  each double is m / 10^method, m is the column
 *                      32..95 the column is the doubles' bits without the sign, shifted right by method - 32,
 *                             and inverted for negative ones: ordered as the numbers are
 *                      128    the column is the 64 bits as they are (integers; a mixture of types)
 *           varint how many exceptions, each varint distance from the one before, le64 bits (methods 0..10)
 *           column
 *   texts   only if a mark says string or bytes; u8 form: 0 the column has lengths, 1 numbers in a list
 *           form 1: varint how many, their lengths as varints
 *           varint length of all bytes, varint length compressed (0 = not), bytes
 *
 * Most doubles are decimals that an instrument displays; as integers they are small. Numbers that were 32-bit
 * floats have 29 zero bits at the end, which the shift takes away, so they cost what floats cost. Others are
 * ordered bits: what changes little differs in the low bits only.
 */
#include "base/crc32c.h"
#include "store/block_coder.h"
#include "store/varint.h"

#include <math.h>
#include <zstd.h>

enum { VERSION = 2, DIGITS_MAX = 10, METHOD_BITS = 32, METHOD_RAW = 128, HEADER = 5 };
enum { LIST_MAX = 256, LOST_MOST = 5, FLOAT_ZEROS = 29 };

static const double powers[DIGITS_MAX + 1] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10};
static const int64_t units[4] = {1, 1000, 1000000, 1000000000};

/* ---- encoding ---- */

static uint8_t *put_times(struct gg_block_coder *c, uint8_t *p, const struct gg_block *b)
{
	uint8_t unit = 3;
	for (uint32_t i = 0; i < b->count && unit > 0; i++)
		while (unit > 0 && b->times[i] % units[unit] != 0)
			unit--;
	*p++ = unit;
	if (unit == 0)
		return gg_ints_put(c, p, (const uint64_t *)(const void *)b->times, b->count);
	for (uint32_t i = 0; i < b->count; i++)
		c->column[i] = (uint64_t)(b->times[i] / units[unit]);
	return gg_ints_put(c, p, c->column, b->count);
}

static uint8_t *put_marks(struct gg_block_coder *c, uint8_t *p, const struct gg_block *b)
{
	for (uint32_t i = 0; i < b->count; i++)
		c->column[i] = b->marks[i];
	return gg_ints_put(c, p, c->column, b->count);
}

static bool decimal(double v, unsigned digits, int64_t *ret_m)
{
	double scaled = v * powers[digits];
	if (!(fabs(scaled) < 1e15))
		return false;
	int64_t m = (int64_t)(scaled + (scaled < 0 ? -0.5 : 0.5));
	if ((double)m / powers[digits] != v || (m == 0 && signbit(v)))
		return false;
	*ret_m = m;
	return true;
}

static double as_double(uint64_t bits)
{
	double v;
	memcpy(&v, &bits, sizeof v);
	return v;
}

/* Are all of them doubles (what has no value does not matter)? */
static bool all_doubles(const struct gg_block *b)
{
	for (uint32_t i = 0; i < b->count; i++)
		if ((uint8_t)b->marks[i] != GG_TYPE_FLOAT && (uint8_t)b->marks[i] != GG_TYPE_NONE)
			return false;
	return true;
}

/*
 * The digits a value needs, DIGITS_MAX + 1 when it is no decimal. A number with many zero bits at its end (a
 * 32-bit float, an integer) is m / 2^k exactly: as a decimal it has k digits, so there is nothing to try.
 */
static unsigned digits_of(uint64_t bits)
{
	double v = as_double(bits);
	int64_t m;
	unsigned digits = 0, most = DIGITS_MAX;
	unsigned zeros = bits & INT64_MAX ? (unsigned)__builtin_ctzll(bits) : 0;
	if (zeros >= FLOAT_ZEROS) {
		int exponent = (int)(bits >> 52 & 0x7ff) - 1023;
		int below = 52 - exponent - (int)(zeros < 52 ? zeros : 52);
		if (below > DIGITS_MAX)
			return DIGITS_MAX + 1;
		digits = most = below < 0 ? 0 : (unsigned)below;
	}
	while (digits <= most && !decimal(v, digits, &m))
		digits++;
	return digits <= most ? digits : DIGITS_MAX + 1;
}

/* Digits that a few values spread over the block need, DIGITS_MAX + 1 when most are no decimals. */
static unsigned guess_digits(const struct gg_block *b)
{
	unsigned digits = 0, others = 0, seen = 0;
	uint32_t step = b->count / 16 + 1;
	for (uint32_t i = 0; i < b->count; i += step) {
		if ((uint8_t)b->marks[i] != GG_TYPE_FLOAT)
			continue;
		unsigned mine = digits_of(b->values[i]);
		seen++;
		if (mine > DIGITS_MAX)
			others++;
		else if (mine > digits)
			digits = mine;
	}
	return others * 4 > seen ? DIGITS_MAX + 1 : digits;
}

/* Fills the column; the number of exceptions, whose places go to first; more than most means it gave up. */
static uint32_t scale(struct gg_block_coder *c, const struct gg_block *b, unsigned digits, uint32_t most)
{
	uint32_t exceptions = 0;
	uint64_t before = 0;
	for (uint32_t i = 0; i < b->count; i++) {
		int64_t m;
		if ((uint8_t)b->marks[i] == GG_TYPE_FLOAT) {
			if (decimal(as_double(b->values[i]), digits, &m))
				before = (uint64_t)m;
			else if (exceptions++ < most)
				c->first[exceptions - 1] = i;
			else
				return exceptions;
		}
		c->column[i] = before; /* what has no number: the cheapest will do */
	}
	return exceptions;
}

/* NULL: these are no decimals. */
static uint8_t *put_decimals(struct gg_block_coder *c, uint8_t *p, const struct gg_block *b)
{
	uint32_t most = b->count / 32, exceptions = 0;
	unsigned digits = guess_digits(b);
	for (; digits <= DIGITS_MAX; digits++)
		if ((exceptions = scale(c, b, digits, most)) <= most)
			break;
	if (digits > DIGITS_MAX)
		return NULL;
	*p++ = (uint8_t)digits;
	p = gg_put_varint(p, exceptions);
	uint64_t before = 0;
	for (uint32_t k = 0; k < exceptions; k++) {
		uint64_t i = c->first[k], bits = GG_LE64(b->values[i]);
		p = gg_put_varint(p, i - before);
		memcpy(p, &bits, sizeof bits);
		p += sizeof bits;
		before = i;
	}
	return gg_ints_put(c, p, c->column, b->count);
}

/* Ordered as the numbers are; all 64 bits find their way back. */
static uint64_t to_ordered(uint64_t bits, unsigned shift)
{
	uint64_t size = (bits & INT64_MAX) >> shift;
	return bits >> 63 ? ~size : size;
}

static uint64_t from_ordered(uint64_t v, unsigned shift)
{
	return v >> 63 ? (~v << shift) | 1ULL << 63 : v << shift;
}

static uint8_t *put_ordered(struct gg_block_coder *c, uint8_t *p, const struct gg_block *b)
{
	uint64_t all = 0, before = 0;
	for (uint32_t i = 0; i < b->count; i++)
		if ((uint8_t)b->marks[i] == GG_TYPE_FLOAT)
			all |= b->values[i];
	unsigned shift = all & INT64_MAX ? (unsigned)__builtin_ctzll(all) : 0;
	for (uint32_t i = 0; i < b->count; i++) {
		if ((uint8_t)b->marks[i] == GG_TYPE_FLOAT)
			before = to_ordered(b->values[i], shift);
		c->column[i] = before;
	}
	*p++ = (uint8_t)(METHOD_BITS + shift);
	return gg_ints_put(c, p, c->column, b->count);
}

/* ---- texts ---- */

struct list {
	uint32_t first[LIST_MAX];     /* a sample that has the text */
	uint16_t slots[2 * LIST_MAX]; /* number + 1 */
	unsigned count;
	uint8_t *p; /* where the texts' part begins, and is written last */
};

static uint32_t hash(struct gg_str s)
{
	uint32_t h = 2166136261U;
	for (size_t i = 0; i < s.len; i++)
		h = (h ^ (uint8_t)s.p[i]) * 16777619U;
	return h;
}

/* The text's number, new or not; -1 when there are too many different ones. */
static int list_number(struct list *l, const struct gg_block *b, uint32_t i)
{
	struct gg_str text = gg_block_text(b, i);
	uint32_t slot = hash(text) % (2 * LIST_MAX);
	for (; l->slots[slot]; slot = (slot + 1) % (2 * LIST_MAX))
		if (gg_str_eq(gg_block_text(b, l->first[l->slots[slot] - 1]), text))
			return l->slots[slot] - 1;
	if (l->count == LIST_MAX)
		return -1;
	l->first[l->count++] = i;
	l->slots[slot] = (uint16_t)l->count;
	return (int)l->count - 1;
}

/* Fills the column with numbers of a list; false when a list does not pay. */
static bool list_texts(struct gg_block_coder *c, const struct gg_block *b, struct list *l)
{
	uint32_t texts = 0;
	for (uint32_t i = 0; i < b->count; i++) {
		if ((uint8_t)b->marks[i] < GG_TYPE_STRING)
			continue;
		int number = list_number(l, b, i);
		if (number < 0)
			return false;
		c->column[i] = (uint64_t)number;
		texts++;
	}
	return l->count * 2 <= texts;
}

static void fill_raw(struct gg_block_coder *c, const struct gg_block *b)
{
	uint64_t before = 0;
	for (uint32_t i = 0; i < b->count; i++) {
		uint8_t type = (uint8_t)b->marks[i];
		if (type >= GG_TYPE_STRING)
			before = (uint32_t)b->values[i];
		else if (type != GG_TYPE_NONE)
			before = b->values[i];
		c->column[i] = before;
	}
}

static uint8_t *put_bytes(
	struct gg_block_coder *c, uint8_t *p, const uint8_t *bytes, size_t len, uint8_t *end)
{
	p = gg_put_varint(p, len);
	uint8_t *at = p + 10;
	size_t packed = gg_block_squeeze(c, at, (size_t)(end - at), bytes, len);
	p = gg_put_varint(p, packed);
	memmove(p, packed ? at : bytes, packed ? packed : len);
	return p + (packed ? packed : len);
}

/* The bytes of all texts, each time it occurs. */
static size_t text_bytes(const struct gg_block *b)
{
	size_t sum = 0;
	for (uint32_t i = 0; i < b->count; i++)
		sum += gg_block_text(b, i).len;
	return sum;
}

static uint8_t *put_texts(
	struct gg_block_coder *c, uint8_t *p, const struct gg_block *b, const struct list *l, uint8_t *end)
{
	size_t len = 0;
	uint8_t *bytes GG_CLEANUP(gg_free_p) = malloc(text_bytes(b) + 1);
	uint32_t count = l ? l->count : b->count;
	if (!bytes)
		return NULL;
	*p++ = l ? 1 : 0;
	if (l)
		p = gg_put_varint(p, count);
	for (uint32_t i = 0; i < count; i++) {
		struct gg_str text = gg_block_text(b, l ? l->first[i] : i);
		if (l)
			p = gg_put_varint(p, text.len);
		if (text.len)
			memcpy(bytes + len, text.p, text.len);
		len += text.len;
	}
	return put_bytes(c, p, bytes, len, end);
}

static bool has_texts(const struct gg_block *b)
{
	for (uint32_t i = 0; i < b->count; i++)
		if ((uint8_t)b->marks[i] >= GG_TYPE_STRING)
			return true;
	return false;
}

static uint8_t *put_values(struct gg_block_coder *c, uint8_t *p, const struct gg_block *b, uint8_t *end)
{
	if (all_doubles(b)) {
		uint8_t *next = put_decimals(c, p, b);
		return next ? next : put_ordered(c, p, b);
	}
	*p++ = METHOD_RAW;
	fill_raw(c, b);
	if (!has_texts(b))
		return gg_ints_put(c, p, c->column, b->count);
	struct list l = {0};
	bool listed = list_texts(c, b, &l);
	if (!listed)
		fill_raw(c, b);
	p = gg_ints_put(c, p, c->column, b->count);
	return put_texts(c, p, b, listed ? &l : NULL, end);
}

int gg_block_encode(struct gg_block_coder *c, const struct gg_block *b, struct gg_buf *to)
{
	size_t text = text_bytes(b), room = 4096 + (size_t)b->count * 36 + ZSTD_compressBound(text);
	if (b->count > GG_BLOCK_MAX || text > GG_BLOCK_TEXT_MAX)
		return -E2BIG;
	if (gg_block_coder_reserve(c, b->count) < 0)
		return -ENOMEM;
	uint8_t *out = (uint8_t *)gg_buf_room(to, room);
	if (!out)
		return to->error;
	uint8_t *p = out + HEADER;
	out[0] = VERSION;
	p = gg_put_varint(p, b->count);
	if (b->count > 0)
		p = put_values(c, put_marks(c, put_times(c, p, b), b), b, out + room);
	if (!p)
		return -ENOMEM;
	uint32_t crc = GG_LE32(gg_crc32c(0, out + HEADER, (size_t)(p - out) - HEADER));
	memcpy(out + 1, &crc, sizeof crc);
	to->len += (size_t)(p - out);
	return 0;
}

int gg_block_encode_hinted(
	struct gg_block_coder *c, const struct gg_block *b, struct gg_block_hint *hint, struct gg_buf *to)
{
	c->no_planes = hint->wait > 0;
	c->planes_tried = c->planes_taken = false;
	int status = gg_block_encode(c, b, to);
	if (c->no_planes) {
		hint->wait--;
	} else if (c->planes_taken) {
		hint->lost = 0;
	} else if (c->planes_tried) {
		if (hint->lost < LOST_MOST)
			hint->lost++;
		hint->wait = (uint8_t)((1U << hint->lost) - 1);
	}
	c->no_planes = false;
	return status;
}

/* ---- decoding ---- */

static bool take_times(struct gg_block_coder *c, struct gg_reader *r, struct gg_block *b)
{
	uint8_t unit = gg_read_u8(r);
	uint64_t *times = (uint64_t *)(void *)b->times;
	if (unit >= GG_COUNT(units) || !gg_ints_take(c, r, times, b->count))
		return false;
	if (unit > 0)
		for (uint32_t i = 0; i < b->count; i++)
			times[i] *= (uint64_t)units[unit];
	for (uint32_t i = 1; i < b->count; i++)
		b->unsorted |= b->times[i] < b->times[i - 1];
	return true;
}

static bool take_marks(struct gg_block_coder *c, struct gg_reader *r, struct gg_block *b, bool *ret_texts)
{
	if (!gg_ints_take(c, r, c->column, b->count))
		return false;
	bool bad = false, texts = false;
	for (uint32_t i = 0; i < b->count; i++) {
		uint64_t mark = c->column[i];
		bad |= mark > UINT32_MAX || (uint8_t)mark > GG_TYPE_BYTES || (uint8_t)(mark >> 8) > GG_BAD;
		texts |= (uint8_t)mark >= GG_TYPE_STRING;
		b->marks[i] = (uint32_t)mark;
	}
	*ret_texts = texts;
	return !bad;
}

static bool take_decimals(struct gg_block_coder *c, struct gg_reader *r, struct gg_block *b, unsigned digits)
{
	uint64_t count = gg_take_varint(r), at = 0;
	struct gg_reader exceptions = *r;
	if (count > b->count)
		return false;
	for (uint64_t k = 0; k < count; k++) {
		gg_take_varint(r);
		gg_read_le64(r);
	}
	if (r->failed || !gg_ints_take(c, r, b->values, b->count))
		return false;
	double *to = (double *)(void *)b->values;
	double power = powers[digits];
	for (uint32_t i = 0; i < b->count; i++)
		to[i] = (double)(int64_t)b->values[i] / power;
	for (uint64_t k = 0; k < count; k++) {
		at += gg_take_varint(&exceptions);
		if (at >= b->count)
			return false;
		b->values[at] = gg_read_le64(&exceptions);
	}
	return true;
}

static bool take_ordered(struct gg_block_coder *c, struct gg_reader *r, struct gg_block *b, unsigned shift)
{
	if (!gg_ints_take(c, r, b->values, b->count))
		return false;
	for (uint32_t i = 0; i < b->count; i++)
		b->values[i] = from_ordered(b->values[i], shift);
	return true;
}

/* The bytes of all texts, into b->text. */
static bool take_bytes(struct gg_block_coder *c, struct gg_reader *r, struct gg_block *b)
{
	uint64_t len = gg_take_varint(r), packed = gg_take_varint(r);
	if (r->failed || len > GG_BLOCK_TEXT_MAX || packed > gg_reader_left(r) || len / 40000 > packed + len)
		return false;
	if (!packed) {
		gg_buf_str(&b->text, gg_read_str(r, (size_t)len));
		return !r->failed && !b->text.error;
	}
	/* zstd does not reach 1 : 40000, so nobody makes us take 20 MiB for a few bytes */
	char *to = len / 40000 > packed ? NULL : gg_buf_room(&b->text, (size_t)len + 1);
	if (!to || !gg_block_unsqueeze(c, to, (size_t)len, gg_read_str(r, (size_t)packed)))
		return false;
	b->text.len += (size_t)len;
	return true;
}

/* Where the texts of the list lie in b->text: offset << 32 | length each. */
static bool take_list(struct gg_reader *r, uint64_t places[LIST_MAX], uint64_t *ret_count)
{
	uint64_t count = gg_take_varint(r), at = 0;
	if (count > LIST_MAX)
		return false;
	for (uint64_t i = 0; i < count; i++) {
		uint64_t len = gg_take_varint(r);
		if (len > GG_BLOCK_TEXT_MAX)
			return false;
		places[i] = at << 32 | len;
		at += len;
	}
	*ret_count = count;
	return !r->failed && at <= GG_BLOCK_TEXT_MAX;
}

static bool take_texts(struct gg_block_coder *c, struct gg_reader *r, struct gg_block *b)
{
	uint64_t places[LIST_MAX], count = 0, at = 0;
	uint8_t form = gg_read_u8(r);
	if (form > 1 || (form == 1 && !take_list(r, places, &count)) || !take_bytes(c, r, b))
		return false;
	for (uint32_t i = 0; i < b->count; i++) {
		uint64_t v = b->values[i];
		if ((uint8_t)b->marks[i] < GG_TYPE_STRING)
			continue;
		if (form == 0) {
			if (v > b->text.len - at)
				return false;
			b->values[i] = at << 32 | v;
			at += v;
			continue;
		}
		if (v >= count || (places[v] >> 32) + (uint32_t)places[v] > b->text.len)
			return false;
		b->values[i] = places[v];
	}
	return true;
}

/* A value only where the type has one, and a bool is 0 or 1. */
static void tidy(struct gg_block *b)
{
	for (uint32_t i = 0; i < b->count; i++) {
		uint8_t type = (uint8_t)b->marks[i];
		if (type == GG_TYPE_NONE)
			b->values[i] = 0;
		else if (type == GG_TYPE_BOOL)
			b->values[i] = b->values[i] != 0;
	}
}

static bool take_values(struct gg_block_coder *c, struct gg_reader *r, struct gg_block *b, bool texts)
{
	uint8_t method = gg_read_u8(r);
	if (method <= DIGITS_MAX       ? !take_decimals(c, r, b, method)
		: method == METHOD_RAW ? !gg_ints_take(c, r, b->values, b->count)
		: method < METHOD_BITS || method > METHOD_BITS + 63
			? true
			: !take_ordered(c, r, b, method - METHOD_BITS))
		return false;
	tidy(b);
	return !texts || (method == METHOD_RAW && take_texts(c, r, b));
}

int gg_block_reserve(struct gg_block *b, uint32_t count)
{
	if (count <= b->cap)
		return 0;
	struct gg_buf text = b->text;
	b->text = (struct gg_buf){0};
	gg_block_done(b);
	b->text = text;
	b->times = malloc(count * sizeof *b->times);
	b->values = malloc(count * sizeof *b->values);
	b->marks = malloc(count * sizeof *b->marks);
	if (!b->times || !b->values || !b->marks)
		return -ENOMEM;
	b->cap = count;
	return 0;
}

int gg_block_decode_content(struct gg_block_coder *c, struct gg_block *b, struct gg_str bytes)
{
	struct gg_reader r = gg_reader(bytes.p, bytes.len);
	uint64_t count = gg_take_varint(&r);
	gg_block_clear(b);
	if (r.failed || count > GG_BLOCK_MAX)
		return -EINVAL;
	if (gg_block_reserve(b, (uint32_t)count) < 0 || gg_block_coder_reserve(c, (uint32_t)count) < 0)
		return -ENOMEM;
	bool texts = false;
	b->count = (uint32_t)count;
	bool good = count == 0 ||
		    (take_times(c, &r, b) && take_marks(c, &r, b, &texts) && take_values(c, &r, b, texts));
	if (good && !r.failed && gg_reader_left(&r) == 0)
		return 0;
	gg_block_clear(b);
	return -EINVAL;
}

int gg_block_decode(struct gg_block_coder *c, struct gg_block *b, struct gg_str bytes)
{
	struct gg_reader r = gg_reader(bytes.p, bytes.len);
	uint8_t version = gg_read_u8(&r);
	if (version == 1)
		return gg_block_decode1(b, bytes);
	uint32_t crc = gg_read_le32(&r);
	gg_block_clear(b);
	if (r.failed || version != VERSION || crc != gg_crc32c(0, r.p, gg_reader_left(&r)))
		return -EINVAL;
	return gg_block_decode_content(c, b, gg_str_n(r.p, gg_reader_left(&r)));
}
