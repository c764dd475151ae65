/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rollups: summaries of a signal over steps of a second, a minute, an hour or a day, and the row that holds
 * many of them. Pure.
 */
#ifndef GG_HISTORY_ROLLUP_H
#define GG_HISTORY_ROLLUP_H

#include "store/block.h"

struct gg_roll {
	int64_t start; /* of the step */
	struct gg_summary sum;
};

struct gg_rollup {
	struct gg_roll *items; /* by start */
	uint32_t count, cap;
	struct gg_block scratch;
};

void gg_rollup_init(struct gg_rollup *r);
void gg_rollup_done(struct gg_rollup *r);
/* Errors: -ENOMEM. */
int gg_rollup_add(struct gg_rollup *r, int64_t start, const struct gg_summary *sum);
/* Adds to the item of this start, or makes it in its place. Errors: -ENOMEM. */
int gg_rollup_join(struct gg_rollup *r, int64_t start, const struct gg_summary *sum);
/* Appends its compressed form. Errors: -ENOMEM, -E2BIG. */
int gg_rollup_encode(struct gg_block_coder *c, struct gg_rollup *r, struct gg_buf *to);
/* Replaces the content. Errors: -EINVAL, -ENOMEM. */
int gg_rollup_decode(struct gg_block_coder *c, struct gg_rollup *r, struct gg_str bytes);

#endif
