/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/block.h"

#include <math.h>

static struct gg_block block, back;
static struct gg_block_coder *coder;
static struct gg_buf bytes;

static int set_up(GG_UNUSED void **state)
{
	gg_block_init(&block);
	gg_block_init(&back);
	coder = gg_block_coder_new();
	bytes = GG_BUF(64 << 20);
	return 0;
}

static int tear_down(GG_UNUSED void **state)
{
	gg_block_done(&block);
	gg_block_done(&back);
	coder = gg_block_coder_free(coder);
	gg_buf_done(&bytes);
	return 0;
}

static void add(int64_t time, uint8_t type, uint64_t value, struct gg_str text)
{
	struct gg_sample s = {.time_ns = time, .type = type, .v.u = value};
	assert_int_equal(gg_block_add(&block, &s, text), 0);
}

static void add_float(int64_t time, double value)
{
	struct gg_sample s = {.time_ns = time, .type = GG_TYPE_FLOAT, .v.f = value};
	assert_int_equal(gg_block_add(&block, &s, GG_STR("")), 0);
}

static size_t there_and_back(void)
{
	gg_buf_clear(&bytes);
	assert_int_equal(gg_block_encode(coder, &block, &bytes), 0);
	assert_int_equal(gg_block_decode(coder, &back, gg_buf_view(&bytes)), 0);
	assert_int_equal(back.count, block.count);
	for (uint32_t i = 0; i < block.count; i++) {
		assert_int_equal(back.times[i], block.times[i]);
		assert_int_equal(back.marks[i], block.marks[i]);
		if ((uint8_t)block.marks[i] >= GG_TYPE_STRING)
			assert_true(gg_str_eq(gg_block_text(&block, i), gg_block_text(&back, i)));
		else
			assert_int_equal(back.values[i], block.values[i]);
	}
	return bytes.len;
}

static void a_regular_constant_signal_takes_a_few_bytes(GG_UNUSED void **state)
{
	for (int i = 0; i < 1024; i++)
		add_float(1700000000000000000 + i * 1000000000LL, 21.5);
	assert_true(there_and_back() < 40);
}

static void decimals_take_about_a_byte(GG_UNUSED void **state)
{
	double v = 2000;
	unsigned seed = 1;
	for (int i = 0; i < 1024; i++) {
		v += (double)(rand_r(&seed) % 21) - 10;
		add_float(1700000000000000000 + i * 1000000000LL, v / 100);
	}
	assert_true(there_and_back() < 1024 + 100);
}

static void any_mixture_reads_back(GG_UNUSED void **state)
{
	unsigned seed = 7;
	for (int round = 0; round < 300; round++) {
		gg_block_clear(&block);
		int64_t time = (int64_t)rand_r(&seed) << 32;
		int kinds = round % 9;
		uint32_t count = 1 + (uint32_t)rand_r(&seed) % 300;
		for (uint32_t i = 0; i < count; i++) {
			time += rand_r(&seed) % 2 ? 1000000 : rand_r(&seed) % 1000000;
			uint64_t random = (uint64_t)rand_r(&seed) << 40 ^ (uint64_t)rand_r(&seed) << 13 ^
					  (uint64_t)rand_r(&seed);
			uint8_t type = (uint8_t)(kinds < 7 ? kinds : rand_r(&seed) % 7);
			if (kinds == 8 && rand_r(&seed) % 3)
				type = GG_TYPE_FLOAT;
			char text[40];
			int len = snprintf(text, sizeof text, "%llx", (unsigned long long)random);
			struct gg_sample s = {.time_ns = time, .type = type};
			s.quality = (uint8_t)(rand_r(&seed) % 50 ? 0 : 2);
			s.aux = s.quality ? 5 : 0;
			s.v.u = type == GG_TYPE_BOOL ? random & 1 : type == GG_TYPE_NONE ? 0 : random;
			if (type == GG_TYPE_FLOAT && round % 2)
				s.v.f = (double)(int64_t)(random % 100000) / 1000 - 50;
			assert_int_equal(gg_block_add(&block, &s, gg_str_n(text, (size_t)len)), 0);
		}
		there_and_back();
	}
}

static void extremes_read_back(GG_UNUSED void **state)
{
	add_float(INT64_MIN, NAN);
	add_float(0, -0.0);
	add_float(1, INFINITY);
	add_float(INT64_MAX, 5e-324);
	there_and_back();
	gg_block_clear(&block);
	add(INT64_MIN, GG_TYPE_INT, (uint64_t)INT64_MIN, GG_STR(""));
	add(INT64_MAX, GG_TYPE_INT, (uint64_t)INT64_MAX, GG_STR(""));
	there_and_back();
	gg_block_clear(&block);
	there_and_back();
}

