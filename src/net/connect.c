/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connecting: a number at once, a name when it has been resolved; then one address after the other until one
 * answers. Each gets its share of the time that is left.
 *
 *   resolve ─▶ address 1 ─refused─▶ address 2 ─▶ connected ─▶ (TLS) ─▶ opened()
 *
 * gg_stream_connect() itself calls nobody back: what fails at once is told in the next turn.
 */
#include "net/resolve.h"
#include "net/stream_private.h"

#include <arpa/inet.h>
#include <sys/un.h>
#include <unistd.h>

struct gg_connecting {
	struct gg_resolve *resolve; /* under way */
	struct addrinfo *list, *at; /* at: the one being tried */
	int64_t until_ns;
	int last_errno;
	struct gg_stream_limits limits;
	struct gg_address to;
};

static void fail(struct gg_stream *s, int status, const char *what)
{
	char text[400], number[128];
	const char *words = what ? what : strerror_r(-status, number, sizeof number);
	snprintf(text, sizeof text, "cannot connect to %s: %s", s->peer, words);
	gg_stream_fail(s, status, text);
}

void gg_connecting_cancel(struct gg_stream *s)
{
	struct gg_connecting *c = GG_TAKE(s->connecting);
	if (!c)
		return;
	gg_resolve_cancel(c->resolve);
	if (c->list)
		freeaddrinfo(c->list);
	free(c);
}

