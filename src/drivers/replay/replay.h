/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the replay driver; what is shared by its files.
 *
 *   file ── chunks ──▶ replay_read.c: rows (CSV, JSON lines) ──▶ replay.c: when is the row due?
 *                                                                   └─▶ replay_row.c: cells -> samples ->
 * batch Thread: the driver's loop.
 */
#ifndef GG_REPLAY_H
#define GG_REPLAY_H

#include "formats/decode.h"
#include "ganglion/driver.h"

enum { GG_REPLAY_COLUMNS = 1024, GG_REPLAY_LINE = 1 << 20, GG_REPLAY_DEVICES = 1000 };

enum gg_replay_format { GG_REPLAY_AUTO, GG_REPLAY_CSV, GG_REPLAY_JSON };
enum gg_replay_role {
	GG_ROLE_DATA,
	GG_ROLE_TIME,
	GG_ROLE_DEVICE,
	GG_ROLE_SIGNAL,
	GG_ROLE_VALUE,
	GG_ROLE_NONE
};

/* One signal that configuration names. */
struct gg_replay_signal {
	const char *name, *column, *unit, *title;
	int type; /* index in the choices: auto, float, int, bool, string */
	double scale, offset;
};

struct gg_replay_column {
	char *name;
	enum gg_replay_role role;
	const struct gg_replay_signal *signal; /* NULL: the column's name is the signal's */
};

struct gg_replay_cell {
	uint32_t column;
	struct gg_str text;
	bool quoted; /* was a string, whatever it looks like */
};

/* The row that was read last: views of the reader's buffer, valid until the next one is read. */
struct gg_replay_row {
	struct gg_replay_cell cells[GG_REPLAY_COLUMNS];
	size_t count;
};

/* A device the recording speaks of. */
struct gg_replay_source {
	struct gg_decoder decoder;
	uint32_t signals[GG_REPLAY_COLUMNS]; /* by column, GG_NONE until asked for */
	struct gg_replay_source *next;
};

/* Reads rows out of the files, one after another. */
struct gg_replay_reader {
	int fd;
	size_t file;
	char *buffer;
	size_t from, to, cap;
	bool ended;   /* no more bytes in this file */
	bool started; /* format and header of this file are known */
	enum gg_replay_format format;
	char separator;
	uint32_t order[GG_REPLAY_COLUMNS]; /* CSV: which column stands where */
	size_t order_count;
	struct gg_replay_column columns[GG_REPLAY_COLUMNS];
	size_t column_count;
	struct gg_map by_name;
	uint64_t line; /* for messages */
};

struct gg_replay {
	/* options */
	const char *file;
	struct gg_strings files;
	const char *device, *device_column, *signal_column, *value_column, *time, *time_format, *separator;
	struct gg_strings columns;
	struct gg_many signals; /* struct gg_replay_signal */
	int format;
	double speed;  /* 0 = as fast as it goes */
	int64_t every; /* ns */
	bool loop, header, decimal_comma;
	int shift;
	/* state */
	struct gg_host *host;
	struct gg_timer timer;
	struct gg_replay_reader reader;
	struct gg_replay_row *row;
	bool row_waits;      /* row holds one that is not due yet */
	int64_t row_time_ns; /* its recorded time */
	int64_t first_ns;    /* recorded time of the round's first row */
	int64_t latest_ns, step_ns;
	int64_t start_mono_ns, shift_ns;
	bool round_begun, over;
	uint64_t rows, bad, round_rows;
	struct gg_replay_source *sources;
	struct gg_map by_device;
	struct gg_replay_source *current;
	struct gg_batch *batch; /* being filled, for current */
	struct gg_batch *held;  /* refused for want of room; goes first */
	struct gg_counter *rows_total, *bad_total;
};

/* ---- replay_read.c ---- */

/* Names of the files, in order; NULL at the end. */
const char *gg_replay_file(const struct gg_replay *r, size_t i);
/* Opens the first file and reads its head. Errors: those of open(2), -EINVAL, with a text. */
int gg_replay_rewind(struct gg_replay *r, struct gg_error *e);
/* The next row into r->row: 1, 0 at the end of the last file, -EINVAL the row is wrong and has been passed
 * over, -EAGAIN more is to be read (call again, in another turn), or another error of read(2). */
int gg_replay_next(struct gg_replay *r);
void gg_replay_reader_done(struct gg_replay_reader *reader);

/* ---- replay_row.c ---- */

/* The row's recorded time. Errors: -EINVAL. */
int gg_replay_row_time(struct gg_replay *r, int64_t *ret_utc_ns);
/* The device it speaks of. Errors: -EINVAL, -EDQUOT, -ENOMEM. */
int gg_replay_row_source(struct gg_replay *r, struct gg_replay_source **ret_source);
/* Its cells as samples of that time into r->batch. Errors: -ENOMEM, -E2BIG. */
int gg_replay_row_take(struct gg_replay *r, int64_t time_ns);
void gg_replay_sources_done(struct gg_replay *r);
/* Errors: -EINVAL. text: a number since 1970, RFC 3339, or as format (strptime) says; NULL = by itself. */
int gg_replay_time(struct gg_str text, const char *format, int64_t *ret_utc_ns);

extern const struct gg_component gg_driver_replay;

#endif
