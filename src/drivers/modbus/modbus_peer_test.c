/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine against a foreign peer: the plant under site/ speaks through libmodbus, over TCP, over a pty as serial
 * line, and RTU over TCP through a bridge between the two. What the driver hands to the core is caught here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/loop.h"
#include "drivers/modbus/modbus_device.h"
#include "modbus_site.h"

#include <arpa/inet.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

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

static int catch_batch(void *arg, struct gg_batch *b)
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

static void catch_health(void *arg, uint32_t device, bool healthy, const char *reason)
{
	(void)arg;
	health[device].told++;
	health[device].healthy = healthy;
	gg_str_copy(health[device].reason, sizeof health[device].reason, gg_str(reason));
}

static void catch_write(void *arg, struct gg_write *w, int status, const char *reason)
{
	(void)arg, (void)w;
	written.done = true;
	written.status = status;
	gg_str_copy(written.reason, sizeof written.reason, gg_str(reason));
}

static const struct gg_modbus_ops test_ops = {
	.submit_take = catch_batch, .health = catch_health, .write_done = catch_write};

/* ---- the rig ---- */

static void line_changed(void *arg, bool up, const char *reason)
{
	(void)arg;
	for (unsigned i = 0; i < device_count; i++)
		gg_modbus_device_line(&devices[i], up, reason);
}

/* Adds a signal; returns what is seen of it. */
static struct seen *add(unsigned device, const char *address, enum gg_modbus_type type)
{
	struct gg_modbus_signal *s = &signals[device][counts[device]];
	*s = (struct gg_modbus_signal){.name = address, .index = device * SIGNALS + counts[device]++, .writable = true,
		.period_ns = 20 * GG_NS_PER_MS, .form = {.type = (uint8_t)type, .bit = -1, .scale = 1}};
	assert_int_equal(gg_modbus_address_parse(gg_str(address), &s->at, NULL), 0);
	return &seen[s->index];
}

static struct gg_modbus_signal *of(const struct seen *s)
{
	size_t n = (size_t)(s - seen);
	return &signals[n / SIGNALS][n % SIGNALS];
}

static struct gg_modbus_stats stats(void)
{
	static struct gg_counter counters[9];
	static struct gg_histogram times[2];
	memset(counters, 0, sizeof counters);
	return (struct gg_modbus_stats){&counters[0], &counters[1], &counters[2], &counters[3], &counters[4],
		&counters[5], &counters[6], &counters[7], &counters[8], &times[0], &times[1]};
}

static uint64_t count_of(const struct gg_counter *c)
{
	return atomic_load(&c->value);
}

static void begin(void)
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
		assert_int_equal(gg_modbus_device_init(&devices[i], &o, signals[i], counts[i]), 0);
		gg_modbus_device_start(&devices[i], &line, &test_ops, NULL);
	}
}

static struct gg_site_modbus_unit *unit(unsigned number)
{
	return gg_site_modbus_unit(site, 0, number);
}

static void open_site(uint16_t port, unsigned ports)
{
	const struct gg_site_modbus_options o = {.first_port = port, .ports = ports, .units = DEVICES, .coils = 100,
		.discretes = 100, .inputs = 500, .holdings = 500};
	site = gg_site_modbus_new(&o);
	assert_non_null(site);
}

static int up(void **state)
{
	(void)state;
	loop = gg_loop_new("test", 100);
	memset(&line, 0, sizeof line);
	memset(devices, 0, sizeof devices);
	memset(counts, 0, sizeof counts);
	memset(seen, 0, sizeof seen);
	memset(batches, 0, sizeof batches);
	memset(health, 0, sizeof health);
	memset(&written, 0, sizeof written);
	no_room = false;
	device_count = 1;
	line_options = (struct gg_modbus_line_options){.who = "test", .framing = GG_MODBUS_TCP, .pipeline = 1,
		.timeout_ns = 100 * GG_NS_PER_MS, .connect_timeout_ns = GG_NS_PER_S,
		.backoff_min_ns = 50 * GG_NS_PER_MS, .backoff_max_ns = 200 * GG_NS_PER_MS};
	device_options = (struct gg_modbus_device_options){.who = "test", .retries = 1,
		.timeout_ns = 100 * GG_NS_PER_MS, .backoff_min_ns = 50 * GG_NS_PER_MS,
		.backoff_max_ns = 200 * GG_NS_PER_MS, .limits = {.max_gap = 8}};
	return 0;
}

