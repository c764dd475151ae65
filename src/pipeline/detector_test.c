/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Tests of the streaming detector. The signals are made from whole numbers only, so that they are the same on
 * every machine; with them the golden test can ask for the same output bits from every build.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pipeline/detector.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SECOND 1000000000LL
#define GOLDEN 0xd538b3c13ba9f05aULL

/* Sums of four equal draws: nearly normal, standard deviation 1/sqrt 3, exact in double. */
static double noise(uint64_t *seed)
{
	double sum = 0.0;

	for (int i = 0; i < 4; i++) {
		*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
		sum += (double)(*seed >> 40) / 16777216.0 - 0.5;
	}
	return sum;
}

/* A triangle of the given period and height 1. */
static double triangle(int t, int period)
{
	int at = t % period;

	return 2.0 * (at < period / 2 ? at : period - at) / period;
}

struct tally {
	int alarms, last, outside;
	struct gg_detector_out at_last;
};

static void feed(struct gg_detector *d, struct tally *tally, int t, double value)
{
	struct gg_detector_out out;

	gg_detector_step(d, value, &out);
	assert_true(out.score == 0.0f || (out.score >= 0.5f && out.score <= 1.0f));
	assert_true(out.alarm == 0.0f || out.alarm > GG_DETECTOR_THRESHOLD);
	assert_true(!out.band_known || out.low <= out.high);
	tally->outside += out.outside;
	if (out.score > 0.0f) {
		tally->alarms++;
		tally->last = t;
		tally->at_last = out;
	}
}

static void finds_a_spike_in_a_noisy_line(void **state)
{
	(void)state;
	struct gg_detector d;
	struct tally before = {0}, after = {0};
	uint64_t seed = 1;

	gg_detector_init(&d);
	for (int t = 0; t < 3000; t++)
		feed(&d, &before, t, 20.0 + noise(&seed));
	feed(&d, &after, 3000, 31.0);
	assert_true(before.alarms <= 6);
	assert_int_equal(after.alarms, 1);
	assert_int_equal(after.at_last.change.kind, GG_CHANGE_SPIKE);
	assert_true(fabs(after.at_last.change.from - 20.0) < 1.0);
	assert_true(fabs(after.at_last.change.to - 31.0) < 1e-4);
}

static void calls_a_step_that_stays_a_change_of_level(void **state)
{
	(void)state;
	struct gg_detector d;
	struct gg_detector_out out;
	struct tally before = {0};
	uint64_t seed = 2;
	char text[96];
	int revised = 0;

	gg_detector_init(&d);
	for (int t = 0; t < 2000; t++)
		feed(&d, &before, t, 20.0 + noise(&seed));
	for (int t = 0; t < 20; t++) {
		gg_detector_step(&d, 35.0 + noise(&seed), &out);
		if (!out.revised)
			continue;
		revised++;
		assert_int_equal(out.change.kind, GG_CHANGE_LEVEL);
		assert_true(fabs(out.change.from - 20.0) < 1.5 && fabs(out.change.to - 35.0) < 1.5);
		assert_true(gg_change_text(&out.change, text, sizeof text) > 0);
		assert_ptr_equal(strstr(text, "level rose from "), text);
	}
	assert_int_equal(revised, 1);
}

static void does_not_revise_a_spike_that_returns(void **state)
{
	(void)state;
	struct gg_detector d;
	struct gg_detector_out out;
	uint64_t seed = 3;

	gg_detector_init(&d);
	for (int t = 0; t < 2000; t++) {
		gg_detector_step(&d, (t == 1500 ? 40.0 : 20.0) + noise(&seed), &out);
		if (t >= 1500)
			assert_false(out.revised);
	}
}

