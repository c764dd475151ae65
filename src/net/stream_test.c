/* SPDX-License-Identifier: Apache-2.0 */
#include "net/testing.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

static void is_equal(const struct party *p, const char *text)
{
	assert_int_equal(p->got.len, strlen(text));
	assert_memory_equal(p->got.p, text, p->got.len);
}

static void fill_pattern(uint8_t *to, size_t len)
{
	for (size_t i = 0; i < len; i++)
		to[i] = (uint8_t)(i * 31 + (i >> 8));
}

static void echoes(struct gg_listener *l, const struct gg_address *to)
{
	struct party server = party(), client = party();
	server.echo = true;
	if (!l) {
		struct gg_listener_options o = {.address = *to};
		assert_int_equal(gg_listener_open(loop, &o, party_accepted, &server, &l, NULL), 0);
	}
	struct gg_address at = *to;
	at.port = gg_listener_port(l);
	assert_int_equal(
		gg_stream_connect(loop, &at, NULL, NULL, &party_handler, &client, &client.s, NULL), 0);
	assert_false(client.opened);
	assert_int_equal(gg_stream_write(client.s, "before it is open, ", 19), 0);
	wait_until(client.opened && server.opened);
	assert_int_equal(gg_stream_write(client.s, "and after", 9), 0);
	wait_until(client.got.len == 28);
	is_equal(&client, "before it is open, and after");
	assert_true(gg_stream_is_local(server.s));
	assert_false(gg_stream_is_tls(server.s));
	gg_stream_close(client.s, true, "done");
	wait_until(client.closed && server.closed);
	assert_int_equal(client.status, 0);
	assert_string_equal(client.reason, "done");
	assert_int_equal(server.status, 0);
	assert_string_equal(server.reason, "peer closed");
	gg_listener_close(l);
	party_done(&server);
	party_done(&client);
}

static void echoes_over_tcp(void **state)
{
	(void)state;
	echoes(NULL, &(struct gg_address){.host = "127.0.0.1"});
	echoes(NULL, &(struct gg_address){.host = "::1"});
	echoes(NULL, &(struct gg_address){.host = "localhost"}); /* which is resolved by a thread */
}

static void echoes_over_unix_and_cleans_up(void **state)
{
	(void)state;
	char path[64];
	struct stat st;
	struct gg_address a = {.scheme = "unix"};
	snprintf(path, sizeof path, "/tmp/gg-stream-test-%d.sock", getpid());
	gg_str_copy(a.host, sizeof a.host, gg_str(path));
	echoes(NULL, &a);
	assert_int_not_equal(stat(path, &st), 0);
	/* what a process that died has left is in nobody's way */
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct {
		sa_family_t family;
		char path[108];
	} un = {AF_UNIX, ""};
	gg_str_copy(un.path, sizeof un.path, gg_str(path));
	assert_int_equal(bind(fd, (struct sockaddr *)&un, sizeof un), 0);
	close(fd);
	echoes(NULL, &a);
}

static void tells_who_the_peer_is(void **state)
{
	(void)state;
	struct party server = party(), client = party();
	struct gg_listener *l = listen_at("127.0.0.1:0", NULL, &server);
	char expected[40];
	connect_to(l, "127.0.0.1", NULL, &client);
	wait_until(client.opened && server.opened);
	snprintf(expected, sizeof expected, "127.0.0.1:%u", gg_listener_port(l));
	assert_string_equal(gg_stream_peer(client.s), expected);
	assert_memory_equal(gg_stream_peer(server.s), "127.0.0.1:", 10);
	assert_string_equal(gg_stream_certificate_name(server.s), "");
	gg_listener_close(l);
	party_done(&server);
	party_done(&client);
}

