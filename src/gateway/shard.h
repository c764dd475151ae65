/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A shard: one thread that owns the pipelines and rules of its devices and all their state.
 *
 *   letters: a batch ──▶ pipelines (intake says what to keep) ──▶ the kept part, frozen ──▶ rules ──▶ actions
 *                             │ derived batches ──────────────────────────────────────▶ rules
 *                             └─────────▶ journal: input, then what was derived from it
 *
 * Order in the journal, per shard: each input before what it brought about; a tick is a record too. So after
 * a crash the last checkpoint and the inputs and ticks behind it make the same state again; what they derive
 * anew is compared with what the journal holds by count and not sent twice (recover.c). Rules and pipelines
 * over several devices have their home on shard 0; the other shards hand it what they kept. Thread: the
 * shard's loop, unless said.
 */
#ifndef GG_GATEWAY_SHARD_H
#define GG_GATEWAY_SHARD_H

#include "ganglion/host.h"
#include "gateway/plan.h"

struct gg_journal;

struct gg_shard {
	unsigned number;
	struct gg_loop *loop;
	struct gg_journal *journal; /* NULL in a replay of what is not live */
	struct gg_shard *home;      /* where rules over several devices live; NULL on shard 0 */
	struct gg_plan *plan;
	struct gg_timer tick, checkpoint;
	int64_t now_ns;           /* of derive: the latest received_ns or tick. UTC */
	uint8_t *keep;            /* GG_BATCH_SAMPLES */
	bool recovering, changed; /* changed: since the last checkpoint */
	uint64_t derived_known; /* recovering: derived batches behind the checkpoint that the journal holds */
	uint64_t derived_seen;
	_Atomic bool somebody_waits; /* a driver wants resume() */
	struct gg_counter *in, *kept, *dropped, *derived, *unjournalled;
	struct gg_histogram *wait, *work;
	/* For a replay: takes derived batches instead of the journal. */
	void (*derived_to)(void *arg, struct gg_batch *b);
	void *derived_arg;
};

/* Makes it with its loop, not started. NULL when out of memory. Thread: control. */
struct gg_shard *gg_shard_new(unsigned number, struct gg_journal *journal);
void gg_shard_free(struct gg_shard *s);
/* Hands a batch over; owns it from here on, also on failure. Errors: -EAGAIN. Thread: any. */
int gg_shard_send_take(struct gg_shard *s, struct gg_batch *b);
/* Runs one batch (not frozen, owned) or tick; what letters and recovery call. */
void gg_shard_input_take(struct gg_shard *s, struct gg_batch *b);
void gg_shard_tick(struct gg_shard *s, int64_t now_ns);
/* Puts another plan in place; what the old one knew carries over by names. Returns the old one. */
struct gg_plan *gg_shard_swap(struct gg_shard *s, struct gg_plan *plan);
/* (Re)starts the timers from what is due. */
void gg_shard_arm(struct gg_shard *s);
/* Writes the state to the journal. */
void gg_shard_checkpoint(struct gg_shard *s);
int gg_shard_load(struct gg_shard *s, struct gg_str state);

#endif
