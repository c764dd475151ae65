/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A load generator for MQTT servers (3.1.1), one thread, epoll.
 *
 * mqtt_load_bench in HOST:PORT  clients=10 window=500 qos=1 size=100 seconds=5 [topic=load%d/state]
 *     [subscribers=0] [start=0]
 *   each client keeps `window` messages on their way, numbered from `start` on; prints sent, acknowledged
 *   (PUBACK, PUBREC), rate, time to the acknowledgement
 * mqtt_load_bench through HOST:PORT  the same options, subscribers=1 or more
 *   as `in`, and a message is on its way until all subscribers have it too, so nothing piles up in the
 * server; waits at the end for what is missing (`received` must be sent x subscribers); rates are of what
 * arrived mqtt_load_bench rate HOST:PORT rate=500 clients=1 qos=0 seconds=20 cycle=30000 [count=0] `rate`
 * messages a second in all, by the clients in turn; the temperature goes from 20 to 70 and back in `cycle`
 * messages of a client mqtt_load_bench reflex HOST:PORT rate=5000 seconds=5 in=machine/value out=reaction
 *   publishes numbers that cross a rule's threshold with each message, and measures the time until the
 *   server's reaction comes back on another connection, as the number it names
 * mqtt_load_bench acked HOST:PORT clients=4 window=50 seconds=60 file=PATH
 *   as `in`, and writes the number of each message to the file once it is acknowledged: for tests that kill
 *   the server and look for what is missing
 *
 * The last line is a JSON object.
 */
#include "base/json.h"
#include "base/str.h"
#include "load_payload.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	MOST_CLIENTS = 2000,
	IN_BYTES = 1 << 16,
	OUT_BYTES = 1 << 18,
	MOST_LATENCIES = 1 << 20,
	RING = 1 << 16
};

struct client {
	int fd;
	bool connected, subscriber;
	unsigned in_flight;
	uint16_t next_id;
	uint64_t number; /* of the next message */
	uint8_t in[IN_BYTES], out[OUT_BYTES];
	size_t in_len, out_len;
	int64_t sent_ns[RING]; /* by packet id */
	uint64_t numbers[RING];
	char topic[64];
};

static struct {
	const char *mode;
	struct sockaddr_in to;
	unsigned count, clients, window, qos, size, subscribers, rate, start, cycle;
	double seconds;
	const char *topic, *out_topic, *file;
} o = {.clients = 10,
	.window = 500,
	.qos = 1,
	.size = 100,
	.seconds = 5,
	.rate = 5000,
	.cycle = 100,
	.topic = "load%d/state",
	.out_topic = "reaction"};

static struct client *clients[MOST_CLIENTS];
static unsigned client_count;
static int epoll_fd;
static uint64_t sent, acked, received, lost_connections;
static int64_t *latencies;
static size_t latency_count;
static bool is_reflex, is_through;
static int64_t reflex_sent[RING];
static FILE *acked_file;

static int64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * GG_NS_PER_S + t.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "mqtt_load_bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void add_latency(int64_t ns)
{
	if (latency_count < MOST_LATENCIES)
		latencies[latency_count++] = ns;
}

/* ---- packets ---- */

static void put(struct client *c, const void *data, size_t n)
{
	if (c->out_len + n > OUT_BYTES) {
		fprintf(stderr, "mqtt_load_bench: the server reads too slowly\n");
		exit(1);
	}
	memcpy(c->out + c->out_len, data, n);
	c->out_len += n;
}

static void put_str(struct client *c, const char *s)
{
	uint8_t len[2] = {(uint8_t)(strlen(s) >> 8), (uint8_t)strlen(s)};
	put(c, len, 2);
	put(c, s, strlen(s));
}

static void put_head(struct client *c, uint8_t type, size_t len)
{
	put(c, &type, 1);
	do {
		uint8_t b = (uint8_t)(len & 0x7f);
		len >>= 7;
		b = (uint8_t)(b | (len ? 0x80 : 0));
		put(c, &b, 1);
	} while (len);
}

static void put_connect(struct client *c, unsigned i)
{
	char id[32];
	snprintf(id, sizeof id, "load-%d-%u", (int)getpid(), i);
	put_head(c, 0x10, 10 + 2 + strlen(id));
	put_str(c, "MQTT");
	put(c, "\x04\x02\x00\x3c", 4);
	put_str(c, id);
}

static void put_subscribe(struct client *c, const char *filter, uint8_t qos)
{
	put_head(c, 0x82, 2 + 2 + strlen(filter) + 1);
	put(c, "\x00\x01", 2);
	put_str(c, filter);
	put(c, &qos, 1);
}

