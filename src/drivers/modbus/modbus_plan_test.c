/* SPDX-License-Identifier: Apache-2.0 */
/* Plans against a device that is a set of addresses: how many requests, and what is learnt. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "drivers/modbus/modbus_plan.h"

static struct gg_modbus_plan plan;

static void make(const struct gg_modbus_item *items, uint32_t n, uint16_t max_gap, uint16_t max_registers)
{
	const struct gg_modbus_limits limits = {.max_gap = max_gap, .max_registers = max_registers};
	assert_int_equal(gg_modbus_plan_init(&plan, items, n, limits), 0);
}

static int done(void **state)
{
	(void)state;
	gg_modbus_plan_done(&plan);
	return 0;
}

static struct gg_modbus_item at(uint8_t table, uint16_t address, uint16_t count, uint32_t signal)
{
	return (struct gg_modbus_item){.table = table, .address = address, .count = count, .signal = signal};
}

static void neighbours_are_read_together(void **state)
{
	(void)state;
	struct gg_modbus_item items[100];
	for (uint32_t i = 0; i < 100; i++) /* floats, named in any order */
		items[i] = at(GG_MODBUS_HOLDING, (uint16_t)(2 * ((i * 37) % 100)), 2, i);
	make(items, 100, 0, 125);
	assert_int_equal(plan.range_count, 2);
	assert_int_equal(plan.ranges[0].count, 124); /* a float is never cut in two */
	assert_int_equal(plan.ranges[1].address, 124);
	assert_int_equal(plan.ranges[1].count, 76);
}

static void gaps_are_bridged_up_to_the_limit(void **state)
{
	(void)state;
	const struct gg_modbus_item items[] = {at(GG_MODBUS_HOLDING, 0, 1, 0), at(GG_MODBUS_HOLDING, 9, 1, 1),
		at(GG_MODBUS_HOLDING, 19, 1, 2), at(GG_MODBUS_INPUT, 1, 1, 3)};
	make(items, 4, 8, 125);
	assert_int_equal(plan.range_count, 3);
	assert_int_equal(plan.ranges[0].table, GG_MODBUS_INPUT);
	assert_int_equal(plan.ranges[1].count, 10);
	assert_int_equal(plan.ranges[2].address, 19);
}

static void a_small_device_gets_small_requests(void **state)
{
	(void)state;
	struct gg_modbus_item items[32];
	for (uint32_t i = 0; i < 32; i++)
		items[i] = at(GG_MODBUS_HOLDING, (uint16_t)i, 1, i);
	make(items, 32, 8, 10);
	assert_int_equal(plan.range_count, 4);
}

static void signals_that_overlap_share_a_request(void **state)
{
	(void)state;
	const struct gg_modbus_item items[] = {at(GG_MODBUS_HOLDING, 5, 1, 0), at(GG_MODBUS_HOLDING, 5, 1, 1),
		at(GG_MODBUS_HOLDING, 4, 8, 2), at(GG_MODBUS_HOLDING, 6, 2, 3)};
	make(items, 4, 0, 125);
	assert_int_equal(plan.range_count, 1);
	assert_int_equal(plan.ranges[0].address, 4);
	assert_int_equal(plan.ranges[0].count, 8);
}

static void an_item_no_request_can_carry_is_refused(void **state)
{
	(void)state;
	const struct gg_modbus_item big = at(GG_MODBUS_HOLDING, 0, 11, 0),
				    beyond = at(GG_MODBUS_HOLDING, 65535, 2, 0);
	const struct gg_modbus_limits limits = {.max_registers = 10};
	assert_int_equal(gg_modbus_plan_init(&plan, &big, 1, limits), -EINVAL);
	assert_int_equal(gg_modbus_plan_init(&plan, &beyond, 1, limits), -EINVAL);
}

/* ---- learning: a device that lacks some registers ---- */

static bool lacks[65536];
static unsigned longest; /* that it takes; 0: any */

