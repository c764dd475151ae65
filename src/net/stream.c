/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Life and reading of a stream; output.c has the other way. See stream.h for the contract.
 *
 * Reading goes into a scratch page of the thread and straight to the handler; a stream has an input buffer of
 * its own only while the handler has left something. So an idle connection holds no buffer at all.
 *
 * Nothing is freed and no closed() called from within a call of the user: ending marks the stream, and its
 * deferred work at the end of the turn does the rest. Thus a handler may close any stream anywhere.
 *
 *   todo DELIVER ─▶ data() again for what was left   (resume, new handler)
 *   todo FLUSH   ─▶ one send of all that was queued in this turn
 *   todo DIE     ─▶ closed(), free
 */
#include "base/log.h"
#include "net/stream_private.h"

#include <sys/ioctl.h>
#include <unistd.h>

enum {
	SCRATCH_BYTES = 64 << 10,
	INPUT_BYTES = 64 << 10,
	INPUT_FIRST_BYTES = 512,
	OUTPUT_BYTES = 1 << 20,
};

#define CONNECT_TIMEOUT_NS (10 * GG_NS_PER_S)
#define FLUSH_TIMEOUT_NS   (5 * GG_NS_PER_S)
#define LINGER_TIMEOUT_NS  (2 * GG_NS_PER_S)

static _Thread_local uint8_t scratch[SCRATCH_BYTES];

static void read_some(struct gg_stream *s);
static void on_event(struct gg_watch *w, uint32_t events);
static void on_timer(struct gg_timer *t);
static void run_todo(struct gg_defer *d);

struct gg_stream *gg_stream_new(struct gg_loop *loop, const struct gg_stream_limits *limits)
{
	static const struct gg_stream_limits none;
	struct gg_stream *s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	limits = limits ? limits : &none;
	s->loop = loop;
	s->fd = -1;
	s->in_max = limits->input_bytes ? limits->input_bytes : INPUT_BYTES;
	s->out_max = limits->output_bytes ? limits->output_bytes : OUTPUT_BYTES;
	s->timeout_ns = limits->connect_timeout_ns ? limits->connect_timeout_ns : CONNECT_TIMEOUT_NS;
	return s;
}

void gg_stream_discard(struct gg_stream *s)
{
	if (!s)
		return;
	gg_connecting_cancel(s);
	gg_watch_remove(&s->watch);
	gg_timer_stop(&s->timer);
	gg_defer_cancel(s->loop, &s->work);
	while (s->layer) {
		struct gg_layer *l = s->layer;
		s->layer = l->below;
		l->ops->free(l);
	}
	if (s->fd >= 0)
		close(s->fd);
	if (s->listener)
		gg_listener_lost(s);
	free(s->in);
	free(s->out);
	free(s->peer);
	free(s->reason);
	free(s->counted);
	free(s);
}

int gg_stream_attach(struct gg_stream *s, uint32_t events)
{
	int rc = gg_watch_add(s->loop, &s->watch, s->fd, events, on_event);
	if (rc == 0 && s->state < GG_STREAM_OPEN)
		rc = gg_stream_timer(s, s->timeout_ns);
	return rc;
}

int gg_stream_timer(struct gg_stream *s, int64_t after_ns)
{
	return gg_timer_start(s->loop, &s->timer, after_ns, on_timer);
}

void gg_stream_todo(struct gg_stream *s, uint8_t bits)
{
	s->todo |= bits;
	gg_defer(s->loop, &s->work, run_todo);
}

void gg_stream_set_reason(struct gg_stream *s, const char *reason)
{
	if (!s->reason && reason)
		s->reason = gg_str_dup(gg_str(reason));
}

/* ---- the state and what epoll is to tell us ---- */

static void update_events(struct gg_stream *s)
{
	uint32_t events = 0;
	if (s->state == GG_STREAM_HANDSHAKE)
		events = s->layer && s->layer->wants ? s->layer->wants : EPOLLIN;
	else if (s->state == GG_STREAM_OPEN && !s->paused && !s->ended && s->in_len < s->in_max)
		events = EPOLLIN;
	else if (s->state == GG_STREAM_LINGERING)
		events = EPOLLIN;
	if (s->blocked && (s->state == GG_STREAM_OPEN || s->state == GG_STREAM_FLUSHING))
		events |= EPOLLOUT;
	if (s->hung && (events & EPOLLIN) && gg_watch_add(s->loop, &s->watch, s->fd, events, on_event) == 0)
		s->hung = false;
	gg_watch_set(&s->watch, events);
}

