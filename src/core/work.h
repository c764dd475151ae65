/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small pool of threads for what may block: hashing a password, resolving a name, a long query. Bounded:
 * when too much is waiting the asker hears -EAGAIN. Thread: any.
 */
#ifndef GG_CORE_WORK_H
#define GG_CORE_WORK_H

#include "ganglion/loop.h"

/* Starts so many threads. Errors: -ENOMEM, -errno of pthread_create. */
int gg_work_start(unsigned threads);
/* Ends them after the work under way; what still waits is done first. */
void gg_work_stop(void);
/* work(arg) on some thread, then done(arg) on the loop's (done may be NULL). Errors: -EAGAIN, -ESHUTDOWN. */
int gg_work(struct gg_loop *loop, void (*work)(void *arg), void (*done)(void *arg), void *arg);

#endif
