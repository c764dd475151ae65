/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the history share among themselves. */
#ifndef GG_HISTORY_PRIVATE_H
#define GG_HISTORY_PRIVATE_H

#include "store/history.h"
#include "store/sql.h"

#include <pthread.h>

/* A block that is filled, or waits to be stored. */
struct gg_open_block {
	struct gg_open_block *next; /* closed ones of the signal, oldest first */
	struct gg_block block;
	uint64_t first_position, last_position;
	int64_t since; /* monotonic */
};

struct gg_history_signal {
	uint32_t index;
	int64_t id;             /* row, 0 = none yet */
	uint64_t last_position; /* all up to this record is in closed blocks */
	int64_t max_span;       /* of its stored blocks, ns */
	struct gg_open_block *open, *late;
	struct gg_open_block *closed; /* until their transaction is through */
};

struct gg_history {
	struct gg_history_options o;
	char *path;
	sqlite3 *db; /* the history thread's */
	sqlite3_stmt *insert_block, *insert_signal, *update_signal, *find_signal, *update_cursor;
	struct gg_journal *journal;
	struct gg_journal_reader *reader;
	pthread_t thread;
	bool started;

	pthread_mutex_t lock; /* guards the signals' blocks, stats, and the flags */
	pthread_cond_t wake;  /* the journal has grown, or somebody asks for something */
	pthread_cond_t idle;  /* read_to or flushes has grown */
	bool stop;
	uint64_t head, read_to;         /* journal positions: there is; has been read */
	uint64_t flush_wanted, flushes; /* numbers of requests and of those done */
	int flush_status;
	struct gg_history_signal **signals; /* by index in the table */
	uint32_t signals_cap;
	uint64_t keep_bytes; /* of the options, as they are now */
	int64_t keep_ns;
	struct gg_history_stats stats;

	/* the thread's own */
	uint64_t cursor, stored_cursor, position;
	int64_t next_flush, next_cursor;
	struct gg_buf packed;
};

/* history_store.c: all on the history's thread, or before it starts. */
int gg_history_prepare(struct gg_history *h, struct gg_error *e);
void gg_history_finalize(struct gg_history *h);
/* Loads or makes the signal's row data (id, last position). */
int gg_history_load_signal(struct gg_history *h, struct gg_history_signal *s);
/* Closes what is due (all = everything), stores it in one transaction with the cursor, drops old rows. */
int gg_history_store(struct gg_history *h, bool all);
/* Moves the signal's open blocks to its closed ones. Under the lock. */
void gg_history_close_blocks(struct gg_history_signal *s);

#endif
