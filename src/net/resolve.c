/* SPDX-License-Identifier: Apache-2.0 */
#include "net/resolve.h"

#include "base/str.h"

#include <pthread.h>
#include <time.h>

enum { THREADS_MAX = 4, WAITING_MAX = 256, IDLE_SECONDS = 10 };

struct gg_resolve {
	struct gg_resolve *next;
	struct gg_loop *loop; /* NULL = cancelled; guarded by queue_lock */
	void (*found)(void *arg, struct addrinfo *list, const char *reason);
	void *arg;
	struct addrinfo *list;
	int rc;
	bool posted; /* guarded by queue_lock: the loop has it */
	char port[8];
	char host[256];
};

static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t queue_grew = PTHREAD_COND_INITIALIZER;
static struct gg_resolve *queue, **queue_end = &queue;
static unsigned waiting, threads, idle;

static void drop(struct gg_resolve *r)
{
	if (r->list)
		freeaddrinfo(r->list);
	free(r);
}

static void tell(void *arg, int64_t number)
{
	struct gg_resolve *r = arg;
	(void)number;
	pthread_mutex_lock(&queue_lock);
	bool cancelled = r->loop == NULL;
	pthread_mutex_unlock(&queue_lock);
	if (!cancelled)
		r->found(r->arg, GG_TAKE(r->list), r->rc ? gai_strerror(r->rc) : NULL);
	drop(r);
}

/* Takes the first; NULL when none came for a while. queue_lock is held. */
static struct gg_resolve *take(void)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += IDLE_SECONDS;
	idle++;
	while (!queue && pthread_cond_timedwait(&queue_grew, &queue_lock, &until) == 0)
		;
	idle--;
	struct gg_resolve *r = queue;
	if (!r)
		return NULL;
	queue = r->next;
	if (!queue)
		queue_end = &queue;
	waiting--;
	return r;
}

static void *work(void *unused)
{
	static const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
	pthread_mutex_lock(&queue_lock);
	for (struct gg_resolve *r; (r = take());) {
		pthread_mutex_unlock(&queue_lock);
		r->rc = getaddrinfo(r->host, r->port, &hints, &r->list);
		pthread_mutex_lock(&queue_lock);
		/* While the lock is held, nobody cancels; so the loop is there. */
		r->posted = r->loop != NULL;
		if (!r->posted || gg_loop_post_sure(r->loop, tell, r, 0) < 0)
			drop(r);
	}
	threads--;
	pthread_mutex_unlock(&queue_lock);
	return unused;
}

static int start_thread(void)
{
	pthread_attr_t attr;
	pthread_t thread;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, 256 << 10);
	int rc = pthread_create(&thread, &attr, work, NULL);
	pthread_attr_destroy(&attr);
	return rc;
}

int gg_resolve_start(struct gg_loop *loop, const char *host, uint16_t port,
	void (*found)(void *arg, struct addrinfo *list, const char *reason), void *arg,
	struct gg_resolve **ret_resolve)
{
	struct gg_resolve *r = calloc(1, sizeof *r);
	if (!r)
		return -ENOMEM;
	r->loop = loop;
	r->found = found;
	r->arg = arg;
	gg_str_copy(r->host, sizeof r->host, gg_str(host));
	snprintf(r->port, sizeof r->port, "%u", port);
	pthread_mutex_lock(&queue_lock);
	bool room = waiting < WAITING_MAX;
	if (room && idle <= waiting && threads < THREADS_MAX && start_thread() == 0)
		threads++;
	if (!room || threads == 0) {
		pthread_mutex_unlock(&queue_lock);
		free(r);
		return -EAGAIN;
	}
	*queue_end = r;
	queue_end = &r->next;
	waiting++;
	pthread_cond_signal(&queue_grew);
	pthread_mutex_unlock(&queue_lock);
	*ret_resolve = r;
	return 0;
}

void gg_resolve_cancel(struct gg_resolve *r)
{
	if (!r)
		return;
	pthread_mutex_lock(&queue_lock);
	r->loop = NULL;
	pthread_mutex_unlock(&queue_lock);
}
