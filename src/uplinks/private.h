/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of the engine: what its files share. Thread: the north loop, unless said. */
#ifndef GG_UPLINKS_PRIVATE_H
#define GG_UPLINKS_PRIVATE_H

#include "formats/compress.h"
#include "formats/encode.h"
#include "uplinks/engine.h"

#include <pthread.h>

enum {
	GG_FEED_ITEMS = 1024,
	GG_QUEUE_ITEMS = 256, /* from memory, per uplink */
	GG_PARCELS = 160,     /* open, queued and under way, per uplink */
	GG_OPEN_DEVICES = 32, /* in one round */
	GG_ROUNDS = 64,
	GG_AHEAD = 64,         /* events that are under way before the backlog */
	GG_PASSED = 64,        /* unbroken rows of events that went before the backlog */
	GG_QUEUED_PARCELS = 4, /* that may wait beyond the window before reading stops */
	GG_FEED_BYTES = 16 << 20,
	GG_PARCEL_LEAST = 1 << 10, /* bytes at which a parcel is closed, however low the cap */
	GG_PARCEL_SLACK = 1 << 20, /* what the last sample may add to a parcel */
};

/* ---- rate.c: a token bucket in bytes. It may go into debt, so that a large parcel passes whole ---- */

struct gg_rate {
	uint64_t per_second; /* 0 = no limit */
	int64_t tokens, at_ns;
};

void gg_rate_set(struct gg_rate *r, uint64_t per_second, int64_t now_ns);
/* How long to wait before something may be sent, 0 = now. */
int64_t gg_rate_wait(struct gg_rate *r, int64_t now_ns);
void gg_rate_spend(struct gg_rate *r, uint64_t bytes);

/* ---- select.c: which signals are sent, by index ---- */

struct gg_selection {
	const struct gg_uplink_common *common;
	uint8_t *known; /* by signal: 0 not asked yet, 1 yes, 2 no */
	uint32_t size;
	bool events;
};

void gg_selection_set(struct gg_selection *s, const struct gg_uplink_common *common);
bool gg_selected(struct gg_selection *s, uint32_t signal);
void gg_selection_done(struct gg_selection *s);

/* ---- a record on its way, from memory or disk ---- */

struct gg_item {
	enum gg_record_kind kind;
	uint64_t from; /* behind the record of interest before it: nothing of interest lies between */
	uint64_t position, next;
	uint64_t event_before;  /* position of the event before it; only of what comes from the feed */
	struct gg_batch *batch; /* a reference */
	char *bytes;            /* an event's, owned */
	size_t len;
};

void gg_item_done(struct gg_item *i);
/* Errors: -ENOMEM. */
int gg_item_of_record(const struct gg_record *r, struct gg_item *ret_item);
int gg_item_copy(const struct gg_item *from, struct gg_item *ret_item);

/* ---- feed.c ---- */

struct gg_uplinks {
	struct gg_loop *loop;
	struct gg_uplink_source source;
	struct gg_uplink_memory memory;
	struct gg_uplink_engine *engines;
	_Atomic unsigned engine_count;
	pthread_mutex_t lock; /* guards all below */
	struct gg_item items[GG_FEED_ITEMS];
	size_t first, count, bytes;
	bool posted;
	bool gap;           /* something did not fit: read the journal */
	uint64_t last_next; /* behind the last record of interest */
	uint64_t last_event;
};

/* ---- parcels and rounds: parcel.c, round.c ---- */

enum gg_parcel_state { GG_PARCEL_FREE, GG_PARCEL_OPEN, GG_PARCEL_QUEUED, GG_PARCEL_SENT };

struct gg_round {
	uint64_t start;
	int64_t received_ns;
	unsigned left; /* parcels not yet acknowledged */
	bool closed;
};

struct gg_slot {
	enum gg_parcel_state state;
	uint64_t order; /* in which they were queued */
	struct gg_parcel parcel;
	struct gg_encoding encoding;
	struct gg_buf buf;
	struct gg_round *round; /* NULL: an event that went before the backlog */
	uint32_t device, samples;
	bool retried;
};

/* All events from one position to another have gone before the backlog, or are about to. */
struct gg_passed {
	uint64_t first, last;
};

