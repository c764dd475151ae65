/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the window stage share; for them only. */
#ifndef GG_PIPELINE_WINDOW_INTERNAL_H
#define GG_PIPELINE_WINDOW_INTERNAL_H

#include "pipeline/window_pane.h"

struct window_sample {
	int64_t time_ns;
	double value;
	uint8_t quality;
};

struct window_slot {
	int64_t newest_ns; /* the latest time a sample had */
	int64_t seen_ns;   /* the gateway's time when it came: the difference is the device's clock */
	int64_t next_end;  /* of the window that ends next; a session's: its last sample */
	int64_t late_ns;   /* time of the latest late sample */
	uint32_t late_run; /* late samples in a row whose times advance */
	uint32_t filled;   /* panes in use */
	uint32_t first_out;
	struct pane *hot; /* where the newest sample is, until hot_end; NULL: look it up */
	int64_t hot_end;
	bool begun, clock_set; /* the device's clock was set back: the next result is uncertain */
	bool has_last, overrun;
	double last[WINDOW_GIVES]; /* of the latest window that had samples, for empty: last */
	struct pane *panes;        /* a ring by start; sliding: one, to put together */

	struct window_sample *samples; /* sliding */
	uint32_t sample_count;
};

/* window.c: one result of all that is asked for. */
void window_emit(
	const struct window *w, struct window_slot *s, struct gg_flow *flow, struct pane *p, int64_t time_ns);
/* window_time.c: a sample comes to a slot; time has come. */
void window_sample(
	struct window *w, struct window_slot *s, struct gg_flow *flow, const struct gg_sample *sample);
void window_tick(void *self, struct gg_flow *flow);
/* When time alone ends a window of the slot. */
int64_t window_slot_due(const struct window *w, const struct window_slot *s);

static inline bool window_rings(const struct window *w)
{
	return w->by == WINDOW_TUMBLING || w->by == WINDOW_HOPPING;
}

#endif