/* One poll as the driver does it: what has no value yet is asked for, what is refused is learnt. Returns
 * requests. */
static unsigned settle(void)
{
	unsigned requests = 0;
	for (bool again = true; again;) {
		for (uint32_t n = 0; n < plan.range_count; n++) {
			struct gg_modbus_range *r = &plan.ranges[n];
			bool refused = false, all = true;
			for (uint32_t i = r->first; i < r->first + r->items; i++)
				all = all && plan.items[i].done;
			if (all)
				continue;
			requests++;
			for (unsigned a = r->address; a < r->address + (unsigned)r->count; a++)
				refused |= lacks[a];
			refused |= longest && r->count > longest;
			r->refused = refused;
			if (!refused)
				gg_modbus_plan_taken(&plan, r);
			for (uint32_t i = r->first; i < r->first + r->items; i++)
				plan.items[i].done = !refused || !gg_modbus_plan_splits(&plan, n);
		}
		again = false;
		assert_int_equal(gg_modbus_plan_learn(&plan), 0);
		for (uint32_t i = 0; i < plan.item_count; i++)
			again = again || !plan.items[i].done;
		assert_true(requests < 2000);
	}
	(void)gg_modbus_plan_settle(&plan);
	return requests;
}

static void poll_again(unsigned times)
{
	while (times--) {
		for (uint32_t i = 0; i < plan.item_count; i++)
			plan.items[i].done = plan.items[i].refused;
		settle();
	}
}

static void the_longest_request_is_found_and_remembered(void **state)
{
	(void)state;
	struct gg_modbus_item items[300];
	for (uint32_t i = 0; i < 300; i++)
		items[i] = at(GG_MODBUS_HOLDING, (uint16_t)i, 1, i);
	memset(lacks, 0, sizeof lacks);
	lacks[250] = true; /* and one of them is not there at all */
	for (longest = 7; longest < 125; longest += 13) {
		make(items, 300, 8, 125);
		settle();
		poll_again(12);
		unsigned least = (250 + longest - 1) / longest + (49 + longest - 1) / longest;
		assert_in_range(plan.range_count, least, least + 1U); /* the one that is not there */
		for (uint32_t i = 0; i < plan.range_count; i++)
			assert_true(plan.ranges[i].count <= longest);
		for (uint32_t i = 0; i < 300; i++)
			assert_int_equal(plan.items[i].refused, i == 250);
		gg_modbus_plan_done(&plan);
	}
	longest = 0;
	make(items, 1, 8, 125);
}

static void a_changed_plan_knows_what_the_old_one_learnt(void **state)
{
	(void)state;
	struct gg_modbus_item items[60];
	struct gg_modbus_plan old;
	for (uint32_t i = 0; i < 60; i++)
		items[i] = at(GG_MODBUS_HOLDING, (uint16_t)i, 1, i);
	memset(lacks, 0, sizeof lacks);
	lacks[30] = true;
	make(items, 59, 8, 125);
	settle();
	old = plan;
	for (uint32_t i = 0; i < 60; i++)
		items[i].signal = 59 - i;
	make(items, 60, 8, 125);
	gg_modbus_plan_inherit(&plan, &old);
	assert_int_equal(settle(), 3);
	assert_int_equal(gg_modbus_plan_refused(&plan), 1);
	gg_modbus_plan_done(&old);
}

static void records_of_different_files_and_queues_are_read_apart(void **state)
{
	(void)state;
	struct gg_modbus_item items[] = {at(GG_MODBUS_FILE, 0, 2, 0), at(GG_MODBUS_FILE, 2, 2, 1),
		at(GG_MODBUS_FILE, 4, 2, 2), at(GG_MODBUS_FIFO, 0, 1, 3), at(GG_MODBUS_FIFO, 1, 1, 4)};
	for (int i = 0; i < 3; i++)
		items[i].file = i < 2 ? 1 : 2;
	make(items, 5, 8, 125);
	assert_int_equal(plan.range_count, 4);
}

