/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events in the catalog. At most one event of a kind and key is not cleared at a time (an index says so);
 * reports in between count on it, so that a flapping device is one line with a count and not ten thousand
 * lines.
 */
#include "store/catalog_private.h"

#define EVENT_HEAD    "id, kind, key, severity, state, title, device, signal"
#define EVENT_TAIL    "count, opened_ns, updated_ns, acknowledged_ns, acknowledged_by, cleared_ns, message"
#define EVENT_COLUMNS EVENT_HEAD ", trace, " EVENT_TAIL

static struct gg_event_row event_row(sqlite3_stmt *s)
{
	return (struct gg_event_row){.id = (uint64_t)sqlite3_column_int64(s, 0),
		.kind = gg_sql_column(s, 1),
		.key = gg_sql_column(s, 2),
		.severity = (enum gg_severity)sqlite3_column_int(s, 3),
		.state = (enum gg_event_state)sqlite3_column_int(s, 4),
		.title = gg_sql_column(s, 5),
		.device = gg_sql_column(s, 6),
		.signal = gg_sql_column(s, 7),
		.trace_json = gg_sql_column(s, 8),
		.count = (uint64_t)sqlite3_column_int64(s, 9),
		.opened_ns = sqlite3_column_int64(s, 10),
		.updated_ns = sqlite3_column_int64(s, 11),
		.acknowledged_ns = sqlite3_column_int64(s, 12),
		.acknowledged_by = gg_sql_column(s, 13),
		.cleared_ns = sqlite3_column_int64(s, 14),
		.message = gg_sql_column(s, 15)};
}

/* Runs a statement that returns (id, count) of the row it changed. 0 in *ret_id when there was none. */
static int changed_row(struct gg_catalog *c, sqlite3_stmt *s, uint64_t *ret_id, uint64_t *ret_count)
{
	if (!s)
		return -EIO;
	int code = sqlite3_step(s);
	*ret_id = *ret_count = 0;
	if (code == SQLITE_ROW) {
		*ret_id = (uint64_t)sqlite3_column_int64(s, 0);
		*ret_count = (uint64_t)sqlite3_column_int64(s, 1);
		code = sqlite3_step(s);
	}
	return gg_catalog_end(c, s, code);
}

int gg_catalog_report(
	struct gg_catalog *c, const struct gg_event_row *e, bool clear, uint64_t *ret_id, bool *ret_opened)
{
	uint64_t id = 0, count = 0;
	int status;
	if (clear)
		status = changed_row(c,
			gg_catalog_begin(c,
				"UPDATE events SET state=2, cleared_ns=?3, updated_ns=?3 WHERE kind=?1 AND "
				"key=?2 AND state!=2"
				" RETURNING id, count",
				"ssi", e->kind, e->key, e->updated_ns),
			&id, &count);
	else
		status = changed_row(c,
			gg_catalog_begin(c,
				"INSERT INTO events (id, kind, key, severity, state, title, device, signal, "
				"trace, count, opened_ns,"
				" updated_ns) VALUES (nullif(?1,0),?2,?3,?4,0,?5,?6,?7,?8,1,?9,?9)"
				" ON CONFLICT (kind, key) WHERE state != 2 DO UPDATE SET count=count+1, "
				"updated_ns=?9,"
				" severity=max(severity, ?4), title=?5, trace=CASE WHEN ?8='' THEN trace "
				"ELSE ?8 END"
				" RETURNING id, count",
				"ussissssi", e->id, e->kind, e->key, (int64_t)e->severity, e->title,
				e->device, e->signal, e->trace_json, e->updated_ns),
			&id, &count);
	if (status < 0)
		return status;
	if (id == 0)
		return -ENOENT;
	*ret_id = id;
	*ret_opened = !clear && count == 1;
	return 0;
}

int gg_catalog_put_event(struct gg_catalog *c, const struct gg_event_row *e)
{
	return gg_catalog_change(c,
		gg_catalog_begin(c,
			"INSERT INTO events (" EVENT_COLUMNS
			") VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16)"
			" ON CONFLICT (id) DO UPDATE SET severity=?4, state=?5, title=?6, trace=?9, "
			"count=?10,"
			" updated_ns=?12, acknowledged_ns=?13, acknowledged_by=?14, cleared_ns=?15, "
			"message=?16",
			"ussiissssuiiisis", e->id, e->kind, e->key, (int64_t)e->severity, (int64_t)e->state,
			e->title, e->device, e->signal, e->trace_json, e->count, e->opened_ns, e->updated_ns,
			e->acknowledged_ns, e->acknowledged_by, e->cleared_ns, e->message),
		false);
}

static int state_of(struct gg_catalog *c, uint64_t id)
{
	sqlite3_stmt *s = gg_catalog_begin(c, "SELECT state FROM events WHERE id=?", "u", id);
	if (!s)
		return -EIO;
	int code = sqlite3_step(s), state = code == SQLITE_ROW ? sqlite3_column_int(s, 0) : -ENOENT;
	int status = gg_catalog_end(c, s, code);
	return status < 0 ? status : state;
}

int gg_catalog_acknowledge(struct gg_catalog *c, uint64_t id, struct gg_str by, int64_t time_ns)
{
	int status = gg_catalog_change(c,
		gg_catalog_begin(c,
			"UPDATE events SET state=1, acknowledged_ns=?2, acknowledged_by=?3, updated_ns=?2"
			" WHERE id=?1 AND state != 2",
			"uis", id, time_ns, by),
		true);
	return status == -ENOENT && state_of(c, id) == GG_EVENT_CLEARED ? -ESTALE : status;
}

