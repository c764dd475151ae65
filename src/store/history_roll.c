/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeping rollups: rows of a second's, a minute's, an hour's and a day's steps, each row over a fixed span of
 * time (a quarter of an hour, six hours, 30 days, 720 days).
 *
 * A row is made once, from the level below, when the signal has gone beyond its span; so each is written
 * once, and a chart takes what no row has yet from the level below. Rows are never wrong: a block with
 * samples older than where the rows end takes those it touches with it in its own transaction, and they are
 * made anew when no more late data come. Only where the samples below have been forgotten, the row takes the
 * late ones in.
 *
 * Seconds and minutes with few samples a step are not worth a row; these are made when the samples go.
 */
#include "base/log.h"
#include "store/history_private.h"

#define MINUTE (60 * GG_NS_PER_S)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

const int64_t gg_level_width[GG_LEVELS] = {0, GG_NS_PER_S, MINUTE, HOUR, DAY};
const int64_t gg_level_span[GG_LEVELS] = {0, 15 * MINUTE, 6 * HOUR, 30 * DAY, 720 * DAY};

static const int64_t budget_ns = 100 * GG_NS_PER_MS, patience_ns = 20 * GG_NS_PER_S;
enum { DENSE = 4, STEPS_MAX = 900, SPARSE_ABOVE = 3, TOGETHER = 64 };

int64_t gg_history_floor(int64_t time, int64_t step)
{
	int64_t rest = time % step;
	return time - (rest < 0 ? rest + step : rest);
}

static int write_rollup(struct gg_history *h, int64_t id, unsigned level, int64_t t0, int64_t t1)
{
	sqlite3_stmt *q = h->insert_rollup;
	gg_buf_clear(&h->packed);
	int status = gg_rollup_encode(h->coder, &h->rollup, &h->packed);
	if (status < 0)
		return status;
	sqlite3_bind_int64(q, 1, id);
	sqlite3_bind_int(q, 2, (int)level);
	sqlite3_bind_int64(q, 3, t0);
	sqlite3_bind_int64(q, 4, t1);
	sqlite3_bind_blob64(q, 5, h->packed.p, h->packed.len, SQLITE_STATIC);
	h->rollup_bytes += h->packed.len;
	status = gg_sql_done(q);
	sqlite3_clear_bindings(q);
	return status;
}

/* Is there a row of [t0, ...) that ends at t1 or later? */
static bool has_row(struct gg_history *h, int64_t id, unsigned level, int64_t t0, int64_t t1)
{
	sqlite3_stmt *q = h->find_rollups;
	sqlite3_bind_int64(q, 1, id);
	sqlite3_bind_int(q, 2, (int)level);
	sqlite3_bind_int64(q, 3, t0);
	sqlite3_bind_int64(q, 4, t0);
	bool found = sqlite3_step(q) == SQLITE_ROW && sqlite3_column_int64(q, 2) >= t1;
	sqlite3_reset(q);
	return found;
}

/* Makes the row of [t0, t1) from what is stored; whole or not at all. */
static int make_row(struct gg_history *h, struct gg_history_signal *s, unsigned level, int64_t t0, int64_t t1,
	bool always)
{
	struct gg_summary steps[STEPS_MAX];
	int64_t width = gg_level_width[level];
	size_t count = (size_t)((t1 - t0) / width);
	uint64_t samples = 0, used = 0;
	if (has_row(h, s->id, level, t0, t1))
		return 0;
	int status = gg_history_buckets(h->inner, s->id, s->max_span, level, t0, width, steps, count);
	h->rollup.count = 0;
	for (size_t i = 0; i < count && status == 0; i++) {
		samples += steps[i].count;
		used += steps[i].count > 0;
		if (steps[i].count)
			status = gg_rollup_add(&h->rollup, t0 + (int64_t)i * width, &steps[i]);
	}
	if (status < 0 || used == 0 || (!always && samples < DENSE * used))
		return status;
	if (t1 > s->fresh.rolled[level])
		s->fresh.rolled[level] = t1;
	return write_rollup(h, s->id, level, t0, t1);
}

/* ---- a block is stored ---- */

/* The block's samples inside the row, into it. */
static int take_in(struct gg_history *h, unsigned level, const struct gg_block *b, int64_t t0, int64_t t1)
{
	int64_t width = gg_level_width[level];
	uint32_t last = gg_block_at(b, t1);
	int status = 0;
	for (uint32_t i = gg_block_at(b, t0), end; i < last && status == 0; i = end) {
		struct gg_summary sum = {0};
		int64_t start = gg_history_floor(b->times[i], width);
		end = gg_block_at(b, start + width);
		end = end < last ? end : last;
		gg_summary_block(&sum, b, i, end);
		if (sum.count)
			status = gg_rollup_join(&h->rollup, start, &sum);
	}
	return status;
}

