/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bounded mailbox: many threads send, one takes all at once. A mutex, an array and an eventfd, written
 * only when the taker does not know yet that something has come; the taker swaps the array for its empty one,
 * so that each side keeps its memory and nothing is allocated per letter. The eventfd is watched
 * edge-triggered and never read.
 *
 * A lazy letter does not wake a taker that has said it will look again soon (ticking).
 * Thread: send from any; take from one.
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
	pthread_mutex_t lock; /* guards in, closed, told, lazy, ticking */
	struct gg_letters in;
	struct gg_letters out; /* the taker's */
	size_t max;
	bool closed;
	_Atomic bool told; /* something has come since the last take, and the taker knows */
	bool lazy;         /* a lazy letter has come since the last take */
	bool ticking;      /* the taker looks by itself */
	int wake_fd;
	_Atomic uint64_t refused; /* letters that found it full */
};

/* Errors: -errno of eventfd. */
int gg_mailbox_init(struct gg_mailbox *m, size_t max);
void gg_mailbox_done(struct gg_mailbox *m);
enum gg_mail { GG_MAIL_USUAL, GG_MAIL_LAZY, GG_MAIL_SURE /* may exceed the maximum: returning ownership */ };

/* own: the sender is the taker, who looks at `told` before it sleeps and needs no wake-up. Errors: -EAGAIN
 * full, -ESHUTDOWN closed, -ENOMEM. */
int gg_mailbox_send(struct gg_mailbox *m, const struct gg_letter *letter, enum gg_mail how, bool own);
/* More than half is taken. */
bool gg_mailbox_is_crowded(struct gg_mailbox *m);
/* All that has come; valid until the next take. *ret_lazy: a lazy letter was among it, so look again soon. */
struct gg_letters *gg_mailbox_take(struct gg_mailbox *m, bool *ret_lazy);
/* The taker will (not) look again by itself. Returns false when it must not stop: something has come. */
bool gg_mailbox_tick(struct gg_mailbox *m, bool ticking);
/* From now on nobody can send. */
void gg_mailbox_close(struct gg_mailbox *m);

#endif
