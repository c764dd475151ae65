/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compressed form of a row of rollups: blocks (block_codec.c), one behind the other.
 *
 *   row    u8 version 1, u8 1 = every step has one sample, then blocks, each after a varint of its length:
 *          counts (at the steps' starts), last values (at their times); unless there is one sample a step:
 *          first values (at their times), minima, maxima, sums (at the starts)
 *
 * A sum of decimals carries the noise of its additions, which would cost six bytes; it is rounded to the
 * decimal that lies within that noise.
 */
#include "store/history_rollup.h"
#include "store/varint.h"

#include <math.h>

enum { VERSION = 1, SINGLE = 1 };

enum column { COUNTS, LASTS, FIRSTS, MINIMA, MAXIMA, SUMS, COLUMNS };

void gg_rollup_init(struct gg_rollup *r)
{
	*r = (struct gg_rollup){0};
	gg_block_init(&r->scratch);
}

void gg_rollup_done(struct gg_rollup *r)
{
	free(r->items);
	gg_block_done(&r->scratch);
	gg_rollup_init(r);
}

static int reserve(struct gg_rollup *r, uint32_t count)
{
	if (count <= r->cap)
		return 0;
	uint32_t cap = count < 64 ? 64 : count + count / 2;
	struct gg_roll *fresh = realloc(r->items, cap * sizeof *fresh);
	if (!fresh)
		return -ENOMEM;
	r->items = fresh;
	r->cap = cap;
	return 0;
}

int gg_rollup_add(struct gg_rollup *r, int64_t start, const struct gg_summary *sum)
{
	if (reserve(r, r->count + 1) < 0)
		return -ENOMEM;
	r->items[r->count++] = (struct gg_roll){start, *sum};
	return 0;
}

int gg_rollup_join(struct gg_rollup *r, int64_t start, const struct gg_summary *sum)
{
	uint32_t i = 0;
	while (i < r->count && r->items[i].start < start)
		i++;
	if (i < r->count && r->items[i].start == start) {
		gg_summary_join(&r->items[i].sum, sum);
		return 0;
	}
	if (reserve(r, r->count + 1) < 0)
		return -ENOMEM;
	memmove(&r->items[i + 1], &r->items[i], (r->count - i) * sizeof *r->items);
	r->items[i] = (struct gg_roll){start, *sum};
	r->count++;
	return 0;
}

static double tidy(double sum)
{
	double power = 1, room = fabs(sum) * 1e-13;
	for (int digits = 0; digits <= 6 && fabs(sum * power) < 1e15; digits++, power *= 10) {
		double rounded = round(sum * power) / power;
		if (fabs(rounded - sum) <= room)
			return rounded;
	}
	return sum;
}

static struct gg_sample cell(const struct gg_roll *x, enum column column)
{
	struct gg_sample s = {.type = GG_TYPE_FLOAT, .time_ns = x->start};
	switch (column) {
	case COUNTS:
		s.type = GG_TYPE_UINT;
		s.v.u = x->sum.count;
		break;
	case LASTS:
		s.time_ns = x->sum.last_ns;
		s.v.f = x->sum.last;
		break;
	case FIRSTS:
		s.time_ns = x->sum.first_ns;
		s.v.f = x->sum.first;
		break;
	case MINIMA:
		s.v.f = x->sum.min;
		break;
	case MAXIMA:
		s.v.f = x->sum.max;
		break;
	default:
		s.v.f = tidy(x->sum.sum);
	}
	return s;
}

static int encode_column(struct gg_block_coder *c, struct gg_rollup *r, enum column column, struct gg_buf *to)
{
	struct gg_buf bytes = GG_BUF(16 << 20);
	uint8_t head[10];
	int status = 0;
	gg_block_clear(&r->scratch);
	for (uint32_t i = 0; i < r->count && status == 0; i++) {
		struct gg_sample s = cell(&r->items[i], column);
		status = gg_block_add(&r->scratch, &s, GG_STR(""));
	}
	if (status == 0)
		status = gg_block_encode(c, &r->scratch, &bytes);
	if (status == 0) {
		gg_buf_add(to, head, (size_t)(gg_put_varint(head, bytes.len) - head));
		gg_buf_str(to, gg_buf_view(&bytes));
		status = to->error;
	}
	gg_buf_done(&bytes);
	return status;
}

int gg_rollup_encode(struct gg_block_coder *c, struct gg_rollup *r, struct gg_buf *to)
{
	bool single = true;
	for (uint32_t i = 0; i < r->count; i++)
		single &= r->items[i].sum.count == 1;
	gg_buf_char(to, VERSION);
	gg_buf_char(to, single ? SINGLE : 0);
	int status = to->error;
	for (int k = 0; k < (single ? FIRSTS : COLUMNS) && status == 0; k++)
		status = encode_column(c, r, (enum column)k, to);
	return status;
}

static void take_cell(struct gg_roll *x, enum column column, const struct gg_block *b, uint32_t i)
{
	double value;
	memcpy(&value, &b->values[i], sizeof value);
	switch (column) {
	case COUNTS:
		x->start = b->times[i];
		x->sum.count = b->values[i];
		break;
	case LASTS:
		x->sum.last_ns = x->sum.first_ns = b->times[i];
		x->sum.last = x->sum.first = x->sum.min = x->sum.max = x->sum.sum = value;
		break;
	case FIRSTS:
		x->sum.first_ns = b->times[i];
		x->sum.first = value;
		break;
	case MINIMA:
		x->sum.min = value;
		break;
	case MAXIMA:
		x->sum.max = value;
		break;
	default:
		x->sum.sum = value;
	}
}

int gg_rollup_decode(struct gg_block_coder *c, struct gg_rollup *r, struct gg_str bytes)
{
	struct gg_reader in = gg_reader(bytes.p, bytes.len);
	uint8_t version = gg_read_u8(&in), flags = gg_read_u8(&in);
	r->count = 0;
	if (in.failed || version != VERSION || flags > SINGLE)
		return -EINVAL;
	for (int k = 0; k < (flags == SINGLE ? FIRSTS : COLUMNS); k++) {
		uint64_t len = gg_take_varint(&in);
		struct gg_str block = gg_read_str(&in, len > gg_reader_left(&in) ? SIZE_MAX : (size_t)len);
		int status = in.failed ? -EINVAL : gg_block_decode(c, &r->scratch, block);
		if (status == 0 && k == COUNTS)
			status = reserve(r, r->scratch.count);
		if (status == 0 && k > COUNTS && r->scratch.count != r->count)
			status = -EINVAL;
		if (status < 0) {
			r->count = 0;
			return status;
		}
		r->count = r->scratch.count;
		for (uint32_t i = 0; i < r->count; i++)
			take_cell(&r->items[i], (enum column)k, &r->scratch, i);
	}
	return gg_reader_left(&in) == 0 ? 0 : -EINVAL;
}
