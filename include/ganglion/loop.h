/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An event loop: one thread, epoll, timers, and a bounded mailbox through which other threads post. All
 * callbacks run on the loop's thread, to completion; none may block or sleep.
 */
#ifndef GANGLION_LOOP_H
#define GANGLION_LOOP_H

#include "base/base.h"
#include "base/clock.h"

#include <sys/epoll.h>

struct gg_loop;

/* A watched file descriptor; embed it. The loop does not own the descriptor. */
struct gg_watch {
	int fd;
	uint32_t events; /* EPOLLIN, EPOLLOUT; set by gg_watch_set() */
	void (*ready)(struct gg_watch *w, uint32_t events);
	struct gg_loop *loop;
	bool active;
};

/* A timer; embed it. Zeroed is idle. */
struct gg_timer {
	void (*fire)(struct gg_timer *t);
	int64_t due_ns; /* monotonic */
	uint32_t place; /* in the heap + 1, 0 = idle */
	struct gg_loop *loop;
};

/* Work to be done at the end of this turn, once, however often asked for; embed it. Zeroed is idle. For
 * gathering writes: many packets are queued in a turn, one send follows. */
struct gg_defer {
	void (*run)(struct gg_defer *d);
	struct gg_defer *next;
	bool queued;
};

/* Thread: the loop's, for all of these. Adding changes nothing else; removing is safe inside any callback (a
 * removed watch gets no more calls, even if it was ready in this turn). Errors: -ENOMEM, -errno of epoll_ctl.
 */
int gg_watch_add(struct gg_loop *loop, struct gg_watch *w, int fd, uint32_t events,
	void (*ready)(struct gg_watch *w, uint32_t events));
void gg_watch_set(struct gg_watch *w, uint32_t events);
void gg_watch_remove(struct gg_watch *w);
/* (Re)starts a timer; after_ns <= 0 fires in the next turn. */
int gg_timer_start(
	struct gg_loop *loop, struct gg_timer *t, int64_t after_ns, void (*fire)(struct gg_timer *t));
void gg_timer_stop(struct gg_timer *t);
void gg_defer(struct gg_loop *loop, struct gg_defer *d, void (*run)(struct gg_defer *d));
/* Forgets a queued one. */
void gg_defer_cancel(struct gg_loop *loop, struct gg_defer *d);
/* Has fn(arg) called when the loop is freed, for what waits for others and would wait in vain then; after the
 * last turn, on the thread that frees. NULL when out of memory: then it is not called. */
struct gg_parting *gg_parting_new(struct gg_loop *loop, void (*fn)(void *arg), void *arg);
/* It need not be called any more. Owner: frees it. */
void gg_parting_free(struct gg_parting *p);
/* Monotonic and UTC time, read once per turn. */
int64_t gg_loop_now(const struct gg_loop *loop);
int64_t gg_loop_utc(const struct gg_loop *loop);
bool gg_loop_is_current(const struct gg_loop *loop);

/* Runs fn(arg, number) on the loop's thread, in the order posted. Thread: any. Errors: -EAGAIN the mailbox is
 * full (counted), -ESHUTDOWN the loop has ended. */
int gg_loop_post(struct gg_loop *loop, void (*fn)(void *arg, int64_t number), void *arg, int64_t number);
/* The same for what is in no hurry (at most 5 ms): when such letters come thick and fast the loop looks for
 * them by itself instead of being woken by each. */
int gg_loop_post_lazy(struct gg_loop *loop, void (*fn)(void *arg, int64_t number), void *arg, int64_t number);
/* The same from a place that can't take no for an answer (returning ownership, shutting down): grows the
 * mailbox instead. Errors: -ESHUTDOWN, -ENOMEM. */
int gg_loop_post_sure(struct gg_loop *loop, void (*fn)(void *arg, int64_t number), void *arg, int64_t number);

#endif
