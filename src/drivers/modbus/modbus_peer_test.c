/* SPDX-License-Identifier: Apache-2.0 */
/* Reading from a foreign peer over TCP, and all that can go wrong with it. */
#include "drivers/modbus/modbus_rig_test.h"

#include <math.h>

/* ---- reading ---- */

static void every_table_type_and_order_arrives(void **state)
{
	(void)state;
	modbus_mapping_t *m = unit(1)->map;
	m->tab_bits[17] = 1;
	m->tab_input_bits[8] = 1;
	m->tab_input_registers[3] = 0xfffe;
	m->tab_registers[0] = 8;
	/* By hand: libmodbus' functions for floats mean other orders by these names from version to version.
	 */
	const uint16_t orders[] = {0x41ac, 0x0000, 0x0000, 0xac41, 0xac41, 0x0000, 0x0000, 0x41ac};
	memcpy(&m->tab_registers[10], orders, sizeof orders);
	const uint16_t wide[] = {0x8000, 0, 0, 1};
	memcpy(&m->tab_registers[20], wide, sizeof wide);
	memcpy(&m->tab_registers[30], (uint16_t[]){0x7075, 0x6d70, 0x2d37, 0}, 8);
	struct seen *coil = add(0, "coil 17", GG_MODBUS_BOOL), *discrete = add(0, "10009", GG_MODBUS_BOOL),
		    *input = add(0, "30004", GG_MODBUS_INT16), *bit = add(0, "40001", GG_MODBUS_BOOL);
	struct seen *floats[4];
	of(bit)->form.bit = 3;
	for (int i = 0; i < 4; i++) {
		static const char *const at[] = {"holding 10", "holding 12", "holding 14", "holding 16"};
		floats[i] = add(0, at[i], GG_MODBUS_FLOAT32);
		of(floats[i])->form.order = (uint8_t)i;
	}
	struct seen *big = add(0, "holding 20", GG_MODBUS_INT64),
		    *text = add(0, "holding 30", GG_MODBUS_STRING);
	of(text)->form.length = 8;
	begin();
	wait_until(coil->good && input->good && text->good);
	assert_true(coil->last.v.b && discrete->last.v.b && bit->last.v.b);
	assert_int_equal(input->last.v.i, -2);
	for (int i = 0; i < 4; i++)
		assert_true(floats[i]->last.v.f == 21.5);
	assert_true(big->last.v.i == INT64_MIN + 1);
	assert_string_equal(text->text, "pump-7");
	assert_true(health[0].told == 1 && health[0].healthy);
	assert_int_equal(input->bad, 0);
	assert_true(llabs(gg_clock_utc(&gg_clock_system) - input->last.time_ns) < 5 * GG_NS_PER_S);
}

static void a_poll_is_one_batch_in_few_requests(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		char *address = test_malloc(32);
		snprintf(address, 32, "holding %u", i * 2);
		struct seen *s = add(0, address, GG_MODBUS_FLOAT32);
		test_free(address);
		of(s)->name = "x";
	}
	begin();
	wait_until(batches[0] >= 5);
	for (unsigned i = 0; i < 200; i++)
		assert_in_range(seen[i].good, batches[0], batches[0]);
	/* 400 registers are four requests of at most 125; one more was the probe, some may be on their way.
	 */
	assert_in_range(count_of(line.stats.requests), batches[0] * 4U + 1, batches[0] * 4U + 5);
}

static void groups_keep_their_own_beat(void **state)
{
	(void)state;
	struct seen *fast = add(0, "holding 0", GG_MODBUS_UINT16),
		    *slow = add(0, "holding 1", GG_MODBUS_UINT16);
	of(slow)->period_ns = 200 * GG_NS_PER_MS;
	begin();
	wait_until(slow->good >= 3);
	assert_true(fast->good > 2 * slow->good);
}

static void several_requests_are_under_way_at_once_when_allowed(void **state)
{
	(void)state;
	static char names[20][16];
	line_options.in_flight = 8;
	for (unsigned i = 0; i < 20; i++) { /* too far apart to be merged */
		snprintf(names[i], sizeof names[i], "holding %u", i * 20);
		add(0, names[i], GG_MODBUS_UINT16);
		unit(1)->map->tab_registers[i * 20] = (uint16_t)i;
	}
	begin();
	unsigned most = 0;
	int64_t end = gg_clock_monotonic(&gg_clock_system) + 10 * GG_NS_PER_S;
	while ((most < 8 || seen[19].good < 3) && gg_clock_monotonic(&gg_clock_system) < end) {
		gg_loop_turn(loop, 10 * GG_NS_PER_MS);
		if (line.in_flight > most)
			most = line.in_flight;
	}
	assert_int_equal(most, 8);
	for (unsigned i = 0; i < 20; i++)
		assert_true(seen[i].good >= 2 && seen[i].last.v.u == i);
	assert_int_equal(count_of(line.stats.garbled), 0);
}

