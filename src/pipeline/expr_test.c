/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/expr.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct known {
	const char *name;
	uint8_t type;
	const char *unit;
	double number;
	const char *text;
} known[] = {
	{"boiler/temperature", GG_TYPE_FLOAT, "degC", 96, NULL},
	{"boiler/inlet", GG_TYPE_FLOAT, "degF", 194, NULL}, /* 90 degC */
	{"boiler/burner", GG_TYPE_BOOL, "", 1, NULL},
	{"boiler/state", GG_TYPE_STRING, "", 0, "heating"},
	{"boiler/count", GG_TYPE_INT, "", 7, NULL},
	{"boiler/free", GG_TYPE_NONE, "", 5, NULL},
	{"a/u", GG_TYPE_FLOAT, "V", 230, NULL},
	{"a/i", GG_TYPE_FLOAT, "A", 2, NULL},
	{"a/angle", GG_TYPE_FLOAT, "degree", 90, NULL},
	{"a/never", GG_TYPE_FLOAT, "bar", NAN, NULL},
	{"press-1/temperature", GG_TYPE_FLOAT, "degC", 20, NULL},
	{"odd name/x y", GG_TYPE_FLOAT, "", 3, NULL},
};

static int find(const void *ctx, struct gg_str name, struct gg_expr_signal *ret_signal)
{
	(void)ctx;
	for (size_t i = 0; i < GG_COUNT(known); i++) {
		if (!gg_glob(name, gg_str(known[i].name)))
			continue;
		*ret_signal = (struct gg_expr_signal){known[i].type, known[i].unit};
		return 0;
	}
	return -ENOENT;
}

static const char *name_at(const void *ctx, size_t i)
{
	(void)ctx;
	return i < GG_COUNT(known) ? known[i].name : NULL;
}

static const struct gg_expr_names names = {.find = find, .name = name_at};
static struct gg_expr_last lasts[GG_COUNT(known)];
static int64_t now = 1000 * GG_NS_PER_S, due;

static void fill(void)
{
	for (size_t i = 0; i < GG_COUNT(known); i++) {
		gg_expr_last_done(&lasts[i]);
		lasts[i] = (struct gg_expr_last){0};
		if (isnan(known[i].number))
			continue;
		struct gg_sample s = {.time_ns = now, .type = known[i].type ? known[i].type : GG_TYPE_FLOAT};
		if (s.type == GG_TYPE_BOOL)
			s.v.b = known[i].number != 0;
		else if (s.type == GG_TYPE_INT)
			s.v.i = (int64_t)known[i].number;
		else
			s.v.f = known[i].number;
		gg_expr_last_set(&lasts[i], &s, gg_str(known[i].text), now);
	}
}

static struct gg_expr_value eval(const char *text)
{
	struct gg_arena arena = GG_ARENA(1 << 20);
	struct gg_expr *x = NULL;
	struct gg_error e = {0};
	if (gg_expr_compile(gg_str(text), &names, NULL, &arena, &x, &e) < 0)
		fail_msg("%s: column %u: %s", text, e.column, e.text);
	uint32_t slots[32];
	for (unsigned i = 0; i < x->ref_count; i++)
		for (uint32_t k = 0; k < GG_COUNT(known); k++)
			if (gg_glob(x->refs[i].name, gg_str(known[k].name)))
				slots[i] = k;
	struct gg_expr_env env = {
		.lasts = lasts, .slots = slots, .cause = UINT32_MAX, .now_ns = now, .due_ns = INT64_MAX};
	struct gg_expr_value v = gg_expr_eval(x, &env);
	due = env.due_ns;
	if (v.known && v.type == GG_EXPR_STRING)
		v.v.s = v.v.s.p == lasts[3].text ? v.v.s : GG_STR("literal");
	gg_arena_done(&arena);
	return v;
}

static void is_number(const char *text, double wanted)
{
	struct gg_expr_value v = eval(text);
	if (!v.known || v.type != GG_EXPR_NUMBER || fabs(v.v.f - wanted) > 1e-9 * (1 + fabs(wanted)))
		fail_msg("%s is %f (known %d, type %d), not %f", text, v.v.f, v.known, v.type, wanted);
}