static void sees_a_drift_as_a_trend(void **state)
{
	(void)state;
	struct gg_detector d;
	struct gg_detector_out out;
	uint64_t seed = 4;
	int trends = 0;

	gg_detector_init(&d);
	for (int t = 0; t < 4000; t++) {
		double drift = t > 3000 ? 0.02 * (t - 3000) : 0.0;

		gg_detector_step(&d, 50.0 + drift + noise(&seed), &out);
		if (out.change.kind == GG_CHANGE_TREND && out.change.to > out.change.from)
			trends += t > 3000;
	}
	assert_true(trends > 0);
}

static void sees_growing_noise_as_a_change_of_spread(void **state)
{
	(void)state;
	struct gg_detector d;
	struct gg_detector_out out;
	uint64_t seed = 5;
	int told = 0;

	gg_detector_init(&d);
	for (int t = 0; t < 4200; t++) {
		double swing = t > 4000 ? (t & 1 ? 1.4 : -1.4) : 0.0;

		gg_detector_step(&d, 50.0 + swing + 0.5 * noise(&seed), &out);
		told += t > 4000 && out.change.kind == GG_CHANGE_SPREAD && out.change.to > out.change.from;
	}
	assert_true(told > 0);
}

static void gets_used_to_a_period(void **state)
{
	(void)state;
	struct gg_detector d;
	struct tally first = {0}, later = {0};
	uint64_t seed = 6;

	gg_detector_init(&d);
	for (int t = 0; t < 12000; t++)
		feed(&d, t < 3000 ? &first : &later, t, 100.0 * triangle(t, 288) + noise(&seed));
	assert_true(later.alarms <= 9);
}

static void passes_over_nan_and_infinities(void **state)
{
	(void)state;
	struct gg_detector d, before;
	struct gg_detector_out out;
	const double unusable[] = {NAN, INFINITY, -INFINITY};
	uint64_t seed = 7;

	gg_detector_init(&d);
	gg_detector_step(&d, NAN, &out);
	assert_false(d.started);
	for (int t = 0; t < 500; t++)
		gg_detector_step(&d, noise(&seed), &out);
	before = d;
	for (int i = 0; i < 3; i++) {
		gg_detector_step(&d, unusable[i], &out);
		assert_true(out.score == 0.0f && out.novelty == 0.0f && !out.band_known);
	}
	assert_true(d.t == before.t + 3);
	d.t = before.t;
	assert_memory_equal(&d, &before, sizeof d);
}

static void survives_the_largest_values(void **state)
{
	(void)state;
	struct gg_detector d;
	struct gg_detector_out out;
	const double extremes[] = {1.7e308, -1.7e308, 0.0, 5e-324, -1e18, 1e18, 1e-40};

	gg_detector_init(&d);
	for (int t = 0; t < 5000; t++) {
		gg_detector_step(&d, extremes[(t * t) % 7], &out);
		assert_true(isfinite(out.novelty) && isfinite(out.alarm));
	}
}

static void tells_the_first_change_of_a_constant(void **state)
{
	(void)state;
	struct gg_detector d;
	struct tally still = {0}, moved = {0};

	gg_detector_init(&d);
	for (int t = 0; t < 1000; t++)
		feed(&d, &still, t, 21.5);
	assert_int_equal(still.alarms, 0);
	feed(&d, &moved, 1000, 21.6);
	assert_int_equal(moved.alarms, 1);
	assert_int_equal(moved.at_last.change.kind, GG_CHANGE_SPIKE);
	assert_true(moved.at_last.score > 0.9f);
}

static void tells_a_flat_line_once(void **state)
{
	(void)state;
	struct gg_detector d;
	struct gg_detector_out out;
	uint64_t seed = 8;
	int flat = 0;
	char text[96];

	gg_detector_init(&d);
	for (int t = 0; t < 1400; t++) {
		gg_detector_step(&d, t < 1000 ? 20.0 + noise(&seed) : 20.125, &out);
		if (out.change.kind != GG_CHANGE_FLAT)
			continue;
		flat++;
		assert_int_equal(t, 1032);
		gg_change_text(&out.change, text, sizeof text);
		assert_string_equal(text, "stuck for 33 samples at 20.12");
	}
	assert_int_equal(flat, 1);
}

