/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host of a driver's test: what the gateway does for a driver, in so small that a test can say "the shard
 * is full", "no worker comes back" or "who is that?", and look at everything the driver brought. The linker
 * takes these functions and not the gateway's. One host, `host`; a test fills in what it needs and calls
 * driver_host_begin() before and driver_host_end() after.
 *
 *   driver ─ gg_host_submit_take() ─▶ host.got, devices, texts       host.full: -EAGAIN, nothing is taken
 *          ─ gg_host_device_health() ─▶ host.told, healthy, reason
 *          ─ gg_host_login() ─▶ host.user, secret; answered at once with host.grant
 *          ─ gg_host_work() ─▶ done in a later turn, or with host.hanging when the test says so
 */
#ifndef GG_TESTS_DRIVER_HOST_H
#define GG_TESTS_DRIVER_HOST_H

#include "check.h"
#include "core/loop.h"
#include "core/signals.h"
#include "ganglion/driver.h"

enum { DRIVER_HOST_SAMPLES = 20000, DRIVER_HOST_TEXTS = 64, DRIVER_HOST_RECEIPTS = 64 };

struct gg_host {
	const char *name;
	struct gg_loop *loop;
	struct gg_clock_manual clock;
	const struct gg_clock *other_clock; /* in its place, NULL = none */
	bool full, hanging;                 /* no room in the shard; no worker comes back */
	/* what came */
	unsigned refused, batches;
	struct gg_sample got[DRIVER_HOST_SAMPLES];
	uint32_t devices[DRIVER_HOST_SAMPLES];
	char texts[DRIVER_HOST_TEXTS][16];
	size_t count, text_count;
	size_t latest; /* where the latest batch begins */
	/* receipts: returned at once, or held */
	bool hold;
	struct gg_receipt *receipts[DRIVER_HOST_RECEIPTS];
	unsigned receipt_count;
	/* health, as told last */
	bool told, healthy;
	char reason[160];
	/* logins */
	struct gg_grant grant;
	char user[64], secret[64];
	/* the work under way */
	void (*work)(void *arg), (*done)(void *arg);
	void *arg;
};

static struct gg_host host;

static inline int driver_host_begin(const char *name, int64_t utc_ns)
{
	host.name = name;
	host.loop = gg_loop_new("test", 100);
	gg_clock_manual_init(&host.clock, utc_ns);
	return host.loop ? 0 : -1;
}

static inline void driver_host_end(void)
{
	gg_loop_free(host.loop);
	host.loop = NULL;
}

/* Turns the loop until it is so; bounded. */
static inline void driver_host_until(bool (*so)(void))
{
	int64_t end = gg_clock_monotonic(&gg_clock_system) + 10 * GG_NS_PER_S;
	while (!so() && gg_clock_monotonic(&gg_clock_system) < end)
		gg_loop_turn(host.loop, 10 * GG_NS_PER_MS);
	assert_true(so());
}

/* The name of the signal of the latest sample, "" when there is none. */
static inline const char *driver_host_last_name(void)
{
	return host.count ? gg_signal(host.got[host.count - 1].signal)->name.p : "";
}

/* A worker that hung comes back. */
static inline void driver_host_come_back(void)
{
	host.hanging = false;
	host.work(host.arg);
	host.done(host.arg);
}

/* ---- what host.h promises ---- */

const char *gg_host_name(const struct gg_host *h)
{
	return h->name;
}

struct gg_loop *gg_host_loop(const struct gg_host *h)
{
	return h->loop;
}

const struct gg_clock *gg_host_clock(const struct gg_host *h)
{
	return h->other_clock ? h->other_clock : &h->clock.clock;
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
	(void)device;
	h->told = true;
	h->healthy = healthy;
	gg_str_copy(h->reason, sizeof h->reason, gg_str(reason));
}

static inline void driver_host_keep(struct gg_host *h, const struct gg_batch *b)
{
	h->batches++;
	h->latest = h->count;
	for (uint32_t i = 0; i < b->count && h->count < DRIVER_HOST_SAMPLES; i++) {
		if (b->samples[i].type == GG_TYPE_STRING && h->text_count < DRIVER_HOST_TEXTS)
			gg_str_copy(h->texts[h->text_count++], sizeof h->texts[0],
				gg_batch_text(b, &b->samples[i]));
		h->devices[h->count] = b->device;
		h->got[h->count++] = b->samples[i];
	}
}

int gg_host_submit_take(struct gg_host *h, struct gg_batch *b)
{
	struct gg_receipt *r = GG_TAKE(b->receipt);
	int rc = h->full ? -EAGAIN : 0;
	if (rc == 0)
		driver_host_keep(h, b);
	else
		h->refused++;
	gg_batch_unref(b);
	if (r && h->hold && rc == 0 && h->receipt_count < DRIVER_HOST_RECEIPTS)
		h->receipts[h->receipt_count++] = r;
	else if (r)
		r->done(r, rc);
	return rc;
}

int gg_host_login(struct gg_host *h, const struct gg_login *login,
	void (*granted)(void *arg, const struct gg_grant *g), void *arg)
{
	gg_str_copy(h->user, sizeof h->user, login->user);
	gg_str_copy(h->secret, sizeof h->secret, login->secret);
	granted(arg, &h->grant);
	return 0;
}

static inline void driver_host_run_work(void *arg, int64_t number)
{
	(void)arg, (void)number;
	driver_host_come_back();
}

int gg_host_work(struct gg_host *h, void (*work)(void *arg), void (*done)(void *arg), void *arg)
{
	h->work = work;
	h->done = done;
	h->arg = arg;
	return h->hanging ? 0 : gg_loop_post(h->loop, driver_host_run_work, NULL, 0);
}

#endif