static void is_bool(const char *text, bool wanted)
{
	struct gg_expr_value v = eval(text);
	if (!v.known || v.type != GG_EXPR_BOOL || v.v.b != wanted)
		fail_msg("%s is %d (known %d, type %d), not %d", text, v.v.b, v.known, v.type, wanted);
}

static void is_unknown(const char *text)
{
	if (eval(text).known)
		fail_msg("%s is known", text);
}

static void refuses(const char *text, unsigned flags, unsigned column, const char *words)
{
	struct gg_error e = {0};
	int rc = gg_expr_check(gg_str(text), &names, flags, &e);
	if (rc != -EINVAL || e.column != column || !strstr(e.text, words))
		fail_msg("%s: rc %d, column %u (wanted %u): %s (wanted %s)", text, rc, e.column, column,
			e.text, words);
}

static void computes_by_the_usual_precedence(void **state)
{
	(void)state;
	is_number("1 + 2 * 3", 7);
	is_number("(1 + 2) * 3", 9);
	is_number("2 ^ 3 ^ 2", 512);
	is_number("-2 ^ 2", -4);
	is_number("7 % 4 - 1.5e1", -12);
	is_number("a/u * a/i", 460);
	is_number("a/u / 2", 115);
	is_number("2 * pi", 6.283185307179586);
	is_number("${odd name/x y} + `odd name/x y`", 6);
	is_bool("not 1 > 2 and 2 >= 2 or false", true);
	is_bool("1 = 1 and 1 <> 2 && !(1 == 2)", true);
}

static void knows_the_functions(void **state)
{
	(void)state;
	is_number("abs(-3) + min(4, 2, 3) + max(1, 9)", 14);
	is_number("sqrt(16) + ln(exp(2)) + log10(1000)", 9);
	is_number("floor(1.7) + ceil(1.2) + round(2.5)", 6);
	is_number("clamp(15, 0, 10)", 10);
	is_number("pow(2, 10) + atan2(0, 1)", 1024);
	is_number("sin(a/angle)", 1);
	is_number("if(boiler/burner, 1, 2)", 1);
	is_number("if(boiler/state == 'heating', boiler/count, 0)", 7);
	is_bool("boiler/count in [1, 3, 7]", true);
	is_bool("boiler/state not in ['off', \"idle\"]", true);
	is_bool("boiler/temperature between 90 and 100 degC", true);
	is_bool("boiler/temperature not between 363.15 K and 370 K", false);
	is_bool("quality(boiler/count) == 'good' and good(boiler/count)", true);
}

static void converts_units(void **state)
{
	(void)state;
	is_bool("boiler/temperature > 95 degC", true);
	is_bool("boiler/temperature > 370 K", false);
	is_bool("boiler/temperature > 200 degF", true);
	is_number("boiler/temperature - boiler/inlet", 6);
	is_bool("boiler/temperature - boiler/inlet > 5 K", true);
	is_bool("boiler/temperature - boiler/inlet > 11 degF", false); /* 6 K are 10.8 degF */
	is_number("boiler/temperature - 6 K", 90);
	is_number("boiler/temperature + 4 K", 100);
	is_bool("a/u * a/i > 0.4 kW", true);
	is_bool("a/u * a/i > 0.5 kW", false);
	is_bool("-300 degC < boiler/temperature", true);
	is_number("number(boiler/temperature) + number(a/u)", 326);
	is_bool("age(boiler/count) < 2min", true);
	is_bool("1h30min == 90 min", true);
	is_bool("60% == 0.6", false); /* a bare number is in the unit it meets */
}

static void unknown_goes_through_unless_it_does_not_matter(void **state)
{
	(void)state;
	is_unknown("a/never > 1 bar");
	is_unknown("not (a/never > 1)");
	is_unknown("a/never + 1");
	is_bool("a/never > 1 and 1 > 2", false);
	is_bool("a/never > 1 or 2 > 1", true);
	is_unknown("a/never > 1 and 2 > 1");
	is_unknown("a/never > 1 or 1 > 2");
	is_number("default(a/never, 4)", 4);
	is_bool("known(a/never)", false);
	is_bool("good(a/never)", false);
	is_unknown("quality(a/never) == 'good'");
	is_unknown("age(a/never)");
	is_unknown("if(a/never > 1, 1, 2)");
	is_unknown("1 / 0");
	is_unknown("sqrt(-1)");
	is_unknown("delta(boiler/count)");
	is_bool("2 in [a/never, 2]", true);
	is_unknown("2 in [a/never, 3]");
	is_unknown("boiler/free == 'a text'");
}

