/* SPDX-License-Identifier: Apache-2.0 */
/* Frames against the examples of the standard (MAP §6, SL §6.2), values and addresses against worked
 * examples. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "drivers/modbus/modbus_address.h"
#include "drivers/modbus/modbus_codec.h"
#include "drivers/modbus/modbus_value.h"

#include <math.h>

static size_t unhex(const char *text, uint8_t *to)
{
	size_t n = 0;
	unsigned byte;
	int used;
	while (sscanf(text, "%2x%n", &byte, &used) == 1) {
		to[n++] = (uint8_t)byte;
		text += used;
	}
	return n;
}

struct golden {
	const char *name;
	struct gg_modbus_request request;
	const char *request_pdu, *answer_pdu, *data; /* data: what the answer holds */
};

#define BYTES(...) .data = (const uint8_t[]){__VA_ARGS__}, .data_len = sizeof((const uint8_t[]){__VA_ARGS__})

static const struct golden goldens[] = {
	{"read coils", {.unit = 17, .function = 1, .address = 19, .count = 19}, "01 00 13 00 13",
		"01 03 CD 6B 05", "CD 6B 05"},
	{"read discrete inputs", {.unit = 17, .function = 2, .address = 196, .count = 22}, "02 00 C4 00 16",
		"02 03 AC DB 35", "AC DB 35"},
	{"read holding registers", {.unit = 17, .function = 3, .address = 107, .count = 3}, "03 00 6B 00 03",
		"03 06 02 2B 00 00 00 64", "02 2B 00 00 00 64"},
	{"read input registers", {.unit = 17, .function = 4, .address = 8, .count = 1}, "04 00 08 00 01",
		"04 02 00 0A", "00 0A"},
	{"write single coil", {.unit = 17, .function = 5, .address = 172, BYTES(0xff, 0)}, "05 00 AC FF 00",
		"05 00 AC FF 00", "00 AC FF 00"},
	{"write single register", {.unit = 17, .function = 6, .address = 1, BYTES(0, 3)}, "06 00 01 00 03",
		"06 00 01 00 03", "00 01 00 03"},
	{"write multiple coils", {.unit = 17, .function = 15, .address = 19, .count = 10, BYTES(0xcd, 1)},
		"0F 00 13 00 0A 02 CD 01", "0F 00 13 00 0A", "00 13 00 0A"},
	{"write multiple registers",
		{.unit = 17, .function = 16, .address = 1, .count = 2, BYTES(0, 0xa, 1, 2)},
		"10 00 01 00 02 04 00 0A 01 02", "10 00 01 00 02", "00 01 00 02"},
	{"mask write register", {.unit = 17, .function = 22, .address = 4, .and_mask = 0xf2, .or_mask = 0x25},
		"16 00 04 00 F2 00 25", "16 00 04 00 F2 00 25", "00 04 00 F2 00 25"},
	{"read/write multiple registers",
		{.unit = 17,
			.function = 23,
			.address = 3,
			.count = 6,
			.write_address = 14,
			BYTES(0, 255, 0, 255, 0, 255)},
		"17 00 03 00 06 00 0E 00 03 06 00 FF 00 FF 00 FF",
		"17 0C 00 FE 0A CD 00 01 00 03 00 0D 00 FF", "00 FE 0A CD 00 01 00 03 00 0D 00 FF"},
	{"read device identification", {.unit = 17, .function = 43, .object = 0}, "2B 0E 01 00",
		"2B 0E 01 01 00 00 03 00 05 41 63 6D 65 21 01 03 50 2D 37 02 02 56 31", NULL},
};

