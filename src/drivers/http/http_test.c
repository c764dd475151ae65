/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP driver over loopback, against a host of this file's own. */
#include "check.h"

#include "core/loop.h"
#include "core/options.h"
#include "core/signals.h"
#include "drivers/http/http.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

struct gg_host {
	int unused;
};

static struct gg_host host;
static struct gg_loop *loop;
static struct gg_receipt *receipts[64];
static unsigned receipt_count, samples, batches;
static bool full, hold;
static char last_name[80];
static struct gg_sample last;
static struct gg_grant grant;
static char login_user[64], login_secret[64];
static uint16_t port;

const char *gg_host_name(const struct gg_host *h)
{
	(void)h;
	return "push";
}

struct gg_loop *gg_host_loop(const struct gg_host *h)
{
	(void)h;
	return loop;
}

const struct gg_clock *gg_host_clock(const struct gg_host *h)
{
	(void)h;
	return &gg_clock_system;
}

int gg_host_device(struct gg_host *h, struct gg_str id, uint32_t *ret_device)
{
	(void)h;
	return gg_device_make(id, ret_device);
}

int gg_host_signal(struct gg_host *h, uint32_t device, struct gg_str name, const struct gg_signal_spec *spec,
	uint32_t *ret_signal)
{
	(void)h;
	return gg_signal_make(device, name, spec, ret_signal);
}

void gg_host_device_health(struct gg_host *h, uint32_t device, bool healthy, const char *reason)
{
	(void)h, (void)device, (void)healthy, (void)reason;
}

int gg_host_submit_take(struct gg_host *h, struct gg_batch *b)
{
	struct gg_receipt *r = b->receipt;
	(void)h;
	b->receipt = NULL;
	batches++;
	samples += b->count;
	last = b->samples[b->count - 1];
	gg_str_copy(last_name, sizeof last_name, gg_signal(last.signal)->name);
	gg_batch_unref(b);
	if (hold)
		receipts[receipt_count++] = r;
	else
		r->done(r, full ? -EAGAIN : 0);
	return full ? -EAGAIN : 0;
}

int gg_host_login(struct gg_host *h, const struct gg_login *login,
	void (*granted)(void *arg, const struct gg_grant *g), void *arg)
{
	(void)h;
	gg_str_copy(login_user, sizeof login_user, login->user);
	gg_str_copy(login_secret, sizeof login_secret, login->secret);
	granted(arg, &grant);
	return 0;
}

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
		gg_loop_turn(loop, 5 * GG_NS_PER_MS);
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
	receipt_count = samples = batches = 0;
	full = hold = false;
	grant = (struct gg_grant){.device = GG_NONE};
	loop = gg_loop_new("io", 100);
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
		gg_loop_turn(loop, GG_NS_PER_MS);
	gg_driver_http.stop(self);
	gg_driver_http.fini(self);
	free(self);
	gg_arena_done(&arena);
	gg_loop_free(loop);
	return 0;
}

static void answers_when_the_data_are_safe_and_not_before(void **state)
{
	(void)state;
	hold = true;
	post("/ingest/press-2", "Content-Type: application/json\r\n", "{\"ts\": 1700000000, \"temp\": 21.5}");
	for (int i = 0; i < 50 && receipt_count == 0; i++)
		gg_loop_turn(loop, 10 * GG_NS_PER_MS);
	assert_int_equal(receipt_count, 1);
	for (int i = 0; i < 5; i++)
		gg_loop_turn(loop, GG_NS_PER_MS);
	assert_false(answered());
	receipts[0]->done(receipts[0], 0);
	assert_int_equal(status(), 204);
	assert_string_equal(last_name, "press-2/temp");
	assert_true(last.v.f == 21.5);
	assert_int_equal(last.time_ns, 1700000000 * GG_NS_PER_S);
}

static void asks_to_come_again_when_there_is_no_room(void **state)
{
	(void)state;
	full = true;
	post("/ingest/press-2", "", "{\"temp\": 21.5}");
	assert_int_equal(status(), 503);
	assert_non_null(strstr(answer, "Retry-After: 1"));
}

static void takes_single_values_and_line_protocol(void **state)
{
	(void)state;
	post("/ingest/press-2/oil%20temp", "Content-Type: text/plain\r\n", "60.5");
	assert_int_equal(status(), 204);
	assert_string_equal(last_name, "press-2/oil_temp");
	post("/api/v2/write?precision=ms", "Authorization: Token abc\r\n",
		"cpu,device=gw-1 usage=5 1700000000123\nweather temp=1,hum=2 1700000000124\n");
	assert_int_equal(status(), 204);
	assert_string_equal(login_secret, "abc");
	assert_string_equal(last_name, "weather/hum");
	assert_int_equal(last.time_ns, 1700000000124 * GG_NS_PER_MS);
	assert_int_equal(batches, 3);
	assert_int_equal(samples, 4);
}

static void knows_who_may_send_what(void **state)
{
	(void)state;
	grant.status = -EACCES;
	post("/ingest/press-2", "Authorization: Bearer wrong\r\n", "{\"a\": 1}");
	assert_int_equal(status(), 401);
	assert_non_null(strstr(answer, "WWW-Authenticate: Bearer"));
	assert_string_equal(login_user, "press-2");
	assert_string_equal(login_secret, "wrong");
	grant.status = 0;
	assert_int_equal(gg_device_make(GG_STR("press-3"), &grant.device), 0);
	post("/ingest/press-2", "Authorization: Bearer other\r\n", "{\"a\": 1}");
	assert_int_equal(status(), 403);
	post("/write", "Authorization: Bearer other\r\n", "m,device=press-2 a=1");
	assert_int_equal(status(), 403);
	assert_int_equal(batches, 0);
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
	assert_int_equal(batches, 0); /* all or nothing */
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
