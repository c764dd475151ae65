/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Times as people give and read them on a command line. Given: RFC 3339 ("2026-03-01", "2026-03-01T12:00Z"),
 * "now", "today" and "yesterday" (midnight UTC), or how long ago: "-1h", "1h", "2d". Read: "12 s ago" is
 * told as "12s", a span as "1h 30min". Thread: pure functions.
 */
#ifndef GG_APP_WHEN_H
#define GG_APP_WHEN_H

#include "base/clock.h"

/* Errors: -EINVAL. */
int gg_when_parse(struct gg_str text, int64_t now_ns, int64_t *ret_ns);
/* How long ago, in the largest unit that says enough: "0.3s", "12s", "5min", "3h", "4d". to: 16 bytes. */
const char *gg_when_age(char to[16], int64_t ns);
/* "2026-03-01 12:00:05" in UTC; the day is left out when it is that of now_ns. to: GG_TIME_TEXT bytes. */
const char *gg_when_short(char *to, int64_t ns, int64_t now_ns);

#endif