/* Wraps a PDU by hand, apart from the code under test. */
static size_t wrap(enum gg_modbus_framing f, uint16_t transaction, uint8_t unit, const char *pdu, uint8_t *to)
{
	uint8_t bytes[300];
	size_t n = unhex(pdu, bytes);
	if (f == GG_MODBUS_TCP) {
		const uint8_t head[] = {(uint8_t)(transaction >> 8), (uint8_t)transaction, 0, 0,
			(uint8_t)((n + 1) >> 8), (uint8_t)(n + 1), unit};
		memcpy(to, head, sizeof head);
		memcpy(to + sizeof head, bytes, n);
		return n + sizeof head;
	}
	to[0] = unit;
	memcpy(to + 1, bytes, n);
	uint16_t crc = 0xffff; /* bit by bit, as SL §6.2.2 draws it */
	for (size_t i = 0; i <= n; i++) {
		crc ^= to[i];
		for (int bit = 0; bit < 8; bit++)
			crc = (uint16_t)(crc & 1 ? crc >> 1 ^ 0xa001 : crc >> 1);
	}
	to[n + 1] = (uint8_t)crc;
	to[n + 2] = (uint8_t)(crc >> 8);
	return n + 3;
}

static void writes_requests_as_the_standard_shows_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < GG_COUNT(goldens); i++) {
		for (int f = GG_MODBUS_TCP; f <= GG_MODBUS_RTU; f++) {
			uint8_t made[GG_MODBUS_ADU], want[400];
			struct gg_writer w = gg_writer(made, sizeof made);
			size_t n = wrap((enum gg_modbus_framing)f, 0x1234, 17, goldens[i].request_pdu, want);
			assert_int_equal(
				gg_modbus_encode((enum gg_modbus_framing)f, 0x1234, &goldens[i].request, &w),
				0);
			assert_int_equal(gg_writer_len(&w), n);
			assert_memory_equal(made, want, n);
		}
	}
}

static void reads_answers_as_the_standard_shows_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < GG_COUNT(goldens); i++) {
		for (int f = GG_MODBUS_TCP; f <= GG_MODBUS_RTU; f++) {
			uint8_t frame[400], want[300];
			struct gg_modbus_answer a;
			size_t used, n = wrap((enum gg_modbus_framing)f, 7, 17, goldens[i].answer_pdu, frame);
			/* However the bytes are cut, nothing is used up before the last has come. */
			for (size_t part = 0; part < n; part++) {
				assert_int_equal(gg_modbus_take((enum gg_modbus_framing)f,
							 &goldens[i].request, frame, part, &a, &used),
					0);
				assert_int_equal(used, 0);
			}
			assert_int_equal(gg_modbus_take((enum gg_modbus_framing)f, &goldens[i].request, frame,
						 n, &a, &used),
				1);
			assert_int_equal(used, n);
			assert_int_equal(a.exception, 0);
			assert_int_equal(gg_modbus_check(&goldens[i].request, &a), 0);
			if (goldens[i].data) {
				assert_int_equal(a.len, unhex(goldens[i].data, want));
				assert_memory_equal(a.data, want, a.len);
			}
		}
	}
}

static void crc_is_that_of_the_standard(void **state)
{
	(void)state;
	assert_int_equal(gg_modbus_crc((const uint8_t[]){0x02, 0x07}, 2), 0x1241); /* SL §6.2.2's example */
}

static void exceptions_are_told_apart(void **state)
{
	(void)state;
	const struct gg_modbus_request r = {.unit = 10, .function = 1, .address = 0x4a1, .count = 1};
	uint8_t frame[64];
	struct gg_modbus_answer a;
	size_t used;
	for (int f = GG_MODBUS_TCP; f <= GG_MODBUS_RTU; f++) {
		size_t n = wrap((enum gg_modbus_framing)f, 1, 10, "81 02", frame);
		assert_int_equal(gg_modbus_take((enum gg_modbus_framing)f, &r, frame, n, &a, &used), 1);
		assert_int_equal(a.exception, GG_MODBUS_ILLEGAL_ADDRESS);
		assert_int_equal(gg_modbus_check(&r, &a), 0);
	}
	assert_int_equal(gg_modbus_exception_reason(6), GG_REASON_DEVICE_BUSY);
	assert_int_equal(gg_modbus_exception_reason(99), GG_REASON_REFUSED);
}