static void die(struct gg_stream *s)
{
	if (s->state == GG_STREAM_DEAD)
		return;
	if (s->state == GG_STREAM_LINGERING)
		gg_parting_free(s->arg);
	s->state = GG_STREAM_DEAD;
	gg_connecting_cancel(s);
	gg_watch_remove(&s->watch);
	gg_timer_stop(&s->timer);
	gg_stream_todo(s, GG_TODO_DIE);
}

void gg_stream_fail(struct gg_stream *s, int status, const char *reason)
{
	if (s->state >= GG_STREAM_FLUSHING) { /* was closed in order; what follows does not count */
		die(s);
		return;
	}
	char text[128];
	if (!reason && !s->reason) {
		/* strerror_r begins with a capital; our reasons stand inside sentences */
		const char *words = strerror_r(-status, text, sizeof text);
		if (words != text)
			gg_str_copy(text, sizeof text, gg_str(words));
		if (text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'a')
			text[0] = (char)(text[0] - 'A' + 'a');
		reason = text;
	}
	gg_stream_set_reason(s, reason);
	s->status = status;
	die(s);
}

static void opened(struct gg_stream *s)
{
	s->state = GG_STREAM_OPEN;
	gg_timer_stop(&s->timer);
	if (s->listener)
		gg_listener_opened(s);
	else if (s->handler && s->handler->opened)
		s->handler->opened(s->arg, s);
	if (s->state != GG_STREAM_OPEN)
		return;
	update_events(s);
	if (s->out_len)
		gg_stream_todo(s, GG_TODO_FLUSH);
	if (s->layer && s->layer->ops->pending(s->layer))
		gg_stream_timer(s, 0);
}

static void shake_hands(struct gg_stream *s)
{
	int rc = s->layer ? s->layer->ops->handshake(s->layer) : 0;
	if (rc == 0)
		opened(s);
	else if (rc == -EAGAIN)
		update_events(s);
	else {
		gg_stream_fail(s, rc, NULL);
		if (s->listener)
			gg_listener_failed(s, rc);
	}
}

void gg_stream_connected(struct gg_stream *s)
{
	s->state = GG_STREAM_HANDSHAKE;
	shake_hands(s);
}

/* ---- input ---- */

static int keep_input(struct gg_stream *s, const uint8_t *bytes, size_t len)
{
	if (len > s->in_cap) {
		size_t cap = gg_max_size(gg_max_size(len, s->in_cap * 2), INPUT_FIRST_BYTES);
		cap = gg_max_size(len, gg_min_size(cap, s->in_max));
		uint8_t *in = realloc(s->in, cap);
		if (!in)
			return -ENOMEM;
		s->in = in;
		s->in_cap = cap;
	}
	if (bytes)
		memmove(s->in, bytes, len);
	return 0;
}

static void drop_input(struct gg_stream *s)
{
	free(s->in);
	s->in = NULL;
	s->in_len = s->in_cap = 0;
}

/* Raw bytes that the handler left behind when it laid a layer: they are the layer's. */
static void hand_down(struct gg_stream *s, const uint8_t *bytes, size_t len)
{
	int rc = s->layer->ops->inherit(s->layer, bytes, len, NULL, 0);
	s->laid = false;
	drop_input(s);
	if (rc < 0)
		gg_stream_fail(s, rc, NULL);
	else
		gg_stream_timer(s, 0);
}

/* Gives bytes to the handler and keeps what it leaves. bytes may be s->in. */
static void deliver(struct gg_stream *s, const uint8_t *bytes, size_t len)
{
	const struct gg_stream_handler *handler = s->handler;
	s->in_data = true;
	size_t used = handler && handler->data ? handler->data(s->arg, s, bytes, len) : len;
	s->in_data = false;
	if (s->state != GG_STREAM_OPEN)
		return;
	used = gg_min_size(used, len);
	if (s->laid) {
		hand_down(s, bytes + used, len - used);
		return;
	}
	if (used == len) {
		drop_input(s);
		return;
	}
	if (keep_input(s, bytes + used, len - used) < 0) {
		gg_stream_fail(s, -ENOMEM, NULL);
		return;
	}
	s->in_len = len - used;
	if (s->handler != handler)
		gg_stream_todo(s, GG_TODO_DELIVER);
}

static void peer_ended(struct gg_stream *s)
{
	s->ended = true;
	if (s->handler && s->handler->ended && s->handler->ended(s->arg, s))
		return;
	if (s->state == GG_STREAM_OPEN)
		gg_stream_close(s, /* flush= */ true, "peer closed");
}

