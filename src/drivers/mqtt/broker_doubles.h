/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the broker's tests: clients over socket pairs, and the gateway's double behind the broker, whose
 * journal syncs when the test says so.
 */
#ifndef GG_DRIVERS_MQTT_BROKER_DOUBLES_H
#define GG_DRIVERS_MQTT_BROKER_DOUBLES_H

#include "check.h"
#include "core/loop.h"
#include "drivers/mqtt/broker.h"

#include <sys/socket.h>
#include <unistd.h>

enum { KEPT = 4096, CLIENTS = 8 };

static struct gg_loop *loop;
static struct broker *b;
static struct broker_listener listener;

/* ---- the gateway's double ---- */

static struct {
	struct gg_receipt *receipts[KEPT];
	size_t receipt_count;
	bool sync_at_once;
	int submit_fails; /* the next submits say -EAGAIN */
	unsigned samples, batches;
	char values[2048];
	struct gg_str kept[KEPT];
	size_t kept_count;
	char devices[16][32], signals[64][64];
	uint32_t device_count, signal_count;
	char health[256], verifier[256];
} gateway;

static uint32_t index_of(struct gg_str name, char *names, size_t size, uint32_t *count)
{
	for (uint32_t i = 0; i < *count; i++)
		if (gg_str_is(name, names + i * size))
			return i;
	gg_str_copy(names + *count * size, size, name);
	return (*count)++;
}

static int device(void *arg, struct gg_str id, uint32_t *ret_device)
{
	(void)arg;
	*ret_device = index_of(id, gateway.devices[0], sizeof gateway.devices[0], &gateway.device_count);
	return 0;
}

static int signal_(void *arg, uint32_t dev, struct gg_str name, uint32_t *ret_signal)
{
	char full[64];
	(void)arg;
	int n = snprintf(full, sizeof full, "%s/%.*s", gateway.devices[dev], GG_STR_ARG(name));
	*ret_signal = index_of(gg_str_n(full, (size_t)n), gateway.signals[0], sizeof gateway.signals[0],
		&gateway.signal_count);
	return 0;
}

static struct gg_str device_id(uint32_t dev)
{
	return gg_str(gateway.devices[dev]);
}

static void give_back(struct gg_receipt *r, int status)
{
	r->done(r, status);
}

static void hold_receipt(struct gg_receipt *r)
{
	if (r && gateway.sync_at_once)
		give_back(r, 0);
	else if (r)
		gateway.receipts[gateway.receipt_count++] = r;
}

static int submit_take(void *arg, struct gg_batch *batch)
{
	(void)arg;
	struct gg_receipt *r = GG_TAKE(batch->receipt);
	bool full = gateway.submit_fails > 0;
	gateway.submit_fails -= full;
	gg_batch_freeze(batch);
	for (uint32_t i = 0; i < batch->count && !full; i++) {
		size_t n = strlen(gateway.values);
		snprintf(gateway.values + n, sizeof gateway.values - n, "%s%s=%g", n ? " " : "",
			gateway.signals[batch->samples[i].signal], gg_sample_number(&batch->samples[i]));
	}
	gateway.samples += full ? 0 : batch->count;
	gateway.batches += !full;
	gg_batch_unref(batch);
	if (full && r)
		give_back(r, -EAGAIN);
	else if (!full)
		hold_receipt(r);
	return full ? -EAGAIN : 0;
}

static int keep(void *arg, const void *data, size_t len, struct gg_receipt *receipt)
{
	(void)arg;
	assert_true(gateway.kept_count < KEPT);
	gateway.kept[gateway.kept_count++] = gg_str_n(gg_str_dup(gg_str_n(data, len)), len);
	hold_receipt(receipt);
	return 0;
}

static int login(void *arg, const struct gg_login *l, void (*granted)(void *arg, const struct gg_grant *g),
	void *granted_arg)
{
	struct gg_grant g = {.status = gg_str_is(l->secret, "right") ? 0 : -EACCES, .device = GG_NONE};
	if (l->step == GG_LOGIN_SCRAM_GOOD)
		g.status = gg_str_is(l->secret, gateway.verifier) ? 0 : -EACCES;
	if (l->step == GG_LOGIN_SCRAM_ASK)
		g = (struct gg_grant){.verifier = gg_str(gateway.verifier), .device = GG_NONE};
	else if (g.status == 0)
		g.id = l->user;
	if (g.status == 0 && l->step != GG_LOGIN_SCRAM_ASK)
		device(arg, l->user, &g.device);
	granted(granted_arg, &g);
	return 0;
}

