/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Option tables. One row per option of a component, ended by a row without name; from it come the parser, the
 * default, the bounds, the messages of `ganglion check`, the JSON Schema, the web form, the reference page,
 * the masking of secrets and whether a change applies live.
 *
 *   static const struct gg_option options[] = {
 *       GG_OPTION(struct modbus, connect, STRING, .flags = GG_REQUIRED, .help = "Where the device is:
 * tcp://..."), GG_OPTION(struct modbus, timeout_ns, DURATION, .name = "timeout", .def = "1s", .min = "10ms",
 * .max = "1min", .flags = GG_LIVE, .help = "How long to wait for an answer"), {0}};
 *
 * Types and the C type at offset:
 *   BOOL bool · INT int64_t · UINT uint64_t · FLOAT double · DURATION int64_t ns · SIZE uint64_t bytes ·
 *   STRING const char * (NULL when absent) · CHOICE int (index in choices) · STRINGS struct gg_strings ·
 *   GROUP a struct laid at offset, described by sub · LIST struct gg_many of structs · MAP struct gg_many of
 * structs whose KEY option takes the map's key · KEY const char * · VALUE const struct gg_value * (read by
 * the component) · SOURCE const struct gg_value *: what the whole struct was filled from (no key of its own;
 * for places of later messages) · INSTANCES struct gg_instances: a map of named components of a kind, with
 * the options all of that kind share in sub · STEPS struct gg_instances: a list of components, each `name` or
 * `name: settings`.
 * choices of a number, duration or size are words that may stand in its place and mean 0: `rate: unlimited`.
 * Owner: all memory is the configuration's arena and lives as long as the instance.
 */
#ifndef GANGLION_OPTION_H
#define GANGLION_OPTION_H

#include "base/arena.h"
#include "base/error.h"
#include "ganglion/value.h"

enum gg_option_type {
	GG_OPT_BOOL,
	GG_OPT_INT,
	GG_OPT_UINT,
	GG_OPT_FLOAT,
	GG_OPT_DURATION,
	GG_OPT_SIZE,
	GG_OPT_STRING,
	GG_OPT_CHOICE,
	GG_OPT_STRINGS,
	GG_OPT_GROUP,
	GG_OPT_LIST,
	GG_OPT_MAP,
	GG_OPT_KEY,
	GG_OPT_VALUE,
	GG_OPT_SOURCE,
	GG_OPT_INSTANCES,
	GG_OPT_STEPS,
};

enum gg_option_flag {
	GG_REQUIRED = 1,
	GG_SECRET = 2,  /* never shown: logs, API answers and `config show` print "(secret)" */
	GG_LIVE = 4,    /* a change applies without restarting the instance (component.update) */
	GG_MAIN = 8,    /* a scalar or list given in place of the map fills this option: `deadband: 0.2` */
	GG_FILE = 16,   /* names a file on this machine */
	GG_DEVICE = 32, /* STRING, KEY: names a device whose signals the driver brings; no pipeline may be
			   called so */
};

struct gg_strings {
	const char **items;
	size_t count;
};

struct gg_many {
	void *items; /* count structs of sub_size bytes */
	size_t count;
};

struct gg_component;

/* A component as the configuration names it, its options checked. The core makes the running instance of it
 * by filling component->options from value once more. */
struct gg_instance_config {
	const char *name; /* INSTANCES: the map's key; STEPS: the component's name */
	const struct gg_component *component;
	const struct gg_value
		*value; /* its settings, without the keys that all of the kind share; may be NULL */
	const struct gg_value *place; /* where it is named */
	void *common;                 /* INSTANCES: a struct filled by the row's sub; else NULL */
	const void *checked;          /* component->self_size bytes as the options fill them; never run */
};

struct gg_instances {
	struct gg_instance_config *items;
	size_t count;
};

struct gg_option {
	const char *name;
	enum gg_option_type type;
	uint32_t offset;
	const char *def;            /* as one would write it; NULL = zero, NULL or empty */
	const char *min, *max;      /* as one would write them; both included; NULL = none */
	const char *const *choices; /* ended by NULL */
	unsigned flags;
	const char *unit;
	const char *help; /* one sentence, for people */
	const char *example;
	const struct gg_option *sub; /* GROUP, LIST, MAP, INSTANCES */
	uint32_t sub_size;           /* LIST, MAP, INSTANCES */
	unsigned kind;               /* INSTANCES, STEPS: enum gg_component_kind */
};

#define GG_OPTION(struct_type, field, opt_type, ...)                                                         \
	{                                                                                                    \
		.name = #field, .type = GG_OPT_##opt_type, .offset = (uint32_t)offsetof(struct_type, field), \
		##__VA_ARGS__                                                                                \
	}
#define GG_SUB(table, struct_type) .sub = (table), .sub_size = sizeof(struct_type)

/* What is wrong with a configuration: every mistake with its place, in order, up to a maximum. */
struct gg_problems {
	struct gg_error *items;
	size_t count, cap;
	size_t more; /* those beyond the maximum */
};

void gg_problems_done(struct gg_problems *p);
/* Adds one at the value's place (at may be NULL). */
void gg_problem(struct gg_problems *p, const struct gg_value *at, const char *format, ...) GG_PRINTF(3, 4);

/*
 * Fills self (zeroed before) from value by the table: defaults first, then what is written. Unknown keys,
 * wrong types, values out of bounds and missing required options are added to problems with place, what was
 * expected and the nearest known name. Returns the number of problems found here.
 */
size_t gg_options_fill(const struct gg_option *table, void *self, const struct gg_value *value,
	struct gg_arena *arena, struct gg_problems *problems);
/* The nearest of the names to word, or NULL when none is near; get(ctx, i) gives name i or NULL at the end.
 */
const char *gg_nearest(struct gg_str word, const char *(*get)(const void *ctx, size_t i), const void *ctx);

#endif
