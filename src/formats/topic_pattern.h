/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Topic patterns: which part of an MQTT topic (or a path) names the device and which the signal.
 *
 *   {device}/{signal}            press-2/temperature        device press-2, signal temperature
 *   plant/+/{device}/{signal...} plant/a/press-2/oil/temp   device press-2, signal oil/temp
 *   tele/dev-{device}/#          tele/dev-7/SENSOR          device 7, no signal
 *
 * A level is literal text, '+' (any one level), or a placeholder with literal text before and after it. The
 * last level may be '#' (whatever follows, and nothing too) or {signal...} (one level or more).
 * Thread: pure functions.
 */
#ifndef GG_FORMATS_TOPIC_PATTERN_H
#define GG_FORMATS_TOPIC_PATTERN_H

#include "base/error.h"
#include "base/str.h"

enum { GG_PATTERN_LEVELS = 16 };

enum gg_pattern_kind { GG_LEVEL_TEXT, GG_LEVEL_ANY, GG_LEVEL_DEVICE, GG_LEVEL_SIGNAL, GG_LEVEL_REST };

struct gg_topic_pattern {
	struct {
		enum gg_pattern_kind kind;
		bool names_signal;           /* GG_LEVEL_REST written as {signal...} */
		struct gg_str before, after; /* literal text; before is all of a GG_LEVEL_TEXT */
	} levels[GG_PATTERN_LEVELS];
	unsigned count;
	bool has_device, has_signal;
};

/* What a topic says; views of it. Empty where the pattern does not name it. */
struct gg_topic_names {
	struct gg_str device, signal;
};

/* The text must outlive the pattern. Errors: -EINVAL with a text. */
int gg_topic_pattern_parse(struct gg_str text, struct gg_topic_pattern *ret_pattern, struct gg_error *e);
bool gg_topic_pattern_match(
	const struct gg_topic_pattern *p, struct gg_str topic, struct gg_topic_names *ret_names);
/* Can a topic that this filter covers belong to another device? False when every topic that matches both the
 * pattern up to its {device} and the filter is the device's own. A topic is a filter without wildcards. */
bool gg_topic_pattern_is_own(const struct gg_topic_pattern *p, struct gg_str filter, struct gg_str device);
/* The topic for a device and signal: the way back, for commands. '+' and '#' have none. Returns the length,
 * 0 when it does not fit or the pattern has no way back. */
size_t gg_topic_pattern_fill(
	const struct gg_topic_pattern *p, struct gg_str device, struct gg_str signal, char *to, size_t size);

#endif
