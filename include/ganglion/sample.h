/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sample: a signal's value at an instant, with a quality. 24 + 8 bytes are copied by the million, so it
 * holds no pointer: strings and bytes lie in the tail of the batch that carries the sample.
 */
#ifndef GANGLION_SAMPLE_H
#define GANGLION_SAMPLE_H

#include "base/str.h"

enum gg_type {
	GG_TYPE_NONE,
	GG_TYPE_BOOL,
	GG_TYPE_INT,
	GG_TYPE_UINT,
	GG_TYPE_FLOAT,
	GG_TYPE_STRING,
	GG_TYPE_BYTES
};

enum gg_quality { GG_GOOD, GG_UNCERTAIN, GG_BAD };

/* Why a quality is not good: struct gg_sample.aux. The text is what an operator reads. */
#define GG_REASONS(X)                                                                                        \
	X(NONE, "")                                                                                          \
	X(TIMEOUT, "no answer in time")                                                                      \
	X(NO_CONNECTION, "no connection")                                                                    \
	X(REFUSED, "device refused the request")                                                             \
	X(ILLEGAL_FUNCTION, "device does not know the function")                                             \
	X(ILLEGAL_ADDRESS, "device has no such address")                                                     \
	X(ILLEGAL_VALUE, "device refused the value")                                                         \
	X(DEVICE_FAILURE, "device reports a failure")                                                        \
	X(DEVICE_BUSY, "device is busy")                                                                     \
	X(GARBLED, "answer was garbled")                                                                     \
	X(NOT_A_NUMBER, "not a finite number")                                                               \
	X(WRONG_TYPE, "value has another type")                                                              \
	X(OUT_OF_RANGE, "outside the plausible range")                                                       \
	X(TOO_FAST, "changed faster than plausible")                                                         \
	X(CLOCK, "device's clock is off")                                                                    \
	X(INCOMPLETE, "data were missing")                                                                   \
	X(STALE, "older than expected")

enum gg_reason {
#define ROW(name, text) GG_REASON_##name,
	GG_REASONS(ROW)
#undef ROW
};

struct gg_sample {
	int64_t time_ns; /* UTC since 1970 */
	uint32_t signal; /* dense index in the signal table */
	uint8_t type;    /* enum gg_type */
	uint8_t quality; /* enum gg_quality */
	uint16_t aux;    /* enum gg_reason */
	union {
		bool b;
		int64_t i;
		uint64_t u;
		double f;
		struct {
			uint32_t off, len; /* in the batch's tail */
		} blob;
	} v;
};

_Static_assert(sizeof(struct gg_sample) == 24, "a sample is 24 bytes");

static inline bool gg_type_is_number(uint8_t type)
{
	return type >= GG_TYPE_BOOL && type <= GG_TYPE_FLOAT;
}

/* The value as a double; NaN for strings and bytes. */
static inline double gg_sample_number(const struct gg_sample *s)
{
	switch (s->type) {
	case GG_TYPE_BOOL:
		return s->v.b;
	case GG_TYPE_INT:
		return (double)s->v.i;
	case GG_TYPE_UINT:
		return (double)s->v.u;
	case GG_TYPE_FLOAT:
		return s->v.f;
	default:
		return __builtin_nan("");
	}
}

/* Writes the value as JSON, the same wherever JSON of ours holds one: text holds the bytes of a string or of
 * bytes (those stand as {"base64":"..."}); no value, and what is no finite number, is null. */
struct gg_json_writer;
void gg_sample_json(struct gg_json_writer *w, const struct gg_sample *s, struct gg_str text);

/* "float", "good", "no answer in time" */
const char *gg_type_name(uint8_t type);
const char *gg_quality_name(uint8_t quality);
const char *gg_reason_text(uint16_t reason);
/* Errors: -ENOENT. */
int gg_type_of_name(struct gg_str name, uint8_t *ret_type);

#endif
