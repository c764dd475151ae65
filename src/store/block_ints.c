/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A column of 64-bit integers in the smallest of these forms; which one is computed, not guessed, but for
 * planes, which are tried.
 *
 *   column  u8 transform << 4 | form, then
 *           transform 0 the values, 1 their differences, 2 the differences of these; the one or two values
 *           before come first as zigzag varints
 *   same    zigzag varint: all are that
 *   packed  groups of 128: zigzag varint base, u8 width | 0x80 when there are exceptions, bits (value -
 * base), exceptions: u8 how many, then for each u8 place, varint of the bits above runs    varint how many,
 * for each varint length, zigzag varint value listed  varint how many, their zigzag varints, then an index of
 * fixed width for each planes  zigzag varint base, u8 bytes a value, varint length, zstd over the planes of
 * value - base (all lowest bytes, all second bytes, ...)
 *
 * A group is as wide as its usual values are; the few that are wider are exceptions, so one spike does not
 * cost 128 wide values. Reading a group is a shift and a mask a value.
 */
#include "store/block_coder.h"
#include "store/varint.h"

enum form { FORM_SAME, FORM_PACKED, FORM_RUNS, FORM_LISTED, FORM_PLANES };
#define TOO_LARGE ((size_t)INT32_MAX) /* to be added to */

enum { GROUP = 128, WIDE = 56, LIST_MAX = 128, EXCEPTIONS = 0x80, PLANES_LEAST = 96 };

static uint64_t load64(const uint8_t *p)
{
	uint64_t v;
	memcpy(&v, p, sizeof v);
	return GG_LE64(v);
}

static unsigned bits_of(uint64_t v)
{
	return v ? 64 - (unsigned)__builtin_clzll(v) : 0;
}

static size_t varint_len(uint64_t v)
{
	return v ? (bits_of(v) + 6) / 7 : 1;
}

/* ---- groups ---- */

struct group {
	uint64_t base;
	unsigned width, exceptions;
	size_t size;
};

static unsigned wide(unsigned width)
{
	return width > WIDE ? 64 : width;
}

static struct group plan_group(const uint64_t *v, uint32_t n)
{
	uint8_t bits[65] = {0};
	int64_t base = (int64_t)v[0];
	for (uint32_t i = 1; i < n; i++)
		base = (int64_t)v[i] < base ? (int64_t)v[i] : base;
	unsigned most = 0;
	for (uint32_t i = 0; i < n; i++) {
		unsigned b = bits_of(v[i] - (uint64_t)base);
		bits[b]++;
		most = b > most ? b : most;
	}
	struct group g = {(uint64_t)base, wide(most), 0, (wide(most) * (size_t)n + 7) / 8};
	unsigned above = 0;
	for (unsigned width = most; width-- > 0;) {
		above += bits[width + 1];
		if (above > n / 4)
			break;
		if (width > WIDE)
			continue;
		size_t size = (width * (size_t)n + 7) / 8 + 1 + above * (size_t)(1 + (most - width + 6) / 7);
		if (size < g.size) {
			g.size = size;
			g.width = width;
			g.exceptions = above;
		}
	}
	g.size += 1 + varint_len(gg_zigzag(base));
	return g;
}

static uint8_t *put_bits(uint8_t *p, const uint64_t *v, uint32_t n, uint64_t base, unsigned width)
{
	if (width == 64) {
		for (uint32_t i = 0; i < n; i++, p += 8) {
			uint64_t x = GG_LE64(v[i] - base);
			memcpy(p, &x, sizeof x);
		}
		return p;
	}
	uint64_t mask = (1ULL << width) - 1, hold = 0;
	unsigned have = 0;
	for (uint32_t i = 0; i < n; i++) {
		hold |= ((v[i] - base) & mask) << have;
		for (have += width; have >= 8; have -= 8, hold >>= 8)
			*p++ = (uint8_t)hold;
	}
	if (have)
		*p++ = (uint8_t)hold;
	return p;
}