static int correct_level(
	struct gg_history *h, struct gg_history_signal *s, unsigned level, const struct gg_block *b)
{
	sqlite3_stmt *q = h->find_rollups;
	int64_t first = b->times[0], last = b->times[b->count - 1], low;
	int code = SQLITE_DONE, status = 0;
	if (__builtin_sub_overflow(first, gg_level_span[level], &low))
		low = INT64_MIN;
	sqlite3_bind_int64(q, 1, s->id);
	sqlite3_bind_int(q, 2, (int)level);
	sqlite3_bind_int64(q, 3, low);
	sqlite3_bind_int64(q, 4, last);
	while (status == 0 && (code = sqlite3_step(q)) == SQLITE_ROW) {
		int64_t id = sqlite3_column_int64(q, 0), t0 = sqlite3_column_int64(q, 1),
			t1 = sqlite3_column_int64(q, 2);
		char sql[80];
		if (t1 <= first)
			continue;
		if (t0 < s->fresh.raw_from &&
			gg_rollup_decode(h->coder, &h->rollup, gg_sql_column(q, 3)) == 0) {
			status = take_in(h, level, b, t0, t1);
			if (status == 0)
				status = write_rollup(h, s->id, level, t0, t1);
			continue;
		}
		snprintf(sql, sizeof sql, "DELETE FROM rollups WHERE id=%lld", (long long)id);
		status = gg_sql_run(h->db, sql);
		if (t0 < s->fresh.todo[level])
			s->fresh.todo[level] = t0;
	}
	sqlite3_reset(q);
	return status < 0 ? status : gg_sql_errno(code);
}

int gg_history_note_block(struct gg_history *h, struct gg_history_signal *s, const struct gg_block *b)
{
	struct gg_roll_state *f = &s->fresh;
	int64_t first = b->times[0], last = b->times[b->count - 1];
	int status = 0;
	for (unsigned level = 1; level < GG_LEVELS && status == 0; level++) {
		if (first < f->todo[level])
			f->todo[level] = first;
		if (first < f->rolled[level])
			status = correct_level(h, s, level, b);
	}
	if (first < f->newest)
		s->roll_at = gg_clock_monotonic(h->o.clock) + patience_ns;
	if (last > f->newest)
		f->newest = last;
	s->roll = h->roll_look = true;
	return status;
}

/* ---- making what is complete ---- */

/* Where the first block begins that may have samples at or behind end: empty spans are passed over. */
static int64_t next_work(struct gg_history *h, const struct gg_history_signal *s, int64_t end)
{
	int64_t at = end;
	sqlite3_bind_int64(h->next_block, 1, s->id);
	sqlite3_bind_int64(h->next_block, 2, end);
	if (sqlite3_step(h->next_block) == SQLITE_ROW)
		at = sqlite3_column_int64(h->next_block, 0);
	sqlite3_reset(h->next_block);
	/* a block over the end begins before it */
	return at > end && at - end > s->max_span ? at - s->max_span : end;
}

/* Is the next block too sparse for rows of this level? Then goes on behind it. */
static bool pass_over_sparse(
	struct gg_history *h, const struct gg_history_signal *s, unsigned level, int64_t *todo)
{
	bool sparse = false;
	sqlite3_bind_int64(h->next_block, 1, s->id);
	sqlite3_bind_int64(h->next_block, 2, *todo);
	if (sqlite3_step(h->next_block) == SQLITE_ROW) {
		int64_t t0 = sqlite3_column_int64(h->next_block, 0),
			t1 = sqlite3_column_int64(h->next_block, 1),
			n = sqlite3_column_int64(h->next_block, 2);
		sparse = n / DENSE < (t1 - t0) / gg_level_width[level] && t1 > *todo && t1 < s->fresh.newest;
		if (sparse)
			*todo = t1;
	}
	sqlite3_reset(h->next_block);
	return sparse;
}

