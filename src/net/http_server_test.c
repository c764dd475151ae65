/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http_server.h"
#include "net/testing.h"
#include "net/websocket.h"

#include <sys/socket.h>

/* A server whose answers are chosen by the path, and a client that is a socket and what it has got. */
static struct gg_http_server *server;
static int client_fd;
static struct gg_buf got;
static struct gg_http_request *later, *live;
static int served, gone_count, drained_count;
static struct party web; /* behind a WebSocket */

static void on_gone(void *arg, struct gg_http_request *r)
{
	(void)arg, (void)r;
	gone_count++;
}

static void on_drained(void *arg, struct gg_http_request *r)
{
	(void)arg, (void)r;
	drained_count++;
}

static const struct gg_http_stream_ops live_ops = {.drained = on_drained, .gone = on_gone};

static void show(struct gg_http_request *r)
{
	struct gg_str name = GG_STR("(none)"), path = GG_STR("");
	char text[400];
	gg_http_param(r, "name", &name);
	assert_int_equal(gg_http_decode(r, gg_http_path(r), false, &path), 0);
	snprintf(text, sizeof text, "%.*s %.*s name=%.*s agent=%.*s body=%.*s", GG_STR_ARG(gg_http_method(r)),
		GG_STR_ARG(path), GG_STR_ARG(name), GG_STR_ARG(gg_http_header(r, "User-Agent")),
		GG_STR_ARG(gg_http_body(r)));
	gg_http_add_header(r, "X-Split", GG_STR("a\r\nInjected: b"));
	gg_http_reply(r, 200, "text/plain", gg_str(text));
}

static void big(struct gg_http_request *r)
{
	enum { SIZE = 9 << 20 };
	char *all = malloc(SIZE);
	assert_non_null(all);
	memset(all, 'x', SIZE);
	gg_http_reply(r, 200, "text/plain", gg_str_n(all, SIZE));
	free(all);
}

static size_t on_head(void *arg, struct gg_http_request *r)
{
	(void)arg;
	if (gg_str_is(gg_http_path(r), "/secret")) {
		gg_http_problem(r, 401, "who are you?");
		return 0;
	}
	return gg_str_is(gg_http_path(r), "/small") ? 10 : 100000;
}

static void on_request(void *arg, struct gg_http_request *r)
{
	(void)arg;
	struct gg_str path = gg_http_path(r);
	served++;
	if (gg_str_is(path, "/later")) {
		later = r;
		gg_http_on_gone(r, on_gone, NULL);
	} else if (gg_str_is(path, "/live")) {
		live = r;
		gg_http_stream_begin(r, 200, "text/event-stream", &live_ops, NULL);
	} else if (gg_str_is(path, "/big")) {
		big(r);
	} else if (gg_str_is(path, "/nothing")) {
		gg_http_reply(r, 204, NULL, GG_STR(""));
	} else if (gg_str_is(path, "/missing")) {
		struct gg_error e = {.code = -ENOENT, .line = 3, .column = 7, .text = "no such \"thing\""};
		gg_http_problem_error(r, &e);
	} else if (gg_str_is(path, "/mqtt")) {
		struct gg_stream *s = NULL;
		if (gg_http_websocket_take(r, "mqtt", &s) == 0) {
			web.s = s;
			web.opened = true;
			gg_stream_set_handler(s, &party_handler, &web);
		}
	} else {
		show(r);
	}
}

