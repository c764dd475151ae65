/* SPDX-License-Identifier: Apache-2.0 */
/*
 * After a start: the shards' state as it was. The journal's last whole checkpoint of each shard is loaded,
 * and every input, tick and event behind it runs again, in the journal's order, before any loop of a shard
 * starts.
 *
 *   ...──[checkpoint 0]──[checkpoint 1]──input──derived──tick──input──┊ the crash
 *             └── shard 0 runs again ────────────────────────────────▶┊──▶ derived that is missing
 *                           └── shard 1 runs again ──────────────────▶┊──▶ events that nobody knows of
 *
 * What that derives is looked up among the derived batches the journal holds; only what is missing there (the
 * last moments before a crash) goes into it now. Rules are not live meanwhile: no event is opened, no action
 * runs. At the end their states and the book of events are made to agree.
 */
#ifndef GG_GATEWAY_RECOVER_H
#define GG_GATEWAY_RECOVER_H

#include "gateway/gateway.h"

struct gg_recovered {
	uint64_t inputs, ticks, samples;
	int64_t took_ns;
};

/* Thread: control, after the journal's start and before that of the shards' loops. Errors: those of reading
 * the journal; the state is then as far as it came. */
int gg_gateway_recover(struct gg_gateway *g, struct gg_recovered *ret_recovered);
/* Hands an instance what it kept, oldest first. Before its start. */
int gg_gateway_hand_kept(struct gg_gateway *g, struct gg_host *h);

/* Keeps the journal from deleting what a recovery needs; before the journal starts. */
void gg_checkpoint_pin(struct gg_gateway *g);

struct gg_record;
/* A gg_journal_follower: remembers where each shard's last checkpoint lies, and lets go of what is before it.
 */
void gg_checkpoint_follow(void *gateway, const struct gg_record *r);

#endif
