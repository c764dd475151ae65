/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/modbus/modbus_csv.h"

#include <ctype.h>

static char find_separator(const char *p, const char *end)
{
	static const char separators[] = {',', ';', '\t'};
	size_t best = 0, most = 0;
	for (size_t i = 0; i < sizeof separators; i++) {
		size_t n = 0;
		bool quoted = false;
		for (const char *c = p; c < end && *c != '\n'; c++) {
			quoted ^= *c == '"';
			n += !quoted && *c == separators[i];
		}
		if (n > most) {
			most = n;
			best = i;
		}
	}
	return separators[best];
}

void gg_modbus_csv_init(struct gg_modbus_csv *c, char *text, size_t len)
{
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		text += 3;
		len -= 3;
	}
	*c = (struct gg_modbus_csv){.p = text, .end = text + len, .at_line = 1};
	*c->end = '\0';
	c->separator = find_separator(text, c->end);
}

static char *cut_blanks(char *from, char *to)
{
	while (from < to && (*from == ' ' || *from == '\t'))
		from++;
	while (to > from && isspace((unsigned char)to[-1]))
		to--;
	*to = '\0';
	return from;
}

/* Behind the opening quote. Two quotes in it are one. Returns where it goes on, NULL: it has no end. */
static char *read_quoted(struct gg_modbus_csv *c, char *p, struct gg_modbus_cell *cell)
{
	char *to = p;
	cell->text = p;
	for (; p < c->end; p++) {
		if (*p == '"' && (p + 1 == c->end || p[1] != '"')) {
			*to = '\0';
			return p + 1;
		}
		c->at_line += *p == '\n';
		p += *p == '"';
		*to++ = *p;
	}
	return NULL;
}

static bool at_end_of_cell(const struct gg_modbus_csv *c, const char *p)
{
	return p == c->end || *p == c->separator || *p == '\n' ||
	       (*p == '\r' && (p + 1 == c->end || p[1] == '\n'));
}

static int read_cell(
	struct gg_modbus_csv *c, const char *row, struct gg_modbus_cell *cell, struct gg_error *e)
{
	char *p = c->p;
	while (p < c->end && *p == ' ')
		p++;
	cell->column = (unsigned)(p - row) + 1;
	if (p < c->end && *p == '"') {
		unsigned line = c->at_line;
		p = read_quoted(c, p + 1, cell);
		if (!p)
			return gg_error_set(e, -EINVAL, "%u:%u: the quote that begins here has no end", line,
				cell->column);
		while (p < c->end && *p == ' ')
			p++;
		if (!at_end_of_cell(c, p))
			return gg_error_set(e, -EINVAL,
				"%u:%u: behind the closing quote the next cell was expected", c->at_line,
				cell->column);
		c->p = p;
		return 0;
	}
	char *from = p;
	while (!at_end_of_cell(c, p))
		p++;
	c->p = p;
	cell->text = from;
	return 0;
}

/* Ends the cell with a NUL, which may stand where the separator was: so what follows was looked at before.
 * Returns whether the row goes on. */
static bool end_cell(struct gg_modbus_csv *c, struct gg_modbus_cell *cell)
{
	char *p = c->p;
	bool more = p < c->end && *p == c->separator;
	if (p < c->end && *p == '\r')
		*p++ = '\0';
	if (p < c->end) {
		c->at_line += *p == '\n';
		*p++ = '\0';
	}
	c->p = p;
	cell->text = cut_blanks(cell->text, cell->text + strlen(cell->text));
	return more;
}

static bool is_blank(const struct gg_modbus_csv *c)
{
	for (unsigned i = 0; i < c->count; i++)
		if (c->cells[i].text[0])
			return false;
	return true;
}

int gg_modbus_csv_next(struct gg_modbus_csv *c, struct gg_error *e)
{
	do {
		if (c->p == c->end)
			return 0;
		const char *row = c->p;
		bool more = true;
		c->line = c->at_line;
		c->count = 0;
		while (more) {
			if (c->count == GG_MODBUS_CSV_CELLS)
				return gg_error_set(e, -EINVAL, "%u:%u: more than %d columns", c->line,
					(unsigned)(c->p - row) + 1, GG_MODBUS_CSV_CELLS);
			struct gg_modbus_cell *cell = &c->cells[c->count++];
			int r = read_cell(c, row, cell, e);
			if (r != 0)
				return r;
			more = end_cell(c, cell);
		}
	} while (is_blank(c));
	return 1;
}