static void close_try(struct gg_stream *s)
{
	gg_watch_remove(&s->watch);
	gg_timer_stop(&s->timer);
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

/* Begins with one address. 0 under way or done (gg_connecting_ready() tells), or -errno. */
static int try_one(struct gg_stream *s, const struct sockaddr *a, socklen_t size, int64_t within_ns)
{
	s->fd = socket(a->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		return -errno;
	s->is_socket = true;
	if (a->sa_family != AF_UNIX)
		gg_socket_setup(s->fd, &s->connecting->limits);
	int rc = connect(s->fd, a, size) < 0 && errno != EINPROGRESS ? -errno : 0;
	if (rc == 0) {
		int64_t whole_ns = s->timeout_ns;
		s->timeout_ns = within_ns;
		rc = gg_stream_attach(s, EPOLLOUT);
		s->timeout_ns = whole_ns;
	}
	if (rc < 0)
		close_try(s);
	return rc;
}

static void try_next(struct gg_stream *s)
{
	struct gg_connecting *c = s->connecting;
	for (; c->at; c->at = c->at->ai_next) {
		int left = 1;
		for (const struct addrinfo *a = c->at->ai_next; a; a = a->ai_next)
			left++;
		int64_t within = (c->until_ns - gg_loop_now(s->loop)) / left;
		int rc = within > 0 ? try_one(s, c->at->ai_addr, c->at->ai_addrlen, within) : -ETIMEDOUT;
		if (rc == 0)
			return;
		c->last_errno = -rc;
	}
	fail(s, -c->last_errno, NULL);
}

static void next_address(struct gg_stream *s, int why)
{
	struct gg_connecting *c = s->connecting;
	c->last_errno = why;
	close_try(s);
	if (c->at)
		c->at = c->at->ai_next;
	if (c->at)
		try_next(s);
	else
		fail(s, -why, NULL);
}

void gg_connecting_ready(struct gg_stream *s)
{
	int error = 0;
	socklen_t size = sizeof error;
	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		error = errno;
	if (error) {
		next_address(s, error);
		return;
	}
	int64_t left = s->connecting->until_ns - gg_loop_now(s->loop);
	gg_connecting_cancel(s);
	gg_stream_timer(s, left);
	gg_stream_connected(s);
}

void gg_connecting_timeout(struct gg_stream *s)
{
	if (s->connecting->resolve) {
		fail(s, -ETIMEDOUT, "its name was not resolved in time");
		return;
	}
	if (s->connecting->last_errno && !s->connecting->at && s->fd < 0)
		fail(s, -s->connecting->last_errno, NULL); /* was put off from gg_stream_connect() */
	else
		next_address(s, ETIMEDOUT);
}

static void on_found(void *arg, struct addrinfo *list, const char *reason)
{
	struct gg_stream *s = arg;
	struct gg_connecting *c = s->connecting;
	c->resolve = NULL;
	gg_timer_stop(&s->timer);
	if (!list) {
		fail(s, -EHOSTUNREACH, reason);
		return;
	}
	c->list = c->at = list;
	try_next(s);
}

/* Fills a from a number or a path; returns its size, 0 when it is a name. */
static socklen_t fill_number(const struct gg_address *to, struct sockaddr_storage *a)
{
	struct sockaddr_un *un = (struct sockaddr_un *)a;
	struct sockaddr_in *v4 = (struct sockaddr_in *)a;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)a;
	memset(a, 0, sizeof *a);
	if (!strcmp(to->scheme, "unix")) {
		un->sun_family = AF_UNIX;
		gg_str_copy(un->sun_path, sizeof un->sun_path, gg_str(to->host));
		return sizeof *un;
	}
	if (inet_pton(AF_INET, to->host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(to->port);
		return sizeof *v4;
	}
	if (inet_pton(AF_INET6, to->host, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(to->port);
		return sizeof *v6;
	}
	return 0;
}

static int begin(struct gg_stream *s, const struct gg_address *to)
{
	struct sockaddr_storage a;
	socklen_t size = fill_number(to, &a);
	struct gg_connecting *c = s->connecting;
	c->until_ns = gg_clock_monotonic(&gg_clock_system) + s->timeout_ns;
	int rc = size ? try_one(s, (struct sockaddr *)&a, size, s->timeout_ns)
		      : gg_resolve_start(s->loop, to->host, to->port, on_found, s, &c->resolve);
	if (rc == 0 && size)
		return 0;
	if (rc == -ENOMEM || (rc == -EAGAIN && !size))
		return rc;
	c->last_errno = -rc;
	return gg_stream_timer(s, rc < 0 ? 0 : s->timeout_ns);
}

int gg_stream_connect_layer_take(struct gg_loop *loop, const struct gg_address *to, struct gg_tls *tls,
	struct gg_layer *top, const struct gg_stream_limits *limits, const struct gg_stream_handler *handler,
	void *arg, struct gg_stream **ret_stream, struct gg_error *e)
{
	char peer[300];
	struct gg_stream *s = gg_stream_new(loop, limits);
	if (!s) {
		if (top)
			top->ops->free(top);
		return gg_error_set(e, -ENOMEM, "out of memory");
	}
	gg_address_format(to, peer, sizeof peer);
	s->peer = gg_str_dup(gg_str(peer));
	s->is_local = gg_address_is_loopback(to);
	s->handler = handler;
	s->arg = arg;
	s->connecting = calloc(1, sizeof *s->connecting);
	int rc = s->peer && s->connecting ? 0 : -ENOMEM;
	if (rc == 0 && limits)
		s->connecting->limits = *limits;
	if (rc == 0 && tls)
		rc = gg_tls_layer_new(tls, s, to->host, &s->layer);
	if (top) {
		top->stream = s;
		top->below = s->layer;
		s->layer = top;
	}
	if (rc == 0)
		rc = begin(s, to);
	if (rc < 0) {
		gg_stream_discard(s);
		return gg_error_set(e, rc, "cannot connect to %s: %s", peer,
			rc == -EAGAIN ? "too many names are being resolved" : strerror(-rc));
	}
	*ret_stream = s;
	return 0;
}

int gg_stream_connect(struct gg_loop *loop, const struct gg_address *to, struct gg_tls *tls,
	const struct gg_stream_limits *limits, const struct gg_stream_handler *handler, void *arg,
	struct gg_stream **ret_stream, struct gg_error *e)
{
	return gg_stream_connect_layer_take(
		loop, to, tls, /* top= */ NULL, limits, handler, arg, ret_stream, e);
}
