/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One query: a connection of its own to the catalog (read-only), the virtual tables, views that leave out
 * what is nobody's business, then an authorizer that allows reading these and nothing else, limits on what
 * SQLite may build, and a progress handler that looks at the clock.
 */
#include "base/clock.h"
#include "store/query_private.h"

#include <stdatomic.h>

enum { COLUMNS_MAX = 200, PROGRESS_STEPS = 1000, SQL_MAX = 64 << 10, VALUE_MAX = 16 << 20 };

static const char no_catalog[] =
	"CREATE TEMP VIEW devices AS SELECT '' AS id, '' AS title, '' AS labels, 0 AS enabled, '' AS created,"
	" '' AS last_seen WHERE 0;"
	"CREATE TEMP VIEW events AS SELECT 0 AS id, '' AS kind, '' AS key, '' AS severity, '' AS state, '' "
	"AS title, '' AS message,"
	" '' AS device, '' AS signal, 0 AS count, '' AS opened, '' AS updated, '' AS acknowledged,"
	" '' AS acknowledged_by, '' AS cleared, '' AS trace WHERE 0";

static const char views[] =
	"CREATE TEMP VIEW devices AS SELECT id, title, labels, enabled, gg_time(created_ns) AS created,"
	" gg_time(last_seen_ns) AS last_seen FROM main.devices;"
	"CREATE TEMP VIEW events AS SELECT id, kind, key,"
	" CASE severity WHEN 0 THEN 'information' WHEN 1 THEN 'warning' ELSE 'critical' END AS severity,"
	" CASE state WHEN 0 THEN 'open' WHEN 1 THEN 'acknowledged' ELSE 'cleared' END AS state, title, "
	"message, device, signal,"
	" count, gg_time(opened_ns) AS opened, gg_time(updated_ns) AS updated,"
	" gg_time(acknowledged_ns) AS acknowledged, acknowledged_by, gg_time(cleared_ns) AS cleared, trace"
	" FROM main.events";

struct watch {
	int64_t deadline;
	const _Atomic bool *cancelled;
	bool late;
};

static int progress(void *arg)
{
	struct watch *w = arg;
	w->late = gg_clock_monotonic(&gg_clock_system) > w->deadline;
	return w->late || (w->cancelled && atomic_load(w->cancelled));
}

static bool is_one_of(const char *word, const char *const *list)
{
	for (; word && *list; list++)
		if (sqlite3_stricmp(word, *list) == 0)
			return true;
	return false;
}

/*
 * By table and column, not by the view through which it is read: a query can give its own names to that. A
 * table of which no column is read (count(*)) may be a name the query made itself.
 */
static bool may_read(const char *table, const char *column)
{
	static const char *const open[] = {"samples", "signals", "events", "json_each", "json_tree", NULL};
	static const char *const closed[] = {"tokens", "revisions", "meta", "cursors", "comments",
		"sqlite_master", "sqlite_schema", "sqlite_temp_master", "sqlite_temp_schema",
		"sqlite_sequence", NULL};
	static const char *const secret[] = {"credential", "credential_kind", NULL};
	if (is_one_of(table, open))
		return true;
	if (sqlite3_stricmp(table, "devices") == 0)
		return !is_one_of(column, secret);
	return column && !*column && !is_one_of(table, closed) && sqlite3_strnicmp(table, "pragma_", 7) != 0;
}

static int authorize(GG_UNUSED void *arg, int action, const char *first, const char *second,
	GG_UNUSED const char *database, GG_UNUSED const char *view)
{
	static const char *const banned[] = {
		"load_extension", "fts3_tokenizer", "writefile", "readfile", "edit", NULL};
	switch (action) {
	case SQLITE_SELECT:
	case SQLITE_RECURSIVE:
		return SQLITE_OK;
	case SQLITE_FUNCTION:
		return is_one_of(second, banned) ? SQLITE_DENY : SQLITE_OK;
	case SQLITE_READ:
		return may_read(first, second) ? SQLITE_OK : SQLITE_DENY;
	default:
		return SQLITE_DENY;
	}
}

static int connect(
	const struct gg_query_source *source, struct watch *w, sqlite3 **ret_db, struct gg_error *e)
{
	sqlite3 *db = NULL;
	int status = source->catalog_path ? gg_sql_open(source->catalog_path, /* read_only= */ true, &db, e)
					  : gg_sql_errno(sqlite3_open(":memory:", &db));
	if (status == 0)
		status = gg_query_add_functions(db);
	if (status == 0)
		status = gg_query_add_tables(db, source);
	if (status == 0)
		status = gg_sql_run(db, source->catalog_path ? views : no_catalog);
	if (status < 0) {
		if (e && !e->code)
			gg_error_set(e, status, "the query can't be prepared: %s", sqlite3_errmsg(db));
		sqlite3_close(db);
		return status;
	}
	sqlite3_limit(db, SQLITE_LIMIT_LENGTH, VALUE_MAX);
	sqlite3_limit(db, SQLITE_LIMIT_SQL_LENGTH, SQL_MAX);
	sqlite3_limit(db, SQLITE_LIMIT_COLUMN, COLUMNS_MAX);
	sqlite3_limit(db, SQLITE_LIMIT_EXPR_DEPTH, 100);
	sqlite3_limit(db, SQLITE_LIMIT_COMPOUND_SELECT, 50);
	sqlite3_limit(db, SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000);
	sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
	sqlite3_progress_handler(db, PROGRESS_STEPS, progress, w);
	sqlite3_set_authorizer(db, authorize, NULL);
	*ret_db = db;
	return 0;
}

