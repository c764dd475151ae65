/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQL over what the gateway knows, read-only and bounded in time and size:
 *
 *   samples  signal, device, time, value, text, quality, reason, ns (hidden)
 *   signals  signal, device, unit, title
 *   devices  id, title, labels, enabled, created, last_seen
 *   events   id, kind, key, severity, state, title, device, signal, count, opened, updated, acknowledged,
 *            acknowledged_by, cleared, trace
 *   bucket(width, time)  the beginning of the bucket: bucket('5min', time); durations as in the configuration
 *
 * `time` (and opened, ...) is text, RFC 3339 in UTC with nine decimals, so that it sorts and compares as
 * text. Compared with =, <, <=, >, >=, BETWEEN in the WHERE of samples it also takes any RFC 3339 text
 * ('2026-03-01', '2026-03-01T12:00:00+02:00') and numbers: seconds since 1970, or ms, us, ns from 1e11, 1e14,
 * 1e17 on. `ns` is the time as an integer. Conditions on signal (=, IN, GLOB), device (=) and time reach the
 * blocks themselves; ORDER BY time costs nothing for a single signal. value: number or NULL; text: strings,
 * or bytes as a blob.
 */
#ifndef GG_QUERY_H
#define GG_QUERY_H

#include "store/history.h"

struct gg_query_source {
	struct gg_history *history; /* with what is in memory; NULL = history_path alone */
	const char *history_path;
	const char *catalog_path; /* NULL = no devices and events */
};

struct gg_query_limits {               /* zero means the default in brackets */
	int64_t timeout_ns;            /* [10 s] */
	uint64_t rows, bytes;          /* of the result [100,000; 64 MiB] */
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

/*
 * Runs one statement. *ret_truncated: the limit of rows or bytes ended it. Thread: any that may wait (a
 * worker). Errors, with a text: -EINVAL the SQL is wrong, -EPERM it wants more than reading, -ETIMEDOUT,
 * -ECANCELED, -EIO.
 */
int gg_query_run(const struct gg_query_source *source, struct gg_str sql,
	const struct gg_query_limits *limits, const struct gg_query_output *output, bool *ret_truncated,
	struct gg_error *e);

#endif
