/* SPDX-License-Identifier: Apache-2.0 */
/* A signal as the configuration or a register list writes it, and what the engine makes of it. Thread: pure.
 */
#ifndef GG_MODBUS_SIGNAL_H
#define GG_MODBUS_SIGNAL_H

#include "drivers/modbus/modbus_address.h"
#include "drivers/modbus/modbus_value.h"

struct gg_modbus_signal_options {
	const char *name, *address, *unit, *title;
	int type, order; /* choices; 0 = by the address, by the device */
	double scale, offset, low, high;
	int64_t length, bit, poll_ns; /* poll: 0 = the device's */
	bool writable, readback;
};

struct gg_modbus_signal {
	const char *name;
	uint32_t index; /* in the signal table */
	struct gg_modbus_address at;
	bool writable, readback;
	struct gg_modbus_form form;
	int64_t period_ns;
	double low, high; /* low == high: not known */
};

extern const char *const gg_modbus_type_names[], *const gg_modbus_order_names[]; /* "auto", ..., NULL */

/* order and period are the device's. Errors: -EINVAL what does not go together, with a text. */
int gg_modbus_signal_take(const struct gg_modbus_signal_options *o, int order, int64_t period_ns,
	struct gg_modbus_signal *ret_signal, struct gg_error *e);
/* order_of(choice, otherwise) as enum gg_modbus_order. */
uint8_t gg_modbus_order_of(int choice, int otherwise);

#endif