static int tcp_up(void **state)
{
	up(state);
	open_site(0, 1);
	gg_str_copy(line_options.address.host, sizeof line_options.address.host, GG_STR("127.0.0.1"));
	line_options.address.port = gg_site_modbus_port(site, 0);
	return gg_site_modbus_start(site);
}

static int down(void **state)
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

static void write_now(const struct seen *s, struct gg_sample value, const char *text)
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

static struct gg_sample number(double v)
{
	return (struct gg_sample){.type = GG_TYPE_FLOAT, .v.f = v};
}

/* ---- reading ---- */

static void every_table_type_and_order_arrives(void **state)
{
	(void)state;
	modbus_mapping_t *m = unit(1)->map;
	m->tab_bits[17] = 1;
	m->tab_input_bits[8] = 1;
	m->tab_input_registers[3] = 0xfffe;
	m->tab_registers[0] = 8;
	/* By hand: libmodbus' functions for floats mean other orders by these names from version to version. */
	const uint16_t orders[] = {0x41ac, 0x0000, 0x0000, 0xac41, 0xac41, 0x0000, 0x0000, 0x41ac};
	memcpy(&m->tab_registers[10], orders, sizeof orders);
	const uint16_t wide[] = {0x8000, 0, 0, 1};
	memcpy(&m->tab_registers[20], wide, sizeof wide);
	memcpy(&m->tab_registers[30], (uint16_t[]){0x7075, 0x6d70, 0x2d37, 0}, 8);
	struct seen *coil = add(0, "coil 17", GG_MODBUS_BOOL), *discrete = add(0, "10009", GG_MODBUS_BOOL),
		    *input = add(0, "30004", GG_MODBUS_INT16), *bit = add(0, "40001", GG_MODBUS_BOOL);
	struct seen *floats[4];
	of(bit)->form.bit = 3;
	for (int i = 0; i < 4; i++) {
		static const char *const at[] = {"holding 10", "holding 12", "holding 14", "holding 16"};
		floats[i] = add(0, at[i], GG_MODBUS_FLOAT32);
		of(floats[i])->form.order = (uint8_t)i;
	}
	struct seen *big = add(0, "holding 20", GG_MODBUS_INT64), *text = add(0, "holding 30", GG_MODBUS_STRING);
	of(text)->form.length = 8;
	begin();
	wait_until(coil->good && input->good && text->good);
	assert_true(coil->last.v.b && discrete->last.v.b && bit->last.v.b);
	assert_int_equal(input->last.v.i, -2);
	for (int i = 0; i < 4; i++)
		assert_true(floats[i]->last.v.f == 21.5);
	assert_true(big->last.v.i == INT64_MIN + 1);
	assert_string_equal(text->text, "pump-7");
	assert_true(health[0].told == 1 && health[0].healthy);
	assert_int_equal(input->bad, 0);
	assert_true(llabs(gg_clock_utc(&gg_clock_system) - input->last.time_ns) < 5 * GG_NS_PER_S);
}

static void a_poll_is_one_batch_in_few_requests(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		char *address = test_malloc(32);
		snprintf(address, 32, "holding %u", i * 2);
		struct seen *s = add(0, address, GG_MODBUS_FLOAT32);
		test_free(address);
		of(s)->name = "x";
	}
	begin();
	wait_until(batches[0] >= 5);
	for (unsigned i = 0; i < 200; i++)
		assert_in_range(seen[i].good, batches[0], batches[0]);
	/* 400 registers are four requests of at most 125; one more was the probe, some may be on their way. */
	assert_in_range(count_of(line.stats.requests), batches[0] * 4U + 1, batches[0] * 4U + 5);
}

static void groups_keep_their_own_beat(void **state)
{
	(void)state;
	struct seen *fast = add(0, "holding 0", GG_MODBUS_UINT16), *slow = add(0, "holding 1", GG_MODBUS_UINT16);
	of(slow)->period_ns = 200 * GG_NS_PER_MS;
	begin();
	wait_until(slow->good >= 3);
	assert_true(fast->good > 2 * slow->good);
}

