/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A chart in the terminal, drawn with braille dots (two by four a character):
 *
 *   82.4 ┤        ⢀⡠⠔⠒⠢⡀
 *        │  ⣀⠤⠒⠉⠁      ⠈⢆
 *   61.0 ┤⠊⠁              ⠑⠤⠤
 *        └┬──────────────────┬
 *         12:00:00     12:05:00
 *
 * Several series share a chart and its axes, each in a colour of its own. A terminal without UTF-8 gets a
 * coarser picture of plain characters. A value that is not finite is a gap. Thread: pure functions.
 */
#ifndef GG_APP_PLOT_H
#define GG_APP_PLOT_H

#include "base/buf.h"

struct gg_plot_point {
	int64_t time_ns;
	double value;
};

struct gg_plot_series {
	struct gg_str name;                 /* in the legend */
	const struct gg_plot_point *points; /* by time */
	size_t count;
};

enum { GG_PLOT_SERIES = 6 };

struct gg_plot_look {
	unsigned width, height; /* in characters, axes and legend included */
	bool plain;             /* no UTF-8 */
	bool colour;            /* else several series can't be told from each other */
};

/* At most GG_PLOT_SERIES are drawn. title may be "". Errors: -ENODATA no finite value, -ENOMEM. */
int gg_plot_all(const struct gg_plot_series *series, size_t count, const struct gg_plot_look *look,
	struct gg_str title, struct gg_buf *to);

/* Points by time. width and height in characters, axes included. title may be "". Errors: -ENODATA no finite
 * value, -ENOMEM. */
int gg_plot(const struct gg_plot_point *points, size_t count, unsigned width, unsigned height,
	struct gg_str title, struct gg_buf *to);

#endif
