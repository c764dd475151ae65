/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the history: rows of the file and blocks still in memory, merged by time.
 *
 * A block moves from memory into the file while somebody reads. So the reader first copies what memory has of
 * the signal, then begins to read the file, and passes over rows that end at or behind the first journal
 * position of its copy: these it has.
 */
#include "store/history_private.h"

enum { SOURCES = 64 };

struct source {
	struct gg_block block;
	uint32_t at, end;
};

struct gg_history_reader {
	struct gg_history *history; /* NULL = only the file */
	sqlite3 *db;
	sqlite3_stmt *find, *blocks, *summaries, *names;
	struct source *sources[SOURCES]; /* decoded and in use; those behind count are spare */
	size_t count;
	struct source *last;  /* whose sample was given last */
	uint64_t copied_from; /* rows that end there or later are in our copy */
	bool pending;         /* blocks has a row that is not decoded yet */
	int64_t pending_t0, from, to;
};

static int prepare(struct gg_history_reader *r, struct gg_error *e)
{
	int status = gg_sql_prepare(r->db, "SELECT id, max_span FROM signals WHERE name=?", &r->find, e);
	if (status == 0)
		status = gg_sql_prepare(r->db,
			"SELECT t0, t1, p1, data FROM blocks WHERE signal=?1 AND t0 BETWEEN ?2 AND ?3 AND "
			"t1>=?4"
			" ORDER BY t0, id",
			&r->blocks, e);
	if (status == 0)
		status = gg_sql_prepare(r->db,
			"SELECT t0, t1, p1, good, low, high, sum, first_ns, first, last_ns, last, data FROM "
			"blocks"
			" WHERE signal=?1 AND t0 BETWEEN ?2 AND ?3 AND t1>=?4",
			&r->summaries, e);
	if (status == 0)
		status = gg_sql_prepare(
			r->db, "SELECT name, unit, title FROM signals ORDER BY name", &r->names, e);
	return status;
}

static int reader_open(
	struct gg_history *h, const char *path, struct gg_history_reader **ret_reader, struct gg_error *e)
{
	struct gg_history_reader *r = calloc(1, sizeof *r);
	if (!r)
		return gg_error_set(e, -ENOMEM, "out of memory");
	r->history = h;
	int status = gg_sql_open(path, /* read_only= */ true, &r->db, e);
	if (status == 0)
		status = prepare(r, e);
	if (status < 0) {
		gg_history_reader_free(r);
		return status;
	}
	*ret_reader = r;
	return 0;
}

int gg_history_reader_new(struct gg_history *h, struct gg_history_reader **ret_reader, struct gg_error *e)
{
	return reader_open(h, h->path, ret_reader, e);
}

int gg_history_reader_open(const char *path, struct gg_history_reader **ret_reader, struct gg_error *e)
{
	return reader_open(NULL, path, ret_reader, e);
}

struct gg_history_reader *gg_history_reader_free(struct gg_history_reader *r)
{
	if (!r)
		return NULL;
	sqlite3_finalize(r->find);
	sqlite3_finalize(r->blocks);
	sqlite3_finalize(r->summaries);
	sqlite3_finalize(r->names);
	sqlite3_close(r->db);
	for (size_t i = 0; i < SOURCES; i++) {
		if (r->sources[i])
			gg_block_done(&r->sources[i]->block);
		free(r->sources[i]);
	}
	free(r);
	return NULL;
}

/* ---- sources ---- */

/* A spare one at the end; NULL when there are too many blocks over each other, or no memory. */
static struct source *add_source(struct gg_history_reader *r)
{
	if (r->count == SOURCES)
		return NULL;
	if (!r->sources[r->count]) {
		r->sources[r->count] = calloc(1, sizeof *r->sources[0]);
		if (!r->sources[r->count])
			return NULL;
		gg_block_init(&r->sources[r->count]->block);
	}
	gg_block_clear(&r->sources[r->count]->block);
	return r->sources[r->count++];
}

static void drop_source(struct gg_history_reader *r, size_t i)
{
	struct source *s = r->sources[i];
	/* the order of the others stays: equal times come out as they came in */
	memmove(&r->sources[i], &r->sources[i + 1], (r->count - i - 1) * sizeof *r->sources);
	r->sources[--r->count] = s;
}

static void clip(struct gg_history_reader *r, struct source *s)
{
	s->at = gg_block_at(&s->block, r->from);
	s->end = r->to == INT64_MAX ? s->block.count : gg_block_at(&s->block, r->to + 1);
}

