/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One query: a connection of its own to the catalog (read-only), the virtual tables, views that leave out
 * what is nobody's business, then an authorizer that allows reading these and nothing else, limits on what
 * SQLite may build, and a progress handler that looks at the clock.
 */
#include "base/clock.h"
#include "store/query_memory.h"
#include "store/query_private.h"

#include <stdatomic.h>

enum { COLUMNS_MAX = 200, PROGRESS_STEPS = 1000, SQL_MAX = 64 << 10, VALUE_MAX = 16 << 20 };

struct watch {
	int64_t deadline;
	const _Atomic bool *cancelled;
	bool late;
	struct gg_query_memory memory;
};

static int progress(void *arg)
{
	struct watch *w = arg;
	w->late = gg_clock_monotonic(&gg_clock_system) > w->deadline;
	return w->late || (w->cancelled && atomic_load(w->cancelled));
}

static bool is_banned(const char *function)
{
	static const char *const banned[] = {
		"load_extension", "fts3_tokenizer", "writefile", "readfile", "edit"};
	for (size_t i = 0; i < GG_COUNT(banned); i++)
		if (function && sqlite3_stricmp(function, banned[i]) == 0)
			return true;
	return false;
}

static int authorize(GG_UNUSED void *arg, int action, const char *first, const char *second,
	GG_UNUSED const char *database, GG_UNUSED const char *view)
{
	switch (action) {
	case SQLITE_SELECT:
	case SQLITE_RECURSIVE:
		return SQLITE_OK;
	case SQLITE_FUNCTION:
		return is_banned(second) ? SQLITE_DENY : SQLITE_OK;
	case SQLITE_READ:
		return gg_query_may_read(first, second) ? SQLITE_OK : SQLITE_DENY;
	default:
		return SQLITE_DENY;
	}
}

static int connect(const struct gg_query_source *source, struct gg_str sql, struct watch *w, sqlite3 **ret_db,
	struct gg_error *e)
{
	sqlite3 *db = NULL;
	int status = source->catalog_path ? gg_sql_open(source->catalog_path, /* read_only= */ true, &db, e)
					  : gg_sql_errno(sqlite3_open(":memory:", &db));
	/* what does not fit is refused, and no disk fills with temporary files */
	if (status == 0)
		status = gg_sql_run(db, "PRAGMA temp_store=MEMORY");
	if (status == 0)
		status = gg_query_add_functions(db);
	if (status == 0)
		status = gg_query_add_tables(db, source);
	if (status == 0)
		status = gg_query_add_views(db, source, sql);
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

/* Where SQLite says it is, and what may have been meant. */
static int explain_mistake(sqlite3 *db, struct gg_str sql, struct gg_error *e)
{
	const char *text = sqlite3_errmsg(db), *near = gg_query_nearest(gg_str(text));
	int offset = sqlite3_error_offset(db);
	unsigned line = 1, column = 1;
	char hint[80] = "";
	if (near)
		snprintf(hint, sizeof hint, "; did you mean %s?", near);
	if (offset < 0 || (size_t)offset > sql.len)
		return gg_error_set(e, -EINVAL, "%s%s", text, hint);
	for (int i = 0; i < offset; i++) {
		column = sql.p[i] == '\n' ? 1 : column + ((sql.p[i] & 0xc0) != 0x80);
		line += sql.p[i] == '\n';
	}
	return gg_error_set(e, -EINVAL, "%s, at line %u, column %u%s", text, line, column, hint);
}

static int explain(sqlite3 *db, int code, struct gg_str sql, const struct gg_query_limits *l,
	const struct watch *w, struct gg_error *e)
{
	char text[64];
	switch (code & 0xff) {
	case SQLITE_INTERRUPT:
		gg_format_duration(text, sizeof text, l->timeout_ns);
		return w->late ? gg_error_set(e, -ETIMEDOUT, "the query took longer than %s", text)
			       : gg_error_set(e, -ECANCELED, "the query was cancelled");
	case SQLITE_AUTH:
		return gg_error_set(e, -EPERM,
			"%s: only samples, rollups, signals, devices, labels, events and revisions can be "
			"read",
			sqlite3_errmsg(db));
	case SQLITE_NOMEM:
		if (w->memory.refused)
			return gg_error_set(e, -E2BIG,
				"the query needs more than %lld MiB of memory: ask for less, or without "
				"sorting and grouping so much at once",
				(long long)(w->memory.limit >> 20));
		return gg_error_set(e, -ENOMEM, "out of memory");
	case SQLITE_ERROR:
	case SQLITE_RANGE:
	case SQLITE_TOOBIG:
	case SQLITE_MISMATCH:
		return explain_mistake(db, sql, e);
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

static int run(const struct gg_query_source *source, struct gg_str sql, const struct gg_query_limits *l,
	struct watch *w, const struct gg_query_output *output, bool *ret_truncated, struct gg_error *e)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *s = NULL;
	const char *tail = sql.p;
	int status = connect(source, sql, w, &db, e);
	if (status < 0)
		return status;
	int code = sqlite3_prepare_v2(db, sql.p, (int)sql.len, &s, &tail);
	if (code != SQLITE_OK)
		status = explain(db, code, sql, l, w, e);
	else
		status = check_statement(s, tail, sql, e);
	if (status == 0) {
		code = output_rows(s, l, output, ret_truncated);
		if (code != SQLITE_DONE && code != SQLITE_ROW)
			status = explain(db, code, sql, l, w, e);
	}
	sqlite3_finalize(s);
	sqlite3_close(db);
	return status;
}

int gg_query_run(const struct gg_query_source *source, struct gg_str sql,
	const struct gg_query_limits *limits, const struct gg_query_output *output, bool *ret_truncated,
	struct gg_error *e)
{
	struct gg_query_limits l = *limits;
	l.timeout_ns = l.timeout_ns ? l.timeout_ns : 10 * GG_NS_PER_S;
	l.rows = l.rows ? l.rows : 100000;
	l.bytes = l.bytes ? l.bytes : 64U << 20;
	l.memory = l.memory ? l.memory : 64U << 20;
	struct watch w = {.deadline = gg_clock_monotonic(&gg_clock_system) + l.timeout_ns,
		.cancelled = l.cancelled,
		.memory = {.limit = (int64_t)gg_min_size(l.memory, INT64_MAX)}};
	if (sql.len > SQL_MAX)
		return gg_error_set(e, -EINVAL, "the query is longer than 64 KiB");
	*ret_truncated = false;
	gg_query_memory_setup();
	gg_query_memory_count(&w.memory);
	int status = run(source, sql, &l, &w, output, ret_truncated, e);
	gg_query_memory_count(NULL);
	return status;
}
