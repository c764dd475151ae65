/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table for people: columns as wide as what stands in them, cut with '…' where the terminal is narrower.
 * Cells hold what devices call themselves, so control bytes and broken UTF-8 are replaced before they reach a
 * terminal. Width is counted in columns of the terminal (wide East Asian characters take two, marks none).
 * Owner: whoever has the struct. Thread: its owner's.
 */
#ifndef GG_APP_TABLE_H
#define GG_APP_TABLE_H

#include "base/buf.h"

enum { GG_TABLE_COLUMNS = 64, GG_TABLE_BYTES = 256 << 20 };

struct gg_column {
	const char *title;
	bool right; /* numbers */
	bool keep;  /* never cut: ids that are copied */
};

struct gg_table_cell {
	size_t offset;
	uint32_t len, width;
};

struct gg_table {
	struct gg_column columns[GG_TABLE_COLUMNS];
	unsigned count;
	struct gg_buf text;
	struct gg_table_cell *cells;
	size_t cell_count, cell_cap;
	int error;
};

/* columns are copied; the titles are borrowed. */
void gg_table_init(struct gg_table *t, const struct gg_column *columns, unsigned count);
void gg_table_done(struct gg_table *t);
/* The next cell, row by row. */
void gg_table_cell(struct gg_table *t, struct gg_str text);
void gg_table_cellf(struct gg_table *t, const char *format, ...) GG_PRINTF(2, 3);
static inline size_t gg_table_rows(const struct gg_table *t)
{
	return t->count ? t->cell_count / t->count : 0;
}
/* width 0: as wide as it gets. bold: titles stand out, on terminals. */
void gg_table_write(const struct gg_table *t, unsigned width, bool bold, struct gg_buf *to);

/* ---- text on a terminal ---- */

/* How many columns it takes; stops at most of them and then says in *ret_len how many bytes that were
 * (ret_len may be NULL). */
unsigned gg_text_width(struct gg_str s, unsigned most, size_t *ret_len);
/* Adds s with what could move a terminal's cursor or colour replaced. lines: keep line ends. */
void gg_text_clean(struct gg_buf *to, struct gg_str s, bool lines);

#endif
