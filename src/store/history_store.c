/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The history's file: schema, storing closed blocks, dropping old ones.
 *
 *   signals  id, name, unit, title, type, last_position, max_span, state (of its rollups)
 *   blocks   id, signal, t0, t1, n, p1 (last journal position), summary of good numbers, data
 *   rollups  id, signal, level, t0, t1 (exclusive), data
 *   meta     cursor, position
 *
 * Rows are added in the order of time, more or less, so the smallest ids are the oldest and retention deletes
 * from that end without an index. All that a transaction says (blocks, how far each signal is, the cursor) is
 * true together or not at all.
 */
#include "base/bytes.h"
#include "base/log.h"
#include "core/signals.h"
#include "store/history_private.h"

static const int64_t cursor_every_ns = 30 * GG_NS_PER_S;

static const char *const scripts[] = {
	"CREATE TABLE signals (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, unit TEXT NOT NULL DEFAULT "
	"'',"
	" title TEXT NOT NULL DEFAULT '', type INTEGER NOT NULL DEFAULT 0, last_position INTEGER NOT NULL "
	"DEFAULT 0,"
	" max_span INTEGER NOT NULL DEFAULT 0);"
	"CREATE TABLE blocks (id INTEGER PRIMARY KEY, signal INTEGER NOT NULL, t0 INTEGER NOT NULL,"
	" t1 INTEGER NOT NULL, n INTEGER NOT NULL, p1 INTEGER NOT NULL, good INTEGER NOT NULL,"
	" low REAL, high REAL, sum REAL, first_ns INTEGER, first REAL, last_ns INTEGER, last REAL, data BLOB "
	"NOT NULL);"
	"CREATE INDEX blocks_by_time ON blocks (signal, t0, t1);"
	"CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
	"ALTER TABLE signals ADD COLUMN state BLOB;"
	"CREATE TABLE rollups (id INTEGER PRIMARY KEY, signal INTEGER NOT NULL, level INTEGER NOT NULL,"
	" t0 INTEGER NOT NULL, t1 INTEGER NOT NULL, data BLOB NOT NULL);"
	"CREATE UNIQUE INDEX rollups_by_time ON rollups (signal, level, t0)",
};

uint64_t gg_history_number(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *s = NULL;
	uint64_t n = 0;
	if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW)
		n = (uint64_t)sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return n;
}

#define STATEMENT(which, sql)                                                                                \
	{                                                                                                    \
		offsetof(struct gg_history, which), sql                                                      \
	}

static const struct statement {
	size_t offset;
	const char *sql;
} statements[] = {
	STATEMENT(insert_block,
		"INSERT INTO blocks (signal, t0, t1, n, p1, good, low, high, sum, first_ns, first,"
		" last_ns, last, data) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)"),
	STATEMENT(insert_signal, "INSERT INTO signals (name, unit, title, type) VALUES (?,?,?,?)"),
	STATEMENT(update_signal,
		"UPDATE signals SET last_position=?2, max_span=?3, unit=?4, title=?5, type=?6,"
		" state=?7 WHERE id=?1"),
	STATEMENT(find_signal, "SELECT id, last_position, max_span, state FROM signals WHERE name=?"),
	STATEMENT(insert_rollup,
		"INSERT INTO rollups (signal, level, t0, t1, data) VALUES (?,?,?,?,?) ON CONFLICT"
		" (signal, level, t0) DO UPDATE SET t1=excluded.t1, data=excluded.data"),
	STATEMENT(find_rollups,
		"SELECT id, t0, t1, data FROM rollups WHERE signal=? AND level=? AND t0 BETWEEN ?"
		" AND ? ORDER BY t0"),
	STATEMENT(next_block, "SELECT t0, t1, n FROM blocks WHERE signal=? AND t0>=? ORDER BY t0 LIMIT 1"),
	STATEMENT(update_cursor, "INSERT OR REPLACE INTO meta VALUES ('cursor', ?1), ('position', ?2)"),
};

static sqlite3_stmt **place_of(struct gg_history *h, const struct statement *s)
{
	return (sqlite3_stmt **)((char *)h + s->offset);
}

int gg_history_prepare(struct gg_history *h, struct gg_error *e)
{
	int status = gg_sql_migrate(h->db, scripts, GG_COUNT(scripts), h->path, e);
	for (size_t i = 0; i < GG_COUNT(statements) && status == 0; i++)
		status = gg_sql_prepare(h->db, statements[i].sql, place_of(h, &statements[i]), e);
	if (status < 0)
		return status;
	h->cursor = h->stored_cursor = gg_history_number(h->db, "SELECT value FROM meta WHERE key='cursor'");
	h->position = gg_history_number(h->db, "SELECT value FROM meta WHERE key='position'");
	h->rollup_bytes = gg_history_number(h->db, "SELECT sum(length(data)) FROM rollups");
	/* what is deleted is overwritten where that costs no further writes */
	gg_sql_run(h->db, "PRAGMA secure_delete=FAST");
	gg_history_measure(h, 0);
	return gg_history_reader_open(h->path, &h->inner, e);
}

