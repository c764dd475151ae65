/* SPDX-License-Identifier: Apache-2.0 */
#include "app/table.h"
#include "app/cli.h"

#include <stdarg.h>

enum { GAP = 2, NARROWEST = 6, CELL_MAX = 1 << 20 };

void gg_table_init(struct gg_table *t, const struct gg_column *columns, unsigned count)
{
	*t = (struct gg_table){.text = GG_BUF(GG_TABLE_BYTES)};
	t->count = count < GG_TABLE_COLUMNS ? count : GG_TABLE_COLUMNS;
	memcpy(t->columns, columns, t->count * sizeof *columns);
}

void gg_table_done(struct gg_table *t)
{
	gg_buf_done(&t->text);
	free(t->cells);
	*t = (struct gg_table){0};
}

static struct gg_table_cell *add_cell(struct gg_table *t)
{
	if (t->cell_count == t->cell_cap) {
		size_t cap = t->cell_cap ? t->cell_cap * 2 : 256;
		struct gg_table_cell *cells = realloc(t->cells, cap * sizeof *cells);
		if (!cells) {
			t->error = -ENOMEM;
			return NULL;
		}
		t->cells = cells;
		t->cell_cap = cap;
	}
	return &t->cells[t->cell_count++];
}

void gg_table_cell(struct gg_table *t, struct gg_str text)
{
	size_t offset = t->text.len;
	struct gg_table_cell *c = add_cell(t);
	if (!c)
		return;
	text.len = gg_min_size(text.len, CELL_MAX);
	gg_text_clean(&t->text, text, /* lines= */ false);
	if (t->text.error)
		t->error = t->text.error;
	size_t len = t->text.len - offset;
	*c = (struct gg_table_cell){offset, (uint32_t)len,
		gg_text_width(gg_str_n(t->text.p ? t->text.p + offset : "", len), UINT32_MAX / 2, NULL)};
}

void gg_table_cellf(struct gg_table *t, const char *format, ...)
{
	char text[1024];
	va_list list;
	va_start(list, format);
	vsnprintf(text, sizeof text, format, list);
	va_end(list);
	gg_table_cell(t, gg_str(text));
}

/* ---- layout ---- */

static unsigned title_width(const struct gg_table *t, unsigned column)
{
	return gg_text_width(gg_str(t->columns[column].title), UINT32_MAX / 2, NULL);
}

static unsigned natural(const struct gg_table *t, unsigned *widths)
{
	unsigned sum = t->count ? (t->count - 1) * GAP : 0;
	for (unsigned i = 0; i < t->count; i++) {
		widths[i] = title_width(t, i);
		for (size_t c = i; c < t->cell_count; c += t->count)
			widths[i] = t->cells[c].width > widths[i] ? t->cells[c].width : widths[i];
		sum += widths[i];
	}
	return sum;
}

/* The widest that may give way, or count. */
static unsigned widest(const struct gg_table *t, const unsigned *widths, bool also_kept)
{
	unsigned best = t->count;
	for (unsigned i = 0; i < t->count; i++) {
		if (widths[i] <= NARROWEST || (t->columns[i].keep && !also_kept))
			continue;
		if (best == t->count || widths[i] > widths[best])
			best = i;
	}
	return best;
}

static void fit(const struct gg_table *t, unsigned width, unsigned *widths)
{
	unsigned sum = natural(t, widths);
	while (width && sum > width) {
		unsigned i = widest(t, widths, false);
		if (i == t->count)
			i = widest(t, widths, true);
		if (i == t->count)
			return; /* so narrow that nothing helps */
		widths[i]--;
		sum--;
	}
}

static void put_blanks(struct gg_buf *to, unsigned n)
{
	while (n-- > 0)
		gg_buf_char(to, ' ');
}

static void put_cell(
	const struct gg_table *t, unsigned column, struct gg_str s, unsigned width, struct gg_buf *to)
{
	unsigned is = gg_text_width(s, UINT32_MAX / 2, NULL);
	bool cut = is > width, last = column + 1 == t->count;
	size_t len = s.len;
	if (cut)
		is = gg_text_width(s, width - 1, &len) + 1;
	if (t->columns[column].right)
		put_blanks(to, width - is);
	gg_buf_add(to, s.p, len);
	if (cut)
		gg_buf_str(to, gg_cli_utf8() ? GG_STR("…") : GG_STR("~"));
	if (!t->columns[column].right && !last)
		put_blanks(to, width - is);
	if (!last)
		put_blanks(to, GAP);
}

static void put_titles(const struct gg_table *t, const unsigned *widths, bool bold, struct gg_buf *to)
{
	if (bold)
		gg_buf_str(to, GG_STR("\x1b[1m"));
	for (unsigned i = 0; i < t->count; i++)
		put_cell(t, i, gg_str(t->columns[i].title), widths[i], to);
	gg_buf_str(to, bold ? GG_STR("\x1b[0m\n") : GG_STR("\n"));
}

void gg_table_write(const struct gg_table *t, unsigned width, bool bold, struct gg_buf *to)
{
	unsigned widths[GG_TABLE_COLUMNS];
	fit(t, width, widths);
	put_titles(t, widths, bold, to);
	for (size_t c = 0; c < t->cell_count; c++) {
		unsigned column = (unsigned)(c % t->count);
		struct gg_str s = gg_str_n(t->text.p ? t->text.p + t->cells[c].offset : "", t->cells[c].len);
		put_cell(t, column, s, widths[column], to);
		if (column + 1 == t->count)
			gg_buf_char(to, '\n');
	}
}
