/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deleting on request, so that nothing of it can be found in the file: a person has asked for it.
 *
 * What is open is stored first, so that all there is lies in the file. Blocks inside the range go, those over
 * its edge are written anew without it. Rollups go with them and are made anew from what remains; where their
 * samples are forgotten, their steps in the range go. Then SQLite overwrites what became free, the free pages
 * are cut off the file, and the write-ahead log is emptied.
 */
#include "base/log.h"
#include "store/history_private.h"

enum { CHECKPOINTS = 50, ROWS_MAX = 256 };

static bool matches(const struct gg_history_wish *w, struct gg_str name)
{
	for (size_t i = 0; i < w->select_count; i++)
		if (gg_glob(w->select[i], name))
			return true;
	return false;
}

/* ---- blocks ---- */

/* Writes the row anew with what is left of its block. */
static int rewrite(struct gg_history *h, int64_t id, const struct gg_block *k)
{
	struct gg_summary sum = {0};
	sqlite3_stmt *q = NULL;
	gg_buf_clear(&h->packed);
	int status = gg_block_encode(h->coder, k, &h->packed);
	if (status == 0)
		status = gg_sql_prepare(h->db,
			"UPDATE blocks SET t0=?2, t1=?3, n=?4, good=?5, low=?6, high=?7, sum=?8, "
			"first_ns=?9, "
			"first=?10, last_ns=?11, last=?12, data=?13 WHERE id=?1",
			&q, NULL);
	if (status < 0)
		return status;
	gg_summary_block(&sum, k, 0, k->count);
	sqlite3_bind_int64(q, 1, id);
	sqlite3_bind_int64(q, 2, k->times[0]);
	sqlite3_bind_int64(q, 3, k->times[k->count - 1]);
	sqlite3_bind_int64(q, 4, k->count);
	gg_history_bind_block(q, 5, &sum, gg_buf_view(&h->packed));
	status = gg_sql_done(q);
	sqlite3_finalize(q);
	return status;
}

static int delete_row(struct gg_history *h, const char *table, int64_t id)
{
	char sql[80];
	snprintf(sql, sizeof sql, "DELETE FROM %s WHERE id=%lld", table, (long long)id);
	return gg_sql_run(h->db, sql);
}

/* Takes [from, to] out of the row's block. */
static int cut_block(struct gg_history *h, struct gg_history_wish *w, int64_t id, struct gg_str bytes)
{
	struct gg_block all, left;
	gg_block_init(&all);
	gg_block_init(&left);
	int status = gg_block_decode(h->coder, &all, bytes);
	if (status == 0)
		status = gg_block_sort(&all);
	for (uint32_t i = 0; i < all.count && status == 0; i++) {
		struct gg_sample x = gg_block_sample(&all, i);
		if (x.time_ns < w->from || x.time_ns > w->to)
			status = gg_block_add(&left, &x, gg_block_text(&all, i));
		else
			w->result.samples++;
	}
	if (status == -EINVAL || (status == 0 && left.count == 0))
		status = delete_row(
			h, "blocks", id); /* damaged: nobody can read it, but its bytes are there */
	else if (status == 0)
		status = rewrite(h, id, &left);
	gg_block_done(&all);
	gg_block_done(&left);
	return status;
}

/* The next row of the signal that touches the range, one a time: they are changed while we go. *last: the id
 * of the row before, and then of this. 1, 0 there is none left, or an error. */
static int next_row(
	sqlite3_stmt *q, const struct gg_history_wish *w, const struct gg_history_signal *s, int64_t *last)
{
	sqlite3_bind_int64(q, 1, s->id);
	sqlite3_bind_int64(q, 2, w->from);
	sqlite3_bind_int64(q, 3, w->to);
	sqlite3_bind_int64(q, 4, *last);
	int code = sqlite3_step(q);
	if (code != SQLITE_ROW)
		return gg_sql_errno(code);
	*last = sqlite3_column_int64(q, 0);
	return 1;
}

