/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The MQTT uplink against mosquitto, read back with mosquitto_sub. The engine's place is taken by this file.
 * Where mosquitto is not installed the tests that need it are skipped.
 */
#include "check.h"

#include "core/loop.h"
#include "uplinks/mqtt/mqtt_uplink.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the engine's side ---- */

struct gg_host {
	int unused;
};

static struct gg_loop *loop;
static struct gg_host host;
static struct {
	bool ready;
	unsigned ups, downs, done, refused, again;
	uint64_t last_id;
	char reason[300];
} seen;

const char *gg_host_name(const struct gg_host *h)
{
	(void)h;
	return "cloud";
}

const char *gg_host_site(const struct gg_host *h)
{
	(void)h;
	return "hall-3";
}

struct gg_loop *gg_host_loop(const struct gg_host *h)
{
	(void)h;
	return loop;
}

void gg_uplink_ready(struct gg_host *h, bool ready, const char *reason)
{
	(void)h;
	seen.ready = ready;
	seen.ups += ready;
	seen.downs += !ready;
	gg_str_copy(seen.reason, sizeof seen.reason, gg_str(reason));
}

void gg_uplink_done(struct gg_host *h, uint64_t parcel_id, int status)
{
	(void)h;
	seen.done += status == 0;
	seen.refused += status == -EINVAL;
	seen.again += status == -EAGAIN;
	seen.last_id = parcel_id;
}

/* ---- processes ---- */

static uint16_t port;
static pid_t broker;
static char connect_text[64];

#define turn_until(condition)                                                                                \
	do {                                                                                                 \
		int64_t end_ = gg_clock_monotonic(&gg_clock_system) + 10 * GG_NS_PER_S;                      \
		while (!(condition) && gg_clock_monotonic(&gg_clock_system) < end_)                          \
			gg_loop_turn(loop, 10 * GG_NS_PER_MS);                                               \
		assert_true(condition);                                                                      \
	} while (0)

static int bind_free(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	getsockname(fd, (struct sockaddr *)&a, &len);
	port = ntohs(a.sin_port);
	snprintf(connect_text, sizeof connect_text, "mqtt://127.0.0.1:%u", port);
	return fd;
}

static pid_t start(const char *program, const char *const args[], int *ret_out)
{
	int fds[2];
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(fds[1], STDOUT_FILENO);
		if (!ret_out)
			dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
		close(fds[0]);
		execv(program, (char *const *)(uintptr_t)args);
		_exit(127);
	}
	close(fds[1]);
	if (ret_out)
		*ret_out = fds[0];
	else
		close(fds[0]);
	return pid;
}

static bool port_is_open(void)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool open = connect(fd, (struct sockaddr *)&a, sizeof a) == 0;
	close(fd);
	return open;
}

static void start_broker(void)
{
	char number[8];
	snprintf(number, sizeof number, "%u", port);
	const char *args[] = {"mosquitto", "-p", number, NULL};
	broker = start("/usr/sbin/mosquitto", args, NULL);
	turn_until(port_is_open());
}

static void kill_broker(void)
{
	if (broker > 0) {
		kill(broker, SIGKILL);
		waitpid(broker, NULL, 0);
	}
	broker = 0;
}

/* Starts a subscriber for n messages and waits until it listens; read_lines() gives what it printed. */
static int subscribe(const char *topic, const char *format, const char *n)
{
	char number[8];
	int out = -1;
	snprintf(number, sizeof number, "%u", port);
	const char *args[] = {"mosquitto_sub", "-p", number, "-V", "5", "-q", "1", "-d", "-W", "10", "-t",
		topic, "-F", format, "-C", n, NULL};
	start("/usr/bin/mosquitto_sub", args, &out);
	char text[4096];
	size_t len = 0;
	while (len < sizeof text - 1) { /* -d says when the broker has agreed */
		ssize_t r = read(out, text + len, 1);
		if (r <= 0)
			break;
		len += (size_t)r;
		text[len] = '\0';
		if (strstr(text, "Subscribed (mid") && text[len - 1] == '\n')
			break;
	}
	return out;
}

/* The lines that begin with "> ", while our side goes on. */
static void read_lines(int out, char *to, size_t size)
{
	struct gg_buf all = GG_BUF(1 << 20);
	char piece[4096];
	int64_t end = gg_clock_monotonic(&gg_clock_system) + 10 * GG_NS_PER_S;
	fcntl(out, F_SETFL, O_NONBLOCK);
	for (;;) {
		ssize_t n = read(out, piece, sizeof piece);
		if (n == 0 || gg_clock_monotonic(&gg_clock_system) > end)
			break;
		if (n > 0)
			gg_buf_add(&all, piece, (size_t)n);
		gg_loop_turn(loop, 5 * GG_NS_PER_MS);
	}
	close(out);
	struct gg_str rest = gg_buf_view(&all);
	size_t len = 0;
	to[0] = '\0';
	while (rest.len) {
		struct gg_str line = gg_str_cut(&rest, '\n');
		if (gg_str_starts(line, GG_STR("> ")))
			len += (size_t)snprintf(to + len, size - len, "%.*s\n", GG_STR_ARG(line));
	}
	gg_buf_done(&all);
}

