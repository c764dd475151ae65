/* SPDX-License-Identifier: Apache-2.0 */
/* The instance: what modbus.c and modbus_options.c share. Thread: the loop's, but for init and fini. */
#ifndef GG_MODBUS_H
#define GG_MODBUS_H

#include "drivers/modbus/modbus_device.h"

/* ---- as written in the configuration ---- */

struct gg_modbus_signal_options {
	const char *name, *address, *unit, *title;
	int type, order; /* choices; 0 = by the address, by the device */
	double scale, offset, low, high;
	int64_t length, bit, poll_ns; /* poll: 0 = the device's */
	bool writable, readback;
};

struct gg_modbus_device_config {
	const char *name;
	int64_t unit, poll_ns; /* poll: 0 = the instance's */
	int order;
	struct gg_many signals; /* of struct gg_modbus_signal_options */
};

struct gg_modbus_config {
	const char *connect;
	struct gg_modbus_device_config own; /* one device with the instance's name */
	struct gg_many devices;             /* of struct gg_modbus_device_config */
	struct gg_modbus_serial serial;
	struct gg_tls_options tls;
	int64_t timeout_ns, connect_timeout_ns, pause_ns, backoff_ns, backoff_max_ns;
	int64_t retries, pipeline, max_gap, max_registers, max_coils;
	bool identify;
};

extern const struct gg_option gg_modbus_options[];

/* ---- at work ---- */

struct gg_modbus_unit {
	struct gg_modbus_device device;
	struct gg_modbus_signal *signals;
	const struct gg_modbus_signal_options *specs; /* beside each signal */
	uint32_t count;
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
	struct gg_modbus_unit *units;
	size_t unit_count;
	struct gg_modbus_target *targets; /* sorted by index */
	size_t target_count;
};

/* Builds units and line options from the filled config. Errors: -EINVAL and others, with a text. */
int gg_modbus_options_take(struct gg_modbus *m, struct gg_error *e);
void gg_modbus_options_done(struct gg_modbus *m);

#endif
