/* SPDX-License-Identifier: Apache-2.0 */
#include "core/work.h"

#include <pthread.h>
#include <sys/resource.h>

enum { MOST_WAITING = 1024, MOST_THREADS = 8 };

struct job {
	struct gg_loop *loop;
	void (*work)(void *arg);
	void (*done)(void *arg);
	void *arg;
};

static struct {
	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t changed;
	struct job jobs[MOST_WAITING]; /* a ring */
	size_t first, count;
	pthread_t threads[MOST_THREADS];
	unsigned thread_count;
	bool running;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void run_done(void *arg, int64_t number)
{
	void (*done)(void *) = (void (*)(void *))(intptr_t)number;
	done(arg);
}

static bool take(struct job *job)
{
	pthread_mutex_lock(&pool.lock);
	while (pool.running && pool.count == 0)
		pthread_cond_wait(&pool.changed, &pool.lock);
	bool got = pool.count > 0;
	if (got) {
		*job = pool.jobs[pool.first];
		pool.first = (pool.first + 1) % MOST_WAITING;
		pool.count--;
	}
	pthread_mutex_unlock(&pool.lock);
	return got;
}

static void *run(void *unused)
{
	struct job job;
	pthread_setname_np(pthread_self(), "worker");
	setpriority(PRIO_PROCESS, 0, 10); /* of this thread: what reacts goes first */
	while (take(&job)) {
		job.work(job.arg);
		if (job.done)
			gg_loop_post_sure(job.loop, run_done, job.arg, (int64_t)(intptr_t)job.done);
	}
	return unused;
}

int gg_work_start(unsigned threads)
{
	pool.running = true;
	for (pool.thread_count = 0; pool.thread_count < threads && pool.thread_count < MOST_THREADS;
		pool.thread_count++) {
		int rc = pthread_create(&pool.threads[pool.thread_count], NULL, run, NULL);
		if (rc)
			return -rc;
	}
	return 0;
}

void gg_work_stop(void)
{
	pthread_mutex_lock(&pool.lock);
	pool.running = false;
	pthread_cond_broadcast(&pool.changed);
	pthread_mutex_unlock(&pool.lock);
	for (unsigned i = 0; i < pool.thread_count; i++)
		pthread_join(pool.threads[i], NULL);
	pool.thread_count = 0;
}

int gg_work(struct gg_loop *loop, void (*work)(void *arg), void (*done)(void *arg), void *arg)
{
	pthread_mutex_lock(&pool.lock);
	int rc = !pool.running ? -ESHUTDOWN : pool.count == MOST_WAITING ? -EAGAIN : 0;
	if (rc == 0) {
		pool.jobs[(pool.first + pool.count++) % MOST_WAITING] = (struct job){loop, work, done, arg};
		pthread_cond_signal(&pool.changed);
	}
	pthread_mutex_unlock(&pool.lock);
	return rc;
}
