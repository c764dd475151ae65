/* SPDX-License-Identifier: Apache-2.0 */
#include "api/ring.h"
#include "check.h"

static void gives_what_came_after_a_number_in_order(void **state)
{
	struct gg_ring r = {0};
	struct gg_str text;
	uint64_t number;
	(void)state;
	assert_int_equal(gg_ring_after(&r, 0, &number, &text), -EAGAIN);
	assert_int_equal(gg_ring_add(&r, GG_STR("one")), 1);
	assert_int_equal(gg_ring_add(&r, GG_STR("two")), 2);
	assert_int_equal(gg_ring_after(&r, 0, &number, &text), 0);
	check_str(text, "one");
	assert_int_equal(gg_ring_after(&r, number, &number, &text), 0);
	check_str(text, "two");
	assert_int_equal(number, 2);
	assert_int_equal(gg_ring_after(&r, 2, &number, &text), -EAGAIN);
	gg_ring_done(&r);
}

static void says_when_what_was_missed_is_gone(void **state)
{
	static struct gg_ring r;
	struct gg_str text;
	uint64_t number;
	char line[24];
	(void)state;
	for (int i = 1; i <= GG_RING_MESSAGES + 10; i++) {
		int n = snprintf(line, sizeof line, "%d", i);
		gg_ring_add(&r, gg_str_n(line, (size_t)n));
	}
	assert_int_equal(gg_ring_after(&r, 9, &number, &text), -ESTALE);
	assert_int_equal(gg_ring_after(&r, 10, &number, &text), 0);
	check_str(text, "11");
	assert_int_equal(gg_ring_after(&r, GG_RING_MESSAGES + 11, &number, &text), -ESTALE);
	assert_int_equal(gg_ring_after(&r, UINT64_MAX, &number, &text), -ESTALE);
	gg_ring_done(&r);
}

static void stays_within_its_bytes(void **state)
{
	static struct gg_ring r;
	static char big[GG_RING_BYTES / 3 + 1];
	struct gg_str text;
	uint64_t number;
	(void)state;
	memset(big, 'x', sizeof big);
	for (int i = 0; i < 10; i++)
		assert_int_equal(gg_ring_add(&r, gg_str_n(big, sizeof big)), i + 1);
	assert_true(r.bytes <= GG_RING_BYTES);
	assert_int_equal(gg_ring_after(&r, 7, &number, &text), -ESTALE);
	assert_int_equal(gg_ring_after(&r, 8, &number, &text), 0);
	gg_ring_done(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(gives_what_came_after_a_number_in_order),
		TEST(says_when_what_was_missed_is_gone), TEST(stays_within_its_bytes)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