static int delete_samples(struct gg_history *h, struct gg_history_wish *w, struct gg_history_signal *s)
{
	sqlite3_stmt *q = NULL;
	uint64_t before = w->result.samples;
	int status = gg_sql_prepare(h->db,
		"SELECT id, t0, t1, n, data FROM blocks WHERE signal=?1 AND t0<=?3 AND t1>=?2 AND id>?4 "
		"ORDER BY "
		"id LIMIT 1",
		&q, NULL);
	for (int64_t last = INT64_MIN; status == 0 && (status = next_row(q, w, s, &last)) == 1;) {
		if (sqlite3_column_int64(q, 1) >= w->from && sqlite3_column_int64(q, 2) <= w->to) {
			w->result.samples += (uint64_t)sqlite3_column_int64(q, 3);
			sqlite3_reset(q);
			status = delete_row(h, "blocks", last);
		} else {
			struct gg_str bytes = gg_sql_column(q, 4);
			char *copy = gg_str_dup(bytes);
			size_t len = bytes.len;
			sqlite3_reset(q);
			status = copy ? cut_block(h, w, last, gg_str_n(copy, len)) : -ENOMEM;
			free(copy);
		}
	}
	sqlite3_finalize(q);
	w->result.signals += w->result.samples > before;
	return status;
}

/* ---- rollups ---- */

/* Steps that touch the range go out of a row whose samples are forgotten. */
static int cut_rollup(struct gg_history *h, const struct gg_history_wish *w, unsigned level, int64_t id,
	int64_t signal, int64_t t0, int64_t t1)
{
	uint32_t kept = 0;
	for (uint32_t i = 0; i < h->rollup.count; i++) {
		const struct gg_roll *x = &h->rollup.items[i];
		if (x->start > w->to || x->start + gg_level_width[level] <= w->from)
			h->rollup.items[kept++] = *x;
	}
	h->rollup.count = kept;
	if (kept == 0)
		return delete_row(h, "rollups", id);
	gg_buf_clear(&h->packed);
	int status = gg_rollup_encode(h->coder, &h->rollup, &h->packed);
	sqlite3_bind_int64(h->insert_rollup, 1, signal);
	sqlite3_bind_int(h->insert_rollup, 2, (int)level);
	sqlite3_bind_int64(h->insert_rollup, 3, t0);
	sqlite3_bind_int64(h->insert_rollup, 4, t1);
	sqlite3_bind_blob64(h->insert_rollup, 5, h->packed.p, h->packed.len, SQLITE_STATIC);
	if (status == 0)
		status = gg_sql_done(h->insert_rollup);
	sqlite3_clear_bindings(h->insert_rollup);
	return status;
}

static int delete_rollups(struct gg_history *h, struct gg_history_wish *w, struct gg_history_signal *s)
{
	sqlite3_stmt *q = NULL;
	int status = gg_sql_prepare(h->db,
		"SELECT id, level, t0, t1, data FROM rollups WHERE signal=?1 AND t0<=?3 AND t1>?2 AND id>?4 "
		"ORDER "
		"BY id LIMIT 1",
		&q, NULL);
	for (int64_t last = INT64_MIN; status == 0 && (status = next_row(q, w, s, &last)) == 1;) {
		unsigned level = (unsigned)sqlite3_column_int(q, 1) % GG_LEVELS;
		int64_t t0 = sqlite3_column_int64(q, 2), t1 = sqlite3_column_int64(q, 3);
		bool keep = t0 < s->fresh.raw_from &&
			    gg_rollup_decode(h->coder, &h->rollup, gg_sql_column(q, 4)) == 0;
		sqlite3_reset(q);
		status = keep ? cut_rollup(h, w, level, last, s->id, t0, t1) : delete_row(h, "rollups", last);
		if (!keep && t0 < s->fresh.todo[level])
			s->fresh.todo[level] = t0;
		w->result.rollups++;
	}
	sqlite3_finalize(q);
	return status;
}

/* ---- all of it ---- */

