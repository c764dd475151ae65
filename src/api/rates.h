/* SPDX-License-Identifier: Apache-2.0 */
/* Totals over all parts of the gateway, looked at once a second, and what they became per second over the
 * last ten. Thread: control. */
#ifndef GG_API_RATES_H
#define GG_API_RATES_H

#include "ganglion/loop.h"

struct gg_totals {
	uint64_t samples_in;      /* brought by drivers */
	uint64_t samples_kept;    /* let through by intake */
	uint64_t samples_dropped; /* dropped by filters, on purpose */
	uint64_t samples_derived; /* made by pipelines */
	uint64_t sent_samples, sent_bytes,
		local_samples;    /* by uplinks, acknowledged; looked at and left here */
	uint64_t batches_refused; /* because a shard was full */
};

struct gg_rates {
	double samples_in, samples_kept, samples_derived, sent_bytes; /* per second */
};

int gg_rates_start(struct gg_loop *loop);
void gg_rates_stop(void);
struct gg_totals gg_totals_now(void);
struct gg_rates gg_rates_now(void);

#endif
