/* SPDX-License-Identifier: Apache-2.0 */
/* Deleting what was recorded of some signals, everywhere samples are at rest: history and journal. */
#ifndef GG_GATEWAY_FORGET_H
#define GG_GATEWAY_FORGET_H

#include "store/history.h"

struct gg_forgotten {
	struct gg_history_deleted history; /* zeros when it is off */
	struct gg_journal_erased journal;
};

/*
 * Samples of all signals that match one of the patterns, from <= time <= to: gone from the history with their
 * rollups, and from the journal. What remains is told in docs/internals/history.md. Thread: a worker; takes
 * seconds for a large journal. Errors: those of the disk, with a text.
 */
int gg_gateway_forget(const struct gg_str *select, size_t count, int64_t from, int64_t to,
	struct gg_forgotten *ret_forgotten, struct gg_error *e);

#endif