static void lets_a_signal_rest_that_often_rests(void **state)
{
	(void)state;
	struct gg_detector d;
	struct gg_detector_out out;
	uint64_t seed = 9;

	gg_detector_init(&d);
	for (int t = 0; t < 8000; t++) {
		gg_detector_step(&d, t % 200 < 100 ? 5.0 : 20.0 + noise(&seed), &out);
		if (t > 2000)
			assert_int_not_equal(out.change.kind, GG_CHANGE_FLAT);
	}
}

static void band_holds_99_of_100_samples(void **state)
{
	(void)state;

	for (int kind = 0; kind < 4; kind++) {
		struct gg_detector d;
		struct tally tally = {0};
		uint64_t seed = 10 + (uint64_t)kind;
		double walk = 0.0;
		const int n = 20000;

		gg_detector_init(&d);
		for (int t = 0; t < n; t++) {
			double e = noise(&seed);

			walk += e;
			feed(&d, &tally, t,
				kind == 0   ? 10.0 + e                    /* level */
				: kind == 1 ? walk                        /* random walk */
				: kind == 2 ? 50.0 * triangle(t, 500) + e /* period */
					    : e * e * e * e);             /* skewed, heavy tail */
		}
		assert_true(tally.outside > n / 200 && tally.outside < n * 3 / 200);
	}
}

static void band_is_known_before_the_sample(void **state)
{
	(void)state;
	struct gg_detector d;
	struct gg_detector_out out;
	double low = 1.0, high = -1.0;
	uint64_t seed = 15;

	gg_detector_init(&d);
	for (int t = 0; t < 300; t++) {
		bool known = gg_detector_expect(&d, &low, &high);

		gg_detector_step(&d, noise(&seed), &out);
		assert_int_equal(known, out.band_known);
		assert_int_equal(known, t >= 16);
		if (known)
			assert_true(out.low == low && out.high == high);
	}
}

static void reports_missing_data_once_and_its_return(void **state)
{
	(void)state;
	struct gg_detector d;
	struct gg_change change = {0};
	int64_t now = 1700000000 * SECOND;
	char text[96];

	gg_detector_init(&d);
	assert_true(gg_detector_due_ns(&d) == INT64_MAX);
	for (int i = 0; i < 100; i++, now += SECOND) {
		assert_false(gg_detector_missing(&d, now, &change));
		assert_false(gg_detector_seen(&d, now, &change));
	}
	now -= SECOND;
	assert_true(gg_detector_due_ns(&d) >= now + 2 * SECOND && gg_detector_due_ns(&d) <= now + 4 * SECOND);
	assert_false(gg_detector_missing(&d, now + 2 * SECOND, &change));
	assert_true(gg_detector_missing(&d, now + 12 * SECOND, &change));
	assert_int_equal(change.kind, GG_CHANGE_MISSING);
	gg_change_text(&change, text, sizeof text);
	assert_string_equal(text, "no data for 12 s, usual interval 1 s");
	assert_false(gg_detector_missing(&d, now + 60 * SECOND, &change));
	assert_true(gg_detector_due_ns(&d) == INT64_MAX);
	assert_true(gg_detector_seen(&d, now + 90 * SECOND, &change));
	assert_int_equal(change.kind, GG_CHANGE_LATE);
	gg_change_text(&change, text, sizeof text);
	assert_string_equal(text, "data is back after 90 s, usual interval 1 s");
	assert_false(gg_detector_seen(&d, now + 91 * SECOND, &change));
	assert_true(gg_detector_due_ns(&d) <= now + 97 * SECOND);
}

static void gives_an_irregular_signal_its_time(void **state)
{
	(void)state;
	struct gg_detector d;
	struct gg_change change;
	int64_t now = 0;
	uint64_t seed = 16;
	int missing = 0;

	gg_detector_init(&d);
	for (int i = 0; i < 5000; i++) {
		double e = noise(&seed);

		now += (int64_t)((0.1 + 20.0 * e * e * e * e) * 1e9);
		missing += i > 500 && gg_detector_missing(&d, now, &change);
		gg_detector_seen(&d, now, &change);
	}
	assert_true(missing <= 5);
}

