/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Modbus plant as a program, for integration tests and benchmarks: every pair of input and of holding
 * registers is a float32 that turns slowly; coils and registers that a client has written stay as written. On
 * SIGUSR1 all units fall silent, on SIGUSR2 they answer again; SIGTERM ends it.
 */
#include "modbus_site.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct plant {
	const char *serial; /* a port, on which unit 1 answers */
	unsigned writable;  /* holding registers from 0 on that keep what is written */
	uint64_t start_ns;
};

static uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static void refresh(void *arg, struct gg_site_modbus_unit *u, int function, unsigned address, unsigned count)
{
	const struct plant *p = arg;
	double seconds = (double)(now_ns() - p->start_ns) / 1e9;
	if (function != 3 && function != 4)
		return;
	uint16_t *registers = function == 3 ? u->map->tab_registers : u->map->tab_input_registers;
	unsigned most = (unsigned)(function == 3 ? u->map->nb_registers : u->map->nb_input_registers);
	for (unsigned a = address & ~1U; a < address + count && a + 1 < most; a += 2)
		if (function == 4 || a >= p->writable)
			gg_site_modbus_put_float(&registers[a],
				(float)(20 + 5 * sin(seconds / 10 + u->port + u->unit * 0.7 + a * 0.01)));
}

static unsigned number(const char *text, unsigned most)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);
	if (*end || end == text || v > most) {
		fprintf(stderr, "\"%s\": a number up to %u was expected\n", text, most);
		exit(2);
	}
	return (unsigned)v;
}

static void set_silent(struct gg_site_modbus *s, const struct gg_site_modbus_options *o, bool silent)
{
	gg_site_modbus_lock(s);
	for (unsigned p = 0; p < o->ports; p++)
		for (unsigned u = 1; u <= o->units; u++)
			gg_site_modbus_unit(s, p, u)->faults.silent = silent;
	gg_site_modbus_unlock(s);
}

static void read_arguments(int argc, char **argv, struct gg_site_modbus_options *o, struct plant *plant)
{
	for (int i = 1; i < argc; i += 2) {
		const char *value = i + 1 < argc ? argv[i + 1] : "";
		if (!strcmp(argv[i], "--first-port"))
			o->first_port = (uint16_t)number(value, 65535);
		else if (!strcmp(argv[i], "--ports"))
			o->ports = number(value, 64);
		else if (!strcmp(argv[i], "--units"))
			o->units = number(value, 247);
		else if (!strcmp(argv[i], "--registers"))
			o->inputs = o->holdings = number(value, 65535);
		else if (!strcmp(argv[i], "--writable"))
			plant->writable = number(value, 65535);
		else if (!strcmp(argv[i], "--serial"))
			plant->serial = value;
		else {
			fprintf(stderr,
				"usage: ganglion-modbus-site [--first-port N] [--ports N] [--units N] "
				"[--registers N] [--writable N] [--serial PORT]\n");
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	struct plant plant = {.writable = 100, .start_ns = now_ns()};
	struct gg_site_modbus_options o = {.ports = 1,
		.units = 1,
		.coils = 1000,
		.discretes = 1000,
		.inputs = 2000,
		.holdings = 2000,
		.refresh = refresh,
		.arg = &plant};
	sigset_t signals;
	read_arguments(argc, argv, &o, &plant);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGUSR1);
	sigaddset(&signals, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	struct gg_site_modbus *s = gg_site_modbus_new(&o);
	bool ok = s && (!plant.serial || gg_site_modbus_add_serial(s, plant.serial, 19200, 1) >= 0);
	if (!ok || gg_site_modbus_start(s) != 0) {
		perror("modbus site");
		gg_site_modbus_free(s);
		return 1;
	}
	for (unsigned i = 0; i < o.ports; i++)
		printf("%u\n", gg_site_modbus_port(s, i));
	fflush(stdout);
	for (int sig = 0; sigwait(&signals, &sig) == 0;) {
		if (sig == SIGTERM || sig == SIGINT)
			break;
		set_silent(s, &o, sig == SIGUSR1);
	}
	gg_site_modbus_free(s);
	return 0;
}
