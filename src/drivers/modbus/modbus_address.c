/* SPDX-License-Identifier: Apache-2.0 */
/* Reads addresses; one table tells a table's word, its digit in the five- and six-digit forms and its
 * function. */
#include "drivers/modbus/modbus_address.h"

#include "drivers/modbus/modbus_codec.h"

#include <ctype.h>

static const struct {
	const char *name;
	char digit;
	uint8_t function;
} tables[] = {
	[GG_MODBUS_COIL] = {"coil", '0', GG_MODBUS_READ_COILS},
	[GG_MODBUS_DISCRETE] = {"discrete", '1', GG_MODBUS_READ_DISCRETE},
	[GG_MODBUS_INPUT] = {"input", '3', GG_MODBUS_READ_INPUT},
	[GG_MODBUS_HOLDING] = {"holding", '4', GG_MODBUS_READ_HOLDING},
	[GG_MODBUS_FILE] = {"file", '\0', GG_MODBUS_READ_FILE},
	[GG_MODBUS_FIFO] = {"fifo", '\0', GG_MODBUS_READ_FIFO},
};

const char *gg_modbus_table_name(uint8_t table)
{
	return table < GG_COUNT(tables) ? tables[table].name : "?";
}

uint8_t gg_modbus_table_read(uint8_t table)
{
	return tables[table].function;
}

static bool all_digits(struct gg_str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!isdigit((unsigned char)s.p[i]))
			return false;
	return s.len > 0;
}

/* 40001, 400001: the first digit is the table, the rest counts from 1. */
static int parse_digits(struct gg_str text, struct gg_modbus_address *ret_address, struct gg_error *e)
{
	if (text.len != 5 && text.len != 6)
		return gg_error_set(e, -EINVAL,
			"address \"%.*s\" could mean two things; expected e.g. \"holding %.*s\" (the address "
			"in the "
			"protocol, from 0) or five or six digits such as 40001 (counted from 1)",
			GG_STR_ARG(text), GG_STR_ARG(text));
	uint64_t number = 0;
	if (gg_parse_uint(gg_str_n(text.p + 1, text.len - 1), &number) != 0 || number < 1 || number > 65536)
		return gg_error_set(e, -EINVAL,
			"address \"%.*s\": behind its first digit a number from 1 to %s was expected",
			GG_STR_ARG(text), text.len == 5 ? "9999" : "65536");
	for (uint8_t t = 0; t < GG_COUNT(tables); t++) {
		if (tables[t].digit == text.p[0]) {
			*ret_address = (struct gg_modbus_address){t, (uint16_t)(number - 1), 0};
			return 0;
		}
	}
	return gg_error_set(e, -EINVAL,
		"address \"%.*s\": its first digit should be 0 (coil), 1 (discrete input), 3 (input "
		"register) or 4 "
		"(holding register)",
		GG_STR_ARG(text));
}

static int parse_number(struct gg_str text, uint64_t *ret_number)
{
	return gg_parse_hex(text, ret_number) == 0 ? 0 : gg_parse_uint(text, ret_number);
}

/* "4:12" */
static int parse_file(
	struct gg_str text, struct gg_str rest, struct gg_modbus_address *ret_address, struct gg_error *e)
{
	uint64_t file = 0, record = 0;
	struct gg_str first = gg_str_cut(&rest, ':');
	if (parse_number(gg_str_trim(first), &file) != 0 || parse_number(gg_str_trim(rest), &record) != 0 ||
		file < 1 || file > 65535 || record > 9999)
		return gg_error_set(e, -EINVAL,
			"address \"%.*s\": behind \"file\" a file from 1 to 65535 and a record from 0 to "
			"9999 were "
			"expected, as in \"file 4:12\"",
			GG_STR_ARG(text));
	*ret_address = (struct gg_modbus_address){GG_MODBUS_FILE, (uint16_t)record, (uint16_t)file};
	return 0;
}

int gg_modbus_address_parse(struct gg_str text, struct gg_modbus_address *ret_address, struct gg_error *e)
{
	text = gg_str_trim(text);
	if (all_digits(text))
		return parse_digits(text, ret_address, e);
	size_t end = 0;
	while (end < text.len && isalpha((unsigned char)text.p[end]))
		end++;
	struct gg_str word = gg_str_n(text.p, end);
	struct gg_str rest = gg_str_trim(gg_str_n(text.p + end, text.len - end));
	for (uint8_t t = 0; t < GG_COUNT(tables); t++) {
		if (!gg_str_is(word, tables[t].name))
			continue;
		uint64_t number = 0;
		if (t == GG_MODBUS_FILE)
			return parse_file(text, rest, ret_address, e);
		if (parse_number(rest, &number) != 0 || number > 65535)
			return gg_error_set(e, -EINVAL,
				"address \"%.*s\": behind \"%s\" a number from 0 to 65535 (or 0x0000 to "
				"0xffff) was "
				"expected",
				GG_STR_ARG(text), tables[t].name);
		*ret_address = (struct gg_modbus_address){t, (uint16_t)number, 0};
		return 0;
	}
	return gg_error_set(e, -EINVAL,
		"address \"%.*s\": expected \"coil N\", \"discrete N\", \"input N\" or \"holding N\" (from "
		"0), five or "
		"six digits such as 40001 (from 1), \"file N:N\" or \"fifo N\"",
		GG_STR_ARG(text));
}