static void floats_of_32_bits_take_no_more_than_that(GG_UNUSED void **state)
{
	unsigned seed = 3;
	for (int i = 0; i < 1024; i++)
		add_float(i * 1000000000LL, (double)(float)(50 + (double)(rand_r(&seed) % 100000) / 370000));
	assert_true(there_and_back() < 1024 * 9 / 4);
}

static void a_spike_or_a_broken_value_does_not_cost_the_others(GG_UNUSED void **state)
{
	unsigned seed = 3;
	for (int i = 0; i < 1024; i++)
		add_float(i * 1000000000LL, i == 500   ? 1e12
					    : i == 700 ? NAN
					    : i == 701 ? 1.0 / 3
						       : (double)(rand_r(&seed) % 64) / 100);
	assert_true(there_and_back() < 1024 * 7 / 8);
}

static void few_texts_are_numbers(GG_UNUSED void **state)
{
	const struct gg_str texts[] = {GG_STR("running"), GG_STR("stopped"), GG_STR("waiting for material")};
	unsigned seed = 5;
	for (int i = 0; i < 1000; i++)
		add(i * 1000000000LL, GG_TYPE_STRING, 0, texts[rand_r(&seed) % 3]);
	assert_true(there_and_back() < 350);
	gg_block_clear(&block);
	for (int i = 0; i < 1000; i++) {
		char text[40];
		int len = snprintf(text, sizeof text, "charge %d of line 4", i);
		add(i, GG_TYPE_STRING, 0, gg_str_n(text, (size_t)len));
	}
	assert_true(there_and_back() < 5000);
}

static void of_what_is_the_same_twice_one_stays(GG_UNUSED void **state)
{
	for (int i = 0; i < 5; i++) {
		add(1, GG_TYPE_INT, 1, GG_STR(""));
		add(1, GG_TYPE_INT, 2, GG_STR(""));
	}
	add(2, GG_TYPE_STRING, 0, GG_STR("a"));
	add(2, GG_TYPE_STRING, 0, GG_STR("a"));
	add(2, GG_TYPE_STRING, 0, GG_STR("b"));
	add(3, GG_TYPE_INT, 1, GG_STR(""));
	assert_int_equal(gg_block_unique(&block), 9);
	assert_int_equal(block.count, 5);
	assert_int_equal(block.values[1], 2);
	assert_true(gg_str_is(gg_block_text(&block, 3), "b"));
}

/* A block as files of the first version have it. */
static void blocks_of_the_first_version_are_read(GG_UNUSED void **state)
{
	static const uint8_t old[] = {1, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 3, 2, 0, 0, 3, 4, 0, 0, 1, 20, 2, 1};
	assert_int_equal(gg_block_decode(coder, &back, gg_str_n(old, sizeof old)), 0);
	assert_int_equal(back.count, 3);
	assert_int_equal(back.times[2], 2000000000);
}

static void sorting_keeps_equals_in_order(GG_UNUSED void **state)
{
	const int64_t times[] = {5, 3, 9, 3, 1, 5};
	for (size_t i = 0; i < GG_COUNT(times); i++)
		add(times[i], GG_TYPE_INT, i, GG_STR(""));
	assert_true(block.unsorted);
	assert_int_equal(gg_block_sort(&block), 0);
	const uint64_t order[] = {4, 1, 3, 0, 5, 2};
	for (size_t i = 0; i < GG_COUNT(times); i++)
		assert_int_equal(block.values[i], order[i]);
	assert_int_equal(gg_block_at(&block, 4), 3);
	assert_int_equal(gg_block_at(&block, 100), 6);
}

static void damage_is_refused_or_harmless(GG_UNUSED void **state)
{
	for (int i = 0; i < 200; i++) {
		add_float(i * 1000, i % 7 ? i / 10.0 : i / 3.0);
		add(i * 1000 + 1, GG_TYPE_STRING, 0, GG_STR("running"));
	}
	there_and_back();
	for (size_t i = 0; i < bytes.len * 8; i++) {
		bytes.p[i / 8] = (char)(bytes.p[i / 8] ^ (1 << (i % 8)));
		gg_block_decode(coder, &back, gg_buf_view(&bytes));
		bytes.p[i / 8] = (char)(bytes.p[i / 8] ^ (1 << (i % 8)));
	}
	for (size_t len = 0; len < bytes.len; len++)
		assert_int_equal(gg_block_decode(coder, &back, gg_str_n(bytes.p, len)), -EINVAL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_regular_constant_signal_takes_a_few_bytes),
		TEST(decimals_take_about_a_byte),
		TEST(any_mixture_reads_back),
		TEST(extremes_read_back),
		TEST(floats_of_32_bits_take_no_more_than_that),
		TEST(a_spike_or_a_broken_value_does_not_cost_the_others),
		TEST(few_texts_are_numbers),
		TEST(of_what_is_the_same_twice_one_stays),
		TEST(blocks_of_the_first_version_are_read),
		TEST(sorting_keeps_equals_in_order),
		TEST(damage_is_refused_or_harmless),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
