/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"
#include "net/stream.h"

static void reads(
	const char *text, uint16_t default_port, const char *scheme, const char *host, uint16_t port)
{
	struct gg_address a;
	struct gg_error e = {0};
	assert_int_equal(gg_address_parse(gg_str(text), default_port, &a, &e), 0);
	assert_string_equal(a.scheme, scheme);
	assert_string_equal(a.host, host);
	assert_int_equal(a.port, port);
}

static void reads_what_people_write(void **state)
{
	(void)state;
	reads("127.0.0.1:1883", 0, "", "127.0.0.1", 1883);
	reads("[::1]:8883", 0, "", "::1", 8883);
	reads("::1", 1883, "", "::1", 1883);
	reads("[fe80::1]", 1883, "", "fe80::1", 1883);
	reads("broker.example", 1883, "", "broker.example", 1883);
	reads("tcp://10.0.0.7:502", 0, "tcp", "10.0.0.7", 502);
	reads("mqtts://broker.example/", 8883, "mqtts", "broker.example", 8883);
	reads("unix:/run/x.sock", 0, "unix", "/run/x.sock", 0);
	reads("unix:///run/x.sock", 0, "unix", "/run/x.sock", 0);
	reads("*:80", 0, "", "*", 80);
	reads("0.0.0.0:0", 0, "", "0.0.0.0", 0);
}

static void says_what_is_missing(void **state)
{
	(void)state;
	static const struct {
		const char *text, *why;
	} wrong[] = {
		{"", "the host is missing"},
		{":1883", "the host is missing (0.0.0.0 stands for every interface)"},
		{"host", "the port is missing"},
		{"host:", "the port is missing"},
		{"host:x", "the port is no number from 0 to 65535"},
		{"host:65536", "the port is no number from 0 to 65535"},
		{"fe80::1:1883:x", "an IPv6 address with a port needs brackets"},
		{"[::1:80", "\"]\" is missing"},
		{"[host]:80", "no IPv6 address stands in the brackets"},
		{"[::1]80", "\":\" and a port must follow \"]\""},
		{"tcp://h:1/path", "a path does not belong here"},
		{"9x://h:1", "the word before \"://\" is no scheme"},
		{"un ix:1", "it holds a blank or control byte"},
		{"unix:", "the path is missing"},
	};
	for (size_t i = 0; i < GG_COUNT(wrong); i++) {
		struct gg_address a = {.port = 7};
		struct gg_error e = {0};
		assert_int_equal(gg_address_parse(gg_str(wrong[i].text), 0, &a, &e), -EINVAL);
		if (!strstr(e.text, wrong[i].why))
			print_message("%s: %s\n", wrong[i].text, e.text);
		assert_non_null(strstr(e.text, wrong[i].why));
		assert_non_null(strstr(e.text, "expected \"host:port\""));
		assert_int_equal(a.port, 7);
	}
}

static bool loopback(const char *text)
{
	struct gg_address a;
	assert_int_equal(gg_address_parse(gg_str(text), 1, &a, NULL), 0);
	return gg_address_is_loopback(&a);
}

static void knows_loopback(void **state)
{
	(void)state;
	assert_true(
		loopback("127.0.0.1") && loopback("127.9.9.9") && loopback("[::1]") && loopback("localhost"));
	assert_true(loopback("unix:/x") && loopback("::ffff:127.0.0.1"));
	assert_false(loopback("0.0.0.0") || loopback("::") || loopback("10.0.0.1") || loopback("128.0.0.1"));
	assert_false(loopback("localhost.example") || loopback("127.0.0.1.example"));
}

static void writes_what_it_reads(void **state)
{
	(void)state;
	static const char *const texts[] = {"tcp://10.0.0.7:502", "[::1]:8883", "host:1", "unix:/run/x"};
	for (size_t i = 0; i < GG_COUNT(texts); i++) {
		struct gg_address a;
		char text[300];
		assert_int_equal(gg_address_parse(gg_str(texts[i]), 0, &a, NULL), 0);
		assert_int_equal(gg_address_format(&a, text, sizeof text), strlen(texts[i]));
		assert_string_equal(text, texts[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reads_what_people_write),
		TEST(says_what_is_missing),
		TEST(knows_loopback),
		TEST(writes_what_it_reads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
