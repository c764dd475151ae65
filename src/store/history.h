/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The history: samples at rest, compressed, by signal and time. docs/internals/history.md tells how.
 *
 *   journal ── its own reader ─▶ open block per signal ── full, old or in the way ─▶ compressed row in
 * history.db
 *
 * It has a thread of its own, reads the journal like any follower would after a crash, and so needs no
 * recovery of its own: a cursor beside the rows says where to go on, and each signal knows up to which
 * position it is stored. What the journal holds can be asked for here within moments, closed or not.
 */
#ifndef GG_HISTORY_H
#define GG_HISTORY_H

#include "store/block.h"
#include "store/journal.h"

struct gg_history;
struct gg_history_reader;

/* Zero means the default in brackets. */
struct gg_history_options {
	const char *path;             /* of history.db */
	uint32_t block_samples;       /* [1024] */
	int64_t block_age_ns;         /* a block is closed after that [15 min] */
	uint64_t lag_bytes;           /* or when the journal has grown by that since it was begun [64 MiB] */
	uint64_t memory_bytes;        /* or when all open blocks take more [32 MiB] */
	int64_t flush_ns;             /* closed blocks are written that often, in one transaction [1 s] */
	uint64_t keep_bytes;          /* the oldest blocks go beyond that size of the file [1 GiB] */
	int64_t keep_ns;              /* and beyond that age, 0 = no limit by age */
	const struct gg_names *names; /* [the signal table] */
	const struct gg_clock *clock; /* [the system's] */
};

/* Errors: those of SQLite as -EIO, -ENOSPC, with a text. */
int gg_history_open(const struct gg_history_options *o, struct gg_history **ret_history, struct gg_error *e);
/* The highest journal position it has stored: for gg_journal_options.min_position. */
uint64_t gg_history_position(const struct gg_history *h);
/* Follows the journal, which is not started yet and outlives the history's thread. */
int gg_history_start(struct gg_history *h, struct gg_journal *j, struct gg_error *e);
/* Waits until it has read all that the journal has synced; blocks stay open. Thread: any. */
void gg_history_wait(struct gg_history *h);
/* Closes and stores all open blocks. Thread: any. Errors: -EIO. */
int gg_history_flush(struct gg_history *h);
/* What may change while it runs: keep_bytes and keep_ns. Thread: any. */
void gg_history_tune(struct gg_history *h, uint64_t keep_bytes, int64_t keep_ns);
/* Ends the thread; before gg_journal_close(). Open blocks are stored. Accepts NULL. */
void gg_history_stop(struct gg_history *h);
void gg_history_free(struct gg_history *h);

struct gg_history_stats {
	uint64_t samples, blocks, bytes; /* stored since the start; bytes of blocks */
	uint64_t open_samples, open_bytes;
	uint64_t lag_bytes; /* of the journal not read yet */
	uint64_t disk_bytes;
	uint64_t rows, removed; /* blocks: in the file, and removed by retention since the start */
	uint64_t failed;        /* transactions */
	uint64_t unknown;       /* samples whose signal has no place here */
};

/* Thread: any. */
void gg_history_get_stats(struct gg_history *h, struct gg_history_stats *ret_stats);

/* ---- reading: one thread a reader, beside the writer ---- */

/* Errors: -EIO, -ENOMEM. The history must outlive it. */
int gg_history_reader_new(struct gg_history *h, struct gg_history_reader **ret_reader, struct gg_error *e);
/* Only what is in the file: for tools beside or without a running gateway. */
int gg_history_reader_open(const char *path, struct gg_history_reader **ret_reader, struct gg_error *e);
struct gg_history_reader *gg_history_reader_free(struct gg_history_reader *r);

/* Names of signals that have a history and match the pattern (gg_glob), in order. Stops when each() says
 * false. */
int gg_history_signals(struct gg_history_reader *r, struct gg_str pattern,
	bool (*each)(void *arg, struct gg_str name, struct gg_str unit, struct gg_str title), void *arg);

/*
 * Samples of one signal with from <= time <= to, by time; late ones in their place. text is a string's bytes.
 * Stops when each() says false. sample.signal is GG_NONE. Errors: -EIO; 0 also when the signal is unknown.
 */
int gg_history_scan(struct gg_history_reader *r, struct gg_str signal, int64_t from, int64_t to,
	bool (*each)(void *arg, const struct gg_sample *s, struct gg_str text), void *arg);

/* The same to be pulled. *ret_sample and *ret_text are valid until the next call. 1, 0 at the end, -EIO. One
 * cursor per reader at a time. */
int gg_history_seek(struct gg_history_reader *r, struct gg_str signal, int64_t from, int64_t to);
int gg_history_next(struct gg_history_reader *r, struct gg_sample *ret_sample, struct gg_str *ret_text);

/* Fills count buckets of equal width over [from, to): count, min, max, sum, first and last of the numbers
 * that are not bad. Blocks that lie in one bucket are not even read. */
int gg_history_chart(struct gg_history_reader *r, struct gg_str signal, int64_t from, int64_t to,
	struct gg_summary *buckets, size_t count);

#endif
