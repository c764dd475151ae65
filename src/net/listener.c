/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listening. New streams are taken from the backlog in bounded portions; a rate keeps a storm of connections
 * from starving those that are there: what comes too fast waits in the backlog of the kernel.
 *
 * When the process has no descriptors left, accept() would fail for ever and epoll would spin. So one
 * descriptor is kept in reserve: it is given up to take the connection and close it at once.
 *
 * A listener lives on, closed, until the last of its streams has gone: it counts them.
 */
#include "base/log.h"
#include "base/map.h"
#include "ganglion/metrics.h"
#include "net/proxy.h"
#include "net/stream_private.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { STREAMS_MAX = 10000, ACCEPTS_PER_SECOND = 1000, ACCEPTS_PER_TURN = 64, BACKLOG = 4096 };

struct gg_listener {
	struct gg_watch watch;
	struct gg_timer pause; /* the rate is used up, or descriptors are */
	struct gg_loop *loop;
	struct gg_listener_options o;
	const struct gg_stream_handler *(*accepted)(void *arg, struct gg_stream *s, void **ret_arg);
	void *arg;
	struct gg_counter *count_accepted, *count_refused;
	int64_t window_ns; /* in which `taken` were accepted */
	unsigned taken, streams;
	struct gg_map addresses; /* how many streams each has; only with a limit */
	int fd, reserve_fd;
	uint16_t port;
	bool closed;
	char name[300];
};

union any_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un un;
};

static void free_if_done(struct gg_listener *l)
{
	if (!l->closed || l->streams)
		return;
	gg_tls_unref(l->o.tls);
	gg_map_done(&l->addresses);
	free(l);
}

/* ---- connections of an address ---- */

int gg_listener_admit(struct gg_stream *s)
{
	struct gg_listener *l = s->listener;
	if (!l->o.max_per_address)
		return 0;
	struct gg_str host = gg_str(s->peer);
	while (host.len && host.p[host.len - 1] != ':')
		host.len--;
	host.len -= host.len > 0;
	host = host.len ? host : gg_str(s->peer); /* "unix" */
	uint64_t count = gg_map_get(&l->addresses, host, 0);
	if (count >= l->o.max_per_address) {
		gg_count(l->count_refused, 1);
		gg_log(GG_WARN, l->name, "too many connections from one address, turning one away",
			GG_SV("address", host), GG_S("limit", "max_per_address"),
			GG_I("max", l->o.max_per_address));
		gg_stream_set_reason(s, "too many connections from its address");
		return -EUSERS;
	}
	s->counted = gg_str_dup(host);
	return s->counted && gg_map_put(&l->addresses, host, count + 1) == 0 ? 0 : -ENOMEM;
}

void gg_listener_lost(struct gg_stream *s)
{
	struct gg_listener *l = s->listener;
	uint64_t count = s->counted ? gg_map_get(&l->addresses, gg_str(s->counted), 0) : 0;
	if (count > 1)
		gg_map_put(&l->addresses, gg_str(s->counted), count - 1);
	else if (count)
		gg_map_remove(&l->addresses, gg_str(s->counted));
	l->streams--;
	free_if_done(l);
}

void gg_listener_failed(const struct gg_stream *s, int status)
{
	if (status != -EPROTO && status != -EKEYREJECTED) /* who merely goes away is no news */
		return;
	const char *what = s->awaited ? "the proxy does not say for whom it speaks (PROXY protocol)"
				      : "TLS handshake failed";
	gg_log(GG_WARN, s->listener->name, what, GG_S("peer", gg_stream_peer(s)),
		GG_S("why", s->reason ? s->reason : "protocol error"));
}

void gg_listener_opened(struct gg_stream *s)
{
	struct gg_listener *l = s->listener;
	void *arg = NULL;
	const struct gg_stream_handler *handler = l->closed ? NULL : l->accepted(l->arg, s, &arg);
	if (!handler) {
		gg_stream_close(s, /* flush= */ true, "not wanted");
		return;
	}
	gg_stream_set_handler(s, handler, arg);
}

/* ---- accepting ---- */

/* The layers below what the stream brings: first a proxy's header, then TLS. */
static int lay(struct gg_listener *l, struct gg_stream *s, bool proxied)
{
	struct gg_layer *tls = NULL;
	int rc = proxied ? gg_proxy_layer_new(s, &s->layer) : gg_listener_admit(s);
	if (rc < 0 || !l->o.tls)
		return rc;
	rc = gg_tls_layer_new(l->o.tls, s, NULL, &tls);
	if (rc < 0)
		return rc;
	tls->below = s->layer;
	s->layer = tls;
	return 0;
}

