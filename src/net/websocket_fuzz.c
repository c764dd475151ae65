/* SPDX-License-Identifier: Apache-2.0 */
/* Frames, right and wrong, in any split; the first byte seeds the splits. What arrives is written back, so
 * that sending is exercised too. */
#include "core/loop.h"
#include "net/websocket.h"

#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t on_data(void *arg, struct gg_stream *s, const uint8_t *bytes, size_t len)
{
	(void)arg;
	if (len == 0)
		abort();
	return gg_stream_write(s, bytes, len) == 0 ? len : len / 2;
}

static void on_closed(void *arg, struct gg_stream *s, int status, const char *reason)
{
	(void)s, (void)status, (void)reason;
	*(bool *)arg = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct gg_stream_handler handler = {.data = on_data, .closed = on_closed};
	static struct gg_loop *loop;
	struct gg_stream *s;
	bool closed = false;
	int pair[2];
	char answer[4096];
	if (!loop)
		loop = gg_loop_new("fuzz", 10);
	if (size < 2 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) < 0)
		return 0;
	uint32_t seed = data[0];
	if (gg_stream_adopt_take(loop, pair[0], NULL, &handler, &closed, &s) < 0 || gg_websocket_lay(s) < 0)
		abort();
	for (size_t at = 1; at < size;) {
		seed = seed * 1664525 + 1013904223;
		size_t n = gg_min_size(1 + (seed >> 24) % 40, size - at);
		if (send(pair[1], data + at, n, MSG_NOSIGNAL) != (ssize_t)n)
			break;
		at += n;
		gg_loop_turn(loop, 0);
		while (read(pair[1], answer, sizeof answer) > 0)
			;
	}
	close(pair[1]);
	gg_loop_turn(loop, 0);
	gg_loop_turn(loop, 0);
	if (!closed)
		gg_stream_close(s, false, "the end");
	gg_loop_turn(loop, 0);
	gg_loop_turn(loop, 0);
	if (!closed)
		abort();
	return 0;
}
