/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the history: rows of the file and blocks still in memory, merged by time.
 *
 * A block moves from memory into the file while somebody reads. So the reader first copies what memory has of
 * the signal, then begins to read the file, and passes over rows that end at or behind the first journal
 * position of its copy: these it has.
 *
 * The same sample twice (a device sent it again) is given once: blocks hold it once, and here what was given
 * of the last time is remembered.
 */
#include "base/log.h"
#include "store/history_private.h"

enum { MEMORY_TEXT_MAX = 128 << 20 };

static int prepare(struct gg_history_reader *r, struct gg_error *e)
{
	int status = gg_sql_prepare(r->db, "SELECT id, max_span FROM signals WHERE name=?", &r->find, e);
	if (status == 0)
		status = gg_sql_prepare(r->db,
			"SELECT t0, t1, p1, data FROM blocks WHERE signal=?1 AND t0 BETWEEN ?2 AND ?3 AND "
			"t1>=?4 ORDER BY t0, id",
			&r->blocks, e);
	if (status == 0)
		status = gg_sql_prepare(r->db,
			"SELECT t0, t1, p1, good, low, high, sum, first_ns, first, last_ns, last, data FROM "
			"blocks WHERE signal=?1 AND t0 BETWEEN ?2 AND ?3 AND t1>=?4 ORDER BY t0, id",
			&r->summaries, e);
	if (status == 0)
		status = gg_sql_prepare(
			r->db, "SELECT name, unit, title FROM signals ORDER BY name", &r->names, e);
	for (int level = 1; level < GG_LEVELS && status == 0; level++)
		status = gg_sql_prepare(r->db,
			"SELECT t0, t1, data FROM rollups WHERE signal=?1 AND level=?2 AND t0>=?3 AND t0<?4 "
			"ORDER BY t0",
			&r->rollups[level], e);
	return status;
}

static int reader_open(
	struct gg_history *h, const char *path, struct gg_history_reader **ret_reader, struct gg_error *e)
{
	struct gg_history_reader *r = calloc(1, sizeof *r);
	if (!r)
		return gg_error_set(e, -ENOMEM, "out of memory");
	r->history = h;
	gg_block_init(&r->memory);
	r->memory.text.max = MEMORY_TEXT_MAX; /* of many blocks */
	gg_block_init(&r->chart.own);
	for (int level = 1; level < GG_LEVELS; level++)
		gg_rollup_init(&r->rolls[level]);
	r->coder = gg_block_coder_new();
	int status = r->coder ? gg_sql_open(path, /* read_only= */ true, &r->db, e)
			      : gg_error_set(e, -ENOMEM, "out of memory");
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
	for (int level = 1; level < GG_LEVELS; level++) {
		sqlite3_finalize(r->rollups[level]);
		gg_rollup_done(&r->rolls[level]);
	}
	sqlite3_close(r->db);
	for (size_t i = 0; i < GG_SOURCES; i++) {
		if (r->sources[i])
			gg_block_done(&r->sources[i]->own);
		free(r->sources[i]);
	}
	gg_block_done(&r->memory);
	gg_block_done(&r->chart.own);
	gg_block_coder_free(r->coder);
	free(r);
	return NULL;
}

uint64_t gg_history_reader_damaged(const struct gg_history_reader *r)
{
	return r->damaged;
}

/* ---- sources ---- */

/* A spare one at the end; NULL when there are too many blocks over each other, or no memory. */
static struct gg_source *add_source(struct gg_history_reader *r)
{
	if (r->count == GG_SOURCES)
		return NULL;
	struct gg_source *s = r->sources[r->count];
	if (!s) {
		s = r->sources[r->count] = calloc(1, sizeof *s);
		if (!s)
			return NULL;
		gg_block_init(&s->own);
	}
	s->block = &s->own;
	r->count++;
	return s;
}

static void drop_source(struct gg_history_reader *r, size_t i)
{
	struct gg_source *s = r->sources[i];
	/* the order of the others stays: equal times come out as they came in */
	memmove(&r->sources[i], &r->sources[i + 1], (r->count - i - 1) * sizeof *r->sources);
	r->sources[--r->count] = s;
}