static void add_far_apart(unsigned count)
{
	static char names[20][16];
	for (unsigned i = 0; i < count; i++) { /* too far apart to be merged */
		snprintf(names[i], sizeof names[i], "holding %u", i * 20);
		add(0, names[i], GG_MODBUS_UINT16);
	}
}

static void how_many_requests_at_once_is_found_out(void **state)
{
	(void)state;
	line_options.in_flight = 0;
	line_options.timeout_ns = GG_NS_PER_S;
	add_far_apart(20);
	begin();
	wait_until(gg_modbus_line_window(&line) == GG_MODBUS_PIPELINE);
	unsigned good = seen[19].good;
	wait_until(seen[19].good > good + 2);
	assert_int_equal(seen[0].bad, 0);
	assert_int_equal(count_of(line.stats.timeouts), 0);
}

static void who_wants_one_request_at_a_time_gets_them_so(void **state)
{
	(void)state;
	line_options.in_flight = 0;
	unit(1)->faults.one_by_one = true;
	add_far_apart(20);
	begin();
	wait_until(count_of(line.stats.timeouts) >= 1);
	wait_until(line.window_most == 1);
	uint64_t timeouts = count_of(line.stats.timeouts);
	unsigned good = seen[19].good;
	wait_until(seen[19].good > good + 5);
	assert_int_equal(count_of(line.stats.timeouts), timeouts);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(seen[i].bad, 0);
	assert_int_equal(health[0].told, 1);
}

static void answers_that_come_late_or_never_hold_up_no_others(void **state)
{
	(void)state;
	device_count = 2;
	line_options.timeout_ns = GG_NS_PER_S / 2;
	line_options.in_flight = 8;
	add_far_apart(20);
	struct seen *other = add(1, "holding 0", GG_MODBUS_UINT16);
	begin();
	wait_until(seen[19].good && other->good);
	gg_site_modbus_lock(site);
	unit(1)->faults.silent = true;
	gg_site_modbus_unlock(site);
	unsigned good = other->good;
	wait_until(seen[0].bad); /* a timeout, and again: a second, in which 50 polls of the other fall due */
	assert_true(other->good - good >= 5);
	assert_int_equal(other->bad, 0);
	assert_true(health[1].healthy && !health[0].healthy);
}

static void refused_addresses_are_told_once(void **state)
{
	(void)state;
	unit(1)->faults.hole_first = 40;
	unit(1)->faults.hole_end = 41;
	add_far_apart(5);
	begin();
	wait_until(batches[0] >= 5);
	assert_int_equal(refused[0].told, 1);
	assert_int_equal(refused[0].count, 1);
	assert_string_equal(refused[0].text, "holding 40 (holding 40)");
}

/* ---- what goes wrong ---- */

static void a_wrong_address_is_bad_and_leaves_the_others_good(void **state)
{
	(void)state;
	static char names[40][16];
	unit(1)->faults.hole_first = 13;
	unit(1)->faults.hole_end = 15;
	for (unsigned i = 0; i < 40; i++) {
		snprintf(names[i], sizeof names[i], "holding %u", i);
		add(0, names[i], GG_MODBUS_UINT16);
	}
	begin();
	wait_until(seen[39].good >= 1);
	/* In the first poll already each has its sample. */
	assert_int_equal(batches[0], 1);
	for (unsigned i = 0; i < 40; i++) {
		bool hole = i == 13 || i == 14;
		assert_int_equal(seen[i].good, !hole);
		assert_int_equal(seen[i].last.aux, hole ? GG_REASON_ILLEGAL_ADDRESS : GG_REASON_NONE);
	}
	uint64_t before = count_of(line.stats.requests), exceptions = count_of(line.stats.exceptions);
	wait_until(batches[0] >= 4);
	assert_in_range(count_of(line.stats.requests) - before, 6, 9); /* two a poll from now on */
	assert_int_equal(count_of(line.stats.exceptions), exceptions);
	assert_true(health[0].healthy);
}

