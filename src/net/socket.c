/* SPDX-License-Identifier: Apache-2.0 */
/* The lowest layer: the descriptor itself. SIGPIPE never comes, since sockets are sent to with MSG_NOSIGNAL;
 * a serial line or pty has none. */
#include "net/stream_private.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <unistd.h>

#define DEAD_PEER_NS (120 * GG_NS_PER_S)

ssize_t gg_socket_recv(const struct gg_stream *s, void *to, size_t room)
{
	ssize_t n;
	do
		n = s->is_socket ? recv(s->fd, to, room, 0) : read(s->fd, to, room);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	/* the master of a pty says EIO when nobody holds the other side: that is its end of file */
	return errno == EWOULDBLOCK ? -EAGAIN : errno == EIO && !s->is_socket ? 0 : -errno;
}

ssize_t gg_socket_send(const struct gg_stream *s, const void *bytes, size_t len)
{
	ssize_t n;
	do
		n = s->is_socket ? send(s->fd, bytes, len, MSG_NOSIGNAL) : write(s->fd, bytes, len);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	return errno == EWOULDBLOCK ? -EAGAIN : -errno;
}

static void set(int fd, int level, int option, int value)
{
	/* what a kind of socket does not know, it does not need */
	(void)setsockopt(fd, level, option, &value, sizeof value);
}

void gg_socket_setup(int fd, const struct gg_stream_limits *limits)
{
	int64_t dead_ns = limits && limits->dead_peer_ns ? limits->dead_peer_ns : DEAD_PEER_NS;
	set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (dead_ns < 0)
		return;
	int seconds = (int)(gg_min_size((size_t)dead_ns, 86400 * (size_t)GG_NS_PER_S) / (size_t)GG_NS_PER_S);
	seconds = seconds < 4 ? 4 : seconds;
	/* probes from half the time on, four of them in the other half */
	set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set(fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds / 2);
	set(fd, IPPROTO_TCP, TCP_KEEPINTVL, (seconds + 7) / 8);
	set(fd, IPPROTO_TCP, TCP_KEEPCNT, 4);
	set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, seconds * 1000);
}

char *gg_socket_peer(int fd, bool *ret_local)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_storage room;
	} a = {0};
	socklen_t size = sizeof a;
	struct gg_address at = {0};
	char text[300];
	if (getpeername(fd, &a.any, &size) < 0)
		a.any.sa_family = AF_UNSPEC;
	if (a.any.sa_family == AF_INET) {
		inet_ntop(AF_INET, &a.v4.sin_addr, at.host, sizeof at.host);
		at.port = ntohs(a.v4.sin_port);
	} else if (a.any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&a.v6.sin6_addr)) {
		inet_ntop(AF_INET, &a.v6.sin6_addr.s6_addr[12], at.host, sizeof at.host);
		at.port = ntohs(a.v6.sin6_port);
	} else if (a.any.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &a.v6.sin6_addr, at.host, sizeof at.host);
		at.port = ntohs(a.v6.sin6_port);
	} else {
		*ret_local = a.any.sa_family == AF_UNIX;
		return gg_str_dup(*ret_local ? GG_STR("unix") : GG_STR("unknown"));
	}
	*ret_local = gg_address_is_loopback(&at);
	gg_address_format(&at, text, sizeof text);
	return gg_str_dup(gg_str(text));
}

void gg_stream_expect(struct gg_stream *s, size_t bytes)
{
	if (s->layer || !s->is_socket || s->state != GG_STREAM_OPEN)
		return;
	set(s->fd, SOL_SOCKET, SO_RCVLOWAT, (int)gg_min_size(bytes ? bytes : 1, 64 << 10));
}
