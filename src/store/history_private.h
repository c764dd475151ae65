/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the history share among themselves. */
#ifndef GG_HISTORY_PRIVATE_H
#define GG_HISTORY_PRIVATE_H

#include "store/history.h"
#include "store/history_rollup.h"
#include "store/sql.h"

#include <pthread.h>
#include <stdatomic.h>

/* A block that is filled, or waits to be stored. */
struct gg_open_block {
	struct gg_open_block *next; /* closed ones of the signal, oldest first */
	struct gg_block block;
	uint64_t first_position, last_position;
	int64_t since; /* monotonic */
};

/* How far a signal's rollups are; in its row. Levels count from 1. */
struct gg_roll_state {
	int64_t newest;            /* sample stored; INT64_MIN = none */
	int64_t raw_from;          /* before that samples have been forgotten */
	int64_t todo[GG_LEVELS];   /* rollups may be lacking from there on; INT64_MAX = nowhere */
	int64_t rolled[GG_LEVELS]; /* where the last rollup ends */
};

struct gg_history_signal {
	uint32_t index;
	int64_t id;             /* row, 0 = none yet */
	uint64_t last_position; /* all up to this record is in closed blocks */
	int64_t max_span;       /* of its stored blocks, ns */
	struct gg_open_block *open, *late;
	struct gg_open_block *closed; /* until their transaction is through */

	/* the thread's own */
	struct gg_roll_state state, fresh; /* as stored; as it will be after the transaction */
	bool roll;                         /* there may be something to roll up */
	int64_t roll_at;                   /* not before: late data are coming */
};

/* Somebody's wish to delete, done by the thread. */
struct gg_history_wish {
	struct gg_history_wish *next;
	const struct gg_str *select;
	size_t select_count;
	int64_t from, to;
	struct gg_history_deleted result;
	int status;
	bool done;
};

struct gg_history {
	struct gg_history_options o;
	char *path;
	sqlite3 *db; /* the history thread's */
	sqlite3_stmt *insert_block, *insert_signal, *update_signal, *find_signal, *update_cursor;
	sqlite3_stmt *insert_rollup, *find_rollups, *next_block;
	struct gg_journal *journal;
	struct gg_journal_reader *reader;
	pthread_t thread;
	bool started;

	/* To sleep and be woken. Apart from the lock, so that the journal's thread, which acknowledges, never
	 * waits for this one, which stands back. */
	pthread_mutex_t bed; /* guards nudged */
	pthread_cond_t wake; /* the journal has grown, or somebody asks for something */
	bool nudged;

	pthread_mutex_t lock; /* guards the signals' blocks, stats, wishes and the flags */
	pthread_cond_t idle;  /* read_to or flushes has grown, a wish is done */
	bool stop;
	_Atomic uint64_t head, read_to; /* journal positions: there is; has been read */
	uint64_t flush_wanted, flushes; /* numbers of requests and of those done */
	int flush_status;
	struct gg_history_wish *wishes;
	struct gg_history_signal **signals; /* by index in the table */
	uint32_t signals_cap;
	struct gg_history_options fresh; /* with rules: for the thread to take over */
	struct gg_history_stats stats;

	/* the thread's own */
	uint64_t cursor, stored_cursor, position;
	int64_t next_flush, next_cursor;
	struct gg_buf packed;
	struct gg_block_coder *coder;
	struct gg_history_reader *inner; /* of what is stored, for rollups */
	struct gg_rollup rollup;
	uint64_t rollup_bytes;        /* about, in the file */
	int64_t retain_id, retain_at; /* the signal whose age is looked at next; not before */
};

/* history_store.c: all on the history's thread, or before it starts. */
int gg_history_prepare(struct gg_history *h, struct gg_error *e);
void gg_history_finalize(struct gg_history *h);
/* What a row of blocks says of its samples, into a statement from parameter `at` on, and the block itself. */
void gg_history_bind_block(sqlite3_stmt *q, int at, const struct gg_summary *sum, struct gg_str packed);
/* Loads the signal's row data (id, last position). */
int gg_history_load_signal(struct gg_history *h, struct gg_history_signal *s);
/* Closes what is due (all = everything), stores it in one transaction with the cursor, drops old rows. */
int gg_history_store(struct gg_history *h, bool all);
/* Moves the signal's open blocks to its closed ones. Under the lock. */
void gg_history_close_blocks(struct gg_history_signal *s);
uint64_t gg_history_number(sqlite3 *db, const char *sql);
/* The signal with this row, from memory, or loaded into spare; NULL when it can't be read. */
struct gg_history_signal *gg_history_by_id(struct gg_history *h, int64_t id, struct gg_history_signal *spare);
int gg_history_save_state(struct gg_history *h, const struct gg_history_signal *s);

