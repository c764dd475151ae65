/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The live stream (server-sent events): GET /api/v1/live?signals=PATTERNS&topics=values,events,status
 *
 *   values   what changed among the chosen signals, gathered, at most ten times a second
 *   event    a change of an event: {"change": "opened", "event": {...}}; has an id
 *   status   once a second, what GET /status says
 *   reset    what was missed is gone: read the events anew
 *
 * An id is "<start of the gateway>-<number>", so that a client which comes back with Last-Event-ID gets what
 * it missed from a ring, and one that comes back after a restart is told to read anew. Nothing is queued per
 * client: a slow one gets fewer values, and is dropped when it takes nothing for 15 s. Thread: control.
 */
#ifndef GG_API_LIVE_H
#define GG_API_LIVE_H

#include "ganglion/loop.h"

enum { GG_LIVE_CLIENTS = 200 };

int gg_live_start(struct gg_loop *loop);
void gg_live_stop(void);

#endif
