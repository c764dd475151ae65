/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the virtual tables over the history share: a table's shape says what each column means; from the
 * conditions of a query becomes a plan in words ("signal= time>= time<", which EXPLAIN QUERY PLAN shows), and
 * from the plan and its arguments a scope: the signals and the range of time that have to be looked at.
 */
#ifndef GG_QUERY_SCOPE_H
#define GG_QUERY_SCOPE_H

#include "store/query_private.h"

enum gg_query_col { GG_COL_OTHER, GG_COL_SIGNAL, GG_COL_DEVICE, GG_COL_TIME, GG_COL_NS, GG_COL_WIDTH };

struct gg_query_shape {
	const char *declare;  /* CREATE TABLE */
	const uint8_t *roles; /* of each column: enum gg_query_col */
	int columns;
	bool timed;       /* rows have a time: samples, rollups */
	bool width_first; /* rows of a signal come width by width */
};

struct gg_query_entry {
	char *name, *unit, *title;
};

struct gg_query_scope {
	struct gg_query_entry *entries; /* by name */
	size_t count, cap;
	int64_t from, to;
	int64_t width; /* of rollups, 0 = all */
	bool backward; /* by time, newest first */
	/* while it is made */
	struct gg_str name, device, pattern, like;
	bool failed;
};

/* xBestIndex. */
int gg_query_plan(const struct gg_query_shape *shape, sqlite3_index_info *info);
/*
 * Reads the plan's arguments and finds the signals. 1, 0 nothing can match, -EINVAL with *ret_text what was
 * expected, -ENOMEM, -EIO.
 */
int gg_query_scope_set(struct gg_query_scope *s, const struct gg_query_shape *shape,
	struct gg_history_reader *reader, const char *plan, int count, sqlite3_value **values,
	const char **ret_text);
void gg_query_scope_done(struct gg_query_scope *s);
struct gg_str gg_query_device(struct gg_str signal);

#endif