void gg_history_finalize(struct gg_history *h)
{
	for (size_t i = 0; i < GG_COUNT(statements); i++)
		sqlite3_finalize(*place_of(h, &statements[i]));
	h->inner = gg_history_reader_free(h->inner);
	sqlite3_close(h->db);
	h->db = NULL;
}

/* ---- signals ---- */

enum { STATE_BYTES = 8 * (2 + 2 * GG_LEVELS) };

static void read_state(struct gg_roll_state *f, struct gg_str bytes)
{
	struct gg_reader r = gg_reader(bytes.p, bytes.len);
	f->newest = (int64_t)gg_read_le64(&r);
	f->raw_from = (int64_t)gg_read_le64(&r);
	for (int k = 0; k < GG_LEVELS; k++) {
		f->todo[k] = (int64_t)gg_read_le64(&r);
		f->rolled[k] = (int64_t)gg_read_le64(&r);
	}
}

static size_t write_state(const struct gg_roll_state *f, uint8_t to[STATE_BYTES])
{
	struct gg_writer w = gg_writer(to, STATE_BYTES);
	gg_write_le64(&w, (uint64_t)f->newest);
	gg_write_le64(&w, (uint64_t)f->raw_from);
	for (int k = 0; k < GG_LEVELS; k++) {
		gg_write_le64(&w, (uint64_t)f->todo[k]);
		gg_write_le64(&w, (uint64_t)f->rolled[k]);
	}
	return gg_writer_len(&w);
}

/* Of a signal that is new, or from a file that had no rollups yet: all of it is to do. */
static void first_state(struct gg_history *h, struct gg_history_signal *s)
{
	char sql[160];
	int64_t oldest = INT64_MAX;
	s->state = (struct gg_roll_state){.newest = INT64_MIN, .raw_from = INT64_MIN};
	snprintf(sql, sizeof sql, "SELECT count(*) FROM (SELECT 1 FROM blocks WHERE signal=%lld LIMIT 1)",
		(long long)s->id);
	if (s->id && gg_history_number(h->db, sql) > 0) {
		snprintf(sql, sizeof sql, "SELECT min(t0) FROM blocks WHERE signal=%lld", (long long)s->id);
		oldest = (int64_t)gg_history_number(h->db, sql);
		snprintf(sql, sizeof sql, "SELECT max(t0) FROM blocks WHERE signal=%lld", (long long)s->id);
		s->state.newest = (int64_t)gg_history_number(h->db, sql);
	}
	for (int k = 0; k < GG_LEVELS; k++) {
		s->state.todo[k] = oldest;
		s->state.rolled[k] = INT64_MIN;
	}
}

/* From the row of a statement: id, last_position, max_span, state. */
static void take_row(struct gg_history *h, struct gg_history_signal *s, sqlite3_stmt *q)
{
	s->id = sqlite3_column_int64(q, 0);
	s->last_position = (uint64_t)sqlite3_column_int64(q, 1);
	s->max_span = sqlite3_column_int64(q, 2);
	struct gg_str state = gg_sql_column(q, 3);
	if (state.len == STATE_BYTES)
		read_state(&s->state, state);
	else
		first_state(h, s);
	s->roll = true;
}

int gg_history_load_signal(struct gg_history *h, struct gg_history_signal *s)
{
	const struct gg_signal_info *info = h->o.names->signal(h->o.names->arg, s->index);
	if (!info)
		return -ENOENT;
	gg_sql_text(h->find_signal, 1, info->name);
	int code = sqlite3_step(h->find_signal);
	if (code == SQLITE_ROW)
		take_row(h, s, h->find_signal);
	else
		first_state(h, s);
	s->fresh = s->state;
	sqlite3_reset(h->find_signal);
	return gg_sql_errno(code);
}

struct gg_history_signal *gg_history_by_id(struct gg_history *h, int64_t id, struct gg_history_signal *spare)
{
	sqlite3_stmt *q = NULL;
	for (uint32_t i = 0; i < h->signals_cap; i++)
		if (h->signals[i] && h->signals[i]->id == id)
			return h->signals[i];
	*spare = (struct gg_history_signal){.index = GG_NONE};
	if (gg_sql_prepare(
		    h->db, "SELECT id, last_position, max_span, state FROM signals WHERE id=?", &q, NULL) < 0)
		return NULL;
	sqlite3_bind_int64(q, 1, id);
	bool found = sqlite3_step(q) == SQLITE_ROW;
	if (found)
		take_row(h, spare, q);
	spare->fresh = spare->state;
	sqlite3_finalize(q);
	return found ? spare : NULL;
}

