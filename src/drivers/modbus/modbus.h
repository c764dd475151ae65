/* SPDX-License-Identifier: Apache-2.0 */
/* The instance: what modbus.c and modbus_options.c share. Thread: the loop's, but for init and fini. */
#ifndef GG_MODBUS_H
#define GG_MODBUS_H

#include "drivers/modbus/modbus_device.h"

/* ---- as written in the configuration ---- */

struct gg_modbus_list_options {
	const char *file;
	int64_t base;
};

struct gg_modbus_device_config {
	const char *name;
	int64_t unit, poll_ns; /* poll: 0 = the instance's */
	int order;
	bool broadcast;
	struct gg_many signals; /* of struct gg_modbus_signal_options */
	struct gg_modbus_list_options registers;
};

struct gg_modbus_config {
	const char *connect;
	struct gg_modbus_device_config own; /* one device with the instance's name */
	struct gg_many devices;             /* of struct gg_modbus_device_config */
	struct gg_modbus_serial serial;
	struct gg_tls_options tls;
	int64_t timeout_ns, connect_timeout_ns, pause_ns, turnaround_ns, backoff_ns, backoff_max_ns;
	int64_t retries, in_flight, max_gap, max_registers, max_coils;
	bool identify;
};

extern const struct gg_option gg_modbus_options[];

/* ---- at work ---- */

/* What the signal table is told of a signal and the engine does not need. */
struct gg_modbus_label {
	const char *unit, *title;
};

struct gg_modbus_unit {
	struct gg_modbus_device device;
	struct gg_modbus_signal *signals;
	uint32_t count;
	/* Until its signals are in the signal table: */
	struct gg_modbus_label *labels; /* beside each signal */
	char *text;                     /* the register list, in which their strings lie */
};

struct gg_modbus_target {
	uint32_t index;
	struct gg_modbus_device *device;
	const struct gg_modbus_signal *signal;
};

struct gg_modbus {
	struct gg_modbus_config config;
	struct gg_host *host;
	const char *name;
	struct gg_modbus_line_options line_options;
	struct gg_modbus_line line;
	struct gg_modbus_unit **units;
	size_t unit_count;
	struct gg_modbus_target *targets; /* what can be written, sorted by index */
	size_t target_count;
};

/* Builds units and line options from the filled config. Errors: -EINVAL and others, with a text. */
int gg_modbus_options_take(struct gg_modbus *m, struct gg_error *e);
void gg_modbus_options_done(struct gg_modbus *m);
/* Puts a unit's signals into the signal table. */
int gg_modbus_unit_enter(struct gg_modbus *m, struct gg_modbus_unit *u, struct gg_error *e);
/* Do they do the very same? */
bool gg_modbus_unit_same(const struct gg_modbus_unit *a, const struct gg_modbus_unit *b);
/* Accepts NULL; its device is closed. Returns NULL. */
struct gg_modbus_unit *gg_modbus_unit_free(struct gg_modbus_unit *u);

/* ---- between modbus_options.c, modbus_unit.c and modbus_list.c ---- */

int gg_modbus_line_options_take(struct gg_modbus *m, struct gg_error *e);
/* Makes u's signals of a register list. Errors: -errno, -EINVAL; texts name file, line and column. */
int gg_modbus_list_take(struct gg_modbus_unit *u, const struct gg_modbus_list_options *list, int order,
	int64_t period_ns, struct gg_error *e);

#endif
