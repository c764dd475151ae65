/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quantiles of a stream in bounded memory: exact up to 256 values, beyond that a t-digest (Dunning & Ertl) of
 * at most 256 clusters, fine at both ends, where p99 and p99.9 lie. Only additions, comparisons and divisions
 * in a fixed order are used, so the same values give the same bits everywhere. 6 KB. Thread: its owner's.
 */
#ifndef GG_PIPELINE_QUANTILE_H
#define GG_PIPELINE_QUANTILE_H

#include "base/buf.h"
#include "base/bytes.h"

enum { GG_QUANTILE_EXACT = 256, GG_QUANTILE_CLUSTERS = 256 };

struct gg_cluster {
	double mean, weight;
};

struct gg_quantile {
	struct gg_cluster clusters[GG_QUANTILE_CLUSTERS]; /* by mean */
	double fresh[GG_QUANTILE_EXACT];                  /* not yet in a cluster */
	double low, high;                                 /* of what is in clusters */
	uint32_t cluster_count, fresh_count;
};

void gg_quantile_clear(struct gg_quantile *q);
/* value is finite. */
void gg_quantile_add(struct gg_quantile *q, double value);
/* Adds what the other holds. */
void gg_quantile_merge(struct gg_quantile *q, const struct gg_quantile *other);
/* The value below which the part `at` (0 to 1) lies, interpolated; NaN when empty. Sorts within. */
double gg_quantile_get(struct gg_quantile *q, double at);
void gg_quantile_save(const struct gg_quantile *q, struct gg_buf *to);
/* Errors: -EINVAL, and q is empty. */
int gg_quantile_load(struct gg_quantile *q, struct gg_reader *from);

#endif
