/* SPDX-License-Identifier: Apache-2.0 */
/* RTU with a foreign peer: over a pty as serial line, and over TCP through a bridge to one. */
#include "drivers/modbus/modbus_rig_test.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

/* ---- serial ---- */

struct bridge {
	int master, slave; /* of a pty */
	int listener;      /* RTU over TCP: its clients are joined with the pty; -1: another pty's master */
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
	assert_int_equal(write(bridge.end[1], "", 1), 1);
	pthread_join(bridge.thread, NULL);
	const int fds[] = {bridge.master, bridge.slave, bridge.listener, bridge.other, our_slave,
		bridge.end[0], bridge.end[1]};
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
	/* Asked for once: libmodbus takes what follows a request to another unit for that unit's answer. */
	device_options.backoff_min_ns = device_options.backoff_max_ns = 10 * GG_NS_PER_S;
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

static void a_broadcast_is_sent_to_all_and_not_waited_for(void **state)
{
	(void)state;
	modbus_mapping_t *m = unit(1)->map;
	device_count = 2;
	broadcast = 1;
	struct seen *s = add(0, "holding 7", GG_MODBUS_UINT16), *all = add(1, "holding 7", GG_MODBUS_UINT16);
	begin();
	wait_until(s->good >= 2 && health[1].healthy);
	int64_t before = gg_clock_monotonic(&gg_clock_system);
	write_now(all, number(4321), "");
	assert_int_equal(written.status, 0);
	assert_non_null(strstr(written.reason, "nobody answers a broadcast"));
	wait_until(s->last.v.u == 4321);
	assert_int_equal(m->tab_registers[7], 4321);
	/* Nothing else goes out during the turnaround. */
	assert_true(gg_clock_monotonic(&gg_clock_system) - before >= line_options.turnaround_ns);
	assert_int_equal(all->good + all->bad, 0);
	assert_int_equal(s->bad, 0);
}

static void a_frame_that_is_torn_is_given_up_before_its_time(void **state)
{
	(void)state;
	struct seen *s = add(0, "holding 0", GG_MODBUS_UINT16);
	line_options.timeout_ns = device_options.timeout_ns = 5 * GG_NS_PER_S;
	begin();
	wait_until(s->good >= 2);
	gg_site_modbus_lock(site);
	unit(1)->faults.silent = true;
	gg_site_modbus_unlock(site);
	wait_until(line.in_flight == 1);
	uint64_t garbled = count_of(line.stats.garbled);
	int64_t before = gg_clock_monotonic(&gg_clock_system);
	assert_int_equal(write(bridge.other, "\x01\x03\x02", 3), 3); /* and no more */
	wait_until(count_of(line.stats.garbled) > garbled);
	assert_true(gg_clock_monotonic(&gg_clock_system) - before < GG_NS_PER_S);
}

static void silence_between_frames_is_the_standards(void **state)
{
	(void)state;
	/* 3.5 characters of 11 bits; above 19200 baud 1.75 ms (SL 2.5.1.1) */
	assert_in_range(gg_modbus_serial_silence_ns(9600), 4010 * GG_NS_PER_US, 4011 * GG_NS_PER_US);
	assert_in_range(gg_modbus_serial_silence_ns(19200), 2005 * GG_NS_PER_US, 2006 * GG_NS_PER_US);
	assert_int_equal(gg_modbus_serial_silence_ns(38400), 1750 * GG_NS_PER_US);
	struct seen *s = add(0, "holding 0", GG_MODBUS_UINT16);
	add(0, "holding 100", GG_MODBUS_UINT16);
	begin();
	wait_until(s->good >= 2);
	for (int i = 0; i < 20; i++) {
		gg_loop_turn(loop, 10 * GG_NS_PER_MS);
		if (line.in_flight && line.answered_ns)
			assert_true(line.flight[0]->sent_ns - line.answered_ns >=
				    gg_modbus_serial_silence_ns(line_options.serial.baud));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			rtu_reads_writes_and_steps_over_the_dead, serial_up, serial_down),
		cmocka_unit_test_setup_teardown(noise_on_the_line_is_stepped_over, serial_up, serial_down),
		cmocka_unit_test_setup_teardown(
			a_broadcast_is_sent_to_all_and_not_waited_for, serial_up, serial_down),
		cmocka_unit_test_setup_teardown(
			a_frame_that_is_torn_is_given_up_before_its_time, serial_up, serial_down),
		cmocka_unit_test_setup_teardown(
			silence_between_frames_is_the_standards, serial_up, serial_down),
		cmocka_unit_test_setup_teardown(a_port_in_use_says_so, serial_up, serial_down),
		cmocka_unit_test_setup_teardown(
			rtu_reads_writes_and_steps_over_the_dead, rtu_over_tcp_up, serial_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