static uint8_t *put_group(uint8_t *p, const uint64_t *v, uint32_t n)
{
	struct group g = plan_group(v, n);
	p = gg_put_varint(p, gg_zigzag((int64_t)g.base));
	*p++ = (uint8_t)(g.width | (g.exceptions ? EXCEPTIONS : 0));
	p = put_bits(p, v, n, g.base, g.width);
	if (!g.exceptions)
		return p;
	*p++ = (uint8_t)g.exceptions;
	for (uint32_t i = 0; i < n; i++) {
		uint64_t above = (v[i] - g.base) >> g.width;
		if (above) {
			*p++ = (uint8_t)i;
			p = gg_put_varint(p, above);
		}
	}
	return p;
}

static size_t packed_size(const uint64_t *v, uint32_t n)
{
	size_t size = 0;
	for (uint32_t i = 0; i < n; i += GROUP)
		size += plan_group(v + i, n - i < GROUP ? n - i : GROUP).size;
	return size;
}

/* width is up to WIDE; p has 8 bytes more than it needs. */
static void take_bits(const uint8_t *p, uint64_t *v, uint32_t n, uint64_t base, unsigned width)
{
	uint64_t mask = (1ULL << width) - 1;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t at = i * width;
		v[i] = base + (load64(p + at / 8) >> (at & 7) & mask);
	}
}

/* Bits that may lie at the very end of the input. */
static bool take_packed_bits(struct gg_reader *r, uint64_t *v, uint32_t n, uint64_t base, unsigned width)
{
	uint8_t copy[GROUP * 8 + 8];
	size_t size = ((size_t)width * n + 7) / 8;
	const uint8_t *p = gg_read_bytes(r, size);
	if (!p)
		return false;
	if (width == 0) {
		for (uint32_t i = 0; i < n; i++)
			v[i] = base;
		return true;
	}
	if (width == 64) {
		for (uint32_t i = 0; i < n; i++)
			v[i] = base + load64(p + i * 8);
		return true;
	}
	if (gg_reader_left(r) < 8) {
		memset(copy, 0, sizeof copy);
		memcpy(copy, p, size);
		p = copy;
	}
	take_bits(p, v, n, base, width);
	return true;
}

static bool take_group(struct gg_reader *r, uint64_t *v, uint32_t n)
{
	uint64_t base = (uint64_t)gg_unzigzag(gg_take_varint(r));
	uint8_t head = gg_read_u8(r);
	unsigned width = head & 0x7f;
	if ((width > WIDE && width != 64) || !take_packed_bits(r, v, n, base, width))
		return false;
	if (!(head & EXCEPTIONS))
		return true;
	if (width > WIDE)
		return false;
	for (unsigned left = gg_read_u8(r); left > 0; left--) {
		uint8_t at = gg_read_u8(r);
		uint64_t above = gg_take_varint(r);
		if (r->failed || at >= n)
			return false;
		v[at] += above << width;
	}
	return true;
}

/* ---- the other forms ---- */

/* How large it would be as runs; gives up at limit. */
static size_t runs_size(const uint64_t *v, uint32_t n, size_t limit)
{
	size_t size = 2, runs = 0;
	for (uint32_t i = 0, end; i < n && size < limit; i = end, runs++) {
		for (end = i + 1; end < n && v[end] == v[i];)
			end++;
		size += varint_len(end - i) + varint_len(gg_zigzag((int64_t)v[i]));
	}
	if (size >= limit)
		return TOO_LARGE;
	return runs == 1 ? 1 : size;
}

static uint8_t *put_runs(uint8_t *p, const uint64_t *v, uint32_t n)
{
	uint32_t runs = 0;
	for (uint32_t i = 0; i < n; i++)
		runs += i == 0 || v[i] != v[i - 1];
	p = gg_put_varint(p, runs);
	for (uint32_t i = 0, end; i < n; i = end) {
		for (end = i + 1; end < n && v[end] == v[i];)
			end++;
		p = gg_put_varint(p, end - i);
		p = gg_put_varint(p, gg_zigzag((int64_t)v[i]));
	}
	return p;
}