static void identification_names_its_objects(void **state)
{
	(void)state;
	const struct golden *g = &goldens[GG_COUNT(goldens) - 1];
	uint8_t frame[100], id;
	struct gg_modbus_answer a;
	struct gg_str text;
	size_t used, at = 0, n = wrap(GG_MODBUS_TCP, 1, 17, g->answer_pdu, frame);
	assert_int_equal(gg_modbus_take(GG_MODBUS_TCP, NULL, frame, n, &a, &used), 1);
	assert_true(gg_modbus_identity(&a, &at, &id, &text));
	assert_true(id == 0 && gg_str_is(text, "Acme!"));
	assert_true(gg_modbus_identity(&a, &at, &id, &text));
	assert_true(id == 1 && gg_str_is(text, "P-7"));
	assert_true(gg_modbus_identity(&a, &at, &id, &text));
	assert_false(gg_modbus_identity(&a, &at, &id, &text));
}

static void rtu_finds_the_answer_behind_noise_and_echo(void **state)
{
	(void)state;
	const struct gg_modbus_request r = {.unit = 17, .function = 3, .address = 107, .count = 3};
	uint8_t bytes[300] = {0x11, 0x03, 0xff, 0x11}; /* noise that begins like an answer */
	struct gg_writer w = gg_writer(bytes + 4, 100);
	assert_int_equal(gg_modbus_encode(GG_MODBUS_RTU, 0, &r, &w), 0); /* our own request, echoed */
	size_t n = 4 + gg_writer_len(&w);
	size_t bad = wrap(GG_MODBUS_RTU, 0, 17, "03 06 02 2B 00 00 00 64", bytes + n);
	bytes[n + 4] ^= 0x40; /* an answer hit by a disturbance */
	n += bad;
	n += wrap(GG_MODBUS_RTU, 0, 17, "03 06 02 2B 00 00 00 64", bytes + n);
	struct gg_modbus_answer a = {0};
	size_t at = 0, used = 0;
	int got = 0;
	for (size_t have = 1; have <= n && !got; have++) { /* byte by byte, as a serial line gives them */
		got = gg_modbus_take(GG_MODBUS_RTU, &r, bytes + at, have - at, &a, &used);
		at += used;
	}
	assert_int_equal(got, 1);
	assert_int_equal(at, n);
	assert_int_equal(a.data[0], 0x02);
}

static void rtu_without_a_request_takes_all_for_noise(void **state)
{
	(void)state;
	struct gg_modbus_answer a;
	size_t used;
	assert_int_equal(gg_modbus_take(GG_MODBUS_RTU, NULL, (const uint8_t *)"abc", 3, &a, &used), 0);
	assert_int_equal(used, 3);
}

static void tcp_gives_up_a_stream_that_is_not_modbus(void **state)
{
	(void)state;
	struct gg_modbus_answer a;
	size_t used;
	const char *http = "HTTP/1.1 400 Bad Request";
	assert_int_equal(gg_modbus_take(GG_MODBUS_TCP, NULL, (const uint8_t *)http, strlen(http), &a, &used),
		-EBADMSG);
}

static void answers_that_do_not_fit_are_refused(void **state)
{
	(void)state;
	const struct gg_modbus_request r = {.unit = 1, .function = 3, .address = 0, .count = 2};
	const uint8_t two[4] = {0};
	const struct gg_modbus_answer wrong[] = {
		{.unit = 2, .function = 3, .data = two, .len = 4},
		{.unit = 1, .function = 4, .data = two, .len = 4},
		{.unit = 1, .function = 3, .data = two, .len = 2},
	};
	for (size_t i = 0; i < GG_COUNT(wrong); i++)
		assert_int_equal(gg_modbus_check(&r, &wrong[i]), -EBADMSG);
}

static void requests_beyond_the_standard_are_not_written(void **state)
{
	(void)state;
	static const uint8_t data[4];
	const struct gg_modbus_request wrong[] = {
		{.function = 3, .count = 126},
		{.function = 3, .count = 0},
		{.function = 1, .count = 2001},
		{.function = 4, .address = 65535, .count = 2},
		{.function = 16, .count = 2, .data = data, .data_len = 2},
		{.function = 99, .count = 1},
	};
	uint8_t to[GG_MODBUS_ADU];
	for (size_t i = 0; i < GG_COUNT(wrong); i++) {
		struct gg_writer w = gg_writer(to, sizeof to);
		assert_int_equal(gg_modbus_encode(GG_MODBUS_TCP, 0, &wrong[i], &w), -EINVAL);
		assert_int_equal(gg_writer_len(&w), 0);
	}
}