static void several_requests_are_under_way_at_once_when_allowed(void **state)
{
	(void)state;
	static char names[20][16];
	line_options.pipeline = 8;
	for (unsigned i = 0; i < 20; i++) { /* too far apart to be merged */
		snprintf(names[i], sizeof names[i], "holding %u", i * 20);
		add(0, names[i], GG_MODBUS_UINT16);
		unit(1)->map->tab_registers[i * 20] = (uint16_t)i;
	}
	begin();
	unsigned most = 0;
	int64_t end = gg_clock_monotonic(&gg_clock_system) + 10 * GG_NS_PER_S;
	while ((most < 8 || seen[19].good < 3) && gg_clock_monotonic(&gg_clock_system) < end) {
		gg_loop_turn(loop, 10 * GG_NS_PER_MS);
		if (line.in_flight > most)
			most = line.in_flight;
	}
	assert_int_equal(most, 8);
	for (unsigned i = 0; i < 20; i++)
		assert_true(seen[i].good >= 2 && seen[i].last.v.u == i);
	assert_int_equal(count_of(line.stats.garbled), 0);
}

/* ---- what goes wrong ---- */

static void a_wrong_address_is_bad_and_leaves_the_others_good(void **state)
{
	(void)state;
	static char names[40][16];
	unit(1)->faults.hole_first = 13;
	unit(1)->faults.hole_end = 15;
	for (unsigned i = 0; i < 40; i++) {
		snprintf(names[i], sizeof names[i], "holding %u", i);
		add(0, names[i], GG_MODBUS_UINT16);
	}
	begin();
	wait_until(seen[39].good >= 1);
	/* In the first poll already each has its sample. */
	assert_int_equal(batches[0], 1);
	for (unsigned i = 0; i < 40; i++) {
		bool hole = i == 13 || i == 14;
		assert_int_equal(seen[i].good, !hole);
		assert_int_equal(seen[i].last.aux, hole ? GG_REASON_ILLEGAL_ADDRESS : GG_REASON_NONE);
	}
	uint64_t before = count_of(line.stats.requests), exceptions = count_of(line.stats.exceptions);
	wait_until(batches[0] >= 4);
	assert_in_range(count_of(line.stats.requests) - before, 6, 9); /* two a poll from now on */
	assert_int_equal(count_of(line.stats.exceptions), exceptions);
	assert_true(health[0].healthy);
}

static void a_device_that_wants_short_requests_gets_them(void **state)
{
	(void)state;
	static char names[60][16];
	unit(1)->faults.most_registers = 20;
	for (unsigned i = 0; i < 60; i++) {
		snprintf(names[i], sizeof names[i], "holding %u", i);
		add(0, names[i], GG_MODBUS_UINT16);
	}
	begin();
	wait_until(batches[0] >= 3);
	for (unsigned i = 0; i < 60; i++)
		assert_true(seen[i].good >= 3 && seen[i].bad == 0);
}

static void exceptions_become_the_samples_quality(void **state)
{
	(void)state;
	struct seen *s = add(0, "holding 0", GG_MODBUS_UINT16);
	begin();
	wait_until(s->good);
	gg_site_modbus_lock(site);
	unit(1)->faults.exception = MODBUS_EXCEPTION_SLAVE_OR_SERVER_BUSY;
	gg_site_modbus_unlock(site);
	wait_until(s->bad >= 2);
	assert_int_equal(s->last.aux, GG_REASON_DEVICE_BUSY);
	assert_true(health[0].healthy); /* it answers */
	gg_site_modbus_lock(site);
	unit(1)->faults.exception = 0;
	gg_site_modbus_unlock(site);
	unsigned good = s->good;
	wait_until(s->good > good);
}

