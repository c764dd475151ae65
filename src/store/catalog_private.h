/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the catalog share: the handle and one way to run a statement. */
#ifndef GG_CATALOG_PRIVATE_H
#define GG_CATALOG_PRIVATE_H

#include "store/catalog.h"
#include "store/sql.h"

#include <pthread.h>

enum { GG_CATALOG_STATEMENTS = 64 };

struct gg_catalog {
	pthread_mutex_t lock; /* guards all; its holder may take it again (gg_catalog_together()) */
	bool together;
	sqlite3 *db;
	char *path;
	struct {
		const char *sql; /* a literal: compared by address */
		sqlite3_stmt *stmt;
	} prepared[GG_CATALOG_STATEMENTS];
};

/*
 * Takes the lock and gives the statement, prepared once; NULL (and no lock) when SQLite can't. Arguments by a
 * format: i int64_t, u uint64_t, s struct gg_str.
 */
sqlite3_stmt *gg_catalog_begin(struct gg_catalog *c, const char *sql, const char *format, ...);
/* Resets the statement and gives the lock back; the status for a code of sqlite3_step(). */
int gg_catalog_end(struct gg_catalog *c, sqlite3_stmt *s, int code);
/* For a statement without rows: runs it; -ENOENT when it changed nothing and something was expected. */
int gg_catalog_change(struct gg_catalog *c, sqlite3_stmt *s, bool expected);

#endif
