/* SPDX-License-Identifier: Apache-2.0 */
/* What was learnt of a device outlives the one that learnt it, and only in a device of the same layout. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "drivers/modbus/modbus_memory.h"

enum { COUNT = 60 };

static struct gg_modbus_signal signals[COUNT];
static struct gg_modbus_device old, fresh;
static struct gg_buf record;

#define CONNECT GG_STR("tcp://10.0.0.7:502")

static void make(struct gg_modbus_device *d, const char *name, uint8_t unit, uint32_t count)
{
	const struct gg_modbus_device_options o = {
		.who = "test", .name = name, .unit = unit, .limits = {.max_gap = 8}};
	for (uint32_t i = 0; i < COUNT; i++)
		signals[i] = (struct gg_modbus_signal){.name = "s",
			.index = i,
			.at = {.table = GG_MODBUS_HOLDING, .number = (uint16_t)i},
			.period_ns = i % 10 == 9 ? 10 * GG_NS_PER_S : GG_NS_PER_S,
			.form = {.type = GG_MODBUS_UINT16, .bit = -1, .scale = 1}};
	assert_int_equal(gg_modbus_device_init(d, &o, signals, count), 0);
}

/* The device does not have what lies from first up to end. */
static void teach(struct gg_modbus_plan *p, uint16_t first, uint16_t end)
{
	for (int round = 0; round < 100; round++) {
		bool any = false;
		for (uint32_t n = 0; n < p->range_count; n++) {
			struct gg_modbus_range *r = &p->ranges[n];
			bool known = p->items[r->first].refused;
			r->refused = !known && r->address < end && r->address + r->count > first;
			any |= r->refused;
		}
		if (!any)
			return;
		assert_int_equal(gg_modbus_plan_learn(p), 0);
	}
	fail();
}

static int begin(void **state)
{
	(void)state;
	record = GG_BUF(1 << 20);
	make(&old, "pump", 3, COUNT);
	teach(&old.groups[0].plan, 13, 17);
	old.groups[0].plan.lengths[0] = (struct gg_modbus_length){.taken = 20, .refused = 40, .settled = 20};
	assert_int_equal(gg_modbus_plan_rebuild(&old.groups[0].plan), 0);
	old.no_single_write = true;
	assert_int_equal(gg_modbus_memory_write(&old, CONNECT, &record), 0);
	return 0;
}

static int end(void **state)
{
	(void)state;
	gg_modbus_device_done(&old);
	gg_modbus_device_done(&fresh);
	gg_buf_done(&record);
	return 0;
}

static struct gg_str view(void)
{
	return gg_str_n(record.p, record.len);
}

static void expect_nothing_learnt(void)
{
	assert_false(fresh.no_single_write || fresh.no_mask_write || fresh.refused);
	for (uint32_t g = 0; g < fresh.group_count; g++) {
		assert_int_equal(gg_modbus_plan_refused(&fresh.groups[g].plan), 0);
		assert_int_equal(fresh.groups[g].plan.lengths[0].refused, 0);
	}
}

static void a_device_begins_with_what_was_learnt(void **state)
{
	(void)state;
	make(&fresh, "pump", 3, COUNT);
	assert_true(gg_str_is(gg_modbus_memory_name(view()), "pump"));
	assert_int_equal(gg_modbus_memory_read(&fresh, CONNECT, view()), 0);
	assert_true(fresh.no_single_write && !fresh.no_mask_write);
	assert_int_equal(fresh.refused, 4);
	assert_int_equal(fresh.group_count, 2);
	for (uint32_t g = 0; g < 2; g++) {
		const struct gg_modbus_plan *a = &old.groups[g].plan, *b = &fresh.groups[g].plan;
		assert_int_equal(a->range_count, b->range_count);
		for (uint32_t n = 0; n < a->range_count; n++) {
			assert_int_equal(a->ranges[n].address, b->ranges[n].address);
			assert_int_equal(a->ranges[n].count, b->ranges[n].count);
		}
	}
	const struct gg_modbus_plan *p = &fresh.groups[0].plan;
	for (uint32_t n = 0; n < p->range_count; n++) {
		const struct gg_modbus_range *r = &p->ranges[n];
		bool illegal = r->address < 17 && r->address + r->count > 13;
		assert_true(!illegal || r->items == 1); /* never among others again */
	}
}

static void a_device_of_another_layout_begins_anew(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		uint8_t unit;
		uint32_t count;
	} other[] = {{"valve", 3, COUNT}, {"pump", 4, COUNT}, {"pump", 3, COUNT - 1}};
	for (size_t i = 0; i < GG_COUNT(other); i++) {
		make(&fresh, other[i].name, other[i].unit, other[i].count);
		assert_int_equal(gg_modbus_memory_read(&fresh, CONNECT, view()), -ESTALE);
		expect_nothing_learnt();
		gg_modbus_device_done(&fresh);
	}
	make(&fresh, "pump", 3, COUNT);
	assert_int_equal(gg_modbus_memory_read(&fresh, GG_STR("tcp://10.0.0.8:502"), view()), -ESTALE);
	expect_nothing_learnt();
}

static void a_record_that_is_damaged_or_newer_is_not_used(void **state)
{
	(void)state;
	make(&fresh, "pump", 3, COUNT);
	for (size_t len = 0; len < record.len; len++) {
		assert_true(gg_modbus_memory_read(&fresh, CONNECT, gg_str_n(record.p, len)) < 0);
		expect_nothing_learnt();
	}
	gg_buf_char(&record, 'x');
	assert_int_equal(gg_modbus_memory_read(&fresh, CONNECT, view()), -EBADMSG);
	record.len--;
	record.p[0] = 2;
	assert_int_equal(gg_modbus_memory_name(view()).len, 0);
	assert_int_equal(gg_modbus_memory_read(&fresh, CONNECT, view()), -EBADMSG);
	expect_nothing_learnt();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_device_begins_with_what_was_learnt, begin, end),
		cmocka_unit_test_setup_teardown(a_device_of_another_layout_begins_anew, begin, end),
		cmocka_unit_test_setup_teardown(a_record_that_is_damaged_or_newer_is_not_used, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