static bool take_runs(struct gg_reader *r, uint64_t *v, uint32_t n)
{
	uint32_t at = 0;
	for (uint64_t runs = gg_take_varint(r); runs > 0 && !r->failed; runs--) {
		uint64_t len = gg_take_varint(r);
		uint64_t value = (uint64_t)gg_unzigzag(gg_take_varint(r));
		if (len == 0 || len > n - at)
			return false;
		for (uint32_t end = at + (uint32_t)len; at < end;)
			v[at++] = value;
	}
	return at == n && !r->failed;
}

/* Different values in the order they come, by open addressing. */
struct list {
	uint64_t values[LIST_MAX];
	uint8_t slots[4 * LIST_MAX]; /* number + 1 */
	unsigned count;
	size_t size; /* of their varints */
};

static int list_find(struct list *l, uint64_t v, bool add)
{
	unsigned slot = (unsigned)((v * 0x9e3779b97f4a7c15ULL) >> 55);
	for (; l->slots[slot]; slot = (slot + 1) % (4 * LIST_MAX))
		if (l->values[l->slots[slot] - 1] == v)
			return l->slots[slot] - 1;
	if (!add || l->count == LIST_MAX)
		return -1;
	l->values[l->count++] = v;
	l->slots[slot] = (uint8_t)l->count;
	l->size += varint_len(gg_zigzag((int64_t)v));
	return (int)l->count - 1;
}

static unsigned index_width(uint64_t count)
{
	return bits_of(count - 1);
}

static size_t listed_size(struct list *l, const uint64_t *v, uint32_t n, size_t limit)
{
	l->count = 0;
	l->size = 0;
	memset(l->slots, 0, sizeof l->slots);
	for (uint32_t i = 0; i < n; i++)
		if ((i == 0 || v[i] != v[i - 1]) && (list_find(l, v[i], true) < 0 || l->size > limit))
			return TOO_LARGE;
	return 2 + l->size + ((size_t)index_width(l->count) * n + 7) / 8;
}

static uint8_t *put_listed(uint8_t *p, struct list *l, const uint64_t *v, uint32_t n)
{
	unsigned width = index_width(l->count);
	p = gg_put_varint(p, l->count);
	for (unsigned i = 0; i < l->count; i++)
		p = gg_put_varint(p, gg_zigzag((int64_t)l->values[i]));
	uint64_t index[GROUP];
	for (uint32_t i = 0; i < n; i += GROUP) {
		uint32_t some = n - i < GROUP ? n - i : GROUP;
		for (uint32_t k = 0; k < some; k++)
			index[k] = (uint64_t)list_find(l, v[i + k], false);
		p = put_bits(p, index, some, 0, width);
	}
	return p;
}

static bool take_listed(struct gg_reader *r, uint64_t *v, uint32_t n)
{
	uint64_t values[LIST_MAX] = {0}, count = gg_take_varint(r);
	if (count == 0 || count > LIST_MAX)
		return false;
	for (uint64_t i = 0; i < count; i++)
		values[i] = (uint64_t)gg_unzigzag(gg_take_varint(r));
	for (uint32_t i = 0; i < n; i += GROUP) {
		uint32_t some = n - i < GROUP ? n - i : GROUP;
		if (!take_packed_bits(r, v + i, some, 0, index_width(count)))
			return false;
		for (uint32_t k = 0; k < some; k++)
			v[i + k] = values[v[i + k] % LIST_MAX]; /* what is behind count is 0 */
	}
	return true;
}

/* ---- planes ---- */

