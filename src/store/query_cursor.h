/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the virtual tables over the history share: the table with its shape, and the head of their cursors,
 * which has a reader and the scope of the query. A cursor begins with struct gg_query_cursor and is made by
 * gg_query_cursor_open() with its own size. The functions without a comment are SQLite's callbacks.
 */
#ifndef GG_QUERY_CURSOR_H
#define GG_QUERY_CURSOR_H

#include "store/query_scope.h"

struct gg_query_table {
	sqlite3_vtab base;
	const struct gg_query_source *source;
	const struct gg_query_shape *shape;
};

struct gg_query_cursor {
	sqlite3_vtab_cursor base; /* first */
	struct gg_history_reader *reader;
	struct gg_query_scope scope;
	size_t at; /* which of the scope's signals */
	sqlite3_int64 row;
};

/* Declares the table. aux: the source. Returns SQLite's code. */
int gg_query_connect(sqlite3 *db, void *aux, const struct gg_query_shape *shape, sqlite3_vtab **ret_table);
int gg_query_disconnect(sqlite3_vtab *t);
int gg_query_best_index(sqlite3_vtab *t, sqlite3_index_info *info);
/* size: of the cursor, zeroed. Returns SQLite's code, with the table's message. */
int gg_query_cursor_open(sqlite3_vtab *t, size_t size, sqlite3_vtab_cursor **ret_cursor);
/* Frees the cursor; what it has behind its head is gone already. */
int gg_query_cursor_close(struct gg_query_cursor *c);
/* Reads the scope out of the plan, and stands on its first signal: 1, behind its end when there is none: 0.
 * Errors: -ENOMEM, -EIO, and -EINVAL, of which the table's message tells. */
int gg_query_cursor_begin(struct gg_query_cursor *c, const char *plan, int count, sqlite3_value **values);
int gg_query_cursor_eof(sqlite3_vtab_cursor *c);
int gg_query_cursor_rowid(sqlite3_vtab_cursor *c, sqlite3_int64 *ret_row);
/* SQLite's code for a status, with the table's message. */
int gg_query_failed(sqlite3_vtab_cursor *c, int status);

#endif
