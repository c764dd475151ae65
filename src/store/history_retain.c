/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes. By age, per selection of signals and per level; and by size, the oldest first. Before samples
 * go, what is kept longer is made out of them. Rollups take at most half of the room.
 *
 * Ages are looked at a few signals at a time, all within some minutes; the size each time blocks are stored.
 */
#include "base/log.h"
#include "store/history_private.h"

enum { SIGNALS_AT_ONCE = 32, ROWS_AT_ONCE = 64, PAGES_AT_ONCE = 1024, ROUNDS = 50 };
static const int64_t round_every_ns = 60 * GG_NS_PER_S;

uint64_t gg_history_file_bytes(struct gg_history *h)
{
	uint64_t pages = gg_history_number(h->db, "PRAGMA page_count"),
		 free_pages = gg_history_number(h->db, "PRAGMA freelist_count");
	return (pages - free_pages) * gg_history_number(h->db, "PRAGMA page_size");
}

void gg_history_shrink(struct gg_history *h, unsigned pages)
{
	char sql[64];
	snprintf(sql, sizeof sql, "PRAGMA incremental_vacuum(%u)", pages);
	gg_sql_run(h->db, sql);
}

static bool fits(const struct gg_history_keep *k, struct gg_str name)
{
	struct gg_str device = gg_str_n(name.p, gg_str_find(name, '/'));
	bool signal = k->select_count == 0, here = k->devices == NULL;
	for (size_t i = 0; i < k->select_count && !signal; i++)
		signal = gg_glob(k->select[i], name);
	for (size_t i = 0; i < k->device_count && !here; i++)
		here = gg_str_eq(k->devices[i], device);
	return signal && here;
}

const struct gg_history_keep *gg_history_rule(const struct gg_history *h, struct gg_str name)
{
	const struct gg_history_keep *k = h->o.keep, *last = k + h->o.keep_count - 1;
	while (k < last && !fits(k, name))
		k++;
	return k; /* the last is for all */
}

/* ---- samples ---- */

/* Two numbers of a query with a signal and a time. */
static int ask(
	struct gg_history *h, const char *sql, int64_t id, int64_t time, int64_t *ret_a, int64_t *ret_b)
{
	sqlite3_stmt *q = NULL;
	int status = gg_sql_prepare(h->db, sql, &q, NULL);
	if (status < 0)
		return status;
	sqlite3_bind_int64(q, 1, id);
	sqlite3_bind_int64(q, 2, time);
	int code = sqlite3_step(q);
	if (code == SQLITE_ROW && sqlite3_column_type(q, 0) != SQLITE_NULL) {
		*ret_a = sqlite3_column_int64(q, 0);
		*ret_b = sqlite3_column_int64(q, 1);
		status = 1;
	}
	sqlite3_finalize(q);
	return code == SQLITE_ROW ? status : gg_sql_errno(code);
}

/* Runs a statement with a signal and a time; the number of rows it changed. */
static int change(struct gg_history *h, const char *sql, int64_t id, int64_t a, int64_t b)
{
	sqlite3_stmt *q = NULL;
	int status = gg_sql_prepare(h->db, sql, &q, NULL);
	if (status < 0)
		return status;
	sqlite3_bind_int64(q, 1, id);
	sqlite3_bind_int64(q, 2, a);
	sqlite3_bind_int64(q, 3, b);
	status = gg_sql_done(q);
	sqlite3_finalize(q);
	return status < 0 ? status : sqlite3_changes(h->db);
}

/* Which levels live longer than the samples. For room no seconds are made: they would take as much. */
static void outliving(const struct gg_history_keep *keep, bool for_room, bool ret_levels[GG_LEVELS])
{
	for (unsigned level = 1; level < GG_LEVELS; level++)
		ret_levels[level] =
			for_room ? level > 1
				 : keep->age_ns[level] == 0 || keep->age_ns[level] > keep->age_ns[0];
}