/* ---- the uplink ---- */

static struct gg_mqtt_uplink *m;

static void make(int version, uint64_t qos)
{
	struct gg_error e = {0};
	m = calloc(1, sizeof *m);
	*m = (struct gg_mqtt_uplink){.connect = connect_text,
		.client_id = "ganglion-{site}-{uplink}",
		.version = version,
		.keep_alive_ns = 2 * GG_NS_PER_S,
		.topic = "ganglion/{site}/{name}",
		.events_topic = "ganglion/{site}/events",
		.status_topic = "ganglion/{site}/status",
		.qos = qos,
		.window = 16};
	assert_int_equal(gg_uplink_mqtt.init(m, &host, &e), 0);
	gg_uplink_mqtt.uplink->connect(m);
}

static int send_one(uint64_t id, const char *name, const char *payload, bool event)
{
	return gg_uplink_mqtt.uplink->send(m, &(struct gg_parcel){.id = id,
						      .name = gg_str(name),
						      .payload = gg_str(payload),
						      .content_type = "application/json",
						      .content_encoding = "zstd",
						      .urgent = event});
}

static int set_up(void **state)
{
	(void)state;
	memset(&seen, 0, sizeof seen);
	loop = gg_loop_new("north", 100);
	close(bind_free());
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	gg_uplink_mqtt.close(m);
	for (int i = 0; i < 5; i++)
		gg_loop_turn(loop, GG_NS_PER_MS);
	gg_uplink_mqtt.fini(m);
	free(m);
	kill_broker();
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	gg_loop_free(loop);
	return 0;
}

#define NEEDS_MOSQUITTO()                                                                                    \
	do {                                                                                                 \
		if (access("/usr/sbin/mosquitto", X_OK) || access("/usr/bin/mosquitto_sub", X_OK)) {         \
			make(0, 1);                                                                          \
			skip();                                                                              \
		}                                                                                            \
	} while (0)

/* ---- tests ---- */

static void mosquitto_takes_parcels_with_their_properties(void **state)
{
	(void)state;
	NEEDS_MOSQUITTO();
	start_broker();
	make(0, 1);
	turn_until(seen.ready);
	int sub = subscribe("ganglion/hall-3/#", "> %t %q %C %P %p", "3");
	assert_int_equal(send_one(0x1f40, "boiler", "{\"a\":1}", false), 0);
	assert_int_equal(send_one(0x1f41, "events", "{\"e\":2}", true), 0);
	turn_until(seen.done == 2);
	char lines[2000];
	read_lines(sub, lines, sizeof lines);
	/* The retained status comes first. */
	const char *expected = "> ganglion/hall-3/boiler 1 application/json id:0000000000001f40 "
			       "content-encoding:zstd {\"a\":1}\n"
			       "> ganglion/hall-3/events 1 application/json id:0000000000001f41 "
			       "content-encoding:zstd {\"e\":2}\n";
	assert_non_null(strstr(lines, "ganglion/hall-3/status"));
	assert_non_null(strstr(lines, "{\"online\":true}"));
	assert_non_null(strstr(lines, expected));
}

static void mosquitto_takes_the_older_version_too(void **state)
{
	(void)state;
	NEEDS_MOSQUITTO();
	start_broker();
	make(1, 1);
	turn_until(seen.ready);
	for (uint64_t i = 0; i < 16; i++)
		assert_int_equal(send_one(i, "boiler", "{}", false), 0);
	turn_until(seen.done == 16);
}

static void comes_back_after_the_broker_was_killed(void **state)
{
	(void)state;
	NEEDS_MOSQUITTO();
	start_broker();
	make(0, 1);
	turn_until(seen.ready);
	kill_broker();
	turn_until(!seen.ready);
	assert_int_equal(seen.downs, 1);
	assert_int_equal(send_one(1, "boiler", "{}", false), -ENOTCONN);
	gg_uplink_mqtt.uplink->connect(m);
	turn_until(seen.downs == 2);
	assert_non_null(strstr(seen.reason, "refused"));
	start_broker();
	gg_uplink_mqtt.uplink->connect(m);
	turn_until(seen.ready);
	assert_int_equal(send_one(2, "boiler", "{}", false), 0);
	turn_until(seen.done == 1);
	assert_int_equal(seen.last_id, 2);
}

