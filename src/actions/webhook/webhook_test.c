/* SPDX-License-Identifier: Apache-2.0 */
/* The webhook against a small HTTP server on loopback that answers as told. */
#include "check.h"

#include "actions/webhook/webhook.h"
#include "base/clock.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

struct gg_call {
	pthread_mutex_t lock;
	pthread_cond_t done;
	int status;
	bool ended;
	char text[300];
};

void gg_call_done(struct gg_call *call, int status, const char *text)
{
	pthread_mutex_lock(&call->lock);
	call->status = status;
	call->ended = true;
	gg_str_copy(call->text, sizeof call->text, gg_str(text));
	pthread_cond_broadcast(&call->done);
	pthread_mutex_unlock(&call->lock);
}

static struct {
	int listener;
	uint16_t port;
	int answers[8]; /* HTTP status of each request in turn; 0 = close without an answer; -1 = never answer
			 */
	_Atomic unsigned requests;
	_Atomic bool ending;
	char last[4096];
	pthread_t thread;
} server;

static void answer(int fd, int status)
{
	char text[200];
	size_t got = 0;
	for (ssize_t n; got < sizeof server.last - 1; got += (size_t)n) {
		n = recv(fd, server.last + got, sizeof server.last - 1 - got, 0);
		if (n <= 0)
			break;
		server.last[got + (size_t)n] = '\0';
		if (strstr(server.last, "\r\n\r\n") &&
			strchr(strstr(server.last, "\r\n\r\n"), '}')) /* our body */
			break;
	}
	atomic_fetch_add(&server.requests, 1);
	for (struct pollfd p = {.fd = fd, .events = POLLIN}; status < 0 && !atomic_load(&server.ending);)
		if (poll(&p, 1, 20) > 0)
			return;
	int n = snprintf(
		text, sizeof text, "HTTP/1.1 %d x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status);
	if (status > 0 && send(fd, text, (size_t)n, MSG_NOSIGNAL) < 0)
		return;
}

static void *serve(void *arg)
{
	(void)arg;
	struct pollfd p = {.fd = server.listener, .events = POLLIN};
	while (!atomic_load(&server.ending)) {
		if (poll(&p, 1, 20) <= 0)
			continue;
		int fd = accept(server.listener, NULL, NULL);
		answer(fd, server.answers[atomic_load(&server.requests)]);
		close(fd);
	}
	return NULL;
}

static void begin(int first, int second, int third)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;
	memset(&server, 0, sizeof server);
	server.answers[0] = first;
	server.answers[1] = second;
	server.answers[2] = third;
	server.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server.listener, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(server.listener, 8), 0);
	getsockname(server.listener, (struct sockaddr *)&a, &len);
	server.port = ntohs(a.sin_port);
	pthread_create(&server.thread, NULL, serve, NULL);
}

static void end(void)
{
	atomic_store(&server.ending, true);
	pthread_join(server.thread, NULL);
	close(server.listener);
}

static void set(void *self, const char *name, const void *value, size_t len)
{
	for (const struct gg_option *o = gg_action_webhook.options; o->name; o++)
		if (strcmp(o->name, name) == 0)
			memcpy((char *)self + o->offset, value, len);
}

static char url[64];

static void *make(void)
{
	static struct {
		const char *name, *value;
	} header = {"Authorization", "Bearer x"};
	struct gg_many headers = {&header, 1};
	const char *to = url;
	int64_t timeout = 2 * GG_NS_PER_S, pause = 5 * GG_NS_PER_MS;
	uint64_t retries = 2, queue = 4;
	void *self = calloc(1, gg_action_webhook.self_size);
	struct gg_error e = {0};
	snprintf(url, sizeof url, "http://127.0.0.1:%u/alarm", server.port);
	set(self, "url", &to, sizeof to);
	set(self, "headers", &headers, sizeof headers);
	set(self, "timeout", &timeout, sizeof timeout);
	set(self, "pause", &pause, sizeof pause);
	set(self, "retries", &retries, sizeof retries);
	set(self, "queue", &queue, sizeof queue);
	assert_int_equal(gg_action_webhook.init(self, NULL, &e), 0);
	assert_int_equal(gg_action_webhook.start(self, &e), 0);
	return self;
}

