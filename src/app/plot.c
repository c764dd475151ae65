/* SPDX-License-Identifier: Apache-2.0 */
#include "app/plot.h"
#include "app/cli.h"
#include "app/table.h"
#include "app/when.h"

#include <math.h>

enum { DOTS_X = 2, DOTS_Y = 4, LABEL = 11, NARROWEST = 30, LOWEST = 6 };

struct canvas {
	uint8_t *cells;  /* a braille pattern each */
	uint8_t *owners; /* the series that drew there last, + 1 */
	uint8_t drawing; /* the series, + 1 */
	unsigned columns, rows;
	double low, high;
	int64_t from, to;
};

static bool take_range(const struct gg_plot_series *s, bool any, struct canvas *c)
{
	const struct gg_plot_point *p = s->points;
	for (size_t i = 0; i < s->count; i++) {
		if (!isfinite(p[i].value))
			continue;
		if (!any || p[i].value < c->low)
			c->low = p[i].value;
		if (!any || p[i].value > c->high)
			c->high = p[i].value;
		any = true;
	}
	return any;
}

static bool find_range(const struct gg_plot_series *s, size_t count, struct canvas *c)
{
	bool any = false, timed = false;
	for (size_t i = 0; i < count; i++) {
		any = take_range(&s[i], any, c);
		if (s[i].count == 0)
			continue;
		int64_t first = s[i].points[0].time_ns, last = s[i].points[s[i].count - 1].time_ns;
		c->from = !timed || first < c->from ? first : c->from;
		c->to = !timed || last > c->to ? last : c->to;
		timed = true;
	}
	if (any && c->high - c->low < 1e-9 * fmax(fabs(c->high), 1e-3)) { /* a flat line runs in the middle */
		double around = fmax(fabs(c->high) * 0.01, 0.5);
		c->low -= around;
		c->high += around;
	}
	return any;
}

static void set_dot(struct canvas *c, int x, int y)
{
	static const uint8_t bits[DOTS_Y][DOTS_X] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
	if (x < 0 || y < 0 || x >= (int)(c->columns * DOTS_X) || y >= (int)(c->rows * DOTS_Y))
		return;
	unsigned at = (unsigned)y / DOTS_Y * c->columns + (unsigned)x / DOTS_X;
	c->cells[at] |= bits[y % DOTS_Y][x % DOTS_X];
	c->owners[at] = c->drawing;
}

static int place_x(const struct canvas *c, int64_t t)
{
	double span = (double)c->to - (double)c->from;
	double share = span > 0 ? ((double)t - (double)c->from) / span : 0.5;
	return (int)lround(share * (c->columns * DOTS_X - 1));
}

static int place_y(const struct canvas *c, double v)
{
	/* halved first: the whole span may be more than a double holds */
	double share = (v / 2 - c->low / 2) / (c->high / 2 - c->low / 2);
	return (int)lround((1 - share) * (c->rows * DOTS_Y - 1));
}

/* Bresenham */
static void draw_line(struct canvas *c, int x, int y, int to_x, int to_y)
{
	int dx = abs(to_x - x), dy = -abs(to_y - y), step_x = x < to_x ? 1 : -1, step_y = y < to_y ? 1 : -1;
	int error = dx + dy;
	for (;;) {
		set_dot(c, x, y);
		if (x == to_x && y == to_y)
			return;
		int twice = 2 * error;
		if (twice >= dy) {
			error += dy;
			x += step_x;
		}
		if (twice <= dx) {
			error += dx;
			y += step_y;
		}
	}
}

static void draw(struct canvas *c, const struct gg_plot_point *p, size_t count)
{
	bool pen = false;
	int last_x = 0, last_y = 0;
	for (size_t i = 0; i < count; i++) {
		if (!isfinite(p[i].value)) {
			pen = false;
			continue;
		}
		int x = place_x(c, p[i].time_ns), y = place_y(c, p[i].value);
		draw_line(c, pen ? last_x : x, pen ? last_y : y, x, y);
		last_x = x;
		last_y = y;
		pen = true;
	}
}

static void put_label(struct gg_buf *to, const struct canvas *c, unsigned row, bool plain)
{
	char text[32] = "";
	bool labelled = row == 0 || row == c->rows - 1 || (row == c->rows / 2 && c->rows >= 7);
	double share = c->rows > 1 ? (double)row / (c->rows - 1) : 0;
	if (labelled) /* both halves apart, as the sum may be more than a double holds */
		snprintf(text, sizeof text, "%.5g", c->high * (1 - share) + c->low * share);
	const char *mark = plain ? (labelled ? "+" : "|") : labelled ? "┤" : "│";
	gg_buf_printf(to, "%*s %s", LABEL, text, mark);
}

/* Half a character up, half down. */
static void put_plain(struct gg_buf *to, uint8_t dots)
{
	bool upper = dots & 0x1b, lower = dots & 0xe4;
	gg_buf_char(to, upper && lower ? ':' : upper ? '\'' : '.');
}