static int copy_block(struct gg_history_reader *r, const struct gg_open_block *b)
{
	struct source *s = add_source(r);
	if (!s)
		return -ENOMEM;
	int status = 0;
	for (uint32_t i = 0; i < b->block.count && status == 0; i++) {
		struct gg_sample x = gg_block_sample(&b->block, i);
		if (x.time_ns >= r->from && x.time_ns <= r->to)
			status = gg_block_add(&s->block, &x, gg_block_text(&b->block, i));
	}
	if (b->first_position < r->copied_from)
		r->copied_from = b->first_position;
	return status;
}

/* What memory has of the signal. */
static int copy_memory(struct gg_history_reader *r, struct gg_str name)
{
	r->copied_from = UINT64_MAX;
	struct gg_history *h = r->history;
	uint32_t index = h ? gg_signal_find(name) : GG_NONE;
	if (index == GG_NONE)
		return 0;
	int status = 0;
	pthread_mutex_lock(&h->lock);
	const struct gg_history_signal *s = index < h->signals_cap ? h->signals[index] : NULL;
	if (s && s->open)
		status = copy_block(r, s->open);
	if (s && s->late && status == 0)
		status = copy_block(r, s->late);
	for (const struct gg_open_block *b = s ? s->closed : NULL; b && status == 0; b = b->next)
		status = copy_block(r, b);
	pthread_mutex_unlock(&h->lock);
	for (size_t i = 0; i < r->count && status == 0; i++) {
		status = gg_block_sort(&r->sources[i]->block);
		clip(r, r->sources[i]);
	}
	return status;
}

/* Binds the range to a statement over blocks. 0 when the file does not know the signal, or 1. */
static int bind_range(struct gg_history_reader *r, sqlite3_stmt *q, struct gg_str name)
{
	gg_sql_text(r->find, 1, name);
	int code = sqlite3_step(r->find);
	int64_t id = sqlite3_column_int64(r->find, 0), span = sqlite3_column_int64(r->find, 1), low;
	sqlite3_reset(r->find);
	if (code != SQLITE_ROW)
		return gg_sql_errno(code);
	/* A block that reaches into the range began at most the longest span before it. */
	if (__builtin_sub_overflow(r->from, span, &low))
		low = INT64_MIN;
	sqlite3_bind_int64(q, 1, id);
	sqlite3_bind_int64(q, 2, low);
	sqlite3_bind_int64(q, 3, r->to);
	sqlite3_bind_int64(q, 4, r->from);
	return 1;
}

/* ---- the cursor ---- */

static int next_row(struct gg_history_reader *r)
{
	int code;
	r->pending = false;
	while ((code = sqlite3_step(r->blocks)) == SQLITE_ROW) {
		if ((uint64_t)sqlite3_column_int64(r->blocks, 2) >= r->copied_from)
			continue;
		r->pending = true;
		r->pending_t0 = sqlite3_column_int64(r->blocks, 0);
		return 0;
	}
	sqlite3_reset(r->blocks);
	return gg_sql_errno(code);
}

int gg_history_seek(struct gg_history_reader *r, struct gg_str signal, int64_t from, int64_t to)
{
	sqlite3_reset(r->blocks);
	r->count = 0;
	r->last = NULL;
	r->pending = false;
	r->from = from;
	r->to = to;
	if (from > to)
		return 0;
	int status = copy_memory(r, signal);
	if (status == 0)
		status = bind_range(r, r->blocks, signal);
	return status == 1 ? next_row(r) : status;
}

static int decode_pending(struct gg_history_reader *r)
{
	struct source *s = add_source(r);
	if (!s)
		return -ENOMEM;
	int status = gg_block_decode(&s->block, gg_sql_column(r->blocks, 3));
	if (status == -EINVAL)
		status = 0; /* a damaged block is an empty one */
	if (status == 0)
		status = gg_block_sort(&s->block);
	clip(r, s);
	return status < 0 ? status : next_row(r);
}

/* The source with the earliest sample, NULL when all are used up. */
static struct source *earliest(struct gg_history_reader *r)
{
	struct source *best = NULL;
	for (size_t i = 0; i < r->count;) {
		struct source *s = r->sources[i];
		if (s->at >= s->end) {
			drop_source(r, i);
			continue;
		}
		if (!best || s->block.times[s->at] < best->block.times[best->at])
			best = s;
		i++;
	}
	return best;
}

int gg_history_next(struct gg_history_reader *r, struct gg_sample *ret_sample, struct gg_str *ret_text)
{
	struct source *s = r->last;
	/* mostly there is one source, and the next row begins behind it */
	if (!s || r->count != 1 || s->at >= s->end)
		s = earliest(r);
	while (r->pending && (!s || r->pending_t0 <= s->block.times[s->at])) {
		int status = decode_pending(r);
		if (status < 0)
			return status;
		s = earliest(r);
	}
	r->last = s;
	if (!s)
		return 0;
	*ret_sample = gg_block_sample(&s->block, s->at);
	*ret_text = gg_block_text(&s->block, s->at);
	s->at++;
	return 1;
}