int gg_history_drop_raw(struct gg_history *h, struct gg_history_signal *s, int64_t before,
	const struct gg_history_keep *keep, bool for_room)
{
	int64_t first = 0, last = 0;
	bool levels[GG_LEVELS] = {0};
	int status = ask(h, "SELECT min(t0), max(t1) FROM blocks WHERE signal=? AND t0<?2 AND t1<?2", s->id,
		before, &first, &last);
	if (status <= 0)
		return status;
	s->fresh = s->state;
	outliving(keep, for_room, levels);
	status = gg_sql_run(h->db, "BEGIN IMMEDIATE");
	if (status == 0)
		status = gg_history_roll_before(h, s, first, last + 1, levels);
	if (status == 0)
		status = change(h, "DELETE FROM blocks WHERE signal=? AND t0<?2 AND t1<?2", s->id, before, 0);
	int gone = status;
	if (last + 1 > s->fresh.raw_from)
		s->fresh.raw_from = last + 1;
	if (status >= 0)
		status = gg_history_save_state(h, s);
	if (status == 0)
		status = gg_sql_run(h->db, "COMMIT");
	if (status < 0) {
		gg_sql_run(h->db, "ROLLBACK");
		return status;
	}
	s->state = s->fresh;
	return gone;
}

/* ---- by age ---- */

static int retain_signal(struct gg_history *h, int64_t id, const struct gg_history_keep *keep, int64_t now)
{
	struct gg_history_signal spare, *s;
	int gone = 0, n = 0;
	if (keep->age_ns[0] > 0 && (s = gg_history_by_id(h, id, &spare)))
		n = gg_history_drop_raw(h, s, now - keep->age_ns[0], keep, /* for_room= */ false);
	for (unsigned level = 1; level < GG_LEVELS && n >= 0; level++) {
		gone += n;
		n = 0;
		if (keep->age_ns[level] > 0)
			n = change(h, "DELETE FROM rollups WHERE signal=? AND level=? AND t1<?", id, level,
				now - keep->age_ns[level]);
	}
	return n < 0 ? n : gone + n;
}

static bool any_age(const struct gg_history *h)
{
	for (size_t i = 0; i < h->o.keep_count; i++)
		for (int level = 0; level < GG_LEVELS; level++)
			if (h->o.keep[i].age_ns[level] > 0)
				return true;
	return false;
}

/* Some signals more; returns how many rows went. */
static int retain_by_age(struct gg_history *h)
{
	int64_t ids[SIGNALS_AT_ONCE], now = gg_clock_utc(h->o.clock);
	const struct gg_history_keep *rules[SIGNALS_AT_ONCE];
	sqlite3_stmt *q = NULL;
	int count = 0, gone = 0;
	if (!any_age(h) || gg_clock_monotonic(h->o.clock) < h->retain_at ||
		gg_sql_prepare(
			h->db, "SELECT id, name FROM signals WHERE id>? ORDER BY id LIMIT ?", &q, NULL) < 0)
		return 0;
	sqlite3_bind_int64(q, 1, h->retain_id);
	sqlite3_bind_int(q, 2, SIGNALS_AT_ONCE);
	for (; count < SIGNALS_AT_ONCE && sqlite3_step(q) == SQLITE_ROW; count++) {
		ids[count] = sqlite3_column_int64(q, 0);
		rules[count] = gg_history_rule(h, gg_sql_column(q, 1));
	}
	sqlite3_finalize(q);
	for (int i = 0; i < count; i++) {
		int n = retain_signal(h, ids[i], rules[i], now);
		if (n < 0)
			gg_log(GG_WARN, "history", "what is too old can't be deleted for now",
				GG_S("error", strerror(-n)));
		gone += n > 0 ? n : 0;
		h->retain_id = ids[i];
	}
	if (count < SIGNALS_AT_ONCE) {
		h->retain_id = 0;
		h->retain_at = gg_clock_monotonic(h->o.clock) + round_every_ns;
	}
	return gone;
}

