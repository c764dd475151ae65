/* SPDX-License-Identifier: Apache-2.0 */
/* A result as charts. */
#include "app/plot.h"
#include "app/rows.h"
#include "base/clock.h"

#include <math.h>

enum { CHARTS = 6, HEIGHT = 14 };

/* A text of RFC 3339; or a number of seconds since 1970 in a column that says it is a time. */
static bool time_of(const struct gg_rows *r, size_t row, unsigned column, int64_t *ret_ns)
{
	enum gg_cell_type type;
	double number;
	struct gg_str text = gg_rows_text(r, row, column, &type);
	if (type == GG_CELL_TEXT)
		return gg_time_parse(text, ret_ns) == 0;
	if (type != GG_CELL_NUMBER || gg_parse_float(text, &number) < 0)
		return false;
	if (gg_str_is(gg_rows_name(r, column), "ns"))
		*ret_ns = (int64_t)number;
	else if (gg_str_is(gg_rows_name(r, column), "time"))
		*ret_ns = (int64_t)(number * 1e9);
	else
		return false;
	return true;
}

static unsigned time_column(const struct gg_rows *r)
{
	int64_t ns;
	for (unsigned i = 0; i < r->columns; i++)
		if (gg_rows_count(r) && time_of(r, 0, i, &ns))
			return i;
	return r->columns;
}

static unsigned signal_column(const struct gg_rows *r)
{
	unsigned i = 0;
	while (i < r->columns && !gg_str_is(gg_rows_name(r, i), "signal"))
		i++;
	return i;
}

static double number_at(const struct gg_rows *r, size_t row, unsigned column)
{
	enum gg_cell_type type;
	double v;
	struct gg_str text = gg_rows_text(r, row, column, &type);
	return type == GG_CELL_NUMBER && gg_parse_float(text, &v) == 0 ? v : NAN;
}

static bool has_numbers(const struct gg_rows *r, unsigned column)
{
	for (size_t row = 0; row < gg_rows_count(r); row++)
		if (isfinite(number_at(r, row, column)))
			return true;
	return false;
}

static int by_time(const void *a, const void *b)
{
	int64_t x = ((const struct gg_plot_point *)a)->time_ns,
		y = ((const struct gg_plot_point *)b)->time_ns;
	return x < y ? -1 : x > y;
}

struct chart {
	unsigned time, value, signal; /* columns; signal == columns: there is none */
	struct gg_plot_series series[GG_PLOT_SERIES];
	struct gg_plot_point *points[GG_PLOT_SERIES];
	size_t count;
};

static void chart_clear(struct chart *c)
{
	for (size_t i = 0; i < c->count; i++)
		free(c->points[i]);
	c->count = 0;
}

/* The points of a signal, or all when there is no column of signals. */
static int add_series(const struct gg_rows *r, struct chart *c, struct gg_str name)
{
	struct gg_plot_point *points = calloc(gg_rows_count(r) + 1, sizeof *points);
	size_t n = 0;
	enum gg_cell_type type;
	if (!points)
		return -ENOMEM;
	for (size_t row = 0; row < gg_rows_count(r); row++) {
		if (c->signal < r->columns && !gg_str_eq(gg_rows_text(r, row, c->signal, &type), name))
			continue;
		points[n].value = number_at(r, row, c->value);
		n += time_of(r, row, c->time, &points[n].time_ns);
	}
	qsort(points, n, sizeof *points, by_time);
	c->points[c->count] = points;
	c->series[c->count++] = (struct gg_plot_series){name, points, n};
	return 0;
}

static bool seen_before(const struct chart *c, struct gg_str name)
{
	for (size_t i = 0; i < c->count; i++)
		if (gg_str_eq(c->series[i].name, name))
			return true;
	return false;
}

static int add_all_series(const struct gg_rows *r, struct chart *c)
{
	enum gg_cell_type type;
	int rc = 0;
	if (c->signal == r->columns)
		return add_series(r, c, GG_STR(""));
	for (size_t row = 0; row < gg_rows_count(r) && c->count < GG_PLOT_SERIES && rc == 0; row++) {
		struct gg_str name = gg_rows_text(r, row, c->signal, &type);
		if (!seen_before(c, name))
			rc = add_series(r, c, name);
	}
	return rc;
}

static bool draw_one(
	const struct gg_rows *r, const struct chart *c, size_t first, size_t count, struct gg_buf *to)
{
	char title[200];
	struct gg_str value = gg_rows_name(r, c->value),
		      name = count == 1 ? c->series[first].name : GG_STR("");
	const struct gg_plot_look look = {gg_cli_width(), HEIGHT, !gg_cli_utf8(), gg_cli_colour()};
	snprintf(title, sizeof title, "%.*s%s%.*s", (int)gg_min_size(name.len, 120), name.p,
		name.len ? "  " : "", (int)gg_min_size(value.len, 60), value.p);
	return gg_plot_all(c->series + first, count, &look, gg_str(title), to) == 0;
}

/* In one chart where colours tell them apart, else one below the other. */
static unsigned draw_series(const struct gg_rows *r, const struct chart *c, struct gg_buf *to)
{
	unsigned drawn = 0;
	if (gg_cli_colour() && c->count > 1)
		return draw_one(r, c, 0, c->count, to);
	for (size_t i = 0; i < c->count; i++)
		drawn += draw_one(r, c, i, 1, to);
	return drawn;
}

int gg_rows_plot(const struct gg_rows *r, struct gg_buf *to)
{
	struct chart c = {.time = time_column(r), .signal = signal_column(r)};
	unsigned charts = 0;
	if (c.time == r->columns)
		return -EINVAL;
	for (c.value = 0; c.value < r->columns && charts < CHARTS; c.value++) {
		if (c.value == c.time || !has_numbers(r, c.value))
			continue;
		if (add_all_series(r, &c) == 0)
			charts += draw_series(r, &c, to);
		chart_clear(&c);
	}
	return charts ? 0 : -EINVAL;
}
