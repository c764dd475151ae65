/* SPDX-License-Identifier: Apache-2.0 */
/* Configurations as people write them: what the engine gets of them, and what they are told about mistakes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/value.h"
#include "drivers/modbus/modbus.h"

static struct gg_arena arena;
static struct gg_modbus m;
static struct gg_error error;

/* 0, or the driver's own verdict; -1: the option tables had something to say. */
static int take(const char *yaml)
{
	struct gg_problems problems = {0};
	struct gg_value *value = NULL;
	arena = GG_ARENA(1 << 20);
	memset(&m, 0, sizeof m);
	memset(&error, 0, sizeof error);
	m.name = "boiler";
	assert_int_equal(gg_value_parse(&arena, "test", gg_str(yaml), NULL, &problems, &value), 0);
	size_t n = gg_options_fill(gg_modbus_options, &m, value, &arena, &problems);
	if (n)
		gg_str_copy(error.text, sizeof error.text, gg_str(problems.items[0].text));
	gg_problems_done(&problems);
	return n ? -1 : gg_modbus_options_take(&m, &error);
}

static int done(void **state)
{
	(void)state;
	gg_modbus_options_done(&m);
	gg_arena_done(&arena);
	return 0;
}

static void one_device_has_the_instances_name(void **state)
{
	(void)state;
	assert_int_equal(take("connect: tcp://10.0.0.7\n"
			      "unit: 3\n"
			      "poll: 2s\n"
			      "signals:\n"
			      "  temperature: { address: 40001, type: float32, unit: degC, order: CDAB }\n"
			      "  burner: { address: coil 17, writable: true }\n"
			      "  alarm: { address: holding 0x10, bit: 3, poll: 100ms }\n"
			      "  serial: { address: input 5, length: 12 }\n"
			      "  level: holding 7\n"),
		0);
	assert_int_equal(m.line_options.framing, GG_MODBUS_TCP);
	assert_int_equal(m.line_options.address.port, 502);
	assert_int_equal(m.unit_count, 1);
	const struct gg_modbus_unit *u = m.units[0];
	assert_string_equal(u->device.o.name, "boiler");
	assert_int_equal(u->device.o.unit, 3);
	assert_int_equal(u->count, 5);
	assert_int_equal(u->device.group_count, 2);
	assert_int_equal(u->signals[0].form.order, GG_MODBUS_LITTLE_SWAP);
	assert_int_equal(u->signals[0].period_ns, 2 * GG_NS_PER_S);
	assert_true(u->signals[1].writable);
	assert_int_equal(u->signals[2].form.type, GG_MODBUS_BOOL);
	assert_int_equal(u->signals[3].form.type, GG_MODBUS_STRING);
	assert_int_equal(u->signals[4].form.type, GG_MODBUS_UINT16);
}

static void several_devices_share_a_line(void **state)
{
	(void)state;
	assert_int_equal(take("connect: rtu:///dev/ttyUSB0\n"
			      "serial: { baud: 9600, parity: none }\n"
			      "order: little-swap\n"
			      "devices:\n"
			      "  pump-1: { unit: 1, signals: { speed: { address: 40001, type: int32 } } }\n"
			      "  pump-2: { unit: 2, order: big, signals: { speed: { address: 40001, type: "
			      "int32 } } }\n"),
		0);
	assert_true(m.line_options.is_serial);
	assert_string_equal(m.line_options.address.host, "/dev/ttyUSB0");
	assert_int_equal(m.line_options.serial.baud, 9600);
	assert_int_equal(m.unit_count, 2);
	assert_string_equal(m.units[1]->device.o.name, "pump-2");
	assert_int_equal(m.units[0]->signals[0].form.order, GG_MODBUS_LITTLE_SWAP);
	assert_int_equal(m.units[1]->signals[0].form.order, GG_MODBUS_BIG);
}

static void rtu_goes_over_tcp_too(void **state)
{
	(void)state;
	assert_int_equal(take("{ connect: 'rtu+tcp://gw:4001', signals: { a: holding 1 } }"), 0);
	assert_int_equal(m.line_options.framing, GG_MODBUS_RTU);
	assert_false(m.line_options.is_serial);
	assert_int_equal(m.line_options.address.port, 4001);
}

static void mistakes_are_told_with_their_place(void **state)
{
	(void)state;
	static const struct {
		const char *yaml, *says;
	} cases[] = {
		{"{ connect: 'tcp://a' }", "signals"},
		{"{ connect: 'http://a:1', signals: { a: coil 1 } }", "rtu+tcp://HOST:PORT"},
		{"{ connect: 'rtu:ttyS0', signals: { a: coil 1 } }", "/dev/ttyUSB0"},
		{"{ connect: 'rtu:/dev/ttyS0', serial: { baud: 9601 }, signals: { a: coil 1 } }",
			"serial.baud"},
		{"{ connect: 'rtu:/dev/ttyS0', unit: 248, signals: { a: coil 1 } }", "1 to 247"},
		{"{ connect: 'rtu:/dev/ttyS0', unit: 0, signals: { a: coil 1 } }",
			"a broadcast can't be read"},
		{"{ connect: 'tcp://a', devices: { all: { unit: 1, broadcast: true, signals: { a: coil 1 } } "
		 "} }",
			"that is unit 0"},
		{"{ connect: 'tcp://a', signals: { a: file 0:1 } }", "file 4:12"},
		{"{ connect: 'tcp://a', signals: { a: { address: fifo 1, writable: true } } }",
			"can be written"},
		{"{ connect: 'tcp://a', registers: /nowhere/list.csv }",
			"registers: can't read /nowhere/list.csv"},
		{"{ connect: 'tcp://a', signals: { a: 17 } }", "signals.a: address \"17\""},
		{"{ connect: 'tcp://a', signals: { a: { address: coil 1, type: float32 } } }",
			"signals.a: a coil"},
		{"{ connect: 'tcp://a', signals: { a: { address: 40001, type: string } } }",
			"needs a length"},
		{"{ connect: 'tcp://a', signals: { a: { address: 30001, writable: true } } }",
			"only coils, holding"},
		{"{ connect: 'tcp://a', signals: { a: { address: 40001, scale: 0 } } }", "scale"},
		{"{ connect: 'tcp://a', signals: { a: { address: 40001, low: 2, high: 1 } } }",
			"low is above"},
		{"{ connect: 'tcp://a', signals: { a: { address: holding 65535, type: int32 } } }",
			"last register"},
		{"{ connect: 'tcp://a', max_registers: 1, signals: { a: { address: 40001, type: int32 } } }",
			"max_registers"},
		{"{ connect: 'tcp://a', devices: { p: { signals: { a: coil 1 } }, q: { signals: { a: coil 1 "
		 "} } } }",
			"same unit 1"},
		{"{ connect: 'tcp://a', devices: { p: { signals: { a: coil x } } } }",
			"devices.p: signals.a"},
		{"{ connect: 'tcp://a', signals: { a: { address: 40001, typ: int16 } } }", "typ"},
	};
	for (size_t i = 0; i < GG_COUNT(cases); i++) {
		assert_int_not_equal(take(cases[i].yaml), 0);
		if (!strstr(error.text, cases[i].says))
			fail_msg("%s: \"%s\" does not say \"%s\"", cases[i].yaml, error.text, cases[i].says);
		done(NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(one_device_has_the_instances_name, done),
		cmocka_unit_test_teardown(several_devices_share_a_line, done),
		cmocka_unit_test_teardown(rtu_goes_over_tcp_too, done),
		cmocka_unit_test(mistakes_are_told_with_their_place),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
