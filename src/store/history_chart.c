/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Charts: summaries of a range in buckets, from the coarsest that will do.
 *
 *   range ─▶ rows of rollups of the level ─┬▶ steps inside one bucket: joined
 *                                          ├▶ steps over an edge: the same, a level lower
 *                                          └▶ where there is no row: the same, a level lower
 *   lowest ─▶ blocks ─┬▶ inside one bucket: the row's summary, not even read
 *                     ├▶ over an edge: decoded
 *                     └▶ several over each other (late data): merged sample by sample
 *
 * The ends of the range are exact. Between two buckets in the middle the edge is sharp to 1/256 of a bucket:
 * steps that small are not split. What memory has is merged with the blocks it lies over, sample by sample.
 */
#include "store/history_private.h"

#include <math.h>

enum { SHARP = 256, GAP_NS_S = 3600 };

struct chart {
	struct gg_history_reader *r;
	int64_t from;
	uint64_t width; /* ns of a bucket */
	struct gg_summary *buckets;
	size_t count;
};

static size_t bucket_of(const struct chart *c, int64_t time)
{
	size_t i = (size_t)(((uint64_t)time - (uint64_t)c->from) / c->width);
	return i < c->count ? i : c->count - 1;
}

/* ---- samples ---- */

static void chart_source(const struct chart *c, const struct gg_source *s)
{
	for (uint32_t i = s->at; i < s->end;) {
		size_t bucket = bucket_of(c, s->block->times[i]);
		uint32_t end = i + 1;
		while (end < s->end && bucket_of(c, s->block->times[end]) == bucket)
			end++;
		gg_summary_block(&c->buckets[bucket], s->block, i, end);
		i = end;
	}
}

/* Sample by sample over [from, to): blocks over each other, and memory. */
static int chart_merged(const struct chart *c, int64_t from, int64_t to, bool with_memory)
{
	struct gg_sample x;
	struct gg_str text;
	int status = gg_history_begin(c->r, from, to - 1, with_memory);
	while (status == 0 && (status = gg_history_next(c->r, &x, &text)) == 1) {
		double value = gg_sample_number(&x);
		if (x.quality != GG_BAD && isfinite(value))
			gg_summary_add(&c->buckets[bucket_of(c, x.time_ns)], x.time_ns, value);
		status = 0;
	}
	sqlite3_reset(c->r->blocks);
	return status;
}

/* A row, or several over each other, that is not counted yet. */
struct cluster {
	int64_t first, last;
	unsigned rows;
	bool decoded;
	struct gg_summary sum;
};

static int end_cluster(const struct chart *c, struct cluster *k, int64_t from, int64_t to)
{
	struct cluster done = *k;
	*k = (struct cluster){0};
	if (done.rows > 1)
		return chart_merged(c, done.first > from ? done.first : from,
			done.last < to ? done.last + 1 : to, /* with_memory= */ false);
	if (done.rows == 1 && done.decoded)
		chart_source(c, &c->r->chart);
	else if (done.rows == 1)
		gg_summary_join(&c->buckets[bucket_of(c, done.first)], &done.sum);
	return 0;
}

/* Begins a cluster with the statement's row. */
static int begin_cluster(const struct chart *c, struct cluster *k, int64_t from, int64_t to)
{
	sqlite3_stmt *q = c->r->summaries;
	*k = (struct cluster){sqlite3_column_int64(q, 0), sqlite3_column_int64(q, 1), 1, true, {0}};
	if (k->first >= from && k->last < to && bucket_of(c, k->first) == bucket_of(c, k->last)) {
		k->decoded = false;
		k->sum = (struct gg_summary){.count = (uint64_t)sqlite3_column_int64(q, 3),
			.min = sqlite3_column_double(q, 4),
			.max = sqlite3_column_double(q, 5),
			.sum = sqlite3_column_double(q, 6),
			.first_ns = sqlite3_column_int64(q, 7),
			.first = sqlite3_column_double(q, 8),
			.last_ns = sqlite3_column_int64(q, 9),
			.last = sqlite3_column_double(q, 10)};
		return 0;
	}
	struct gg_source *s = &c->r->chart;
	s->block = &s->own;
	int status = gg_history_decode(c->r, &s->own, gg_sql_column(q, 11), k->first);
	s->at = gg_block_at(&s->own, from);
	s->end = gg_block_at(&s->own, to);
	return status;
}

