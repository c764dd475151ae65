/* SPDX-License-Identifier: Apache-2.0 */
/* Headers as the protocol's description has them, and streams behind a proxy. */
#include "net/proxy.h"
#include "net/testing.h"

#include <arpa/inet.h>
#include <sys/socket.h>

static struct gg_proxy_header h;
static struct gg_error refusal;

static int parse(const char *bytes, size_t len)
{
	for (size_t n = 0; n < len; n++) /* what is not whole wants more, or is wrong */
		if (gg_proxy_parse(gg_str_n(bytes, n), &h, &refusal) == -EPROTO)
			return -EPROTO;
	return gg_proxy_parse(gg_str_n(bytes, len), &h, &refusal);
}

#define PARSE(text) parse(text, sizeof(text) - 1)
#define V2          "\r\n\r\n\0\r\nQUIT\n"

static void expect_source(const char *host, uint16_t port)
{
	assert_true(h.carries);
	assert_string_equal(h.source.host, host);
	assert_int_equal(h.source.port, port);
}

static void reads_version_1(void **state)
{
	(void)state;
	assert_int_equal(PARSE("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\nrest"), 0);
	assert_int_equal(h.size, 45);
	expect_source("192.0.2.1", 56324);
	assert_int_equal(PARSE("PROXY TCP6 2001:db8::1 ::1 1 65535\r\n"), 0);
	expect_source("2001:db8::1", 1);
	assert_int_equal(PARSE("PROXY UNKNOWN\r\n"), 0);
	assert_false(h.carries);
	assert_int_equal(PARSE("PROXY UNKNOWN ffff:f...f:ffff anything 65535\r\n"), 0);
	static const char *const wrong[] = {"GET / HTTP/1.1\r\n", "PROXY\r\n", "PROXY TCP4 1.2.3.4\r\n",
		"PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n", "PROXY TCP4 ::1 ::1 1 2\r\n",
		"PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n",
		"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n", "PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n"};
	for (size_t i = 0; i < GG_COUNT(wrong); i++)
		assert_int_equal(parse(wrong[i], strlen(wrong[i])), -EPROTO);
	char endless[200];
	memset(endless, 'x', sizeof endless);
	memcpy(endless, "PROXY UNKNOWN ", 14);
	assert_int_equal(parse(endless, sizeof endless), -EPROTO);
}

