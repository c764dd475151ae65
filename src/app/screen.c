/* SPDX-License-Identifier: Apache-2.0 */
/* The terminal: its size, a line of progress, and pictures that are drawn over. */
#include "app/cli.h"
#include "base/clock.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

static bool progress_shown;
static int64_t progress_ns;

bool gg_cli_colour(void)
{
	const char *term = getenv("TERM");
	return isatty(STDOUT_FILENO) && !getenv("NO_COLOR") && term && strcmp(term, "dumb") != 0;
}

bool gg_cli_utf8(void)
{
	static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
	for (size_t i = 0; i < GG_COUNT(names); i++) {
		const char *value = getenv(names[i]);
		if (value && *value)
			return !isatty(STDOUT_FILENO) || strcasestr(value, "utf-8") ||
			       strcasestr(value, "utf8");
	}
	return true;
}

unsigned gg_cli_width(void)
{
	struct winsize size;
	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 100;
}

unsigned gg_cli_table_width(void)
{
	return isatty(STDOUT_FILENO) ? gg_cli_width() : 0;
}

void gg_cli_progress(const struct gg_args *args, const char *what, uint64_t done, uint64_t total)
{
	int64_t now = gg_clock_monotonic(&gg_clock_system);
	if (args->quiet || !isatty(STDERR_FILENO) || now - progress_ns < GG_NS_PER_S / 10)
		return;
	progress_ns = now;
	progress_shown = true;
	if (total)
		fprintf(stderr, "\r\x1b[K%s: %.0f %%", what, 100.0 * (double)done / (double)total);
	else
		fprintf(stderr, "\r\x1b[K%s: %llu", what, (unsigned long long)done);
	fflush(stderr);
}

void gg_cli_progress_end(void)
{
	if (progress_shown)
		fputs("\r\x1b[K", stderr);
	progress_shown = false;
}

static unsigned height(void)
{
	struct winsize size;
	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 4 ? size.ws_row : 40;
}

/* No more lines than the terminal has, each wiped behind its end, and what is left of the old picture. */
static void draw_over(const struct gg_buf *picture)
{
	struct gg_str rest = gg_buf_view(picture);
	fputs("\x1b[H", stdout);
	for (unsigned line = 1; rest.len && line < height(); line++) {
		struct gg_str text = gg_str_cut(&rest, '\n');
		printf("%.*s\x1b[K\n", GG_STR_ARG(text));
	}
	fputs("\x1b[J", stdout);
}

int gg_cli_watch(double seconds, int (*draw)(void *arg, struct gg_buf *to), void *arg)
{
	struct gg_buf picture GG_CLEANUP(gg_buf_done) = GG_BUF(64 << 20);
	bool terminal = gg_cli_colour();
	if (terminal)
		fputs("\x1b[2J", stdout);
	for (;;) {
		gg_buf_clear(&picture);
		int rc = draw(arg, &picture);
		if (rc)
			return rc;
		if (terminal)
			draw_over(&picture);
		else
			fputs(gg_buf_text(&picture), stdout);
		if (fflush(stdout) != 0)
			return 0; /* whoever read has gone */
		poll(NULL, 0, (int)(seconds * 1000));
	}
}