static void read_some(struct gg_stream *s)
{
	uint8_t *to = scratch;
	size_t room = gg_min_size(sizeof scratch, s->in_max);
	if (s->in_len) {
		size_t want = gg_min_size(s->in_max, gg_max_size(s->in_len * 2, s->in_len + 2048));
		if (s->in_cap < want && keep_input(s, NULL, want) < 0) {
			gg_stream_fail(s, -ENOMEM, NULL);
			return;
		}
		to = s->in + s->in_len;
		room = gg_min_size(s->in_cap, s->in_max) - s->in_len;
	}
	if (room == 0)
		return;
	ssize_t n = s->layer ? s->layer->ops->recv(s->layer, to, room) : gg_socket_recv(s, to, room);
	if (n == -EAGAIN)
		return;
	if (n < 0) {
		gg_stream_fail(s, (int)n, NULL);
	} else if (n == 0) {
		peer_ended(s);
	} else if (s->in_len) {
		s->in_len += (size_t)n;
		deliver(s, s->in, s->in_len);
	} else {
		deliver(s, scratch, (size_t)n);
	}
	/* What a layer has in its belly no epoll will tell; the next turn goes on, so that others get theirs.
	 */
	if (s->state == GG_STREAM_OPEN && s->layer && !s->paused && !s->ended &&
		s->layer->ops->pending(s->layer))
		gg_stream_timer(s, 0);
}

int gg_stream_lay_take(struct gg_stream *s, struct gg_layer *l)
{
	int rc = l->ops->inherit(l, NULL, 0, s->out_len ? s->out + s->out_start : NULL, s->out_len);
	if (rc < 0)
		return rc;
	free(s->out);
	s->out = NULL;
	s->out_start = s->out_len = s->out_cap = 0;
	l->below = s->layer;
	l->stream = s;
	s->layer = l;
	s->laid = true;
	if (!s->in_data)
		hand_down(s, s->in, s->in_len);
	gg_stream_todo(s, GG_TODO_FLUSH);
	return 0;
}

struct gg_layer *gg_stream_layer(const struct gg_stream *s, const struct gg_layer_ops *ops)
{
	struct gg_layer *l = s->layer;
	while (l && l->ops != ops)
		l = l->below;
	return l;
}

void gg_stream_pause(struct gg_stream *s)
{
	s->paused = true;
	if (s->state == GG_STREAM_OPEN)
		update_events(s);
}

void gg_stream_resume(struct gg_stream *s)
{
	s->paused = false;
	if (s->state != GG_STREAM_OPEN)
		return;
	gg_stream_todo(s, GG_TODO_DELIVER);
	if (s->layer && s->layer->ops->pending(s->layer))
		gg_stream_timer(s, 0);
}

/* ---- the end ---- */

void gg_stream_close(struct gg_stream *s, bool flush, const char *reason)
{
	if (s->state >= GG_STREAM_FLUSHING) {
		if (!flush)
			die(s);
		return;
	}
	bool was_open = s->state == GG_STREAM_OPEN;
	gg_stream_set_reason(s, reason ? reason : "closed");
	if (!flush || !was_open) {
		if (was_open && s->layer)
			s->layer->ops->bye(s->layer);
		die(s);
		return;
	}
	s->state = GG_STREAM_FLUSHING;
	if (gg_stream_timer(s, FLUSH_TIMEOUT_NS) < 0) {
		die(s);
		return;
	}
	update_events(s);
	gg_stream_todo(s, GG_TODO_FLUSH);
}

static void tell_closed(struct gg_stream *s)
{
	const struct gg_stream_handler *handler = s->handler;
	s->handler = NULL;
	if (handler && handler->closed)
		handler->closed(s->arg, s, s->status, s->reason ? s->reason : "closed");
}

static void linger_no_longer(void *arg)
{
	gg_stream_discard(arg);
}

/* All is sent. */
void gg_stream_flushed(struct gg_stream *s)
{
	if (s->layer)
		s->layer->ops->bye(s->layer);
	if (s->is_socket && s->linger && !s->ended && !s->hung && shutdown(s->fd, SHUT_WR) == 0) {
		s->state = GG_STREAM_LINGERING;
		tell_closed(s);
		s->arg = gg_parting_new(s->loop, linger_no_longer, s);
		if (gg_stream_timer(s, LINGER_TIMEOUT_NS) == 0) {
			update_events(s);
			return;
		}
	}
	die(s);
}

static void linger_on(struct gg_stream *s)
{
	ssize_t n = gg_socket_recv(s, scratch, sizeof scratch);
	if (n <= 0 && n != -EAGAIN)
		die(s);
}