static int chart_blocks(const struct chart *c, int64_t from, int64_t to)
{
	struct gg_history_reader *r = c->r;
	struct cluster k = {0};
	int status = 0, code = SQLITE_DONE;
	gg_history_bind_range(r, r->summaries, from, to - 1);
	while (status == 0 && (code = sqlite3_step(r->summaries)) == SQLITE_ROW) {
		if ((uint64_t)sqlite3_column_int64(r->summaries, 2) >= r->copied_from)
			continue;
		int64_t t0 = sqlite3_column_int64(r->summaries, 0),
			t1 = sqlite3_column_int64(r->summaries, 1);
		if (k.rows > 0 && t0 <= k.last) {
			k.rows++;
			k.last = t1 > k.last ? t1 : k.last;
			continue;
		}
		status = end_cluster(c, &k, from, to);
		if (status == 0)
			status = begin_cluster(c, &k, from, to);
	}
	sqlite3_reset(r->summaries);
	if (status == 0)
		status = gg_sql_errno(code);
	return status == 0 ? end_cluster(c, &k, from, to) : status;
}

/* ---- rollups ---- */

static int chart_level(const struct chart *c, unsigned level, int64_t from, int64_t to);

/*
 * A step over an edge: a level lower, into buckets of its own; if the samples there are forgotten or fewer,
 * the step counts where it begins.
 */
static int split_step(const struct chart *c, unsigned level, const struct gg_roll *x)
{
	enum { PIECES = 64 };
	struct gg_summary pieces[PIECES] = {0};
	int64_t end = x->start + gg_level_width[level];
	size_t first = bucket_of(c, x->start), count = bucket_of(c, end - 1) - first + 1;
	uint64_t found = 0;
	int status = 0;
	if (count <= PIECES) {
		struct chart part = *c;
		part.from = c->from + (int64_t)(first * c->width);
		part.buckets = pieces;
		part.count = count;
		status = chart_level(&part, level - 1, x->start, end);
	}
	for (size_t i = 0; i < count && count <= PIECES; i++)
		found += pieces[i].count;
	if (found != x->sum.count)
		gg_summary_join(&c->buckets[first], &x->sum);
	for (size_t i = 0; i < count && found == x->sum.count; i++)
		gg_summary_join(&c->buckets[first + i], &pieces[i]);
	return status;
}

static int chart_rollup(const struct chart *c, unsigned level, int64_t from, int64_t to)
{
	const struct gg_rollup *rolls = &c->r->rolls[level];
	int64_t width = gg_level_width[level];
	bool small = (uint64_t)width <= c->width / SHARP;
	int status = 0;
	for (uint32_t i = 0; i < rolls->count && status == 0; i++) {
		const struct gg_roll *x = &rolls->items[i];
		int64_t end = x->start + width;
		if (end <= from || x->start >= to)
			continue;
		if (x->start < from || end > to)
			status = chart_level(
				c, level - 1, x->start < from ? from : x->start, end > to ? to : end);
		else if (small || bucket_of(c, x->start) == bucket_of(c, end - 1))
			gg_summary_join(&c->buckets[bucket_of(c, x->start)], &x->sum);
		else
			status = split_step(c, level, x);
	}
	return status;
}

