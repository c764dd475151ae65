/* SPDX-License-Identifier: Apache-2.0 */
#include "core/loop.h"
#include "core/mailbox.h"

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { EVENTS_PER_TURN = 256, ROUNDS = 4 /* of letters, in a turn */ };

struct gg_loop {
	int epoll_fd;
	char name[16];
	struct gg_mailbox mailbox;
	struct gg_timer **heap; /* the soonest first; children of i are 2i+1, 2i+2 */
	size_t timers, heap_cap;
	struct gg_defer *deferred, **deferred_end;
	struct gg_parting *partings;
	struct gg_timer lazy; /* looks for lazy letters */
	struct epoll_event ready[EVENTS_PER_TURN];
	int ready_count, ready_at; /* so that a removed watch can be struck out of this turn */
	int64_t now_ns, utc_ns;
	int credit; /* of looking for letters before sleeping */
	int nice;
	bool prompt;
	_Atomic int64_t busy_since;
	pthread_t thread;
	bool started, ending;
};

static _Thread_local struct gg_loop *current;

static void read_clocks(struct gg_loop *loop)
{
	loop->now_ns = gg_clock_monotonic(&gg_clock_system);
	loop->utc_ns = gg_clock_utc(&gg_clock_system);
}

struct gg_loop *gg_loop_new(const char *name, size_t mailbox_max)
{
	struct gg_loop *loop = calloc(1, sizeof *loop);
	if (!loop)
		return NULL;
	gg_str_copy(loop->name, sizeof loop->name, gg_str(name));
	loop->deferred_end = &loop->deferred;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0 || gg_mailbox_init(&loop->mailbox, mailbox_max) < 0) {
		gg_loop_free(loop);
		return NULL;
	}
	struct epoll_event wake = {.events = EPOLLIN | EPOLLET, .data.ptr = NULL};
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->mailbox.wake_fd, &wake);
	read_clocks(loop);
	return loop;
}

struct gg_parting {
	struct gg_parting *next, **at;
	void (*fn)(void *arg);
	void *arg;
};

struct gg_parting *gg_parting_new(struct gg_loop *loop, void (*fn)(void *arg), void *arg)
{
	struct gg_parting *p = malloc(sizeof *p);
	if (!p)
		return NULL;
	*p = (struct gg_parting){loop->partings, &loop->partings, fn, arg};
	if (p->next)
		p->next->at = &p->next;
	loop->partings = p;
	return p;
}

void gg_parting_free(struct gg_parting *p)
{
	if (!p)
		return;
	*p->at = p->next;
	if (p->next)
		p->next->at = p->at;
	free(p);
}

void gg_loop_free(struct gg_loop *loop)
{
	if (!loop)
		return;
	while (loop->partings) {
		struct gg_parting p = *loop->partings;
		gg_parting_free(loop->partings);
		p.fn(p.arg);
	}
	gg_mailbox_done(&loop->mailbox);
	if (loop->epoll_fd >= 0)
		close(loop->epoll_fd);
	free(loop->heap);
	free(loop);
}

const char *gg_loop_name(const struct gg_loop *loop)
{
	return loop->name;
}

uint64_t gg_loop_refused(const struct gg_loop *loop)
{
	return atomic_load(&loop->mailbox.refused);
}

bool gg_loop_is_crowded(struct gg_loop *loop)
{
	return gg_mailbox_is_crowded(&loop->mailbox);
}

int64_t gg_loop_busy_since(const struct gg_loop *loop)
{
	return atomic_load(&loop->busy_since);
}

int64_t gg_loop_now(const struct gg_loop *loop)
{
	return loop->now_ns;
}

int64_t gg_loop_utc(const struct gg_loop *loop)
{
	return loop->utc_ns;
}

bool gg_loop_is_current(const struct gg_loop *loop)
{
	return current == loop;
}

/* ---- watches ---- */

int gg_watch_add(struct gg_loop *loop, struct gg_watch *w, int fd, uint32_t events,
	void (*ready)(struct gg_watch *w, uint32_t events))
{
	struct epoll_event e = {.events = events, .data.ptr = w};
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0)
		return -errno;
	*w = (struct gg_watch){fd, events, ready, loop, true};
	return 0;
}

void gg_watch_set(struct gg_watch *w, uint32_t events)
{
	if (!w->active || w->events == events)
		return;
	struct epoll_event e = {.events = events, .data.ptr = w};
	w->events = events;
	epoll_ctl(w->loop->epoll_fd, EPOLL_CTL_MOD, w->fd, &e);
}

