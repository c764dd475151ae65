/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a server answers to our request to upgrade, and its frames behind it, over a socket. In
 * the input @ stands for the key's right answer. The first byte: with subprotocol or without.
 */
#include "core/loop.h"
#include "net/websocket.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool over;

static size_t on_data(void *arg, struct gg_stream *s, const uint8_t *bytes, size_t len)
{
	(void)arg, (void)s, (void)bytes;
	return len;
}

static void on_closed(void *arg, struct gg_stream *s, int status, const char *reason)
{
	(void)arg, (void)s, (void)status, (void)reason;
	over = true;
}

static const struct gg_stream_handler handler = {.data = on_data, .closed = on_closed};

static struct sockaddr_un where = {.sun_family = AF_UNIX};

static void remove_socket(void)
{
	unlink(where.sun_path);
}

static int listen_there(struct gg_address *ret_to)
{
	snprintf(where.sun_path, sizeof where.sun_path, "/tmp/ganglion-websocket-fuzz-%d", (int)getpid());
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&where, sizeof where) < 0 || listen(fd, 1) < 0)
		abort();
	atexit(remove_socket);
	*ret_to = (struct gg_address){.scheme = "unix"};
	gg_str_copy(ret_to->host, sizeof ret_to->host, gg_str(where.sun_path));
	return fd;
}

static void send_answer(int fd, const char *request, struct gg_str answer)
{
	char accept[GG_WEBSOCKET_ACCEPT_LEN + 1] = "";
	const char *key = strstr(request, "Sec-WebSocket-Key: ");
	if (!key || gg_websocket_accept_key(gg_str_n(key + 19, 24), accept) < 0)
		abort();
	size_t at = gg_str_find(answer, '@');
	(void)!send(fd, answer.p, at, MSG_NOSIGNAL);
	if (at == answer.len)
		return;
	(void)!send(fd, accept, strlen(accept), MSG_NOSIGNAL);
	(void)!send(fd, answer.p + at + 1, answer.len - at - 1, MSG_NOSIGNAL);
}

static void play(struct gg_loop *loop, int listening, struct gg_str answer)
{
	char request[2048];
	size_t have = 0;
	int fd = -1;
	for (unsigned i = 0; i < 200 && !over && !(have && memmem(request, have, "\r\n\r\n", 4)); i++) {
		gg_loop_turn(loop, GG_NS_PER_MS);
		if (fd < 0)
			fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		ssize_t n = fd < 0 ? 0 : read(fd, request + have, sizeof request - 1 - have);
		have += n > 0 ? (size_t)n : 0;
	}
	request[have] = '\0';
	if (fd < 0)
		return;
	if (have)
		send_answer(fd, request, answer);
	for (unsigned i = 0; i < 2; i++)
		gg_loop_turn(loop, 0);
	close(fd);
	for (unsigned i = 0; i < 4; i++)
		gg_loop_turn(loop, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct gg_loop *loop;
	static int listening = -1;
	static struct gg_address to;
	struct gg_stream *s;
	struct gg_error e;
	if (!loop)
		loop = gg_loop_new("fuzz", 10);
	if (listening < 0)
		listening = listen_there(&to);
	if (size < 1)
		return 0;
	over = false;
	if (gg_websocket_connect(
		    loop, &to, "/mqtt", data[0] & 1 ? "mqtt" : NULL, NULL, NULL, &handler, NULL, &s, &e) < 0)
		abort();
	play(loop, listening, gg_str_n(data + 1, size - 1));
	if (!over)
		gg_stream_close(s, false, "the end");
	for (unsigned i = 0; i < 20 && !over; i++)
		gg_loop_turn(loop, GG_NS_PER_MS);
	if (!over)
		abort();
	return 0;
}