static uint64_t least(const uint64_t *v, uint32_t n, unsigned *ret_bytes)
{
	int64_t low = (int64_t)v[0], high = low;
	for (uint32_t i = 1; i < n; i++) {
		low = (int64_t)v[i] < low ? (int64_t)v[i] : low;
		high = (int64_t)v[i] > high ? (int64_t)v[i] : high;
	}
	*ret_bytes = (bits_of((uint64_t)high - (uint64_t)low) + 7) / 8;
	return (uint64_t)low;
}

/* Compresses into c->packed; 0 when it does not pay. */
static size_t squeeze_planes(struct gg_block_coder *c, const uint64_t *v, uint32_t n)
{
	unsigned bytes;
	uint64_t base = least(v, n, &bytes);
	for (unsigned k = 0; k < bytes; k++)
		for (uint32_t i = 0; i < n; i++)
			c->planes[k * n + i] = (uint8_t)((v[i] - base) >> (8 * k));
	c->packed_of = v;
	return c->packed_len = gg_block_squeeze(c, c->packed, c->packed_cap, c->planes, (size_t)bytes * n);
}

static uint8_t *put_planes(uint8_t *p, struct gg_block_coder *c, const uint64_t *v, uint32_t n)
{
	unsigned bytes;
	uint64_t base = least(v, n, &bytes);
	size_t len = c->packed_of == v ? c->packed_len : squeeze_planes(c, v, n);
	p = gg_put_varint(p, gg_zigzag((int64_t)base));
	*p++ = (uint8_t)bytes;
	p = gg_put_varint(p, len);
	memcpy(p, c->packed, len);
	return p + len;
}

static bool take_planes(struct gg_block_coder *c, struct gg_reader *r, uint64_t *v, uint32_t n)
{
	uint64_t base = (uint64_t)gg_unzigzag(gg_take_varint(r));
	unsigned bytes = gg_read_u8(r);
	uint64_t len = gg_take_varint(r);
	struct gg_str packed = gg_read_str(r, len > SIZE_MAX ? SIZE_MAX : (size_t)len);
	if (r->failed || bytes > 8 || !gg_block_unsqueeze(c, c->planes, (size_t)bytes * n, packed))
		return false;
	for (uint32_t i = 0; i < n; i++)
		v[i] = base;
	for (unsigned k = 0; k < bytes; k++) {
		const uint8_t *plane = c->planes + (size_t)k * n;
		for (uint32_t i = 0; i < n; i++)
			v[i] += (uint64_t)plane[i] << (8 * k);
	}
	return true;
}

/* ---- choosing ---- */

struct choice {
	enum form form;
	unsigned transform;
	const uint64_t *v;
	uint32_t n;
	size_t size;
};

static void consider(
	struct choice *best, enum form form, unsigned transform, const uint64_t *v, uint32_t n, size_t size)
{
	if (size < best->size)
		*best = (struct choice){form, transform, v, n, size};
}

static void differences(uint64_t *to, const uint64_t *v, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++)
		to[i - 1] = v[i] - v[i - 1];
}

/* Planes cost more to read, so they have to be an eighth smaller. Noise is not even tried, nor what is short.
 */
static void try_planes(
	struct gg_block_coder *c, struct choice *best, unsigned transform, const uint64_t *v, uint32_t n)
{
	if (c->no_planes || n < PLANES_LEAST || best->size < 32 || best->size > (size_t)n * 13 / 2)
		return;
	c->planes_tried = true;
	size_t len = squeeze_planes(c, v, n);
	if (len)
		consider(best, FORM_PLANES, transform, v, n, len + 6 + len / 8);
}