void gg_watch_remove(struct gg_watch *w)
{
	if (!w->active)
		return;
	struct gg_loop *loop = w->loop;
	w->active = false;
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
	for (int i = loop->ready_at; i < loop->ready_count; i++)
		if (loop->ready[i].data.ptr == w)
			loop->ready[i].events = 0;
}

static void run_watches(struct gg_loop *loop)
{
	for (loop->ready_at = 0; loop->ready_at < loop->ready_count; loop->ready_at++) {
		struct epoll_event *e = &loop->ready[loop->ready_at];
		struct gg_watch *w = e->data.ptr;
		if (w && e->events)
			w->ready(w, e->events);
	}
	loop->ready_count = 0;
}

/* ---- timers ---- */

static void place(struct gg_loop *loop, size_t i, struct gg_timer *t)
{
	loop->heap[i] = t;
	t->place = (uint32_t)i + 1;
}

static void sift(struct gg_loop *loop, size_t i)
{
	struct gg_timer *t = loop->heap[i];
	for (; i > 0 && loop->heap[(i - 1) / 2]->due_ns > t->due_ns; i = (i - 1) / 2)
		place(loop, i, loop->heap[(i - 1) / 2]);
	for (size_t child; (child = 2 * i + 1) < loop->timers; i = child) {
		if (child + 1 < loop->timers && loop->heap[child + 1]->due_ns < loop->heap[child]->due_ns)
			child++;
		if (loop->heap[child]->due_ns >= t->due_ns)
			break;
		place(loop, i, loop->heap[child]);
	}
	place(loop, i, t);
}

int gg_timer_start(
	struct gg_loop *loop, struct gg_timer *t, int64_t after_ns, void (*fire)(struct gg_timer *t))
{
	t->fire = fire;
	t->loop = loop;
	t->due_ns = loop->now_ns + (after_ns > 0 ? after_ns : 0);
	if (!t->place) {
		if (loop->timers == loop->heap_cap) {
			size_t cap = loop->heap_cap ? loop->heap_cap * 2 : 32;
			struct gg_timer **heap = realloc(loop->heap, cap * sizeof *heap);
			if (!heap)
				return -ENOMEM;
			loop->heap = heap;
			loop->heap_cap = cap;
		}
		place(loop, loop->timers++, t);
	}
	sift(loop, t->place - 1);
	return 0;
}

void gg_timer_stop(struct gg_timer *t)
{
	if (!t->place)
		return;
	struct gg_loop *loop = t->loop;
	size_t at = t->place - 1;
	struct gg_timer *last = loop->heap[--loop->timers];
	t->place = 0;
	if (last != t) {
		place(loop, at, last);
		sift(loop, at);
	}
}

static void run_timers(struct gg_loop *loop)
{
	/* A timer that restarts itself at once comes up in the next turn: what is due is fixed by now_ns. */
	for (size_t most = loop->timers; most && loop->timers && loop->heap[0]->due_ns <= loop->now_ns;
		most--) {
		struct gg_timer *t = loop->heap[0];
		gg_timer_stop(t);
		t->fire(t);
	}
}

/* ---- deferred work ---- */

void gg_defer(struct gg_loop *loop, struct gg_defer *d, void (*run)(struct gg_defer *d))
{
	d->run = run;
	if (d->queued)
		return;
	d->queued = true;
	d->next = NULL;
	*loop->deferred_end = d;
	loop->deferred_end = &d->next;
}

void gg_defer_cancel(struct gg_loop *loop, struct gg_defer *d)
{
	if (!d->queued)
		return;
	struct gg_defer **at = &loop->deferred;
	while (*at && *at != d)
		at = &(*at)->next;
	if (*at == d) {
		*at = d->next;
		if (loop->deferred_end == &d->next)
			loop->deferred_end = at;
	}
	d->queued = false;
}

static void run_deferred(struct gg_loop *loop)
{
	for (struct gg_defer *d; (d = loop->deferred);) {
		loop->deferred = d->next;
		if (!loop->deferred)
			loop->deferred_end = &loop->deferred;
		d->queued = false;
		d->run(d);
	}
}

/* ---- letters ---- */

static const int64_t lazy_ns = 5 * GG_NS_PER_MS;

