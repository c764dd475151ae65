/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the journal share among themselves. */
#ifndef GG_JOURNAL_PRIVATE_H
#define GG_JOURNAL_PRIVATE_H

#include "ganglion/metrics.h"
#include "store/journal_format.h"

#include <pthread.h>
#include <stdatomic.h>

enum { GG_PATH_MAX = 512, GG_PINS = 256, GG_FOLLOWERS = 8, GG_PIN_NAME = 200 };

/* ---- segments on disk ---- */

struct gg_segment {
	uint64_t first, end; /* positions; end is UINT64_MAX while it is written */
	int64_t created_ns;
};

struct gg_segment_list {
	struct gg_segment *items; /* by position */
	size_t count, cap;
	bool may_remove; /* load() may remove segments without any content */
	uint64_t beyond; /* where the last one with a damaged header ends */
};

void gg_segment_list_done(struct gg_segment_list *l);
int gg_segment_list_add(struct gg_segment_list *l, struct gg_segment s);
void gg_segment_list_drop_first(struct gg_segment_list *l);
/* Finds the segments of a folder; those whose header is damaged are left out (and logged). The last one's end
 * is UINT64_MAX. */
int gg_segment_list_load(struct gg_segment_list *l, const char *dir);
/* The one that holds position, or the next there is, or NULL when there is none behind it. */
const struct gg_segment *gg_segment_list_at(const struct gg_segment_list *l, uint64_t position);
/* Errors: -ENAMETOOLONG. */
int gg_segment_path(char to[GG_PATH_MAX], const char *dir, uint64_t first);

/* Walks the records of one segment. */
struct gg_segment_reader {
	int fd;
	uint64_t first, position; /* of the segment, and of the next record */
	uint64_t damaged;         /* bytes passed over */
	uint8_t *buf;
	size_t cap, len, at; /* buf[at..len) is unread and begins at position */
};

struct gg_raw_record {
	uint64_t position;
	uint8_t kind;
	struct gg_str content; /* valid until the next call */
};

int gg_segment_reader_open(struct gg_segment_reader *r, const char *dir, uint64_t first);
void gg_segment_reader_done(struct gg_segment_reader *r);
/* 1 and the next intact record before limit; 0 at the limit, the end of the file, or zeros; -EBADMSG what
 * follows is no record; -errno of read. */
int gg_segment_next(struct gg_segment_reader *r, uint64_t limit, struct gg_raw_record *ret_record);

/* ---- the writer ---- */

struct gg_entry {
	struct gg_entry *next;
	struct gg_batch *batch;
	struct gg_receipt *receipt;
	uint64_t position, end;
	size_t cost; /* what it counts in the queue */
	uint8_t kind;
	uint32_t name_len, len;
	char data[]; /* name, bytes */
};

struct gg_entries {
	struct gg_entry *head, **tail;
};

struct gg_pin {
	char name[GG_PIN_NAME];
	uint64_t position;
	bool forever;
};

struct gg_journal {
	struct gg_journal_options o;
	char *dir;
	pthread_t thread;
	bool started;

	pthread_mutex_t lock; /* guards all down to pins */
	pthread_cond_t wake;  /* something is queued */
	pthread_cond_t idle;  /* done has grown */
	struct gg_entries queue;
	uint64_t new_bytes;                    /* in the queue since the thread last took it */
	uint64_t queued_bytes, accepted, done; /* bytes and numbers of entries, queued or unsynced */
	uint64_t ends_wanted, ends; /* numbers of wishes to end the segment, and of those granted */
	bool stop, hurry, tuned;
	struct gg_journal_options fresh; /* if tuned: for the journal's thread to take over */
	bool urgent;                     /* it has been woken, or is to look before its next turn is due */
	bool asleep;                     /* nothing came of late: the next entry has to wake it */
	struct gg_journal_stats stats;
	struct gg_segment_list segments;
	struct gg_pin pins[GG_PINS];
	size_t pin_count;

	_Atomic uint64_t committed, begin;
	_Atomic bool crowded;

	struct {
		struct gg_counter *bytes, *samples, *refused;
		struct gg_histogram *sync;
		struct gg_gauge *disk;
	} metrics;

	/* the journal thread's own */
	struct {
		gg_journal_follower *fn;
		void *arg;
	} followers[GG_FOLLOWERS];
	size_t follower_count;
	int fd; /* -1 = no segment is open */
	bool dir_dirty, salvaging;
	uint64_t first, offset, synced; /* of the segment; bytes written to it; bytes known safe */
	uint64_t next_first, previous_end;
	struct gg_buf buf, names;
	struct gg_dictionary dictionary;
	struct gg_entries staged, pending;                 /* in buf; in the file but not synced */
	int64_t receipt_since, event_since, pending_since; /* monotonic; 0 = none */
	int64_t last_sync, retry_at, retained_at;
	enum gg_journal_state state;
};

static inline void gg_entries_init(struct gg_entries *l)
{
	l->head = NULL;
	l->tail = &l->head;
}

static inline void gg_entries_add(struct gg_entries *l, struct gg_entry *e)
{
	e->next = NULL;
	*l->tail = e;
	l->tail = &e->next;
}

static inline struct gg_entry *gg_entries_pop(struct gg_entries *l)
{
	struct gg_entry *e = l->head;
	if (e && !(l->head = e->next))
		l->tail = &l->head;
	return e;
}

static inline void gg_entries_join(struct gg_entries *to, struct gg_entries *from)
{
	if (!from->head)
		return;
	*to->tail = from->head;
	to->tail = from->tail;
	gg_entries_init(from);
}

/* journal_append.c: all on the journal thread. */
void gg_journal_stage(struct gg_journal *j, struct gg_entry *e);
void gg_journal_write_staged(struct gg_journal *j);
void gg_journal_commit(struct gg_journal *j);
/* Tries whether writing works again. */
void gg_journal_probe(struct gg_journal *j);
/* After queued_bytes has shrunk, without the lock. */
void gg_journal_tell_room(struct gg_journal *j, uint64_t queued_bytes);
/* Refuses one, its receipt returned with the status. */
void gg_journal_refuse(struct gg_journal *j, struct gg_entries *l, int status);
void gg_journal_end_segment(struct gg_journal *j);

/* journal_deliver.c */
void gg_journal_return(struct gg_receipt *r, int status);
/* All entries of the list are safe: ids, receipts, followers. */
void gg_journal_deliver(struct gg_journal *j, struct gg_entries *l);

/* journal_erase.c: removes what a power cut left of an erasure. */
void gg_journal_sweep(const char *dir);

/* journal_retain.c; urgent: the disk is full, take all that nobody needs. Returns how many went. */
unsigned gg_journal_retain(struct gg_journal *j, bool urgent);

#endif