static void a_bad_sample_makes_the_value_unknown(void **state)
{
	(void)state;
	struct gg_sample s = {.type = GG_TYPE_FLOAT, .quality = GG_BAD, .aux = GG_REASON_TIMEOUT};
	gg_expr_last_set(&lasts[0], &s, GG_STR(""), now);
	is_unknown("boiler/temperature > 95");
	is_bool("quality(boiler/temperature) == 'bad'", true);
	fill();
}

static void follows_changes_and_differences(void **state)
{
	(void)state;
	struct gg_sample s = {.type = GG_TYPE_INT, .v.i = 9};
	is_bool("changed(boiler/count)", false);
	gg_expr_last_set(&lasts[4], &s, GG_STR(""), now);
	is_number("delta(boiler/count)", 2);
	is_bool("changed(boiler/count)", false); /* nothing came: time asks */
	assert_true(lasts[4].flags & GG_LAST_CHANGED);
	gg_expr_last_set(&lasts[4], &s, GG_STR(""), now);
	is_number("delta(boiler/count)", 0);
	assert_false(lasts[4].flags & GG_LAST_CHANGED);
	fill();
}

static void says_when_time_alone_turns_it(void **state)
{
	(void)state;
	now += 4 * GG_NS_PER_S;
	is_bool("age(boiler/count) > 10s", false);
	assert_in_range(due - now, 6 * GG_NS_PER_S, 6 * GG_NS_PER_S + 2);
	is_bool("age(boiler/count) + 2 > 10s", false);
	assert_in_range(due - now, 4 * GG_NS_PER_S, 4 * GG_NS_PER_S + 2);
	is_bool("age(boiler/count) > 3s", true);
	assert_true(due == INT64_MAX);
	is_bool("age(boiler/count) * 2 > 10s", false);
	assert_int_equal(due - now, GG_NS_PER_S);
	now -= 4 * GG_NS_PER_S;
}

static void explains_mistakes_with_their_column(void **state)
{
	(void)state;
	refuses("boiler/temprature > 95", 0, 1, "did you mean 'boiler/temperature'?");
	refuses("1 + boiler/state", 0, 5, "a text where a number");
	refuses("boiler/temperature > 10 s", 0, 22, "'degC'");
	refuses("boiler/temperature > 5 blub", 0, 22, "'blub' is no known unit");
	refuses("boiler/temperature > ", 0, 22, "the text ends");
	refuses("abz(1)", 0, 1, "did you mean 'abs'?");
	refuses("min()", 0, 1, "wants 1 value");
	refuses("age(3)", 0, 5, "name of a signal");
	refuses("1 < 2 < 3", 0, 7, "chained");
	refuses("boiler/count", GG_EXPR_CONDITION, 1, "x > 5");
	refuses("boiler/burner > 3", 0, 17, "can't be compared");
	refuses("boiler/burner for 10", GG_EXPR_CONDITION, 19, "wants a time");
	refuses("boiler/burner for 10s", 0, 15, "condition of a rule");
	refuses("'abc", 0, 1, "not closed");
	refuses("1 ? 2", 0, 3, "no meaning");
	refuses("a/u*a/i > 3", 0, 1, "blanks");
	refuses("press-*/temperature > */* ", 0, 23, "as many");
	refuses("boiler/state == heating", 0, 17, "texts in quotes");
	char deep[200];
	memset(deep, '(', sizeof deep);
	deep[sizeof deep - 1] = '\0';
	refuses(deep, 0, 33, "nested deeper");
}

static void bounds_the_size(void **state)
{
	(void)state;
	char text[GG_EXPR_TEXT + 2];
	struct gg_error e = {0};
	memset(text, ' ', sizeof text);
	assert_int_equal(gg_expr_check(gg_str_n(text, sizeof text), &names, 0, &e), -EINVAL);
	size_t n = 0;
	for (n = 0; n + 4 < GG_EXPR_TEXT; n += 4)
		memcpy(text + n, n ? "+ 1 " : "  1 ", 4);
	assert_int_equal(gg_expr_check(gg_str_n(text, n), &names, 0, &e), -EINVAL);
	assert_non_null(strstr(e.text, "256 parts"));
}