/* ---- values ---- */

static struct gg_modbus_form form(enum gg_modbus_type type, enum gg_modbus_order order)
{
	return (struct gg_modbus_form){.type = (uint8_t)type, .order = (uint8_t)order, .bit = -1, .scale = 1};
}

static struct gg_sample decode(const struct gg_modbus_form *f, const char *hex)
{
	uint8_t bytes[16];
	struct gg_sample s = {0};
	assert_int_equal(unhex(hex, bytes), gg_modbus_form_registers(f) * 2);
	gg_modbus_decode(f, bytes, &s);
	return s;
}

static void orders_are_those_of_their_names(void **state)
{
	(void)state;
	static const char *const hex[] = {"AA BB CC DD", "DD CC BB AA", "BB AA DD CC", "CC DD AA BB"};
	static const char *const wide[] = {"40 09 21 FB 54 44 2D 18", "18 2D 44 54 FB 21 09 40",
		"09 40 FB 21 44 54 18 2D", "2D 18 54 44 21 FB 40 09"};
	static const char *const one[] = {"12 34", "34 12", "34 12", "12 34"};
	for (int o = GG_MODBUS_BIG; o <= GG_MODBUS_LITTLE_SWAP; o++) {
		struct gg_modbus_form f = form(GG_MODBUS_UINT32, (enum gg_modbus_order)o);
		assert_int_equal(decode(&f, hex[o]).v.u, 0xaabbccdd);
		f = form(GG_MODBUS_FLOAT64, (enum gg_modbus_order)o);
		assert_true(decode(&f, wide[o]).v.f == 3.141592653589793);
		f = form(GG_MODBUS_UINT16, (enum gg_modbus_order)o);
		assert_int_equal(decode(&f, one[o]).v.u, 0x1234);
	}
}

static void types_and_signs_come_out_right(void **state)
{
	(void)state;
	struct gg_modbus_form f = form(GG_MODBUS_INT16, GG_MODBUS_BIG);
	assert_int_equal(decode(&f, "FF FE").v.i, -2);
	assert_int_equal(decode(&f, "FF FE").type, GG_TYPE_INT);
	f = form(GG_MODBUS_INT64, GG_MODBUS_BIG);
	assert_true(decode(&f, "80 00 00 00 00 00 00 00").v.i == INT64_MIN);
	f = form(GG_MODBUS_UINT64, GG_MODBUS_BIG);
	assert_true(decode(&f, "FF FF FF FF FF FF FF FF").v.u == UINT64_MAX);
	f = form(GG_MODBUS_FLOAT32, GG_MODBUS_BIG);
	assert_true(decode(&f, "41 AC 00 00").v.f == 21.5);
	assert_true(decode(&f, "3D CC CC CD").v.f == 0.1); /* and not 0.10000000149011612 */
	f = form(GG_MODBUS_BCD32, GG_MODBUS_BIG);
	assert_int_equal(decode(&f, "12 34 56 78").v.u, 12345678);
	f = form(GG_MODBUS_BOOL, GG_MODBUS_BIG);
	f.bit = 3;
	assert_true(decode(&f, "00 08").v.b);
	assert_false(decode(&f, "FF F7").v.b);
	f = form(GG_MODBUS_INT16, GG_MODBUS_BIG);
	f.scale = 0.1;
	f.offset = -40;
	assert_int_equal(gg_modbus_form_type(&f), GG_TYPE_FLOAT);
	assert_true(fabs(decode(&f, "02 67").v.f - 21.5) < 1e-12);
}

