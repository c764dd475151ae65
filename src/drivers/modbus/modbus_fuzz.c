/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Feeds bytes as a stream of answers. The first bytes choose framing, function and count of the request under
 * way; the rest comes in two pieces. Whatever is accepted must fit the request, and no byte is used twice.
 */
#include "drivers/modbus/modbus_address.h"
#include "drivers/modbus/modbus_codec.h"
#include "drivers/modbus/modbus_value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const struct gg_modbus_request *r, const struct gg_modbus_answer *a, uint8_t choice)
{
	uint8_t id;
	struct gg_str text;
	size_t at = 0;
	if (gg_modbus_check(r, a) != 0 || a->exception)
		return;
	if (r->function == GG_MODBUS_IDENTIFY) {
		if (gg_modbus_identity_level(a) < 1 || gg_modbus_identity_level(a) > 3)
			abort();
		(void)gg_modbus_identity_more(a);
		for (unsigned n = 0; gg_modbus_identity(a, &at, &id, &text); n++)
			if (n > 255)
				abort();
		return;
	}
	if (r->function != GG_MODBUS_READ_HOLDING && r->function != GG_MODBUS_READ_INPUT)
		return;
	struct gg_modbus_form f = {.type = choice % GG_MODBUS_TYPES,
		.order = choice >> 6,
		.bit = (int8_t)(choice & 15),
		.length = a->len > GG_MODBUS_STRING_MAX ? GG_MODBUS_STRING_MAX : (uint16_t)a->len,
		.scale = 1};
	if (a->len < gg_modbus_form_registers(&f) * 2U)
		return;
	struct gg_sample s = {0};
	char to[GG_MODBUS_STRING_MAX];
	if (f.type == GG_MODBUS_STRING) {
		if (!gg_utf8_valid(gg_str_n(to, gg_modbus_decode_string(&f, a->data, to))))
			abort();
	} else {
		gg_modbus_decode(&f, a->data, &s);
		if (s.quality > GG_BAD)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t functions[] = {1, 2, 3, 4, 5, 6, 15, 16, 22, 23, 43, 20, 21, 24};
	struct gg_modbus_address address;
	(void)gg_modbus_address_parse(gg_str_n(data, size), &address, NULL);
	if (size < 6)
		return 0;
	static const uint8_t word[2] = {0, 3};
	enum gg_modbus_framing framing = data[0] & 1 ? GG_MODBUS_RTU : GG_MODBUS_TCP;
	const struct gg_modbus_request r = {.unit = data[2],
		.function = functions[data[1] % sizeof functions],
		.count = data[3],
		.file = 4,
		.address = data[4],
		.data = word,
		.data_len = 2};
	const uint8_t *p = data + 6;
	size_t len = size - 6, at = 0, have = data[5] < len ? data[5] : len;
	for (;;) {
		struct gg_modbus_answer a;
		size_t used = 0;
		int got = gg_modbus_take(framing, &r, p + at, have - at, &a, &used);
		if (used > have - at || (got == 1 && used == 0))
			abort();
		at += used;
		if (got < 0)
			return 0;
		if (got == 1)
			use(&r, &a, data[3]);
		else if (have == len)
			return 0;
		else
			have = len;
	}
}
