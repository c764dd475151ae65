/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file that is appended to and changed for a new one when it has grown: name, name.1 (the one before),
 * name.2 ... It lies in a folder that the name can't lead out of. Blocks on the disk. Thread: its owner's.
 */
#ifndef GG_FORMATS_LINE_FILE_H
#define GG_FORMATS_LINE_FILE_H

#include "base/str.h"

struct gg_line_file {
	const char
		*name; /* borrowed; this and the next three are set by the owner, the rest is 0 and fd -1 */
	uint64_t size; /* of a file, before a new one begins; 0 = no limit */
	uint64_t keep; /* how many old ones */
	bool sync;     /* are bytes on the disk when the call returns? */
	int folder, fd;
	uint64_t at;
};

/* A plain name: letters, digits, '.', '_', '-', not beginning with '.', 200 bytes at most. */
bool gg_line_file_name_ok(struct gg_str name);
/* Makes the folder when it is not there, and opens the file. A line that a crash tore is ended first. Errors:
 * of mkdir, open; -ELOOP the name is a link. */
int gg_line_file_open(struct gg_line_file *f, const char *folder);
/* How much may be added at once without a larger file than wished. */
static inline uint64_t gg_line_file_left(const struct gg_line_file *f)
{
	return f->at < f->size ? f->size - f->at : f->size;
}
/* Appends whole or not at all: what a full disk took is taken back. Errors: of write, fdatasync. */
int gg_line_file_add(struct gg_line_file *f, struct gg_str bytes);
void gg_line_file_close(struct gg_line_file *f);

#endif
