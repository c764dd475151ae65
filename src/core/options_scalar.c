/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options that are one word: truth values, numbers with bounds, durations, sizes, choices, texts. A row per
 * type says how it is read, compared and called; a bound is read like the value itself.
 */
#include "core/options.h"

#include <math.h>

struct number {
	int64_t i;
	uint64_t u;
	double f;
};

static int read_int(struct gg_str text, struct number *n)
{
	uint64_t value;
	if (gg_parse_hex(text, &value) == 0 && value <= INT64_MAX) {
		n->i = (int64_t)value;
		return 0;
	}
	return gg_parse_int(text, &n->i);
}

static int read_uint(struct gg_str text, struct number *n)
{
	return gg_parse_hex(text, &n->u) == 0 ? 0 : gg_parse_uint(text, &n->u);
}

static int read_float(struct gg_str text, struct number *n)
{
	int rc = gg_parse_float(text, &n->f);
	if (rc < 0 || isfinite(n->f))
		return rc;
	/* "no limit" may be written; what merely overflows or is no number is a mistake. */
	return gg_str_is(text, "inf") || gg_str_is(text, "-inf") ? 0 : -EINVAL;
}

static int read_duration(struct gg_str text, struct number *n)
{
	return gg_parse_duration(text, &n->i);
}

static int read_size(struct gg_str text, struct number *n)
{
	return gg_parse_size(text, &n->u);
}

static const struct reader {
	int (*read)(struct gg_str text, struct number *n);
	const char *called;
} readers[] = {
	[GG_OPT_INT] = {read_int, "a whole number like 42"},
	[GG_OPT_UINT] = {read_uint, "a whole number like 42"},
	[GG_OPT_FLOAT] = {read_float, "a number like 21.5"},
	[GG_OPT_DURATION] = {read_duration, "a duration like 500ms"},
	[GG_OPT_SIZE] = {read_size, "a size like 64KiB"},
};

static void store(const struct gg_option *o, void *to, const struct number *n)
{
	switch (o->type) {
	case GG_OPT_INT:
	case GG_OPT_DURATION:
		*(int64_t *)to = n->i;
		break;
	case GG_OPT_FLOAT:
		*(double *)to = n->f;
		break;
	default:
		*(uint64_t *)to = n->u;
	}
}

static bool below(enum gg_option_type type, const struct number *a, const struct number *b)
{
	if (type == GG_OPT_FLOAT)
		return a->f < b->f;
	return type == GG_OPT_INT || type == GG_OPT_DURATION ? a->i < b->i : a->u < b->u;
}

static bool in_bounds(const struct gg_option *o, const struct number *n)
{
	struct number bound;
	if (o->min && readers[o->type].read(gg_str(o->min), &bound) == 0 && below(o->type, n, &bound))
		return false;
	return !(o->max && readers[o->type].read(gg_str(o->max), &bound) == 0 && below(o->type, &bound, n));
}

static void list_choices(const struct gg_option *o, char *to, size_t size)
{
	size_t n = 0;
	for (const char *const *c = o->choices; c && *c && n < size; c++)
		n += (size_t)snprintf(to + n, size - n, "%s%s",
			c == o->choices ? ""
			: c[1]          ? ", "
					: " or ",
			*c);
}

static int choice_of(const struct gg_option *o, struct gg_str text)
{
	for (int i = 0; o->choices && o->choices[i]; i++)
		if (gg_str_is(text, o->choices[i]))
			return i;
	return -1;
}

static const char *next_choice(const void *ctx, size_t i)
{
	return ((const struct gg_option *)ctx)->choices[i];
}

static bool read_choice(const struct gg_option *o, int *to, struct gg_str text, char *expected)
{
	int choice = choice_of(o, text);
	if (choice >= 0) {
		*to = choice;
		return true;
	}
	char names[300] = "";
	list_choices(o, names, sizeof names);
	const char *near = gg_nearest(text, next_choice, o);
	snprintf(expected, GG_ERROR_TEXT, "%s%s%s%s", names, near ? " (did you mean \"" : "",
		near ? near : "", near ? "\"?)" : "");
	return false;
}

static bool read_number(const struct gg_option *o, void *to, struct gg_str text, char *expected)
{
	const struct reader *r = &readers[o->type];
	struct number n = {0};
	if (choice_of(o, text) >= 0) {
		store(o, to, &n);
		return true;
	}
	int rc = r->read(text, &n);
	if (rc == 0 && in_bounds(o, &n)) {
		store(o, to, &n);
		return true;
	}
	bool bounds = rc != -EINVAL && (o->min || o->max);
	if (bounds && o->min && o->max)
		snprintf(expected, GG_ERROR_TEXT, "%s to %s", o->min, o->max);
	else if (bounds)
		snprintf(expected, GG_ERROR_TEXT, "at %s %s", o->min ? "least" : "most",
			o->min ? o->min : o->max);
	else
		snprintf(expected, GG_ERROR_TEXT, "%s%s", rc == -ERANGE ? "no more than 64 bits, " : "",
			r->called);
	if (o->choices) {
		size_t n_text = strlen(expected);
		char names[200] = "";
		list_choices(o, names, sizeof names);
		snprintf(expected + n_text, GG_ERROR_TEXT - n_text, ", or %s", names);
	}
	return false;
}

bool gg_option_read_scalar(const struct gg_option *o, void *to, struct gg_str text, char *expected)
{
	if (o->type == GG_OPT_CHOICE)
		return read_choice(o, to, text, expected);
	if (o->type != GG_OPT_BOOL)
		return read_number(o, to, text, expected);
	if (gg_parse_bool(text, to) == 0)
		return true;
	snprintf(expected, GG_ERROR_TEXT, "true or false");
	return false;
}