static void run_todo(struct gg_defer *d)
{
	struct gg_stream *s = GG_CONTAINER(d, struct gg_stream, work);
	if ((s->todo & GG_TODO_DELIVER) && s->state == GG_STREAM_OPEN && !s->paused && s->in_len)
		deliver(s, s->in, s->in_len);
	if (s->state == GG_STREAM_OPEN || s->state == GG_STREAM_FLUSHING)
		gg_stream_flush(s);
	if (s->state != GG_STREAM_DEAD) {
		s->todo = 0;
		update_events(s);
		return;
	}
	tell_closed(s);
	gg_stream_discard(s);
}

static void on_timer(struct gg_timer *t)
{
	struct gg_stream *s = GG_CONTAINER(t, struct gg_stream, timer);
	char text[80];
	switch (s->state) {
	case GG_STREAM_CONNECTING:
		gg_connecting_timeout(s);
		break;
	case GG_STREAM_HANDSHAKE:
		snprintf(text, sizeof text, "no %s within %.3g s", s->awaited ? s->awaited : "TLS handshake",
			(double)s->timeout_ns / (double)GG_NS_PER_S);
		gg_stream_fail(s, -ETIMEDOUT, text);
		break;
	case GG_STREAM_OPEN:
		if (!s->paused && !s->ended && s->in_len < s->in_max) {
			read_some(s);
			if (s->state == GG_STREAM_OPEN)
				update_events(s);
		}
		break;
	default:
		die(s);
	}
}

static void on_open_event(struct gg_stream *s, uint32_t events)
{
	if (events & EPOLLOUT)
		gg_stream_flush(s);
	if (!(events & ~(uint32_t)EPOLLOUT) || s->state != GG_STREAM_OPEN)
		return;
	if (s->watch.events & EPOLLIN) {
		read_some(s);
	} else if (s->ended) {
		gg_stream_fail(s, -ECONNRESET, NULL);
	} else if (events & (EPOLLHUP | EPOLLERR)) {
		/* Nobody reads now, and epoll would say it again and again. Its input is kept for resume().
		 */
		gg_watch_remove(&s->watch);
		s->hung = true;
	}
}

static void on_event(struct gg_watch *w, uint32_t events)
{
	struct gg_stream *s = GG_CONTAINER(w, struct gg_stream, watch);
	switch (s->state) {
	case GG_STREAM_CONNECTING:
		gg_connecting_ready(s);
		return;
	case GG_STREAM_HANDSHAKE:
		shake_hands(s);
		return;
	case GG_STREAM_OPEN:
		on_open_event(s, events);
		break;
	case GG_STREAM_FLUSHING:
		gg_stream_flush(s);
		if (s->state == GG_STREAM_FLUSHING && (events & (EPOLLHUP | EPOLLERR)))
			die(s);
		return;
	case GG_STREAM_LINGERING:
		linger_on(s);
		return;
	case GG_STREAM_DEAD:
		return;
	}
	if (s->state == GG_STREAM_OPEN)
		update_events(s);
}

/* ---- adopting ---- */

int gg_stream_adopt_take(struct gg_loop *loop, int fd, const struct gg_stream_limits *limits,
	const struct gg_stream_handler *handler, void *arg, struct gg_stream **ret_stream)
{
	struct gg_stream *s = gg_stream_new(loop, limits);
	if (!s) {
		close(fd);
		return -ENOMEM;
	}
	s->fd = fd;
	s->handler = handler;
	s->arg = arg;
	s->state = GG_STREAM_OPEN;
	int one = 1;
	socklen_t size = sizeof one;
	s->is_socket = getsockopt(fd, SOL_SOCKET, SO_TYPE, &one, &size) == 0;
	one = 1;
	int rc = ioctl(fd, FIONBIO, &one) < 0 ? -errno : 0;
	s->is_local = true;
	s->peer = s->is_socket ? gg_socket_peer(fd, &s->is_local) : gg_str_dup(GG_STR("local"));
	if (rc == 0 && !s->peer)
		rc = -ENOMEM;
	if (rc == 0)
		rc = gg_stream_attach(s, EPOLLIN);
	if (rc < 0) {
		gg_stream_discard(s);
		return rc;
	}
	*ret_stream = s;
	return 0;
}

/* ---- asking ---- */

void gg_stream_set_handler(struct gg_stream *s, const struct gg_stream_handler *handler, void *arg)
{
	s->handler = handler;
	s->arg = arg;
}

void gg_stream_linger(struct gg_stream *s)
{
	s->linger = true;
}

const char *gg_stream_peer(const struct gg_stream *s)
{
	return s->peer ? s->peer : "";
}

bool gg_stream_is_local(const struct gg_stream *s)
{
	return s->is_local;
}
