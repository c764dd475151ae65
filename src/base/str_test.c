/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include <math.h>

static void globs_match_any_run_slashes_too(void **state)
{
	(void)state;
	assert_true(gg_glob(GG_STR("*"), GG_STR("")));
	assert_true(gg_glob(GG_STR("press-*/temperature"), GG_STR("press-2/temperature")));
	assert_true(gg_glob(GG_STR("heat/*"), GG_STR("heat/boiler/temperature.mean")));
	assert_true(gg_glob(GG_STR("a*b*c"), GG_STR("aXbXbXc")));
	assert_true(gg_glob(GG_STR("?"), GG_STR("*")));
	assert_false(gg_glob(GG_STR("press-*/t"), GG_STR("press-2/temperature")));
	assert_false(gg_glob(GG_STR("?"), GG_STR("")));
	assert_false(gg_glob(GG_STR("a"), GG_STR("ab")));
}

static void globs_of_many_stars_end_soon(void **state)
{
	char pattern[200], text[2000];
	(void)state;
	for (size_t i = 0; i < sizeof pattern; i++)
		pattern[i] = i % 2 ? 'a' : '*';
	memset(text, 'a', sizeof text);
	pattern[sizeof pattern - 1] = 'b';
	assert_false(gg_glob(gg_str_n(pattern, sizeof pattern), gg_str_n(text, sizeof text)));
}

static void distance_counts_swaps_once(void **state)
{
	(void)state;
	assert_int_equal(gg_str_distance(GG_STR("conect"), GG_STR("connect")), 1);
	assert_int_equal(gg_str_distance(GG_STR("adress"), GG_STR("address")), 1);
	assert_int_equal(gg_str_distance(GG_STR("tpye"), GG_STR("type")), 1);
	assert_int_equal(gg_str_distance(GG_STR(""), GG_STR("abc")), 3);
	assert_int_equal(gg_str_distance(GG_STR("kitten"), GG_STR("sitting")), 3);
}

static void utf8_of_every_wrong_kind_is_refused(void **state)
{
	static const char *const wrong[] = {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xed\xa0\x80",
		"\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xe2\x82", "a\xff"};
	(void)state;
	for (size_t i = 0; i < GG_COUNT(wrong); i++)
		assert_false(gg_utf8_valid(gg_str(wrong[i])));
	assert_true(gg_utf8_valid(GG_STR("température °C \xf0\x9f\x94\xa5 \xef\xbf\xbf")));
}

static void numbers_read_as_libc_reads_them(void **state)
{
	static const char *const texts[] = {"0", "-0", "21.5", "-40", "1e3", "1.7976931348623157e308",
		"5e-324", "0.1", "123456789012345678", "3.14159265358979323846", "1E-7", "+7", "000.5",
		"9007199254740993", "1e22", "1e23", "18446744073709551616", "1844674407370955161.6",
		"36893488147419103232"};
	(void)state;
	for (size_t i = 0; i < GG_COUNT(texts); i++) {
		double value = NAN, expected = strtod(texts[i], NULL);
		assert_int_equal(gg_parse_float(gg_str(texts[i]), &value), 0);
		assert_memory_equal(&value, &expected, sizeof value);
	}
}

static void hexadecimal_reads_and_writes(void **state)
{
	char text[9];
	uint64_t value = 7;
	(void)state;
	assert_int_equal(gg_parse_hex(GG_STR("0xFfffFfffFfffFfff"), &value), 0);
	assert_true(value == UINT64_MAX);
	assert_int_equal(gg_parse_hex(GG_STR("0X1a"), &value), 0);
	assert_int_equal(value, 26);
	assert_int_equal(gg_parse_hex(GG_STR("0x"), &value), -EINVAL);
	assert_int_equal(gg_parse_hex(GG_STR("1a"), &value), -EINVAL);
	assert_int_equal(gg_parse_hex(GG_STR("0x1g"), &value), -EINVAL);
	assert_int_equal(gg_parse_hex(GG_STR("0x10000000000000000"), &value), -EINVAL);
	gg_format_hex(text, "\x00\x7f\xa0\xff", 4);
	assert_string_equal(text, "007fa0ff");
}

static void what_is_no_number_is_refused(void **state)
{
	static const char *const texts[] = {
		"", " 1", "1 ", "1,5", "abc", "1e", ".", "-", "--1", "1e+", "0x", "1.2.3"};
	double value = 42;
	(void)state;
	for (size_t i = 0; i < GG_COUNT(texts); i++)
		assert_int_equal(gg_parse_float(gg_str(texts[i]), &value), -EINVAL);
	assert_true(value == 42);
}