static void moves_megabytes_unharmed_against_a_slow_reader(void **state)
{
	(void)state;
	enum { SIZE = 8 << 20, PIECE = 100000 };
	struct party server = party(), client = party();
	struct gg_listener *l = listen_at("127.0.0.1:0", NULL, &server);
	uint8_t *all = malloc(SIZE);
	assert_non_null(all);
	fill_pattern(all, SIZE);
	connect_to(l, "127.0.0.1", NULL, &client);
	wait_until(client.opened && server.opened);
	gg_stream_pause(server.s);
	size_t at = 0;
	int refused = 0;
	while (at < SIZE) {
		size_t n = gg_min_size(PIECE, SIZE - at);
		int rc = gg_stream_write(client.s, all + at, n);
		if (rc == 0) {
			at += n;
			gg_loop_turn(loop, 0);
			continue;
		}
		assert_int_equal(rc, -EAGAIN);
		refused++;
		gg_stream_resume(server.s);
		int before = client.drained;
		wait_until(client.drained > before);
		assert_true(gg_stream_queued(client.s) <= 512 << 10);
	}
	assert_true(refused > 0); /* 8 MiB do not fit into 1 MiB and the kernel's buffers */
	wait_until(server.got.len == SIZE);
	assert_memory_equal(server.got.p, all, SIZE);
	free(all);
	gg_listener_close(l);
	party_done(&server);
	party_done(&client);
}

static void a_message_past_the_limit_is_refused_for_good(void **state)
{
	(void)state;
	struct party server = party(), client = party();
	struct gg_listener *l = listen_at("127.0.0.1:0", NULL, &server);
	connect_to(l, "127.0.0.1", NULL, &client);
	wait_until(client.opened);
	static uint8_t big[(1 << 20) + 1];
	assert_int_equal(gg_stream_write(client.s, big, sizeof big), -E2BIG);
	assert_null(gg_stream_room(client.s, sizeof big));
	assert_int_equal(gg_stream_queued(client.s), 0);
	gg_listener_close(l);
	party_done(&server);
	party_done(&client);
}

static void stops_reading_when_the_handler_leaves_a_full_buffer(void **state)
{
	(void)state;
	struct party server = party(), client = party();
	struct gg_listener_options o = {.address = {.host = "127.0.0.1"}, .limits = {.input_bytes = 1000}};
	struct gg_listener *l = NULL;
	assert_int_equal(gg_listener_open(loop, &o, party_accepted, &server, &l, NULL), 0);
	connect_to(l, "127.0.0.1", NULL, &client);
	wait_until(client.opened && server.opened);
	server.take_nothing = true;
	uint8_t bytes[3000];
	fill_pattern(bytes, sizeof bytes);
	assert_int_equal(gg_stream_write(client.s, bytes, sizeof bytes), 0);
	wait_until(gg_stream_queued(client.s) == 0);
	for (int i = 0; i < 20; i++)
		gg_loop_turn(loop, GG_NS_PER_MS);
	server.take_nothing = false;
	gg_stream_resume(server.s);
	wait_until(server.got.len == sizeof bytes);
	assert_memory_equal(server.got.p, bytes, sizeof bytes);
	gg_listener_close(l);
	party_done(&server);
	party_done(&client);
}

static void gives_what_arrived_before_the_peer_closed(void **state)
{
	(void)state;
	struct party server = party(), client = party();
	struct gg_listener *l = listen_at("127.0.0.1:0", NULL, &server);
	connect_to(l, "127.0.0.1", NULL, &client);
	wait_until(client.opened && server.opened);
	gg_stream_pause(server.s);
	gg_stream_write(client.s, "last words", 10);
	gg_stream_close(client.s, true, "bye");
	wait_until(client.closed);
	for (int i = 0; i < 5; i++)
		gg_loop_turn(loop, GG_NS_PER_MS);
	assert_false(server.closed); /* paused: it has not looked */
	gg_stream_resume(server.s);
	wait_until(server.closed);
	is_equal(&server, "last words");
	gg_listener_close(l);
	party_done(&server);
	party_done(&client);
}