static void unmake(void *self)
{
	gg_action_webhook.stop(self);
	free(self);
}

static int run(void *self, struct gg_call *call, struct gg_error *e)
{
	const struct gg_trigger t = {
		.rule = GG_STR("hot"), .title = GG_STR("It is hot"), .event = 7, .signal = GG_NONE};
	*call = (struct gg_call){.lock = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER};
	return gg_action_webhook.action->run(self, &t, call, e);
}

/* Bounded by the test's own limit. */
static void await(struct gg_call *call)
{
	pthread_mutex_lock(&call->lock);
	while (!call->ended)
		pthread_cond_wait(&call->done, &call->lock);
	pthread_mutex_unlock(&call->lock);
}

static void sends_the_trigger_as_json(void **state)
{
	(void)state;
	struct gg_call call;
	begin(204, 0, 0);
	void *self = make();
	assert_int_equal(run(self, &call, NULL), 0);
	await(&call);
	assert_int_equal(call.status, 0);
	assert_string_equal(call.text, "HTTP 204");
	assert_non_null(strstr(server.last, "POST /alarm HTTP/1.1"));
	assert_non_null(strstr(server.last, "Authorization: Bearer x"));
	assert_non_null(strstr(server.last, "Idempotency-Key: 7-open"));
	assert_non_null(strstr(server.last, "Content-Type: application/json"));
	assert_non_null(strstr(server.last, "\"title\":\"It is hot\""));
	unmake(self);
	end();
}

static void tries_again_when_that_may_help(void **state)
{
	(void)state;
	struct gg_call call;
	begin(503, 0, 200);
	void *self = make();
	assert_int_equal(run(self, &call, NULL), 0);
	await(&call);
	assert_int_equal(call.status, 0);
	assert_int_equal(atomic_load(&server.requests), 3);
	unmake(self);
	end();
	begin(500, 500, 500);
	self = make();
	assert_int_equal(run(self, &call, NULL), 0);
	await(&call);
	assert_int_equal(call.status, -EIO);
	assert_string_equal(call.text, "HTTP 500");
	assert_int_equal(atomic_load(&server.requests), 3);
	unmake(self);
	end();
}

static void a_refusal_is_final(void **state)
{
	(void)state;
	struct gg_call call;
	begin(403, 200, 200);
	void *self = make();
	assert_int_equal(run(self, &call, NULL), 0);
	await(&call);
	assert_int_equal(call.status, -EIO);
	assert_string_equal(call.text, "HTTP 403");
	assert_int_equal(atomic_load(&server.requests), 1);
	unmake(self);
	end();
}

static void bounds_what_waits_and_ends_it_when_stopped(void **state)
{
	(void)state;
	struct gg_call calls[5];
	struct gg_error e = {0};
	begin(-1, -1, -1);
	void *self = make();
	for (int i = 0; i < 4; i++)
		assert_int_equal(run(self, &calls[i], NULL), 0);
	assert_int_equal(run(self, &calls[4], &e), -EAGAIN);
	assert_non_null(strstr(e.text, "4 requests"));
	int64_t start = gg_clock_monotonic(&gg_clock_system);
	unmake(self);
	assert_true(gg_clock_monotonic(&gg_clock_system) - start < GG_NS_PER_S);
	for (int i = 0; i < 4; i++) {
		assert_true(calls[i].ended);
		assert_int_equal(calls[i].status, -ECANCELED);
	}
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(sends_the_trigger_as_json),
		TEST(tries_again_when_that_may_help),
		TEST(a_refusal_is_final),
		TEST(bounds_what_waits_and_ends_it_when_stopped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