static void a_device_that_wants_short_requests_gets_them(void **state)
{
	(void)state;
	static char names[60][16];
	unit(1)->faults.most_registers = 20;
	for (unsigned i = 0; i < 60; i++) {
		snprintf(names[i], sizeof names[i], "holding %u", i);
		add(0, names[i], GG_MODBUS_UINT16);
	}
	begin();
	wait_until(batches[0] >= 3);
	for (unsigned i = 0; i < 60; i++)
		assert_true(seen[i].good >= 3 && seen[i].bad == 0);
}

static void exceptions_become_the_samples_quality(void **state)
{
	(void)state;
	struct seen *s = add(0, "holding 0", GG_MODBUS_UINT16);
	begin();
	wait_until(s->good);
	gg_site_modbus_lock(site);
	unit(1)->faults.exception = MODBUS_EXCEPTION_SLAVE_OR_SERVER_BUSY;
	gg_site_modbus_unlock(site);
	wait_until(s->bad >= 2);
	assert_int_equal(s->last.aux, GG_REASON_DEVICE_BUSY);
	assert_true(health[0].healthy); /* it answers */
	gg_site_modbus_lock(site);
	unit(1)->faults.exception = 0;
	gg_site_modbus_unlock(site);
	unsigned good = s->good;
	wait_until(s->good > good);
}

static void a_dead_unit_tells_once_and_does_not_hold_up_its_neighbour(void **state)
{
	(void)state;
	device_count = 2;
	struct seen *dead = add(0, "holding 0", GG_MODBUS_UINT16),
		    *alive = add(1, "holding 0", GG_MODBUS_UINT16);
	begin();
	wait_until(dead->good && alive->good);
	gg_site_modbus_lock(site);
	unit(1)->faults.silent = true;
	gg_site_modbus_unlock(site);
	wait_until(dead->bad);
	assert_int_equal(dead->last.aux, GG_REASON_TIMEOUT);
	assert_false(health[0].healthy);
	assert_non_null(strstr(health[0].reason, "no answer from unit 1 at 127.0.0.1:"));
	/* Two back-offs of 200 ms and timeouts of 100 ms later the neighbour has had most of its polls of 20
	 * ms. */
	unsigned told = health[0].told;
	uint64_t timeouts = count_of(line.stats.timeouts);
	unsigned polls = alive->good;
	wait_until(count_of(line.stats.timeouts) >= timeouts + 4);
	assert_true(alive->good - polls >= 4 * 4);
	assert_int_equal(dead->bad, 1);
	assert_int_equal(health[0].told, told);
	assert_true(health[1].healthy && alive->bad == 0);
	gg_site_modbus_lock(site);
	unit(1)->faults.silent = false;
	gg_site_modbus_unlock(site);
	unsigned good = dead->good;
	wait_until(dead->good > good && health[0].healthy);
}

/* Lost in the middle of a poll: what had answered a moment before is as unknown as the rest. */
static void all_of_a_lost_device_is_bad(void **state)
{
	(void)state;
	static const uint8_t functions[] = {3, 4};
	struct seen *holding = add(0, "holding 0", GG_MODBUS_UINT16),
		    *input = add(0, "input 0", GG_MODBUS_UINT16);
	begin();
	for (size_t i = 0; i < GG_COUNT(functions); i++) {
		unsigned good[] = {holding->good, input->good};
		wait_until(holding->good > good[0] && input->good > good[1] && health[0].healthy);
		gg_site_modbus_lock(site);
		unit(1)->faults.silent_at = functions[i];
		gg_site_modbus_unlock(site);
		wait_until(!health[0].healthy);
		assert_int_equal(holding->last.quality, GG_BAD);
		assert_int_equal(input->last.quality, GG_BAD);
		gg_site_modbus_lock(site);
		unit(1)->faults = (struct gg_site_modbus_faults){0};
		gg_site_modbus_unlock(site);
	}
}

static void a_loss_that_the_core_has_no_room_for_is_told_when_it_calls(void **state)
{
	(void)state;
	struct seen *s = add(0, "holding 0", GG_MODBUS_UINT16);
	begin();
	wait_until(s->good);
	no_room = true;
	gg_site_modbus_lock(site);
	unit(1)->faults.silent = true;
	gg_site_modbus_unlock(site);
	wait_until(!health[0].healthy);
	assert_int_equal(s->bad, 0);
	no_room = false;
	gg_modbus_device_resume(&devices[0]);
	assert_int_equal(s->bad, 1);
}

