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
 * anew is looked up in what the journal holds and not journalled twice (recover.c).
 *
 * Rules over several devices have their home on shard 0; the other shards hand it what they kept. The rules
 * have a time of their own there, so that the pipelines of shard 0 see only what is their own, in the order
 * in which it is journalled.
 *
 * A batch that comes frozen has been here before: the journal refused it (full disk) and its driver tries
 * again. What it meant for pipelines and rules has happened; only the journal wants it.
 *
 * Thread: the shard's loop, unless said.
 */
#ifndef GG_GATEWAY_SHARD_H
#define GG_GATEWAY_SHARD_H

#include "ganglion/host.h"
#include "gateway/plan.h"

struct gg_journal;

/* The derived batches the journal holds behind a checkpoint, as hashes in their order; 0: has been met. What
 * comes anew comes in the same order, but for a few that a full disk or another configuration moved. */
struct gg_known_derived {
	uint64_t *hashes;
	size_t count, cap, at; /* at: behind the last one that was met */
	bool all; /* nothing is to be journalled anew: grouped differently it would not be found */
};

/* What the journal had no room for, in order: a batch, or a tick. */
struct gg_late {
	struct gg_batch *batch; /* NULL: a tick */
	int64_t tick_ns;
};

struct gg_shard {
	unsigned number, of; /* of how many */
	struct gg_loop *loop;
	bool own_loop;
	struct gg_journal *journal; /* NULL in a replay of what is not live */
	struct gg_shard *home;      /* where rules over several devices live; NULL on shard 0 */
	struct gg_plan *plan;
	struct gg_timer tick, checkpoint;
	int64_t now_ns;       /* of derive: the latest received_ns or tick. UTC */
	int64_t rules_now_ns; /* the same for the rules, shard 0: over all shards */
	uint8_t *keep;        /* GG_BATCH_SAMPLES */
	bool recovering;
	bool rules_know; /* recovering: the rules' checkpoint has seen this record already */
	struct gg_known_derived derived_known; /* recovering */
	_Atomic bool somebody_waits;           /* a driver wants resume() */
	struct gg_late *late;                  /* shard_journal.c */
	size_t late_first, late_count, late_cap;
	/* checkpoints (checkpoint.c) */
	bool changed;           /* since the last one */
	size_t saved_bytes;     /* its size */
	uint64_t saved_end;     /* end of the journal then */
	int64_t saved_mono_ns;  /* and when, or when the shard began */
	uint64_t samples_since; /* then */
	uint64_t rules_from;    /* being written: what the rules have surely seen up to */
	struct gg_counter *in, *kept, *dropped, *derived, *unjournalled, *checkpoint_bytes;
	struct gg_histogram *wait, *work;
	/* For a replay: takes derived batches instead of the journal. */
	void (*derived_to)(void *arg, struct gg_batch *b);
	void *derived_arg;
};

/* Makes it with a loop of its own, not started, or on `loop`. NULL when out of memory. Thread: control. */
struct gg_shard *gg_shard_new(unsigned number, struct gg_loop *loop, struct gg_journal *journal);
void gg_shard_free(struct gg_shard *s);
/* Hands a batch over; on failure it stays the caller's. Errors: -EAGAIN no room, -ESHUTDOWN. Thread: any. */
int gg_shard_send(struct gg_shard *s, struct gg_batch *b);
/* Somebody was refused: when there is room again all drivers that wait are resumed. Try once more behind it.
 * Thread: any. */
void gg_shard_want_room(struct gg_shard *s);
/* Runs one batch (owned) or tick; what letters and recovery call. */
void gg_shard_input_take(struct gg_shard *s, struct gg_batch *b);
void gg_shard_tick(struct gg_shard *s, int64_t now_ns);
/* Rules alone, over a batch of another shard. */
void gg_shard_rules(struct gg_shard *home, const struct gg_batch *b);
/* Puts another plan in place; what the old one knew carries over by names. Returns the old one. */
struct gg_plan *gg_shard_swap(struct gg_shard *s, struct gg_plan *plan);
/* (Re)starts the timers from what is due. */
void gg_shard_arm(struct gg_shard *s);
/* Recovering: the journal holds this one. */
void gg_shard_know_derived(struct gg_shard *s, const struct gg_batch *b);
/* Does the journal hold it? Each it holds answers once. */
bool gg_shard_met_derived(struct gg_shard *s, const struct gg_batch *b);
void gg_shard_forget_derived(struct gg_shard *s);

/* ---- to the journal (shard_journal.c) ---- */

/* Appends it; when the journal has no room it waits here, and everything behind it. */
void gg_shard_journal(struct gg_shard *s, struct gg_batch *b);
void gg_shard_journal_tick(struct gg_shard *s, int64_t now_ns);
/* The journal has room again: what waits goes on. Thread: any. */
void gg_shard_journal_room(struct gg_shard *s);
/* At the end: waits until all has gone. */
void gg_shard_journal_finish(struct gg_shard *s);

/* ---- checkpoints (checkpoint.c) ---- */

/* Writes the state to the journal, when something has changed. */
void gg_shard_checkpoint(struct gg_shard *s);
/* Writes one now and then from here on. */
void gg_shard_checkpoints_start(struct gg_shard *s);

struct gg_checkpoint_part {
	unsigned shard;
	uint32_t number, count; /* of the record among those of its checkpoint */
	struct gg_str bytes;
};

/* What a record of kind CHECKPOINT says. Errors: -EINVAL. */
int gg_checkpoint_part(struct gg_str name, struct gg_str bytes, struct gg_checkpoint_part *ret_part);
/* Where the rules have to be run again from (part 0's bytes); 0: from the checkpoint itself. */
uint64_t gg_checkpoint_rules_from(struct gg_str first_part);
/* Makes the signals that a checkpoint speaks of, so that all of them are there when states are loaded.
 * Errors: -EINVAL it is not whole. */
int gg_checkpoint_signals(struct gg_str state);
/* Loads it. Errors: -EINVAL it is not whole, -ESTALE the shards were others; nothing has changed then. */
int gg_shard_load(struct gg_shard *s, struct gg_str state);

#endif
