/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GG_QUERY_PRIVATE_H
#define GG_QUERY_PRIVATE_H

#include "store/query.h"
#include "store/sql.h"

/* query_tables.c: the virtual tables samples and signals. source must outlive the connection. */
int gg_query_add_tables(sqlite3 *db, const struct gg_query_source *source);
void gg_query_result_text(sqlite3_context *to, struct gg_str s);

/* query_rollups.c: the virtual table rollups. Returns SQLite's code. */
int gg_query_add_rollups(sqlite3 *db, const struct gg_query_source *source);

/* query_schema.c: the views over the catalog, and the revisions when the query speaks of them. */
int gg_query_add_views(sqlite3 *db, const struct gg_query_source *source, struct gg_str sql);
/* May a query read this column (empty: none of them) of this table? */
bool gg_query_may_read(const char *table, const char *column);
/* The known name nearest to one that SQLite complains of; NULL when none is near. */
const char *gg_query_nearest(struct gg_str message);

/* query_time.c */
enum { GG_QUERY_TIME = 40 };
/* "2026-03-01T12:00:00.250000000Z": always nine decimals. */
size_t gg_query_time_text(char to[GG_QUERY_TIME], int64_t ns);
/* Text or number as ns. Errors: -EINVAL, -ENOENT for NULL. */
int gg_query_time_value(sqlite3_value *v, int64_t *ret_ns);
/* The functions of time: bucket(), ago(), iso(), ... */
int gg_query_add_functions(sqlite3 *db);

#endif
