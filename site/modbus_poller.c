/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floor of the Modbus benchmarks: a client on libmodbus that reads the same registers at the same pace as
 * the gateway, one request after the other, and does nothing with them. Never part of the gateway.
 *
 *   ganglion-modbus-poller UNITS REGISTERS PERIOD_MS PORT...
 *
 * All units are spread over the period, as the gateway spreads them. At its end (SIGTERM) it says how many
 * polls began after the next one was due.
 */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <modbus/modbus.h>

enum { PORTS_MAX = 64, LATE_MAX = 1 << 20 };

static uint32_t late_us[LATE_MAX];

static volatile sig_atomic_t ending;

static void end(int sig)
{
	(void)sig;
	ending = 1;
}

static int64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int number(const char *text)
{
	return (int)strtol(text, NULL, 10);
}

static int by_size(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

static int poll_unit(modbus_t *line, int unit, int registers)
{
	uint16_t got[MODBUS_MAX_READ_REGISTERS];
	modbus_set_slave(line, unit);
	/* 124: whole floats, as the gateway asks for them */
	for (int at = 0; at < registers; at += 124) {
		int n = registers - at < 124 ? registers - at : 124;
		if (modbus_read_registers(line, at, n, got) != n)
			return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	modbus_t *lines[PORTS_MAX] = {0};
	int ports = argc - 4;
	if (ports < 1 || ports > PORTS_MAX) {
		fprintf(stderr, "usage: ganglion-modbus-poller UNITS REGISTERS PERIOD_MS PORT...\n");
		return 2;
	}
	int units = number(argv[1]), registers = number(argv[2]);
	int64_t period_ns = number(argv[3]) * 1000000LL, step_ns = period_ns / (units * ports);
	size_t late_count = 0;
	struct sigaction action = {.sa_handler = end};
	sigaction(SIGTERM, &action, NULL);
	for (int i = 0; i < ports; i++) {
		lines[i] = modbus_new_tcp("127.0.0.1", number(argv[4 + i]));
		if (!lines[i] || modbus_connect(lines[i]) != 0) {
			perror("connect");
			return 1;
		}
	}
	int64_t due = now_ns();
	for (long turn = 0; !ending; turn++, due += step_ns) {
		struct timespec at = {due / 1000000000LL, due % 1000000000LL};
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
		if (ending)
			break;
		if (late_count < LATE_MAX)
			late_us[late_count++] = (uint32_t)((now_ns() - due) / 1000);
		if (poll_unit(lines[turn % ports], (int)(turn / ports % units) + 1, registers) != 0 &&
			!ending) {
			fprintf(stderr, "read: %s\n", modbus_strerror(errno));
			return 1;
		}
	}
	qsort(late_us, late_count, sizeof late_us[0], by_size);
	printf("%u\n", late_count ? late_us[late_count * 99 / 100] : 0);
	for (int i = 0; i < ports; i++) {
		modbus_close(lines[i]);
		modbus_free(lines[i]);
	}
	return 0;
}