static void what_is_no_number_is_bad(void **state)
{
	(void)state;
	struct gg_modbus_form f = form(GG_MODBUS_FLOAT32, GG_MODBUS_BIG);
	struct gg_sample s = decode(&f, "7F C0 00 00");
	assert_int_equal(s.quality, GG_BAD);
	assert_int_equal(s.aux, GG_REASON_NOT_A_NUMBER);
	f = form(GG_MODBUS_BCD16, GG_MODBUS_BIG);
	assert_int_equal(decode(&f, "12 3A").quality, GG_BAD);
}

static void strings_end_at_nul_and_lose_their_padding(void **state)
{
	(void)state;
	char to[GG_MODBUS_STRING_MAX];
	struct gg_modbus_form f = form(GG_MODBUS_STRING, GG_MODBUS_BIG);
	f.length = 7;
	assert_int_equal(gg_modbus_form_registers(&f), 4);
	assert_int_equal(gg_modbus_decode_string(&f, (const uint8_t *)"pump  \0x", to), 4);
	assert_memory_equal(to, "pump", 4);
	f.order = GG_MODBUS_BIG_SWAP;
	assert_int_equal(gg_modbus_decode_string(&f, (const uint8_t *)"uppm7-\0\0", to), 6);
	assert_memory_equal(to, "pump-7", 6);
	f.order = GG_MODBUS_BIG;
	assert_int_equal(gg_modbus_decode_string(&f, (const uint8_t *)"K\xfchl   ", to), 4);
	assert_memory_equal(to, "K?hl", 4);
}

static void what_is_written_reads_back_the_same(void **state)
{
	(void)state;
	for (int type = GG_MODBUS_INT16; type < GG_MODBUS_STRING; type++) {
		for (int o = GG_MODBUS_BIG; o <= GG_MODBUS_LITTLE_SWAP; o++) {
			struct gg_modbus_form f = form((enum gg_modbus_type)type, (enum gg_modbus_order)o);
			struct gg_sample in = {.type = GG_TYPE_INT, .v.i = 1234}, out = {0};
			uint8_t bytes[8];
			assert_int_equal(gg_modbus_encode_value(&f, &in, gg_str(""), bytes), 0);
			gg_modbus_decode(&f, bytes, &out);
			assert_true(gg_sample_number(&out) == 1234);
			f.scale = 0.5;
			f.offset = 10;
			in = (struct gg_sample){.type = GG_TYPE_FLOAT, .v.f = 1234.5};
			assert_int_equal(gg_modbus_encode_value(&f, &in, gg_str(""), bytes), 0);
			gg_modbus_decode(&f, bytes, &out);
			assert_true(gg_sample_number(&out) == 1234.5);
		}
	}
}

static void values_that_do_not_fit_are_refused(void **state)
{
	(void)state;
	static const struct {
		enum gg_modbus_type type;
		double value;
		int want;
	} cases[] = {
		{GG_MODBUS_UINT16, 65535, 0},
		{GG_MODBUS_UINT16, 65536, -ERANGE},
		{GG_MODBUS_UINT16, -1, -ERANGE},
		{GG_MODBUS_INT16, -32768, 0},
		{GG_MODBUS_INT16, 32768, -ERANGE},
		{GG_MODBUS_INT64, 0x1p63, -ERANGE},
		{GG_MODBUS_UINT64, 0x1p64, -ERANGE},
		{GG_MODBUS_FLOAT32, 1e39, -ERANGE},
		{GG_MODBUS_BCD16, 9999, 0},
		{GG_MODBUS_BCD16, 10000, -ERANGE},
		{GG_MODBUS_FLOAT32, NAN, -ERANGE},
	};
	uint8_t bytes[8];
	for (size_t i = 0; i < GG_COUNT(cases); i++) {
		struct gg_modbus_form f = form(cases[i].type, GG_MODBUS_BIG);
		struct gg_sample s = {.type = GG_TYPE_FLOAT, .v.f = cases[i].value};
		assert_int_equal(gg_modbus_encode_value(&f, &s, gg_str(""), bytes), cases[i].want);
	}
	struct gg_modbus_form f = form(GG_MODBUS_UINT64, GG_MODBUS_BIG);
	struct gg_sample s = {.type = GG_TYPE_UINT, .v.u = UINT64_MAX - 1}; /* exact beyond 2^53 */
	struct gg_sample out = {0};
	assert_int_equal(gg_modbus_encode_value(&f, &s, gg_str(""), bytes), 0);
	gg_modbus_decode(&f, bytes, &out);
	assert_true(out.v.u == UINT64_MAX - 1);
	s.type = GG_TYPE_STRING;
	assert_int_equal(gg_modbus_encode_value(&f, &s, gg_str("abc"), bytes), -EINVAL);
}

