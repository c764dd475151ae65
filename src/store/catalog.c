/* SPDX-License-Identifier: Apache-2.0 */
/* The catalog's file, its schema, and the tables that are little more than rows; events have a file of their
 * own. */
#include "store/catalog_private.h"

#include <stdarg.h>

static const char *const scripts[] = {
	"CREATE TABLE devices (id TEXT PRIMARY KEY, title TEXT NOT NULL, labels TEXT NOT NULL,"
	" credential_kind TEXT NOT NULL, credential BLOB NOT NULL, created_ns INTEGER NOT NULL,"
	" last_seen_ns INTEGER NOT NULL, enabled INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE events (id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, key TEXT NOT NULL,"
	" severity INTEGER NOT NULL, state INTEGER NOT NULL, title TEXT NOT NULL, device TEXT NOT NULL,"
	" signal TEXT NOT NULL, trace TEXT NOT NULL, count INTEGER NOT NULL, opened_ns INTEGER NOT NULL,"
	" updated_ns INTEGER NOT NULL, acknowledged_ns INTEGER NOT NULL DEFAULT 0,"
	" acknowledged_by TEXT NOT NULL DEFAULT '', cleared_ns INTEGER NOT NULL DEFAULT 0);"
	"CREATE UNIQUE INDEX events_open ON events (kind, key) WHERE state != 2;"
	"CREATE INDEX events_by_time ON events (opened_ns);"
	"CREATE TABLE comments (event INTEGER NOT NULL REFERENCES events ON DELETE CASCADE, time_ns INTEGER "
	"NOT NULL,"
	" author TEXT NOT NULL, text TEXT NOT NULL);"
	"CREATE INDEX comments_by_event ON comments (event);"
	"CREATE TABLE cursors (name TEXT PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE tokens (id TEXT PRIMARY KEY, title TEXT NOT NULL, hash BLOB NOT NULL, role TEXT NOT "
	"NULL,"
	" created_ns INTEGER NOT NULL, expires_ns INTEGER NOT NULL, last_used_ns INTEGER NOT NULL) WITHOUT "
	"ROWID;"
	"CREATE TABLE revisions (number INTEGER PRIMARY KEY AUTOINCREMENT, created_ns INTEGER NOT NULL,"
	" author TEXT NOT NULL, comment TEXT NOT NULL, text TEXT NOT NULL);"
	"CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
	"ALTER TABLE events ADD COLUMN message TEXT NOT NULL DEFAULT ''",
};

int gg_catalog_open(const char *path, struct gg_catalog **ret_catalog, struct gg_error *e)
{
	struct gg_catalog *c = calloc(1, sizeof *c);
	if (!c)
		return gg_error_set(e, -ENOMEM, "out of memory");
	pthread_mutexattr_t attr;
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&c->lock, &attr);
	pthread_mutexattr_destroy(&attr);
	c->path = strdup(path);
	int status = gg_sql_open(path, /* read_only= */ false, &c->db, e);
	if (status == 0)
		status = gg_sql_migrate(c->db, scripts, GG_COUNT(scripts), path, e);
	if (status == 0 && !c->path)
		status = gg_error_set(e, -ENOMEM, "out of memory");
	if (status < 0) {
		gg_catalog_close(c);
		return status;
	}
	*ret_catalog = c;
	return 0;
}

void gg_catalog_close(struct gg_catalog *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < GG_CATALOG_STATEMENTS; i++)
		sqlite3_finalize(c->prepared[i].stmt);
	sqlite3_close(c->db);
	pthread_mutex_destroy(&c->lock);
	free(c->path);
	free(c);
}

const char *gg_catalog_path(const struct gg_catalog *c)
{
	return c->path;
}

/* ---- statements ---- */

static sqlite3_stmt *prepared(struct gg_catalog *c, const char *sql)
{
	size_t i = 0;
	while (i < GG_CATALOG_STATEMENTS && c->prepared[i].sql && c->prepared[i].sql != sql)
		i++;
	if (i == GG_CATALOG_STATEMENTS)
		return NULL;
	if (!c->prepared[i].sql) {
		if (gg_sql_prepare(c->db, sql, &c->prepared[i].stmt, NULL) < 0)
			return NULL;
		c->prepared[i].sql = sql;
	}
	return c->prepared[i].stmt;
}