static void a_paused_stream_whose_peer_has_gone_does_not_spin(void **state)
{
	(void)state;
	int pair[2];
	struct party a = party();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(gg_stream_adopt_take(loop, pair[0], NULL, &party_handler, &a, &a.s), 0);
	gg_stream_pause(a.s);
	assert_int_equal(write(pair[1], "kept", 4), 4);
	close(pair[1]);
	gg_loop_turn(loop, 10 * GG_NS_PER_MS);
	int64_t before = gg_clock_monotonic(&gg_clock_system);
	gg_loop_turn(loop, 30 * GG_NS_PER_MS);
	assert_true(gg_clock_monotonic(&gg_clock_system) - before >= 25 * GG_NS_PER_MS);
	gg_stream_resume(a.s);
	wait_until(a.closed);
	is_equal(&a, "kept");
	party_done(&a);
}

static void answers_a_peer_that_has_closed_its_half(void **state)
{
	(void)state;
	int pair[2];
	char answer[8] = "";
	struct party a = party();
	a.keep_half_open = true;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(gg_stream_adopt_take(loop, pair[0], NULL, &party_handler, &a, &a.s), 0);
	assert_int_equal(write(pair[1], "ask", 3), 3);
	shutdown(pair[1], SHUT_WR);
	wait_until(a.ended == 1);
	is_equal(&a, "ask");
	gg_stream_write(a.s, "answer", 6);
	gg_stream_close(a.s, true, "answered");
	wait_until(a.closed);
	assert_int_equal(read(pair[1], answer, sizeof answer), 6);
	assert_string_equal(answer, "answer");
	close(pair[1]);
	party_done(&a);
}

static void lingers_so_that_the_last_words_are_read(void **state)
{
	(void)state;
	struct party server = party();
	struct gg_listener *l = listen_at("127.0.0.1:0", NULL, &server);
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(gg_listener_port(l))};
	inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	wait_until(server.opened);
	gg_stream_pause(server.s);
	gg_stream_linger(server.s);
	static char junk[200000];
	fcntl(fd, F_SETFL, O_NONBLOCK);
	assert_true(send(fd, junk, sizeof junk, 0) > 0);
	gg_stream_write(server.s, "enough", 6);
	gg_stream_close(server.s, true, "enough");
	wait_until(server.closed);
	for (int i = 0; i < 10; i++)
		gg_loop_turn(loop, GG_NS_PER_MS);
	assert_true(send(fd, junk, 1000, 0) > 0);
	char got[8] = "";
	assert_int_equal(read(fd, got, sizeof got), 6);
	assert_string_equal(got, "enough");
	close(fd);
	for (int i = 0; i < 10; i++)
		gg_loop_turn(loop, GG_NS_PER_MS);
	gg_listener_close(l);
	party_done(&server);
}

static void says_why_it_cannot_connect(void **state)
{
	(void)state;
	struct party server = party(), client = party();
	struct gg_listener *l = listen_at("127.0.0.1:0", NULL, &server);
	struct gg_address to = {.host = "127.0.0.1", .port = gg_listener_port(l)};
	char expected[100];
	gg_listener_close(l);
	assert_int_equal(
		gg_stream_connect(loop, &to, NULL, NULL, &party_handler, &client, &client.s, NULL), 0);
	wait_until(client.closed);
	assert_int_equal(client.status, -ECONNREFUSED);
	snprintf(expected, sizeof expected, "cannot connect to 127.0.0.1:%u: Connection refused", to.port);
	assert_string_equal(client.reason, expected);
	party_done(&client);

	client = party();
	to = (struct gg_address){.host = "no-such-host.invalid", .port = 1883};
	assert_int_equal(
		gg_stream_connect(loop, &to, NULL, NULL, &party_handler, &client, &client.s, NULL), 0);
	wait_until(client.closed);
	assert_non_null(strstr(client.reason, "cannot connect to no-such-host.invalid:1883: "));
	party_done(&client);

	client = party();
	to = (struct gg_address){.scheme = "unix", .host = "/tmp/no-such-socket"};
	assert_int_equal(
		gg_stream_connect(loop, &to, NULL, NULL, &party_handler, &client, &client.s, NULL), 0);
	assert_false(client.closed); /* never from within the call */
	wait_until(client.closed);
	assert_int_equal(client.status, -ENOENT);
	party_done(&client);
	party_done(&server);
}

