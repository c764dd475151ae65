/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one client may use of all. Who sends faster than allowed is read no faster: the rest waits in its
 * socket, nothing is lost that was not lost anyway. Topics may be so long and have so many levels. Of the
 * retained messages each device has a share; what applications retain counts for all together only.
 */
#include "broker.h"

#include "base/log.h"

static void rate_over(struct gg_timer *t)
{
	gg_connection_resume(GG_CONTAINER(t, struct connection, rate_timer), PAUSE_RATE);
}

void gg_limit_pause(struct connection *c, int64_t wait_ns)
{
	gg_connection_pause(c, PAUSE_RATE);
	gg_timer_start(c->broker->loop, &c->rate_timer, wait_ns, rate_over);
}

static void refill(struct bucket *k, double rate, int64_t now)
{
	k->tokens += k->at_ns ? (double)(now - k->at_ns) * rate / 1e9 : rate;
	k->at_ns = now;
	if (k->tokens > rate)
		k->tokens = rate;
}

static void throttle(struct connection *c, const char *limit, unsigned which, double wait_s)
{
	int64_t wait_ns = (int64_t)(wait_s * 1e9);
	gg_count(c->broker->count.throttled[which], 1);
	if (!c->throttled)
		gg_log(GG_WARN, c->broker->outside.name,
			"client sends faster than it may, it is read no faster",
			GG_S("peer", gg_stream_peer(c->stream)),
			GG_SV("client", c->session ? gg_session_id(c->session) : GG_STR("")),
			GG_S("limit", limit));
	c->throttled = true;
	gg_limit_pause(c, wait_ns > GG_NS_PER_MS ? wait_ns : GG_NS_PER_MS);
}

bool gg_limit_message(struct connection *c)
{
	double rate = (double)c->broker->o.rate;
	if (rate <= 0)
		return true;
	refill(&c->messages, rate, gg_loop_now(c->broker->loop));
	if (c->messages.tokens >= 1) {
		c->messages.tokens -= 1;
		return true;
	}
	throttle(c, "rate", 0, (1 - c->messages.tokens) / rate);
	return false;
}

/* A packet may be larger than a second's worth: it goes through, and then the bucket owes. */
bool gg_limit_bytes(struct connection *c)
{
	double rate = (double)c->broker->o.rate_bytes;
	if (rate <= 0)
		return true;
	refill(&c->bytes, rate, gg_loop_now(c->broker->loop));
	if (c->bytes.tokens > 0)
		return true;
	throttle(c, "rate_bytes", 1, (1 - c->bytes.tokens) / rate);
	return false;
}

void gg_limit_bytes_spend(struct connection *c, size_t size)
{
	if (c->broker->o.rate_bytes)
		c->bytes.tokens -= (double)size;
}

const char *gg_limit_topic(const struct broker *b, struct gg_str topic)
{
	uint64_t levels = 1;
	if (b->o.max_topic && topic.len > b->o.max_topic)
		return "max_topic";
	for (size_t i = 0; i < topic.len; i++)
		levels += topic.p[i] == '/';
	return b->o.max_levels && levels > b->o.max_levels ? "max_levels" : NULL;
}

/* ---- retained messages ---- */

struct retained_quota {
	size_t count, bytes;
};

static int refuse(struct broker *b, const char *limit, const char *why)
{
	b->limit = limit;
	b->why = why;
	return -EDQUOT;
}

static int charge_device(struct broker *b, uint32_t owner, size_t old_size, size_t new_size)
{
	struct gg_str key = gg_str_n(&owner, sizeof owner);
	struct retained_quota *q = gg_map_get_ptr(&b->retained_of, key);
	if (!q) {
		q = calloc(1, sizeof *q);
		if (!q || gg_map_put_ptr(&b->retained_of, key, q) < 0) {
			free(q);
			return -ENOMEM;
		}
	}
	size_t count = q->count + (new_size != 0) - (old_size != 0), bytes = q->bytes + new_size - old_size;
	bool grows = new_size > old_size && !b->replaying;
	if (grows && !old_size && b->o.max_retained_per_device && count > b->o.max_retained_per_device)
		return refuse(
			b, "max_retained_per_device", "the device has as many retained messages as it may");
	if (grows && b->o.retained_memory_per_device && bytes > b->o.retained_memory_per_device)
		return refuse(b, "retained_memory_per_device",
			"the device's retained messages are as large as they may be");
	q->count = count;
	q->bytes = bytes;
	return 0;
}

int gg_limit_retained(struct broker *b, uint32_t owner, size_t old_size, size_t new_size)
{
	bool grows = new_size > old_size && !b->replaying;
	size_t bytes = b->retained_bytes + new_size - old_size;
	if (grows && !old_size && b->retained_count >= b->o.max_retained)
		return refuse(b, "max_retained", "there are as many retained messages as there may be");
	if (grows && b->o.retained_memory && bytes > b->o.retained_memory)
		return refuse(b, "retained_memory", "the retained messages are as large as they may be");
	int rc = owner == GG_NONE ? 0 : charge_device(b, owner, old_size, new_size);
	if (rc == 0)
		b->retained_bytes = bytes;
	return rc;
}

void gg_limit_done(struct broker *b)
{
	const struct gg_map_entry *e;
	gg_map_each (e, &b->retained_of)
		free((void *)(uintptr_t)e->value);
	gg_map_done(&b->retained_of);
}
