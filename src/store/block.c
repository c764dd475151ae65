/* SPDX-License-Identifier: Apache-2.0 */
/* Columns of samples in memory: adding, sorting, summing up. */
#include "store/block.h"

#include <math.h>

void gg_block_init(struct gg_block *b)
{
	*b = (struct gg_block){.text = GG_BUF(GG_BLOCK_TEXT_MAX)};
}

void gg_block_done(struct gg_block *b)
{
	free(b->times);
	free(b->values);
	free(b->marks);
	gg_buf_done(&b->text);
	gg_block_init(b);
}

void gg_block_clear(struct gg_block *b)
{
	b->count = 0;
	b->unsorted = false;
	gg_buf_clear(&b->text);
}

size_t gg_block_memory(const struct gg_block *b)
{
	return b->cap * (sizeof *b->times + sizeof *b->values + sizeof *b->marks) + b->text.cap;
}

enum { MOST = 1 << 24 };

static int grow(struct gg_block *b)
{
	uint32_t cap = b->cap ? b->cap * 2 : 16;
	if (cap > MOST)
		return -E2BIG;
	int64_t *times = realloc(b->times, cap * sizeof *times);
	if (times)
		b->times = times;
	uint64_t *values = realloc(b->values, cap * sizeof *values);
	if (values)
		b->values = values;
	uint32_t *marks = realloc(b->marks, cap * sizeof *marks);
	if (marks)
		b->marks = marks;
	if (!times || !values || !marks)
		return -ENOMEM;
	b->cap = cap;
	return 0;
}

int gg_block_add(struct gg_block *b, const struct gg_sample *s, struct gg_str text)
{
	int status = b->count == b->cap ? grow(b) : 0;
	if (status < 0)
		return status;
	uint32_t i = b->count;
	uint64_t value = s->v.u;
	if (s->type == GG_TYPE_BOOL)
		value = s->v.b;
	else if (s->type == GG_TYPE_NONE)
		value = 0;
	else if (s->type >= GG_TYPE_STRING) {
		value = (uint64_t)b->text.len << 32 | text.len;
		gg_buf_str(&b->text, text);
		if (b->text.error)
			return b->text.error;
	}
	b->unsorted |= i > 0 && s->time_ns < b->times[i - 1];
	b->times[i] = s->time_ns;
	b->values[i] = value;
	b->marks[i] = s->type | (uint32_t)s->quality << 8 | (uint32_t)s->aux << 16;
	b->count++;
	return 0;
}

uint32_t gg_block_at(const struct gg_block *b, int64_t time_ns)
{
	uint32_t low = 0, high = b->count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (b->times[middle] < time_ns)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* ---- sorting ---- */

struct place {
	int64_t time;
	uint32_t at;
};

static int by_time(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

int gg_block_sort(struct gg_block *b)
{
	if (!b->unsorted)
		return 0;
	struct place *places = malloc(b->count * sizeof *places);
	uint64_t *values = malloc(b->cap * sizeof *values);
	uint32_t *marks = malloc(b->cap * sizeof *marks);
	if (!places || !values || !marks) {
		free(places);
		free(values);
		free(marks);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < b->count; i++)
		places[i] = (struct place){b->times[i], i};
	qsort(places, b->count, sizeof *places, by_time);
	for (uint32_t i = 0; i < b->count; i++) {
		b->times[i] = places[i].time;
		values[i] = b->values[places[i].at];
		marks[i] = b->marks[places[i].at];
	}
	free(places);
	free(b->values);
	free(b->marks);
	b->values = values;
	b->marks = marks;
	b->unsorted = false;
	return 0;
}

/* ---- the same twice ---- */

bool gg_block_same(const struct gg_block *a, uint32_t i, const struct gg_block *b, uint32_t k)
{
	if (a->times[i] != b->times[k] || a->marks[i] != b->marks[k])
		return false;
	if ((uint8_t)a->marks[i] < GG_TYPE_STRING)
		return a->values[i] == b->values[k];
	return gg_str_eq(gg_block_text(a, i), gg_block_text(b, k));
}

uint32_t gg_block_unique(struct gg_block *b)
{
	uint32_t kept = 0, equals = 0; /* where those of the same time begin */
	for (uint32_t i = 0; i < b->count; i++) {
		bool twice = false;
		if (kept == 0 || b->times[i] != b->times[kept - 1])
			equals = kept;
		for (uint32_t k = equals; k < kept && !twice; k++)
			twice = gg_block_same(b, k, b, i);
		if (twice)
			continue;
		b->times[kept] = b->times[i];
		b->values[kept] = b->values[i];
		b->marks[kept++] = b->marks[i];
	}
	uint32_t gone = b->count - kept;
	b->count = kept;
	return gone;
}

/* ---- summing up ---- */

void gg_summary_add(struct gg_summary *s, int64_t time_ns, double value)
{
	if (s->count == 0 || value < s->min)
		s->min = value;
	if (s->count == 0 || value > s->max)
		s->max = value;
	if (s->count == 0 || time_ns < s->first_ns) {
		s->first_ns = time_ns;
		s->first = value;
	}
	if (s->count == 0 || time_ns >= s->last_ns) {
		s->last_ns = time_ns;
		s->last = value;
	}
	s->sum += value;
	s->count++;
}

void gg_summary_join(struct gg_summary *s, const struct gg_summary *other)
{
	if (other->count == 0)
		return;
	if (s->count == 0) {
		*s = *other;
		return;
	}
	s->min = other->min < s->min ? other->min : s->min;
	s->max = other->max > s->max ? other->max : s->max;
	if (other->first_ns < s->first_ns) {
		s->first_ns = other->first_ns;
		s->first = other->first;
	}
	if (other->last_ns >= s->last_ns) {
		s->last_ns = other->last_ns;
		s->last = other->last;
	}
	s->sum += other->sum;
	s->count += other->count;
}

/* Doubles that are all good, the usual case, without a look at each one's type. */
static bool add_doubles(struct gg_summary *s, const struct gg_block *b, uint32_t i, uint32_t end)
{
	uint32_t marks = 0;
	for (uint32_t k = i; k < end; k++)
		marks |= b->marks[k] ^ GG_TYPE_FLOAT;
	if (marks || i == end)
		return false;
	const double *v = (const double *)(const void *)b->values;
	double low = v[i], high = v[i], sum = 0;
	for (uint32_t k = i; k < end; k++) {
		low = v[k] < low ? v[k] : low;
		high = v[k] > high ? v[k] : high;
		sum += v[k];
	}
	if (!isfinite(sum))
		return false;
	struct gg_summary mine = {end - i, low, high, sum, v[i], v[end - 1], b->times[i], b->times[end - 1]};
	gg_summary_join(s, &mine);
	return true;
}

void gg_summary_block(struct gg_summary *s, const struct gg_block *b, uint32_t i, uint32_t end)
{
	if (!b->unsorted && add_doubles(s, b, i, end))
		return;
	for (; i < end; i++) {
		struct gg_sample x = gg_block_sample(b, i);
		double value = gg_sample_number(&x);
		if (x.quality != GG_BAD && isfinite(value))
			gg_summary_add(s, x.time_ns, value);
	}
}