int gg_history_save_state(struct gg_history *h, const struct gg_history_signal *s)
{
	sqlite3_stmt *q = NULL;
	uint8_t state[STATE_BYTES];
	int status = gg_sql_prepare(h->db, "UPDATE signals SET state=? WHERE id=?", &q, NULL);
	if (status < 0)
		return status;
	sqlite3_bind_blob(q, 1, state, (int)write_state(&s->fresh, state), SQLITE_TRANSIENT);
	sqlite3_bind_int64(q, 2, s->id);
	status = gg_sql_done(q);
	sqlite3_finalize(q);
	return status;
}

/* ---- storing ---- */

void gg_history_bind_block(sqlite3_stmt *q, int at, const struct gg_summary *sum, struct gg_str packed)
{
	sqlite3_bind_int64(q, at, (int64_t)sum->count);
	sqlite3_bind_double(q, at + 1, sum->min);
	sqlite3_bind_double(q, at + 2, sum->max);
	sqlite3_bind_double(q, at + 3, sum->sum);
	sqlite3_bind_int64(q, at + 4, sum->first_ns);
	sqlite3_bind_double(q, at + 5, sum->first);
	sqlite3_bind_int64(q, at + 6, sum->last_ns);
	sqlite3_bind_double(q, at + 7, sum->last);
	sqlite3_bind_blob64(q, at + 8, packed.p, packed.len, SQLITE_STATIC);
}

static int store_block(struct gg_history *h, struct gg_history_signal *s, struct gg_open_block *b)
{
	sqlite3_stmt *q = h->insert_block;
	const struct gg_block *k = &b->block;
	struct gg_summary sum = {0};
	int status = gg_history_note_block(h, s, k);
	gg_buf_clear(&h->packed);
	if (status == 0)
		status = gg_block_encode(h->coder, k, &h->packed);
	if (status < 0)
		return status;
	gg_summary_block(&sum, k, 0, k->count);
	int64_t t0 = k->times[0], t1 = k->times[k->count - 1];
	int64_t span;
	if (__builtin_sub_overflow(t1, t0, &span))
		span = INT64_MAX;
	if (span > s->max_span)
		s->max_span = span;
	sqlite3_bind_int64(q, 1, s->id);
	sqlite3_bind_int64(q, 2, t0);
	sqlite3_bind_int64(q, 3, t1);
	sqlite3_bind_int64(q, 4, k->count);
	sqlite3_bind_int64(q, 5, (int64_t)b->last_position);
	gg_history_bind_block(q, 6, &sum, gg_buf_view(&h->packed));
	status = gg_sql_done(q);
	sqlite3_clear_bindings(q);
	if (status == 0) {
		pthread_mutex_lock(&h->lock);
		h->stats.blocks++;
		h->stats.samples += k->count;
		h->stats.bytes += h->packed.len;
		pthread_mutex_unlock(&h->lock);
	}
	return status;
}

static int store_signal(struct gg_history *h, struct gg_history_signal *s)
{
	const struct gg_signal_info *info = h->o.names->signal(h->o.names->arg, s->index);
	uint8_t state[STATE_BYTES];
	int status = 0;
	s->fresh = s->state;
	if (!s->id) {
		gg_sql_text(h->insert_signal, 1, info->name);
		gg_sql_text(h->insert_signal, 2, gg_str(info->unit));
		gg_sql_text(h->insert_signal, 3, gg_str(info->title));
		sqlite3_bind_int(h->insert_signal, 4, info->type);
		status = gg_sql_done(h->insert_signal);
		if (status == 0)
			s->id = sqlite3_last_insert_rowid(h->db);
	}
	for (struct gg_open_block *b = s->closed; b && status == 0; b = b->next)
		status = store_block(h, s, b);
	if (status < 0 || !s->closed)
		return status;
	sqlite3_bind_int64(h->update_signal, 1, s->id);
	sqlite3_bind_int64(h->update_signal, 2, (int64_t)s->last_position);
	sqlite3_bind_int64(h->update_signal, 3, s->max_span);
	gg_sql_text(h->update_signal, 4, gg_str(info->unit));
	gg_sql_text(h->update_signal, 5, gg_str(info->title));
	sqlite3_bind_int(h->update_signal, 6, info->type);
	sqlite3_bind_blob(h->update_signal, 7, state, (int)write_state(&s->fresh, state), SQLITE_TRANSIENT);
	return gg_sql_done(h->update_signal);
}

