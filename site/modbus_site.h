/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plant that speaks Modbus, for tests, benchmarks and the demo: N TCP ports, each with M units, each with
 * coils, discrete inputs, input and holding registers; and serial lines with one unit each. Built on
 * libmodbus, so that the gateway's own codec meets a stranger. Never part of the gateway.
 *
 *   clients ─▶ port ─▶ unit ─▶ refresh() fills what is about to be read ─▶ reply
 *                          └─▶ written() tells what a client has changed
 *
 * One thread serves all. What a unit holds may be touched from refresh() and written(), and from any thread
 * between gg_site_modbus_lock() and _unlock().
 */
#ifndef GG_MODBUS_SITE_H
#define GG_MODBUS_SITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <modbus/modbus.h>

struct gg_site_modbus;

/* Faults a unit can have; zeroed: none. */
struct gg_site_modbus_faults {
	bool silent;                     /* does not answer */
	bool one_by_one;                 /* drops what has come behind a request before it is answered */
	uint8_t silent_at;               /* this function, and answers all others; 0 = none */
	uint8_t exception;               /* answers everything with it */
	uint8_t unknown[4];              /* functions it does not know; 0 = none */
	uint16_t hole_first, hole_end;   /* holding registers it does not have: first <= address < end */
	uint16_t most_registers;         /* in one request, 0 = as the standard allows */
	uint16_t stuck_first, stuck_end; /* holding registers that take writes and stay as they are */
};

struct gg_site_modbus_unit {
	unsigned port; /* number of its port, from 0; serial lines follow the TCP ports */
	unsigned unit; /* on its line, from 1 */
	modbus_mapping_t *map;
	struct gg_site_modbus_faults faults;
	uint64_t requests; /* so far */
};

struct gg_site_modbus_options {
	const char *host;    /* NULL = 127.0.0.1 */
	uint16_t first_port; /* 0 = free ones */
	unsigned ports, units;
	unsigned coils, discretes, inputs, holdings; /* of each unit */
	/* Before a read of these addresses is answered; function as in the request (1 to 4). Optional. */
	void (*refresh)(
		void *arg, struct gg_site_modbus_unit *u, int function, unsigned address, unsigned count);
	/* After a client has written. Optional. */
	void (*written)(
		void *arg, struct gg_site_modbus_unit *u, int function, unsigned address, unsigned count);
	void *arg;
};

/* Opens the ports; serves from gg_site_modbus_start() on. NULL with errno when it can't. */
struct gg_site_modbus *gg_site_modbus_new(const struct gg_site_modbus_options *o);
/* Adds a serial line (a port, or the peer's end of a pty) with one unit, before start. Returns its port
 * number, or -1. */
int gg_site_modbus_add_serial(struct gg_site_modbus *s, const char *path, int baud, unsigned unit);
int gg_site_modbus_start(struct gg_site_modbus *s);
/* Ends the thread, closes everything. Accepts NULL. */
void gg_site_modbus_free(struct gg_site_modbus *s);

uint16_t gg_site_modbus_port(const struct gg_site_modbus *s, unsigned port);
/* NULL when there is none. */
struct gg_site_modbus_unit *gg_site_modbus_unit(struct gg_site_modbus *s, unsigned port, unsigned unit);
void gg_site_modbus_lock(struct gg_site_modbus *s);
void gg_site_modbus_unlock(struct gg_site_modbus *s);
/* Closes the connections of all clients; they may come again. */
void gg_site_modbus_drop_clients(struct gg_site_modbus *s);

/* Puts a value into registers, high word first (ABCD). */
void gg_site_modbus_put_float(uint16_t *registers, float value);
void gg_site_modbus_put_u32(uint16_t *registers, uint32_t value);

#endif