static void put_colour(struct gg_buf *to, unsigned series)
{
	static const unsigned colours[GG_PLOT_SERIES] = {36, 33, 35, 32, 31, 34};
	if (series)
		gg_buf_printf(to, "\x1b[%um", colours[(series - 1) % GG_PLOT_SERIES]);
	else
		gg_buf_str(to, GG_STR("\x1b[0m"));
}

static void put_cell(struct gg_buf *to, uint8_t dots, bool plain)
{
	const char utf8[3] = {
		(char)0xe2, (char)(0xa0 | dots >> 6), (char)(0x80 | (dots & 0x3f))}; /* U+2800 + dots */
	if (!dots)
		gg_buf_char(to, ' ');
	else if (plain)
		put_plain(to, dots);
	else
		gg_buf_add(to, utf8, sizeof utf8);
}

static void put_rows(
	struct gg_buf *to, const struct canvas *c, const struct gg_plot_look *look, bool coloured)
{
	for (unsigned row = 0; row < c->rows; row++) {
		unsigned now = 0;
		put_label(to, c, row, look->plain);
		for (unsigned i = 0; i < c->columns; i++) {
			unsigned at = row * c->columns + i;
			if (coloured && c->cells[at] && c->owners[at] != now)
				put_colour(to, now = c->owners[at]);
			put_cell(to, c->cells[at], look->plain);
		}
		if (now)
			put_colour(to, 0);
		gg_buf_char(to, '\n');
	}
}

static void put_axis(struct gg_buf *to, const struct canvas *c, bool plain)
{
	char left[GG_TIME_TEXT], right[GG_TIME_TEXT];
	const char *corner = plain ? "+" : "┬", *line = plain ? "-" : "─";
	gg_when_short(left, c->from, 0);
	gg_when_short(right, c->to, c->from);
	gg_buf_printf(to, "%*s %s%s", LABEL, "", plain ? "+" : "└", corner);
	for (unsigned i = 2; i < c->columns; i++)
		gg_buf_str(to, gg_str(line));
	gg_buf_printf(to, "%s\n", corner);
	size_t used = strlen(left) + strlen(right), room = c->columns > used ? c->columns - used : 1;
	gg_buf_printf(to, "%*s  %s%*s%s\n", LABEL, "", left, (int)room, "", right);
}

/* In as many lines as it takes. */
static void put_legend(struct gg_buf *to, const struct gg_plot_series *s, size_t count,
	const struct gg_plot_look *look, unsigned columns)
{
	unsigned used = 0;
	for (unsigned i = 0; i < count; i++) {
		size_t len;
		unsigned width =
			gg_text_width(s[i].name, columns - 4, &len) + 3; /* with its line and a blank */
		bool fits = i && used + 3 + width <= columns;
		if (!fits)
			gg_buf_printf(to, "%s%*s", i ? "\n" : "", LABEL + 2, "");
		else
			gg_buf_str(to, GG_STR("   "));
		used = fits ? used + 3 + width : width;
		put_colour(to, i + 1);
		gg_buf_str(to, look->plain ? GG_STR("--") : GG_STR("━━"));
		put_colour(to, 0);
		gg_buf_char(to, ' ');
		gg_text_clean(to, gg_str_n(s[i].name.p, len), false);
	}
	gg_buf_char(to, '\n');
}

int gg_plot_all(const struct gg_plot_series *series, size_t count, const struct gg_plot_look *look,
	struct gg_str title, struct gg_buf *to)
{
	struct canvas c = {0};
	count = count < GG_PLOT_SERIES ? count : GG_PLOT_SERIES;
	if (!find_range(series, count, &c))
		return -ENODATA;
	bool legend = look->colour && count > 1;
	unsigned width = look->width < NARROWEST ? NARROWEST : look->width;
	unsigned height = look->height < LOWEST ? LOWEST : look->height;
	c.columns = width - LABEL - 2;
	c.rows = height - 2 - (title.len > 0);
	c.cells = calloc(c.columns, 2UL * c.rows);
	if (!c.cells)
		return -ENOMEM;
	c.owners = c.cells + (size_t)c.columns * c.rows;
	for (size_t i = 0; i < count; i++) {
		c.drawing = (uint8_t)(i + 1);
		draw(&c, series[i].points, series[i].count);
	}
	if (title.len) {
		gg_buf_printf(to, "%*s ", LABEL + 1, "");
		gg_text_clean(to, title, false);
		gg_buf_char(to, '\n');
	}
	if (legend)
		put_legend(to, series, count, look, c.columns);
	put_rows(to, &c, look, legend);
	put_axis(to, &c, look->plain);
	free(c.cells);
	return 0;
}

int gg_plot(const struct gg_plot_point *points, size_t count, unsigned width, unsigned height,
	struct gg_str title, struct gg_buf *to)
{
	const struct gg_plot_series one = {GG_STR(""), points, count};
	const struct gg_plot_look look = {.width = width, .height = height, .plain = !gg_cli_utf8()};
	return gg_plot_all(&one, 1, &look, title, to);
}
