/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the tests of this driver against a foreign peer only: a rig with a loop turned by hand, the engine on
 * it, the plant under site/ (which speaks through libmodbus), and what the driver would hand to the core,
 * caught.
 */
#ifndef GG_MODBUS_RIG_TEST_H
#define GG_MODBUS_RIG_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/loop.h"
#include "drivers/modbus/modbus_device.h"
#include "modbus_site.h"

enum { SIGNALS = 256, DEVICES = 4 };

/* What a signal said last, and how often it said something bad. */
struct seen {
	struct gg_sample last;
	char text[64];
	unsigned good, bad;
};

static struct gg_loop *loop;
static struct gg_site_modbus *site;
static struct gg_modbus_line line;
static struct gg_modbus_device devices[DEVICES];
static struct gg_modbus_signal signals[DEVICES][SIGNALS];
static uint32_t counts[DEVICES];
static unsigned device_count;
static unsigned broadcast; /* which device is all of them; 0: none */
static struct gg_modbus_line_options line_options;
static struct gg_modbus_device_options device_options;

static struct seen seen[DEVICES * SIGNALS];
static unsigned batches[DEVICES];
static struct {
	unsigned told;
	bool healthy;
	char reason[300];
} health[DEVICES];
static bool no_room;
static char properties[1000];
static struct {
	unsigned told, count;
	char text[300];
} refused[DEVICES];
static struct {
	bool done;
	int status;
	char reason[200];
} written;

#define wait_until(condition)                                                                                \
	do {                                                                                                 \
		int64_t end_ = gg_clock_monotonic(&gg_clock_system) + 10 * GG_NS_PER_S;                      \
		while (!(condition) && gg_clock_monotonic(&gg_clock_system) < end_)                          \
			gg_loop_turn(loop, 10 * GG_NS_PER_MS);                                               \
		assert_true(condition);                                                                      \
	} while (0)

/* ---- the core's side ---- */

static inline int catch_batch(void *arg, struct gg_batch *b)
{
	(void)arg;
	batches[b->device]++;
	for (uint32_t i = 0; !no_room && i < b->count; i++) {
		struct seen *s = &seen[b->samples[i].signal];
		s->last = b->samples[i];
		if (s->last.type == GG_TYPE_STRING)
			gg_str_copy(s->text, sizeof s->text, gg_batch_text(b, &s->last));
		*(s->last.quality == GG_GOOD ? &s->good : &s->bad) += 1;
	}
	gg_batch_unref(b);
	return no_room ? -EAGAIN : 0;
}

static inline void catch_health(void *arg, uint32_t device, bool healthy, const char *reason)
{
	(void)arg;
	health[device].told++;
	health[device].healthy = healthy;
	gg_str_copy(health[device].reason, sizeof health[device].reason, gg_str(reason));
}

static inline void catch_write(void *arg, struct gg_write *w, int status, const char *reason)
{
	(void)arg, (void)w;
	written.done = true;
	written.status = status;
	gg_str_copy(written.reason, sizeof written.reason, gg_str(reason));
}

static inline void catch_property(void *arg, uint32_t device, const char *name, const char *value)
{
	size_t len = strlen(properties);
	(void)arg, (void)device;
	snprintf(properties + len, sizeof properties - len, "%s=%s\n", name, value);
}

static inline void catch_refused(void *arg, uint32_t device, uint32_t count, const char *text)
{
	(void)arg;
	refused[device].told++;
	refused[device].count = count;
	gg_str_copy(refused[device].text, sizeof refused[device].text, gg_str(text));
}

static const struct gg_modbus_ops test_ops = {.submit_take = catch_batch,
	.health = catch_health,
	.write_done = catch_write,
	.property = catch_property,
	.refused = catch_refused};

/* ---- the rig ---- */

static inline void line_changed(void *arg, bool up, const char *reason)
{
	(void)arg;
	for (unsigned i = 0; i < device_count; i++)
		gg_modbus_device_line(&devices[i], up, reason);
}

/* Adds a signal; returns what is seen of it. */
static inline struct seen *add(unsigned device, const char *address, enum gg_modbus_type type)
{
	struct gg_modbus_signal *s = &signals[device][counts[device]];
	*s = (struct gg_modbus_signal){.name = address,
		.index = device * SIGNALS + counts[device]++,
		.writable = true,
		.period_ns = 20 * GG_NS_PER_MS,
		.form = {.type = (uint8_t)type, .bit = -1, .scale = 1}};
	assert_int_equal(gg_modbus_address_parse(gg_str(address), &s->at, NULL), 0);
	return &seen[s->index];
}

static inline struct gg_modbus_signal *of(const struct seen *s)
{
	size_t n = (size_t)(s - seen);
	return &signals[n / SIGNALS][n % SIGNALS];
}