static void reads_version_2(void **state)
{
	(void)state;
	assert_int_equal(PARSE(V2 "\x21\x11\0\x0c\xc0\0\2\1\xc6\x33\x64\1\xdc\4\1\xbb"), 0);
	assert_int_equal(h.size, 28);
	expect_source("192.0.2.1", 0xdc04);
	assert_int_equal(PARSE(V2 "\x21\x11\0\x11\xc0\0\2\1\xc6\x33\x64\1\xdc\4\1\xbb\4\0\2ab"), 0);
	assert_int_equal(h.size, 33);
	char six[52] = V2 "\x21\x21\0\x24\x20\1\x0d\xb8";
	six[31] = 1, six[48] = 0x30, six[49] = 0x39;
	assert_int_equal(parse(six, sizeof six), 0);
	expect_source("2001:db8::1", 12345);
	memcpy(six + 16, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1", 16);
	assert_int_equal(parse(six, sizeof six), 0);
	expect_source("192.0.2.1", 12345);
	assert_int_equal(PARSE(V2 "\x20\0\0\0"), 0);
	assert_false(h.carries);
	assert_int_equal(PARSE(V2 "\x21\0\0\3abc"), 0);
	assert_false(h.carries);
	char local[232] = V2 "\x21\x31\0\xd8";
	assert_int_equal(parse(local, sizeof local), 0);
	assert_string_equal(h.source.scheme, "unix");
	assert_int_equal(PARSE(V2 "\x11\x11\0\x0c............"), -EPROTO); /* version 1 in binary */
	assert_int_equal(PARSE(V2 "\x22\x11\0\x0c............"), -EPROTO); /* a command that is none */
	assert_int_equal(PARSE(V2 "\x21\x12\0\x0c............"), -EPROTO); /* datagrams */
	assert_int_equal(PARSE(V2 "\x21\x11\0\x0b..........."), -EPROTO);  /* too short */
	assert_int_equal(PARSE(V2 "\x21\x11\0\x0e............\4\1"), -EPROTO);
	assert_int_equal(PARSE(V2 "\x21\x11\xff\xff"), -EPROTO); /* larger than any needs */
}

static void a_refusal_names_place_and_bytes(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		size_t len;
		const char *says;
	} wrong[] = {
#define WRONG(bytes, says) {bytes, sizeof(bytes) - 1, says}
		WRONG("GET / HTTP/1.1\r\n", "byte 0: expected a header of the PROXY protocol, got \"G\""),
		WRONG("\x10\x2a\0\4MQTT", "byte 0: expected a header of the PROXY protocol, got 10"),
		WRONG("PROXY TCP7 1.2.3.4", ""),
		WRONG("PROXY TCP7 \r\n", "version 1, protocol: expected TCP4, TCP6 or UNKNOWN, got \"TCP7\""),
		WRONG("PROXY TCP4 ::1 1.2.3.4 1 2\r\n",
			"version 1, address of the client: expected an address of IPv4, got \"::1\""),
		WRONG("PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n",
			"version 1, port of the server: expected a port, got \"2 3\""),
		WRONG("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n", "version 1: expected CR LF at the end of the line, "
							  "got \"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\""),
		WRONG(V2 "\x22\x11\0\x0c", "version 2, byte 12 (version and command): expected 20 (LOCAL) or "
					   "21 (PROXY), got 22"),
		WRONG(V2 "\x21\x12\0\x0c............", "version 2, byte 13 (family): expected TCP over IPv4 "
						       "or IPv6 (11, 21), or a unix stream (31), "
						       "got 12"),
		WRONG(V2 "\x21\x11\0\x0b...........",
			"version 2, byte 14 (length): 11 bytes are too few for addresses of family 11"),
		WRONG(V2 "\x21\x11\xff\xff", "version 2, byte 14 (length): 65535 bytes are more than 4080"),
		WRONG(V2 "\x21\x11\0\x0e............\4\1",
			"version 2, behind the addresses: a field goes beyond the header's 30 bytes"),
	};
	for (size_t i = 0; i < GG_COUNT(wrong); i++) {
		refusal = (struct gg_error){0};
		assert_int_equal(parse(wrong[i].bytes, wrong[i].len), wrong[i].says[0] ? -EPROTO : -EAGAIN);
		assert_string_equal(refusal.text, wrong[i].says);
	}
}

static void knows_who_is_of_a_network(void **state)
{
	(void)state;
	struct gg_network n[4];
	struct gg_error e;
	assert_int_equal(gg_network_parse(GG_STR("10.1.0.0/20"), &n[0], &e), 0);
	assert_int_equal(gg_network_parse(GG_STR("fd00::/8"), &n[1], &e), 0);
	assert_int_equal(gg_network_parse(GG_STR("192.0.2.7"), &n[2], &e), 0);
	assert_int_equal(gg_network_parse(GG_STR("unix"), &n[3], &e), 0);
	assert_true(gg_network_has(n, 4, "10.1.15.255:99"));
	assert_false(gg_network_has(n, 4, "10.1.16.0:99"));
	assert_true(gg_network_has(n, 4, "[fd12::1]:99"));
	assert_false(gg_network_has(n, 4, "[fe80::1]:99"));
	assert_true(gg_network_has(n, 4, "192.0.2.7:1"));
	assert_false(gg_network_has(n, 4, "192.0.2.8:1"));
	assert_true(gg_network_has(n, 4, "unix"));
	assert_false(gg_network_has(n, 3, "unix"));
	static const char *const wrong[] = {"", "10.0.0.0/33", "host", "10.0.0.0/x", "::/129", "/8"};
	for (size_t i = 0; i < GG_COUNT(wrong); i++)
		assert_int_equal(gg_network_parse(gg_str(wrong[i]), &n[0], &e), -EINVAL);
}

/* ---- streams ---- */

static struct party server[4];
static unsigned accepted;
static struct gg_listener *listener;
static char peers[4][64];
static bool locals[4];

static const struct gg_stream_handler *on_accepted(void *arg, struct gg_stream *s, void **ret_arg)
{
	(void)arg;
	struct party *p = &server[accepted];
	*p = (struct party){.s = s, .got = GG_BUF(1024)};
	gg_str_copy(peers[accepted], sizeof peers[0], gg_str(gg_stream_peer(s)));
	locals[accepted++] = gg_stream_is_local(s);
	*ret_arg = p;
	return &party_handler;
}

