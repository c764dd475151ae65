/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept of the samples of one window, or of the part of one that several overlapping windows share. */
#ifndef GG_PIPELINE_WINDOW_PANE_H
#define GG_PIPELINE_WINDOW_PANE_H

#include "pipeline/quantile.h"
#include "pipeline/stages_internal.h"

struct pane {
	int64_t first_ns, last_ns; /* of good samples */
	uint64_t count, bad;
	double sum, carry; /* Neumaier's: what the additions lost */
	double mean, m2;   /* Welford's */
	double min, max, first, last;
	bool uncertain;
	struct gg_quantile *q; /* NULL: no quantiles asked for */
};

void pane_clear(struct pane *p);
void pane_add(struct pane *p, int64_t time_ns, double value, bool uncertain);
void pane_merge(struct pane *p, const struct pane *other);
/* count > 0, unless it is the count that is asked for. */
double pane_give(const struct pane *p, const struct window_give *give);
void pane_save(const struct pane *p, struct gg_buf *to);
int pane_load(struct pane *p, struct gg_reader *from);

static inline bool pane_used(const struct pane *p)
{
	return p->count || p->bad;
}

#endif
