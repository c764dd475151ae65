/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal: the append-only log on disk. What is in it survives kill -9 and power loss, and a receipt that
 * was returned with status 0 says exactly that. docs/internals/journal.md describes files and failures.
 *
 *   any thread ── append ──▶ queue ──▶ journal thread: encode, write, one sync for all ──▶ receipts
 *                                                                                      └─▶ followers
 *
 * A position is a place in the log, a 64-bit number of bytes since its very beginning: it only grows, over
 * segments and restarts. The position of a batch's record is the batch's id.
 *
 * Readers run on any thread, beside the writer, each with its own file and buffer; they see only what has
 * been synced.
 */
#ifndef GG_JOURNAL_H
#define GG_JOURNAL_H

#include "base/clock.h"
#include "base/error.h"
#include "ganglion/batch.h"
#include "store/files.h"
#include "store/names.h"

struct gg_journal;
struct gg_journal_reader;

/* What a record is. The numbers are on disk: never change one. */
enum gg_record_kind {
	GG_RECORD_NONE = 0,
	GG_RECORD_INPUT = 1,      /* a batch as a driver brought it */
	GG_RECORD_DERIVED = 2,    /* a batch that a pipeline made */
	GG_RECORD_EVENT = 3,      /* an event's JSON */
	GG_RECORD_TICK = 4,       /* time went on: name is the shard */
	GG_RECORD_CHECKPOINT = 5, /* a shard's state: name is the shard */
	GG_RECORD_KEPT = 6,       /* a driver's own record: name is the instance */
	GG_RECORD_NAMES = 7,      /* the segment's dictionary; readers use it up themselves */
	GG_RECORD_MARK = 8,       /* nothing but a proof that writing works */
};

enum { GG_RECORD_MAX = 24 << 20 }; /* bytes of one record's content */

struct gg_record {
	enum gg_record_kind kind;
	uint64_t position; /* of this record: the batch's id */
	uint64_t next;     /* where the one behind it begins: what a cursor keeps when this one is done */
	struct gg_batch *batch; /* INPUT, DERIVED; frozen */
	struct gg_str name;     /* of the others */
	struct gg_str bytes;
};

enum gg_journal_state {
	GG_JOURNAL_OK,
	GG_JOURNAL_FULL,   /* no space: what comes is refused until there is some */
	GG_JOURNAL_FAILED, /* the disk gives errors */
};

/* Zero means the default in brackets. */
struct gg_journal_options {
	const char *dir;        /* made if missing, its parent must exist */
	const uint8_t *root;    /* root key, GG_SEAL_KEY bytes: what is written is sealed; NULL = plain */
	uint64_t segment_bytes; /* [64 MiB] */
	uint64_t reserve_bytes; /* of the disk that are left free: less counts as full [0] */
	uint64_t keep_bytes;    /* older segments go when no cursor needs them [256 MiB] */
	int64_t keep_ns;        /* so do those older than that, 0 = no limit by age */
	uint64_t max_bytes;     /* beyond it they go even so, and the cursor has lost data [4 GiB] */
	uint64_t queue_bytes;   /* what may wait or be unsynced [64 MiB] */
	int64_t commit_ns;      /* least time between two syncs that a receipt asks for [5 ms] */
	int64_t sync_ns;        /* longest time unsynced without a receipt [1 s] */
	int64_t retry_ns;       /* between attempts while full or failed [1 s] */
	uint64_t min_position;  /* the highest cursor anybody holds: positions never go back behind it */
	const struct gg_names *names;    /* required */
	const struct gg_file_ops *files; /* [the system's] */
	const struct gg_clock *clock;    /* [the system's]; UTC for ages only */
	void *arg;
	/* The state has changed; text is for people. Thread: the journal's. */
	void (*on_state)(void *arg, enum gg_journal_state state, const char *text);
	/* Data that the cursor had not read yet went because of max_bytes. Thread: the journal's. */
	void (*on_lost)(void *arg, const char *pin, uint64_t from, uint64_t to);
	/* The record there was changed or put there by somebody: a reader passed over it. Thread: any. */
	void (*on_tampered)(void *arg, uint64_t position);
	/* It is no longer crowded. Thread: the journal's. */
	void (*on_room)(void *arg);
};

/* Called for each record once it is synced, in order; keep the batch with gg_batch_ref(). Must not block.
 * Thread: the journal's. */
typedef void gg_journal_follower(void *arg, const struct gg_record *r);

/* Finds the segments and cuts a torn tail off the last one. Errors: those of open(2); -ENOKEY it is sealed
 * and there is no key; -EKEYREJECTED another key; with a text. Nothing has been changed then. */
int gg_journal_open(const struct gg_journal_options *o, struct gg_journal **ret_journal, struct gg_error *e);
/* Before start. Errors: -ENOSPC no more than 8. */
int gg_journal_follow(struct gg_journal *j, gg_journal_follower *fn, void *arg);
int gg_journal_start(struct gg_journal *j, struct gg_error *e);
/* Commits what is queued, ends the thread, frees. Accepts NULL. No appends and no readers may be left. */
void gg_journal_close(struct gg_journal *j);