static int explain(sqlite3 *db, int code, const struct watch *w, int64_t timeout_ns, struct gg_error *e)
{
	char text[64];
	switch (code & 0xff) {
	case SQLITE_INTERRUPT:
		gg_format_duration(text, sizeof text, timeout_ns);
		return w->late ? gg_error_set(e, -ETIMEDOUT, "the query took longer than %s", text)
			       : gg_error_set(e, -ECANCELED, "the query was cancelled");
	case SQLITE_AUTH:
		return gg_error_set(e, -EPERM, "%s: only samples, signals, devices and events can be read",
			sqlite3_errmsg(db));
	case SQLITE_ERROR:
	case SQLITE_RANGE:
	case SQLITE_TOOBIG:
	case SQLITE_MISMATCH:
		return gg_error_set(e, -EINVAL, "%s", sqlite3_errmsg(db));
	default:
		return gg_error_set(e, gg_sql_errno(code), "%s", sqlite3_errmsg(db));
	}
}

static uint64_t take_row(sqlite3_stmt *s, struct gg_query_value *values, unsigned count)
{
	uint64_t bytes = 0;
	for (unsigned i = 0; i < count; i++) {
		struct gg_query_value v = {.type = GG_QUERY_NULL};
		switch (sqlite3_column_type(s, (int)i)) {
		case SQLITE_INTEGER:
			v.type = GG_QUERY_INT;
			v.i = sqlite3_column_int64(s, (int)i);
			break;
		case SQLITE_FLOAT:
			v.type = GG_QUERY_FLOAT;
			v.f = sqlite3_column_double(s, (int)i);
			break;
		case SQLITE_TEXT:
			v.type = GG_QUERY_TEXT;
			v.s = gg_sql_column(s, (int)i);
			break;
		case SQLITE_BLOB:
			v.type = GG_QUERY_BYTES;
			v.s = gg_sql_column(s, (int)i);
			break;
		default:
			break;
		}
		bytes += 16 + v.s.len;
		values[i] = v;
	}
	return bytes;
}

/* Returns SQLite's code of the last step: SQLITE_ROW when it was ended early. */
static int output_rows(sqlite3_stmt *s, const struct gg_query_limits *l, const struct gg_query_output *o,
	bool *ret_truncated)
{
	const char *names[COLUMNS_MAX];
	struct gg_query_value values[COLUMNS_MAX];
	unsigned count = (unsigned)sqlite3_column_count(s);
	uint64_t rows = 0, bytes = 0;
	int code;
	for (unsigned i = 0; i < count; i++)
		names[i] = sqlite3_column_name(s, (int)i);
	if (o->columns)
		o->columns(o->arg, names, count);
	while ((code = sqlite3_step(s)) == SQLITE_ROW) {
		bytes += take_row(s, values, count);
		if (rows++ >= l->rows || bytes > l->bytes) {
			*ret_truncated = true;
			break;
		}
		if (!o->row(o->arg, values, count))
			break;
	}
	return code;
}

static int check_statement(sqlite3_stmt *s, const char *tail, const struct gg_str sql, struct gg_error *e)
{
	if (!s)
		return gg_error_set(e, -EINVAL, "the query is empty");
	struct gg_str rest = gg_str_trim(gg_str_n(tail, (size_t)(sql.p + sql.len - tail)));
	if (rest.len > 0)
		return gg_error_set(e, -EINVAL, "one statement at a time: \"%.*s\" is left over",
			rest.len > 60 ? 60 : (int)rest.len, rest.p);
	if (!sqlite3_stmt_readonly(s) || sqlite3_column_count(s) == 0)
		return gg_error_set(e, -EPERM, "only reading is allowed");
	return 0;
}

int gg_query_run(const struct gg_query_source *source, struct gg_str sql,
	const struct gg_query_limits *limits, const struct gg_query_output *output, bool *ret_truncated,
	struct gg_error *e)
{
	struct gg_query_limits l = *limits;
	l.timeout_ns = l.timeout_ns ? l.timeout_ns : 10 * GG_NS_PER_S;
	l.rows = l.rows ? l.rows : 100000;
	l.bytes = l.bytes ? l.bytes : 64U << 20;
	struct watch w = {gg_clock_monotonic(&gg_clock_system) + l.timeout_ns, l.cancelled, false};
	sqlite3 *db = NULL;
	sqlite3_stmt *s = NULL;
	const char *tail = sql.p;
	if (sql.len > SQL_MAX)
		return gg_error_set(e, -EINVAL, "the query is longer than 64 KiB");
	int status = connect(source, &w, &db, e);
	if (status < 0)
		return status;
	*ret_truncated = false;
	int code = sqlite3_prepare_v2(db, sql.p, (int)sql.len, &s, &tail);
	if (code != SQLITE_OK)
		status = explain(db, code, &w, l.timeout_ns, e);
	else
		status = check_statement(s, tail, sql, e);
	if (status == 0) {
		code = output_rows(s, &l, output, ret_truncated);
		if (code != SQLITE_DONE && code != SQLITE_ROW)
			status = explain(db, code, &w, l.timeout_ns, e);
	}
	sqlite3_finalize(s);
	sqlite3_close(db);
	return status;
}