int gg_loop_post(struct gg_loop *loop, void (*fn)(void *arg, int64_t number), void *arg, int64_t number)
{
	return gg_mailbox_send(
		&loop->mailbox, &(struct gg_letter){fn, arg, number}, GG_MAIL_USUAL, current == loop);
}

int gg_loop_post_lazy(struct gg_loop *loop, void (*fn)(void *arg, int64_t number), void *arg, int64_t number)
{
	return gg_mailbox_send(
		&loop->mailbox, &(struct gg_letter){fn, arg, number}, GG_MAIL_LAZY, current == loop);
}

int gg_loop_post_sure(struct gg_loop *loop, void (*fn)(void *arg, int64_t number), void *arg, int64_t number)
{
	return gg_mailbox_send(
		&loop->mailbox, &(struct gg_letter){fn, arg, number}, GG_MAIL_SURE, current == loop);
}

static void look_for_lazy(struct gg_timer *t);

static bool has_letters(const struct gg_loop *loop)
{
	return atomic_load_explicit(&loop->mailbox.told, memory_order_acquire);
}

static void run_letters(struct gg_loop *loop)
{
	bool lazy;
	struct gg_letters *letters = gg_mailbox_take(&loop->mailbox, &lazy);
	for (size_t i = 0; i < letters->count; i++)
		letters->items[i].fn(letters->items[i].arg, letters->items[i].number);
	if (lazy && !loop->lazy.place && gg_timer_start(loop, &loop->lazy, lazy_ns, look_for_lazy) == 0)
		gg_mailbox_tick(&loop->mailbox, true);
}

static void look_for_lazy(struct gg_timer *t)
{
	struct gg_loop *loop = GG_CONTAINER(t, struct gg_loop, lazy);
	if (!gg_mailbox_tick(&loop->mailbox, false))
		run_letters(loop);
	if (!t->place && !gg_mailbox_tick(&loop->mailbox, false))
		gg_timer_start(loop, t, lazy_ns, look_for_lazy);
}

static void set_ending(void *arg, int64_t number)
{
	(void)number;
	((struct gg_loop *)arg)->ending = true;
}

void gg_loop_end(struct gg_loop *loop)
{
	gg_loop_post_sure(loop, set_ending, loop, 0);
}

/* ---- running ---- */

/* How long to sleep; -1: until something comes. */
static int64_t wait_ns(const struct gg_loop *loop, int64_t max_wait_ns)
{
	int64_t wait = max_wait_ns;
	if (loop->deferred || has_letters(loop))
		wait = 0;
	if (loop->timers) {
		int64_t until = loop->heap[0]->due_ns - gg_clock_monotonic(&gg_clock_system);
		until = until > 0 ? until : 0;
		wait = wait < 0 || until < wait ? until : wait;
	}
	return wait < 0 ? -1 : wait;
}

/* Exact to the timer slack of the thread (50 us). A kernel before 5.11 knows milliseconds only: rounded up,
 * for waking before a timer is due would only turn once more. */
static int sleep_ready(struct gg_loop *loop, int64_t wait)
{
	static _Atomic bool no_pwait2;
	if (wait > 0 && !atomic_load_explicit(&no_pwait2, memory_order_relaxed)) {
		const struct timespec t = {wait / GG_NS_PER_S, wait % GG_NS_PER_S};
		int n = epoll_pwait2(loop->epoll_fd, loop->ready, EVENTS_PER_TURN, &t, NULL);
		if (n >= 0 || (errno != ENOSYS && errno != EPERM))
			return n;
		atomic_store(&no_pwait2, true);
	}
	int64_t up = wait < 0 ? -1 : (wait + GG_NS_PER_MS - 1) / GG_NS_PER_MS;
	int ms = up > INT_MAX ? INT_MAX : (int)up; /* 24 days, and then once more */
	return epoll_wait(loop->epoll_fd, loop->ready, EVENTS_PER_TURN, ms);
}

