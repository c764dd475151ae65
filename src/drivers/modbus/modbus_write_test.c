/* SPDX-License-Identifier: Apache-2.0 */
/* Writing to a foreign peer: what arrives there, and what the one who asked is told. */
#include "drivers/modbus/modbus_rig_test.h"

/* ---- writing ---- */

static void writes_reach_coils_registers_and_bits(void **state)
{
	(void)state;
	modbus_mapping_t *m = unit(1)->map;
	struct seen *coil = add(0, "coil 5", GG_MODBUS_BOOL), *word = add(0, "holding 0", GG_MODBUS_INT16),
		    *real = add(0, "holding 2", GG_MODBUS_FLOAT32),
		    *bit = add(0, "holding 4", GG_MODBUS_BOOL), *text = add(0, "holding 6", GG_MODBUS_STRING);
	of(word)->form.scale = 0.1;
	of(real)->form.order = GG_MODBUS_LITTLE_SWAP;
	of(bit)->form.bit = 9;
	of(text)->form.length = 6;
	m->tab_registers[4] = 0x00f1;
	for (uint32_t i = 0; i < counts[0]; i++)
		signals[0][i].readback = true;
	begin();
	wait_until(coil->good);
	write_now(coil, (struct gg_sample){.type = GG_TYPE_BOOL, .v.b = true}, "");
	assert_int_equal(written.status, 0);
	assert_int_equal(m->tab_bits[5], 1);
	assert_true(coil->last.v.b); /* what was read back is there at once */
	write_now(word, number(-12.3), "");
	assert_int_equal((int16_t)m->tab_registers[0], -123);
	write_now(real, number(21.5), "");
	assert_int_equal(m->tab_registers[2], 0);
	assert_int_equal(m->tab_registers[3], 0x41ac);
	write_now(bit, (struct gg_sample){.type = GG_TYPE_STRING}, "on");
	assert_int_equal(m->tab_registers[4], 0x02f1);
	write_now(bit, number(0), "");
	assert_int_equal(m->tab_registers[4], 0x00f1);
	write_now(text, (struct gg_sample){.type = GG_TYPE_STRING}, "run");
	assert_int_equal(written.status, 0);
	assert_int_equal(m->tab_registers[6], 'r' << 8 | 'u');
	assert_int_equal(m->tab_registers[7], 'n' << 8);
}

static void a_write_that_did_not_take_is_told(void **state)
{
	(void)state;
	struct seen *s = add(0, "holding 50", GG_MODBUS_UINT16),
		    *mute = add(0, "holding 60", GG_MODBUS_UINT16);
	of(s)->readback = true;
	unit(1)->faults.stuck_first = 50;
	unit(1)->faults.stuck_end = 51;
	begin();
	wait_until(s->good);
	write_now(s, number(7), "");
	assert_int_equal(written.status, -EIO);
	assert_non_null(strstr(written.reason, "reads back another value"));
	write_now(mute, number(7), "");
	assert_int_equal(written.status, 0);
}

static void devices_that_know_few_functions_are_written_all_the_same(void **state)
{
	(void)state;
	modbus_mapping_t *m = unit(1)->map;
	struct seen *bit = add(0, "holding 4", GG_MODBUS_BOOL), *word = add(0, "holding 5", GG_MODBUS_UINT16);
	of(bit)->form.bit = 0;
	unit(1)->faults.unknown[0] = 22;
	unit(1)->faults.unknown[1] = 6;
	m->tab_registers[4] = 0x8000;
	begin();
	wait_until(bit->good);
	write_now(bit, number(1), "");
	assert_int_equal(written.status, 0);
	assert_int_equal(m->tab_registers[4], 0x8001);
	write_now(word, number(99), "");
	assert_int_equal(written.status, 0);
	assert_int_equal(m->tab_registers[5], 99);
}

static void values_out_of_range_are_not_written(void **state)
{
	(void)state;
	struct seen *s = add(0, "holding 0", GG_MODBUS_UINT16);
	of(s)->low = 0;
	of(s)->high = 100;
	begin();
	wait_until(s->good);
	write_now(s, number(101), "");
	assert_int_equal(written.status, -ERANGE);
	assert_non_null(strstr(written.reason, "0 to 100"));
	of(s)->high = 1e6;
	write_now(s, number(70000), "");
	assert_int_equal(written.status, -ERANGE);
	of(s)->writable = false;
	write_now(s, number(1), "");
	assert_int_equal(written.status, -EPERM);
	assert_int_equal(unit(1)->map->tab_registers[0], 0);
}

static void a_write_without_an_answer_is_not_repeated(void **state)
{
	(void)state;
	struct seen *s = add(0, "holding 0", GG_MODBUS_UINT16);
	of(s)->period_ns = 3600 * GG_NS_PER_S; /* no poll comes between: it would count as a request */
	begin();
	wait_until(s->good);
	gg_site_modbus_lock(site);
	unit(1)->faults.silent = true;
	gg_site_modbus_unlock(site);
	uint64_t before = count_of(line.stats.requests);
	write_now(s, number(1), "");
	assert_int_equal(written.status, -ETIMEDOUT);
	assert_non_null(strstr(written.reason, "not known"));
	assert_int_equal(count_of(line.stats.requests), before + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(writes_reach_coils_registers_and_bits, tcp_up, down),
		cmocka_unit_test_setup_teardown(a_write_that_did_not_take_is_told, tcp_up, down),
		cmocka_unit_test_setup_teardown(
			devices_that_know_few_functions_are_written_all_the_same, tcp_up, down),
		cmocka_unit_test_setup_teardown(values_out_of_range_are_not_written, tcp_up, down),
		cmocka_unit_test_setup_teardown(a_write_without_an_answer_is_not_repeated, tcp_up, down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
