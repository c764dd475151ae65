/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CSV (RFC 4180, and what is called CSV in the field): one record at a time off the front of a text.
 *
 *   a,"b ""c"", d",e\r\n   ->   a | b "c", d | e
 *
 * Separators are any byte; a blank stands for a run of blanks (columns aligned by hand). Line ends are LF or
 * CRLF; a quoted field may hold both. Fields are views of the text, which is changed in place where quotes
 * are doubled: nothing is copied or allocated. Thread: pure functions.
 */
#ifndef GG_REPLAY_CSV_CODEC_H
#define GG_REPLAY_CSV_CODEC_H

#include "base/str.h"

struct gg_csv_field {
	struct gg_str text;
	bool quoted;
};

/*
 * The record at the start of the len bytes at text. last: no more bytes will follow, so that the end of the
 * text ends the record too. *ret_used is how many bytes it took, line end included; an empty line is a record
 * of no fields. Errors: -EAGAIN its end is not there yet, -E2BIG more than max fields, -EINVAL bytes after a
 * closing quote, or a quote that is never closed (*ret_used is set for both, so that one can go on behind).
 */
int gg_csv_record(char *text, size_t len, bool last, char separator, struct gg_csv_field *fields, size_t max,
	size_t *ret_count, size_t *ret_used);

/* The likeliest separator of a first line: the one of , ; tab | that comes most often, else a comma. */
char gg_csv_guess(struct gg_str line);

#endif