/* ---- by size ---- */

/* The oldest blocks of the file; 0 when there are none. */
static int drop_oldest_raw(struct gg_history *h)
{
	int64_t signals[ROWS_AT_ONCE], before[ROWS_AT_ONCE];
	sqlite3_stmt *q = NULL;
	int count = 0, gone = 0;
	if (gg_sql_prepare(h->db,
		    "SELECT signal, max(t1) FROM (SELECT signal, t1 FROM blocks ORDER BY id LIMIT 64) GROUP "
		    "BY "
		    "signal",
		    &q, NULL) < 0)
		return -EIO;
	for (; count < ROWS_AT_ONCE && sqlite3_step(q) == SQLITE_ROW; count++) {
		signals[count] = sqlite3_column_int64(q, 0);
		before[count] = sqlite3_column_int64(q, 1) + 1;
	}
	sqlite3_finalize(q);
	for (int i = 0; i < count; i++) {
		struct gg_history_signal spare, *s = gg_history_by_id(h, signals[i], &spare);
		int n = s ? gg_history_drop_raw(h, s, before[i], NULL, /* for_room= */ true) : -EIO;
		if (n < 0)
			return n;
		gone += n;
	}
	return gone;
}

/* The oldest rows of the finest level there is. */
static int drop_oldest_rollups(struct gg_history *h)
{
	for (int level = 1; level < GG_LEVELS; level++) {
		char sql[200];
		snprintf(sql, sizeof sql,
			"SELECT sum(length(data)) FROM (SELECT data FROM rollups WHERE level=%d "
			"ORDER BY id LIMIT 64)",
			level);
		uint64_t bytes = gg_history_number(h->db, sql);
		snprintf(sql, sizeof sql,
			"DELETE FROM rollups WHERE id IN (SELECT id FROM rollups WHERE level=%d ORDER BY id "
			"LIMIT 64)",
			level);
		int status = gg_sql_run(h->db, sql), gone = sqlite3_changes(h->db);
		if (status < 0)
			return status;
		h->rollup_bytes -= bytes < h->rollup_bytes ? bytes : h->rollup_bytes;
		if (gone > 0)
			return gone;
	}
	return 0;
}

static int retain_by_size(struct gg_history *h)
{
	int gone = 0;
	for (int i = 0; i < ROUNDS && gg_history_file_bytes(h) > h->o.keep_bytes; i++) {
		bool rollups = h->rollup_bytes > h->o.keep_bytes / 2;
		int n = rollups ? drop_oldest_rollups(h) : drop_oldest_raw(h);
		if (n == 0)
			n = rollups ? drop_oldest_raw(h) : drop_oldest_rollups(h);
		if (n <= 0)
			break;
		gone += n;
	}
	return gone;
}

/* Ids are given one after the other, and what goes is mostly the oldest: their range is about the number.
 * SQLite looks the ends up only when each is asked for by itself; both in one question read the whole table.
 */
void gg_history_measure(struct gg_history *h, uint64_t removed)
{
	uint64_t size = gg_history_file_bytes(h);
	uint64_t rows = gg_history_number(
		h->db, "SELECT coalesce((SELECT max(id) FROM blocks) - (SELECT min(id) FROM blocks) + 1, 0)");
	pthread_mutex_lock(&h->lock);
	h->stats.disk_bytes = size;
	h->stats.rows = rows;
	h->stats.removed += removed;
	pthread_mutex_unlock(&h->lock);
}

void gg_history_retain(struct gg_history *h)
{
	gg_history_take_rules(h);
	int gone = retain_by_age(h) + retain_by_size(h);
	if (gone > 0 || gg_history_number(h->db, "PRAGMA freelist_count") > PAGES_AT_ONCE)
		gg_history_shrink(h, PAGES_AT_ONCE);
	gg_history_measure(h, (uint64_t)gone);
}
