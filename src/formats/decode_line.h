/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Line protocol, as InfluxDB's clients write it:
 *
 *   weather,device=press-2,room=a temp=21.5,ok=t,count=3i,note="say \"hi\"" 1700000000000000000
 *   measurement, tags ..........  fields ................................. time (optional)
 *
 * The device is what the device tag says, else the measurement. A signal is named by what else there is:
 * measurement (where it is not the device), values of the other tags, field, joined by dots:
 * press-2/weather.a.temp. Thread: pure functions, and the decoders' owner.
 */
#ifndef GG_FORMATS_DECODE_LINE_H
#define GG_FORMATS_DECODE_LINE_H

#include "base/error.h"
#include "formats/decode.h"

/* A line in its parts: views, still escaped. */
struct gg_line {
	struct gg_str measurement, tags, fields, time; /* time may be empty */
};

/* Cuts the next line that is not empty or a comment off the text. 1, 0 at the end, -EINVAL wrong. */
int gg_line_next(struct gg_str *text, struct gg_line *ret_line);
/* Cuts key=value off a list of tags or fields. 1, 0 at the end, -EINVAL wrong. */
int gg_line_pair(struct gg_str *list, struct gg_str *ret_key, struct gg_str *ret_value);
/* Resolves escapes and quotes. to needs text.len bytes; returns the length. */
size_t gg_line_unescape(struct gg_str text, char *to);

/* Who takes the samples of a device: its decoder, and the batch being filled for it. */
struct gg_line_sink {
	void *arg;
	/* Errors: any; the payload is refused with it. */
	int (*device)(
		void *arg, struct gg_str id, struct gg_decoder **ret_decoder, struct gg_batch ***ret_batch);
};

struct gg_line_rule {
	struct gg_str device_tag;
	enum gg_time_unit unit; /* of times; AUTO guesses by size */
	int64_t received_ns;    /* where a line has no time */
};

/* Errors: -EINVAL with the number of the line, -E2BIG, -ENOMEM, those of the sink. The batches may then hold
 * samples of the lines before: the caller drops them. */
int gg_decode_lines(struct gg_str payload, const struct gg_line_rule *rule, const struct gg_line_sink *sink,
	struct gg_error *e);

#endif
