/* SPDX-License-Identifier: Apache-2.0 */
#include "core/mailbox.h"

#include <sys/eventfd.h>
#include <unistd.h>

int gg_mailbox_init(struct gg_mailbox *m, size_t max)
{
	*m = (struct gg_mailbox){.max = max};
	m->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (m->wake_fd < 0)
		return -errno;
	pthread_mutex_init(&m->lock, NULL);
	return 0;
}

void gg_mailbox_done(struct gg_mailbox *m)
{
	if (m->wake_fd <= 0)
		return;
	close(m->wake_fd);
	m->wake_fd = 0;
	pthread_mutex_destroy(&m->lock);
	free(m->in.items);
	free(m->out.items);
}

static int add(struct gg_letters *l, const struct gg_letter *letter)
{
	if (l->count == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 64;
		struct gg_letter *items = realloc(l->items, cap * sizeof *items);
		if (!items)
			return -ENOMEM;
		l->items = items;
		l->cap = cap;
	}
	l->items[l->count++] = *letter;
	return 0;
}

int gg_mailbox_send(struct gg_mailbox *m, const struct gg_letter *letter, enum gg_mail how, bool own)
{
	pthread_mutex_lock(&m->lock);
	bool full = m->in.count >= m->max && how != GG_MAIL_SURE;
	int rc = m->closed ? -ESHUTDOWN : full ? -EAGAIN : add(&m->in, letter);
	bool wake = rc == 0 && !m->told && !(how == GG_MAIL_LAZY && m->ticking);
	if (wake)
		atomic_store_explicit(&m->told, true, memory_order_release);
	m->lazy |= how == GG_MAIL_LAZY;
	pthread_mutex_unlock(&m->lock);
	if (rc == -EAGAIN)
		atomic_fetch_add(&m->refused, 1);
	if (wake && !own) {
		uint64_t one = 1;
		while (write(m->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
			;
	}
	return rc;
}

bool gg_mailbox_is_crowded(struct gg_mailbox *m)
{
	pthread_mutex_lock(&m->lock);
	bool crowded = m->in.count > m->max / 2;
	pthread_mutex_unlock(&m->lock);
	return crowded;
}

struct gg_letters *gg_mailbox_take(struct gg_mailbox *m, bool *ret_lazy)
{
	m->out.count = 0;
	pthread_mutex_lock(&m->lock);
	struct gg_letters full = m->in;
	m->in = m->out;
	m->out = full;
	*ret_lazy = m->lazy;
	m->told = false;
	m->lazy = false;
	pthread_mutex_unlock(&m->lock);
	return &m->out;
}

bool gg_mailbox_tick(struct gg_mailbox *m, bool ticking)
{
	pthread_mutex_lock(&m->lock);
	bool done = ticking || m->in.count == 0;
	if (done)
		m->ticking = ticking;
	pthread_mutex_unlock(&m->lock);
	return done;
}

void gg_mailbox_close(struct gg_mailbox *m)
{
	pthread_mutex_lock(&m->lock);
	m->closed = true;
	pthread_mutex_unlock(&m->lock);
}