static void closing_while_a_name_is_resolved_is_safe(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		struct party client = party();
		struct gg_address to = {.host = "localhost", .port = 9};
		assert_int_equal(
			gg_stream_connect(loop, &to, NULL, NULL, &party_handler, &client, &client.s, NULL),
			0);
		if (i % 2)
			gg_loop_turn(loop, 0);
		if (client.s)
			gg_stream_close(client.s, false, "changed my mind");
		wait_until(client.closed);
		party_done(&client);
	}
	for (int i = 0; i < 50; i++) /* what the threads still bring is let go */
		gg_loop_turn(loop, GG_NS_PER_MS);
}

static void says_that_the_port_is_taken(void **state)
{
	(void)state;
	struct party server = party();
	struct gg_listener *l = listen_at("127.0.0.1:0", NULL, &server), *second = NULL;
	struct gg_listener_options o = {.address = {.host = "127.0.0.1", .port = gg_listener_port(l)}};
	struct gg_error e = {0};
	assert_int_equal(gg_listener_open(loop, &o, party_accepted, &server, &second, &e), -EADDRINUSE);
	assert_non_null(strstr(e.text, "another program listens there"));
	gg_str_copy(o.address.host, sizeof o.address.host, GG_STR("gateway.example"));
	assert_int_equal(gg_listener_open(loop, &o, party_accepted, &server, &second, &e), -EINVAL);
	gg_listener_close(l);
	party_done(&server);
}

static void turns_away_more_than_the_maximum(void **state)
{
	(void)state;
	struct party server = party(), a = party(), b = party();
	struct gg_listener_options o = {.address = {.host = "127.0.0.1"}, .max_streams = 1};
	struct gg_listener *l = NULL;
	assert_int_equal(gg_listener_open(loop, &o, party_accepted, &server, &l, NULL), 0);
	connect_to(l, "127.0.0.1", NULL, &a);
	wait_until(a.opened && server.opened);
	connect_to(l, "127.0.0.1", NULL, &b);
	wait_until(b.closed);
	assert_false(a.closed);
	gg_stream_close(a.s, true, NULL);
	wait_until(server.closed);
	party_done(&server);
	server = party();
	b.closed = b.opened = false;
	connect_to(l, "127.0.0.1", NULL, &b);
	wait_until(server.opened); /* there is room again */
	gg_listener_close(l);
	party_done(&server);
	party_done(&a);
	party_done(&b);
}

static void survives_running_out_of_descriptors(void **state)
{
	(void)state;
	struct party server = party();
	struct gg_listener *l = listen_at("127.0.0.1:0", NULL, &server);
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(gg_listener_port(l))};
	inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct rlimit old, tight;
	getrlimit(RLIMIT_NOFILE, &old);
	tight = old;
	int next = dup(0);
	close(next);
	tight.rlim_cur = (rlim_t)next;
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	setrlimit(RLIMIT_NOFILE, &tight);
	for (int i = 0; i < 5; i++)
		gg_loop_turn(loop, 5 * GG_NS_PER_MS);
	setrlimit(RLIMIT_NOFILE, &old);
	char byte;
	assert_false(server.opened);
	assert_int_equal(read(fd, &byte, 1), 0); /* turned away at once, not left hanging */
	close(fd);
	struct party client = party();
	connect_to(l, "127.0.0.1", NULL, &client);
	wait_until(server.opened);
	gg_listener_close(l);
	party_done(&server);
	party_done(&client);
}

static const struct gg_stream_handler *count_and_close(void *arg, struct gg_stream *s, void **ret_arg)
{
	(void)s, (void)ret_arg;
	++*(int *)arg;
	return NULL;
}