static int delete_signal(struct gg_history *h, struct gg_history_wish *w, int64_t id)
{
	struct gg_history_signal spare, *s = gg_history_by_id(h, id, &spare);
	if (!s)
		return -EIO;
	s->fresh = s->state;
	int status = delete_samples(h, w, s);
	if (status == 0)
		status = delete_rollups(h, w, s);
	if (status == 0)
		status = gg_history_save_state(h, s);
	s->roll = true;
	s->roll_at = 0;
	return status;
}

static int delete_all(struct gg_history *h, struct gg_history_wish *w)
{
	int64_t ids[ROWS_MAX], after = 0;
	int status = gg_sql_run(h->db, "BEGIN IMMEDIATE"), count = ROWS_MAX;
	for (uint32_t i = 0; i < h->signals_cap; i++)
		if (h->signals[i])
			h->signals[i]->fresh = h->signals[i]->state;
	while (status == 0 && count == ROWS_MAX) {
		sqlite3_stmt *q = NULL;
		int seen = 0;
		status = gg_sql_prepare(
			h->db, "SELECT id, name FROM signals WHERE id>? ORDER BY id LIMIT 256", &q, NULL);
		sqlite3_bind_int64(q, 1, after);
		for (count = 0; status == 0 && sqlite3_step(q) == SQLITE_ROW; count++) {
			after = sqlite3_column_int64(q, 0);
			if (matches(w, gg_sql_column(q, 1)))
				ids[seen++] = after;
		}
		sqlite3_finalize(q);
		for (int i = 0; i < seen && status == 0; i++)
			status = delete_signal(h, w, ids[i]);
	}
	if (status == 0)
		status = gg_sql_run(h->db, "COMMIT");
	if (status < 0)
		gg_sql_run(h->db, "ROLLBACK");
	for (uint32_t i = 0; i < h->signals_cap; i++) {
		struct gg_history_signal *s = h->signals[i];
		if (s && status == 0)
			s->state = s->fresh;
	}
	return status;
}

/* Nothing of it in pages that are free, nor in the log. */
static bool clean(struct gg_history *h)
{
	int code = SQLITE_BUSY;
	gg_history_shrink(h, 0); /* all */
	for (int i = 0; i < CHECKPOINTS && code == SQLITE_BUSY; i++) {
		code = sqlite3_wal_checkpoint_v2(h->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
		if (code == SQLITE_BUSY)
			sqlite3_sleep(20);
	}
	return code == SQLITE_OK;
}

void gg_history_grant(struct gg_history *h, struct gg_history_wish *w)
{
	w->status = gg_history_store(h, /* all= */ true);
	if (w->status < 0)
		return;
	gg_sql_run(h->db, "PRAGMA secure_delete=ON");
	w->status = delete_all(h, w);
	w->result.clean = w->status == 0 && clean(h);
	gg_sql_run(h->db, "PRAGMA secure_delete=FAST");
	if (w->status < 0)
		gg_log(GG_ERROR, "history", "samples can't be deleted", GG_S("error", strerror(-w->status)));
	else
		gg_log(GG_INFO, "history", "samples deleted on request", GG_I("signals", w->result.signals),
			GG_I("samples", w->result.samples), GG_I("clean", w->result.clean));
}

int gg_history_delete(struct gg_history *h, const struct gg_str *select, size_t select_count, int64_t from,
	int64_t to, struct gg_history_deleted *ret_deleted)
{
	struct gg_history_wish w = {NULL, select, select_count, from, to, {0}, -ESHUTDOWN, false};
	gg_history_wait(h);
	pthread_mutex_lock(&h->lock);
	/* what is asked for before it ends is still done */
	if (!h->started || h->stop) {
		pthread_mutex_unlock(&h->lock);
		return -ESHUTDOWN;
	}
	struct gg_history_wish **at = &h->wishes;
	while (*at)
		at = &(*at)->next;
	*at = &w;
	gg_history_nudge(h);
	while (!w.done)
		pthread_cond_wait(&h->idle, &h->lock);
	pthread_mutex_unlock(&h->lock);
	if (w.status == 0)
		*ret_deleted = w.result;
	return w.status;
}