static void serve(const struct gg_http_limits *limits)
{
	static const struct gg_http_ops ops = {on_head, on_request};
	int pair[2];
	assert_int_equal(gg_http_server_new(loop, limits, &ops, NULL, &server), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(gg_http_server_adopt_take(server, pair[0]), 0);
	client_fd = pair[1];
	got = GG_BUF(32 << 20);
	later = live = NULL;
	served = gone_count = drained_count = 0;
	web = party();
}

static void serve_no_more(void)
{
	gg_http_server_close(server);
	if (client_fd >= 0)
		close(client_fd);
	for (int i = 0; i < 10; i++)
		gg_loop_turn(loop, GG_NS_PER_MS);
	gg_buf_done(&got);
	party_done(&web);
}

static void say(const char *text)
{
	assert_int_equal(write(client_fd, text, strlen(text)), strlen(text));
}

/* Reads what there is; false at the end. */
static bool receive(void)
{
	char piece[65536];
	ssize_t n;
	while ((n = read(client_fd, piece, sizeof piece)) > 0)
		gg_buf_add(&got, piece, (size_t)n);
	return n < 0 && errno == EAGAIN;
}

static bool has(const char *text)
{
	receive();
	return strstr(gg_buf_text(&got), text) != NULL;
}

static int count_of(const char *text)
{
	int count = 0;
	for (const char *at = gg_buf_text(&got); (at = strstr(at, text)); at++)
		count++;
	return count;
}

static void answers(const char *request, const char *begin, const char *part)
{
	gg_buf_clear(&got);
	say(request);
	wait_until(has(part));
	if (strncmp(gg_buf_text(&got), begin, strlen(begin)) != 0)
		print_message("got: %s\n", gg_buf_text(&got));
	assert_memory_equal(gg_buf_text(&got), begin, strlen(begin));
}

static void answers_requests_on_a_connection_that_stays(void **state)
{
	(void)state;
	serve(NULL);
	answers("GET /a%2Fb%20c?x=1&name=J%C3%BCrgen+K HTTP/1.1\r\nHost: h\r\nUser-Agent:  me \r\n\r\n",
		"HTTP/1.1 200 OK\r\nDate: ", "GET /a/b c name=Jürgen K agent=me body=");
	assert_false(has("\r\nInjected")); /* no header can be smuggled in */
	answers("POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", "HTTP/1.1 200 OK\r\n",
		"POST /p name=(none) agent= body=hello");
	answers("POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
		"chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n"
		"Trailer: t\r\n\r\n",
		"HTTP/1.1 200 OK\r\n", "body=abcde");
	answers("GET http://other/abs HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200 OK\r\n", "GET /abs name");
	answers("GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 204 No Content\r\n", "\r\n\r\n");
	assert_false(has("Content-Length"));
	answers("GET /h2c HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n",
		"HTTP/1.1 200 OK\r\n", "GET /h2c");
	assert_false(has("Connection: close"));
	assert_int_equal(served, 6);
	serve_no_more();
}

static void leaves_the_body_out_for_head(void **state)
{
	(void)state;
	serve(NULL);
	answers("HEAD /x HTTP/1.1\r\nHost: h\r\n\r\nGET /y HTTP/1.1\r\nHost: h\r\n\r\n",
		"HTTP/1.1 200 OK\r\n", "GET /y");
	assert_int_equal(count_of("Content-Length: "), 2);
	assert_int_equal(count_of("agent="), 1);
	serve_no_more();
}

static void keeps_the_order_of_pipelined_requests(void **state)
{
	(void)state;
	serve(NULL);
	say("GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /later HTTP/1.1\r\nHost: h\r\n\r\n"
	    "POST /3 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok");
	wait_until(later);
	assert_true(has("GET /1"));
	for (int i = 0; i < 5; i++)
		gg_loop_turn(loop, GG_NS_PER_MS);
	assert_int_equal(served, 2); /* the third waits for the second's answer */
	gg_http_reply(later, 200, "text/plain", GG_STR("second"));
	wait_until(has("body=ok"));
	assert_true(strstr(gg_buf_text(&got), "second") < strstr(gg_buf_text(&got), "POST /3"));
	serve_no_more();
}

static void takes_any_split_of_the_bytes(void **state)
{
	(void)state;
	static const char request[] =
		"POST /s?name=n HTTP/1.1\r\nHost: h\r\nUser-Agent: split\r\nContent-Length: 4\r\n\r\nbody";
	serve(NULL);
	for (size_t i = 0; i + 1 < sizeof request; i++) {
		assert_int_equal(write(client_fd, request + i, 1), 1);
		gg_loop_turn(loop, 0);
	}
	wait_until(has("POST /s name=n agent=split body=body"));
	serve_no_more();
}

static void answers_a_client_that_closed_its_half(void **state)
{
	(void)state;
	serve(NULL);
	say("GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
	shutdown(client_fd, SHUT_WR);
	wait_until(later);
	for (int i = 0; i < 5; i++)
		gg_loop_turn(loop, GG_NS_PER_MS);
	gg_http_reply(later, 200, "text/plain", GG_STR("you are still there"));
	wait_until(has("you are still there"));
	wait_until(!receive());
	serve_no_more();
}

static void tells_a_handler_whose_client_has_gone(void **state)
{
	(void)state;
	serve(NULL);
	say("GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
	wait_until(later);
	close(client_fd);
	client_fd = -1;
	wait_until(gone_count == 1);
	assert_null(gg_http_stream(later));
	gg_http_reply(later, 200, "text/plain", GG_STR("into the void"));
	serve_no_more();
}

static void sends_answers_bigger_than_any_buffer(void **state)
{
	(void)state;
	serve(NULL);
	say("GET /big HTTP/1.1\r\nHost: h\r\n\r\nGET /after HTTP/1.1\r\nHost: h\r\n\r\n");
	wait_until(receive() && got.len > 9 << 20 &&
		   memmem(got.p + (9 << 20), got.len - (9 << 20), "/after", 6));
	assert_non_null(strstr(gg_buf_text(&got), "Content-Length: 9437184\r\n"));
	serve_no_more();
}

static void streams_with_back_pressure(void **state)
{
	(void)state;
	serve(&(struct gg_http_limits){.output_bytes = 100000});
	say("GET /live HTTP/1.1\r\nHost: h\r\n\r\n");
	wait_until(live);
	assert_int_equal(gg_http_stream_write(live, GG_STR("data: 1\n\n")), 0);
	wait_until(has("9\r\ndata: 1\n\n\r\n"));
	assert_true(has("Content-Type: text/event-stream\r\nTransfer-Encoding: chunked"));
	static char piece[10000];
	memset(piece, 'p', sizeof piece);
	int rc = 0;
	for (int i = 0; i < 200 && rc == 0; i++) {
		rc = gg_http_stream_write(live, gg_str_n(piece, sizeof piece));
		gg_loop_turn(loop, 0);
	}
	assert_int_equal(rc, -EAGAIN);
	assert_true(gg_http_stream_queued(live) > 50000);
	wait_until(receive() && drained_count == 1);
	gg_http_stream_end(live, true);
	wait_until(has("\r\n0\r\n\r\n"));
	answers("GET /next HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200 OK", "GET /next");
	serve_no_more();
}

static void notices_that_a_reader_of_a_stream_has_left(void **state)
{
	(void)state;
	serve(NULL);
	say("GET /live HTTP/1.1\r\nHost: h\r\n\r\n");
	wait_until(live);
	close(client_fd);
	client_fd = -1;
	wait_until(gone_count == 1);
	assert_int_equal(gg_http_stream_write(live, GG_STR("x")), -EPIPE);
	gg_http_stream_end(live, false);
	serve_no_more();
}

static void asks_for_the_body_when_it_is_expected(void **state)
{
	(void)state;
	serve(NULL);
	say("POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
	wait_until(has("HTTP/1.1 100 Continue\r\n\r\n"));
	answers("yes", "HTTP/1.1 200 OK", "body=yes");
	serve_no_more();
	/* a body that is too long is refused before it is sent */
	serve(NULL);
	answers("POST /small HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n",
		"HTTP/1.1 413 Payload Too Large\r\n", "\"status\":413");
	serve_no_more();
}

static void is_refused(const char *request, const char *begin)
{
	serve(NULL);
	answers(request, begin, "}");
	assert_true(has("Content-Type: application/problem+json\r\n"));
	assert_true(has("Connection: close\r\n"));
	wait_until(!receive());
	assert_int_equal(served, 0);
	serve_no_more();
}

static void refuses_what_is_wrong_and_closes(void **state)
{
	(void)state;
	static char long_target[12000] = "GET /", long_header[20000] = "GET / HTTP/1.1\r\nHost: h\r\nA: ";
	memset(long_target + 5, 'a', sizeof long_target - 6);
	memset(long_header + strlen(long_header), 'a', sizeof long_header - strlen(long_header) - 1);
	is_refused("hello?\r\n\r\n", "HTTP/1.1 400 ");
	is_refused("\x16\x03\x01\x02\x01", "HTTP/1.1 400 ");
	is_refused("GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ");
	is_refused("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "HTTP/1.1 400 ");
	is_refused("GET / HTTP/1.1\r\nHost: h\r\nBad Name: x\r\n\r\n", "HTTP/1.1 400 ");
	is_refused("POST / HTTP/1.1\r\nHost: h\r\nContent-Length : 3\r\n\r\nabc", "HTTP/1.1 400 ");
	is_refused("GET / HTTP/2.0\r\nHost: h\r\n\r\n", "HTTP/1.1 505 ");
	is_refused("CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 405 ");
	is_refused("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: "
		   "chunked\r\n\r\n0\r\n\r\n",
		"HTTP/1.1 400 ");
	is_refused("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
		"HTTP/1.1 400 ");
	is_refused("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", "HTTP/1.1 400 ");
	is_refused("POST / HTTP/1.1\r\nHost: h\r\nExpect: miracles\r\n\r\n", "HTTP/1.1 417 ");
	is_refused(
		"POST /small HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n0123456789abcdef",
		"HTTP/1.1 413 ");
	is_refused(long_target, "HTTP/1.1 414 ");
	is_refused(long_header, "HTTP/1.1 431 ");
	is_refused("POST /secret HTTP/1.1\r\nHost: h\r\nContent-Length: 99\r\n\r\nbegin", "HTTP/1.1 401 ");
}

static void refuses_too_many_headers(void **state)
{
	(void)state;
	struct gg_buf b = GG_BUF(10000);
	gg_buf_str(&b, GG_STR("GET / HTTP/1.1\r\nHost: h\r\n"));
	for (int i = 0; i < 100; i++)
		gg_buf_printf(&b, "H%d: v\r\n", i);
	gg_buf_str(&b, GG_STR("\r\n"));
	is_refused(gg_buf_text(&b), "HTTP/1.1 431 ");
	gg_buf_done(&b);
}

static void answers_before_the_body_and_stays_when_there_is_none(void **state)
{
	(void)state;
	serve(NULL);
	answers("GET /secret HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 401 Unauthorized\r\n", "who are you?");
	answers("GET /open HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200 OK\r\n", "GET /open");
	answers("GET /missing HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 404 Not Found\r\n",
		"{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,\"detail\":\"no such "
		"\\\"thing\\\"\",\"code\":\"not-found\",\"line\":3,\"column\":7}");
	serve_no_more();
}

static void closes_when_asked_to(void **state)
{
	(void)state;
	serve(NULL);
	answers("GET /c HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "HTTP/1.1 200 OK", "GET /c");
	assert_true(has("Connection: close\r\n"));
	wait_until(!receive());
	serve_no_more();
	serve(NULL);
	answers("GET /old HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK", "GET /old");
	wait_until(!receive());
	serve_no_more();
	serve(NULL);
	answers("GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "HTTP/1.1 200 OK", "GET /old");
	answers("GET /more HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK", "GET /more");
	serve_no_more();
}

static void gives_slow_headers_up(void **state)
{
	(void)state;
	const struct gg_http_limits short_time = {.header_timeout_ns = 40 * GG_NS_PER_MS};
	serve(&short_time);
	int64_t begin = gg_clock_monotonic(&gg_clock_system);
	say("GET / HTTP/1.1\r\n");
	for (int i = 0; i < 3; i++) { /* a byte now and then does not prolong it */
		gg_loop_turn(loop, 10 * GG_NS_PER_MS);
		say("H");
	}
	wait_until(has("HTTP/1.1 408 Request Timeout\r\n"));
	assert_true(gg_clock_monotonic(&gg_clock_system) - begin < GG_NS_PER_S);
	wait_until(!receive());
	serve_no_more();
	serve(&short_time); /* who says nothing at all is closed without a word */
	wait_until(!receive());
	assert_int_equal(got.len, 0);
	serve_no_more();
	serve(&(struct gg_http_limits){.idle_timeout_ns = 40 * GG_NS_PER_MS});
	answers("GET /1 HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200", "GET /1");
	wait_until(!receive());
	serve_no_more();
}

static void drops_a_client_that_does_not_read(void **state)
{
	(void)state;
	serve(&(struct gg_http_limits){.idle_timeout_ns = 30 * GG_NS_PER_MS});
	say("GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
	wait_until(gg_http_server_connections(server) == 0);
	serve_no_more();
}

static void tells_too_many_connections_so(void **state)
{
	(void)state;
	serve(&(struct gg_http_limits){.connections = 1}); /* which it has */
	struct gg_listener_options o = {.address = {.host = "127.0.0.1"}};
	struct gg_listener *l = NULL;
	struct party client = party();
	assert_int_equal(gg_http_server_listen(server, &o, &l, NULL), 0);
	connect_to(l, "127.0.0.1", NULL, &client);
	wait_until(client.closed);
	assert_memory_equal(client.got.p, "HTTP/1.1 503 ", 13);
	assert_string_equal(strstr(gg_buf_text(&client.got), "\r\n\r\n") + 4,
		"{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503}");
	assert_non_null(strstr(gg_buf_text(&client.got), "Content-Length: 65\r\n"));
	party_done(&client);
	serve_no_more();
}

/* ---- WebSocket ---- */

#define UPGRADE                                                                                              \
	"GET /mqtt HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"         \
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"

static void upgrades_to_websocket_as_the_standard_shows(void **state)
{
	(void)state;
	serve(NULL);
	/* two frames come right behind the request: "Hello" masked as in RFC 6455 §5.7 but binary, in
	 * fragments */
	say(UPGRADE "Sec-WebSocket-Protocol: mqttv3.1, mqtt\r\n\r\n"
		    "\x02\x83\x37\xfa\x21\x3d\x7f\x9f\x4d"
		    "\x80\x82\x37\xfa\x21\x3d\x5b\x95");
	wait_until(has("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
	assert_true(has("HTTP/1.1 101 Switching Protocols\r\n"));
	assert_true(has("Sec-WebSocket-Protocol: mqtt\r\n"));
	wait_until(web.got.len == 5);
	assert_memory_equal(web.got.p, "Hello", 5);
	gg_buf_clear(&got);
	gg_stream_write(web.s, "Wor", 3);
	gg_stream_write(web.s, "ld", 2);
	wait_until(has("World"));
	assert_int_equal(got.len, 7); /* one frame for what was written in a turn */
	assert_memory_equal(got.p, "\x82\x05", 2);
	gg_buf_clear(&got);
	say("\x89\x83\x37\xfa\x21\x3d\x7f\x9f\x4d"); /* ping "Hel" */
	wait_until(has("Hel"));
	assert_memory_equal(got.p, "\x8a\x03Hel", 5);
	gg_buf_clear(&got);
	assert_int_equal(write(client_fd, "\x88\x82\0\0\0\0\x03\xe8", 8), 8);
	wait_until(web.closed);
	assert_int_equal(web.status, 0);
	wait_until(!receive());
	assert_int_equal(got.len, 4);
	assert_memory_equal(got.p, "\x88\x02\x03\xe8", 4);
	assert_int_equal(gg_http_server_connections(server), 0);
	serve_no_more();
}

static void breaks(const char *frame, size_t len, const char *code, const char *reason)
{
	serve(NULL);
	say(UPGRADE "Sec-WebSocket-Protocol: mqtt\r\n\r\n");
	wait_until(has("\r\n\r\n"));
	gg_buf_clear(&got);
	assert_int_equal(write(client_fd, frame, len), len);
	wait_until(web.closed);
	assert_int_equal(web.status, -EPROTO);
	assert_string_equal(web.reason, reason);
	wait_until(!receive());
	assert_int_equal(got.len, 4);
	assert_memory_equal(got.p, code, 4);
	serve_no_more();
}

static void ends_a_websocket_that_breaks_the_rules(void **state)
{
	(void)state;
	static const char breach[] = "\x88\x02\x03\xea";
	breaks("\x82\x01x", 3, breach, "WebSocket: the client's frame is not masked");
	breaks("\x81\x81\0\0\0\0x", 7, "\x88\x02\x03\xeb",
		"WebSocket: a text frame where only binary ones may come");
	breaks("\xc2\x81\0\0\0\0x", 7, breach, "WebSocket: a reserved bit is set");
	breaks("\x80\x81\0\0\0\0x", 7, breach, "WebSocket: fragments are out of order");
	breaks("\x83\x81\0\0\0\0x", 7, breach, "WebSocket: an unknown kind of frame");
	breaks("\x09\x80\0\0\0\0", 6, breach, "WebSocket: no frame as the standard has it");
}

static void refuses_upgrades_that_cannot_be(void **state)
{
	(void)state;
	serve(NULL);
	answers("GET /mqtt HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 426 ", "}");
	assert_true(has("Upgrade: websocket\r\n"));
	answers(UPGRADE "\r\n", "HTTP/1.1 400 ", "}"); /* no subprotocol */
	serve_no_more();
	serve(NULL);
	answers("GET /mqtt HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Key: short\r\nSec-WebSocket-Version: 13\r\n\r\n",
		"HTTP/1.1 400 ", "}");
	serve_no_more();
}

static void a_websocket_client_and_server_move_megabytes(void **state)
{
	(void)state;
	enum { SIZE = 700000 };
	serve(NULL);
	struct gg_listener_options o = {.address = {.host = "127.0.0.1"}};
	struct gg_listener *l = NULL;
	struct party client = party();
	assert_int_equal(gg_http_server_listen(server, &o, &l, NULL), 0);
	struct gg_address to = {.host = "127.0.0.1", .port = gg_listener_port(l)};
	assert_int_equal(gg_websocket_connect(loop, &to, "/mqtt", "mqtt", NULL, NULL, &party_handler, &client,
				 &client.s, NULL),
		0);
	wait_until(client.opened && web.opened);
	uint8_t *bytes = malloc(SIZE);
	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = (uint8_t)(i * 13 + (i >> 8));
	web.echo = true;
	assert_int_equal(gg_stream_write(client.s, bytes, SIZE), 0);
	wait_until(client.got.len == SIZE);
	assert_memory_equal(client.got.p, bytes, SIZE);
	free(bytes);
	gg_stream_close(client.s, true, "done");
	wait_until(client.closed && web.closed);
	assert_int_equal(web.status, 0);
	party_done(&client);

	client = party(); /* another path: the server says no */
	assert_int_equal(gg_websocket_connect(loop, &to, "/other", "mqtt", NULL, NULL, &party_handler,
				 &client, &client.s, NULL),
		0);
	wait_until(client.closed);
	assert_false(client.opened);
	assert_string_equal(
		client.reason, "WebSocket: the server did not agree to the upgrade (\"HTTP/1.1 200 OK\")");
	party_done(&client);
	serve_no_more();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(answers_requests_on_a_connection_that_stays),
		TEST(leaves_the_body_out_for_head),
		TEST(keeps_the_order_of_pipelined_requests),
		TEST(takes_any_split_of_the_bytes),
		TEST(answers_a_client_that_closed_its_half),
		TEST(tells_a_handler_whose_client_has_gone),
		TEST(sends_answers_bigger_than_any_buffer),
		TEST(streams_with_back_pressure),
		TEST(notices_that_a_reader_of_a_stream_has_left),
		TEST(asks_for_the_body_when_it_is_expected),
		TEST(refuses_what_is_wrong_and_closes),
		TEST(refuses_too_many_headers),
		TEST(answers_before_the_body_and_stays_when_there_is_none),
		TEST(closes_when_asked_to),
		TEST(gives_slow_headers_up),
		TEST(drops_a_client_that_does_not_read),
		TEST(tells_too_many_connections_so),
		TEST(upgrades_to_websocket_as_the_standard_shows),
		TEST(ends_a_websocket_that_breaks_the_rules),
		TEST(refuses_upgrades_that_cannot_be),
		TEST(a_websocket_client_and_server_move_megabytes),
	};
	return cmocka_run_group_tests(tests, loop_up, loop_down);
}
