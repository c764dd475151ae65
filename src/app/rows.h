/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A result of rows and columns, wherever it came from, and the forms it can be shown in: a table, JSON
 * objects, CSV (RFC 4180), or charts. Owner: whoever has the struct.
 */
#ifndef GG_APP_ROWS_H
#define GG_APP_ROWS_H

#include "app/cli.h"
#include "app/node.h"

enum gg_cell_type { GG_CELL_NULL, GG_CELL_NUMBER, GG_CELL_TEXT };

struct gg_cell {
	enum gg_cell_type type;
	size_t offset;
	uint32_t len;
};

struct gg_rows {
	struct gg_buf text; /* of all cells, and the columns' names first */
	struct gg_cell *cells;
	size_t cell_count, cell_cap;
	unsigned columns; /* the first row of cells are their names */
	int error;
};

void gg_rows_init(struct gg_rows *r);
void gg_rows_done(struct gg_rows *r);
/* The names first, all of them; then the cells row by row. */
void gg_rows_column(struct gg_rows *r, struct gg_str name);
void gg_rows_cell(struct gg_rows *r, enum gg_cell_type type, struct gg_str text);
size_t gg_rows_count(const struct gg_rows *r);
struct gg_str gg_rows_name(const struct gg_rows *r, unsigned column);
struct gg_str gg_rows_text(const struct gg_rows *r, size_t row, unsigned column, enum gg_cell_type *ret_type);

struct gg_map;
/* Adds a column whose cells are found by those of another: by_key gives the row of `from`, plus one, whose
 * second column it is. */
void gg_rows_add_column(struct gg_rows *r, const char *name, unsigned key, const struct gg_map *by_key,
	const struct gg_rows *from);

void gg_rows_table(const struct gg_rows *r, struct gg_buf *to);
void gg_rows_json(const struct gg_rows *r, struct gg_buf *to);
void gg_rows_csv(const struct gg_rows *r, struct gg_buf *to);
/* A chart of each numeric column over the first column of times, one for each signal when there is a column
 * of that name. Errors: -EINVAL there are no times or no numbers. */
int gg_rows_plot(const struct gg_rows *r, struct gg_buf *to);

#endif