sqlite3_stmt *gg_catalog_begin(struct gg_catalog *c, const char *sql, const char *format, ...)
{
	pthread_mutex_lock(&c->lock);
	sqlite3_stmt *s = prepared(c, sql);
	if (!s) {
		pthread_mutex_unlock(&c->lock);
		return NULL;
	}
	va_list args;
	va_start(args, format);
	for (int at = 1; *format; format++, at++) {
		if (*format == 's')
			gg_sql_text(s, at, va_arg(args, struct gg_str));
		else
			sqlite3_bind_int64(s, at, va_arg(args, int64_t));
	}
	va_end(args);
	return s;
}

int gg_catalog_end(struct gg_catalog *c, sqlite3_stmt *s, int code)
{
	sqlite3_reset(s);
	pthread_mutex_unlock(&c->lock);
	return gg_sql_errno(code);
}

int gg_catalog_change(struct gg_catalog *c, sqlite3_stmt *s, bool expected)
{
	if (!s)
		return -EIO;
	int code = sqlite3_step(s);
	int changes = sqlite3_changes(c->db);
	int status = gg_catalog_end(c, s, code);
	return status == 0 && expected && changes == 0 ? -ENOENT : status;
}

void gg_catalog_together(struct gg_catalog *c)
{
	pthread_mutex_lock(&c->lock);
	c->together = gg_sql_run(c->db, "BEGIN") == 0;
}

int gg_catalog_together_end(struct gg_catalog *c)
{
	int status = c->together ? gg_sql_run(c->db, "COMMIT") : 0;
	if (status < 0)
		gg_sql_run(c->db, "ROLLBACK");
	c->together = false;
	pthread_mutex_unlock(&c->lock);
	return status;
}

/* ---- devices ---- */

#define DEVICE_COLUMNS "id, title, labels, credential_kind, credential, created_ns, last_seen_ns, enabled"

static struct gg_device_row device_row(sqlite3_stmt *s)
{
	return (struct gg_device_row){.id = gg_sql_column(s, 0),
		.title = gg_sql_column(s, 1),
		.labels_json = gg_sql_column(s, 2),
		.credential_kind = gg_sql_column(s, 3),
		.credential = gg_sql_column(s, 4),
		.created_ns = sqlite3_column_int64(s, 5),
		.last_seen_ns = sqlite3_column_int64(s, 6),
		.enabled = sqlite3_column_int(s, 7)};
}

int gg_catalog_put_device(struct gg_catalog *c, const struct gg_device_row *d)
{
	return gg_catalog_change(c,
		gg_catalog_begin(c,
			"INSERT INTO devices (" DEVICE_COLUMNS
			") VALUES (?1,?2,?3,?4,?5,?6,?7,?8) ON CONFLICT (id) DO UPDATE"
			" SET title=?2, labels=?3, credential_kind=?4, credential=?5, last_seen_ns=?7, "
			"enabled=?8",
			"sssssiii", d->id, d->title, d->labels_json, d->credential_kind, d->credential,
			d->created_ns, d->last_seen_ns, (int64_t)d->enabled),
		false);
}

static int each_device(struct gg_catalog *c, sqlite3_stmt *s,
	void (*each)(void *arg, const struct gg_device_row *d), void *arg, size_t *ret_count)
{
	int code = SQLITE_ERROR;
	if (!s)
		return -EIO;
	while ((code = sqlite3_step(s)) == SQLITE_ROW) {
		struct gg_device_row d = device_row(s);
		each(arg, &d);
		(*ret_count)++;
	}
	return gg_catalog_end(c, s, code);
}