int gg_history_scan(struct gg_history_reader *r, struct gg_str signal, int64_t from, int64_t to,
	bool (*each)(void *arg, const struct gg_sample *s, struct gg_str text), void *arg)
{
	struct gg_sample s;
	struct gg_str text;
	int status = gg_history_seek(r, signal, from, to);
	while (status == 0 && (status = gg_history_next(r, &s, &text)) == 1)
		status = each(arg, &s, text) ? 0 : 2;
	sqlite3_reset(r->blocks);
	return status < 0 ? status : 0;
}

/* Beside a gateway at work, what it knows of a signal now; the file learns of it with the next block. */
static const struct gg_signal_info *info_now(const struct gg_history_reader *r, struct gg_str name)
{
	bool here = r->history && r->history->o.names == &gg_names_table;
	return here ? gg_signal(gg_signal_find(name)) : NULL;
}

int gg_history_signals(struct gg_history_reader *r, struct gg_str pattern,
	bool (*each)(void *arg, struct gg_str name, struct gg_str unit, struct gg_str title), void *arg)
{
	int code;
	while ((code = sqlite3_step(r->names)) == SQLITE_ROW) {
		struct gg_str name = gg_sql_column(r->names, 0);
		if (!gg_glob(pattern, name))
			continue;
		const struct gg_signal_info *now = info_now(r, name);
		if (!each(arg, name, now ? gg_str(now->unit) : gg_sql_column(r->names, 1),
			    now ? gg_str(now->title) : gg_sql_column(r->names, 2)))
			break;
	}
	sqlite3_reset(r->names);
	return gg_sql_errno(code);
}

/* ---- charts ---- */

struct chart {
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

static void chart_block(const struct chart *c, const struct source *s)
{
	for (uint32_t i = s->at; i < s->end;) {
		size_t bucket = bucket_of(c, s->block.times[i]);
		uint32_t end = i + 1;
		while (end < s->end && bucket_of(c, s->block.times[end]) == bucket)
			end++;
		gg_summary_block(&c->buckets[bucket], &s->block, i, end);
		i = end;
	}
}

static int chart_row(struct gg_history_reader *r, const struct chart *c)
{
	sqlite3_stmt *q = r->summaries;
	int64_t t0 = sqlite3_column_int64(q, 0), t1 = sqlite3_column_int64(q, 1);
	if (t0 >= r->from && t1 <= r->to && bucket_of(c, t0) == bucket_of(c, t1)) {
		struct gg_summary sum = {.count = (uint64_t)sqlite3_column_int64(q, 3),
			.min = sqlite3_column_double(q, 4),
			.max = sqlite3_column_double(q, 5),
			.sum = sqlite3_column_double(q, 6),
			.first_ns = sqlite3_column_int64(q, 7),
			.first = sqlite3_column_double(q, 8),
			.last_ns = sqlite3_column_int64(q, 9),
			.last = sqlite3_column_double(q, 10)};
		gg_summary_join(&c->buckets[bucket_of(c, t0)], &sum);
		return 0;
	}
	struct source *s = add_source(r);
	if (!s)
		return -ENOMEM;
	int status = gg_block_decode(&s->block, gg_sql_column(q, 11));
	if (status == 0 || status == -EINVAL)
		status = gg_block_sort(&s->block);
	clip(r, s);
	if (status == 0)
		chart_block(c, s);
	r->count--;
	return status;
}

int gg_history_chart(struct gg_history_reader *r, struct gg_str signal, int64_t from, int64_t to,
	struct gg_summary *buckets, size_t count)
{
	if (from >= to || count == 0)
		return -EINVAL;
	memset(buckets, 0, count * sizeof *buckets);
	struct chart c = {.from = from, .buckets = buckets, .count = count};
	c.width = ((uint64_t)to - (uint64_t)from + count - 1) / count;
	sqlite3_reset(r->blocks);
	r->last = NULL;
	r->pending = false;
	r->count = 0;
	r->from = from;
	r->to = to - 1;
	int status = copy_memory(r, signal);
	for (size_t i = 0; i < r->count && status == 0; i++)
		chart_block(&c, r->sources[i]);
	r->count = 0;
	if (status == 0)
		status = bind_range(r, r->summaries, signal);
	if (status <= 0)
		return status;
	int code = SQLITE_DONE;
	status = 0;
	while (status == 0 && (code = sqlite3_step(r->summaries)) == SQLITE_ROW)
		if ((uint64_t)sqlite3_column_int64(r->summaries, 2) < r->copied_from)
			status = chart_row(r, &c);
	sqlite3_reset(r->summaries);
	return status < 0 ? status : gg_sql_errno(code);
}
