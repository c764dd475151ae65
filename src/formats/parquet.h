/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A writer of Parquet files (format 2.6) with flat columns. Rows are gathered into groups, each group's
 * columns are encoded, compressed with zstd and written; so memory holds one group, whatever the file's
 * length.
 *
 *   timestamps    INT64, ns since 1970 in UTC     DELTA_BINARY_PACKED
 *   numbers       DOUBLE                          PLAIN
 *   words         strings of which few differ     dictionary, runs
 *   texts         strings                         PLAIN
 *
 * Groups carry minimum and maximum of timestamps and words, by which readers pass over groups. Thread: its
 * owner's. docs/decisions/0014-parquet.md says why it is our own.
 */
#ifndef GG_PARQUET_H
#define GG_PARQUET_H

#include "base/error.h"
#include "base/sink.h"

enum gg_parquet_type { GG_PARQUET_TIME, GG_PARQUET_NUMBER, GG_PARQUET_WORD, GG_PARQUET_TEXT };

struct gg_parquet_column {
	const char *name;
	enum gg_parquet_type type;
	bool optional; /* may be null */
};

enum { GG_PARQUET_COLUMNS = 16, GG_PARQUET_GROUP_ROWS = 128 << 10 };

struct gg_parquet;

/* columns and sink are borrowed. Errors: -ENOMEM, those of the sink. */
int gg_parquet_new(const struct gg_parquet_column *columns, unsigned count, const struct gg_sink *sink,
	struct gg_parquet **ret_parquet);
struct gg_parquet *gg_parquet_free(struct gg_parquet *p);

/* A row: a value for each column, in any order, then gg_parquet_row(). What was not said is null (0 or "" in
 * a column that can't be). Errors come out of gg_parquet_row(): -ENOMEM, -E2BIG, those of the sink. */
void gg_parquet_time(struct gg_parquet *p, unsigned column, int64_t ns);
void gg_parquet_number(struct gg_parquet *p, unsigned column, double v);
void gg_parquet_str(struct gg_parquet *p, unsigned column, struct gg_str s);
int gg_parquet_row(struct gg_parquet *p);
/* Writes what is left and the footer; nothing follows. */
int gg_parquet_finish(struct gg_parquet *p);

#endif
