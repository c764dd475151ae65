/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rollups of one signal in one width, in the order of time: buckets [n * width, (n + 1) * width) that hold
 * good numbers. They are summed from blocks, of which those that lie within one bucket are not opened.
 */
#ifndef GG_QUERY_ROLLUPS_H
#define GG_QUERY_ROLLUPS_H

#include "store/history.h"

enum { GG_QUERY_WIDTHS = 4 };
struct gg_query_width {
	const char *text;
	int64_t ns;
};
/* 1s, 1min, 1h, 1d */
extern const struct gg_query_width gg_query_widths[GG_QUERY_WIDTHS];

struct gg_query_rollups {
	struct gg_history_reader *reader; /* borrowed */
	struct gg_str signal;             /* borrowed */
	int64_t width, next,
		last; /* the next bucket to be looked for, and the last that is wanted, by begin */
	struct gg_summary *sums;
	size_t at, count;
	int64_t begin; /* of sums[0] */
	bool done;
};

/* Those that begin in [from, to]. Errors: -ENOMEM. */
int gg_query_rollups_begin(struct gg_query_rollups *r, struct gg_history_reader *reader, struct gg_str signal,
	int64_t width, int64_t from, int64_t to);
/* 1, 0 at the end, -EIO, -ENOMEM. */
int gg_query_rollups_next(struct gg_query_rollups *r, int64_t *ret_ns, struct gg_summary *ret_sum);
void gg_query_rollups_done(struct gg_query_rollups *r);

#endif
