/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The structured log. A line has a level, who speaks (an instance's name), a short text, and key=value pairs:
 *
 *   gg_log(GG_WARN, "boiler", "device does not answer", GG_S("connect", address), GG_I("timeout_ms", 500));
 *
 * as text   2026-03-01T12:00:00.25Z warn boiler: device does not answer connect="10.0.0.7:502" timeout_ms=500
 * or, with --log-format json, as one JSON object. Outside text is quoted and its control bytes escaped. Each
 * place in the code may speak 20 times in 10 s; what is left out is counted and said. Secrets never.
 * Thread: any; one write() per line to stderr. Never blocks on a full pipe: what does not fit is counted.
 */
#ifndef GG_LOG_H
#define GG_LOG_H

#include "base/str.h"

#include <stdatomic.h>

enum gg_log_level { GG_DEBUG, GG_INFO, GG_WARN, GG_ERROR };
enum gg_log_format { GG_LOG_TEXT, GG_LOG_JSON };

struct gg_field {
	const char *key;
	enum { GG_FIELD_STR, GG_FIELD_INT, GG_FIELD_FLOAT } type;
	struct gg_str s;
	int64_t i;
	double f;
};

#define GG_S(name, text)   ((struct gg_field){.key = (name), .type = GG_FIELD_STR, .s = gg_str(text)})
#define GG_SV(name, view)  ((struct gg_field){.key = (name), .type = GG_FIELD_STR, .s = (view)})
#define GG_I(name, number) ((struct gg_field){.key = (name), .type = GG_FIELD_INT, .i = (int64_t)(number)})
#define GG_F(name, number) ((struct gg_field){.key = (name), .type = GG_FIELD_FLOAT, .f = (number)})

/* One per place in the code: keeps its rate. */
struct gg_log_place {
	_Atomic int64_t window_start_ns;
	_Atomic uint32_t said, left_out;
};

#define gg_log(level, who, text, ...)                                                                        \
	do {                                                                                                 \
		static struct gg_log_place place_;                                                           \
		const struct gg_field fields_[] = {{0}, ##__VA_ARGS__};                                      \
		if (gg_log_enabled(level))                                                                   \
			gg_log_write(&place_, level, who, text, fields_ + 1, GG_COUNT(fields_) - 1);         \
	} while (0)

void gg_log_setup(enum gg_log_level level, enum gg_log_format format, int fd);
bool gg_log_enabled(enum gg_log_level level);
void gg_log_write(struct gg_log_place *place, enum gg_log_level level, const char *who, const char *text,
	const struct gg_field *fields, size_t count);
/* Lines since the start, by level, and lines left out by rate: for /metrics. */
uint64_t gg_log_count(enum gg_log_level level);
uint64_t gg_log_left_out(void);

/* The latest lines as JSON objects, newest last, for `ganglion doctor` and the API: calls each for up to
 * most. */
void gg_log_recent(size_t most, void (*each)(void *arg, struct gg_str json_line), void *arg);

#endif