static void put_publish(struct client *c, const char *topic, const char *payload, size_t len)
{
	size_t rest = 2 + strlen(topic) + (o.qos ? 2 : 0) + len;
	put_head(c, (uint8_t)(0x30 | o.qos << 1), rest);
	put_str(c, topic);
	if (o.qos) {
		if (++c->next_id == 0)
			c->next_id = 1;
		uint8_t id[2] = {(uint8_t)(c->next_id >> 8), (uint8_t)c->next_id};
		put(c, id, 2);
		c->sent_ns[c->next_id] = now_ns();
		c->numbers[c->next_id] = c->number;
	}
	put(c, payload, len);
	c->number++;
	sent++;
}

static void publish_next(struct client *c)
{
	char payload[MOST_PAYLOAD];
	size_t n = payload_of(payload, c->number, o.cycle, o.size);
	put_publish(c, c->topic, payload, n);
	c->in_flight++;
}

/* ---- what comes back ---- */

static void acknowledged(struct client *c, const uint8_t *p)
{
	uint16_t id = (uint16_t)(p[0] << 8 | p[1]);
	acked++;
	if ((acked & 15) == 0)
		add_latency(now_ns() - c->sent_ns[id]);
	if (acked_file)
		fprintf(acked_file, "%s %llu\n", c->topic, (unsigned long long)c->numbers[id]);
}

static void take_pubrec(struct client *c, const uint8_t *p)
{
	acknowledged(c, p);
	put(c, "\x62\x02", 2);
	put(c, p, 2);
}

static void take_publish(struct client *c, uint8_t flags, const uint8_t *p, size_t len)
{
	size_t topic_len = (size_t)(p[0] << 8 | p[1]), at = 2 + topic_len;
	received++;
	if (flags & 6) {
		put(c, "\x40\x02", 2);
		put(c, p + at, 2);
		at += 2;
	}
	if (is_reflex) {
		double value = 0;
		if (gg_parse_float(gg_str_n(p + at, len - at), &value) == 0) {
			uint64_t number = (uint64_t)(value < 0 ? -value : value) % RING;
			if (reflex_sent[number])
				add_latency(now_ns() - reflex_sent[number]);
			reflex_sent[number] = 0;
		}
	}
}

static size_t take_packet(struct client *c, const uint8_t *p, size_t len)
{
	size_t rest = 0, at = 1;
	for (unsigned shift = 0;; shift += 7) {
		if (at >= len)
			return 0;
		rest |= (size_t)(p[at] & 0x7f) << shift;
		if (!(p[at++] & 0x80))
			break;
	}
	if (len - at < rest)
		return 0;
	switch (p[0] >> 4) {
	case 2:
		if (p[at + 1] != 0) {
			fprintf(stderr, "mqtt_load_bench: the server refused the connection (%d)\n",
				p[at + 1]);
			exit(1);
		}
		c->connected = true;
		break;
	case 3:
		take_publish(c, p[0] & 0xf, p + at, rest);
		break;
	case 4: /* PUBACK */
		acknowledged(c, p + at);
		c->in_flight--;
		break;
	case 5: /* PUBREC */
		take_pubrec(c, p + at);
		break;
	case 7: /* PUBCOMP */
		c->in_flight--;
		break;
	default:
		break;
	}
	return at + rest;
}

static bool read_all(struct client *c)
{
	ssize_t n = recv(c->fd, c->in + c->in_len, IN_BYTES - c->in_len, MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN))
		return false;
	if (n < 0)
		return true;
	c->in_len += (size_t)n;
	size_t used = 0, one;
	while (used < c->in_len && (one = take_packet(c, c->in + used, c->in_len - used)) > 0)
		used += one;
	memmove(c->in, c->in + used, c->in_len - used);
	c->in_len -= used;
	return true;
}

static bool flush(struct client *c)
{
	while (c->out_len) {
		ssize_t n = send(c->fd, c->out, c->out_len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0)
			return errno == EAGAIN;
		memmove(c->out, c->out + n, c->out_len - (size_t)n);
		c->out_len -= (size_t)n;
	}
	return true;
}

/* ---- clients ---- */