static void a_dead_unit_tells_once_and_does_not_hold_up_its_neighbour(void **state)
{
	(void)state;
	device_count = 2;
	struct seen *dead = add(0, "holding 0", GG_MODBUS_UINT16), *alive = add(1, "holding 0", GG_MODBUS_UINT16);
	begin();
	wait_until(dead->good && alive->good);
	gg_site_modbus_lock(site);
	unit(1)->faults.silent = true;
	gg_site_modbus_unlock(site);
	wait_until(dead->bad);
	assert_int_equal(dead->last.aux, GG_REASON_TIMEOUT);
	assert_false(health[0].healthy);
	assert_non_null(strstr(health[0].reason, "no answer from unit 1 at 127.0.0.1:"));
	/* Two back-offs of 200 ms and timeouts of 100 ms later the neighbour has had most of its polls of 20 ms. */
	unsigned told = health[0].told;
	uint64_t timeouts = count_of(line.stats.timeouts);
	unsigned polls = alive->good;
	wait_until(count_of(line.stats.timeouts) >= timeouts + 4);
	assert_true(alive->good - polls >= 4 * 4);
	assert_int_equal(dead->bad, 1);
	assert_int_equal(health[0].told, told);
	assert_true(health[1].healthy && alive->bad == 0);
	gg_site_modbus_lock(site);
	unit(1)->faults.silent = false;
	gg_site_modbus_unlock(site);
	unsigned good = dead->good;
	wait_until(dead->good > good && health[0].healthy);
}

static void a_gateway_that_misses_its_target_counts_as_no_answer(void **state)
{
	(void)state;
	struct seen *s = add(0, "holding 0", GG_MODBUS_UINT16);
	begin();
	wait_until(s->good);
	gg_site_modbus_lock(site);
	unit(1)->faults.exception = MODBUS_EXCEPTION_GATEWAY_TARGET;
	gg_site_modbus_unlock(site);
	wait_until(!health[0].healthy);
	assert_int_equal(s->bad, 1);
	assert_non_null(strstr(health[0].reason, "behind the gateway"));
}

static void a_dropped_connection_is_made_again_without_a_word(void **state)
{
	(void)state;
	struct seen *s = add(0, "holding 0", GG_MODBUS_UINT16);
	begin();
	wait_until(s->good >= 2);
	gg_site_modbus_drop_clients(site);
	unsigned good = s->good;
	wait_until(s->good >= good + 3);
	assert_int_equal(s->bad, 0);
	assert_int_equal(health[0].told, 1);
	assert_int_equal(count_of(line.stats.reconnects), 1);
}

static void a_restart_of_the_device_is_told_once_and_survived(void **state)
{
	(void)state;
	uint16_t port = gg_site_modbus_port(site, 0);
	struct seen *s = add(0, "holding 0", GG_MODBUS_UINT16);
	begin();
	wait_until(s->good >= 2);
	gg_site_modbus_free(site);
	site = NULL;
	wait_until(count_of(line.stats.reconnects) >= 4);
	assert_int_equal(s->bad, 1);
	assert_int_equal(s->last.aux, GG_REASON_NO_CONNECTION);
	assert_int_equal(health[0].told, 2);
	assert_non_null(strstr(health[0].reason, "refused"));
	write_now(s, number(1), "");
	assert_int_equal(written.status, -ENOTCONN);
	open_site(port, 1);
	assert_int_equal(gg_site_modbus_start(site), 0);
	unsigned good = s->good;
	wait_until(s->good > good + 2 && health[0].healthy);
}

static void a_core_without_room_is_left_alone_until_it_calls(void **state)
{
	(void)state;
	struct seen *s = add(0, "holding 0", GG_MODBUS_UINT16);
	begin();
	wait_until(s->good);
	no_room = true;
	wait_until(devices[0].paused);
	unsigned had = batches[0];
	uint64_t skipped = count_of(line.stats.skipped);
	wait_until(count_of(line.stats.skipped) >= skipped + 3);
	assert_int_equal(batches[0], had);
	no_room = false;
	gg_modbus_device_resume(&devices[0]);
	unsigned good = s->good;
	wait_until(s->good > good);
}

/* ---- writing ---- */