/* Takes fd. */
static void take(struct gg_listener *l, int fd)
{
	struct gg_stream *s = gg_stream_new(l->loop, &l->o.limits);
	if (!s) {
		close(fd);
		return;
	}
	s->fd = fd;
	s->is_socket = true;
	s->listener = l;
	l->streams++;
	s->peer = gg_socket_peer(fd, &s->is_local);
	gg_socket_setup(fd, &l->o.limits);
	s->state = GG_STREAM_HANDSHAKE;
	bool proxied = s->peer && gg_network_has(l->o.proxies, l->o.proxy_count, s->peer);
	if (!s->peer || lay(l, s, proxied) < 0 || gg_stream_attach(s, EPOLLIN) < 0) {
		gg_stream_discard(s);
		return;
	}
	gg_count(l->count_accepted, 1);
	if (!s->layer)
		gg_stream_connected(s);
}

static void resume(struct gg_timer *t)
{
	gg_watch_set(&GG_CONTAINER(t, struct gg_listener, pause)->watch, EPOLLIN);
}

static void pause_for(struct gg_listener *l, int64_t ns)
{
	if (gg_timer_start(l->loop, &l->pause, ns, resume) == 0)
		gg_watch_set(&l->watch, 0);
}

static void out_of_descriptors(struct gg_listener *l)
{
	gg_log(GG_ERROR, l->name, "no descriptors left, turning a connection away",
		GG_I("streams", l->streams));
	gg_count(l->count_refused, 1);
	if (l->reserve_fd >= 0)
		close(l->reserve_fd);
	int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	l->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		pause_for(l, GG_NS_PER_S);
}

static bool within_rate(struct gg_listener *l)
{
	int64_t now = gg_loop_now(l->loop);
	/* in tenths of a second, so that the rest of a storm does not wait for a whole one */
	if (now - l->window_ns >= GG_NS_PER_S / 10) {
		l->window_ns = now;
		l->taken = 0;
	}
	if (l->taken < (l->o.accept_rate + 9) / 10)
		return true;
	pause_for(l, l->window_ns + GG_NS_PER_S / 10 - now);
	return false;
}

static void on_ready(struct gg_watch *w, uint32_t events)
{
	struct gg_listener *l = GG_CONTAINER(w, struct gg_listener, watch);
	(void)events;
	for (int i = 0; i < ACCEPTS_PER_TURN && !l->closed && within_rate(l); i++) {
		int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
			out_of_descriptors(l);
			return;
		}
		if (fd < 0 && (errno == ENOBUFS || errno == ENOMEM)) {
			pause_for(l, GG_NS_PER_S / 10);
			return;
		}
		if (fd < 0 && errno == EAGAIN)
			return;
		if (fd < 0) /* the peer was gone before we came */
			continue;
		l->taken++;
		if (l->streams >= l->o.max_streams) {
			close(fd);
			gg_count(l->count_refused, 1);
			gg_log(GG_WARN, l->name, "too many connections, turning one away",
				GG_I("max", l->o.max_streams));
			continue;
		}
		take(l, fd);
	}
}

/* ---- opening ---- */

static socklen_t fill(const struct gg_address *a, union any_address *to)
{
	memset(to, 0, sizeof *to);
	if (!strcmp(a->scheme, "unix")) {
		to->un.sun_family = AF_UNIX;
		gg_str_copy(to->un.sun_path, sizeof to->un.sun_path, gg_str(a->host));
		return sizeof to->un;
	}
	const char *host = !strcmp(a->host, "localhost") ? "127.0.0.1"
			   : !strcmp(a->host, "*")       ? "::"
							 : a->host;
	if (inet_pton(AF_INET, host, &to->v4.sin_addr) == 1) {
		to->v4.sin_family = AF_INET;
		to->v4.sin_port = htons(a->port);
		return sizeof to->v4;
	}
	if (inet_pton(AF_INET6, host, &to->v6.sin6_addr) == 1) {
		to->v6.sin6_family = AF_INET6;
		to->v6.sin6_port = htons(a->port);
		return sizeof to->v6;
	}
	return 0;
}