static struct client *connect_client(unsigned i, bool subscriber)
{
	int one = 1;
	struct client *c = calloc(1, sizeof *c);
	if (!c)
		die("memory");
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&o.to, sizeof o.to) < 0)
		die("connect");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	fcntl(c->fd, F_SETFL, O_NONBLOCK);
	c->subscriber = subscriber;
	c->number = o.start;
	const char *place = strstr(o.topic, "%d");
	if (place)
		snprintf(
			c->topic, sizeof c->topic, "%.*s%u%s", (int)(place - o.topic), o.topic, i, place + 2);
	else
		snprintf(c->topic, sizeof c->topic, "%s", o.topic);
	put_connect(c, i);
	flush(c);
	while (!c->connected) {
		struct timeval wait = {5, 0};
		fd_set set;
		FD_ZERO(&set);
		FD_SET(c->fd, &set);
		if (select(c->fd + 1, &set, NULL, NULL, &wait) != 1 || !read_all(c)) {
			fprintf(stderr, "mqtt_load_bench: no CONNACK\n");
			exit(1);
		}
	}
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &e);
	clients[client_count++] = c;
	return c;
}

static void drop_client(struct client *c)
{
	epoll_ctl(epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
	close(c->fd);
	c->fd = -1;
	lost_connections++;
}

/* Of all that is on its way, what the slowest part of the server holds is bounded too. */
static bool may_publish(void)
{
	return !is_through || (sent < received / o.subscribers + (uint64_t)o.window * o.clients &&
				      !(o.count && sent >= o.count));
}

static void fill(struct client *c)
{
	while (c->fd >= 0 && !c->subscriber && c->in_flight < o.window && c->out_len < OUT_BYTES / 2 &&
		may_publish()) {
		publish_next(c);
		if (o.qos == 0) {
			c->in_flight = 0;
			acked++;
			if (c->out_len > OUT_BYTES / 4)
				break;
		}
	}
	if (c->fd >= 0 && !flush(c))
		drop_client(c);
}

static void turn_ns(int64_t wait_ns)
{
	struct epoll_event ready[64];
	struct timespec wait = {wait_ns / GG_NS_PER_S, wait_ns % GG_NS_PER_S};
	int n = epoll_pwait2(epoll_fd, ready, 64, &wait, NULL);
	for (int i = 0; i < n; i++) {
		struct client *c = ready[i].data.ptr;
		if (c->fd >= 0 && !read_all(c))
			drop_client(c);
	}
}

static void turn(int wait_ms)
{
	turn_ns(wait_ms * GG_NS_PER_MS);
}

/* ---- modes ---- */

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

static double quantile_us(double q)
{
	return latency_count ? (double)latencies[(size_t)(q * (double)(latency_count - 1))] / 1e3 : 0;
}

static void print(double seconds)
{
	qsort(latencies, latency_count, sizeof *latencies, compare);
	printf("{\"sent\":%llu,\"acked\":%llu,\"received\":%llu,\"seconds\":%.4f,\"rate\":%.1f,\"received_"
	       "rate\":%.1f,"
	       "\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f,\"measured\":%zu,\"lost_connections\":%llu}"
	       "\n",
		(unsigned long long)sent, (unsigned long long)acked, (unsigned long long)received, seconds,
		(double)acked / seconds, (double)received / seconds, quantile_us(0.5), quantile_us(0.99),
		quantile_us(1), latency_count, (unsigned long long)lost_connections);
}

static void connect_all(void)
{
	for (unsigned i = 0; i < o.subscribers; i++) {
		struct client *c = connect_client(10000 + i, true);
		put_subscribe(c, "#", (uint8_t)o.qos);
		flush(c);
	}
	for (unsigned i = 0; i < o.clients; i++)
		connect_client(i, false);
}

static void flush_all(void)
{
	for (unsigned i = 0; i < client_count; i++)
		if (clients[i]->fd >= 0 && clients[i]->out_len && !flush(clients[i]))
			drop_client(clients[i]);
}

static void run_in(void)
{
	connect_all();
	int64_t began = now_ns(), end = began + (int64_t)(o.seconds * 1e9);
	while ((o.count ? acked < o.count : now_ns() < end) && lost_connections < client_count) {
		for (unsigned i = 0; i < client_count; i++)
			fill(clients[i]);
		turn(o.qos ? 10 : 0);
	}
	double seconds = (double)(now_ns() - began) / 1e9;
	print(seconds);
}

static void run_through(void)
{
	connect_all();
	for (int i = 0; i < 50; i++) /* the subscriptions are in place */
		turn(10);
	int64_t began = now_ns(), end = began + (int64_t)(o.seconds * 1e9), last = began;
	while (now_ns() < end && lost_connections == 0) {
		for (unsigned i = 0; i < client_count; i++)
			fill(clients[i]);
		turn(10);
	}
	for (uint64_t before = received; received < sent * o.subscribers && now_ns() < end + 10 * GG_NS_PER_S;
		before = received) {
		flush_all();
		turn(10);
		if (received > before)
			last = now_ns();
	}
	print((double)((last > end ? last : end) - began) / 1e9);
}

static void run_rate(void)
{
	connect_all();
	int64_t began = now_ns(), end = began + (int64_t)(o.seconds * 1e9), period = (int64_t)(1e9 / o.rate);
	unsigned at = 0;
	for (int64_t next = began; next < end && lost_connections == 0 && !(o.count && sent >= o.count);) {
		int64_t left = next - now_ns();
		if (left <= 0) {
			struct client *c = clients[o.subscribers + at++ % o.clients];
			publish_next(c);
			if (!flush(c))
				drop_client(c);
			next += period;
		}
		turn_ns(left > 0 ? left : 0);
	}
	for (int i = 0; i < 50 && o.qos && acked < sent; i++)
		turn(100);
	print((double)(now_ns() - began) / 1e9);
}

static void send_reflex(struct client *c, uint64_t number)
{
	char text[32];
	number %= RING;
	/* Above the threshold of 0 and below it in turn; its number is its size. */
	int n = snprintf(text, sizeof text, "%s%llu", number % 2 ? "-" : "",
		(unsigned long long)(number ? number : RING));
	reflex_sent[number] = now_ns();
	put_publish(c, o.topic, text, (size_t)n);
	if (!flush(c))
		drop_client(c);
}

static void run_reflex(void)
{
	struct client *listener = connect_client(1, true), *speaker = connect_client(2, false);
	put_subscribe(listener, o.out_topic, 0);
	flush(listener);
	o.qos = 0;
	turn(200);
	int64_t began = now_ns(), end = began + (int64_t)(o.seconds * 1e9), period = (int64_t)(1e9 / o.rate);
	uint64_t number = 1;
	for (int64_t next = began; next < end && lost_connections == 0;) {
		int64_t left = next - now_ns();
		if (left <= 0) {
			send_reflex(speaker, number++);
			next += period;
		}
		turn_ns(left > 0 ? left : 0); /* sleeps between: the processor is the server's */
	}
	for (int i = 0; i < 50; i++)
		turn(10);
	print((double)(now_ns() - began) / 1e9);
}

static void read_option(const char *arg)
{
	struct gg_str rest = gg_str(arg), key = gg_str_cut(&rest, '=');
	const struct {
		const char *name;
		unsigned *value;
	} numbers[] = {{"clients", &o.clients}, {"window", &o.window}, {"qos", &o.qos}, {"size", &o.size},
		{"subscribers", &o.subscribers}, {"rate", &o.rate}, {"count", &o.count}, {"start", &o.start},
		{"cycle", &o.cycle}};
	for (size_t i = 0; i < GG_COUNT(numbers); i++)
		if (gg_str_is(key, numbers[i].name))
			*numbers[i].value = (unsigned)strtoul(rest.p, NULL, 10);
	if (gg_str_is(key, "seconds"))
		o.seconds = strtod(rest.p, NULL);
	if (gg_str_is(key, "topic") || gg_str_is(key, "in"))
		o.topic = rest.p;
	if (gg_str_is(key, "out"))
		o.out_topic = rest.p;
	if (gg_str_is(key, "file"))
		o.file = rest.p;
}

int main(int argc, char **argv)
{
	if (argc < 3 || !strchr(argv[2], ':')) {
		fprintf(stderr,
			"usage: mqtt_load_bench in|through|rate|reflex|acked HOST:PORT [option=value...]\n");
		return 2;
	}
	struct gg_str rest = gg_str(argv[2]), host = gg_str_cut(&rest, ':');
	char text[64];
	gg_str_copy(text, sizeof text, host);
	o.mode = argv[1];
	o.to.sin_family = AF_INET;
	o.to.sin_port = htons((uint16_t)strtoul(rest.p, NULL, 10));
	inet_pton(AF_INET, text, &o.to.sin_addr);
	for (int i = 3; i < argc; i++)
		read_option(argv[i]);
	latencies = malloc(MOST_LATENCIES * sizeof *latencies);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (o.file) {
		acked_file = fopen(o.file, "a");
		if (!acked_file)
			die(o.file);
		setvbuf(acked_file, NULL, _IOLBF, 4096);
	}
	is_reflex = strcmp(o.mode, "reflex") == 0;
	is_through = strcmp(o.mode, "through") == 0;
	if (is_through && (!o.subscribers || !o.clients || o.subscribers + o.clients > MOST_CLIENTS))
		die("through wants subscribers and clients, 2,000 in all at most");
	if (is_reflex)
		run_reflex();
	else if (is_through)
		run_through();
	else if (strcmp(o.mode, "rate") == 0)
		run_rate();
	else
		run_in();
	if (acked_file)
		fclose(acked_file);
	return 0;
}
