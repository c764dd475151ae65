/* SPDX-License-Identifier: Apache-2.0 */
/* Register lists as programs and manuals have them, and what whoever slipped in one is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "drivers/modbus/modbus_registers.h"

static char text[4096];
static struct gg_modbus_registers rows;
static struct gg_modbus_signal_options got;
static struct gg_error error;

static int begin(const char *csv, int64_t base)
{
	gg_str_copy(text, sizeof text, gg_str(csv));
	error.text[0] = '\0';
	return gg_modbus_registers_init(&rows, text, strlen(csv), base, &error);
}

static void next(const char *name, const char *address, int type)
{
	if (gg_modbus_registers_next(&rows, &got, &error) != 1)
		fail_msg("%s: %s", name, error.text);
	assert_string_equal(got.name, name);
	assert_string_equal(got.address, address);
	assert_int_equal(got.type, type < 0 ? 0 : type + 1);
}

static void end(void)
{
	assert_int_equal(gg_modbus_registers_next(&rows, &got, &error), 0);
}

static void a_plain_list_says_what_a_signal_says(void **state)
{
	(void)state;
	assert_int_equal(
		begin("name,address,type,unit,scale,offset,order,bit,length,poll,writable,readback,title,low,"
		      "high\n"
		      "temperature,40001,float32,degC,0.1,-40,CDAB,,,500ms,true,yes,\"Boiler, top\",0,90\n"
		      "\n"
		      "# a remark\n"
		      "alarm,holding 7,,,,,,3,,,,,,,\n"
		      "serial,input 20,string,,,,,,12,2000,,,\"called \"\"x\"\"\",,\n",
			0),
		0);
	next("temperature", "40001", GG_MODBUS_FLOAT32);
	assert_string_equal(got.unit, "degC");
	assert_string_equal(got.title, "Boiler, top");
	assert_true(got.scale > 0.09 && got.scale < 0.11 && got.offset < -39.9);
	assert_int_equal(gg_modbus_order_of(got.order, 0), GG_MODBUS_LITTLE_SWAP);
	assert_true(got.writable && got.readback && got.poll_ns == 500 * GG_NS_PER_MS && got.high > 89);
	assert_int_equal(got.bit, -1);
	next("alarm", "holding 7", -1);
	assert_true(got.bit == 3 && got.scale == 1 && !got.writable);
	next("serial", "input 20", GG_MODBUS_STRING);
	assert_true(got.length == 12 && got.poll_ns == 2 * GG_NS_PER_S);
	assert_string_equal(got.title, "called \"x\"");
	end();
}

static void what_another_gateway_exports_is_read(void **state)
{
	(void)state;
	assert_int_equal(begin("\xef\xbb\xbfTag Name,Address,Data Type,Respect Data Type,Client Access,Scan "
			       "Rate,Scaling,Eng "
			       "Units,Description\r\n"
			       "\"Boiler.Temp #1\",\"400001\",Float,1,R/W,100,None,C,\"Flow\"\r\n"
			       "Boiler.Run,\"400012.3\",Boolean,1,RO,100,,,\r\n",
				 0),
		0);
	next("Boiler.Temp__1", "400001", GG_MODBUS_FLOAT32);
	assert_true(got.writable && got.poll_ns == 100 * GG_NS_PER_MS);
	next("Boiler.Run", "400012", GG_MODBUS_BOOL);
	assert_true(got.bit == 3 && !got.writable);
	end();
}

static void a_manuals_table_with_function_codes_is_read(void **state)
{
	(void)state;
	assert_int_equal(begin("Parameter;Register;Function code;Registers;Format;Units;Access;Remark\n"
			       "U1;1;4;2;REAL;V;Read only;x\n"
			       "Name;0x10;03;8;ASCII;;R;\n"
			       "Relay;5;1;1;;;Read/Write;",
				 1),
		0);
	next("U1", "input 0", GG_MODBUS_FLOAT32);
	next("Name", "holding 0x10", GG_MODBUS_STRING);
	assert_int_equal(got.length, 16);
	next("Relay", "coil 4", -1);
	assert_true(got.writable);
	end();
}

static void slips_are_told_with_line_and_column(void **state)
{
	(void)state;
	static const struct {
		const char *csv, *says;
	} cases[] = {
		{"", "1:1: a row with the names"},
		{"name,type\na,int16\n", "1:1: the first row names the columns, and one called \"address\""},
		{"address\n", "called \"name\""},
		{"name,address,tag\n", "1:14: a second column"},
		{"name,address,type\na,40001,int17\n", "2:9: expected a type such as int16"},
		{"name,address,scale\na,40001,\nb,40002,x\n", "3:9: expected a number, got \"x\""},
		{"name,address\n,40001\n", "2:1: this row has no name"},
		{"name,address\na,\n", "2:1: this row has no address"},
		{"name,address\n\"a,40001\n", "2:1: the quote that begins here has no end"},
		{"name,address\n\"a\"b,40001\n", "2:1: behind the closing quote"},
		{"name,address,bit\na,40001,16\n", "2:9: expected a bit"},
		{"name,address,poll\na,40001,soon\n", "2:9: expected a duration"},
		{"name,register,fc\na,65536,3\n", "2:3: expected a number from 0 to 65535"},
		{"name,register,fc\na,1,9\n", "2:5: expected coil, discrete"},
		{"name,address,access\na,40001,maybe\n", "2:9: expected read-only"},
	};
	for (size_t i = 0; i < GG_COUNT(cases); i++) {
		int r = begin(cases[i].csv, 0);
		while (r == 0 && (r = gg_modbus_registers_next(&rows, &got, &error)) == 1)
			r = 0;
		assert_int_equal(r, -EINVAL);
		if (!strstr(error.text, cases[i].says))
			fail_msg("\"%s\" does not say \"%s\"", error.text, cases[i].says);
	}
}

static void a_table_that_is_too_wide_is_refused(void **state)
{
	(void)state;
	char wide[256];
	memset(wide, ',', sizeof wide - 1);
	wide[sizeof wide - 1] = '\0';
	assert_int_equal(begin(wide, 0), -EINVAL);
	assert_non_null(strstr(error.text, "more than 64 columns"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plain_list_says_what_a_signal_says),
		cmocka_unit_test(what_another_gateway_exports_is_read),
		cmocka_unit_test(a_manuals_table_with_function_codes_is_read),
		cmocka_unit_test(slips_are_told_with_line_and_column),
		cmocka_unit_test(a_table_that_is_too_wide_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