static void floats_are_written_short_and_read_back_equal(void **state)
{
	static const struct {
		double value;
		const char *text;
	} rows[] = {{0, "0"}, {21.5, "21.5"}, {-0.001, "-0.001"}, {1e6, "1000000"}, {0.1, "0.1"},
		{100, "100"}, {-12345.678, "-12345.678"}};
	char text[32];
	(void)state;
	for (size_t i = 0; i < GG_COUNT(rows); i++) {
		gg_format_float(text, rows[i].value);
		assert_string_equal(text, rows[i].text);
	}
	uint64_t bits = 88172645463325252ULL;
	for (int i = 0; i < 20000; i++) {
		bits ^= bits << 13;
		bits ^= bits >> 7;
		bits ^= bits << 17;
		double value, back;
		memcpy(&value, &bits, sizeof value);
		if (!isfinite(value))
			continue;
		size_t n = gg_format_float(text, value);
		assert_int_equal(n, strlen(text));
		assert_int_equal(gg_parse_float(gg_str(text), &back), 0);
		assert_true(value == back);
	}
}

static void integers_at_their_limits(void **state)
{
	int64_t i = 0;
	uint64_t u = 0;
	(void)state;
	assert_int_equal(gg_parse_int(GG_STR("-9223372036854775808"), &i), 0);
	assert_true(i == INT64_MIN);
	assert_int_equal(gg_parse_int(GG_STR("9223372036854775808"), &i), -ERANGE);
	assert_int_equal(gg_parse_uint(GG_STR("18446744073709551615"), &u), 0);
	assert_true(u == UINT64_MAX);
	assert_int_equal(gg_parse_uint(GG_STR("18446744073709551616"), &u), -ERANGE);
	assert_int_equal(gg_parse_uint(GG_STR("-1"), &u), -EINVAL);
}

static void durations_and_sizes_with_units(void **state)
{
	int64_t ns = 0;
	uint64_t bytes = 0;
	char text[40];
	(void)state;
	assert_int_equal(gg_parse_duration(GG_STR("1h30min"), &ns), 0);
	assert_true(ns == 5400 * GG_NS_PER_S);
	assert_int_equal(gg_parse_duration(GG_STR("250ms"), &ns), 0);
	assert_true(ns == 250 * GG_NS_PER_MS);
	assert_int_equal(gg_parse_duration(GG_STR("1.5"), &ns), 0);
	assert_true(ns == 1500 * GG_NS_PER_MS);
	assert_int_equal(gg_parse_duration(GG_STR("5 parsecs"), &ns), -EINVAL);
	assert_int_equal(gg_parse_duration(GG_STR(""), &ns), -EINVAL);
	assert_int_equal(gg_parse_size(GG_STR("64KiB"), &bytes), 0);
	assert_int_equal(bytes, 65536);
	assert_int_equal(gg_parse_size(GG_STR("10 MB"), &bytes), 0);
	assert_int_equal(bytes, 10000000);
	assert_int_equal(gg_parse_size(GG_STR("10 apples"), &bytes), -EINVAL);
	gg_format_duration(text, sizeof text, 90 * GG_NS_PER_S);
	assert_string_equal(text, "1min 30s");
	gg_format_duration(text, sizeof text, 0);
	assert_string_equal(text, "0s");
}

/* Everything that a Modbus register, an OPC UA Float and the like can hold, as printf and strtof see it. */
static void a_float_of_32_bits_reads_as_people_write_it(void **state)
{
	static const struct {
		float f;
		const char *text;
	} rows[] = {{0.1F, "0.1"}, {-21.7F, "-21.7"}, {3.14159274F, "3.1415927"}, {1e-7F, "1e-07"},
		{16777217.0F, "16777216"}, {123456789.0F, "123456792"}, {0.01F, "0.01"}, {99.99F, "99.99"},
		{1.17549435e-38F, "1.1754944e-38"}, {3.40282347e38F, "3.4028234663852886e+38"}, {0, "0"}};
	uint32_t random = 1;
	char text[40], best[40];
	(void)state;
	for (size_t i = 0; i < GG_COUNT(rows); i++) {
		gg_format_float(text, gg_float32_value(rows[i].f));
		assert_string_equal(text, rows[i].text);
	}
	for (int i = 0; i < 300000; i++) {
		random = random * 1664525 + 1013904223;
		uint32_t bits = random;
		float f;
		memcpy(&f, &bits, sizeof f);
		if (!(f - f == 0) || (fabsf(f) > 1 && f == truncf(f))) /* not finite, or whole */
			continue;
		double value = gg_float32_value(f);
		int digits = 1;
		do
			snprintf(best, sizeof best, "%.*g", digits, (double)f);
		while (strtof(best, NULL) != f && digits++ < 9);
		if ((float)value != f || value < strtod(best, NULL) || value > strtod(best, NULL))
			fail_msg("%.9g became %.17g, not %s", (double)f, value, best);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(globs_match_any_run_slashes_too),
		TEST(globs_of_many_stars_end_soon), TEST(distance_counts_swaps_once),
		TEST(utf8_of_every_wrong_kind_is_refused), TEST(numbers_read_as_libc_reads_them),
		TEST(hexadecimal_reads_and_writes), TEST(what_is_no_number_is_refused),
		TEST(floats_are_written_short_and_read_back_equal),
		TEST(a_float_of_32_bits_reads_as_people_write_it), TEST(integers_at_their_limits),
		TEST(durations_and_sizes_with_units)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