static void one_wrong_address_costs_the_others_nothing(void **state)
{
	(void)state;
	struct gg_modbus_item items[100];
	for (uint32_t i = 0; i < 100; i++)
		items[i] = at(GG_MODBUS_HOLDING, (uint16_t)i, 1, i);
	memset(lacks, 0, sizeof lacks);
	lacks[37] = true;
	make(items, 100, 8, 125);
	assert_true(settle() < 20);
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(plan.items[i].refused, i == 37);
	assert_int_equal(plan.range_count, 3); /* below it, it, above it: no needless splits stay */
}

static void a_hole_between_signals_is_not_bridged_again(void **state)
{
	(void)state;
	const struct gg_modbus_item items[] = {at(GG_MODBUS_HOLDING, 0, 2, 0), at(GG_MODBUS_HOLDING, 4, 2, 1),
		at(GG_MODBUS_HOLDING, 12, 2, 2), at(GG_MODBUS_HOLDING, 16, 2, 3)};
	memset(lacks, 0, sizeof lacks);
	lacks[8] = true;
	make(items, 4, 8, 125);
	assert_int_equal(plan.range_count, 1);
	assert_int_equal(settle(), 3); /* refused once, then two ranges */
	assert_int_equal(plan.range_count, 2);
	for (uint32_t i = 0; i < 4; i++)
		assert_false(plan.items[i].refused);
}

static void many_wrong_addresses_are_all_found(void **state)
{
	(void)state;
	struct gg_modbus_item items[120];
	uint32_t seed = 7;
	memset(lacks, 0, sizeof lacks);
	for (uint32_t i = 0; i < 120; i++) {
		seed = seed * 1664525 + 1013904223;
		items[i] = at(GG_MODBUS_HOLDING, (uint16_t)(i * 3), 2, i);
		lacks[i * 3] = seed >> 28 == 0;
		lacks[i * 3 + 2] = seed >> 30 == 1; /* holes nobody asked for */
	}
	make(items, 120, 8, 125);
	assert_true(settle() < 400);
	for (uint32_t i = 0; i < 120; i++)
		assert_int_equal(plan.items[i].refused, lacks[plan.items[i].address]);
}

static void bits_of_one_register_are_refused_together_and_come_back(void **state)
{
	(void)state;
	const struct gg_modbus_item items[] = {at(GG_MODBUS_HOLDING, 5, 1, 0), at(GG_MODBUS_HOLDING, 5, 1, 1),
		at(GG_MODBUS_HOLDING, 6, 1, 2)};
	memset(lacks, 0, sizeof lacks);
	lacks[5] = true;
	make(items, 3, 8, 125);
	settle();
	assert_int_equal(plan.range_count, 2);
	assert_true(plan.items[0].refused && plan.items[1].refused && !plan.items[2].refused);
	plan.ranges[0].accepted = true;
	gg_modbus_plan_learn(&plan);
	assert_int_equal(plan.range_count, 1);
	assert_false(plan.items[0].refused);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(neighbours_are_read_together, done),
		cmocka_unit_test_teardown(gaps_are_bridged_up_to_the_limit, done),
		cmocka_unit_test_teardown(a_small_device_gets_small_requests, done),
		cmocka_unit_test_teardown(signals_that_overlap_share_a_request, done),
		cmocka_unit_test(an_item_no_request_can_carry_is_refused),
		cmocka_unit_test_teardown(one_wrong_address_costs_the_others_nothing, done),
		cmocka_unit_test_teardown(a_hole_between_signals_is_not_bridged_again, done),
		cmocka_unit_test_teardown(many_wrong_addresses_are_all_found, done),
		cmocka_unit_test_teardown(the_longest_request_is_found_and_remembered, done),
		cmocka_unit_test_teardown(a_changed_plan_knows_what_the_old_one_learnt, done),
		cmocka_unit_test_teardown(records_of_different_files_and_queues_are_read_apart, done),
		cmocka_unit_test_teardown(bits_of_one_register_are_refused_together_and_come_back, done),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
