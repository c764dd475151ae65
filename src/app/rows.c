/* SPDX-License-Identifier: Apache-2.0 */
#include "app/rows.h"
#include "app/table.h"
#include "base/map.h"
#include "gateway/query_text.h"

enum { TEXT_MAX = 1 << 30 };

void gg_rows_init(struct gg_rows *r)
{
	*r = (struct gg_rows){.text = GG_BUF(TEXT_MAX)};
}

void gg_rows_done(struct gg_rows *r)
{
	gg_buf_done(&r->text);
	free(r->cells);
	*r = (struct gg_rows){0};
}

void gg_rows_cell(struct gg_rows *r, enum gg_cell_type type, struct gg_str text)
{
	if (r->cell_count == r->cell_cap) {
		size_t cap = r->cell_cap ? r->cell_cap * 2 : 1024;
		struct gg_cell *cells = realloc(r->cells, cap * sizeof *cells);
		if (!cells) {
			r->error = -ENOMEM;
			return;
		}
		r->cells = cells;
		r->cell_cap = cap;
	}
	r->cells[r->cell_count++] = (struct gg_cell){type, r->text.len, (uint32_t)text.len};
	gg_buf_str(&r->text, text);
	if (r->text.error)
		r->error = r->text.error;
}

void gg_rows_column(struct gg_rows *r, struct gg_str name)
{
	gg_rows_cell(r, GG_CELL_TEXT, name);
	r->columns++;
}

size_t gg_rows_count(const struct gg_rows *r)
{
	return r->columns ? r->cell_count / r->columns - 1 : 0;
}

static struct gg_str text_at(const struct gg_rows *r, size_t i)
{
	const struct gg_cell *c = &r->cells[i];
	return c->len ? gg_str_n(r->text.p + c->offset, c->len) : GG_STR("");
}

struct gg_str gg_rows_name(const struct gg_rows *r, unsigned column)
{
	return text_at(r, column);
}

struct gg_str gg_rows_text(const struct gg_rows *r, size_t row, unsigned column, enum gg_cell_type *ret_type)
{
	size_t i = (row + 1) * r->columns + column;
	*ret_type = r->cells[i].type;
	return text_at(r, i);
}

void gg_rows_add_column(struct gg_rows *r, const char *name, unsigned key, const struct gg_map *by_key,
	const struct gg_rows *from)
{
	struct gg_rows wider;
	enum gg_cell_type type;
	gg_rows_init(&wider);
	for (unsigned i = 0; i < r->columns; i++)
		gg_rows_column(&wider, gg_rows_name(r, i));
	gg_rows_column(&wider, gg_str(name));
	for (size_t row = 0; row < gg_rows_count(r); row++) {
		for (unsigned i = 0; i < r->columns; i++) {
			struct gg_str text = gg_rows_text(r, row, i, &type);
			gg_rows_cell(&wider, type, text);
		}
		uint64_t at = gg_map_get(by_key, gg_rows_text(r, row, key, &type), 0);
		struct gg_str text = at ? gg_rows_text(from, at - 1, 1, &type) : GG_STR("");
		gg_rows_cell(&wider, at ? type : GG_CELL_NULL, text);
	}
	wider.error = wider.error ? wider.error : r->error;
	gg_rows_done(r);
	*r = wider;
}

/* ---- a table ---- */

static bool all_numbers(const struct gg_rows *r, unsigned column)
{
	enum gg_cell_type type;
	for (size_t row = 0; row < gg_rows_count(r); row++) {
		gg_rows_text(r, row, column, &type);
		if (type == GG_CELL_TEXT)
			return false;
	}
	return true;
}

/* "2026-03-01T12:00:00.250000000Z" loses the zeros that say nothing. */
static struct gg_str shorter(struct gg_str s, char to[32])
{
	if (s.len != 30 || s.p[10] != 'T' || s.p[19] != '.' || s.p[29] != 'Z')
		return s;
	size_t n = 29;
	while (s.p[n - 1] == '0')
		n--;
	if (s.p[n - 1] == '.')
		n--;
	memcpy(to, s.p, n);
	to[n] = 'Z';
	return gg_str_n(to, n + 1);
}

void gg_rows_table(const struct gg_rows *r, struct gg_buf *to)
{
	struct gg_column columns[GG_TABLE_COLUMNS] = {0};
	char names[GG_TABLE_COLUMNS][64], time[32];
	unsigned count = r->columns < GG_TABLE_COLUMNS ? r->columns : GG_TABLE_COLUMNS;
	struct gg_table t;
	for (unsigned i = 0; i < count; i++) {
		struct gg_buf name GG_CLEANUP(gg_buf_done) = GG_BUF(4096);
		gg_text_clean(&name, gg_rows_name(r, i), false);
		gg_str_copy(names[i], sizeof names[i], gg_buf_view(&name));
		columns[i] = (struct gg_column){.title = names[i], .right = all_numbers(r, i)};
	}
	gg_table_init(&t, columns, count);
	for (size_t row = 0; row < gg_rows_count(r); row++) {
		for (unsigned i = 0; i < count; i++) {
			enum gg_cell_type type;
			struct gg_str text = gg_rows_text(r, row, i, &type);
			gg_table_cell(&t, shorter(text, time));
		}
	}
	gg_table_write(&t, gg_cli_table_width(), gg_cli_colour(), to);
	gg_table_done(&t);
}

/* ---- JSON and CSV ---- */

void gg_rows_json(const struct gg_rows *r, struct gg_buf *to)
{
	struct gg_json_writer w = gg_json_writer(to);
	gg_json_begin_array(&w);
	for (size_t row = 0; row < gg_rows_count(r); row++) {
		gg_json_begin_object(&w);
		for (unsigned i = 0; i < r->columns; i++) {
			enum gg_cell_type type;
			struct gg_str text = gg_rows_text(r, row, i, &type);
			gg_json_key(&w, gg_rows_name(r, i));
			if (type == GG_CELL_NULL)
				gg_json_null(&w);
			else if (type == GG_CELL_NUMBER)
				gg_json_raw(&w, text);
			else
				gg_json_string(&w, text);
		}
		gg_json_end_object(&w);
	}
	gg_json_end_array(&w);
	gg_buf_char(to, '\n');
}

void gg_rows_csv(const struct gg_rows *r, struct gg_buf *to)
{
	for (size_t i = 0; i < r->cell_count; i++) {
		gg_csv_put(to, text_at(r, i));
		gg_buf_char(to, (i + 1) % r->columns ? ',' : '\n');
	}
}
