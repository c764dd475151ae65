/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A signal's samples with the newest first, out of a reader that goes forward only: windows from the end
 * back, each read whole and handed out from behind. They begin small, so that "the last ten" opens a block or
 * two, and grow.
 */
#ifndef GG_QUERY_BACKWARD_H
#define GG_QUERY_BACKWARD_H

#include "store/history.h"

struct gg_query_backward {
	struct gg_history_reader *reader; /* borrowed */
	char *signal;
	int64_t from, to;    /* what is left to be read */
	int64_t first, last; /* numbers lie between them; first > last: not known */
	int64_t width, most; /* of a window, ns; the widest that is read as a rule */
	struct gg_sample *samples;
	size_t count, cap;
	struct gg_buf text;
	bool done, failed;
};

/* Errors: -ENOMEM, -EIO. */
int gg_query_backward_begin(struct gg_query_backward *b, struct gg_history_reader *reader,
	struct gg_str signal, int64_t from, int64_t to);
/* 1, 0 at the end, -ENOMEM, -EIO. The text is valid until the next call. */
int gg_query_backward_next(
	struct gg_query_backward *b, struct gg_sample *ret_sample, struct gg_str *ret_text);
void gg_query_backward_done(struct gg_query_backward *b);

#endif