/*
 * Appends a frozen batch, by its kind as INPUT or DERIVED. Takes a reference of its own and the batch's
 * receipt. Errors: -EAGAIN the queue is full, -E2BIG; nothing has been taken then. Thread: any.
 */
int gg_journal_append(struct gg_journal *j, struct gg_batch *b);
/* Appends bytes, which are copied. receipt may be NULL. Errors as above, -ENOMEM. Thread: any. */
int gg_journal_append_record(struct gg_journal *j, enum gg_record_kind kind, struct gg_str name,
	struct gg_str bytes, struct gg_receipt *receipt);
/* More than three quarters of queue_bytes are taken, and since then not yet less than half: who can wait
 * should, before appends are refused; on_room() tells when. Thread: any. */
bool gg_journal_is_crowded(const struct gg_journal *j);
/* Waits until all that was appended before is synced or refused. Returns the state as 0, -ENOSPC, -EIO.
 * Thread: any but the journal's. */
int gg_journal_flush(struct gg_journal *j);

/* What may change while it runs: commit_ns, reserve_bytes, keep_bytes, keep_ns, max_bytes of o. Thread: any.
 */
void gg_journal_tune(struct gg_journal *j, const struct gg_journal_options *o);

/* Behind the last synced record. Thread: any. */
uint64_t gg_journal_end(const struct gg_journal *j);
/* Of the oldest segment there is. Thread: any. */
uint64_t gg_journal_begin(const struct gg_journal *j);

/*
 * A cursor that holds back deletion: nothing at or behind position goes before max_bytes is reached. Moves
 * the pin of that name, or makes it. forever: not even max_bytes takes it (checkpoints, kept records, whose
 * owner writes them anew and moves the pin). Errors: -EDQUOT more than 256, -ENAMETOOLONG. Thread: any.
 */
int gg_journal_pin(struct gg_journal *j, const char *name, uint64_t position, bool forever);
void gg_journal_unpin(struct gg_journal *j, const char *name);

/* What is to be taken out for good. */
struct gg_journal_wish {
	void *arg;
	int64_t from, to; /* of samples, both included */
	bool (*signal)(void *arg, uint32_t index);
	/* Is this event, checkpoint or kept record to go as well? May be NULL. */
	bool (*record)(void *arg, const struct gg_record *r);
};

struct gg_journal_erased {
	uint64_t samples, records, segments; /* taken out; records and segments that were changed */
};

/* Takes samples and records out of all segments and waits for it (seconds for a GiB). Names of signals stay
 * until their segment goes. Thread: any but the journal's. Errors: -ENOSPC and others of the disk; what was
 * done until then is done. */
int gg_journal_erase(
	struct gg_journal *j, const struct gg_journal_wish *wish, struct gg_journal_erased *ret_erased);

struct gg_journal_stats {
	enum gg_journal_state state;
	uint64_t samples, records; /* synced since the start */
	uint64_t bytes;          /* written since the start, headers and dictionaries included: flash wear */
	uint64_t disk_bytes;     /* in all segments now */
	uint64_t syncs, sync_ns; /* their number and time in all */
	uint64_t refused;        /* records that could not be written */
	uint64_t dropped;        /* of those: without receipt, so nobody knows but this counter */
	uint64_t lost_bytes;     /* unread by a cursor, gone because of max_bytes */
	uint64_t queued_bytes;
	unsigned segments;
	unsigned plain_segments; /* of those: not sealed, though there is a key */
};

/* Thread: any. */
void gg_journal_get_stats(struct gg_journal *j, struct gg_journal_stats *ret_stats);

/* ---- reading ---- */

/* At a position (0 = the beginning; one that is gone = the oldest there is). Thread: any one. */
int gg_journal_reader_new(struct gg_journal *j, uint64_t position, struct gg_journal_reader **ret_reader);
/* The same over a folder that no writer holds, or one that another process writes: reads to the last whole
 * record. root: the root key, NULL = none. Errors: -ENOKEY, -EKEYREJECTED, as gg_journal_open(). */
int gg_journal_reader_open(const char *dir, const struct gg_names *names, const uint8_t *root,
	uint64_t position, struct gg_journal_reader **ret_reader);
/* Says for people why that failed, or reading later. */
const char *gg_journal_reader_error(int status);
/* Accepts NULL; returns NULL. */
struct gg_journal_reader *gg_journal_reader_free(struct gg_journal_reader *r);
/* Only records of these kinds (bits 1 << kind) are returned; the others are passed over without decoding. */
void gg_journal_reader_kinds(struct gg_journal_reader *r, unsigned kinds);
/*
 * The next record: 1, or 0 at the end for now, or -ENOMEM (no batch to be had; try again), or another
 * negative errno. name and bytes are valid until the next call; the batch is the caller's to unref. Damaged
 * records are passed over and counted.
 */
int gg_journal_next(struct gg_journal_reader *r, struct gg_record *ret_record);
/* Where the next call will look. */
uint64_t gg_journal_reader_position(const struct gg_journal_reader *r);
/* Bytes passed over because they were damaged or tampered with. */
uint64_t gg_journal_reader_damaged(const struct gg_journal_reader *r);

#endif