static inline struct gg_modbus_stats stats(void)
{
	static struct gg_counter counters[9];
	static struct gg_histogram times[2];
	memset(counters, 0, sizeof counters);
	return (struct gg_modbus_stats){&counters[0], &counters[1], &counters[2], &counters[3], &counters[4],
		&counters[5], &counters[6], &counters[7], &counters[8], &times[0], &times[1]};
}

static inline uint64_t count_of(const struct gg_counter *c)
{
	return atomic_load(&c->value);
}

static inline void begin(void)
{
	static const char *const names[DEVICES] = {"pump-1", "pump-2", "pump-3", "pump-4"};
	line.stats = stats();
	line.changed = line_changed;
	line_options.units = device_count;
	gg_modbus_line_start(&line, loop, &line_options);
	for (unsigned i = 0; i < device_count; i++) {
		struct gg_modbus_device_options o = device_options;
		o.name = names[i];
		o.index = i;
		o.unit = (uint8_t)(i + 1);
		if (broadcast && i == broadcast) {
			o.unit = 0;
			o.broadcast = true;
		}
		assert_int_equal(gg_modbus_device_init(&devices[i], &o, signals[i], counts[i]), 0);
		gg_modbus_device_start(&devices[i], &line, &test_ops, NULL);
	}
}

static inline struct gg_site_modbus_unit *unit(unsigned number)
{
	return gg_site_modbus_unit(site, 0, number);
}

static inline void open_site(uint16_t port, unsigned ports)
{
	const struct gg_site_modbus_options o = {.first_port = port,
		.ports = ports,
		.units = DEVICES,
		.coils = 100,
		.discretes = 100,
		.inputs = 500,
		.holdings = 500};
	site = gg_site_modbus_new(&o);
	assert_non_null(site);
}

static inline int up(void **state)
{
	(void)state;
	loop = gg_loop_new("test", 100);
	memset(&line, 0, sizeof line);
	memset(devices, 0, sizeof devices);
	memset(counts, 0, sizeof counts);
	memset(seen, 0, sizeof seen);
	memset(batches, 0, sizeof batches);
	memset(health, 0, sizeof health);
	memset(refused, 0, sizeof refused);
	properties[0] = '\0';
	memset(&written, 0, sizeof written);
	no_room = false;
	broadcast = 0;
	device_count = 1;
	line_options = (struct gg_modbus_line_options){.who = "test",
		.framing = GG_MODBUS_TCP,
		.in_flight = 1,
		.turnaround_ns = 20 * GG_NS_PER_MS,
		.timeout_ns = 100 * GG_NS_PER_MS,
		.connect_timeout_ns = GG_NS_PER_S,
		.backoff_min_ns = 50 * GG_NS_PER_MS,
		.backoff_max_ns = 200 * GG_NS_PER_MS};
	device_options = (struct gg_modbus_device_options){.who = "test",
		.retries = 1,
		.timeout_ns = 100 * GG_NS_PER_MS,
		.backoff_min_ns = 50 * GG_NS_PER_MS,
		.backoff_max_ns = 200 * GG_NS_PER_MS,
		.limits = {.max_gap = 8}};
	return 0;
}

static inline int tcp_up(void **state)
{
	up(state);
	open_site(0, 1);
	gg_str_copy(line_options.address.host, sizeof line_options.address.host, GG_STR("127.0.0.1"));
	line_options.address.port = gg_site_modbus_port(site, 0);
	return gg_site_modbus_start(site);
}

static inline int down(void **state)
{
	(void)state;
	for (unsigned i = 0; i < device_count; i++)
		if (devices[i].line)
			gg_modbus_device_close(&devices[i]);
	gg_modbus_line_close(&line);
	for (int i = 0; i < 3; i++)
		gg_loop_turn(loop, 0);
	for (unsigned i = 0; i < device_count; i++)
		gg_modbus_device_done(&devices[i]);
	gg_site_modbus_free(site);
	site = NULL;
	gg_loop_free(loop);
	return 0;
}

static inline void write_now(const struct seen *s, struct gg_sample value, const char *text)
{
	static struct gg_write w;
	struct gg_error e = {0};
	unsigned device = (unsigned)((size_t)(s - seen) / SIGNALS);
	w = (struct gg_write){.signal = of(s)->index, .value = value, .text = gg_str(text)};
	memset(&written, 0, sizeof written);
	written.status = gg_modbus_device_write(&devices[device], of(s), &w, &e);
	if (written.status != 0) {
		gg_str_copy(written.reason, sizeof written.reason, gg_str(e.text));
		return;
	}
	wait_until(written.done);
}

static inline struct gg_sample number(double v)
{
	return (struct gg_sample){.type = GG_TYPE_FLOAT, .v.f = v};
}

#endif