static void clip(struct gg_history_reader *r, struct gg_source *s)
{
	s->at = gg_block_at(s->block, r->from);
	s->end = r->to == INT64_MAX ? s->block->count : gg_block_at(s->block, r->to + 1);
}

int gg_history_decode(struct gg_history_reader *r, struct gg_block *b, struct gg_str bytes, int64_t t0)
{
	int status = gg_block_decode(r->coder, b, bytes);
	if (status == 0)
		status = gg_block_sort(b);
	if (status != -EINVAL)
		return status;
	r->damaged++;
	gg_log(GG_WARN, "history", "a damaged block is passed over", GG_I("signal", r->id), GG_I("from", t0));
	return 0; /* it is an empty one now */
}

/* ---- what memory has ---- */

static int copy_block(struct gg_history_reader *r, const struct gg_open_block *b, int64_t from, int64_t to)
{
	int status = b ? gg_open_block_copy(b, &r->memory, from, to) : 0;
	if (b && b->first_position < r->copied_from)
		r->copied_from = b->first_position;
	return status;
}

static int copy_memory(struct gg_history_reader *r, struct gg_str name, int64_t from, int64_t to)
{
	gg_block_clear(&r->memory);
	r->copied_from = UINT64_MAX;
	struct gg_history *h = r->history;
	uint32_t index = h ? gg_signal_find(name) : GG_NONE;
	if (index == GG_NONE)
		return 0;
	int status = 0;
	pthread_mutex_lock(&h->lock);
	const struct gg_history_signal *s = index < h->signals_cap ? h->signals[index] : NULL;
	/* oldest first: equal times stay in the order they came */
	for (const struct gg_open_block *b = s ? s->closed : NULL; b && status == 0; b = b->next)
		status = copy_block(r, b, from, to);
	if (s && status == 0)
		status = copy_block(r, s->open, from, to);
	if (s && status == 0)
		status = copy_block(r, s->late, from, to);
	pthread_mutex_unlock(&h->lock);
	if (status == 0)
		status = gg_block_sort(&r->memory);
	gg_block_unique(&r->memory);
	return status;
}

int gg_history_look_up(struct gg_history_reader *r, struct gg_str name, int64_t from, int64_t to)
{
	int status = copy_memory(r, name, from, to);
	if (status < 0)
		return status;
	gg_sql_text(r->find, 1, name);
	int code = sqlite3_step(r->find);
	r->id = code == SQLITE_ROW ? sqlite3_column_int64(r->find, 0) : 0;
	r->span = code == SQLITE_ROW ? sqlite3_column_int64(r->find, 1) : 0;
	sqlite3_reset(r->find);
	return gg_sql_errno(code);
}

