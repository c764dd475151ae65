/* SPDX-License-Identifier: Apache-2.0 */
/* The small parts of base: map, arena, bytes, clock, crc32c, error. */
#include "base/arena.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "base/map.h"
#include "check.h"

static void map_holds_many_and_lets_go_of_any(void **state)
{
	struct gg_map map = {0};
	char key[16];
	(void)state;
	for (uint64_t i = 0; i < 5000; i++) {
		snprintf(key, sizeof key, "k%llu", (unsigned long long)i);
		assert_int_equal(gg_map_put(&map, gg_str(key), i), 0);
	}
	for (uint64_t i = 0; i < 5000; i += 2) {
		snprintf(key, sizeof key, "k%llu", (unsigned long long)i);
		assert_true(gg_map_remove(&map, gg_str(key)));
		assert_false(gg_map_remove(&map, gg_str(key)));
	}
	assert_int_equal(map.count, 2500);
	for (uint64_t i = 0; i < 5000; i++) {
		snprintf(key, sizeof key, "k%llu", (unsigned long long)i);
		assert_int_equal(gg_map_get(&map, gg_str(key), 99999), i % 2 ? i : 99999);
	}
	gg_map_done(&map);
}

static void stable_hash_never_changes(void **state)
{
	(void)state;
	/* Shard numbers and ids on disk depend on it. */
	assert_true(gg_hash_stable(GG_STR("boiler")) == gg_hash_stable(GG_STR("boiler")));
	assert_int_equal(gg_hash_stable(GG_STR("")) >> 32, gg_hash_stable(gg_str_n(NULL, 0)) >> 32);
	assert_true(gg_hash_stable(GG_STR("boiler")) != gg_hash_stable(GG_STR("boiles")));
}

static void arena_gives_no_more_than_its_maximum(void **state)
{
	struct gg_arena a = GG_ARENA(4096);
	size_t taken = 0;
	(void)state;
	while (gg_arena_alloc(&a, 100))
		taken += 112;
	assert_in_range(taken, 3900, 4096);
	assert_null(gg_arena_alloc(&a, SIZE_MAX - 3));
	gg_arena_done(&a);
}

static void reader_past_the_end_fails_and_stays_failed(void **state)
{
	static const uint8_t data[] = {1, 2, 3};
	struct gg_reader r = gg_reader(data, sizeof data);
	(void)state;
	assert_int_equal(gg_read_be16(&r), 0x0102);
	assert_int_equal(gg_read_be32(&r), 0);
	assert_false(gg_reader_ok(&r));
	assert_int_equal(gg_read_u8(&r), 0);
}

static void varints_read_back_and_overlong_ones_fail(void **state)
{
	static const uint64_t values[] = {0, 127, 128, 300, 1ULL << 35, UINT64_MAX};
	uint8_t data[16];
	(void)state;
	for (size_t i = 0; i < GG_COUNT(values); i++) {
		struct gg_writer w = gg_writer(data, sizeof data);
		gg_write_varint(&w, values[i]);
		struct gg_reader r = gg_reader(data, gg_writer_len(&w));
		assert_true(gg_read_varint(&r) == values[i]);
		assert_true(gg_reader_ok(&r) && gg_reader_left(&r) == 0);
	}
	memset(data, 0xff, sizeof data);
	struct gg_reader r = gg_reader(data, sizeof data);
	gg_read_varint(&r);
	assert_false(gg_reader_ok(&r));
}

static void times_in_their_many_forms(void **state)
{
	int64_t ns = 0;
	char text[GG_TIME_TEXT];
	(void)state;
	assert_int_equal(gg_time_parse(GG_STR("2014-02-14 14:30:00"), &ns), 0);
	assert_true(ns == 1392388200 * GG_NS_PER_S);
	assert_int_equal(gg_time_parse(GG_STR("2014-02-14T16:30:00.5+02:00"), &ns), 0);
	assert_true(ns == 1392388200 * GG_NS_PER_S + 500 * GG_NS_PER_MS);
	assert_int_equal(gg_time_parse(GG_STR("2000-02-29"), &ns), 0);
	gg_time_format(text, ns);
	assert_string_equal(text, "2000-02-29T00:00:00Z");
	gg_time_format(text, -1);
	assert_string_equal(text, "1969-12-31T23:59:59.999999999Z");
	static const char *const wrong[] = {"", "2014", "2014-13-01", "2014-02-30", "1900-02-29",
		"2014-02-14T25:00:00Z", "2014-02-14T10:00:00Q", "2014-02-14T10:00:00.Z", "yesterday",
		"2014-02-14T10:00:00+2:00"};
	for (size_t i = 0; i < GG_COUNT(wrong); i++)
		assert_int_equal(gg_time_parse(gg_str(wrong[i]), &ns), -EINVAL);
}

static void crc32c_is_castagnolis_both_ways(void **state)
{
	uint8_t data[1000];
	(void)state;
	assert_true(gg_crc32c(0, "123456789", 9) == 0xe3069283U);
	memset(data, 0, 32);
	assert_true(gg_crc32c(0, data, 32) == 0x8a9136aaU); /* RFC 3720 B.4 */
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (uint8_t)(i * 7);
	for (size_t n = 0; n < sizeof data; n += 13)
		assert_true(gg_crc32c((uint32_t)n, data, n) == gg_crc32c_table((uint32_t)n, data, n));
}

static void errors_carry_their_place(void **state)
{
	struct gg_error e = {0};
	char text[600];
	(void)state;
	assert_int_equal(gg_error_set(&e, -EINVAL, "expected %s", "a number"), -EINVAL);
	gg_error_prefix(&e, "drivers.%s", "boiler");
	gg_error_at(&e, "site.yaml", 3, 7);
	assert_string_equal(
		gg_error_format(&e, text, sizeof text), "site.yaml:3:7: drivers.boiler: expected a number");
	assert_int_equal(gg_error_http(-ENOENT), 404);
	assert_string_equal(gg_error_name(-ENOSPC), "no-space");
	assert_int_equal(gg_error_set(NULL, -EIO, "nobody listens"), -EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(map_holds_many_and_lets_go_of_any),
		TEST(stable_hash_never_changes), TEST(arena_gives_no_more_than_its_maximum),
		TEST(reader_past_the_end_fails_and_stays_failed),
		TEST(varints_read_back_and_overlong_ones_fail), TEST(times_in_their_many_forms),
		TEST(crc32c_is_castagnolis_both_ways), TEST(errors_carry_their_place)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
