/* SPDX-License-Identifier: Apache-2.0 */
/* Where the book of events is written: catalog, journal, and the rules that listen. Thread: control. */
#ifndef GG_GATEWAY_EVENTS_STORE_H
#define GG_GATEWAY_EVENTS_STORE_H

#include "gateway/events.h"

/* To the catalog, and when people far away should know of it, to the journal. */
void gg_events_store(const struct gg_event_entry *e, const char *change);
/* What is stored between begin and end is one transaction. */
void gg_events_store_turn(bool begins);
/* Hands over what the catalog holds, oldest first: all that are not cleared and the newest others. */
int gg_events_load(void (*each)(void *arg, struct gg_event_entry *e), void *arg, uint64_t *ret_whole_above);
/* To the rules' shard (shards.c). */
void gg_events_tell_rules(const struct gg_event_report *r);

#endif