static void health(void *arg, uint32_t dev, bool healthy, const char *reason)
{
	(void)arg;
	(void)reason;
	size_t n = strlen(gateway.health);
	snprintf(gateway.health + n, sizeof gateway.health - n, "%s%s ", gateway.devices[dev],
		healthy ? "+" : "-");
}

/* Everything that waits is on disk now, or failed. */
static void sync_journal(int status)
{
	for (size_t n = gateway.receipt_count, i = 0; i < n; i++)
		give_back(gateway.receipts[i], status);
	gateway.receipt_count = 0;
	gg_loop_turn(loop, 0);
}

/* ---- clients ---- */

struct client {
	int fd;
	enum gg_mqtt_version version;
	uint8_t in[65536];
	size_t len;
	struct gg_mqtt_packet packet;
	size_t size; /* of the packet heard last; it is dropped at the next */
};

static struct client clients[CLIENTS];

static void turn(void)
{
	for (int i = 0; i < 4; i++)
		gg_loop_turn(loop, 0);
}

static void say(struct client *c, const struct gg_mqtt_packet *p)
{
	uint8_t out[4096];
	struct gg_writer w = gg_writer(out, sizeof out);
	gg_mqtt_encode(&w, p, c->version);
	assert_true(gg_writer_ok(&w));
	assert_int_equal(write(c->fd, out, gg_writer_len(&w)), gg_writer_len(&w));
	turn();
}

/* The next packet; NULL: none has come; type 0: the connection has ended. */
static struct gg_mqtt_packet *hear(struct client *c)
{
	uint8_t reason;
	memmove(c->in, c->in + c->size, c->len - c->size);
	c->len -= c->size;
	c->size = 0;
	turn();
	ssize_t n = recv(c->fd, c->in + c->len, sizeof c->in - c->len, MSG_DONTWAIT);
	bool ended = n == 0 || (n < 0 && errno == ECONNRESET);
	c->len += n > 0 ? (size_t)n : 0;
	struct gg_mqtt_frame f;
	if (gg_mqtt_frame(gg_str_n(c->in, c->len), SIZE_MAX, &f, NULL) < 0) {
		c->packet.type = 0;
		return ended ? &c->packet : NULL;
	}
	assert_int_equal(gg_mqtt_decode(&f, c->version, &c->packet, &reason), 0);
	c->size = f.size;
	return &c->packet;
}

static struct gg_mqtt_packet *expect(struct client *c, uint8_t type)
{
	struct gg_mqtt_packet *p = hear(c);
	assert_non_null(p);
	assert_int_equal(p->type, type);
	return p;
}

static void expect_ack(struct client *c, uint8_t type, uint16_t id, uint8_t reason)
{
	const struct gg_mqtt_packet *p = expect(c, type);
	assert_int_equal(p->ack.packet_id, id);
	assert_int_equal(p->ack.reason, reason);
}

static struct gg_mqtt_packet *expect_message(struct client *c, const char *topic, const char *payload)
{
	struct gg_mqtt_packet *p = expect(c, GG_MQTT_PUBLISH);
	check_str(p->publish.topic, topic);
	check_str(p->publish.payload, payload);
	return p;
}

static struct client *open_client(int i, enum gg_mqtt_version version)
{
	struct client *c = &clients[i];
	struct gg_stream *s;
	void *arg;
	int pair[2];
	if (c->fd > 0)
		close(c->fd);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	*c = (struct client){.fd = pair[1], .version = version};
	assert_int_equal(gg_stream_adopt_take(loop, pair[0], NULL, NULL, NULL, &s), 0);
	const struct gg_stream_handler *h = gg_broker_accept(&listener, s, &arg);
	assert_non_null(h);
	gg_stream_set_handler(s, h, arg);
	return c;
}

static inline struct client *connect_with(int i, struct gg_mqtt_connect connect)
{
	struct client *c = open_client(i, (enum gg_mqtt_version)connect.version);
	say(c, &(struct gg_mqtt_packet){.type = GG_MQTT_CONNECT, .connect = connect});
	return c;
}

static struct gg_mqtt_connect as(const char *id, uint8_t version, bool clean)
{
	struct gg_mqtt_connect c = {.version = version, .clean = clean, .client_id = gg_str(id)};
	if (version == GG_MQTT_V5 && !clean) {
		c.properties.session_expiry_s = 1000;
		gg_mqtt_set(&c.properties, GG_MQTT_SESSION_EXPIRY);
	}
	return c;
}