static void ignores_times_that_do_not_advance(void **state)
{
	(void)state;
	struct gg_detector d, before;
	struct gg_change change;

	gg_detector_init(&d);
	for (int i = 0; i < 20; i++)
		gg_detector_seen(&d, i * SECOND, &change);
	before = d;
	assert_false(gg_detector_seen(&d, 19 * SECOND, &change));
	assert_false(gg_detector_seen(&d, -SECOND, &change));
	assert_true(gg_detector_due_ns(&d) == gg_detector_due_ns(&before));
	assert_false(gg_detector_seen(&d, INT64_MAX, &change));
	assert_true(gg_detector_due_ns(&d) == INT64_MAX);
}

static void follows_a_clock_that_was_set_back(void **state)
{
	(void)state;
	struct gg_detector d;
	struct gg_change change;

	gg_detector_init(&d);
	for (int i = 0; i < 20; i++)
		gg_detector_seen(&d, (100000 + i) * SECOND, &change);
	for (int i = 0; i < 40; i++)
		assert_false(gg_detector_seen(&d, i * SECOND, &change));
	assert_true(gg_detector_due_ns(&d) < 50 * SECOND);
	assert_true(gg_detector_missing(&d, 60 * SECOND, &change));
}

static void continues_bit_for_bit_from_a_saved_state(void **state)
{
	(void)state;
	size_t size = gg_detector_saved_size();
	uint8_t *bytes = test_malloc(size), *again = test_malloc(size);
	struct gg_detector d, copy;
	struct gg_detector_out out, same;
	struct gg_change change;
	uint64_t seed = 17;

	gg_detector_init(&d);
	for (int t = 0; t < 4000; t++) {
		if (t % 37 == 0) {
			assert_int_equal(gg_detector_save(&d, bytes, size), 0);
			memset(&copy, 0xa5, sizeof copy);
			assert_int_equal(gg_detector_load(&copy, bytes, size), 0);
			assert_int_equal(gg_detector_save(&copy, again, size), 0);
			assert_memory_equal(bytes, again, size);
		}
		double value = 40.0 * triangle(t, 300) + noise(&seed) + (t % 1000 == 900 ? 60.0 : 0.0);

		gg_detector_seen(&d, t * SECOND, &change);
		gg_detector_seen(&copy, t * SECOND, &change);
		gg_detector_step(&d, value, &out);
		gg_detector_step(&copy, value, &same);
		assert_true(out.alarm == same.alarm && out.novelty == same.novelty && out.low == same.low &&
			    out.high == same.high && out.change.kind == same.change.kind &&
			    out.revised == same.revised);
		assert_true(gg_detector_due_ns(&d) == gg_detector_due_ns(&copy));
	}
	test_free(bytes);
	test_free(again);
}

static void refuses_a_state_that_is_damaged_or_foreign(void **state)
{
	(void)state;
	size_t size = gg_detector_saved_size();
	uint8_t *bytes = test_malloc(size);
	struct gg_detector d, before;
	struct gg_detector_out out;
	uint64_t seed = 18;

	gg_detector_init(&d);
	for (int t = 0; t < 200; t++)
		gg_detector_step(&d, noise(&seed), &out);
	before = d;
	assert_int_equal(gg_detector_save(&d, bytes, size - 1), -ENOSPC);
	assert_int_equal(gg_detector_save(&d, bytes, size), 0);
	assert_int_equal(gg_detector_load(&d, bytes, size - 1), -EINVAL);
	assert_int_equal(gg_detector_load(&d, bytes, 3), -EINVAL);
	for (size_t i = 0; i < size; i += 7) {
		bytes[i] ^= 0x10;
		assert_true(gg_detector_load(&d, bytes, size) < 0);
		bytes[i] ^= 0x10;
	}
	bytes[4]++;
	assert_int_equal(gg_detector_load(&d, bytes, size), -EPROTONOSUPPORT);
	assert_memory_equal(&d, &before, sizeof d);
	test_free(bytes);
}