static void a_gateway_that_misses_its_target_counts_as_no_answer(void **state)
{
	(void)state;
	struct seen *s = add(0, "holding 0", GG_MODBUS_UINT16);
	begin();
	wait_until(s->good);
	gg_site_modbus_lock(site);
	unit(1)->faults.exception = MODBUS_EXCEPTION_GATEWAY_TARGET;
	gg_site_modbus_unlock(site);
	wait_until(!health[0].healthy);
	assert_int_equal(s->bad, 1);
	assert_non_null(strstr(health[0].reason, "behind the gateway"));
}

static void a_dropped_connection_is_made_again_without_a_word(void **state)
{
	(void)state;
	struct seen *s = add(0, "holding 0", GG_MODBUS_UINT16);
	begin();
	wait_until(s->good >= 2);
	gg_site_modbus_drop_clients(site);
	unsigned good = s->good;
	wait_until(s->good >= good + 3);
	assert_int_equal(s->bad, 0);
	assert_int_equal(health[0].told, 1);
	assert_int_equal(count_of(line.stats.reconnects), 1);
}

static void a_restart_of_the_device_is_told_once_and_survived(void **state)
{
	(void)state;
	uint16_t port = gg_site_modbus_port(site, 0);
	struct seen *s = add(0, "holding 0", GG_MODBUS_UINT16);
	begin();
	wait_until(s->good >= 2);
	gg_site_modbus_free(site);
	site = NULL;
	wait_until(count_of(line.stats.reconnects) >= 4);
	assert_int_equal(s->bad, 1);
	assert_int_equal(s->last.aux, GG_REASON_NO_CONNECTION);
	assert_int_equal(health[0].told, 2);
	assert_non_null(strstr(health[0].reason, "refused"));
	write_now(s, number(1), "");
	assert_int_equal(written.status, -ENOTCONN);
	open_site(port, 1);
	assert_int_equal(gg_site_modbus_start(site), 0);
	unsigned good = s->good;
	wait_until(s->good > good + 2 && health[0].healthy);
}

static void a_core_without_room_is_left_alone_until_it_calls(void **state)
{
	(void)state;
	struct seen *s = add(0, "holding 0", GG_MODBUS_UINT16);
	begin();
	wait_until(s->good);
	no_room = true;
	wait_until(devices[0].paused);
	unsigned had = batches[0];
	uint64_t skipped = count_of(line.stats.skipped);
	wait_until(count_of(line.stats.skipped) >= skipped + 3);
	assert_int_equal(batches[0], had);
	no_room = false;
	gg_modbus_device_resume(&devices[0]);
	unsigned good = s->good;
	wait_until(s->good > good);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_table_type_and_order_arrives, tcp_up, down),
		cmocka_unit_test_setup_teardown(a_poll_is_one_batch_in_few_requests, tcp_up, down),
		cmocka_unit_test_setup_teardown(groups_keep_their_own_beat, tcp_up, down),
		cmocka_unit_test_setup_teardown(
			several_requests_are_under_way_at_once_when_allowed, tcp_up, down),
		cmocka_unit_test_setup_teardown(how_many_requests_at_once_is_found_out, tcp_up, down),
		cmocka_unit_test_setup_teardown(who_wants_one_request_at_a_time_gets_them_so, tcp_up, down),
		cmocka_unit_test_setup_teardown(
			answers_that_come_late_or_never_hold_up_no_others, tcp_up, down),
		cmocka_unit_test_setup_teardown(refused_addresses_are_told_once, tcp_up, down),
		cmocka_unit_test_setup_teardown(
			a_wrong_address_is_bad_and_leaves_the_others_good, tcp_up, down),
		cmocka_unit_test_setup_teardown(a_device_that_wants_short_requests_gets_them, tcp_up, down),
		cmocka_unit_test_setup_teardown(exceptions_become_the_samples_quality, tcp_up, down),
		cmocka_unit_test_setup_teardown(
			a_dead_unit_tells_once_and_does_not_hold_up_its_neighbour, tcp_up, down),
		cmocka_unit_test_setup_teardown(
			a_gateway_that_misses_its_target_counts_as_no_answer, tcp_up, down),
		cmocka_unit_test_setup_teardown(
			a_dropped_connection_is_made_again_without_a_word, tcp_up, down),
		cmocka_unit_test_setup_teardown(all_of_a_lost_device_is_bad, tcp_up, down),
		cmocka_unit_test_setup_teardown(
			a_loss_that_the_core_has_no_room_for_is_told_when_it_calls, tcp_up, down),
		cmocka_unit_test_setup_teardown(
			a_restart_of_the_device_is_told_once_and_survived, tcp_up, down),
		cmocka_unit_test_setup_teardown(
			a_core_without_room_is_left_alone_until_it_calls, tcp_up, down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