/* ---- addresses ---- */

static void addresses_are_read_in_all_their_forms(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		struct gg_modbus_address want;
	} cases[] = {
		{"40001", {GG_MODBUS_HOLDING, 0}},
		{"49999", {GG_MODBUS_HOLDING, 9998}},
		{"400001", {GG_MODBUS_HOLDING, 0}},
		{"465536", {GG_MODBUS_HOLDING, 65535}},
		{"30004", {GG_MODBUS_INPUT, 3}},
		{"10009", {GG_MODBUS_DISCRETE, 8}},
		{"00018", {GG_MODBUS_COIL, 17}},
		{"coil 17", {GG_MODBUS_COIL, 17}},
		{"holding 100", {GG_MODBUS_HOLDING, 100}},
		{"input 3", {GG_MODBUS_INPUT, 3}},
		{" discrete  8 ", {GG_MODBUS_DISCRETE, 8}},
		{"holding 0x64", {GG_MODBUS_HOLDING, 100}},
		{"holding 0xFFFF", {GG_MODBUS_HOLDING, 65535}},
	};
	for (size_t i = 0; i < GG_COUNT(cases); i++) {
		struct gg_modbus_address a = {9, 9};
		assert_int_equal(gg_modbus_address_parse(gg_str(cases[i].text), &a, NULL), 0);
		assert_int_equal(a.table, cases[i].want.table);
		assert_int_equal(a.number, cases[i].want.number);
	}
}

static void doubtful_addresses_are_refused_with_what_was_expected(void **state)
{
	(void)state;
	static const struct {
		const char *text, *says;
	} cases[] = {
		{"100", "could mean two things"},
		{"40000", "1 to 9999"},
		{"465537", "1 to 65536"},
		{"50001", "first digit"},
		{"register 3", "expected"},
		{"holding", "number from 0"},
		{"holding 65536", "number from 0"},
		{"holding 0x", "number from 0"},
		{"coil -1", "number from 0"},
		{"", "expected"},
		{"holding 3 4", "number"},
	};
	for (size_t i = 0; i < GG_COUNT(cases); i++) {
		struct gg_modbus_address a = {9, 9};
		struct gg_error e = {0};
		assert_int_equal(gg_modbus_address_parse(gg_str(cases[i].text), &a, &e), -EINVAL);
		assert_non_null(strstr(e.text, cases[i].says));
		assert_int_equal(a.table, 9);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_requests_as_the_standard_shows_them),
		cmocka_unit_test(reads_answers_as_the_standard_shows_them),
		cmocka_unit_test(crc_is_that_of_the_standard),
		cmocka_unit_test(exceptions_are_told_apart),
		cmocka_unit_test(identification_names_its_objects),
		cmocka_unit_test(rtu_finds_the_answer_behind_noise_and_echo),
		cmocka_unit_test(rtu_without_a_request_takes_all_for_noise),
		cmocka_unit_test(tcp_gives_up_a_stream_that_is_not_modbus),
		cmocka_unit_test(answers_that_do_not_fit_are_refused),
		cmocka_unit_test(requests_beyond_the_standard_are_not_written),
		cmocka_unit_test(orders_are_those_of_their_names),
		cmocka_unit_test(types_and_signs_come_out_right),
		cmocka_unit_test(what_is_no_number_is_bad),
		cmocka_unit_test(strings_end_at_nul_and_lose_their_padding),
		cmocka_unit_test(what_is_written_reads_back_the_same),
		cmocka_unit_test(values_that_do_not_fit_are_refused),
		cmocka_unit_test(addresses_are_read_in_all_their_forms),
		cmocka_unit_test(doubtful_addresses_are_refused_with_what_was_expected),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