void gg_history_bind_range(struct gg_history_reader *r, sqlite3_stmt *q, int64_t from, int64_t to)
{
	int64_t low;
	/* A block that reaches into the range began at most the longest span before it. */
	if (__builtin_sub_overflow(from, r->span, &low))
		low = INT64_MIN;
	sqlite3_reset(q);
	sqlite3_bind_int64(q, 1, r->id);
	sqlite3_bind_int64(q, 2, low);
	sqlite3_bind_int64(q, 3, to);
	sqlite3_bind_int64(q, 4, from);
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

int gg_history_begin(struct gg_history_reader *r, int64_t from, int64_t to, bool with_memory)
{
	r->count = 0;
	r->pending = false;
	r->run = NULL;
	r->given_count = 0;
	r->from = from;
	r->to = to;
	struct gg_source *s = with_memory && r->memory.count > 0 ? add_source(r) : NULL;
	if (s) {
		s->block = &r->memory;
		clip(r, s);
	}
	gg_history_bind_range(r, r->blocks, from, to);
	return r->id ? next_row(r) : 0;
}

int gg_history_seek(struct gg_history_reader *r, struct gg_str signal, int64_t from, int64_t to)
{
	sqlite3_reset(r->blocks);
	r->count = 0;
	r->pending = false;
	r->run = NULL;
	if (from > to)
		return 0;
	int status = gg_history_look_up(r, signal, from, to);
	return status == 0 ? gg_history_begin(r, from, to, /* with_memory= */ true) : status;
}

static int decode_pending(struct gg_history_reader *r)
{
	struct gg_source *s = add_source(r);
	if (!s)
		return -ENOMEM;
	int status = gg_history_decode(r, &s->own, gg_sql_column(r->blocks, 3), r->pending_t0);
	clip(r, s);
	return status < 0 ? status : next_row(r);
}

/* The source with the earliest sample, NULL when all are used up. What is in memory came last. */
static struct gg_source *earliest(struct gg_history_reader *r)
{
	struct gg_source *best = NULL;
	for (size_t i = 0; i < r->count;) {
		struct gg_source *s = r->sources[i];
		if (s->at >= s->end) {
			drop_source(r, i);
			continue;
		}
		int64_t time = s->block->times[s->at];
		if (!best || time < best->block->times[best->at] ||
			(time == best->block->times[best->at] && best->block == &r->memory))
			best = s;
		i++;
	}
	return best;
}

/* Has the same been given already? Texts count by their hash. */
static bool is_twin(struct gg_history_reader *r, const struct gg_block *b, uint32_t i)
{
	int64_t time = b->times[i];
	uint64_t value = b->values[i];
	if ((uint8_t)b->marks[i] >= GG_TYPE_STRING) {
		struct gg_str text = gg_block_text(b, i);
		value = 14695981039346656037ULL ^ text.len;
		for (size_t k = 0; k < text.len; k++)
			value = (value ^ (uint8_t)text.p[k]) * 1099511628211ULL;
	}
	if (r->given_count == 0 || r->given_time != time) {
		r->given_time = time;
		r->given_count = 0;
	}
	unsigned known = r->given_count < GG_TWINS ? r->given_count : GG_TWINS;
	for (unsigned k = 0; k < known; k++)
		if (r->given[k] == value && r->given_marks[k] == b->marks[i])
			return true;
	r->given[r->given_count % GG_TWINS] = value;
	r->given_marks[r->given_count++ % GG_TWINS] = b->marks[i];
	return false;
}

/* A stretch of the only source before the next row begins: no look at others until its end. */
static void begin_run(struct gg_history_reader *r, struct gg_source *s)
{
	uint32_t end = s->end;
	if (r->count != 1 || (r->given_count > 0 && s->block->times[s->at] == r->given_time))
		return;
	if (r->pending && s->block->times[end - 1] >= r->pending_t0)
		end = gg_block_at(s->block, r->pending_t0);
	if (end <= s->at)
		return;
	r->run = s;
	r->run_end = end;
}

/* What was given of the run's last time is remembered: the next row may have it too. */
static void end_run(struct gg_history_reader *r)
{
	const struct gg_block *b = GG_TAKE(r->run)->block;
	int64_t time = b->times[r->run_end - 1];
	for (uint32_t i = r->run_end; i > 0 && b->times[i - 1] == time; i--)
		is_twin(r, b, i - 1);
}

static int next_slowly(struct gg_history_reader *r, struct gg_sample *ret_sample, struct gg_str *ret_text)
{
	for (;;) {
		struct gg_source *s = earliest(r);
		while (r->pending && (!s || r->pending_t0 <= s->block->times[s->at])) {
			int status = decode_pending(r);
			if (status < 0)
				return status;
			s = earliest(r);
		}
		if (!s)
			return 0;
		begin_run(r, s);
		uint32_t i = s->at++;
		if (!r->run && is_twin(r, s->block, i))
			continue;
		*ret_sample = gg_block_sample(s->block, i);
		*ret_text = gg_block_text(s->block, i);
		return 1;
	}
}

int gg_history_next(struct gg_history_reader *r, struct gg_sample *ret_sample, struct gg_str *ret_text)
{
	struct gg_source *s = r->run;
	if (s && s->at < r->run_end) {
		uint32_t i = s->at++;
		*ret_sample = gg_block_sample(s->block, i);
		*ret_text = gg_block_text(s->block, i);
		return 1;
	}
	if (s)
		end_run(r);
	return next_slowly(r, ret_sample, ret_text);
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