static void reads_for_and_wildcards(void **state)
{
	(void)state;
	struct gg_arena arena = GG_ARENA(1 << 16);
	struct gg_expr *x = NULL;
	struct gg_expr_options o = {.flags = GG_EXPR_CONDITION};
	const char *text = "*/temperature > 80 and press-*/temperature > 1 for 1min30s";
	assert_int_equal(gg_expr_compile(gg_str(text), &names, &o, &arena, &x, NULL), 0);
	assert_int_equal(x->for_ns, 90 * GG_NS_PER_S);
	assert_int_equal(x->stars, 1);
	assert_int_equal(x->ref_count, 2);
	gg_arena_done(&arena);
	char to[GG_BINDING];
	assert_int_equal(gg_expr_bind(GG_STR("press-*/t*"), GG_STR("press-12/temp"), to, sizeof to), 6);
	assert_string_equal(to, "12\x1f"
				"emp");
	assert_true(gg_str_is(gg_binding_part(gg_str(to), 1), "emp"));
	assert_int_equal(gg_expr_bind(GG_STR("a-*"), GG_STR("b-1"), to, sizeof to), -ENOENT);
	assert_int_equal(gg_expr_bind(GG_STR("a-*/x"), GG_STR("a-/x"), to, sizeof to), -ENOENT);
}

static bool with_hysteresis(const char *text, double loosen, const char *unit, double value)
{
	struct gg_arena arena = GG_ARENA(1 << 16);
	struct gg_expr *x = NULL;
	struct gg_error e = {0};
	struct gg_expr_options o = {.flags = GG_EXPR_CONDITION, .loosen = loosen, .loosen_unit = unit};
	if (gg_expr_compile(gg_str(text), &names, &o, &arena, &x, &e) < 0)
		fail_msg("%s: %s", text, e.text);
	struct gg_expr_last l = {0};
	struct gg_sample s = {.type = GG_TYPE_FLOAT, .v.f = value};
	gg_expr_last_set(&l, &s, GG_STR(""), now);
	uint32_t slots[4] = {0};
	struct gg_expr_env env = {.lasts = &l, .slots = slots, .now_ns = now, .due_ns = INT64_MAX};
	bool is = gg_expr_truth(x, &env) == GG_TRUE;
	gg_arena_done(&arena);
	return is;
}

static void hysteresis_moves_thresholds_towards_true(void **state)
{
	(void)state;
	assert_true(with_hysteresis("boiler/temperature > 95", 3, NULL, 93));
	assert_false(with_hysteresis("boiler/temperature > 95", 3, NULL, 92));
	assert_true(with_hysteresis("boiler/temperature < 5", 3, NULL, 7));
	assert_true(with_hysteresis("not boiler/temperature < 95", 3, NULL, 93));
	assert_true(with_hysteresis("boiler/temperature > 95 degC", 9, "degF", 91)); /* 5 K */
	assert_false(with_hysteresis("boiler/temperature > 95 degC", 9, "degF", 89));
	assert_true(with_hysteresis("boiler/temperature between 10 and 20", 1, NULL, 20.5));
}

static int setup(void **state)
{
	(void)state;
	fill();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < GG_COUNT(lasts); i++)
		gg_expr_last_done(&lasts[i]);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(computes_by_the_usual_precedence),
		cmocka_unit_test(knows_the_functions),
		cmocka_unit_test(converts_units),
		cmocka_unit_test(unknown_goes_through_unless_it_does_not_matter),
		cmocka_unit_test(a_bad_sample_makes_the_value_unknown),
		cmocka_unit_test(follows_changes_and_differences),
		cmocka_unit_test(says_when_time_alone_turns_it),
		cmocka_unit_test(explains_mistakes_with_their_column),
		cmocka_unit_test(bounds_the_size),
		cmocka_unit_test(reads_for_and_wildcards),
		cmocka_unit_test(hysteresis_moves_thresholds_towards_true),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
