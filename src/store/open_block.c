/* SPDX-License-Identifier: Apache-2.0 */
#include "store/open_block.h"
#include "store/varint.h"

/* The longest sample without its text: head, mark, time, value or length. */
enum { FIRST_CAP = 32, LONGEST = 1 + 5 + 10 + 10, MARK_FOLLOWS = 0x80 };

struct gg_open_block *gg_open_block_new(void)
{
	struct gg_open_block *b = calloc(1, sizeof *b + FIRST_CAP);
	if (b)
		b->cap = FIRST_CAP;
	return b;
}

/* By half: what is not used yet is a sixth on average. */
static int make_room(struct gg_open_block **b, size_t more)
{
	size_t need = (*b)->used + more, cap = (*b)->cap;
	if (need <= cap)
		return 0;
	if (need > GG_BLOCK_TEXT_MAX)
		return -E2BIG;
	while (cap < need)
		cap = (cap + cap / 2 + 15) & ~(size_t)15;
	struct gg_open_block *fresh = realloc(*b, sizeof *fresh + cap);
	if (!fresh)
		return -ENOMEM;
	fresh->cap = (uint32_t)cap;
	*b = fresh;
	return 0;
}

static uint64_t value_of(const struct gg_sample *s)
{
	if (s->type == GG_TYPE_BOOL)
		return s->v.b;
	return s->type == GG_TYPE_NONE ? 0 : s->v.u;
}

/* The bytes between the zeros above and below; returns the head for them. */
static uint8_t put_value(uint8_t **p, uint64_t different)
{
	if (!different)
		return 0;
	unsigned above = (unsigned)__builtin_clzll(different) / 8,
		 below = (unsigned)__builtin_ctzll(different) / 8;
	unsigned kept = 8 - above - below;
	uint64_t bytes = GG_LE64(different >> (8 * below));
	memcpy(*p, &bytes, sizeof bytes);
	*p += kept;
	return (uint8_t)(above | kept << 3);
}

int gg_open_block_add(struct gg_open_block **at, const struct gg_sample *s, struct gg_str text)
{
	bool is_text = s->type >= GG_TYPE_STRING;
	int status = make_room(at, LONGEST + (is_text ? text.len : 0));
	if (status < 0)
		return status;
	struct gg_open_block *b = *at;
	uint32_t mark = s->type | (uint32_t)s->quality << 8 | (uint32_t)s->aux << 16;
	uint64_t step = (uint64_t)s->time_ns - (uint64_t)b->last_ns;
	uint8_t *head = b->bytes + b->used, *p = head + 1;
	*head = 0;
	if (mark != b->mark) {
		p = gg_put_varint(p, mark);
		*head = MARK_FOLLOWS;
	}
	p = gg_put_varint(p, gg_zigzag((int64_t)(step - b->last_step)));
	if (is_text) {
		p = gg_put_varint(p, text.len);
		if (text.len)
			memcpy(p, text.p, text.len);
		p += text.len;
	} else {
		uint64_t value = value_of(s);
		*head |= put_value(&p, value ^ b->last_value);
		b->last_value = value;
	}
	if (b->count++ == 0) {
		b->first_ns = s->time_ns;
		step = 0;
	}
	b->mark = mark;
	b->last_step = step;
	b->last_ns = s->time_ns;
	b->used = (uint32_t)(p - b->bytes);
	return 0;
}

static uint64_t take_value(struct gg_reader *r, uint8_t head)
{
	unsigned above = head & 7, kept = head >> 3 & 15;
	uint64_t bytes = 0;
	const uint8_t *p = gg_read_bytes(r, kept);
	if (!p || !kept || above + kept > 8)
		return 0;
	memcpy(&bytes, p, kept);
	return GG_LE64(bytes) << (8 * (8 - above - kept));
}

int gg_open_block_copy(const struct gg_open_block *b, struct gg_block *to, int64_t from_ns, int64_t to_ns)
{
	struct gg_reader r = gg_reader(b->bytes, b->used);
	uint64_t time = 0, step = 0, value = 0;
	uint32_t mark = 0;
	int status = 0;
	for (uint32_t i = 0; i < b->count && status == 0; i++) {
		struct gg_str text = GG_STR("");
		uint8_t head = gg_read_u8(&r);
		if (head & MARK_FOLLOWS)
			mark = (uint32_t)gg_take_varint(&r);
		step += (uint64_t)gg_unzigzag(gg_take_varint(&r));
		time += step;
		if (i == 0)
			step = 0;
		if ((uint8_t)mark >= GG_TYPE_STRING)
			text = gg_read_str(&r, (size_t)gg_take_varint(&r));
		else
			value ^= take_value(&r, head);
		struct gg_sample s = {.time_ns = (int64_t)time,
			.type = (uint8_t)mark,
			.quality = (uint8_t)(mark >> 8),
			.aux = (uint16_t)(mark >> 16),
			.v.u = value};
		if (s.type == GG_TYPE_BOOL)
			s.v.b = value != 0;
		if (s.time_ns >= from_ns && s.time_ns <= to_ns)
			status = gg_block_add(to, &s, text);
	}
	return status;
}