static struct choice choose(struct gg_block_coder *c, struct list *l, const uint64_t *v, uint32_t n)
{
	struct choice best = {FORM_PACKED, 0, v, n, TOO_LARGE};
	consider(&best, FORM_RUNS, 0, v, n, runs_size(v, n, n));
	if (best.size > 8 && n > 2) {
		differences(c->first, v, n);
		differences(c->second, c->first, n - 1);
		consider(&best, FORM_RUNS, 1, c->first, n - 1, 4 + runs_size(c->first, n - 1, n));
	}
	if (best.size <= n / 64 + 8)
		return best;
	consider(&best, FORM_PACKED, 0, v, n, packed_size(v, n));
	size_t raw = best.size;
	if (n > 2) {
		consider(&best, FORM_PACKED, 1, c->first, n - 1, 4 + packed_size(c->first, n - 1));
		consider(&best, FORM_PACKED, 2, c->second, n - 2, 8 + packed_size(c->second, n - 2));
	}
	consider(&best, FORM_LISTED, 0, v, n, listed_size(l, v, n, best.size));
	unsigned transform = best.transform;
	const uint64_t *better = best.v;
	uint32_t left = best.n;
	if (raw < 2 * best.size)
		try_planes(c, &best, 0, v, n);
	if (transform > 0)
		try_planes(c, &best, transform, better, left);
	return best;
}

uint8_t *gg_ints_put(struct gg_block_coder *c, uint8_t *p, const uint64_t *v, uint32_t n)
{
	struct list l;
	c->packed_of = NULL;
	struct choice best = choose(c, &l, v, n);
	enum form form =
		best.form == FORM_RUNS && runs_size(best.v, best.n, best.n) == 1 ? FORM_SAME : best.form;
	*p++ = (uint8_t)(best.transform << 4 | form);
	if (best.transform > 0)
		p = gg_put_varint(p, gg_zigzag((int64_t)v[0]));
	if (best.transform > 1)
		p = gg_put_varint(p, gg_zigzag((int64_t)c->first[0]));
	switch (form) {
	case FORM_SAME:
		return gg_put_varint(p, gg_zigzag((int64_t)best.v[0]));
	case FORM_RUNS:
		return put_runs(p, best.v, best.n);
	case FORM_LISTED:
		return put_listed(p, &l, best.v, best.n);
	case FORM_PLANES:
		c->planes_taken = true;
		return put_planes(p, c, best.v, best.n);
	default:
		for (uint32_t i = 0; i < best.n; i += GROUP)
			p = put_group(p, best.v + i, best.n - i < GROUP ? best.n - i : GROUP);
		return p;
	}
}

static bool take_form(struct gg_block_coder *c, struct gg_reader *r, unsigned form, uint64_t *v, uint32_t n)
{
	switch (form) {
	case FORM_SAME: {
		uint64_t value = (uint64_t)gg_unzigzag(gg_take_varint(r));
		for (uint32_t i = 0; i < n; i++)
			v[i] = value;
		return true;
	}
	case FORM_PACKED:
		for (uint32_t i = 0; i < n; i += GROUP)
			if (!take_group(r, v + i, n - i < GROUP ? n - i : GROUP))
				return false;
		return true;
	case FORM_RUNS:
		return take_runs(r, v, n);
	case FORM_LISTED:
		return take_listed(r, v, n);
	case FORM_PLANES:
		return take_planes(c, r, v, n);
	default:
		return false;
	}
}

bool gg_ints_take(struct gg_block_coder *c, struct gg_reader *r, uint64_t *v, uint32_t n)
{
	uint8_t head = gg_read_u8(r);
	unsigned transform = head >> 4;
	uint64_t value = 0, step = 0;
	if (transform > 2 || n < transform + 1)
		return false;
	if (transform > 0)
		value = (uint64_t)gg_unzigzag(gg_take_varint(r));
	if (transform > 1)
		step = (uint64_t)gg_unzigzag(gg_take_varint(r));
	if (!take_form(c, r, head & 15, v + transform, n - transform) || r->failed)
		return false;
	if (transform == 1) {
		v[0] = value;
		for (uint32_t i = 1; i < n; i++)
			v[i] = value += v[i];
	} else if (transform == 2) {
		v[0] = value;
		v[1] = value += step;
		for (uint32_t i = 2; i < n; i++)
			v[i] = value += step += v[i];
	}
	return true;
}