static void writes_reach_coils_registers_and_bits(void **state)
{
	(void)state;
	modbus_mapping_t *m = unit(1)->map;
	struct seen *coil = add(0, "coil 5", GG_MODBUS_BOOL), *word = add(0, "holding 0", GG_MODBUS_INT16),
		    *real = add(0, "holding 2", GG_MODBUS_FLOAT32), *bit = add(0, "holding 4", GG_MODBUS_BOOL),
		    *text = add(0, "holding 6", GG_MODBUS_STRING);
	of(word)->form.scale = 0.1;
	of(real)->form.order = GG_MODBUS_LITTLE_SWAP;
	of(bit)->form.bit = 9;
	of(text)->form.length = 6;
	m->tab_registers[4] = 0x00f1;
	for (uint32_t i = 0; i < counts[0]; i++)
		signals[0][i].readback = true;
	begin();
	wait_until(coil->good);
	write_now(coil, (struct gg_sample){.type = GG_TYPE_BOOL, .v.b = true}, "");
	assert_int_equal(written.status, 0);
	assert_int_equal(m->tab_bits[5], 1);
	assert_true(coil->last.v.b); /* what was read back is there at once */
	write_now(word, number(-12.3), "");
	assert_int_equal((int16_t)m->tab_registers[0], -123);
	write_now(real, number(21.5), "");
	assert_int_equal(m->tab_registers[2], 0);
	assert_int_equal(m->tab_registers[3], 0x41ac);
	write_now(bit, (struct gg_sample){.type = GG_TYPE_STRING}, "on");
	assert_int_equal(m->tab_registers[4], 0x02f1);
	write_now(bit, number(0), "");
	assert_int_equal(m->tab_registers[4], 0x00f1);
	write_now(text, (struct gg_sample){.type = GG_TYPE_STRING}, "run");
	assert_int_equal(written.status, 0);
	assert_int_equal(m->tab_registers[6], 'r' << 8 | 'u');
	assert_int_equal(m->tab_registers[7], 'n' << 8);
}

static void a_write_that_did_not_take_is_told(void **state)
{
	(void)state;
	struct seen *s = add(0, "holding 50", GG_MODBUS_UINT16), *mute = add(0, "holding 60", GG_MODBUS_UINT16);
	of(s)->readback = true;
	unit(1)->faults.stuck_first = 50;
	unit(1)->faults.stuck_end = 51;
	begin();
	wait_until(s->good);
	write_now(s, number(7), "");
	assert_int_equal(written.status, -EIO);
	assert_non_null(strstr(written.reason, "reads back another value"));
	write_now(mute, number(7), "");
	assert_int_equal(written.status, 0);
}

static void devices_that_know_few_functions_are_written_all_the_same(void **state)
{
	(void)state;
	modbus_mapping_t *m = unit(1)->map;
	struct seen *bit = add(0, "holding 4", GG_MODBUS_BOOL), *word = add(0, "holding 5", GG_MODBUS_UINT16);
	of(bit)->form.bit = 0;
	unit(1)->faults.unknown[0] = 22;
	unit(1)->faults.unknown[1] = 6;
	m->tab_registers[4] = 0x8000;
	begin();
	wait_until(bit->good);
	write_now(bit, number(1), "");
	assert_int_equal(written.status, 0);
	assert_int_equal(m->tab_registers[4], 0x8001);
	write_now(word, number(99), "");
	assert_int_equal(written.status, 0);
	assert_int_equal(m->tab_registers[5], 99);
}

static void values_out_of_range_are_not_written(void **state)
{
	(void)state;
	struct seen *s = add(0, "holding 0", GG_MODBUS_UINT16);
	of(s)->low = 0;
	of(s)->high = 100;
	begin();
	wait_until(s->good);
	write_now(s, number(101), "");
	assert_int_equal(written.status, -ERANGE);
	assert_non_null(strstr(written.reason, "0 to 100"));
	of(s)->high = 1e6;
	write_now(s, number(70000), "");
	assert_int_equal(written.status, -ERANGE);
	of(s)->writable = false;
	write_now(s, number(1), "");
	assert_int_equal(written.status, -EPERM);
	assert_int_equal(unit(1)->map->tab_registers[0], 0);
}

static void a_write_without_an_answer_is_not_repeated(void **state)
{
	(void)state;
	struct seen *s = add(0, "holding 0", GG_MODBUS_UINT16);
	of(s)->period_ns = 5 * GG_NS_PER_S;
	begin();
	wait_until(s->good);
	gg_site_modbus_lock(site);
	unit(1)->faults.silent = true;
	gg_site_modbus_unlock(site);
	uint64_t before = count_of(line.stats.requests);
	write_now(s, number(1), "");
	assert_int_equal(written.status, -ETIMEDOUT);
	assert_non_null(strstr(written.reason, "not known"));
	assert_int_equal(count_of(line.stats.requests), before + 1);
}

/* ---- serial ---- */

