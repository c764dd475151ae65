/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP driver over loopback. */
#include "driver_host.h"

#include "core/options.h"
#include "drivers/http/http.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static uint16_t port;

/* ---- a client ---- */

static char answer[8192];
static size_t answer_len;

static int post_fd = -1;

static void post(const char *path, const char *headers, const char *body)
{
	char text[8192];
	struct sockaddr_in a = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
	int n = snprintf(text, sizeof text, "POST %s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %zu\r\n\r\n%s",
		path, headers, strlen(body), body);
	if (post_fd >= 0)
		close(post_fd);
	post_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(post_fd, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(write(post_fd, text, (size_t)n), n);
	fcntl(post_fd, F_SETFL, O_NONBLOCK);
	answer_len = 0;
	answer[0] = '\0';
}

static bool answered(void)
{
	ssize_t n = read(post_fd, answer + answer_len, sizeof answer - 1 - answer_len);
	if (n > 0)
		answer_len += (size_t)n;
	answer[answer_len] = '\0';
	return strstr(answer, "\r\n\r\n") != NULL;
}

static int status(void)
{
	int64_t end = gg_clock_monotonic(&gg_clock_system) + 10 * GG_NS_PER_S;
	while (!answered() && gg_clock_monotonic(&gg_clock_system) < end)
		gg_loop_turn(host.loop, 5 * GG_NS_PER_MS);
	assert_true(answer_len > 12);
	return (int)strtol(answer + 9, NULL, 10);
}

/* ---- the driver ---- */

static void *self;
static struct gg_arena arena;

static int set_up(void **state)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;
	struct gg_error e = {0};
	struct gg_problems problems = {0};
	char yaml[100];
	struct gg_value *options = NULL;
	(void)state;
	memset(&host, 0, sizeof host);
	host.grant.device = GG_NONE;
	assert_int_equal(driver_host_begin("push", 0), 0);
	host.other_clock = &gg_clock_system;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bind(fd, (struct sockaddr *)&a, sizeof a);
	getsockname(fd, (struct sockaddr *)&a, &len);
	port = ntohs(a.sin_port);
	close(fd);
	arena = GG_ARENA(1 << 20);
	self = calloc(1, gg_driver_http.self_size);
	snprintf(yaml, sizeof yaml, "{listen: '127.0.0.1:%u', max_body: 4KiB, time: /ts}", port);
	assert_int_equal(gg_value_parse(&arena, "test", gg_str(yaml), NULL, &problems, &options), 0);
	assert_int_equal(gg_options_fill(gg_driver_http.options, self, options, &arena, &problems), 0);
	assert_int_equal(gg_driver_http.init(self, &host, &e), 0);
	assert_int_equal(gg_driver_http.start(self, &e), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	close(post_fd);
	post_fd = -1;
	gg_driver_http.close(self);
	for (int i = 0; i < 5; i++)
		gg_loop_turn(host.loop, GG_NS_PER_MS);
	gg_driver_http.stop(self);
	gg_driver_http.fini(self);
	free(self);
	gg_arena_done(&arena);
	driver_host_end();
	return 0;
}

static void answers_when_the_data_are_safe_and_not_before(void **state)
{
	(void)state;
	host.hold = true;
	post("/ingest/press-2", "Content-Type: application/json\r\n", "{\"ts\": 1700000000, \"temp\": 21.5}");
	for (int i = 0; i < 50 && host.receipt_count == 0; i++)
		gg_loop_turn(host.loop, 10 * GG_NS_PER_MS);
	assert_int_equal(host.receipt_count, 1);
	for (int i = 0; i < 5; i++)
		gg_loop_turn(host.loop, GG_NS_PER_MS);
	assert_false(answered());
	host.receipts[0]->done(host.receipts[0], 0);
	assert_int_equal(status(), 204);
	assert_string_equal(driver_host_last_name(), "press-2/temp");
	assert_true(host.got[host.count - 1].v.f == 21.5);
	assert_int_equal(host.got[host.count - 1].time_ns, 1700000000 * GG_NS_PER_S);
}

static void asks_to_come_again_when_there_is_no_room(void **state)
{
	(void)state;
	host.full = true;
	post("/ingest/press-2", "", "{\"temp\": 21.5}");
	assert_int_equal(status(), 503);
	assert_non_null(strstr(answer, "Retry-After: 1"));
}

static void takes_single_values_and_line_protocol(void **state)
{
	(void)state;
	post("/ingest/press-2/oil%20temp", "Content-Type: text/plain\r\n", "60.5");
	assert_int_equal(status(), 204);
	assert_string_equal(driver_host_last_name(), "press-2/oil_temp");
	post("/api/v2/write?precision=ms", "Authorization: Token abc\r\n",
		"cpu,device=gw-1 usage=5 1700000000123\nweather temp=1,hum=2 1700000000124\n");
	assert_int_equal(status(), 204);
	assert_string_equal(host.secret, "abc");
	assert_string_equal(driver_host_last_name(), "weather/hum");
	assert_int_equal(host.got[host.count - 1].time_ns, 1700000000124 * GG_NS_PER_MS);
	assert_int_equal(host.batches, 3);
	assert_int_equal(host.count, 4);
}

static void knows_who_may_send_what(void **state)
{
	(void)state;
	host.grant.status = -EACCES;
	post("/ingest/press-2", "Authorization: Bearer wrong\r\n", "{\"a\": 1}");
	assert_int_equal(status(), 401);
	assert_non_null(strstr(answer, "WWW-Authenticate: Bearer"));
	assert_string_equal(host.user, "press-2");
	assert_string_equal(host.secret, "wrong");
	host.grant.status = 0;
	assert_int_equal(gg_device_make(GG_STR("press-3"), &host.grant.device), 0);
	post("/ingest/press-2", "Authorization: Bearer other\r\n", "{\"a\": 1}");
	assert_int_equal(status(), 403);
	post("/write", "Authorization: Bearer other\r\n", "m,device=press-2 a=1");
	assert_int_equal(status(), 403);
	assert_int_equal(host.batches, 0);
	post("/ingest/press-3", "Authorization: Bearer other\r\n", "{\"a\": 1}");
	assert_int_equal(status(), 204);
}

static void says_what_is_wrong(void **state)
{
	(void)state;
	post("/ingest/press-2", "", "{\"a\": ");
	assert_int_equal(status(), 400);
	post("/write", "", "m a=1\nm b");
	assert_int_equal(status(), 400);
	assert_non_null(strstr(answer, "line 2"));
	assert_int_equal(host.batches, 0); /* all or nothing */
	post("/elsewhere", "", "");
	assert_int_equal(status(), 404);
	char big[6000];
	memset(big, ' ', sizeof big - 1);
	big[sizeof big - 1] = '\0';
	post("/ingest/press-2", "", big);
	assert_int_equal(status(), 413);
}

#define PUSH(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PUSH(answers_when_the_data_are_safe_and_not_before),
		PUSH(asks_to_come_again_when_there_is_no_room),
		PUSH(takes_single_values_and_line_protocol),
		PUSH(knows_who_may_send_what),
		PUSH(says_what_is_wrong),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
