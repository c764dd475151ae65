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

int gg_mailbox_send(struct gg_mailbox *m, const struct gg_letter *letter, bool sure)
{
	pthread_mutex_lock(&m->lock);
	bool first = m->in.count == 0;
	int rc = m->closed ? -ESHUTDOWN : m->in.count >= m->max && !sure ? -EAGAIN : add(&m->in, letter);
	pthread_mutex_unlock(&m->lock);
	if (rc == -EAGAIN)
		atomic_fetch_add(&m->refused, 1);
	if (rc == 0 && first) {
		uint64_t one = 1;
		while (write(m->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
			;
	}
	return rc;
}

struct gg_letters *gg_mailbox_take(struct gg_mailbox *m)
{
	uint64_t count;
	if (read(m->wake_fd, &count, sizeof count) < 0 && errno != EAGAIN)
		return &m->out;
	m->out.count = 0;
	pthread_mutex_lock(&m->lock);
	struct gg_letters full = m->in;
	m->in = m->out;
	m->out = full;
	pthread_mutex_unlock(&m->lock);
	return &m->out;
}

void gg_mailbox_close(struct gg_mailbox *m)
{
	pthread_mutex_lock(&m->lock);
	m->closed = true;
	pthread_mutex_unlock(&m->lock);
}