static void stays_connected_while_there_is_nothing_to_say(void **state)
{
	(void)state;
	NEEDS_MOSQUITTO();
	start_broker();
	make(0, 1);
	turn_until(seen.ready);
	int64_t end = gg_clock_monotonic(&gg_clock_system) + 4 * GG_NS_PER_S; /* twice its keep-alive */
	while (gg_clock_monotonic(&gg_clock_system) < end)
		gg_loop_turn(loop, 20 * GG_NS_PER_MS);
	assert_int_equal(seen.downs, 0);
	assert_true(seen.ready);
}

/* A broker that says what it is told to. */
static struct {
	struct gg_stream *s;
	uint8_t puback_reason;
	bool mute;
} fake;

static size_t fake_data(void *arg, struct gg_stream *s, const uint8_t *bytes, size_t len)
{
	(void)arg;
	size_t used = 0;
	struct gg_mqtt_frame f;
	while (gg_mqtt_frame(gg_str_n(bytes + used, len - used), 1 << 20, &f, NULL) == 0) {
		struct gg_mqtt_packet p;
		uint8_t reason = 0;
		assert_int_equal(gg_mqtt_decode(&f, GG_MQTT_V5, &p, &reason), 0);
		used += f.size;
		static const uint8_t connack[] = {0x20, 6, 0, 0, 3, 0x21, 0, 3}; /* receive maximum 3 */
		if (p.type == GG_MQTT_CONNECT)
			gg_stream_write(s, connack, sizeof connack);
		if (p.type == GG_MQTT_PUBLISH && !fake.mute) {
			uint8_t puback[] = {0x40, 3, (uint8_t)(p.publish.packet_id >> 8),
				(uint8_t)p.publish.packet_id, fake.puback_reason};
			gg_stream_write(s, puback, sizeof puback);
		}
	}
	return used;
}

static void fake_closed(void *arg, struct gg_stream *s, int status, const char *reason)
{
	(void)arg, (void)s, (void)status, (void)reason;
	fake.s = NULL;
}

static const struct gg_stream_handler *fake_accepted(void *arg, struct gg_stream *s, void **ret_arg)
{
	static const struct gg_stream_handler h = {.data = fake_data, .closed = fake_closed};
	*ret_arg = arg;
	fake.s = s;
	return &h;
}

static struct gg_listener *fake_broker(void)
{
	struct gg_listener_options o = {.address = {.host = "127.0.0.1", .port = port}};
	struct gg_listener *l = NULL;
	assert_int_equal(gg_listener_open(loop, &o, fake_accepted, &fake, &l, NULL), 0);
	return l;
}

static void tells_refused_for_good_from_refused_for_now(void **state)
{
	(void)state;
	struct gg_listener *l = fake_broker();
	make(0, 1);
	turn_until(seen.ready);
	assert_int_equal(gg_uplink_mqtt.uplink->window(m), 2); /* one is left to the status */
	fake.puback_reason = GG_MQTT_BAD_PAYLOAD;
	send_one(1, "boiler", "{}", false);
	turn_until(seen.refused == 1);
	fake.puback_reason = GG_MQTT_QUOTA;
	send_one(2, "boiler", "{}", false);
	turn_until(seen.again == 1);
	fake.puback_reason = GG_MQTT_NO_SUBSCRIBERS;
	send_one(3, "boiler", "{}", false);
	turn_until(seen.done == 1);
	fake.puback_reason = 0;
	gg_listener_close(l);
}

static void a_broker_that_talks_nonsense_is_left(void **state)
{
	(void)state;
	struct gg_listener *l = fake_broker();
	make(0, 1);
	turn_until(seen.ready);
	gg_stream_write(fake.s, "\x00\x00nonsense", 10);
	turn_until(!seen.ready);
	assert_non_null(strstr(seen.reason, "malformed"));
	gg_listener_close(l);
}

static void configuration_mistakes_are_told(void **state)
{
	(void)state;
	static const struct {
		const char *connect, *topic, *says;
	} cases[] = {{"http://x", "t", "expected mqtt://"}, {"mqtt://x", "a/#", "wildcards"},
		{"mqtt://x", "", "empty"}};
	for (size_t i = 0; i < GG_COUNT(cases); i++) {
		struct gg_mqtt_uplink wrong = {.connect = cases[i].connect,
			.topic = cases[i].topic,
			.events_topic = "e",
			.client_id = "c"};
		struct gg_error e = {0};
		assert_int_equal(gg_uplink_mqtt.init(&wrong, &host, &e), -EINVAL);
		assert_non_null(strstr(e.text, cases[i].says));
	}
	make(0, 1);
}

#define LINK(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LINK(mosquitto_takes_parcels_with_their_properties),
		LINK(mosquitto_takes_the_older_version_too),
		LINK(comes_back_after_the_broker_was_killed),
		LINK(stays_connected_while_there_is_nothing_to_say),
		LINK(tells_refused_for_good_from_refused_for_now),
		LINK(a_broker_that_talks_nonsense_is_left),
		LINK(configuration_mistakes_are_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
