/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQL over what the gateway knows, read-only and bounded in time, memory and size. gg_query_columns and
 * gg_query_functions say what there is.
 *
 * `time` (and opened, ...) is text, RFC 3339 in UTC with nine decimals, so that it sorts and compares as
 * text. Compared with =, <, <=, >, >=, BETWEEN in the WHERE of samples and rollups it also takes any RFC 3339
 * text ('2026-03-01', '2026-03-01T12:00:00+02:00') and numbers: seconds since 1970, or ms, us, ns from 1e11,
 * 1e14, 1e17 on. Conditions on signal (=, IN, GLOB, LIKE), device (=), width (=) and time reach the blocks
 * themselves; ORDER BY signal, time and, for a single signal, ORDER BY time in both directions cost nothing.
 */
#ifndef GG_QUERY_H
#define GG_QUERY_H

#include "store/history.h"

struct gg_query_source {
	struct gg_history *history; /* with what is in memory; NULL = history_path alone */
	const char *history_path;
	const char *catalog_path; /* NULL = no devices and events */
	const char *data_dir;     /* NULL = no revisions */
};

struct gg_query_limits {               /* zero means the default in brackets */
	int64_t timeout_ns;            /* [10 s] */
	uint64_t rows, bytes;          /* of the result [100,000; 64 MiB] */
	uint64_t memory;               /* that SQLite may take for it [64 MiB] */
	const _Atomic bool *cancelled; /* may be NULL */
};

struct gg_query_value {
	enum { GG_QUERY_NULL, GG_QUERY_INT, GG_QUERY_FLOAT, GG_QUERY_TEXT, GG_QUERY_BYTES } type;
	int64_t i;
	double f;
	struct gg_str s;
};

struct gg_query_output {
	void *arg;
	/* Once, before the rows. */
	void (*columns)(void *arg, const char *const *names, unsigned count);
	/* Values are valid during the call. Returns false to stop. */
	bool (*row)(void *arg, const struct gg_query_value *values, unsigned count);
};

struct gg_query_column {
	const char *table, *column, *type, *help;
};

/* Ended by a row of NULLs. Of functions: name, an example (NULL: another's second name), type, help. */
extern const struct gg_query_column gg_query_columns[], gg_query_functions[];

/*
 * Runs one statement. *ret_truncated: the limit of rows or bytes ended it. Thread: any that may wait (a
 * worker). Errors, with a text: -EINVAL the SQL is wrong, -EPERM it wants more than reading, -E2BIG it needs
 * too much memory, -ETIMEDOUT, -ECANCELED, -EIO.
 */
int gg_query_run(const struct gg_query_source *source, struct gg_str sql,
	const struct gg_query_limits *limits, const struct gg_query_output *output, bool *ret_truncated,
	struct gg_error *e);

#endif
