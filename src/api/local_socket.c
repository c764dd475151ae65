/* SPDX-License-Identifier: Apache-2.0 */
/*
 * <data_dir>/api.sock: whoever may open the gateway's files may also administer it, without a token. The
 * socket's mode says so to the kernel, and each peer's user is asked once more (SO_PEERCRED): ours, or root.
 */
#include "api/listen.h"
#include "base/log.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 64, ACCEPTS = 32, CONNECTIONS = 200 };

static struct {
	struct gg_watch watch;
	struct gg_http_server *server;
	char path[sizeof((struct sockaddr_un *)0)->sun_path];
} here = {.watch.fd = -1};

static bool may_enter(int fd)
{
	struct ucred peer = {.uid = (uid_t)-1};
	socklen_t size = sizeof peer;
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
	       (peer.uid == geteuid() || peer.uid == 0);
}

static void take(int fd)
{
	if (!may_enter(fd) || gg_http_server_connections(here.server) >= CONNECTIONS) {
		gg_log(GG_WARN, "api", "a peer of the unix socket was refused");
		close(fd);
		return;
	}
	gg_http_server_adopt_take(here.server, fd);
}

static void on_ready(struct gg_watch *w, uint32_t events)
{
	(void)events;
	for (int i = 0; i < ACCEPTS; i++) {
		int fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return;
		take(fd);
	}
}

int gg_api_socket_open(
	struct gg_loop *loop, const char *data_dir, struct gg_http_server *server, struct gg_error *e)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int n = snprintf(a.sun_path, sizeof a.sun_path, "%s/api.sock", data_dir);
	if ((size_t)n >= sizeof a.sun_path) {
		gg_log(GG_WARN, "api",
			"the data folder's path is too long for a unix socket, continuing without it",
			GG_S("data", data_dir));
		return 0;
	}
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return gg_error_set(e, -errno, "unix socket: %s", strerror(errno));
	unlink(a.sun_path); /* of a run before; the data folder's lock says that nobody listens there */
	/* The mode of the descriptor is what bind() gives the file: at no moment may others connect. */
	if (fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) < 0 ||
		chmod(a.sun_path, 0600) < 0 || listen(fd, BACKLOG) < 0 ||
		gg_watch_add(loop, &here.watch, fd, EPOLLIN, on_ready) < 0) {
		int rc = gg_error_set(e, -errno, "%s: %s", a.sun_path, strerror(errno));
		close(fd);
		return rc;
	}
	here.server = server;
	memcpy(here.path, a.sun_path, sizeof here.path);
	return 0;
}

void gg_api_socket_close(void)
{
	if (!here.server)
		return;
	int fd = here.watch.fd;
	gg_watch_remove(&here.watch);
	close(fd);
	unlink(here.path);
	here.server = NULL;
}
