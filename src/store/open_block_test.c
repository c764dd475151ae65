/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/open_block.h"

static unsigned seed;

static uint64_t random64(void)
{
	return (uint64_t)rand_r(&seed) << 40 ^ (uint64_t)rand_r(&seed) << 17 ^ (uint64_t)rand_r(&seed);
}

/* Times, values and marks as odd as they come. */
static struct gg_sample any_sample(int64_t time_ns, int kind)
{
	struct gg_sample s = {.time_ns = time_ns, .type = (uint8_t)(kind < 7 ? kind : rand_r(&seed) % 7)};
	s.quality = (uint8_t)(rand_r(&seed) % 50 ? 0 : 2);
	s.aux = (uint16_t)(s.quality ? rand_r(&seed) : 0);
	s.v.u = random64() >> (rand_r(&seed) % 64) << (rand_r(&seed) % 64);
	if (s.type == GG_TYPE_BOOL)
		s.v.u &= 1;
	if (s.type == GG_TYPE_NONE)
		s.v.u = 0;
	return s;
}

static void assert_same(const struct gg_block *a, const struct gg_block *b)
{
	assert_int_equal(a->count, b->count);
	assert_int_equal(a->unsorted, b->unsorted);
	for (uint32_t i = 0; i < a->count; i++)
		assert_true(gg_block_same(a, i, b, i));
}

static void any_mixture_comes_out_as_it_went_in(GG_UNUSED void **state)
{
	struct gg_block expected, got;
	gg_block_init(&expected);
	gg_block_init(&got);
	seed = 5;
	for (int round = 0; round < 300; round++) {
		struct gg_open_block *b = gg_open_block_new();
		gg_block_clear(&expected);
		gg_block_clear(&got);
		int64_t time = round % 3 ? 1700000000000000000 : (int64_t)random64();
		for (int i = rand_r(&seed) % 300; i >= 0; i--) {
			char text[40];
			int len = snprintf(text, sizeof text, "%llx", (unsigned long long)random64());
			struct gg_sample s = any_sample(time, round % 9);
			struct gg_str bytes =
				s.type >= GG_TYPE_STRING ? gg_str_n(text, (size_t)len) : GG_STR("");
			assert_int_equal(gg_open_block_add(&b, &s, bytes), 0);
			assert_int_equal(gg_block_add(&expected, &s, bytes), 0);
			time = round % 10 ? time + rand_r(&seed) - 1000 : (int64_t)random64();
		}
		assert_int_equal(b->first_ns, expected.times[0]);
		assert_int_equal(gg_open_block_copy(b, &got, INT64_MIN, INT64_MAX), 0);
		assert_same(&expected, &got);
		free(b);
	}
	gg_block_done(&expected);
	gg_block_done(&got);
}

static void a_range_is_copied_behind_what_is_there(GG_UNUSED void **state)
{
	struct gg_open_block *b = gg_open_block_new();
	struct gg_block got;
	gg_block_init(&got);
	for (int i = 0; i < 100; i++) {
		struct gg_sample s = {.time_ns = i, .type = GG_TYPE_INT, .v.i = i * 7};
		assert_int_equal(gg_open_block_add(&b, &s, GG_STR("")), 0);
	}
	assert_int_equal(gg_open_block_copy(b, &got, 10, 19), 0);
	assert_int_equal(gg_open_block_copy(b, &got, 95, INT64_MAX), 0);
	assert_int_equal(got.count, 15);
	assert_int_equal(got.values[0], 70);
	assert_int_equal(got.values[14], 99 * 7);
	free(b);
	gg_block_done(&got);
}

/* What decides how many samples a block gets in a gateway with very many signals. */
static void a_float_at_a_fixed_rate_takes_few_bytes(GG_UNUSED void **state)
{
	struct gg_open_block *b = gg_open_block_new();
	seed = 1;
	for (int i = 0; i < 1000; i++) {
		struct gg_sample s = {
			.time_ns = 1700000000000000000 + i * 1000000000LL + rand_r(&seed) % 500000,
			.type = GG_TYPE_FLOAT,
			.v.f = (float)(rand_r(&seed) % 100000) / 7};
		assert_int_equal(gg_open_block_add(&b, &s, GG_STR("")), 0);
	}
	assert_true(b->used < 9 * 1000);
	assert_true(gg_open_block_memory(b) < 15 * 1000);
	free(b);
}

static void a_text_that_is_too_large_leaves_the_block_as_it_was(GG_UNUSED void **state)
{
	struct gg_open_block *b = gg_open_block_new();
	char *large = calloc(1, GG_BLOCK_TEXT_MAX + 1);
	struct gg_sample s = {.time_ns = 1, .type = GG_TYPE_STRING};
	assert_int_equal(gg_open_block_add(&b, &s, GG_STR("on")), 0);
	assert_int_equal(gg_open_block_add(&b, &s, gg_str_n(large, GG_BLOCK_TEXT_MAX + 1)), -E2BIG);
	assert_int_equal(b->count, 1);
	free(large);
	free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_mixture_comes_out_as_it_went_in),
		cmocka_unit_test(a_range_is_copied_behind_what_is_there),
		cmocka_unit_test(a_float_at_a_fixed_rate_takes_few_bytes),
		cmocka_unit_test(a_text_that_is_too_large_leaves_the_block_as_it_was),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