int gg_catalog_comment(
	struct gg_catalog *c, uint64_t id, struct gg_str by, struct gg_str text, int64_t time_ns)
{
	int status = gg_catalog_change(c,
		gg_catalog_begin(c, "INSERT INTO comments VALUES (?,?,?,?)", "uiss", id, time_ns, by, text),
		false);
	return status == -EEXIST ? -ENOENT : status; /* the reference to its event */
}

int gg_catalog_set_trace(struct gg_catalog *c, uint64_t id, struct gg_str trace_json)
{
	return gg_catalog_change(
		c, gg_catalog_begin(c, "UPDATE events SET trace=?2 WHERE id=?1", "us", id, trace_json), true);
}

static int each_event(struct gg_catalog *c, sqlite3_stmt *s,
	void (*each)(void *arg, const struct gg_event_row *e), void *arg, size_t *ret_count)
{
	int code = SQLITE_ERROR;
	if (!s)
		return -EIO;
	while ((code = sqlite3_step(s)) == SQLITE_ROW) {
		struct gg_event_row e = event_row(s);
		each(arg, &e);
		(*ret_count)++;
	}
	return gg_catalog_end(c, s, code);
}

int gg_catalog_events(struct gg_catalog *c, const struct gg_event_filter *f,
	void (*each)(void *arg, const struct gg_event_row *e), void *arg)
{
	size_t count = 0;
	return each_event(c,
		gg_catalog_begin(c,
			"SELECT " EVENT_HEAD ", CASE WHEN ?9 THEN '' ELSE trace END, " EVENT_TAIL
			" FROM events WHERE id < ?1"
			" AND (?2 = -1 OR state = ?2 OR (?2 = -2 AND state != 2)) AND severity >= ?3"
			" AND (?4 = '' OR kind = ?4) AND (?5 = '' OR device = ?5) AND opened_ns >= ?6"
			" AND (?7 = 0 OR opened_ns < ?7) AND (?10 = '' OR signal = ?10)"
			" ORDER BY id DESC LIMIT ?8",
			"uiissiiiis", f->before_id && f->before_id < INT64_MAX ? f->before_id : INT64_MAX,
			(int64_t)f->state, (int64_t)f->least_severity, f->kind, f->device, f->from_ns,
			f->to_ns, (int64_t)(f->limit ? f->limit : 100), (int64_t)f->brief, f->signal),
		each, arg, &count);
}

int gg_catalog_event(
	struct gg_catalog *c, uint64_t id, void (*each)(void *arg, const struct gg_event_row *e), void *arg)
{
	size_t count = 0;
	int status =
		each_event(c, gg_catalog_begin(c, "SELECT " EVENT_COLUMNS " FROM events WHERE id=?", "u", id),
			each, arg, &count);
	return status == 0 && count == 0 ? -ENOENT : status;
}

int gg_catalog_comments(struct gg_catalog *c, uint64_t id,
	void (*each)(void *arg, int64_t time_ns, struct gg_str by, struct gg_str text), void *arg)
{
	sqlite3_stmt *s = gg_catalog_begin(c,
		"SELECT time_ns, author, text FROM comments WHERE event=? ORDER BY time_ns, rowid", "u", id);
	int code = SQLITE_ERROR;
	if (!s)
		return -EIO;
	while ((code = sqlite3_step(s)) == SQLITE_ROW)
		each(arg, sqlite3_column_int64(s, 0), gg_sql_column(s, 1), gg_sql_column(s, 2));
	return gg_catalog_end(c, s, code);
}

static int forget(struct gg_catalog *c, sqlite3_stmt *s, uint64_t *ret_count)
{
	if (!s)
		return -EIO;
	int code = sqlite3_step(s);
	uint64_t count = code == SQLITE_DONE ? (uint64_t)sqlite3_changes(c->db) : 0;
	int status = gg_catalog_end(c, s, code);
	if (status == 0 && ret_count)
		*ret_count += count;
	return status;
}

int gg_catalog_count_events(struct gg_catalog *c, uint64_t *ret_count)
{
	sqlite3_stmt *s = gg_catalog_begin(c, "SELECT count(*) FROM events", "");
	if (!s)
		return -EIO;
	int code = sqlite3_step(s);
	uint64_t count = (uint64_t)sqlite3_column_int64(s, 0);
	int status = gg_catalog_end(c, s, code);
	if (status == 0)
		*ret_count = count;
	return status;
}

int gg_catalog_forget_events(
	struct gg_catalog *c, int64_t before_ns, uint64_t most, size_t at_once, uint64_t *ret_count)
{
	uint64_t count = 0;
	/* What was over before then was opened before then: of that there is an index. */
	int status = forget(c,
		gg_catalog_begin(c,
			"DELETE FROM events WHERE id IN (SELECT id FROM events WHERE opened_ns < ?1 AND "
			"cleared_ns < ?1 AND state = 2 LIMIT ?2)",
			"ii", before_ns, (int64_t)at_once),
		ret_count);
	if (status == 0)
		status = gg_catalog_count_events(c, &count);
	if (status < 0 || count <= most)
		return status;
	return forget(c,
		gg_catalog_begin(c,
			"DELETE FROM events WHERE id IN (SELECT id FROM events WHERE state = 2 ORDER BY id "
			"LIMIT "
			"?1)",
			"i", (int64_t)gg_min_size(at_once, (size_t)(count - most))),
		ret_count);
}

uint64_t gg_catalog_last_event(struct gg_catalog *c)
{
	sqlite3_stmt *s = gg_catalog_begin(c, "SELECT seq FROM sqlite_sequence WHERE name='events'", "");
	if (!s)
		return 0;
	int code = sqlite3_step(s);
	uint64_t id = code == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(s, 0) : 0;
	gg_catalog_end(c, s, code);
	return id;
}
