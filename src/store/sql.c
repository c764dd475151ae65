/* SPDX-License-Identifier: Apache-2.0 */
/* See sql.h. */
#include "store/sql.h"

#include "store/query_memory.h"
#include "store/sealed_vfs.h"

enum { BUSY_MS = 5000 };

int gg_sql_errno(int sqlite_code)
{
	switch (sqlite_code & 0xff) {
	case SQLITE_OK:
	case SQLITE_DONE:
	case SQLITE_ROW:
		return 0;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EAGAIN;
	case SQLITE_CONSTRAINT:
		return -EEXIST;
	default:
		return -EIO;
	}
}

int gg_sql_run(sqlite3 *db, const char *sql)
{
	return gg_sql_errno(sqlite3_exec(db, sql, NULL, NULL, NULL));
}

/* Only before the first table can it be said that space is to be given back; said again it would be written
 * and synced at each start. */
static bool is_empty(sqlite3 *db)
{
	sqlite3_stmt *s = NULL;
	bool yes = sqlite3_prepare_v2(db, "PRAGMA page_count", -1, &s, NULL) == SQLITE_OK &&
		   sqlite3_step(s) == SQLITE_ROW && sqlite3_column_int(s, 0) == 0;
	sqlite3_finalize(s);
	return yes;
}

int gg_sql_seal(const uint8_t *root)
{
	return gg_sealed_vfs_key(root);
}

int gg_sql_unseal(const char *path, struct gg_error *e)
{
	return gg_sealed_undo(path, e);
}

int gg_sql_open(const char *path, bool read_only, sqlite3 **ret_db, struct gg_error *e)
{
	sqlite3 *db = NULL;
	const char *vfs = NULL;
	gg_query_memory_setup();
	int flags = SQLITE_OPEN_NOMUTEX |
		    (read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
	int status = gg_sealed_prepare(path, read_only, &vfs, e);
	if (status < 0)
		return status;
	int code = sqlite3_open_v2(path, &db, flags, vfs);
	if (code == SQLITE_OK) {
		sqlite3_busy_timeout(db, BUSY_MS);
		sqlite3_extended_result_codes(db, 1);
		if (vfs) /* there are no others */
			code = sqlite3_exec(db, "PRAGMA temp_store=MEMORY", NULL, NULL, NULL);
		if (code == SQLITE_OK && !read_only && is_empty(db))
			code = sqlite3_exec(db, "PRAGMA auto_vacuum=INCREMENTAL", NULL, NULL, NULL);
		if (code == SQLITE_OK && !read_only)
			code = sqlite3_exec(db,
				"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
				"PRAGMA foreign_keys=ON; PRAGMA journal_size_limit=4194304",
				NULL, NULL, NULL);
	}
	if (code != SQLITE_OK) {
		status = gg_error_set(e, gg_sql_errno(code), "%s can't be opened: %s", path,
			code == SQLITE_IOERR_DATA ? "a page of it was damaged or changed, see the log"
			: db                      ? sqlite3_errmsg(db)
						  : "out of memory");
		sqlite3_close(db);
		return status;
	}
	*ret_db = db;
	return 0;
}

int gg_sql_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret_stmt, struct gg_error *e)
{
	int code = sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret_stmt, NULL);
	if (code == SQLITE_OK)
		return 0;
	return gg_error_set(e, gg_sql_errno(code), "%s", sqlite3_errmsg(db));
}

void gg_sql_text(sqlite3_stmt *s, int at, struct gg_str text)
{
	sqlite3_bind_text64(s, at, text.p ? text.p : "", text.len, SQLITE_TRANSIENT, SQLITE_UTF8);
}

struct gg_str gg_sql_column(sqlite3_stmt *s, int at)
{
	const void *p = sqlite3_column_type(s, at) == SQLITE_BLOB ? sqlite3_column_blob(s, at)
								  : (const void *)sqlite3_column_text(s, at);
	return gg_str_n(p ? p : "", p ? (size_t)sqlite3_column_bytes(s, at) : 0);
}

int gg_sql_done(sqlite3_stmt *s)
{
	int status = gg_sql_errno(sqlite3_step(s));
	sqlite3_reset(s);
	return status;
}

static int user_version(sqlite3 *db, int *ret_version)
{
	sqlite3_stmt *s = NULL;
	int code = sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &s, NULL);
	if (code == SQLITE_OK && (code = sqlite3_step(s)) == SQLITE_ROW)
		*ret_version = sqlite3_column_int(s, 0);
	sqlite3_finalize(s);
	return code == SQLITE_ROW ? 0 : gg_sql_errno(code);
}

int gg_sql_migrate(sqlite3 *db, const char *const *scripts, int count, const char *path, struct gg_error *e)
{
	int version = 0;
	int status = user_version(db, &version);
	if (status < 0)
		return gg_error_set(e, status, "%s can't be read: %s", path, sqlite3_errmsg(db));
	if (version > count)
		return gg_error_set(e, -ENOTSUP,
			"%s was written by a newer Ganglion (its version is %d, ours %d)", path, version,
			count);
	for (; version < count && status == 0; version++) {
		char mark[64];
		snprintf(mark, sizeof mark, "PRAGMA user_version=%d", version + 1);
		status = gg_sql_run(db, "BEGIN IMMEDIATE");
		if (status == 0)
			status = gg_sql_run(db, scripts[version]);
		if (status == 0)
			status = gg_sql_run(db, mark);
		if (status == 0)
			status = gg_sql_run(db, "COMMIT");
		if (status < 0)
			gg_error_set(e, status, "%s can't be brought to version %d: %s", path, version + 1,
				sqlite3_errmsg(db));
	}
	if (status < 0)
		gg_sql_run(db, "ROLLBACK");
	return status;
}