/* Makes the rows of a level that are complete; false when the time is over. */
static bool roll_level(
	struct gg_history *h, struct gg_history_signal *s, unsigned level, int64_t deadline, int *status)
{
	int64_t span = gg_level_span[level], *todo = &s->fresh.todo[level];
	if (*todo < s->fresh.raw_from && s->fresh.raw_from != INT64_MIN)
		*todo = s->fresh.raw_from;
	while (*todo <= s->fresh.newest && *status == 0) {
		int64_t t0, end;
		if (level < SPARSE_ABOVE && pass_over_sparse(h, s, level, todo))
			continue;
		t0 = gg_history_floor(*todo, span);
		if (__builtin_add_overflow(t0, span, &end) || end > s->fresh.newest)
			return true;
		*status = make_row(h, s, level, t0, end, /* always= */ false);
		if (*status == 0)
			*todo = next_work(h, s, end);
		if (gg_clock_monotonic(h->o.clock) > deadline)
			return false;
	}
	return true;
}

/* Signals whose rollups are made in one transaction: neighbours share pages. */
struct together {
	struct gg_history_signal *signals[TOGETHER];
	bool done[TOGETHER];
	unsigned count;
};

static int roll_signal(
	struct gg_history *h, struct gg_history_signal *s, struct together *t, int64_t deadline)
{
	int status = t->count ? 0 : gg_sql_run(h->db, "BEGIN IMMEDIATE");
	bool done = true;
	s->fresh = s->state;
	for (unsigned level = 1; level < GG_LEVELS && status == 0 && done; level++)
		done = roll_level(h, s, level, deadline, &status);
	if (status == 0)
		status = gg_history_save_state(h, s);
	t->done[t->count] = done;
	t->signals[t->count++] = s;
	return status;
}

/* Ends the transaction, if there is one; status: what went wrong within. */
static int end_together(struct gg_history *h, struct together *t, int status)
{
	if (t->count && status == 0)
		status = gg_sql_run(h->db, "COMMIT");
	if (t->count && status < 0)
		gg_sql_run(h->db, "ROLLBACK");
	for (unsigned i = 0; i < t->count && status == 0; i++) {
		t->signals[i]->state = t->signals[i]->fresh;
		t->signals[i]->roll = !t->done[i];
	}
	t->count = 0;
	return status;
}

/* Has some level a row to make? Asked each second of each signal, so without the file. */
static bool is_complete(const struct gg_history_signal *s)
{
	for (unsigned level = 1; level < GG_LEVELS; level++) {
		int64_t todo = s->state.todo[level], end;
		if (todo == INT64_MAX)
			continue;
		if (!__builtin_add_overflow(
			    gg_history_floor(todo, gg_level_span[level]), gg_level_span[level], &end) &&
			end <= s->state.newest)
			return true;
	}
	return false;
}

static int roll_if_complete(
	struct gg_history *h, struct gg_history_signal *s, struct together *t, int64_t deadline)
{
	if (!is_complete(s)) {
		s->roll = false;
		return 0;
	}
	int status = roll_signal(h, s, t, deadline);
	return t->count == TOGETHER || status < 0 ? end_together(h, t, status) : status;
}

int gg_history_roll(struct gg_history *h)
{
	int64_t now = gg_clock_monotonic(h->o.clock), deadline = now + budget_ns;
	struct together t = {0};
	int status = 0;
	bool more = false, later = false;
	for (uint32_t i = 0; i < h->signals_cap && h->roll_look && status == 0; i++) {
		struct gg_history_signal *s = h->signals[i];
		later |= s && s->roll && now < s->roll_at;
		if (!s || !s->roll || now < s->roll_at)
			continue;
		status = roll_if_complete(h, s, &t, deadline);
		if ((more = gg_clock_monotonic(h->o.clock) > deadline))
			break;
	}
	status = end_together(h, &t, status);
	h->roll_look &= more || later || status < 0;
	pthread_mutex_lock(&h->lock);
	h->stats.rolling = more;
	pthread_mutex_unlock(&h->lock);
	if (status < 0)
		gg_log(GG_WARN, "history", "rollups can't be written for now",
			GG_S("error", sqlite3_errmsg(h->db)));
	return status;
}

int gg_history_roll_before(struct gg_history *h, struct gg_history_signal *s, int64_t from, int64_t to,
	const bool levels[GG_LEVELS])
{
	int status = 0;
	for (unsigned level = 1; level < GG_LEVELS; level++) {
		int64_t span = gg_level_span[level], width = gg_level_width[level];
		if (!levels[level])
			continue;
		int64_t end = gg_history_floor(to - 1, width) + width;
		for (int64_t t0 = gg_history_floor(from, span); t0 < end && status == 0;) {
			status = make_row(
				h, s, level, t0, end < t0 + span ? end : t0 + span, /* always= */ true);
			t0 = gg_history_floor(next_work(h, s, t0 + span), span);
		}
	}
	return status;
}
