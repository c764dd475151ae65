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
 * A value that is not finite is a gap. Thread: pure function.
 */
#ifndef GG_APP_PLOT_H
#define GG_APP_PLOT_H

#include "base/buf.h"

struct gg_plot_point {
	int64_t time_ns;
	double value;
};

/* Points by time. width and height in characters, axes included. title may be "". Errors: -ENODATA no finite
 * value, -ENOMEM. */
int gg_plot(const struct gg_plot_point *points, size_t count, unsigned width, unsigned height,
	struct gg_str title, struct gg_buf *to);

#endif
