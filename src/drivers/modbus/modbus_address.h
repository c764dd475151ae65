/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses as people write them. Two habits are common and differ by one, so a bare small number is refused:
 *
 *   holding 100   input 3   coil 17   discrete 8     the address in the protocol, from 0; 0x64 is fine
 *   40101   30004   00018   10009                    five digits: the table's digit and a number from 1 to
 * 9999 400101  365536                                   six digits: from 1 to 65536
 *   file 4:12     record 12 of file 4 (functions 20 and 21)      fifo 1200     a queue (function 24)
 *
 * Thread: pure functions.
 */
#ifndef GG_MODBUS_ADDRESS_H
#define GG_MODBUS_ADDRESS_H

#include "base/error.h"
#include "base/str.h"

enum gg_modbus_table {
	GG_MODBUS_COIL,
	GG_MODBUS_DISCRETE,
	GG_MODBUS_INPUT,
	GG_MODBUS_HOLDING,
	GG_MODBUS_FILE,
	GG_MODBUS_FIFO,
};

struct gg_modbus_address {
	uint8_t table;   /* enum gg_modbus_table */
	uint16_t number; /* from 0 */
	uint16_t file;   /* FILE: of which file it is the record */
};

/* Errors: -EINVAL with a text that says what was expected. */
int gg_modbus_address_parse(struct gg_str text, struct gg_modbus_address *ret_address, struct gg_error *e);
/* "coil", "discrete", "input", "holding", "file", "fifo" */
const char *gg_modbus_table_name(uint8_t table);

static inline bool gg_modbus_table_is_bits(uint8_t table)
{
	return table == GG_MODBUS_COIL || table == GG_MODBUS_DISCRETE;
}

/* The function code that reads a table. */
uint8_t gg_modbus_table_read(uint8_t table);

#endif
