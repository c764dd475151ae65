/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Payloads to samples. A decoder belongs to one device and knows its signals by name, so that in the steady
 * state a key costs one hash and one comparison and nothing is allocated.
 *
 *   payload ─▶ gg_decode_plain() / gg_decode_json() / ... ─▶ samples appended to the batch being filled
 *
 * All or nothing: when a payload is wrong the batch is as it was. The batch grows as needed (*batch may
 * become another). Thread: the owner's loop.
 */
#ifndef GG_FORMATS_DECODE_H
#define GG_FORMATS_DECODE_H

#include "base/map.h"
#include "ganglion/batch.h"
#include "ganglion/option.h"

enum { GG_SIGNAL_NAME = 128, GG_DECODE_SAMPLES = 4096 }; /* most samples of one payload */

struct gg_decoder {
	uint32_t device;
	struct gg_map signals; /* name -> index */
	/* Finds or makes a signal: gg_host_signal() with GG_TYPE_NONE. */
	int (*signal)(void *arg, uint32_t device, struct gg_str name, uint32_t *ret_signal);
	void *arg;
	uint64_t refused; /* samples left out because their signal could not be named */
};

/* Frees what the decoder holds, not itself. */
void gg_decoder_done(struct gg_decoder *d);
/* The index of a name, from the cache or by asking. Blanks and other bytes that a name must not have become
 * '_'. Errors: -EINVAL, -EDQUOT. */
int gg_decoder_signal(struct gg_decoder *d, struct gg_str name, uint32_t *ret_signal);
/* Appends s, growing *batch. Errors: -E2BIG, -ENOMEM. */
int gg_decode_add(struct gg_batch **batch, const struct gg_sample *s);
int gg_decode_add_text(struct gg_batch **batch, uint32_t signal, int64_t time_ns, struct gg_str text);

/* ---- how a payload reads: what a human wrote behind a topic pattern ---- */

enum gg_format { GG_FORMAT_PLAIN, GG_FORMAT_JSON };
enum gg_time_unit { GG_TIME_AUTO, GG_TIME_S, GG_TIME_MS, GG_TIME_US, GG_TIME_NS };

struct gg_pick {
	const char *signal, *pointer; /* RFC 6901 */
};

/* As it stands in a configuration; lay it into your option struct and put GG_FORMAT_ROWS() into its table. */
struct gg_format_options {
	int format, time_unit;
	const char *time, *device, *signal;
	struct gg_many signals; /* struct gg_pick */
};

extern const char *const gg_format_names[], *const gg_time_unit_names[];
extern const struct gg_option gg_pick_table[];

#define GG_FORMAT_ROW(type, member, field, kind, ...)                                                        \
	GG_OPTION(type, member.field, kind, .name = #field, ##__VA_ARGS__)
#define GG_FORMAT_ROWS(type, member)                                                                         \
	GG_FORMAT_ROW(type, member, format, CHOICE, .def = "plain", .choices = gg_format_names,              \
		.flags = GG_MAIN, .help = "How the payload reads: plain (one value) or json"),               \
		GG_FORMAT_ROW(type, member, time, STRING, .example = "/ts",                                  \
			.help = "JSON Pointer of the samples' time; without it the time received counts"),   \
		GG_FORMAT_ROW(type, member, time_unit, CHOICE, .def = "auto", .choices = gg_time_unit_names, \
			.help = "Unit of a time that is a number since 1970; auto goes by its size"),        \
		GG_FORMAT_ROW(type, member, device, STRING,                                                  \
			.help = "The device, where the topic does not name it"),                             \
		GG_FORMAT_ROW(type, member, signal, STRING, .def = "value",                                  \
			.help = "The signal, where neither topic nor payload names it"),                     \
		GG_FORMAT_ROW(type, member, signals, MAP, GG_SUB(gg_pick_table, struct gg_pick),             \
			.example = "{ temperature: /t }",                                                    \
			.help = "Signals to pick out of the payload, by JSON Pointer; without it all are "   \
				"taken")

struct gg_format_rule {
	enum gg_format format;
	enum gg_time_unit time_unit;
	struct gg_str time, device, signal; /* empty where not given; signal never */
	const struct gg_pick *picks;
	size_t pick_count;
	char time_path[GG_SIGNAL_NAME]; /* time as a.b.c */
};

/* The options must outlive the rule. Errors: -EINVAL with a text. */
int gg_format_rule_make(
	const struct gg_format_options *o, struct gg_format_rule *ret_rule, struct gg_error *e);

/* A time as devices write it: RFC 3339, or a number since 1970 whose unit is told or guessed by its size.
 * Errors: -EINVAL. */
int gg_decode_time(struct gg_str text, enum gg_time_unit unit, int64_t *ret_utc_ns);

/* ---- formats; name is what the topic calls the signal, or empty. Errors: -EINVAL, -E2BIG, -ENOMEM ---- */

/* A number; true, false, on, off (any case); or else a string of valid UTF-8. */
int gg_decode_plain(struct gg_decoder *d, const struct gg_format_rule *rule, struct gg_str name,
	struct gg_str payload, int64_t received_ns, struct gg_batch **batch);
int gg_decode_json(struct gg_decoder *d, const struct gg_format_rule *rule, struct gg_str name,
	struct gg_str payload, int64_t received_ns, struct gg_batch **batch);
/* The rule's format. */
int gg_decode(struct gg_decoder *d, const struct gg_format_rule *rule, struct gg_str name,
	struct gg_str payload, int64_t received_ns, struct gg_batch **batch);

#endif
