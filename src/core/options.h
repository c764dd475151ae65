/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walking option tables: what the filler, the mask, the diff, the schema and the reference share. A struct is
 * filled from one map by one or more tables (a driver's: the selector, what all drivers have, its own); a
 * part is a table and where its values go.
 * Thread: pure functions, but for the arena.
 */
#ifndef GG_CORE_OPTIONS_H
#define GG_CORE_OPTIONS_H

#include "core/value.h"
#include "ganglion/component.h"

enum { GG_PROBLEMS = 100 };

struct gg_option_part {
	const struct gg_option *table; /* NULL = none */
	void *self;                    /* NULL when only walking */
};

/* What fills know besides the value. */
struct gg_fill {
	struct gg_arena *arena;
	struct gg_problems *problems;
};

#define gg_each_option(o, options) for ((o) = (options); (o) && (o)->name; (o)++)

const struct gg_option *gg_option_find(const struct gg_option *table, struct gg_str key);
/* Does a key of this name exist (KEY and SOURCE rows have none)? */
bool gg_option_has_key(const struct gg_option *o);
/* The MAIN row that takes the value as a whole, or NULL when it is to be read as a map of the tables' keys.
 */
const struct gg_option *gg_option_takes_whole(
	const struct gg_option_part *parts, size_t count, const struct gg_value *value);
/* The value that row o takes of a struct's value; NULL when it is absent or null. */
const struct gg_value *gg_option_value(const struct gg_option_part *parts, size_t count,
	const struct gg_option *o, const struct gg_value *value);

/* Fills one struct; where says the place when value has none; given: the user wrote it, so what is required
 * must be there. */
struct gg_fill_struct {
	const struct gg_option_part *parts;
	size_t count;
	const struct gg_value *value, *where;
	const char *key; /* for KEY rows */
	bool given;
};

void gg_fill_struct(struct gg_fill *f, const struct gg_fill_struct *s);
void gg_fill_instances(
	struct gg_fill *f, const struct gg_option *o, struct gg_instances *to, const struct gg_value *v);
void gg_fill_steps(
	struct gg_fill *f, const struct gg_option *o, struct gg_instances *to, const struct gg_value *v);
/* Reads a BOOL, number, STRING or CHOICE as text. Returns false when it is none, with *ret_expected in words
 * ("a duration like 500ms") in a buffer of GG_ERROR_TEXT bytes. */
bool gg_option_read_scalar(const struct gg_option *o, void *to, struct gg_str text, char *expected);

/* The component that an entry of an INSTANCES map names, by its selector ("driver: modbus") or its key. */
const struct gg_component *gg_instance_component(
	unsigned kind, const struct gg_value *key, const struct gg_value *value);
/* The single key and value of a step `name` or `name: settings`; false when it is neither. */
bool gg_step_split(
	const struct gg_value *step, const struct gg_value **ret_name, const struct gg_value **ret_settings);
/* The selector's row ("driver") as a table, for parts. to must have 2 rows. */
void gg_selector_table(unsigned kind, struct gg_option *to);

/* Problems in the order of the text, file by file as they came. */
void gg_problems_sort(struct gg_problems *p);

/* A copy in which SECRET options print GG_SECRET_TEXT and substituted ones what was written. NULL when the
 * arena is full. */
struct gg_value *gg_value_masked(
	struct gg_arena *arena, const struct gg_option *table, const struct gg_value *value);

enum gg_difference { GG_SAME, GG_LIVE_CHANGE, GG_RESTART };
/* What it takes to go from a to b. */
enum gg_difference gg_options_compare(
	const struct gg_option_part *parts, size_t count, const struct gg_value *a, const struct gg_value *b);
enum gg_difference gg_instance_compare(const struct gg_option *o, const struct gg_value *key,
	const struct gg_value *a, const struct gg_value *b);

#endif
