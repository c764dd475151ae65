/* SPDX-License-Identifier: Apache-2.0 */
#include "api/rates.h"
#include "gateway/gateway.h"
#include "uplinks/engine.h"

enum { SECONDS = 10 };

static struct {
	struct gg_loop *loop;
	struct gg_timer timer;
	struct {
		int64_t at_ns;
		struct gg_totals t;
	} seen[SECONDS];
	size_t count; /* looks so far */
} here;

static uint64_t read_counter(const struct gg_counter *c)
{
	return c ? atomic_load_explicit(&c->value, memory_order_relaxed) : 0;
}

struct gg_totals gg_totals_now(void)
{
	struct gg_totals t = {0};
	for (const struct gg_host *h = gg_gateway.drivers; h; h = h->next) {
		t.samples_in += read_counter(h->samples);
		t.batches_refused += read_counter(h->refused);
	}
	for (unsigned i = 0; i < gg_gateway.shard_count; i++) {
		const struct gg_shard *s = gg_gateway.shards[i];
		t.samples_kept += read_counter(s->kept);
		t.samples_dropped += read_counter(s->dropped);
		t.samples_derived += read_counter(s->derived);
	}
	for (const struct gg_host *h = gg_gateway.uplinks; h; h = h->next) {
		struct gg_uplink_state state = {0};
		if (h->engine)
			gg_uplink_get_state(h->engine, &state);
		t.sent_samples += state.samples;
		t.sent_bytes += state.bytes;
		t.local_samples += state.local_samples;
	}
	return t;
}

static void look(struct gg_timer *timer)
{
	here.seen[here.count % SECONDS].at_ns = gg_loop_now(here.loop);
	here.seen[here.count % SECONDS].t = gg_totals_now();
	here.count++;
	gg_timer_start(here.loop, timer, GG_NS_PER_S, look);
}

/* A total may fall when a driver is taken away: then nothing is said. */
static double per_second(uint64_t before, uint64_t now, double seconds)
{
	return now > before && seconds > 0 ? (double)(now - before) / seconds : 0;
}

struct gg_rates gg_rates_now(void)
{
	struct gg_rates r = {0};
	if (here.count < 2)
		return r;
	size_t newest = (here.count - 1) % SECONDS;
	size_t oldest = here.count > SECONDS ? here.count % SECONDS : 0;
	const struct gg_totals *a = &here.seen[oldest].t, *b = &here.seen[newest].t;
	double seconds = (double)(here.seen[newest].at_ns - here.seen[oldest].at_ns) / 1e9;
	r.samples_in = per_second(a->samples_in, b->samples_in, seconds);
	r.samples_kept = per_second(a->samples_kept, b->samples_kept, seconds);
	r.samples_derived = per_second(a->samples_derived, b->samples_derived, seconds);
	r.sent_bytes = per_second(a->sent_bytes, b->sent_bytes, seconds);
	return r;
}

int gg_rates_start(struct gg_loop *loop)
{
	here.loop = loop;
	here.count = 0;
	return gg_timer_start(loop, &here.timer, 0, look);
}

void gg_rates_stop(void)
{
	if (here.loop)
		gg_timer_stop(&here.timer);
	here.loop = NULL;
}
