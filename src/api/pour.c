/* SPDX-License-Identifier: Apache-2.0 */
#include "api/pour.h"

#include "base/log.h"
#include "gateway/gateway.h"

#include <pthread.h>
#include <stdatomic.h>

/* Who reads slowly keeps a place for long; so nobody has more than his share, and one is always left for an
 * administrator. Who asks through the socket in the data folder may have all of them. */
enum { AT_ONCE = 4, OF_ONE = 2, OF_OTHERS = AT_ONCE - 1, WAITS_MAX = 1 << 20, SLICE = 128 << 10 };

struct pour {
	bool used;
	uint32_t generation; /* letters to an earlier user of the place are dropped */
	struct gg_api_call *c;
	bool of_administrator;
	char who[GG_CALLER];
	struct gg_pour_work work;
	char media[80], file[200];
	pthread_t thread;
	_Atomic bool cancelled;

	pthread_mutex_t lock; /* guards filling, told, done, status and e */
	pthread_cond_t room;
	struct gg_buf filling;
	bool told; /* the loop has a letter */
	bool done;
	int status;
	struct gg_error e;

	/* the loop's */
	bool begun;
	struct gg_buf sending;
	size_t sent;
};

static struct pour pours[AT_ONCE];

static void advance(void *arg, int64_t number);

/* ---- the thread ---- */

static void tell_loop(struct pour *p)
{
	if (p->told)
		return;
	p->told = true;
	gg_loop_post_sure(
		gg_gateway.control, advance, NULL, (int64_t)(p - pours) << 32 | (int64_t)p->generation);
}

static int take(void *arg, const void *data, size_t len)
{
	struct pour *p = arg;
	const char *from = data;
	int status = 0;
	pthread_mutex_lock(&p->lock);
	while (len && status == 0) {
		while (p->filling.len >= WAITS_MAX && !atomic_load(&p->cancelled))
			pthread_cond_wait(&p->room, &p->lock);
		size_t n = gg_min_size(len, SLICE);
		gg_buf_add(&p->filling, from, n);
		status = atomic_load(&p->cancelled) ? -ECANCELED : p->filling.error;
		tell_loop(p);
		from += n;
		len -= n;
	}
	pthread_mutex_unlock(&p->lock);
	return status;
}

static void *run(void *arg)
{
	struct pour *p = arg;
	struct gg_error e = {0};
	const struct gg_sink sink = {p, take};
	int status = p->work.run(p->work.arg, &sink, &p->cancelled, &e);
	if (status < 0 && !e.code)
		gg_error_set(&e, status, "%s", strerror(-status));
	pthread_mutex_lock(&p->lock);
	p->done = true;
	p->status = status;
	p->e = e;
	p->told = false; /* whatever letter there is may have come before this */
	tell_loop(p);
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static void cancel(struct pour *p)
{
	pthread_mutex_lock(&p->lock);
	atomic_store(&p->cancelled, true);
	pthread_cond_broadcast(&p->room);
	pthread_mutex_unlock(&p->lock);
}

/* ---- the loop ---- */

static void on_gone(void *arg, GG_UNUSED struct gg_http_request *r)
{
	cancel(arg);
}

static void flow(struct pour *p);

static void on_drained(void *arg, GG_UNUSED struct gg_http_request *r)
{
	flow(arg);
}

static const struct gg_http_stream_ops stream_ops = {on_drained, on_gone};

/* The thread has ended, nothing more comes. */
static void end(struct pour *p)
{
	pthread_join(p->thread, NULL);
	if (p->begun && p->status < 0 && p->status != -ECANCELED)
		gg_log(GG_WARN, "api", "an answer broke off", GG_S("reason", p->e.text));
	if (!p->e.code) /* it had done its work, and the API ends before the first byte is sent */
		gg_error_set(&p->e, -EAGAIN, "the gateway is ending");
	if (p->begun)
		gg_http_stream_end(p->c->r, p->status == 0);
	else
		gg_api_problem_error(p->c, &p->e);
	p->work.free(p->work.arg);
	gg_buf_done(&p->filling);
	gg_buf_done(&p->sending);
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->room);
	p->used = false;
	p->generation++;
}

static void begin_stream(struct pour *p)
{
	char disposition[240];
	p->begun = true;
	snprintf(disposition, sizeof disposition, "attachment; filename=\"%s\"", p->file);
	if (p->file[0])
		gg_http_add_header(p->c->r, "Content-Disposition", gg_str(disposition));
	gg_http_stream_begin(p->c->r, 200, p->media, &stream_ops, p);
}