struct gg_uplink_engine {
	struct gg_uplinks *all;
	struct gg_uplink_engine *next, *next_known;
	struct gg_host *host;
	const struct gg_component *component;
	void *self;
	const char *name;
	char pin_name[160];
	struct gg_uplink_common common;
	struct gg_selection selection;
	const struct gg_encoder *encoder;
	struct gg_compressor *compressor; /* NULL = none */
	struct gg_buf scratch;
	struct gg_rate rate;
	/* link */
	bool ready, stalled, down_told;
	char reason[160];
	int64_t since_ns, down_mono_ns;
	unsigned attempts;
	int64_t backoff_min_ns, backoff_max_ns;
	struct gg_timer connect_timer, tick_timer, wake_timer;
	struct gg_defer pump;
	/* reading */
	struct gg_item queue[GG_QUEUE_ITEMS]; /* from memory */
	size_t queue_first, queue_count;
	void *reader;
	uint64_t taken; /* behind what has been taken from the feed or the journal */
	uint64_t read;  /* behind what has been made into parcels */
	bool live;      /* what is not in queue has been taken */
	int64_t behind_since_ns;
	struct gg_item current;
	bool working; /* current is one */
	uint32_t at, part;
	/* sending */
	struct gg_slot slots[GG_PARCELS];
	uint64_t orders;
	unsigned open, queued, sent;
	struct gg_round rounds[GG_ROUNDS];
	unsigned round_first, round_count;
	struct gg_passed passed[GG_PASSED]; /* in the order of the journal */
	size_t passed_count;
	/* cursor */
	uint64_t cursor, saved;
	/* numbers */
	pthread_mutex_t lock; /* guards state */
	struct gg_uplink_state state;
	uint64_t acked_parcels, acked_samples, acked_bytes, local, retries, dropped, reconnects;
	struct gg_counter *c_parcels, *c_samples, *c_bytes, *c_local, *c_retries, *c_reconnects;
	struct gg_counter *c_refused, *c_large, *c_lost, *c_seen;
	struct gg_gauge *g_backlog, *g_age, *g_up;
};

/* engine.c */
void gg_engine_wake(struct gg_uplink_engine *u);

/* collect.c: records to parcels */
/* An item from the feed. */
void gg_collect_offer(struct gg_uplink_engine *u, const struct gg_item *item);
/* The feed has lost something, or the link has gone: read the journal from here on. */
void gg_collect_fall_behind(struct gg_uplink_engine *u);
/* Makes parcels of what is next. 1 more may follow, 0 nothing there or no room for now. */
int gg_collect_step(struct gg_uplink_engine *u);
/* When the open round is to be closed: monotonic, INT64_MAX = there is none. */
int64_t gg_collect_due(const struct gg_uplink_engine *u);
void gg_collect_close_round(struct gg_uplink_engine *u);
void gg_collect_done(struct gg_uplink_engine *u);

/* parcel.c */
struct gg_slot *gg_slot_free(struct gg_uplink_engine *u);
struct gg_slot *gg_slot_open_of(struct gg_uplink_engine *u, uint32_t device);
/* At how many bytes a parcel is closed: parcel_size, and under a cap no more than a quarter of a second of
 * it, so that an event does not wait behind much on the wire. */
uint64_t gg_slot_limit(const struct gg_uplink_engine *u);
void gg_slot_begin(
	struct gg_uplink_engine *u, struct gg_slot *s, uint64_t id, uint32_t device, struct gg_round *round);
/* Ends, compresses and queues an open one, or forgets it when it holds nothing or could not be written. */
void gg_slot_close(struct gg_uplink_engine *u, struct gg_slot *s);
/* An event as a parcel of its own, queued. Errors: -EINVAL, -E2BIG, -ENOMEM; it is free again then. */
int gg_slot_event(
	struct gg_uplink_engine *u, struct gg_slot *s, const struct gg_item *item, struct gg_round *round);
/* The event that is under way before the backlog: NULL = it is not, or no longer. */
struct gg_slot *gg_slot_ahead(struct gg_uplink_engine *u, uint64_t position);
size_t gg_slot_ahead_count(const struct gg_uplink_engine *u);
/* The next to be sent: events that go first, then in order. NULL = none. */
struct gg_slot *gg_slot_next(struct gg_uplink_engine *u);
/* It is over, one way or the other. */
void gg_slot_finish(struct gg_uplink_engine *u, struct gg_slot *s);

/* round.c */
struct gg_round *gg_round_open(const struct gg_uplink_engine *u); /* the one that is open, or NULL */
/* NULL when there are too many. */
struct gg_round *gg_round_new(struct gg_uplink_engine *u, uint64_t start, int64_t received_ns);
/* Moves the cursor past rounds that are over. */
void gg_round_settle(struct gg_uplink_engine *u);
/* Keeps the cursor when it has moved. */
void gg_cursor_save(struct gg_uplink_engine *u);

#endif