/* history_roll.c: rollups of one signal, within the caller's transaction. */
extern const int64_t gg_level_width[GG_LEVELS], gg_level_span[GG_LEVELS];
/* Rounds down to a multiple. */
int64_t gg_history_floor(int64_t time, int64_t step);
/* A block is being stored: rollups it makes wrong go, or take it in where the samples below are gone. */
int gg_history_note_block(struct gg_history *h, struct gg_history_signal *s, const struct gg_block *b);
/* Rolls up what is complete, for some 50 ms. In transactions of its own. */
int gg_history_roll(struct gg_history *h);
/* Makes the rollups of [from, to) although they are not complete: the samples are about to go. */
int gg_history_roll_before(struct gg_history *h, struct gg_history_signal *s, int64_t from, int64_t to,
	const bool levels[GG_LEVELS]);

/* history_retain.c */
void gg_history_retain(struct gg_history *h);
uint64_t gg_history_file_bytes(struct gg_history *h);
/* Gives all free pages back to the file system. */
void gg_history_shrink(struct gg_history *h, unsigned pages);
/* Samples of one signal before a time go; what is summed up stays as the rule says. */
int gg_history_drop_raw(struct gg_history *h, struct gg_history_signal *s, int64_t before,
	const struct gg_history_keep *keep, bool for_room);
/* The thread looks at what it is asked for. */
void gg_history_nudge(struct gg_history *h);
/* Makes the rules its own, and adds the one for all signals that have none. Errors: -ENOMEM. */
int gg_history_copy_rules(struct gg_history_options *o);
void gg_history_free_rules(struct gg_history_options *o);
/* Rules given since the last time are in force from here on. */
void gg_history_take_rules(struct gg_history *h);
/* Sizes for the stats; removed: blocks that retention has just deleted. */
void gg_history_measure(struct gg_history *h, uint64_t removed);
const struct gg_history_keep *gg_history_rule(const struct gg_history *h, struct gg_str name);

/* history_delete.c: on the thread. */
void gg_history_grant(struct gg_history *h, struct gg_history_wish *w);

/* ---- reading ---- */

enum { GG_SOURCES = 64, GG_TWINS = 16 };

/* A run of samples that is merged with others. */
struct gg_source {
	struct gg_block own;
	const struct gg_block *block; /* own, or the reader's copy of memory */
	uint32_t at, end;
};

struct gg_history_reader {
	struct gg_history *history; /* NULL = only the file */
	sqlite3 *db;
	sqlite3_stmt *find, *blocks, *summaries, *names, *rollups[GG_LEVELS];
	struct gg_block_coder *coder;
	struct gg_rollup rolls[GG_LEVELS]; /* the row of each level that is being read */
	struct gg_source chart;            /* the block a chart reads */
	uint64_t damaged;

	int64_t id, span;       /* the signal's row, 0 = not in the file; its longest block */
	struct gg_block memory; /* what memory has of it: sorted */
	uint64_t copied_from;   /* rows that end there or later are in our copy */

	struct gg_source *sources[GG_SOURCES]; /* in use; those behind count are spare */
	size_t count;
	bool pending; /* blocks has a row that is not decoded yet */
	int64_t pending_t0, from, to;

	/* samples of one source that nothing else lies over, to be given one after the other */
	struct gg_source *run;
	uint32_t run_end;

	int64_t given_time; /* the last given, and what was given of that time */
	uint64_t given[GG_TWINS];
	uint32_t given_marks[GG_TWINS];
	unsigned given_count;
};

/* Copies what memory has of the signal in [from, to], and finds its row. */
int gg_history_look_up(struct gg_history_reader *r, struct gg_str name, int64_t from, int64_t to);
/* Places the cursor for [from, to], with the copy of memory or without. */
int gg_history_begin(struct gg_history_reader *r, int64_t from, int64_t to, bool with_memory);
void gg_history_bind_range(struct gg_history_reader *r, sqlite3_stmt *q, int64_t from, int64_t to);
/* Decodes, or counts the damage and leaves the block empty. Errors: -ENOMEM. */
int gg_history_decode(struct gg_history_reader *r, struct gg_block *b, struct gg_str bytes, int64_t t0);
/* Of what is stored of the signal with this row, from rollups of at most this level. */
int gg_history_buckets(struct gg_history_reader *r, int64_t id, int64_t span, unsigned level, int64_t from,
	int64_t width, struct gg_summary *buckets, size_t count);

#endif
