/* SPDX-License-Identifier: Apache-2.0 */
#include "app/teller.h"
#include "base/clock.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

enum { MOST_BYTES = 1 << 20, END_MS = 500 };

static struct {
	pthread_mutex_t lock; /* guards all */
	pthread_cond_t wake, idle;
	pthread_t thread;
	struct gg_buf waiting;
	uint64_t left_out; /* lines */
	bool started, busy, stop;
} teller = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

static void write_all(struct gg_str s)
{
	while (s.len) {
		ssize_t n = write(STDOUT_FILENO, s.p, s.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return; /* whoever read has gone */
		s.p += n;
		s.len -= (size_t)n;
	}
}

static void *run(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&teller.lock);
	while (!teller.stop || teller.waiting.len) {
		if (!teller.waiting.len) {
			pthread_cond_wait(&teller.wake, &teller.lock);
			continue;
		}
		struct gg_buf text = teller.waiting;
		teller.waiting = GG_BUF(MOST_BYTES);
		teller.busy = true;
		pthread_mutex_unlock(&teller.lock);
		write_all(gg_buf_view(&text));
		gg_buf_done(&text);
		pthread_mutex_lock(&teller.lock);
		teller.busy = false;
		pthread_cond_signal(&teller.idle);
	}
	pthread_mutex_unlock(&teller.lock);
	return NULL;
}

int gg_teller_start(void)
{
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&teller.idle, &attr);
	pthread_condattr_destroy(&attr);
	teller.waiting = GG_BUF(MOST_BYTES);
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the main thread */
	int rc = -pthread_create(&teller.thread, NULL, run, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	teller.started = rc == 0;
	return rc;
}

void gg_teller_say(struct gg_str text)
{
	pthread_mutex_lock(&teller.lock);
	bool fits = teller.started && teller.waiting.len + text.len + 64 <= MOST_BYTES;
	if (fits && teller.left_out) {
		gg_buf_printf(&teller.waiting, "(%llu lines were left out: nobody took them)\n",
			(unsigned long long)teller.left_out);
		teller.left_out = 0;
	}
	if (fits)
		gg_buf_str(&teller.waiting, text);
	else
		teller.left_out++;
	pthread_cond_signal(&teller.wake);
	pthread_mutex_unlock(&teller.lock);
}

/* The thread of a terminal that is still stopped ends with the process. */
void gg_teller_end(void)
{
	int64_t due = gg_clock_monotonic(&gg_clock_system) + END_MS * GG_NS_PER_MS;
	struct timespec until = {due / GG_NS_PER_S, due % GG_NS_PER_S};
	if (!teller.started)
		return;
	pthread_mutex_lock(&teller.lock);
	while (teller.busy || teller.waiting.len)
		if (pthread_cond_timedwait(&teller.idle, &teller.lock, &until) == ETIMEDOUT)
			break;
	bool done = !teller.busy && !teller.waiting.len;
	teller.stop = true;
	teller.started = false;
	pthread_cond_signal(&teller.wake);
	pthread_mutex_unlock(&teller.lock);
	if (done)
		pthread_join(teller.thread, NULL);
	else
		pthread_detach(teller.thread);
}
