/* SPDX-License-Identifier: Apache-2.0 */
/* The option structs of the stages: what the configuration fills, and what their tests fill by hand. */
#ifndef GG_PIPELINE_STAGES_INTERNAL_H
#define GG_PIPELINE_STAGES_INTERNAL_H

#include "pipeline/stage_kit.h"
#include "pipeline/stages.h"

struct deadband {
	const char *band; /* "0.2" or "2%" */
	int64_t max_silence_ns;
	double width; /* absolute, or a fraction when relative */
	bool relative;
	struct gg_slots slots;
};

struct change {
	int64_t max_silence_ns;
	struct gg_slots slots;
};

enum range_else { RANGE_DROP, RANGE_BAD, RANGE_CLAMP };

struct range {
	double low, high; /* 1e308 either way: not given */
	int otherwise;    /* enum range_else */
	struct gg_slots slots;
};

enum rate_else { RATE_DROP, RATE_BAD };

struct rate {
	double limit; /* per second */
	int otherwise;
	struct gg_slots slots;
};

enum duplicate_order { ORDER_PASS, ORDER_DROP };

struct duplicate {
	uint64_t remember;
	int order;
	struct gg_slots slots;
};

struct throttle {
	int64_t every_ns;
	struct gg_slots slots;
};

struct normalise {
	const char *unit, *from, *type, *name;
	double scale, offset;
	struct gg_strings clamp;
	uint8_t to_type;
	bool clamps;
	double low, high;
	struct gg_slots slots;
};

enum window_by { WINDOW_TUMBLING, WINDOW_HOPPING, WINDOW_SLIDING, WINDOW_SESSION };
enum window_empty { EMPTY_NOTHING, EMPTY_LAST, EMPTY_ZERO, EMPTY_BAD };

enum { WINDOW_GIVES = 16, WINDOW_PANES = 256, WINDOW_SAMPLES = 1024, WINDOW_FILL = 64, WINDOW_CLOCK = 16 };

enum window_what {
	GIVE_COUNT,
	GIVE_SUM,
	GIVE_MEAN,
	GIVE_MIN,
	GIVE_MAX,
	GIVE_RANGE,
	GIVE_FIRST,
	GIVE_LAST,
	GIVE_STDDEV,
	GIVE_QUANTILE
};

struct window_give {
	enum window_what what;
	double q;
	char suffix[24];
};

struct window {
	int64_t every_ns, size_ns, gap_ns, late_ns;
	int by, empty;
	bool scores; /* what a detector gives is put into windows too */
	struct gg_strings give;
	struct window_give gives[WINDOW_GIVES];
	uint32_t give_count;
	bool quantiles;
	int64_t grace_ns; /* how much longer than `late` time alone waits before it ends a window */
	uint32_t panes;   /* of each slot */
	struct pane *sum; /* hopping: where panes are put together */
	uint64_t shape;   /* what a saved state must have been made with */
	int64_t due_ns;   /* not later than the first slot's */
	struct gg_slots slots;
};

enum detect_give { DETECT_SCORE = 1, DETECT_BAND = 2, DETECT_ANOMALY = 4 };

struct detect {
	struct gg_strings give;
	bool every_sample, missing;
	unsigned gives; /* enum detect_give */
	int64_t due_ns; /* not later than the first slot's */
	const char *pipeline;
	struct gg_slots slots;
};

#endif
