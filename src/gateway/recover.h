/* SPDX-License-Identifier: Apache-2.0 */
/*
 * After a start: the shards' state as it was. The journal's last checkpoint of each shard is loaded, and
 * every input and tick behind it runs again, in the journal's order, before any loop starts. What that
 * derives is counted against the derived batches the journal holds; only what is missing there (the last
 * moments before a crash) goes into it now.
 */
#ifndef GG_GATEWAY_RECOVER_H
#define GG_GATEWAY_RECOVER_H

#include "gateway/gateway.h"

struct gg_recovered {
	uint64_t inputs, ticks, samples;
	int64_t took_ns;
};

/* Thread: control, before the shards' loops run. Errors: those of reading the journal. */
int gg_gateway_recover(struct gg_gateway *g, struct gg_recovered *ret_recovered);
/* Hands an instance what it kept, oldest first. Before its start. */
int gg_gateway_hand_kept(struct gg_gateway *g, struct gg_host *h);

struct gg_record;
/* A gg_journal_follower: remembers where each shard's last checkpoint lies, and lets go of what is before it.
 */
void gg_checkpoint_follow(void *gateway, const struct gg_record *r);

#endif
