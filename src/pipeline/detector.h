/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GG_PIPELINE_DETECTOR_H
#define GG_PIPELINE_DETECTOR_H

/*
 * Streaming anomaly detector for one numeric signal: nothing to set, constant memory.
 *
 * A detector is a plain struct of about 3.9 KB that the caller keeps per signal. It owns no memory, reads no
 * clock, and uses libc only. The same input gives the same output bits on every build (see
 * detector_internal.h), which is what lets a replay or a checkpoint reproduce a decision.
 *
 * Per sample:  gg_detector_seen(d, time, ...)   is the sample late? learns the usual interval
 *              gg_detector_step(d, value, &out) is the value unusual? which band was expected? what changed?
 * Per tick:    gg_detector_missing(d, now, ...) has the signal gone quiet?
 * Either half may be used alone.
 *
 * Limits: the first 100 samples raise no alarm. A change that comes back in the same form is known from then
 * on. Signals whose differences are below 1e-19 or above 1e18 in their unit have to be scaled, as their
 * squares leave a float.
 *
 * Thread: none of this is shared; the shard that owns the signal calls it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GG_DETECTOR_PROTOS    64 /* remembered situations per view */
#define GG_DETECTOR_VIEWS     3
#define GG_DETECTOR_DIMS      12 /* of all views together: 6 + 3 + 3 */
#define GG_DETECTOR_SPANS     7  /* running averages over 1, 4, 16, 32, 64, 256, 1024 samples */
#define GG_DETECTOR_CENTRES   4  /* candidates for the middle of the expected band */
#define GG_DETECTOR_THRESHOLD 0.55f

/* What an anomaly is about. `from` and `to` of struct gg_change are in the signal's unit, unless said. */
enum gg_change_kind {
	GG_CHANGE_NONE,
	GG_CHANGE_LEVEL,   /* from the long-run level to the present one */
	GG_CHANGE_TREND,   /* a steady drift, from where it set out to where it is */
	GG_CHANGE_SPREAD,  /* mean step between neighbouring samples, usual and present */
	GG_CHANGE_SPIKE,   /* from the expected value to the sample */
	GG_CHANGE_FLAT,    /* stuck at `to`; `from` is the number of equal samples (no unit) */
	GG_CHANGE_MISSING, /* seconds: usual interval, silence so far */
	GG_CHANGE_LATE,    /* seconds: usual interval, length of the gap that just ended */
	GG_CHANGE_KINDS
};

struct gg_change {
	enum gg_change_kind kind;
	double from, to;
};

struct gg_detector_out {
	float alarm;      /* raw: 0, or above GG_DETECTOR_THRESHOLD in the one sample that raises the alarm */
	float novelty;    /* running measure of how unfamiliar the situation is; usual values lie below 0.5 */
	float score;      /* 0 when there is nothing to tell, 0.5 .. 1 in the sample that raises an alarm */
	bool band_known;  /* low and high are valid (from the 17th sample on) */
	bool outside;     /* the sample lies outside its band; common (1 in 100) and no alarm by itself */
	bool revised;     /* `change` corrects the last alarm: what looked like a spike has stayed */
	double low, high; /* where 99 of 100 usual samples lie; made before the sample was looked at */
	struct gg_change change; /* kind is NONE unless score > 0 or revised */
};

/* The members are private to detector*.c; the struct is open so that it can lie in arrays. */
struct gg_detector_memory {
	float gap; /* squared, of the two closest once full, 0 before: what a newcomer has to exceed */
	float mean, largest;                /* of the novelty distance */
	uint32_t counted;                   /* sum of hist */
	uint16_t hist[64];                  /* of distance / mean, four bins an octave */
	uint8_t fellow[GG_DETECTOR_PROTOS]; /* the nearest other prototype of each, once full */
	uint8_t used, slot;                 /* filled prototypes; where the next one goes */
};

struct gg_detector_band {
	float mad[GG_DETECTOR_CENTRES]; /* mean absolute deviation from each candidate */
	float up, down;                 /* reach of the band in units of the chosen mad */
	uint8_t centre;
};

struct gg_detector_pulse {
	int64_t last_ns;
	double usual_ns, high_ns; /* running median of the intervals, and the one that 1 in 100 exceeds */
	uint32_t intervals;
	uint8_t behind;
	bool begun, missing;
};

struct gg_detector {
	float proto[GG_DETECTOR_DIMS][GG_DETECTOR_PROTOS]; /* dimension-major: all distances at once */
	struct gg_detector_memory memory[GG_DETECTOR_VIEWS];
	double ref, last_value; /* first value, of which differences are taken; latest value */
	uint64_t t;             /* samples offered, unusable ones included */
	uint64_t alarm_t;
	float e[GG_DETECTOR_SPANS];
	float rough, rough_long, deviation;
	float habit, last_alarm;
	float pending_from, pending_to, pending_sum;
	uint32_t run, longest_run, moves; /* equal values in a row now, at most before; changes of value */
	uint8_t pending;                  /* samples left until a spike is looked at again */
	bool started, flat_told, was_outside;
	struct gg_detector_band band;
	struct gg_detector_pulse pulse;
};

/* Forgets everything; must come first. */
void gg_detector_init(struct gg_detector *d);

/* Judges the next value and learns it. NaN and infinities are passed over: out is all zero. */
void gg_detector_step(struct gg_detector *d, double value, struct gg_detector_out *out);

/* The band for the sample to come; false while it is unknown (outputs untouched). */
bool gg_detector_expect(const struct gg_detector *d, double *ret_low, double *ret_high);

/* A sample of that time has arrived. True, with LATE in ret_change, when it ends a silence that was reported.
 * Times that do not advance are ignored, unless 32 come in a row: then the clock was set back. */
bool gg_detector_seen(struct gg_detector *d, int64_t time_ns, struct gg_change *ret_change);

/* When a next sample is overdue; INT64_MAX while the interval is unknown or the silence reported. */
int64_t gg_detector_due_ns(const struct gg_detector *d);

/* True once per silence, with MISSING in ret_change, when now_ns has reached the due time. */
bool gg_detector_missing(struct gg_detector *d, int64_t now_ns, struct gg_change *ret_change);

/* Silence until now_ns was nobody's fault (we were not there to hear): it neither counts nor is learnt. */
void gg_detector_excuse(struct gg_detector *d, int64_t now_ns);

/* One word for the kind ("level", "flat line", ...), for filters, API and counters. */
const char *gg_change_name(enum gg_change_kind kind);

/* Whether the sentence ends in a number of the signal's unit, which the caller may append. */
bool gg_change_takes_unit(enum gg_change_kind kind);

/* The change in English, such as "level rose from 21.4 to 35.2"; always terminated. Returns the length it
 * would have had, as snprintf does. */
int gg_change_text(const struct gg_change *change, char *text, size_t size);

/* Size of a saved state; the same for every detector of this version. */
size_t gg_detector_saved_size(void);

/* Writes the state in a portable form. Errors: -ENOSPC when size is below gg_detector_saved_size(). */
int gg_detector_save(const struct gg_detector *d, void *bytes, size_t size);

/* Restores exactly what was saved; d is untouched on failure. Errors: -EINVAL for anything that no detector
 * wrote, -EPROTONOSUPPORT for a state of another version. */
int gg_detector_load(struct gg_detector *d, const void *bytes, size_t size);

#endif
