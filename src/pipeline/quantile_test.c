/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pipeline/quantile.h"

#include <math.h>

static double next(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (double)(*seed >> 11) / 9007199254740992.0;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

static void is_exact_up_to_256_values(void **state)
{
	(void)state;
	struct gg_quantile q;
	gg_quantile_clear(&q);
	assert_true(isnan(gg_quantile_get(&q, 0.5)));
	for (int i = 200; i >= 0; i--)
		gg_quantile_add(&q, i);
	assert_true(gg_quantile_get(&q, 0.5) == 100);
	assert_true(gg_quantile_get(&q, 0.99) == 198);
	assert_true(gg_quantile_get(&q, 0) == 0);
	assert_true(gg_quantile_get(&q, 1) == 200);
}

/* How far, in ranks, is the answer from the truth? */
static double rank_error(const double *sorted, size_t n, double value, double at)
{
	size_t below = 0, same = 0;
	for (size_t i = 0; i < n; i++) {
		below += sorted[i] < value;
		same += sorted[i] == value;
	}
	double low = (double)below / (double)n, high = (double)(below + same) / (double)n;
	return at < low ? low - at : at > high ? at - high : 0;
}

static void check_accuracy(double (*draw)(uint64_t *seed))
{
	enum { N = 200000 };
	double *all = malloc(N * sizeof *all);
	uint64_t seed = 7;
	struct gg_quantile q, parts[4], merged;
	gg_quantile_clear(&q);
	gg_quantile_clear(&merged);
	for (int i = 0; i < 4; i++)
		gg_quantile_clear(&parts[i]);
	for (int i = 0; i < N; i++) {
		all[i] = draw(&seed);
		gg_quantile_add(&q, all[i]);
		gg_quantile_add(&parts[i * 4LL / N], all[i]);
	}
	for (int i = 0; i < 4; i++)
		gg_quantile_merge(&merged, &parts[i]);
	qsort(all, N, sizeof *all, by_value);
	static const double at[] = {0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999};
	for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
		double allowed = 0.0005 + 0.02 * at[i] * (1 - at[i]);
		assert_true(rank_error(all, N, gg_quantile_get(&q, at[i]), at[i]) < allowed);
		assert_true(rank_error(all, N, gg_quantile_get(&merged, at[i]), at[i]) < allowed);
	}
	assert_true(gg_quantile_get(&q, 0) == all[0]);
	assert_true(gg_quantile_get(&q, 1) == all[N - 1]);
	free(all);
}

static double even(uint64_t *seed)
{
	return 20 + next(seed);
}

static double skewed(uint64_t *seed)
{
	double u = next(seed);
	return 1 / (1 - u * 0.99999);
}

static double steps(uint64_t *seed)
{
	return floor(next(seed) * 5);
}

static void stays_near_the_truth_for_many_values(void **state)
{
	(void)state;
	check_accuracy(even);
	check_accuracy(skewed);
}

static void a_few_different_values_stay_what_they_are(void **state)
{
	(void)state;
	struct gg_quantile q;
	uint64_t seed = 3;
	gg_quantile_clear(&q);
	for (int i = 0; i < 100000; i++)
		gg_quantile_add(&q, steps(&seed));
	assert_true(fabs(gg_quantile_get(&q, 0.5) - 2) < 1e-9);
	assert_true(fabs(gg_quantile_get(&q, 0.99) - 4) < 1e-9);
}

static void survives_values_in_order(void **state)
{
	(void)state;
	struct gg_quantile q;
	gg_quantile_clear(&q);
	for (int i = 0; i < 1000000; i++)
		gg_quantile_add(&q, i);
	assert_true(fabs(gg_quantile_get(&q, 0.5) / 1e6 - 0.5) < 0.01);
	assert_true(fabs(gg_quantile_get(&q, 0.999) / 1e6 - 0.999) < 0.001);
}

static void a_saved_one_goes_on_bit_for_bit(void **state)
{
	(void)state;
	struct gg_quantile q, r;
	struct gg_buf b = GG_BUF(1 << 20);
	uint64_t seed = 5;
	gg_quantile_clear(&q);
	for (int i = 0; i < 10000; i++)
		gg_quantile_add(&q, even(&seed));
	gg_quantile_save(&q, &b);
	struct gg_reader from = gg_reader(b.p, b.len);
	assert_int_equal(gg_quantile_load(&r, &from), 0);
	for (int i = 0; i < 1000; i++) {
		double v = even(&seed);
		gg_quantile_add(&q, v);
		gg_quantile_add(&r, v);
	}
	assert_true(gg_quantile_get(&q, 0.99) == gg_quantile_get(&r, 0.99));
	from = gg_reader(b.p, b.len - 1);
	assert_int_equal(gg_quantile_load(&r, &from), -EINVAL);
	gg_buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_exact_up_to_256_values),
		cmocka_unit_test(stays_near_the_truth_for_many_values),
		cmocka_unit_test(a_few_different_values_stay_what_they_are),
		cmocka_unit_test(survives_values_in_order),
		cmocka_unit_test(a_saved_one_goes_on_bit_for_bit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
