/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole broker behind its sockets: clients that say anything, a journal that syncs late or fails, a crash
 * after which all that was kept (and what the input lays behind it) is replayed. The input is a row of
 *
 *   u8 what, u16 n, n bytes
 *     0..3  bytes from client 0..3, who connects when it is not        5  the journal answers: n odd well
 *     4     client n % 4 hangs up                                      6  crash and start; a record more
 *     7     compacting: what was kept before is dropped
 */
#include "drivers/mqtt/broker.h"

#include "base/log.h"
#include "core/loop.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CLIENTS = 4, KEPT = 512, RECEIPTS = 256, STEPS = 64 };

static struct gg_loop *loop;
static struct broker *b;
static struct broker_listener listener;
static int clients[CLIENTS];

/* ---- the gateway's double ---- */

static struct gg_str kept[KEPT];
static size_t kept_count;
static struct gg_receipt *receipts[RECEIPTS];
static size_t receipt_count;

static int device(void *arg, struct gg_str id, uint32_t *ret_device)
{
	(void)arg;
	*ret_device = (uint32_t)id.len % 8;
	return id.len > 100 ? -EINVAL : 0;
}

static int signal_(void *arg, uint32_t dev, struct gg_str name, uint32_t *ret_signal)
{
	(void)arg, (void)dev;
	*ret_signal = (uint32_t)name.len % 8;
	return 0;
}

static struct gg_str device_id(uint32_t dev)
{
	return gg_str_n("ddddddddd", dev + 1);
}

static void hold_receipt(struct gg_receipt *r)
{
	if (r && receipt_count < RECEIPTS)
		receipts[receipt_count++] = r;
	else if (r)
		r->done(r, 0);
}

static int submit_take(void *arg, struct gg_batch *batch)
{
	(void)arg;
	hold_receipt(GG_TAKE(batch->receipt));
	gg_batch_unref(batch);
	return 0;
}

static int keep(void *arg, const void *data, size_t len, struct gg_receipt *receipt)
{
	(void)arg;
	if (kept_count == KEPT)
		return -EAGAIN;
	char *copy = malloc(len);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, data, len);
	kept[kept_count++] = gg_str_n(copy, len);
	hold_receipt(receipt);
	return 0;
}

static int login(void *arg, const struct gg_login *l, void (*granted)(void *arg, const struct gg_grant *g),
	void *granted_arg)
{
	struct gg_grant g = {.status = l->secret.len % 4 == 3 ? -EACCES : 0,
		.device = l->user.len % 2 ? GG_NONE : 1,
		.any_topic = l->user.len % 3 == 1,
		.id = l->user};
	(void)arg;
	granted(granted_arg, &g);
	return 0;
}

static void health(void *arg, uint32_t dev, bool healthy, const char *reason)
{
	(void)arg, (void)dev, (void)healthy, (void)reason;
}

static void sync_journal(int status)
{
	struct gg_receipt *all[RECEIPTS];
	size_t n = receipt_count;
	memcpy(all, receipts, sizeof all);
	receipt_count = 0;
	for (size_t i = 0; i < n; i++)
		all[i]->done(all[i], status);
	gg_loop_turn(loop, 0);
}

static void drop_kept(size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		free((char *)(uintptr_t)kept[i].p);
	memmove(kept + from, kept + to, (kept_count - to) * sizeof *kept);
	kept_count -= to - from;
}

/* ---- the broker ---- */

static void start_broker(void)
{
	static struct topic_option topics[] = {
		{"{device}/{signal}", {.signal = "value"}}, {"s/{device}", {.format = 1, .signal = "value"}}};
	b = calloc(1, sizeof *b);
	if (!b)
		abort();
	b->loop = loop;
	b->o = (struct broker_options){.topics = {topics, GG_COUNT(topics)},
		.write = "{device}/{signal}/set",
		.response_information = "r",
		.max_clients = 3,
		.max_packet = 1 << 12,
		.max_inflight = 2,
		.max_queued = 4,
		.max_retained = 3,
		.memory = 1 << 16,
		.max_subscriptions = 6,
		.max_levels = 6,
		.max_topic = 100,
		.session_expiry_ns = 3600 * GG_NS_PER_S};
	b->outside = (struct broker_outside){.name = "mqtt",
		.device = device,
		.signal = signal_,
		.device_id = device_id,
		.submit_take = submit_take,
		.keep = keep,
		.login = login,
		.health = health};
	if (gg_broker_init(b, NULL) < 0)
		abort();
	listener = (struct broker_listener){.broker = b, .loopback = true};
}

