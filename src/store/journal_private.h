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
	enum gg_segment_form form;
};

/* ---- heads: journal_head.c ---- */

struct gg_segment_head {
	struct gg_segment_header h;
	uint64_t begin; /* position of the first record */
	uint64_t end;   /* of its records, where it says so itself (sealed later); else UINT64_MAX */
};

/* Reads the head of an open segment and begins its series in seal, which may be NULL. Errors: -EBADMSG no
 * valid head, -ENOKEY and -EKEYREJECTED with *ret_head filled, -errno. */
int gg_segment_head_read(int fd, uint64_t first, struct gg_seal *seal, struct gg_segment_head *ret_head);
/* How many bytes lie before the first record. */
static inline uint64_t gg_segment_head_bytes(enum gg_segment_form form)
{
	return form == GG_SEGMENT_SEALED ? GG_SEGMENT_HEADER + GG_SEGMENT_SEALING : GG_SEGMENT_HEADER;
}

struct gg_segment_list {
	struct gg_segment *items; /* by position */
	size_t count, cap;
	const uint8_t *key; /* of the journal; NULL: sealed segments can't be read */
	bool may_remove;    /* load() may remove segments without any content */
	size_t unopened;    /* sealed ones that load() met without a key */
	uint64_t beyond;    /* where the last one with a damaged header ends */
};

void gg_segment_list_done(struct gg_segment_list *l);
int gg_segment_list_add(struct gg_segment_list *l, struct gg_segment s);
void gg_segment_list_drop_first(struct gg_segment_list *l);
/* Finds the segments of a folder; those whose header is damaged, or does not open while others' do, are left
 * out (and logged). The last one's end is UINT64_MAX, unless it says so itself. Errors: -ENOKEY there are
 * sealed ones and no key, -EKEYREJECTED none opens; -errno. */
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
	const uint8_t *key;  /* of the journal, NULL = none */
	struct gg_seal *seal;
	enum gg_segment_form form;
	struct gg_buf plain; /* the content that was opened last */
	/* sealed later: the table's entries from position tags_at on */
	uint64_t tags_at;
	uint8_t tags[64 * GG_SEGMENT_ENTRY];
	size_t tags_len, tags_used;
};

struct gg_raw_record {
	uint64_t position;
	uint8_t kind;
	uint32_t length;       /* on disk */
	struct gg_str content; /* valid until the next call; sealed, where the segment is */
};

int gg_segment_reader_open(struct gg_segment_reader *r, const char *dir, uint64_t first);
void gg_segment_reader_done(struct gg_segment_reader *r);
/* 1 and the next intact record before limit; 0 at the limit, the end of the file, or zeros; -EBADMSG what
 * follows is no record; -errno of read. */
/* Opens the content of the record that gg_segment_next() returned last; once. Plain ones are as they are.
 * Errors: -EBADMSG somebody has changed or moved it, -ENOMEM, -errno. */
int gg_segment_unseal(struct gg_segment_reader *r, struct gg_raw_record *raw);
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
	uint8_t key[GG_SEAL_KEY]; /* of the journal, if sealed */
	bool sealed;
	pthread_t thread, sealer; /* the latter: journal_seal.c */
	bool started, sealing;
	_Atomic bool closing;

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
	struct gg_seal *seal; /* NULL = plain */
	int fd;               /* -1 = no segment is open */
	bool dir_dirty, salvaging;
	uint64_t first, head, offset, synced; /* of the segment; bytes written to it; bytes known safe */
	uint64_t next_first, previous_end;
	struct gg_buf buf, names;
	struct gg_dictionary dictionary;
	struct gg_entries staged, pending;                 /* in buf; in the file but not synced */
	int64_t receipt_since, event_since, pending_since; /* monotonic; 0 = none */
	int64_t came_ns;                                   /* what was taken last came then, or later */
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

/* journal_remake.c: a segment is written anew, with the same records or others in their places. */
struct gg_remake {
	struct gg_journal *j;
	char path[GG_PATH_MAX], fresh[GG_PATH_MAX];
	struct gg_segment segment;
	enum gg_segment_form form; /* of the new file */
	int fd;                    /* of it; -1 = none */
	struct gg_seal *seal;
	uint64_t position;   /* where the next record may begin */
	uint64_t written_to; /* position up to which it is in the file */
	uint64_t tags_to;    /* the same for the table */
	struct gg_buf out, tags;
	uint8_t block[GG_SEGMENT_SEALING];
};

/* Only one at a time: hold this over the walk and the rename. */
void gg_remake_lock(void);
void gg_remake_unlock(void);
/* The segment is closed. With a key the new file is sealed, whatever the old one was. */
int gg_remake_begin(struct gg_remake *k, struct gg_journal *j, const struct gg_segment *s);
/* A record of that length on disk; its content may be shorter, zeros follow. What lies between the record
 * before and this one becomes a mark. */
int gg_remake_put(
	struct gg_remake *k, uint64_t position, uint8_t kind, struct gg_str content, uint32_t length);
/* Syncs it and lets it take the segment's place, unless retention was quicker. */
int gg_remake_end(struct gg_remake *k);
/* Throws it away if it has not taken the place. */
void gg_remake_done(struct gg_remake *k);

/* journal_seal.c: seals the segments that are plain from before; waits. Errors: -ECANCELED it closes. */
int gg_journal_seal_old(struct gg_journal *j);
/* The same in the background, if there are any. */
void gg_journal_seal_start(struct gg_journal *j);

/* journal_erase.c: removes what a power cut left of an erasure. */
void gg_journal_sweep(const char *dir);

/* journal_retain.c; urgent: the disk is full, take all that nobody needs. Returns how many went. */
unsigned gg_journal_retain(struct gg_journal *j, bool urgent);

#endif
