/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes in any split through the parser's glue and the whole server, over a socket pair. The first byte seeds
 * the splits and says how requests are answered: at once, later, or by a stream.
 */
#include "core/loop.h"
#include "net/http_server.h"

#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct gg_http_request *held;
static bool hold;

static void gone(void *arg, struct gg_http_request *r)
{
	(void)arg, (void)r;
}

static const struct gg_http_stream_ops live_ops = {.gone = gone};

static void on_request(void *arg, struct gg_http_request *r)
{
	struct gg_str text = GG_STR(""), stream;
	(void)arg;
	gg_http_decode(r, gg_http_path(r), false, &text);
	gg_http_param(r, "a", &text);
	gg_http_add_header(r, "X-Echo", text);
	if (hold) {
		held = r;
		gg_http_on_gone(r, gone, NULL);
	} else if (gg_http_param(r, "stream", &stream) == 0) {
		held = r;
		gg_http_stream_begin(r, 200, "text/plain", &live_ops, NULL);
		gg_http_stream_write(r, gg_http_body(r));
	} else {
		gg_http_reply(r, 200, "text/plain", gg_http_body(r));
	}
}

static void let_go(void)
{
	struct gg_http_request *r = GG_TAKE(held);
	if (r && hold)
		gg_http_problem(r, 404, "x");
	else if (r)
		gg_http_stream_end(r, true);
}

static void read_away(int fd)
{
	char answer[4096];
	while (read(fd, answer, sizeof answer) > 0)
		;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct gg_http_ops ops = {.request = on_request};
	static struct gg_loop *loop;
	struct gg_http_server *server;
	int pair[2];
	if (!loop)
		loop = gg_loop_new("fuzz", 10);
	if (size < 2 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) < 0)
		return 0;
	uint32_t seed = data[0];
	hold = data[0] & 1;
	if (gg_http_server_new(loop, NULL, &ops, NULL, &server) < 0 ||
		gg_http_server_adopt_take(server, pair[0]) < 0)
		abort();
	for (size_t at = 1; at < size;) {
		seed = seed * 1664525 + 1013904223;
		size_t n = gg_min_size(1 + (seed >> 24) % 64, size - at);
		if (send(pair[1], data + at, n, MSG_NOSIGNAL) != (ssize_t)n)
			break;
		at += n;
		gg_loop_turn(loop, 0);
		let_go();
		gg_loop_turn(loop, 0);
		read_away(pair[1]);
	}
	close(pair[1]);
	for (int i = 0; i < 3; i++) {
		gg_loop_turn(loop, 0);
		let_go();
	}
	gg_http_server_close(server);
	gg_loop_turn(loop, 0);
	gg_loop_turn(loop, 0);
	return 0;
}