static inline void pause_briefly(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

static const int64_t look_ns = 70 * GG_NS_PER_US;

/* Looks at the mailbox for a moment; true when a letter has come. */
static bool look(struct gg_loop *loop)
{
	for (int64_t end = gg_clock_monotonic(&gg_clock_system) + look_ns;;) {
		for (int i = 0; i < 20; i++) {
			if (has_letters(loop))
				return true;
			pause_briefly();
		}
		if (gg_clock_monotonic(&gg_clock_system) > end)
			return false;
	}
}

/* epoll_wait, with a look before it when that has paid lately. */
static int wait_ready(struct gg_loop *loop, int64_t timeout)
{
	if (timeout == 0 || loop->credit <= 0) {
		int64_t began = gg_clock_monotonic(&gg_clock_system);
		int n = sleep_ready(loop, timeout);
		if (timeout && n == 1 && !loop->ready[0].data.ptr &&
			gg_clock_monotonic(&gg_clock_system) - began < look_ns)
			loop->credit = loop->credit < 4 ? loop->credit + 2 : loop->credit;
		return n;
	}
	loop->credit += look(loop) ? loop->credit < 4 : -1;
	int n = epoll_wait(loop->epoll_fd, loop->ready, EVENTS_PER_TURN, 0);
	return n ? n : sleep_ready(loop, timeout);
}

void gg_loop_set_nice(struct gg_loop *loop, int nice)
{
	loop->nice = nice;
}

void gg_loop_set_prompt(struct gg_loop *loop)
{
	loop->prompt = true;
}

/* struct sched_attr of <linux/sched/types.h>, which cannot be included beside <sched.h>. */
struct sched_attr_first {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

/* A kernel that does not know slices of ordinary threads takes no notice. */
static void ask_for_short_slice(int nice)
{
	struct sched_attr_first a = {
		.size = sizeof a, .policy = SCHED_OTHER, .nice = nice, .runtime = 100 * GG_NS_PER_US};
	syscall(SYS_sched_setattr, 0, &a, 0);
}

void gg_loop_turn(struct gg_loop *loop, int64_t max_wait_ns)
{
	struct gg_loop *outer = current;
	current = loop;
	int64_t timeout = wait_ns(loop, max_wait_ns);
	atomic_store_explicit(&loop->busy_since, 0, memory_order_relaxed);
	int n = wait_ready(loop, timeout);
	read_clocks(loop);
	atomic_store_explicit(&loop->busy_since, loop->now_ns, memory_order_relaxed);
	loop->ready_count = n > 0 ? n : 0;
	loop->ready_at = 0;
	run_timers(loop);
	run_watches(loop);
	/* Letters to itself are answered within the turn, so that a chain of them is one wake-up. */
	for (int i = 0; i < ROUNDS && has_letters(loop); i++)
		run_letters(loop);
	run_deferred(loop);
	current = outer;
}

void gg_loop_run(struct gg_loop *loop)
{
	if (loop->nice)
		setpriority(PRIO_PROCESS, 0, loop->nice); /* on Linux: of this thread */
	if (loop->prompt)
		ask_for_short_slice(loop->nice);
	current = loop;
	while (!loop->ending)
		gg_loop_turn(loop, -1);
	gg_mailbox_close(&loop->mailbox);
	run_letters(loop); /* what was sent before the door closed */
	run_deferred(loop);
}

static void *run_thread(void *arg)
{
	/* Not in gg_loop_run(): the main thread's name is the process's, by which people look for it. */
	pthread_setname_np(pthread_self(), ((struct gg_loop *)arg)->name);
	gg_loop_run(arg);
	return NULL;
}

int gg_loop_start(struct gg_loop *loop)
{
	int rc = pthread_create(&loop->thread, NULL, run_thread, loop);
	loop->started = rc == 0;
	return -rc;
}

void gg_loop_join(struct gg_loop *loop)
{
	if (loop && loop->started)
		pthread_join(loop->thread, NULL);
	if (loop)
		loop->started = false;
}

struct call {
	void (*fn)(void *arg, int64_t number);
	void *arg;
	pthread_mutex_t lock; /* guards done */
	pthread_cond_t changed;
	bool done;
};

static void run_call(void *arg, int64_t number)
{
	struct call *c = arg;
	c->fn(c->arg, number);
	pthread_mutex_lock(&c->lock);
	c->done = true;
	pthread_cond_signal(&c->changed);
	pthread_mutex_unlock(&c->lock);
}

void gg_loop_call(struct gg_loop *loop, void (*fn)(void *arg, int64_t number), void *arg, int64_t number)
{
	if (current == loop || !loop->started) { /* before its start nobody else is there */
		fn(arg, number);
		return;
	}
	struct call c = {fn, arg, PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};
	if (gg_loop_post_sure(loop, run_call, &c, number) < 0) {
		fn(arg, number); /* the loop has ended: nobody else is there any more */
		return;
	}
	pthread_mutex_lock(&c.lock);
	while (!c.done)
		pthread_cond_wait(&c.changed, &c.lock);
	pthread_mutex_unlock(&c.lock);
}