static void open_listener(const char *proxy, unsigned per_address)
{
	static struct gg_network trusted;
	struct gg_error e = {0};
	struct gg_listener_options o = {
		.proxies = &trusted, .proxy_count = 1, .max_per_address = per_address};
	assert_int_equal(gg_network_parse(gg_str(proxy), &trusted, &e), 0);
	assert_int_equal(gg_address_parse(GG_STR("127.0.0.1:0"), 0, &o.address, &e), 0);
	assert_int_equal(gg_listener_open(loop, &o, on_accepted, NULL, &listener, &e), 0);
	accepted = 0;
}

static int dial(const char *bytes, size_t len)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons(gg_listener_port(listener)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	for (size_t i = 0; i < len; i++) { /* byte by byte */
		if (send(fd, bytes + i, 1, MSG_NOSIGNAL) != 1)
			break; /* refused */
		gg_loop_turn(loop, GG_NS_PER_MS);
	}
	return fd;
}

static void end(const int *fds, int count)
{
	for (int i = 0; i < count; i++)
		close(fds[i]);
	for (unsigned i = 0; i < accepted; i++) {
		wait_until(server[i].closed);
		gg_buf_done(&server[i].got);
	}
	gg_listener_close(listener);
	gg_loop_turn(loop, 0);
}

static bool was_closed(int fd)
{
	char byte;
	gg_loop_turn(loop, 5 * GG_NS_PER_MS);
	return recv(fd, &byte, 1, MSG_DONTWAIT) == 0 || errno == ECONNRESET;
}

static void a_stream_is_of_whom_the_proxy_names(void **state)
{
	(void)state;
	open_listener("127.0.0.0/8", 0);
	static const char one[] = "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\nhello";
	static const char two[] = V2 "\x21\x11\0\x0c\x7f\0\0\2\x7f\0\0\1\xdc\4\1\xbbhello";
	int fds[] = {dial(one, sizeof one - 1), dial(two, sizeof two - 1), dial("hello", 5)};
	wait_until(accepted == 2 && server[0].got.len == 5 && server[1].got.len == 5);
	assert_string_equal(peers[0], "192.0.2.1:56324");
	assert_false(locals[0]);
	assert_string_equal(peers[1], "127.0.0.2:56324");
	assert_true(locals[1]);
	check_str(gg_buf_view(&server[0].got), "hello");
	wait_until(was_closed(fds[2])); /* it must say for whom it speaks */
	end(fds, 3);
}

static void who_is_no_proxy_is_not_believed(void **state)
{
	(void)state;
	open_listener("192.0.2.0/24", 0);
	static const char one[] = "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n";
	int fds[] = {dial(one, sizeof one - 1)};
	wait_until(accepted == 1 && server[0].got.len == sizeof one - 1);
	assert_memory_equal(peers[0], "127.0.0.1:", 10);
	end(fds, 1);
}

static void an_address_has_so_many_connections(void **state)
{
	(void)state;
	open_listener("127.0.0.1", 1);
	static const char one[] = "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n";
	static const char two[] = "PROXY TCP4 192.0.2.2 198.51.100.1 56324 443\r\n";
	int fds[] = {dial(one, sizeof one - 1), dial(two, sizeof two - 1), dial(one, sizeof one - 1)};
	wait_until(accepted == 2);
	wait_until(was_closed(fds[2]));
	close(fds[0]);
	wait_until(server[0].closed);
	fds[0] = dial(one, sizeof one - 1);
	wait_until(accepted == 3);
	end(fds, 3);
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
		cmocka_unit_test(reads_version_1),
		cmocka_unit_test(reads_version_2),
		cmocka_unit_test(a_refusal_names_place_and_bytes),
		cmocka_unit_test(knows_who_is_of_a_network),
		cmocka_unit_test(a_stream_is_of_whom_the_proxy_names),
		cmocka_unit_test(who_is_no_proxy_is_not_believed),
		cmocka_unit_test(an_address_has_so_many_connections),
	};
	return cmocka_run_group_tests(tests, make_loop, free_loop);
}