int gg_catalog_get_device(struct gg_catalog *c, struct gg_str id,
	void (*each)(void *arg, const struct gg_device_row *d), void *arg)
{
	size_t count = 0;
	int status = each_device(c,
		gg_catalog_begin(c, "SELECT " DEVICE_COLUMNS " FROM devices WHERE id=?", "s", id), each, arg,
		&count);
	return status == 0 && count == 0 ? -ENOENT : status;
}

int gg_catalog_devices(struct gg_catalog *c, struct gg_str after, size_t limit,
	void (*each)(void *arg, const struct gg_device_row *d), void *arg)
{
	size_t count = 0;
	return each_device(c,
		gg_catalog_begin(c, "SELECT " DEVICE_COLUMNS " FROM devices WHERE id > ? ORDER BY id LIMIT ?",
			"si", after, (int64_t)limit),
		each, arg, &count);
}

int gg_catalog_remove_device(struct gg_catalog *c, struct gg_str id)
{
	return gg_catalog_change(c, gg_catalog_begin(c, "DELETE FROM devices WHERE id=?", "s", id), true);
}

int gg_catalog_seen_device(struct gg_catalog *c, struct gg_str id, int64_t time_ns)
{
	return gg_catalog_change(c,
		gg_catalog_begin(c, "UPDATE devices SET last_seen_ns=?2 WHERE id=?1", "si", id, time_ns),
		true);
}

/* ---- cursors ---- */

static int get_number(struct gg_catalog *c, sqlite3_stmt *s, uint64_t *ret_number)
{
	if (!s)
		return -EIO;
	int code = sqlite3_step(s);
	uint64_t n = (uint64_t)sqlite3_column_int64(s, 0);
	int status = gg_catalog_end(c, s, code);
	if (status < 0)
		return status;
	if (code != SQLITE_ROW)
		return -ENOENT;
	*ret_number = n;
	return 0;
}

int gg_catalog_get_cursor(struct gg_catalog *c, struct gg_str name, uint64_t *ret_position)
{
	return get_number(
		c, gg_catalog_begin(c, "SELECT position FROM cursors WHERE name=?", "s", name), ret_position);
}

int gg_catalog_put_cursor(struct gg_catalog *c, struct gg_str name, uint64_t position)
{
	return gg_catalog_change(c,
		gg_catalog_begin(c, "INSERT OR REPLACE INTO cursors VALUES (?, ?)", "su", name, position),
		false);
}

int gg_catalog_remove_cursor(struct gg_catalog *c, struct gg_str name)
{
	return gg_catalog_change(c, gg_catalog_begin(c, "DELETE FROM cursors WHERE name=?", "s", name), true);
}

uint64_t gg_catalog_highest_cursor(struct gg_catalog *c)
{
	uint64_t n = 0;
	get_number(c, gg_catalog_begin(c, "SELECT coalesce(max(position), 0) FROM cursors", ""), &n);
	return n;
}

/* ---- tokens ---- */

int gg_catalog_put_token(struct gg_catalog *c, const struct gg_token_row *t)
{
	return gg_catalog_change(c,
		gg_catalog_begin(c, "INSERT INTO tokens VALUES (?,?,?,?,?,?,?)", "ssssiii", t->id, t->title,
			t->hash, t->role, t->created_ns, t->expires_ns, t->last_used_ns),
		false);
}

static int each_token(struct gg_catalog *c, sqlite3_stmt *s,
	void (*each)(void *arg, const struct gg_token_row *t), void *arg, size_t *ret_count)
{
	int code = SQLITE_ERROR;
	if (!s)
		return -EIO;
	while ((code = sqlite3_step(s)) == SQLITE_ROW) {
		struct gg_token_row t = {.id = gg_sql_column(s, 0),
			.title = gg_sql_column(s, 1),
			.hash = gg_sql_column(s, 2),
			.role = gg_sql_column(s, 3),
			.created_ns = sqlite3_column_int64(s, 4),
			.expires_ns = sqlite3_column_int64(s, 5),
			.last_used_ns = sqlite3_column_int64(s, 6)};
		each(arg, &t);
		(*ret_count)++;
	}
	return gg_catalog_end(c, s, code);
}