static int chart_level(const struct chart *c, unsigned level, int64_t from, int64_t to)
{
	if (from >= to)
		return 0;
	if (level == 0)
		return chart_blocks(c, from, to);
	struct gg_history_reader *r = c->r;
	sqlite3_stmt *q = r->rollups[level];
	int64_t low, at = from;
	if (__builtin_sub_overflow(from, gg_level_span[level], &low))
		low = INT64_MIN;
	sqlite3_bind_int64(q, 1, r->id);
	sqlite3_bind_int(q, 2, (int)level);
	sqlite3_bind_int64(q, 3, low);
	sqlite3_bind_int64(q, 4, to);
	int status = 0, code = SQLITE_DONE;
	while (status == 0 && (code = sqlite3_step(q)) == SQLITE_ROW) {
		int64_t t0 = sqlite3_column_int64(q, 0), t1 = sqlite3_column_int64(q, 1);
		if (t1 <= at)
			continue;
		status = gg_rollup_decode(r->coder, &r->rolls[level], gg_sql_column(q, 2));
		if (status == -EINVAL) {
			r->damaged++;
			status = 0;
			continue; /* as if there were none */
		}
		if (status == 0 && t0 > at)
			status = chart_level(c, level - 1, at, t0);
		if (status == 0)
			status = chart_rollup(c, level, t0 > at ? t0 : at, t1 < to ? t1 : to);
		at = t1;
	}
	sqlite3_reset(q);
	if (status < 0 || gg_sql_errno(code) < 0)
		return status < 0 ? status : gg_sql_errno(code);
	return chart_level(c, level - 1, at, to);
}

/* ---- all of it ---- */

static unsigned level_for(uint64_t width)
{
	unsigned level = GG_LEVELS - 1;
	while (level > 0 && (uint64_t)gg_level_width[level] > width)
		level--;
	return level;
}

/* Stretches of time where memory has samples go sample by sample, what lies between from rollups. */
static int chart_all(const struct chart *c, unsigned level, int64_t to)
{
	const struct gg_block *m = &c->r->memory;
	int64_t at = c->from;
	int status = 0;
	for (uint32_t i = 0, end; i < m->count && status == 0; i = end) {
		for (end = i + 1;
			end < m->count && m->times[end] - m->times[end - 1] < GAP_NS_S * GG_NS_PER_S;)
			end++;
		status = chart_level(c, level, at, m->times[i]);
		at = m->times[end - 1] + 1;
		if (status == 0)
			status = chart_merged(c, m->times[i], at, /* with_memory= */ true);
	}
	return status == 0 ? chart_level(c, level, at, to) : status;
}

int gg_history_buckets(struct gg_history_reader *r, int64_t id, int64_t span, unsigned level, int64_t from,
	int64_t width, struct gg_summary *buckets, size_t count)
{
	memset(buckets, 0, count * sizeof *buckets);
	struct chart c = {r, from, (uint64_t)width, buckets, count};
	gg_block_clear(&r->memory);
	r->copied_from = UINT64_MAX;
	r->id = id;
	r->span = span;
	int status = gg_sql_run(r->db, "BEGIN");
	if (status == 0)
		status = chart_level(&c, level, from, from + width * (int64_t)count);
	gg_sql_run(r->db, "COMMIT");
	return status;
}

int gg_history_chart(struct gg_history_reader *r, struct gg_str signal, int64_t from, int64_t to,
	struct gg_summary *buckets, size_t count)
{
	if (from >= to || count == 0)
		return -EINVAL;
	memset(buckets, 0, count * sizeof *buckets);
	struct chart c = {r, from, ((uint64_t)to - (uint64_t)from + count - 1) / count, buckets, count};
	sqlite3_reset(r->blocks);
	int status = gg_history_look_up(r, signal, from, to - 1);
	if (status < 0)
		return status;
	/* one view of the file for all that follows */
	status = gg_sql_run(r->db, "BEGIN");
	if (status == 0)
		status = chart_all(&c, r->id ? level_for(c.width) : 0, to);
	gg_sql_run(r->db, "COMMIT");
	r->count = 0;
	return status;
}
