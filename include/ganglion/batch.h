/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A batch: what one poll or one message brought, the samples of one source. It is the only thing that crosses
 * threads.
 *
 * Life: the maker fills it alone; gg_host_submit_take() or gg_batch_freeze() makes it read-only; from then on
 * each consumer holds a reference. Batches come from a pool per size class and go back to it from any thread.
 * Bounded: at most GG_BATCH_SAMPLES samples and GG_BATCH_TAIL bytes of tail; all batches together have a
 * budget (option limits.batch_memory), past which gg_batch_new() gives NULL and the caller counts a drop or
 * pauses.
 */
#ifndef GANGLION_BATCH_H
#define GANGLION_BATCH_H

#include "ganglion/sample.h"

#include <stdatomic.h>

enum { GG_BATCH_SAMPLES = 65536, GG_BATCH_TAIL = 16 << 20 };

struct gg_loop;

/*
 * Who wants to know that a batch is safe. When the batch is in the journal and synced (status 0), or can't be
 * (-ENOSPC, -EIO), or was dropped (-EAGAIN), done() is called once, on the thread of loop. What intake
 * dropped on purpose counts as safe. The owner keeps the struct alive until then.
 */
struct gg_receipt {
	void (*done)(struct gg_receipt *r, int status);
	struct gg_loop *loop;
	struct gg_receipt *next; /* private to whoever carries it */
	int status;
};

enum gg_batch_kind {
	GG_BATCH_INPUT,   /* what a driver brought */
	GG_BATCH_DERIVED, /* what a pipeline made of it */
};

struct gg_batch {
	struct gg_sample *samples;
	uint32_t count, capacity;
	uint8_t *tail; /* bytes of strings and blobs */
	uint32_t tail_len, tail_cap;
	uint32_t device;            /* dense index of the source */
	uint8_t kind;               /* enum gg_batch_kind */
	bool frozen;                /* read-only from here on */
	int64_t received_ns;        /* UTC when the gateway took it in: the time by which derive advances */
	int64_t arrived_mono_ns;    /* monotonic, for latency histograms */
	uint64_t id;                /* place in the journal, 0 until it has one */
	struct gg_receipt *receipt; /* may be NULL; cleared when it has been handed over */
	_Atomic uint32_t refs;
	uint8_t size_class;
	struct gg_batch *next_free;
};

/* Room for at least so many samples and tail bytes. NULL when the budget is used up. Owner: the caller. */
struct gg_batch *gg_batch_new(uint32_t samples, uint32_t tail_bytes);
/* The same for what can't be held back: what a pipeline has made, what is read from disk. It may use a
 * quarter more than the budget, so that drivers, who can wait, do not starve it. */
struct gg_batch *gg_batch_new_urgent(uint32_t samples, uint32_t tail_bytes);
struct gg_batch *gg_batch_ref(struct gg_batch *b);
/* Accepts NULL; returns NULL. */
struct gg_batch *gg_batch_unref(struct gg_batch *b);
void gg_batch_freeze(struct gg_batch *b);
/* A copy with room for extra samples and bytes; for the maker that ran out of room (frees nothing). */
struct gg_batch *gg_batch_grow_take(struct gg_batch *b, uint32_t samples, uint32_t tail_bytes);

/* Appends. Errors: -E2BIG no room. The batch must not be frozen. */
int gg_batch_add(struct gg_batch *b, const struct gg_sample *s);
int gg_batch_add_float(struct gg_batch *b, uint32_t signal, int64_t time_ns, double value);
int gg_batch_add_int(struct gg_batch *b, uint32_t signal, int64_t time_ns, int64_t value);
int gg_batch_add_bool(struct gg_batch *b, uint32_t signal, int64_t time_ns, bool value);
int gg_batch_add_string(struct gg_batch *b, uint32_t signal, int64_t time_ns, struct gg_str value);
int gg_batch_add_bad(struct gg_batch *b, uint32_t signal, int64_t time_ns, enum gg_reason reason);

static inline struct gg_str gg_batch_text(const struct gg_batch *b, const struct gg_sample *s)
{
	return gg_str_n(b->tail + s->v.blob.off, s->v.blob.len);
}

/* Budget and use of all batches together, in bytes. Thread: any. */
void gg_batch_set_budget(size_t bytes);
size_t gg_batch_memory(void);

#endif
