/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time, always int64_t ns: monotonic for intervals, UTC since 1970 for samples. The clock is handed in, so
 * that tests turn it by hand. Text form: RFC 3339. Thread: pure or reentrant.
 */
#ifndef GG_CLOCK_H
#define GG_CLOCK_H

#include "base/str.h"

struct gg_clock {
	int64_t (*monotonic_ns)(const struct gg_clock *c);
	int64_t (*utc_ns)(const struct gg_clock *c);
};

/* The machine's own clocks. */
extern const struct gg_clock gg_clock_system;

/* A clock that a test turns: set the fields as you like. */
struct gg_clock_manual {
	struct gg_clock clock; /* first, so that &m->clock is the clock */
	int64_t monotonic, utc;
};

void gg_clock_manual_init(struct gg_clock_manual *m, int64_t utc_ns);

static inline int64_t gg_clock_monotonic(const struct gg_clock *c)
{
	return c->monotonic_ns(c);
}

static inline int64_t gg_clock_utc(const struct gg_clock *c)
{
	return c->utc_ns(c);
}

enum { GG_TIME_TEXT = 32 };

/* "2026-03-01T12:00:00.25Z": as many decimals as needed, 0 to 9. to has GG_TIME_TEXT bytes; returns length.
 */
size_t gg_time_format(char *to, int64_t utc_ns);
/* RFC 3339 §5.6, with a 'T' or a blank, decimals, and Z, +hh:mm or nothing (UTC); the date alone is midnight.
 * Errors: -EINVAL. Range: 1678 to 2262, what int64_t ns can hold. */
int gg_time_parse(struct gg_str s, int64_t *ret_utc_ns);

#endif