static struct client *enter(int i, const char *id, uint8_t version, bool clean)
{
	struct client *c = connect_with(i, as(id, version, clean));
	assert_int_equal(expect(c, GG_MQTT_CONNACK)->connack.reason, 0);
	return c;
}

static void publish(struct client *c, const char *topic, const char *payload, uint8_t qos, uint16_t id)
{
	say(c, &(struct gg_mqtt_packet){.type = GG_MQTT_PUBLISH,
		       .publish = {.topic = gg_str(topic),
			       .payload = gg_str(payload),
			       .qos = qos,
			       .packet_id = id}});
}

static inline void retain(struct client *c, const char *topic, const char *payload)
{
	say(c, &(struct gg_mqtt_packet){.type = GG_MQTT_PUBLISH,
		       .publish = {.topic = gg_str(topic), .payload = gg_str(payload), .retain = true}});
}

static uint8_t subscribe(struct client *c, const char *filter, uint8_t qos)
{
	uint8_t entry[256];
	struct gg_writer w = gg_writer(entry, sizeof entry);
	gg_mqtt_filter_add(
		&w, GG_MQTT_SUBSCRIBE, &(struct gg_mqtt_filter){.filter = gg_str(filter), .qos = qos});
	say(c, &(struct gg_mqtt_packet){.type = GG_MQTT_SUBSCRIBE,
		       .subscribe = {.packet_id = 9, .filters = {(char *)entry, gg_writer_len(&w)}}});
	sync_journal(0);
	return (uint8_t)expect(c, GG_MQTT_SUBACK)->subscribe.codes.p[0];
}

static void acknowledge(struct client *c, uint8_t type, uint16_t id)
{
	say(c, &(struct gg_mqtt_packet){.type = type, .ack = {.packet_id = id}});
}

/* ---- one broker a test ---- */

static void start_broker(void)
{
	static struct topic_option topics[] = {{"{device}/{signal}", {.signal = "value"}},
		{"sensors/{device}", {.format = 1, .signal = "value"}}};
	b = calloc(1, sizeof *b);
	b->loop = loop;
	b->o = (struct broker_options){.topics = {topics, GG_COUNT(topics)},
		.write = "{device}/{signal}/set",
		.max_clients = 100,
		.max_packet = 1 << 16,
		.max_inflight = 4,
		.max_queued = 10,
		.max_retained = 10,
		.memory = 1 << 20,
		.max_subscriptions = 1000,
		.session_expiry_ns = 3600 * GG_NS_PER_S};
	b->outside = (struct broker_outside){.name = "mqtt",
		.device = device,
		.signal = signal_,
		.device_id = device_id,
		.submit_take = submit_take,
		.keep = keep,
		.login = login,
		.health = health};
	assert_int_equal(gg_broker_init(b, NULL), 0);
	listener = (struct broker_listener){.broker = b, .loopback = true};
}

static void stop_broker(void)
{
	sync_journal(0);
	for (int i = 0; i < CLIENTS; i++) {
		if (clients[i].fd > 0)
			close(clients[i].fd);
		clients[i].fd = 0;
	}
	turn();
	gg_broker_close(b);
	for (int i = 0; i < 1000 && b->connection_count; i++)
		gg_loop_turn(loop, GG_NS_PER_MS);
	assert_int_equal(b->connection_count, 0);
	assert_int_equal(b->waits_under_way, 0);
	gg_broker_done(b);
	assert_int_equal(b->message_bytes, 0);
	free(b);
}

/* As after kill -9 and a new start: all that is left is what was kept. */
static inline void crash_and_start(void)
{
	size_t count = gateway.kept_count;
	stop_broker();
	while (gateway.kept_count > count) /* what it kept on its way out */
		free((char *)gateway.kept[--gateway.kept_count].p);
	start_broker();
	for (size_t i = 0; i < count; i++)
		gg_persist_replay(b, gateway.kept[i]);
	gg_persist_replayed(b);
}

static int set_up(void **state)
{
	(void)state;
	memset(&gateway, 0, sizeof gateway);
	loop = gg_loop_new("test", 1000);
	start_broker();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	stop_broker();
	gg_loop_free(loop);
	for (size_t i = 0; i < gateway.kept_count; i++)
		free((char *)gateway.kept[i].p);
	return 0;
}

#endif