/* Sends what it has. false: the client takes no more for now. */
static bool send_all(struct pour *p)
{
	while (p->sent < p->sending.len) {
		size_t n = gg_min_size(p->sending.len - p->sent, SLICE);
		int rc = gg_http_stream_write(p->c->r, gg_str_n(p->sending.p + p->sent, n));
		if (rc == -EAGAIN)
			return false;
		if (rc < 0) { /* nobody is there: what is left goes nowhere */
			cancel(p);
			p->sent = p->sending.len;
			break;
		}
		p->sent += n;
	}
	gg_buf_clear(&p->sending);
	p->sent = 0;
	return true;
}

static void flow(struct pour *p)
{
	for (;;) {
		if (p->begun && !send_all(p))
			return;
		pthread_mutex_lock(&p->lock);
		struct gg_buf full = p->filling;
		p->filling = p->sending;
		p->sending = full;
		p->told = false;
		bool done = p->done;
		bool whole = p->status == 0;
		pthread_cond_broadcast(&p->room);
		pthread_mutex_unlock(&p->lock);
		if (!p->begun && (p->sending.len || (done && whole)))
			begin_stream(p);
		if (p->sending.len)
			continue;
		if (done)
			end(p);
		return;
	}
}

static void advance(GG_UNUSED void *arg, int64_t number)
{
	struct pour *p = &pours[number >> 32];
	if (p->used && p->generation == (uint32_t)number)
		flow(p);
}

/* Errors: -EDQUOT he has his share, -EAGAIN all are taken; the call is answered then. */
static int find_place(struct gg_api_call *c, struct pour **ret_place)
{
	unsigned his = 0, others = 0;
	struct pour *place = NULL;
	for (size_t i = 0; i < AT_ONCE; i++) {
		struct pour *p = &pours[i];
		his += p->used && !c->local && strcmp(p->who, c->who) == 0;
		others += p->used && !p->of_administrator;
		if (!p->used && !place)
			place = p;
	}
	if (his >= OF_ONE) {
		gg_api_problem(c, -EDQUOT,
			"%d long answers to you are under way: read them or end them first", OF_ONE);
		return -EDQUOT;
	}
	if (!place || (c->role != GG_ROLE_ADMINISTRATOR && others >= OF_OTHERS)) {
		gg_api_problem(c, -EAGAIN, "other long answers are under way: try again in a moment");
		return -EAGAIN;
	}
	*ret_place = place;
	return 0;
}

void gg_api_pour(struct gg_api_call *c, const struct gg_pour_work *work)
{
	struct pour *p = NULL;
	if (find_place(c, &p) < 0) {
		work->free(work->arg);
		return;
	}
	*p = (struct pour){.used = true,
		.generation = p->generation,
		.c = c,
		.of_administrator = c->role == GG_ROLE_ADMINISTRATOR,
		.work = *work,
		.filling = GG_BUF(WAITS_MAX + SLICE),
		.sending = GG_BUF(WAITS_MAX + SLICE)};
	gg_str_copy(p->who, sizeof p->who, gg_str(c->who));
	snprintf(p->media, sizeof p->media, "%s", work->media);
	snprintf(p->file, sizeof p->file, "%s", work->file ? work->file : "");
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->room, NULL);
	int rc = pthread_create(&p->thread, NULL, run, p);
	if (rc == 0) {
		gg_http_on_gone(c->r, on_gone, p);
		return;
	}
	p->used = false;
	work->free(work->arg);
	gg_api_problem(c, -EAGAIN, "no thread for it: %s", strerror(rc));
}

/* What waits for a client that does not read would keep its connection: no loop turns any more. */
static void hang_up(struct pour *p)
{
	struct gg_stream *s = (struct gg_stream *)(uintptr_t)gg_http_stream(p->c->r);
	if (s && p->begun)
		gg_stream_close(s, /* flush= */ false, "the API ends");
}

void gg_api_pour_stop(void)
{
	for (size_t i = 0; i < AT_ONCE; i++)
		if (pours[i].used)
			cancel(&pours[i]);
	for (size_t i = 0; i < AT_ONCE; i++)
		if (pours[i].used)
			hang_up(&pours[i]);
	for (size_t i = 0; i < AT_ONCE; i++)
		if (pours[i].used)
			end(&pours[i]);
}