static void takes_a_storm_at_the_rate_allowed(void **state)
{
	(void)state;
	enum { COUNT = 12 };
	int accepted = 0;
	struct party clients[COUNT];
	struct gg_listener_options o = {.address = {.host = "127.0.0.1"}, .accept_rate = 50};
	struct gg_listener *l = NULL;
	assert_int_equal(gg_listener_open(loop, &o, count_and_close, &accepted, &l, NULL), 0);
	int64_t begin = gg_clock_monotonic(&gg_clock_system);
	for (int i = 0; i < COUNT; i++) {
		clients[i] = party();
		connect_to(l, "127.0.0.1", NULL, &clients[i]);
	}
	wait_until(accepted == COUNT);
	/* 12 at 5 in a tenth of a second take two tenths at least */
	assert_true(gg_clock_monotonic(&gg_clock_system) - begin >= 190 * GG_NS_PER_MS);
	for (int i = 0; i < COUNT; i++) {
		wait_until(clients[i].closed);
		party_done(&clients[i]);
	}
	gg_listener_close(l);
}

static void adopts_a_pty(void **state)
{
	(void)state;
	struct party a = party();
	int master = posix_openpt(O_RDWR | O_NOCTTY);
	if (master < 0)
		skip();
	assert_int_equal(grantpt(master), 0);
	assert_int_equal(unlockpt(master), 0);
	char name[64];
	assert_int_equal(ptsname_r(master, name, sizeof name), 0);
	int line = open(name, O_RDWR | O_NOCTTY);
	assert_true(line >= 0);
	assert_int_equal(gg_stream_adopt_take(loop, master, NULL, &party_handler, &a, &a.s), 0);
	assert_int_equal(write(line, "ping\n", 5), 5);
	wait_until(a.got.len >= 5);
	gg_stream_write(a.s, "pong\n", 5);
	gg_loop_turn(loop, 0);
	gg_loop_turn(loop, 0);
	char got[16] = "";
	assert_int_equal(read(line, got, sizeof got), 5);
	assert_string_equal(got, "pong\n");
	close(line);
	wait_until(a.closed);
	assert_int_equal(a.status, 0);
	party_done(&a);
}

static size_t close_in_data(void *arg, struct gg_stream *s, const uint8_t *bytes, size_t len)
{
	(void)bytes;
	gg_stream_write(s, "no", 2);
	gg_stream_close(s, true, "closed in data()");
	assert_int_equal(gg_stream_write(s, "more", 4), -EPIPE);
	((struct party *)arg)->opened = true;
	return len;
}

static void may_be_closed_from_its_own_callback(void **state)
{
	(void)state;
	static const struct gg_stream_handler handler = {.data = close_in_data, .closed = party_closed};
	int pair[2];
	struct party a = party();
	char got[8] = "";
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(gg_stream_adopt_take(loop, pair[0], NULL, &handler, &a, &a.s), 0);
	assert_int_equal(write(pair[1], "x", 1), 1);
	wait_until(a.closed);
	assert_string_equal(a.reason, "closed in data()");
	assert_int_equal(read(pair[1], got, sizeof got), 2);
	close(pair[1]);
	party_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(echoes_over_tcp),
		cmocka_unit_test(echoes_over_unix_and_cleans_up),
		cmocka_unit_test(tells_who_the_peer_is),
		cmocka_unit_test(moves_megabytes_unharmed_against_a_slow_reader),
		cmocka_unit_test(a_message_past_the_limit_is_refused_for_good),
		cmocka_unit_test(stops_reading_when_the_handler_leaves_a_full_buffer),
		cmocka_unit_test(gives_what_arrived_before_the_peer_closed),
		cmocka_unit_test(a_paused_stream_whose_peer_has_gone_does_not_spin),
		cmocka_unit_test(answers_a_peer_that_has_closed_its_half),
		cmocka_unit_test(lingers_so_that_the_last_words_are_read),
		cmocka_unit_test(says_why_it_cannot_connect),
		cmocka_unit_test(closing_while_a_name_is_resolved_is_safe),
		cmocka_unit_test(says_that_the_port_is_taken),
		cmocka_unit_test(turns_away_more_than_the_maximum),
		cmocka_unit_test(survives_running_out_of_descriptors),
		cmocka_unit_test(takes_a_storm_at_the_rate_allowed),
		cmocka_unit_test(adopts_a_pty),
		cmocka_unit_test(may_be_closed_from_its_own_callback),
	};
	return cmocka_run_group_tests(tests, loop_up, loop_down);
}
