/* SPDX-License-Identifier: Apache-2.0 */
#include "store/query_rollups.h"

#include "base/clock.h"

enum { AT_ONCE = 1024 };

const struct gg_query_width gg_query_widths[GG_QUERY_WIDTHS] = {{"1s", GG_NS_PER_S},
	{"1min", 60 * GG_NS_PER_S}, {"1h", 3600 * GG_NS_PER_S}, {"1d", 86400 * GG_NS_PER_S}};

void gg_query_rollups_done(struct gg_query_rollups *r)
{
	free(r->sums);
	*r = (struct gg_query_rollups){.done = true};
}

/* The bucket that holds ns begins here; the very first one of all time would begin before it. */
static int64_t begin_of(int64_t ns, int64_t width)
{
	int64_t rest = ns % width, begin;
	return __builtin_sub_overflow(ns, rest < 0 ? rest + width : rest, &begin) ? INT64_MIN : begin;
}

int gg_query_rollups_begin(struct gg_query_rollups *r, struct gg_history_reader *reader, struct gg_str signal,
	int64_t width, int64_t from, int64_t to)
{
	struct gg_summary *sums = r->sums ? r->sums : calloc(AT_ONCE, sizeof *sums);
	if (!sums)
		return -ENOMEM;
	*r = (struct gg_query_rollups){.reader = reader, .signal = signal, .width = width, .sums = sums};
	r->next = begin_of(from, width);
	if (r->next < from && __builtin_add_overflow(r->next, width, &r->next))
		r->done = true;
	r->last = begin_of(to, width);
	return 0;
}

/* Where numbers go on, at or behind r->next: 1, or 0 when there are none. What of samples only rollups are
 * left counts as well. */
static int look(struct gg_query_rollups *r, int64_t *ret_begin)
{
	struct gg_summary all;
	int64_t end;
	if (r->next > r->last)
		return 0;
	if (__builtin_add_overflow(r->last, r->width, &end))
		end = INT64_MAX;
	int status = gg_history_chart(r->reader, r->signal, r->next, end, &all, 1);
	if (status < 0 || all.count == 0)
		return status;
	*ret_begin = begin_of(all.first_ns, r->width);
	return 1;
}

/* Sums up the next buckets; those of a gap are leapt over. */
static int fill(struct gg_query_rollups *r)
{
	int64_t behind;
	bool gap = true;
	for (size_t i = 0; i < r->count && gap; i++)
		gap = r->sums[i].count == 0;
	r->begin = r->next;
	r->at = r->count = 0;
	int status = gap ? look(r, &r->begin) : r->next <= r->last;
	r->done = status != 1;
	if (status != 1)
		return status;
	int64_t wanted = (r->last - r->begin) / r->width + 1;
	r->count = wanted > 0 && wanted < AT_ONCE ? (size_t)wanted : AT_ONCE;
	if (__builtin_add_overflow(r->begin, (int64_t)r->count * r->width, &behind)) {
		r->count = 1;
		behind = INT64_MAX;
		r->done = true;
	}
	r->next = behind;
	return gg_history_chart(r->reader, r->signal, r->begin, behind, r->sums, r->count);
}

int gg_query_rollups_next(struct gg_query_rollups *r, int64_t *ret_ns, struct gg_summary *ret_sum)
{
	for (;;) {
		for (; r->at < r->count; r->at++) {
			if (r->sums[r->at].count == 0)
				continue;
			*ret_ns = r->begin + (int64_t)r->at * r->width;
			*ret_sum = r->sums[r->at++];
			return 1;
		}
		int status = r->done ? 0 : fill(r);
		if (status < 0 || r->count == 0 || r->at == r->count)
			return status;
	}
}
