/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bounded mailbox: many threads send, one takes all at once. A mutex, an array and an eventfd that is
 * written only when the first letter arrives; the taker swaps the array for its empty one, so that each side
 * keeps its memory and nothing is allocated per letter. Thread: send from any; take from one.
 */
#ifndef GG_CORE_MAILBOX_H
#define GG_CORE_MAILBOX_H

#include "base/base.h"

#include <pthread.h>
#include <stdatomic.h>

struct gg_letter {
	void (*fn)(void *arg, int64_t number);
	void *arg;
	int64_t number;
};

struct gg_letters {
	struct gg_letter *items;
	size_t count, cap;
};

struct gg_mailbox {
	pthread_mutex_t lock; /* guards in, closed */
	struct gg_letters in;
	struct gg_letters out; /* the taker's */
	size_t max;
	bool closed;
	int wake_fd;
	_Atomic uint64_t refused; /* letters that found it full */
};

/* Errors: -errno of eventfd. */
int gg_mailbox_init(struct gg_mailbox *m, size_t max);
void gg_mailbox_done(struct gg_mailbox *m);
/* sure: may exceed the maximum (returning ownership). Errors: -EAGAIN full, -ESHUTDOWN closed, -ENOMEM. */
int gg_mailbox_send(struct gg_mailbox *m, const struct gg_letter *letter, bool sure);
/* All that has come; valid until the next take. Clears the eventfd. */
struct gg_letters *gg_mailbox_take(struct gg_mailbox *m);
/* From now on nobody can send. */
void gg_mailbox_close(struct gg_mailbox *m);

#endif