static void words_every_kind_of_change(void **state)
{
	(void)state;
	char text[96];

	for (int kind = 0; kind < GG_CHANGE_KINDS; kind++) {
		struct gg_change change = {(enum gg_change_kind)kind, 2.0, 1.0};
		int length = gg_change_text(&change, text, sizeof text);

		assert_int_equal(length, strlen(text));
		assert_true(strlen(gg_change_name(change.kind)) > 0);
	}
	struct gg_change level = {GG_CHANGE_LEVEL, 21.4, 35.2};

	gg_change_text(&level, text, sizeof text);
	assert_string_equal(text, "level rose from 21.4 to 35.2");
	assert_true(gg_change_takes_unit(GG_CHANGE_LEVEL) && !gg_change_takes_unit(GG_CHANGE_LATE));
	assert_int_equal(gg_change_text(&level, text, 6), 28);
	assert_string_equal(text, "level");
}

static uint64_t mix(uint64_t hash, const void *bytes, size_t size)
{
	const uint8_t *b = bytes;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ b[i]) * 1099511628211ULL;
	return hash;
}

static void gives_the_same_bits_on_every_build(void **state)
{
	(void)state;
	struct gg_detector d;
	struct gg_detector_out out;
	uint64_t seed = 19, hash = 14695981039346656037ULL;
	double walk = 0.0;

	gg_detector_init(&d);
	for (int t = 0; t < 20000; t++) {
		walk += 0.1 * noise(&seed);
		double value =
			walk + 30.0 * triangle(t, 288) + noise(&seed) / 3.0 + (t % 3001 == 3000 ? 25.0 : 0.0);

		gg_detector_step(&d, value, &out);
		hash = mix(hash, &out.novelty, sizeof out.novelty);
		hash = mix(hash, &out.alarm, sizeof out.alarm);
		hash = mix(hash, &out.low, sizeof out.low);
		hash = mix(hash, &out.high, sizeof out.high);
		hash = mix(hash, &out.change.from, sizeof out.change.from);
		hash = mix(hash, &out.change.to, sizeof out.change.to);
	}
	if (hash != GOLDEN)
		print_error("the detector's golden sum is now 0x%016llx\n", (unsigned long long)hash);
	assert_true(hash == GOLDEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_a_spike_in_a_noisy_line),
		cmocka_unit_test(calls_a_step_that_stays_a_change_of_level),
		cmocka_unit_test(does_not_revise_a_spike_that_returns),
		cmocka_unit_test(sees_a_drift_as_a_trend),
		cmocka_unit_test(sees_growing_noise_as_a_change_of_spread),
		cmocka_unit_test(gets_used_to_a_period),
		cmocka_unit_test(passes_over_nan_and_infinities),
		cmocka_unit_test(survives_the_largest_values),
		cmocka_unit_test(tells_the_first_change_of_a_constant),
		cmocka_unit_test(tells_a_flat_line_once),
		cmocka_unit_test(lets_a_signal_rest_that_often_rests),
		cmocka_unit_test(band_holds_99_of_100_samples),
		cmocka_unit_test(band_is_known_before_the_sample),
		cmocka_unit_test(reports_missing_data_once_and_its_return),
		cmocka_unit_test(gives_an_irregular_signal_its_time),
		cmocka_unit_test(ignores_times_that_do_not_advance),
		cmocka_unit_test(follows_a_clock_that_was_set_back),
		cmocka_unit_test(continues_bit_for_bit_from_a_saved_state),
		cmocka_unit_test(refuses_a_state_that_is_damaged_or_foreign),
		cmocka_unit_test(words_every_kind_of_change),
		cmocka_unit_test(gives_the_same_bits_on_every_build),
	};

	return cmocka_run_group_tests_name("detector", tests, NULL, NULL);
}