/* A socket file that nobody listens at was left by a process that died. Another's is not touched. */
static void remove_stale(const struct sockaddr_un *un)
{
	struct stat st;
	if (lstat(un->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	if (connect(fd, (const struct sockaddr *)un, sizeof *un) < 0 && errno == ECONNREFUSED)
		unlink(un->sun_path);
	close(fd);
}

static int open_socket(struct gg_listener *l, const union any_address *a, socklen_t size)
{
	int one = 1;
	l->fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->fd < 0)
		return -errno;
	if (a->any.sa_family == AF_UNIX)
		remove_stale(&a->un);
	else
		setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (a->any.sa_family == AF_INET6) { /* "::" takes IPv4 too, whatever the machine's default */
		int only = !IN6_IS_ADDR_UNSPECIFIED(&a->v6.sin6_addr);
		setsockopt(l->fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
	}
	if (bind(l->fd, &a->any, size) < 0 || listen(l->fd, BACKLOG) < 0)
		return -errno;
	union any_address bound;
	size = sizeof bound;
	if (getsockname(l->fd, &bound.any, &size) == 0 && a->any.sa_family != AF_UNIX)
		l->port = ntohs(a->any.sa_family == AF_INET ? bound.v4.sin_port : bound.v6.sin6_port);
	return gg_watch_add(l->loop, &l->watch, l->fd, EPOLLIN, on_ready);
}

static const char *advice(int rc)
{
	switch (rc) {
	case -EADDRINUSE:
		return "another program listens there";
	case -EACCES:
		return "the system does not allow it (ports below 1024 need the right to bind them)";
	case -EADDRNOTAVAIL:
		return "this machine has no such address";
	case -ENOENT:
		return "the folder of the socket does not exist";
	default:
		return strerror(-rc);
	}
}

/* Named by the port it really got. */
static void name_it(struct gg_listener *l)
{
	char labels[340];
	l->o.address.port = l->port;
	gg_address_format(&l->o.address, l->name, sizeof l->name);
	snprintf(labels, sizeof labels, "listen=\"%s\"", l->name);
	l->count_accepted = gg_metric_counter("net_accepted_total", labels, "Connections accepted");
	l->count_refused = gg_metric_counter(
		"net_refused_total", labels, "Connections turned away: too many, or no descriptors left");
}

int gg_listener_open(struct gg_loop *loop, const struct gg_listener_options *o,
	const struct gg_stream_handler *(*accepted)(void *arg, struct gg_stream *s, void **ret_arg),
	void *arg, struct gg_listener **ret_listener, struct gg_error *e)
{
	union any_address a;
	socklen_t size = fill(&o->address, &a);
	if (!size)
		return gg_error_set(e, -EINVAL,
			"cannot listen at \"%s\": expected an address of this machine in numbers, such as "
			"127.0.0.1, or 0.0.0.0 for all",
			o->address.host);
	struct gg_listener *l = calloc(1, sizeof *l);
	if (!l)
		return gg_error_set(e, -ENOMEM, "out of memory");
	l->loop = loop;
	l->o = *o;
	l->accepted = accepted;
	l->arg = arg;
	if (!l->o.max_streams)
		l->o.max_streams = STREAMS_MAX;
	if (!l->o.accept_rate)
		l->o.accept_rate = ACCEPTS_PER_SECOND;
	gg_address_format(&l->o.address, l->name, sizeof l->name);
	l->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	l->port = o->address.port;
	int rc = open_socket(l, &a, size);
	if (rc < 0) {
		gg_error_set(e, rc, "cannot listen at %s: %s", l->name, advice(rc));
		l->o.tls = NULL;            /* was not taken yet */
		l->o.address.scheme[0] = 0; /* nor is the file ours */
		gg_listener_close(l);
		return rc;
	}
	gg_tls_ref(l->o.tls);
	name_it(l);
	*ret_listener = l;
	return 0;
}

uint16_t gg_listener_port(const struct gg_listener *l)
{
	return l->port;
}

void gg_listener_close(struct gg_listener *l)
{
	if (!l || l->closed)
		return;
	l->closed = true;
	gg_watch_remove(&l->watch);
	gg_timer_stop(&l->pause);
	if (l->fd >= 0)
		close(l->fd);
	if (l->reserve_fd >= 0)
		close(l->reserve_fd);
	if (!strcmp(l->o.address.scheme, "unix"))
		unlink(l->o.address.host);
	free_if_done(l);
}

void gg_listener_limit(struct gg_listener *l, unsigned max_streams)
{
	l->o.max_streams = max_streams;
}
