/* SPDX-License-Identifier: Apache-2.0 */
/* A little around SQLite's C API: opening a file as we want it, statements, errors as ours. */
#ifndef GG_SQL_H
#define GG_SQL_H

#include "base/error.h"
#include "base/str.h"

#include <sqlite3.h>

/* From now on databases are opened, and made, sealed with a key out of this root key (GG_SEAL_KEY bytes);
 * NULL: plain. For the whole process, before the first is opened. A plain one that is opened for writing is
 * sealed by that. Errors: -ENOMEM, -EIO. */
int gg_sql_seal(const uint8_t *root);
/* Makes a sealed database plain for good; nobody may have it open. Errors: with a text. */
int gg_sql_unseal(const char *path, struct gg_error *e);
/* Opens (makes) a database in WAL mode; synced at every commit. Errors: with a text naming the file;
 * -EACCES it is sealed, and not with this key. */
int gg_sql_open(const char *path, bool read_only, sqlite3 **ret_db, struct gg_error *e);
/* -ENOSPC, -ENOMEM, -EAGAIN, -EEXIST (a constraint) or -EIO for what SQLite says. */
int gg_sql_errno(int sqlite_code);
/* Runs statements that give no rows. Logs nothing. */
int gg_sql_run(sqlite3 *db, const char *sql);
/* Errors: with SQLite's text in e. */
int gg_sql_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret_stmt, struct gg_error *e);
void gg_sql_text(sqlite3_stmt *s, int at, struct gg_str text);
struct gg_str gg_sql_column(sqlite3_stmt *s, int at);
/* Steps a statement that gives no rows, and resets it. */
int gg_sql_done(sqlite3_stmt *s);
/* Brings the file to the newest of count versions: script i makes version i + 1 out of i; user_version
 * counts. A file of a newer version is an error with a text. */
int gg_sql_migrate(sqlite3 *db, const char *const *scripts, int count, const char *path, struct gg_error *e);

#endif
