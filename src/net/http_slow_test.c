/* SPDX-License-Identifier: Apache-2.0 */
/* How slowly a client may take an answer. */
#include "net/http_server.h"
#include "net/testing.h"

#include <sys/socket.h>

enum { SIZE = 9 << 20 };

static void on_request(void *arg, struct gg_http_request *r)
{
	(void)arg;
	char *all = malloc(SIZE);
	assert_non_null(all);
	memset(all, 'x', SIZE);
	gg_http_reply(r, 200, "text/plain", gg_str_n(all, SIZE));
	free(all);
}

/* Takes so many bytes every two milliseconds; returns how many came before the end. */
static size_t read_at(size_t bytes)
{
	static const struct gg_http_ops ops = {.request = on_request};
	static const char question[] = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
	static char piece[1 << 20];
	const struct gg_http_limits limits = {.idle_timeout_ns = GG_NS_PER_S, .answer_rate = 600 << 10};
	struct gg_http_server *server = NULL;
	int pair[2];
	size_t sum = 0;
	assert_true(bytes <= sizeof piece);
	assert_int_equal(gg_http_server_new(loop, &limits, &ops, NULL, &server), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(gg_http_server_adopt_take(server, pair[0]), 0);
	assert_int_equal(write(pair[1], question, sizeof question - 1), sizeof question - 1);
	bool there = true;
	for (int i = 0; i < 5000 && there && sum < SIZE; i++) {
		ssize_t n = read(pair[1], piece, bytes);
		sum += n > 0 ? (size_t)n : 0;
		gg_loop_turn(loop, 2 * GG_NS_PER_MS);
		there = gg_http_server_connections(server) == 1;
	}
	assert_true(there == (sum >= SIZE));
	gg_http_server_close(server);
	close(pair[1]);
	for (int i = 0; i < 10; i++)
		gg_loop_turn(loop, GG_NS_PER_MS);
	return sum;
}

static void a_client_that_reads_too_slowly_is_dropped(void **state)
{
	(void)state;
	assert_true(read_at(100) < 1 << 20);
}

static void a_client_that_reads_fast_enough_gets_all(void **state)
{
	(void)state;
	assert_true(read_at(256 << 10) >= SIZE);
}

static int make_loop(void **state)
{
	(void)state;
	loop = gg_loop_new("test", 100);
	return 0;
}

static int free_loop(void **state)
{
	(void)state;
	gg_loop_free(loop);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_that_reads_too_slowly_is_dropped),
		cmocka_unit_test(a_client_that_reads_fast_enough_gets_all),
	};
	return cmocka_run_group_tests(tests, make_loop, free_loop);
}
