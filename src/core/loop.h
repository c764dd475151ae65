/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making and running loops; what runs on them uses include/ganglion/loop.h.
 *
 *        ┌──────────────────────────── one turn ────────────────────────────┐
 *        │ read the clocks ─▶ due timers ─▶ ready watches ─▶ letters ─▶ deferred │
 *        └─────────── epoll_wait until the next timer or wake-up ◀──────────┘
 *
 * Waiting: to sleep and be woken costs tens of microseconds. A loop whose last waits were shorter than that
 * (another thread is just about to answer) looks at its mailbox for a moment before it sleeps; one look in
 * vain and it stops doing so, so an idle loop costs nothing. Owner: gg_loop_new() gives it, gg_loop_free()
 * after the thread has ended.
 */
#ifndef GG_CORE_LOOP_H
#define GG_CORE_LOOP_H

#include "ganglion/loop.h"

/* name: of the thread, at most 15 bytes. mailbox_max: letters. NULL when out of memory or descriptors. */
struct gg_loop *gg_loop_new(const char *name, size_t mailbox_max);
void gg_loop_free(struct gg_loop *loop);
/* Runs it in a thread of its own. Errors: -errno of pthread_create. */
int gg_loop_start(struct gg_loop *loop);
/* Runs it in the calling thread until gg_loop_end(). */
void gg_loop_run(struct gg_loop *loop);
/* One turn, waiting at most max_wait_ns (-1: until something happens): for tests. */
void gg_loop_turn(struct gg_loop *loop, int64_t max_wait_ns);
/* Asks it to end after the letters sent so far; thread: any. */
void gg_loop_end(struct gg_loop *loop);
/* Waits until its thread has ended. */
void gg_loop_join(struct gg_loop *loop);
/* fn(arg, number) on the loop's thread; returns when it has run. Not from the loop itself, where it just
 * calls. */
void gg_loop_call(struct gg_loop *loop, void (*fn)(void *arg, int64_t number), void *arg, int64_t number);
/* How much it stands back for others when the processor is busy: nice(2) of its thread. Before it runs. */
void gg_loop_set_nice(struct gg_loop *loop, int nice);
/* Its turns are short and somebody waits for each: when it wakes it goes before a thread that has been
 * working for a while (a short slice, Linux 6.12 and later). Before it runs. */
void gg_loop_set_prompt(struct gg_loop *loop);
const char *gg_loop_name(const struct gg_loop *loop);
/* Letters refused because the mailbox was full, turns taken, and ns spent working. Thread: any. */
uint64_t gg_loop_refused(const struct gg_loop *loop);
/* More than half of its mailbox is taken: time to hold back who can wait. Thread: any. */
bool gg_loop_is_crowded(struct gg_loop *loop);
/* When the last turn began, monotonic: a watchdog sees a loop that hangs. 0 while it waits. Thread: any. */
int64_t gg_loop_busy_since(const struct gg_loop *loop);

#endif
