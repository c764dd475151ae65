/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Register lists: what a vendor's manual or another program exports as CSV, one register a row. The first row
 * names the columns; names are compared by letters and digits alone, and what other programs call them is
 * known too ("Tag Name", "Data Type", "Client Access"). A row says what a signal of the configuration says.
 *
 *   name,address,type,unit,scale,access
 *   temperature,40001,float32,degC,,RO
 *
 * Thread: its owner's. Pure.
 */
#ifndef GG_MODBUS_REGISTERS_H
#define GG_MODBUS_REGISTERS_H

#include "drivers/modbus/modbus_csv.h"
#include "drivers/modbus/modbus_signal.h"

struct gg_modbus_registers {
	struct gg_modbus_csv csv;
	int64_t base;                        /* of numbers beside a column of the table: 0 or 1 */
	uint8_t fields[GG_MODBUS_CSV_CELLS]; /* what each column is */
	char address[32];                    /* of the row, when it is put together */
};

/* Reads the head. text as for gg_modbus_csv_init(). Errors: -EINVAL; texts begin with line:column. */
int gg_modbus_registers_init(
	struct gg_modbus_registers *r, char *text, size_t len, int64_t base, struct gg_error *e);
/* The next row; its strings lie in the text and, of the address, here until the next call. 1, 0 at the end.
 * Errors: -EINVAL. */
int gg_modbus_registers_next(
	struct gg_modbus_registers *r, struct gg_modbus_signal_options *ret_signal, struct gg_error *e);
/* Prefixes e with the place of a column in the row read last: for what shows to be wrong later. */
void gg_modbus_registers_place(const struct gg_modbus_registers *r, const char *option, struct gg_error *e);

#endif
