/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Feeds bytes as a stream of answers. The first bytes choose framing, function and count of the request under
 * way; the rest comes in two pieces. Whatever is accepted must fit the request, and no byte is used twice.
 */
#include "drivers/modbus/modbus_address.h"
#include "drivers/modbus/modbus_codec.h"
#include "drivers/modbus/modbus_value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What decodes must encode to bytes that decode to the same value; where it is scaled, nearly. */
static void check_value(const struct gg_modbus_form *f, const struct gg_sample *s)
{
	uint8_t out[GG_MODBUS_STRING_MAX + 2];
	struct gg_sample again = {0};
	bool on;
	(void)gg_modbus_value_bool(s, GG_STR(""), &on);
	if (s->quality != GG_GOOD || gg_modbus_encode_value(f, s, GG_STR(""), out) < 0 ||
		(f->type == GG_MODBUS_BOOL && f->bit >= 0))
		return;
	gg_modbus_decode(f, out, &again);
	if (again.type != s->type)
		abort();
	if (f->scale == 1 && f->offset == 0 && gg_sample_number(&again) != gg_sample_number(s))
		abort();
}

static void check_text(const struct gg_modbus_form *f, struct gg_str text)
{
	uint8_t out[GG_MODBUS_STRING_MAX + 2];
	char again[GG_MODBUS_STRING_MAX];
	const struct gg_sample s = {.type = GG_TYPE_STRING};
	bool on;
	(void)gg_modbus_value_bool(&s, text, &on);
	if (gg_modbus_encode_value(f, &s, text, out) == 0 &&
		!gg_str_eq(text, gg_str_n(again, gg_modbus_decode_string(f, out, again))))
		abort();
}

/* Any bytes as registers, in any form. */
static void check_form(const uint8_t *data)
{
	uint8_t registers[8];
	memcpy(registers, data + 4, sizeof registers);
	struct gg_modbus_form f = {.type = data[0] % GG_MODBUS_TYPES,
		.order = data[1] & 3,
		.bit = (int8_t)(data[2] % 17 - 1),
		.length = 1 + data[2] % 8,
		.scale = data[3] & 1 ? 0.5 : 1,
		.offset = data[3] & 2 ? 4 : 0};
	struct gg_sample s = {0};
	char text[GG_MODBUS_STRING_MAX];
	if (gg_modbus_form_registers(&f) > 4)
		return;
	if (f.type == GG_MODBUS_STRING) {
		check_text(&f, gg_str_n(text, gg_modbus_decode_string(&f, registers, text)));
		return;
	}
	gg_modbus_decode(&f, registers, &s);
	check_value(&f, &s);
	const struct gg_sample others[] = {{.type = GG_TYPE_INT, .v.i = (int8_t)data[4]},
		{.type = GG_TYPE_UINT, .v.u = data[5] * 1000U},
		{.type = GG_TYPE_FLOAT, .v.f = data[6] - 100.25}, {.type = GG_TYPE_BOOL, .v.b = data[7] & 1},
		{.type = GG_TYPE_STRING}};
	for (size_t i = 0; i < GG_COUNT(others); i++)
		(void)gg_modbus_encode_value(&f, &others[i], GG_STR("on"), registers);
	if (s.type > GG_TYPE_NONE && gg_modbus_form_type(&f) != s.type)
		abort();
}

/* A request that encodes fits into a frame, and is as long as said. */
static void check_request(enum gg_modbus_framing framing, const struct gg_modbus_request *r)
{
	uint8_t frame[GG_MODBUS_ADU];
	struct gg_writer w = gg_writer(frame, sizeof frame);
	int rc = gg_modbus_encode(framing, 7, r, &w);
	if ((rc == 0) != (gg_writer_ok(&w) && gg_writer_len(&w) > 0))
		abort();
	if (gg_modbus_answer_bytes(framing, r) > GG_MODBUS_ADU && rc == 0)
		abort();
	(void)gg_modbus_is_write(r->function);
}

static void use(const struct gg_modbus_request *r, const struct gg_modbus_answer *a, uint8_t choice)
{
	uint8_t id;
	struct gg_str text;
	size_t at = 0;
	if (!gg_modbus_exception_text(a->exception)[0] ||
		gg_modbus_exception_reason(a->exception) == GG_REASON_NONE)
		abort();
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
	if (gg_modbus_address_parse(gg_str_n(data, size), &address, NULL) == 0 &&
		!gg_modbus_table_name(address.table)[0])
		abort();
	if (size >= 12)
		check_form(data);
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
	check_request(framing, &r);
	struct gg_modbus_request longer = r;
	longer.data = data;
	longer.data_len = gg_min_size(size, r.count * 2U);
	check_request(framing, &longer);
	longer.data_len = gg_min_size(size, (r.count + 7U) / 8);
	check_request(framing, &longer);
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