static void hang_up(int i)
{
	if (clients[i] > 0)
		close(clients[i]);
	clients[i] = 0;
	gg_loop_turn(loop, 0);
}

static void stop_broker(void)
{
	sync_journal(0);
	for (int i = 0; i < CLIENTS; i++)
		hang_up(i);
	gg_broker_close(b);
	for (int i = 0; i < 1000 && (b->connection_count || b->waits_under_way || receipt_count); i++) {
		sync_journal(0);
		gg_loop_turn(loop, i < 20 ? 0 : GG_NS_PER_MS);
	}
	if (b->connection_count || b->waits_under_way)
		abort();
	gg_broker_done(b);
	if (b->message_bytes)
		abort();
	free(b);
}

static void replay(struct gg_str more)
{
	size_t count = kept_count;
	stop_broker();
	drop_kept(count, kept_count); /* what it kept on its way out */
	start_broker();
	for (size_t i = 0; i < count; i++)
		gg_persist_replay(b, kept[i]);
	if (more.len)
		gg_persist_replay(b, more);
	gg_persist_replayed(b);
}

static void compact(void)
{
	size_t before = kept_count;
	gg_retained_flush(b);
	gg_persist_compact(b);
	if (kept_count < KEPT) /* whole or not at all */
		drop_kept(0, before);
}

/* ---- clients ---- */

static void enter(int i)
{
	struct gg_stream *s;
	void *arg;
	int pair[2];
	if (clients[i] > 0)
		return;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0 ||
		gg_stream_adopt_take(loop, pair[0], NULL, NULL, NULL, &s) < 0)
		abort();
	const struct gg_stream_handler *h = gg_broker_accept(&listener, s, &arg);
	if (h) {
		gg_stream_set_handler(s, h, arg);
		clients[i] = pair[1];
		return;
	}
	close(pair[1]);
}

/* What it hears must be packets of the protocol. */
static void hear(int i)
{
	static uint8_t in[1 << 16];
	ssize_t n = clients[i] > 0 ? recv(clients[i], in, sizeof in, MSG_DONTWAIT) : -1;
	struct gg_str left = gg_str_n(in, n > 0 ? (size_t)n : 0);
	struct gg_mqtt_frame f;
	while (left.len && gg_mqtt_frame(left, SIZE_MAX, &f, NULL) == 0)
		left = gg_str_n(left.p + f.size, left.len - f.size);
	if (left.len && n < (ssize_t)sizeof in)
		abort();
	if (n == 0)
		hang_up(i);
}

static void say(int i, const uint8_t *bytes, size_t len)
{
	enter(i);
	if (clients[i] > 0 && len)
		(void)!send(clients[i], bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	for (int k = 0; k < 3; k++)
		gg_loop_turn(loop, 0);
	for (int k = 0; k < CLIENTS; k++)
		hear(k);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!loop) {
		loop = gg_loop_new("fuzz", 1000);
		gg_log_setup(GG_ERROR, GG_LOG_TEXT, open("/dev/null", O_WRONLY | O_CLOEXEC));
	}
	start_broker();
	struct gg_reader r = gg_reader(data, size);
	for (unsigned step = 0; step < STEPS && gg_reader_left(&r) >= 3; step++) {
		unsigned what = gg_read_u8(&r) & 7, n = gg_read_le16(&r);
		if (what == 4)
			hang_up((int)(n % CLIENTS));
		else if (what == 5)
			sync_journal(n % 2 ? 0 : -EIO);
		else if (what == 7)
			compact();
		if (what >= 4 && what != 6)
			continue;
		size_t len = gg_min_size(n, gg_reader_left(&r));
		const uint8_t *bytes = gg_read_bytes(&r, len);
		if (what == 6)
			replay(gg_str_n(bytes, len));
		else
			say((int)what, bytes, len);
	}
	stop_broker();
	drop_kept(0, kept_count);
	return 0;
}
