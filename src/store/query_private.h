/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GG_QUERY_PRIVATE_H
#define GG_QUERY_PRIVATE_H

#include "store/query.h"
#include "store/sql.h"

/* query_tables.c: the virtual tables samples and signals. source must outlive the connection. */
int gg_query_add_tables(sqlite3 *db, const struct gg_query_source *source);

/* query_time.c */
enum { GG_QUERY_TIME = 40 };
/* "2026-03-01T12:00:00.250000000Z": always nine decimals. */
size_t gg_query_time_text(char to[GG_QUERY_TIME], int64_t ns);
/* Text or number as ns. Errors: -EINVAL, -ENOENT for NULL. */
int gg_query_time_value(sqlite3_value *v, int64_t *ret_ns);
/* The functions gg_time(ns) and bucket(width, time). */
int gg_query_add_functions(sqlite3 *db);

#endif
