/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters, gauges and latency histograms that /metrics prints in Prometheus' text format. Made once, at
 * start or reconfiguration; counting is one relaxed atomic addition. Names follow Prometheus' conventions
 * (unit suffix, _total for counters); the prefix "ganglion_" is added.
 */
#ifndef GANGLION_METRICS_H
#define GANGLION_METRICS_H

#include "base/base.h"

#include <stdatomic.h>

struct gg_counter {
	_Atomic uint64_t value;
};

struct gg_gauge {
	_Atomic int64_t value;
};

/* Log-linear: 4 buckets an octave from 1 us to 67 s, and one beyond. Units: ns in, seconds out. */
enum { GG_HISTOGRAM_BUCKETS = 106 };

struct gg_histogram {
	_Atomic uint64_t buckets[GG_HISTOGRAM_BUCKETS];
	_Atomic uint64_t sum_ns;
};

static inline void gg_count(struct gg_counter *c, uint64_t n)
{
	atomic_fetch_add_explicit(&c->value, n, memory_order_relaxed);
}

static inline void gg_gauge_set(struct gg_gauge *g, int64_t v)
{
	atomic_store_explicit(&g->value, v, memory_order_relaxed);
}

static inline void gg_gauge_add(struct gg_gauge *g, int64_t n)
{
	atomic_fetch_add_explicit(&g->value, n, memory_order_relaxed);
}

void gg_histogram_add(struct gg_histogram *h, int64_t ns);
/* The value below which the fraction q of what was counted lies. Units: ns. 0 when empty. */
int64_t gg_histogram_quantile(const struct gg_histogram *h, double q);

/*
 * Makes or finds a series. labels is Prometheus' inner text ("driver=\"mqtt\",cause=\"filter\"") or NULL.
 * Never NULL: when memory or the limit of series is used up, a shared spare is returned and the loss is
 * logged. Owner: the registry; a series lives as long as the process. Thread: any; takes a lock.
 */
struct gg_counter *gg_metric_counter(const char *name, const char *labels, const char *help);
struct gg_gauge *gg_metric_gauge(const char *name, const char *labels, const char *help);
struct gg_histogram *gg_metric_histogram(const char *name, const char *labels, const char *help);

#endif
