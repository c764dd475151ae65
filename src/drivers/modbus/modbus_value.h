/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What registers mean: a form says type, order of bytes, bit, scale. Decoding makes a sample of register
 * bytes as they came over the wire, encoding makes register bytes of a value that is to be written.
 *
 *   order           also        bytes of a 32-bit value 0xAABBCCDD on the wire
 *   big             ABCD        AA BB  CC DD     the standard's order
 *   little          DCBA        DD CC  BB AA
 *   big-swap        BADC        BB AA  DD CC     high word first, bytes swapped in each word
 *   little-swap     CDAB        CC DD  AA BB     low word first
 *
 * In one register only the bytes count: little and big-swap swap them. So in strings.
 * Thread: pure functions.
 */
#ifndef GG_MODBUS_VALUE_H
#define GG_MODBUS_VALUE_H

#include "base/bytes.h"
#include "ganglion/sample.h"

enum gg_modbus_type {
	GG_MODBUS_BOOL,
	GG_MODBUS_INT16,
	GG_MODBUS_UINT16,
	GG_MODBUS_INT32,
	GG_MODBUS_UINT32,
	GG_MODBUS_INT64,
	GG_MODBUS_UINT64,
	GG_MODBUS_FLOAT32,
	GG_MODBUS_FLOAT64,
	GG_MODBUS_BCD16, /* four decimal digits, one a nibble */
	GG_MODBUS_BCD32,
	GG_MODBUS_STRING,
	GG_MODBUS_TYPES,
};

enum gg_modbus_order { GG_MODBUS_BIG, GG_MODBUS_LITTLE, GG_MODBUS_BIG_SWAP, GG_MODBUS_LITTLE_SWAP };

enum { GG_MODBUS_STRING_MAX = 246 }; /* bytes: what one write carries */

struct gg_modbus_form {
	uint8_t type;         /* enum gg_modbus_type */
	uint8_t order;        /* enum gg_modbus_order */
	int8_t bit;           /* BOOL of a register: 0..15; -1: the whole register, true when not 0 */
	uint16_t length;      /* STRING: bytes */
	double scale, offset; /* value = raw * scale + offset */
};

/* How many registers it takes. */
uint16_t gg_modbus_form_registers(const struct gg_modbus_form *f);
/* The type its samples have: enum gg_type. */
uint8_t gg_modbus_form_type(const struct gg_modbus_form *f);

/* Fills type, quality, aux and v from registers (their bytes as received). Not for STRING. */
void gg_modbus_decode(const struct gg_modbus_form *f, const uint8_t *registers, struct gg_sample *s);
/* A string's bytes up to the first NUL, trailing blanks cut; bytes that are no UTF-8 become '?'. to has
 * GG_MODBUS_STRING_MAX bytes. Returns the length. */
size_t gg_modbus_decode_string(const struct gg_modbus_form *f, const uint8_t *registers, char *to);

/*
 * The registers to write for a value. to has room for gg_modbus_form_registers() * 2 bytes. Errors: -EINVAL
 * the value has a type that does not go (text for a number), -ERANGE it does not fit (also after scaling),
 * -E2BIG a string that is too long. Not for a bit of a register.
 */
int gg_modbus_encode_value(
	const struct gg_modbus_form *f, const struct gg_sample *value, struct gg_str text, uint8_t *to);
/* A value as on or off: numbers by not being 0, text by "on", "true", "1", "off", "false", "0". Errors:
 * -EINVAL. */
int gg_modbus_value_bool(const struct gg_sample *value, struct gg_str text, bool *ret_on);

#endif
