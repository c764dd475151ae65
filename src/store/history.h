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

/* Samples, and rollups over a second, a minute, an hour, a day. */
enum { GG_LEVELS = 5 };

/* How long what is kept of some signals: the first rule that matches a signal counts for it. */
struct gg_history_keep {
	const struct gg_str *select;  /* patterns of names */
	size_t select_count;          /* 0 = all */
	const struct gg_str *devices; /* NULL = any: ids */
	size_t device_count;
	int64_t age_ns[GG_LEVELS]; /* 0 = no limit by age */
};

/* Zero means the default in brackets. */
enum { GG_HISTORY_BYTES = 1 << 30 };

struct gg_history_options {
	const char *path;       /* of history.db */
	uint32_t block_samples; /* [1024] */
	int64_t block_age_ns;   /* a block is closed after that [15 min] */
	uint64_t lag_bytes;     /* or when the journal has grown by that since it was begun [64 MiB] */
	uint64_t memory_bytes;  /* or when all open blocks take more [32 MiB] */
	int64_t flush_ns;       /* closed blocks are written that often, in one transaction [1 s] */
	uint64_t keep_bytes;    /* the oldest blocks go beyond that size of the file [1 GiB] */
	int64_t keep_ns;        /* and beyond that age, 0 = no limit by age: for signals without a rule */
	const struct gg_history_keep *keep; /* rules; copied */
	size_t keep_count;
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
/* What may change while it runs: keep_bytes, keep_ns, keep. Thread: any. Errors: -ENOMEM. */
int gg_history_tune(struct gg_history *h, const struct gg_history_options *o);
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
	bool rolling;           /* there are rollups to be made that had no time yet */
	uint64_t twice;         /* samples that came again, the same in all: stored once */
};

/* Thread: any. */
void gg_history_get_stats(struct gg_history *h, struct gg_history_stats *ret_stats);

struct gg_history_deleted {
	uint64_t signals, samples; /* whose samples went; how many of those stored */
	uint64_t rollups;          /* rows of rollups that went or were made anew */
	bool clean; /* no file holds their bytes any more; false: a reader held the file for too long */
};

/*
 * Deletes samples and rollups of all signals that match one of the patterns, from <= time <= to, in memory
 * and in the file, where their bytes are overwritten. A step of a rollup whose samples are forgotten goes
 * whole when it touches the range. The journal is another matter: gg_journal_erase(). Thread: any; waits.
 * Errors: those of SQLite, -ESHUTDOWN.
 */
int gg_history_delete(struct gg_history *h, const struct gg_str *select, size_t select_count, int64_t from,
	int64_t to, struct gg_history_deleted *ret_deleted);

/* ---- reading: one thread a reader, beside the writer ---- */

/* Errors: -EIO, -ENOMEM. The history must outlive it. */
int gg_history_reader_new(struct gg_history *h, struct gg_history_reader **ret_reader, struct gg_error *e);
/* Only what is in the file: for tools beside or without a running gateway. */
int gg_history_reader_open(const char *path, struct gg_history_reader **ret_reader, struct gg_error *e);
struct gg_history_reader *gg_history_reader_free(struct gg_history_reader *r);

/* Blocks that were damaged and passed over. */
uint64_t gg_history_reader_damaged(const struct gg_history_reader *r);

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
 * that are not bad; from rollups where that will do (history_chart.c). */
int gg_history_chart(struct gg_history_reader *r, struct gg_str signal, int64_t from, int64_t to,
	struct gg_summary *buckets, size_t count);

#endif