struct bridge {
	int master, slave; /* of a pty */
	int listener;	   /* RTU over TCP: its clients are joined with the pty; -1: another pty's master */
	int other;
	int end[2];
	pthread_t thread;
	char peer[64], ours[64]; /* names of the ends */
};

/* Carries bytes between the two sides as a cable would. */
static void *carry(void *arg)
{
	struct bridge *b = arg;
	uint8_t bytes[512];
	for (;;) {
		struct pollfd p[] = {{.fd = b->end[0], .events = POLLIN}, {.fd = b->master, .events = POLLIN},
			{.fd = b->other, .events = POLLIN}, {.fd = b->listener, .events = POLLIN}};
		if (poll(p, 4, -1) < 0 || p[0].revents)
			return NULL;
		if (p[3].revents)
			b->other = accept(b->listener, NULL, NULL);
		for (int i = 1; i <= 2; i++) {
			if (!p[i].revents)
				continue;
			ssize_t n = read(p[i].fd, bytes, sizeof bytes);
			if (n > 0 && p[3 - i].fd >= 0 && write(p[3 - i].fd, bytes, (size_t)n) != n)
				return NULL;
			if (n <= 0 && i == 2) {
				close(b->other);
				b->other = -1;
			}
		}
	}
}

static int open_raw_pty(int *ret_master, int *ret_slave, char *name)
{
	struct termios t;
	if (openpty(ret_master, ret_slave, name, NULL, NULL) != 0 || tcgetattr(*ret_slave, &t) != 0)
		return -1;
	cfmakeraw(&t);
	return tcsetattr(*ret_slave, TCSANOW, &t);
}

static struct bridge bridge;
static int our_slave;

static int serial_up(void **state)
{
	up(state);
	bridge = (struct bridge){.listener = -1, .other = -1};
	if (open_raw_pty(&bridge.master, &bridge.slave, bridge.peer) != 0 ||
		open_raw_pty(&bridge.other, &our_slave, bridge.ours) != 0 || pipe(bridge.end) != 0)
		return -1;
	open_site(0, 0);
	if (gg_site_modbus_add_serial(site, bridge.peer, 19200, 1) != 0)
		return -1;
	line_options.is_serial = true;
	line_options.framing = GG_MODBUS_RTU;
	line_options.serial = (struct gg_modbus_serial){.baud = 19200, .data_bits = 8};
	gg_str_copy(line_options.address.host, sizeof line_options.address.host, gg_str(bridge.ours));
	return pthread_create(&bridge.thread, NULL, carry, &bridge) != 0 || gg_site_modbus_start(site) != 0;
}

static int rtu_over_tcp_up(void **state)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof a;
	up(state);
	our_slave = -1;
	bridge = (struct bridge){.listener = socket(AF_INET, SOCK_STREAM, 0), .other = -1};
	if (open_raw_pty(&bridge.master, &bridge.slave, bridge.peer) != 0 || pipe(bridge.end) != 0 ||
		bind(bridge.listener, (struct sockaddr *)&a, size) != 0 || listen(bridge.listener, 4) != 0 ||
		getsockname(bridge.listener, (struct sockaddr *)&a, &size) != 0)
		return -1;
	open_site(0, 0);
	if (gg_site_modbus_add_serial(site, bridge.peer, 19200, 1) != 0)
		return -1;
	line_options.framing = GG_MODBUS_RTU;
	gg_str_copy(line_options.address.host, sizeof line_options.address.host, GG_STR("127.0.0.1"));
	line_options.address.port = ntohs(a.sin_port);
	return pthread_create(&bridge.thread, NULL, carry, &bridge) != 0 || gg_site_modbus_start(site) != 0;
}

