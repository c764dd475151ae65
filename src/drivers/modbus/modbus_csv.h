/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table as spreadsheets write it: rows of cells between commas, semicolons or tabs, with quotes around what
 * contains one (RFC 4180). It is taken apart in place: cells are strings inside the text, ended by NUL.
 * Thread: its owner's. Pure.
 */
#ifndef GG_MODBUS_CSV_H
#define GG_MODBUS_CSV_H

#include "base/error.h"
#include "base/str.h"

enum { GG_MODBUS_CSV_CELLS = 64 };

struct gg_modbus_cell {
	char *text;      /* blanks around it cut off; never NULL */
	unsigned column; /* of its first byte in its line, from 1 */
};

struct gg_modbus_csv {
	char *p, *end; /* *end is ours to write */
	char separator;
	unsigned line;    /* of the row that was read last, from 1 */
	unsigned at_line; /* where p stands */
	struct gg_modbus_cell cells[GG_MODBUS_CSV_CELLS];
	unsigned count;
};

/* text has len bytes and one more that may be written; it is changed and outlives the cells. The separator is
 * the one that stands most often in the first line. */
void gg_modbus_csv_init(struct gg_modbus_csv *c, char *text, size_t len);
/* The next row that has anything in it. 1, 0 at the end. Errors: -EINVAL with a text that begins with
 * line:column. */
int gg_modbus_csv_next(struct gg_modbus_csv *c, struct gg_error *e);

#endif
