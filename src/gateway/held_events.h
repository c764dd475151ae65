/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What pipelines report while a recovery runs old input again has mostly been told before the crash. So only
 * the latest report of each kind and key is held, and at the end told if the book of events says otherwise.
 * Thread: control, while no shard's loop runs.
 */
#ifndef GG_GATEWAY_HELD_EVENTS_H
#define GG_GATEWAY_HELD_EVENTS_H

#include "ganglion/host.h"

void gg_held_begin(void);
/* Holds the report; false when none are held, and it is to be told now. */
bool gg_held_event(const struct gg_event_report *r);
/* Tells what the book does not know, oldest first. */
void gg_held_end(void);

#endif