static bool is_due(const struct gg_history *h, const struct gg_open_block *b, int64_t now)
{
	return b && (now - b->since > h->o.block_age_ns || h->position - b->first_position > h->o.lag_bytes);
}

/* Closes what is due; returns whether there is something to store, and the cursor that will then hold. */
static bool close_due(struct gg_history *h, bool all, uint64_t *ret_cursor)
{
	int64_t now = gg_clock_monotonic(h->o.clock);
	uint64_t cursor = h->position;
	bool any = false;
	pthread_mutex_lock(&h->lock);
	/* Out of memory for open blocks: all are closed, which is rare and leaves all of them equal. */
	all |= h->stats.open_bytes > h->o.memory_bytes;
	for (uint32_t i = 0; i < h->signals_cap; i++) {
		struct gg_history_signal *s = h->signals[i];
		if (!s)
			continue;
		if (all || is_due(h, s->open, now) || is_due(h, s->late, now))
			gg_history_close_blocks(s);
		for (struct gg_open_block *b = s->closed; b; b = b->next) {
			gg_block_sort(&b->block);
			uint32_t gone = gg_block_unique(&b->block);
			h->stats.twice += gone;
			h->stats.open_samples -= gone;
		}
		any |= s->closed || (!s->id && s->open);
		if (s->open && s->open->first_position < cursor)
			cursor = s->open->first_position;
		if (s->late && s->late->first_position < cursor)
			cursor = s->late->first_position;
	}
	pthread_mutex_unlock(&h->lock);
	*ret_cursor = cursor;
	return any;
}

/* The transaction is through: readers find the blocks in the file from now on. */
static void forget_closed(struct gg_history *h)
{
	pthread_mutex_lock(&h->lock);
	for (uint32_t i = 0; i < h->signals_cap; i++) {
		struct gg_history_signal *s = h->signals[i];
		if (s && s->closed)
			s->state = s->fresh;
		for (struct gg_open_block *b; s && (b = s->closed);) {
			s->closed = b->next;
			h->stats.open_bytes -= gg_block_memory(&b->block);
			h->stats.open_samples -= b->block.count;
			gg_block_done(&b->block);
			free(b);
		}
	}
	pthread_mutex_unlock(&h->lock);
}

static void forget_new_ids(struct gg_history *h, const int64_t *ids, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (h->signals[i])
			h->signals[i]->id = ids[i];
}

static int write_all(struct gg_history *h, uint64_t cursor)
{
	int status = gg_sql_run(h->db, "BEGIN IMMEDIATE");
	for (uint32_t i = 0; i < h->signals_cap && status == 0; i++) {
		struct gg_history_signal *s = h->signals[i];
		if (s && (s->closed || (!s->id && s->open)))
			status = store_signal(h, s);
	}
	if (status == 0) {
		sqlite3_bind_int64(h->update_cursor, 1, (int64_t)cursor);
		sqlite3_bind_int64(h->update_cursor, 2, (int64_t)h->position);
		status = gg_sql_done(h->update_cursor);
	}
	return status == 0 ? gg_sql_run(h->db, "COMMIT") : status;
}

int gg_history_store(struct gg_history *h, bool all)
{
	uint64_t cursor;
	int64_t now = gg_clock_monotonic(h->o.clock);
	bool any = close_due(h, all, &cursor);
	if (all)
		h->retain_at = 0;
	if (!any && (cursor == h->stored_cursor || (now < h->next_cursor && !all))) {
		gg_history_retain(h);
		return 0;
	}
	uint32_t count = h->signals_cap;
	int64_t *ids GG_CLEANUP(gg_free_p) = calloc(count + 1, sizeof *ids);
	if (!ids)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		ids[i] = h->signals[i] ? h->signals[i]->id : 0;
	int status = write_all(h, cursor);
	if (status < 0) {
		gg_log(GG_WARN, "history", "blocks can't be stored, the journal keeps them for now",
			GG_S("error", sqlite3_errmsg(h->db)));
		gg_sql_run(h->db, "ROLLBACK");
		forget_new_ids(h, ids, count);
		pthread_mutex_lock(&h->lock);
		h->stats.failed++;
		pthread_mutex_unlock(&h->lock);
		if (status == -ENOSPC)
			gg_sql_run(h->db, "DELETE FROM blocks WHERE id IN (SELECT id FROM blocks ORDER BY id "
					  "LIMIT 64)");
		return status;
	}
	h->stored_cursor = cursor;
	h->next_cursor = now + cursor_every_ns;
	forget_closed(h);
	if (h->journal)
		gg_journal_pin(h->journal, "history", cursor, /* forever= */ false);
	gg_history_retain(h);
	return 0;
}
