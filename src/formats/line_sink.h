/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines to a file, off the loop: what comes while the disk is at work gathers and is written with one call.
 *
 *   put ─▶ waiting ─▶ (job of a worker: open, write, sync) ─▶ done(cookie, status) on the instance's loop
 *
 * One job at a time, so the order is kept. Thread: put and done the loop's of the instance (gg_host_loop()).
 */
#ifndef GG_FORMATS_LINE_SINK_H
#define GG_FORMATS_LINE_SINK_H

#include "base/buf.h"
#include "formats/line_file.h"
#include "ganglion/option.h"

struct gg_host;

/* What a file's owner can say; a component has it as its member `file`. */
struct gg_line_options {
	const char *name;
	uint64_t size, keep;
	bool sync;
};

enum { GG_LINES_PENDING = 8 << 20, GG_LINES_JOB = 4096 };

struct gg_line_entry {
	uint64_t cookie;
	size_t end; /* of its bytes */
};

struct gg_line_list {
	struct gg_buf bytes, entries; /* entries: of struct gg_line_entry, one for each put */
};

struct gg_line_sink {
	struct gg_host *host;
	void (*done)(void *arg, uint64_t cookie, int status);
	void *arg;
	struct gg_line_file file;
	char *folder;
	struct gg_line_list waiting, writing;
	_Atomic bool busy;    /* jobs are under way, or the answer of the last is */
	_Atomic bool written; /* the worker is through with the job */
	_Atomic bool ending;  /* no further ones */
	int status;           /* of the job */
};

/* The files' folder is `files` in the data folder. Errors: -EINVAL with a text, -ENOMEM. */
int gg_line_sink_init(struct gg_line_sink *s, const struct gg_line_options *o, struct gg_host *host,
	void (*done)(void *arg, uint64_t cookie, int status), void *arg, struct gg_error *e);
/* Errors: -EAGAIN too much waits, -E2BIG. */
int gg_line_sink_put(struct gg_line_sink *s, struct gg_str bytes, bool end_line, uint64_t cookie);
/* Waits until all is written; after 5 s only for the job under way, which nothing can take back. Thread:
 * control, while the loop runs. */
void gg_line_sink_stop(struct gg_line_sink *s);
/* What waits is answered with -ESHUTDOWN. */
void gg_line_sink_done(struct gg_line_sink *s);

#endif
