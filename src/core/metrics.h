/* SPDX-License-Identifier: Apache-2.0 */
/* The registry behind include/ganglion/metrics.h, and its text form for /metrics. */
#ifndef GG_CORE_METRICS_H
#define GG_CORE_METRICS_H

#include "base/buf.h"
#include "ganglion/metrics.h"

/* Prometheus text exposition format 0.0.4: every series, grouped by name. Thread: any. */
void gg_metrics_write(struct gg_buf *to);
/* The value of a counter or gauge by its name and labels, 0 when there is none: for the CLI and the page. */
double gg_metrics_value(const char *name, const char *labels);

#endif