static int serial_down(void **state)
{
	int r = down(state);
	const int fds[] = {bridge.master, bridge.slave, bridge.listener, bridge.other, our_slave, bridge.end[0],
		bridge.end[1]};
	assert_int_equal(write(bridge.end[1], "", 1), 1);
	pthread_join(bridge.thread, NULL);
	for (size_t i = 0; i < GG_COUNT(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return r;
}

static void rtu_reads_writes_and_steps_over_the_dead(void **state)
{
	(void)state;
	modbus_mapping_t *m = unit(1)->map;
	device_count = 2; /* unit 2 is not on the line */
	gg_site_modbus_put_float(&m->tab_input_registers[0], 21.5f);
	struct seen *s = add(0, "input 0", GG_MODBUS_FLOAT32), *w = add(0, "holding 7", GG_MODBUS_UINT16),
		    *dead = add(1, "holding 0", GG_MODBUS_UINT16);
	of(w)->readback = true;
	begin();
	wait_until(s->good && dead->bad);
	assert_true(s->last.v.f == 21.5);
	assert_int_equal(dead->last.aux, GG_REASON_TIMEOUT);
	unsigned good = s->good;
	wait_until(s->good > good + 3);
	write_now(w, number(1234), "");
	assert_int_equal(written.status, 0);
	assert_int_equal(m->tab_registers[7], 1234);
	assert_int_equal(s->bad, 0);
	assert_int_equal(dead->bad, 1);
}

static void a_port_in_use_says_so(void **state)
{
	(void)state;
	int fd = -1;
	struct gg_error e = {0};
	assert_int_equal(gg_modbus_serial_open(bridge.ours, &line_options.serial, &fd, &e), 0);
	int second = -1;
	assert_int_not_equal(gg_modbus_serial_open(bridge.ours, &line_options.serial, &second, &e), 0);
	assert_int_equal(second, -1);
	assert_true(strstr(e.text, "in use") || strstr(e.text, "busy"));
	close(fd);
	device_count = 0;
}

static void noise_on_the_line_is_stepped_over(void **state)
{
	(void)state;
	struct seen *s = add(0, "holding 0", GG_MODBUS_UINT16);
	begin();
	wait_until(s->good >= 2);
	/* A disturbance reaches the gateway between two polls. */
	for (int i = 0; i < 5; i++) {
		unsigned good = s->good;
		assert_int_equal(write(bridge.other, "\x01\x03\xff\x01\x03", 5), 5);
		wait_until(s->good > good);
	}
	assert_int_equal(health[0].told, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_table_type_and_order_arrives, tcp_up, down),
		cmocka_unit_test_setup_teardown(a_poll_is_one_batch_in_few_requests, tcp_up, down),
		cmocka_unit_test_setup_teardown(groups_keep_their_own_beat, tcp_up, down),
		cmocka_unit_test_setup_teardown(several_requests_are_under_way_at_once_when_allowed, tcp_up, down),
		cmocka_unit_test_setup_teardown(a_wrong_address_is_bad_and_leaves_the_others_good, tcp_up, down),
		cmocka_unit_test_setup_teardown(a_device_that_wants_short_requests_gets_them, tcp_up, down),
		cmocka_unit_test_setup_teardown(exceptions_become_the_samples_quality, tcp_up, down),
		cmocka_unit_test_setup_teardown(a_dead_unit_tells_once_and_does_not_hold_up_its_neighbour, tcp_up, down),
		cmocka_unit_test_setup_teardown(a_gateway_that_misses_its_target_counts_as_no_answer, tcp_up, down),
		cmocka_unit_test_setup_teardown(a_dropped_connection_is_made_again_without_a_word, tcp_up, down),
		cmocka_unit_test_setup_teardown(a_restart_of_the_device_is_told_once_and_survived, tcp_up, down),
		cmocka_unit_test_setup_teardown(a_core_without_room_is_left_alone_until_it_calls, tcp_up, down),
		cmocka_unit_test_setup_teardown(writes_reach_coils_registers_and_bits, tcp_up, down),
		cmocka_unit_test_setup_teardown(a_write_that_did_not_take_is_told, tcp_up, down),
		cmocka_unit_test_setup_teardown(devices_that_know_few_functions_are_written_all_the_same, tcp_up, down),
		cmocka_unit_test_setup_teardown(values_out_of_range_are_not_written, tcp_up, down),
		cmocka_unit_test_setup_teardown(a_write_without_an_answer_is_not_repeated, tcp_up, down),
		cmocka_unit_test_setup_teardown(rtu_reads_writes_and_steps_over_the_dead, serial_up, serial_down),
		cmocka_unit_test_setup_teardown(noise_on_the_line_is_stepped_over, serial_up, serial_down),
		cmocka_unit_test_setup_teardown(a_port_in_use_says_so, serial_up, serial_down),
		cmocka_unit_test_setup_teardown(rtu_reads_writes_and_steps_over_the_dead, rtu_over_tcp_up, serial_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