int gg_catalog_get_token(struct gg_catalog *c, struct gg_str id,
	void (*each)(void *arg, const struct gg_token_row *t), void *arg)
{
	size_t count = 0;
	int status = each_token(
		c, gg_catalog_begin(c, "SELECT * FROM tokens WHERE id=?", "s", id), each, arg, &count);
	return status == 0 && count == 0 ? -ENOENT : status;
}

int gg_catalog_tokens(struct gg_catalog *c, void (*each)(void *arg, const struct gg_token_row *t), void *arg)
{
	size_t count = 0;
	return each_token(c, gg_catalog_begin(c, "SELECT * FROM tokens ORDER BY created_ns, id", ""), each,
		arg, &count);
}

int gg_catalog_remove_token(struct gg_catalog *c, struct gg_str id)
{
	return gg_catalog_change(c, gg_catalog_begin(c, "DELETE FROM tokens WHERE id=?", "s", id), true);
}

int gg_catalog_used_token(struct gg_catalog *c, struct gg_str id, int64_t time_ns)
{
	return gg_catalog_change(c,
		gg_catalog_begin(c, "UPDATE tokens SET last_used_ns=?2 WHERE id=?1", "si", id, time_ns),
		true);
}

/* ---- revisions, meta ---- */

int gg_catalog_add_revision(struct gg_catalog *c, const struct gg_revision_row *r, uint64_t *ret_number)
{
	sqlite3_stmt *s = gg_catalog_begin(c,
		"INSERT INTO revisions (created_ns, author, comment, text) VALUES (?,?,?,?) RETURNING number",
		"isss", r->created_ns, r->author, r->comment, r->text);
	if (!s)
		return -EIO;
	int code = sqlite3_step(s);
	uint64_t number = (uint64_t)sqlite3_column_int64(s, 0);
	if (code == SQLITE_ROW)
		code = sqlite3_step(s); /* the row is given before the transaction is through */
	int status = gg_catalog_end(c, s, code);
	if (status == 0)
		*ret_number = number;
	return status;
}

int gg_catalog_revisions(struct gg_catalog *c, uint64_t number, size_t limit,
	void (*each)(void *arg, const struct gg_revision_row *r), void *arg)
{
	sqlite3_stmt *s = gg_catalog_begin(c,
		"SELECT number, created_ns, author, comment, text FROM revisions WHERE ?1 = 0 OR number = ?1"
		" ORDER BY number DESC LIMIT ?2",
		"ui", number, (int64_t)limit);
	int code = SQLITE_ERROR;
	if (!s)
		return -EIO;
	while ((code = sqlite3_step(s)) == SQLITE_ROW) {
		struct gg_revision_row r = {.number = (uint64_t)sqlite3_column_int64(s, 0),
			.created_ns = sqlite3_column_int64(s, 1),
			.author = gg_sql_column(s, 2),
			.comment = gg_sql_column(s, 3),
			.text = gg_sql_column(s, 4)};
		each(arg, &r);
	}
	return gg_catalog_end(c, s, code);
}

int gg_catalog_get_meta(struct gg_catalog *c, const char *key, char *to, size_t size)
{
	sqlite3_stmt *s = gg_catalog_begin(c, "SELECT value FROM meta WHERE key=?", "s", gg_str(key));
	if (!s)
		return -EIO;
	int code = sqlite3_step(s), status = code == SQLITE_ROW ? 0 : -ENOENT;
	if (code == SQLITE_ROW) {
		struct gg_str value = gg_sql_column(s, 0);
		status = value.len < size ? 0 : -E2BIG;
		if (status == 0)
			gg_str_copy(to, size, value);
	}
	int ended = gg_catalog_end(c, s, code);
	return ended < 0 ? ended : status;
}

int gg_catalog_put_meta(struct gg_catalog *c, const char *key, struct gg_str value)
{
	return gg_catalog_change(c,
		gg_catalog_begin(c, "INSERT OR REPLACE INTO meta VALUES (?, ?)", "ss", gg_str(key), value),
		false);
}
