/* SPDX-License-Identifier: Apache-2.0 */
/* Samples that can't change a plain comparison are passed over; this tests that nobody can tell. */
#include "core/signals.h"
#include "pipeline/rule.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define S GG_NS_PER_S

static const struct gg_rule_ops ops = {0};

static void feed(struct gg_ruleset *rs, const char *name, double value, uint8_t quality, int64_t at_s)
{
	struct gg_sample s = {.signal = gg_signal_find(gg_str(name)),
		.time_ns = at_s * S,
		.type = GG_TYPE_FLOAT,
		.quality = quality,
		.v.f = value};
	gg_ruleset_run(rs, &s, 1, NULL, at_s * S);
}

/* Tells nobody: only its states are looked at. */
static struct gg_ruleset *silent(const struct gg_rule *rule)
{
	const struct gg_ruleset_setup setup = {.ops = &ops};
	struct gg_ruleset *rs = NULL;
	assert_int_equal(gg_ruleset_new(rule, 1, &setup, &rs, NULL), 0);
	gg_ruleset_set_live(rs, false);
	for (uint32_t i = 0; i < gg_signal_count(); i++)
		gg_ruleset_add_signal(rs, gg_signal(i));
	return rs;
}

static struct gg_ruleset *restarted(struct gg_ruleset *rs, const struct gg_rule *rule)
{
	struct gg_buf b = GG_BUF(1 << 20);
	gg_ruleset_save(rs, &b);
	gg_ruleset_free(rs);
	rs = silent(rule);
	struct gg_reader from = gg_reader(b.p, b.len);
	assert_int_equal(gg_ruleset_load(rs, &from), 0);
	gg_buf_done(&b);
	return rs;
}

/* The same samples, by chance, with restarts in between; the first rule is plain, the second is not. */
static void expect_alike(const struct gg_rule rules[2])
{
	struct gg_ruleset *rs[2] = {silent(&rules[0]), silent(&rules[1])};
	struct gg_ruleset_stats st[2];
	uint32_t random = 1;
	size_t opened = 0;
	for (int at = 1; at < 3000; at++) {
		random = random * 1664525 + 1013904223;
		bool restart = (random >> 24) == 0x7f;
		const char *name = (random >> 16 & 7) == 0 ? "boiler/pressure" : "boiler/temperature";
		for (int i = 0; i < 2; i++) {
			if (restart)
				rs[i] = restarted(rs[i], &rules[i]);
			if (random >> 28)
				feed(rs[i], name, (random >> 8 & 15) * 0.75, GG_GOOD, at);
			else
				feed(rs[i], name, 0, GG_BAD, at);
			gg_ruleset_stats(rs[i], &st[i]);
		}
		opened += st[0].open;
		assert_int_equal(st[0].opened, st[1].opened);
		assert_int_equal(st[0].cleared, st[1].cleared);
		assert_int_equal(st[0].open, st[1].open);
		assert_true(gg_ruleset_due(rs[0]) == gg_ruleset_due(rs[1]));
	}
	assert_in_range(opened, 50, 2950);
	gg_ruleset_free(rs[0]);
	gg_ruleset_free(rs[1]);
}

/* Samples that can't change a plain comparison are passed over; the same with "and true" is always asked. */
static void a_plain_rule_does_what_a_long_one_does(void **state)
{
	(void)state;
	static const struct gg_site_rule kinds[] = {
		{.when = "boiler/temperature > 5.25"},
		{.when = "boiler/temperature >= 5.25", .hysteresis = "2"},
		{.when = "boiler/temperature < 5.25", .hysteresis = "1"},
		{.when = "boiler/temperature <= 5.25"},
		{.when = "boiler/temperature == 5.25"},
		{.when = "boiler/temperature != 5.25"},
		{.when = "boiler/temperature > 6", .for_ns = 3 * S, .clear_for_ns = 2 * S},
		{.when = "boiler/temperature > 4", .clear_when = "boiler/pressure > 5"},
		{.when = "5 < boiler/temperature", .hysteresis = "1", .clear_for_ns = 4 * S},
	};
	for (size_t i = 0; i < GG_COUNT(kinds); i++) {
		char text[80];
		struct gg_site_rule o[2] = {kinds[i], kinds[i]};
		snprintf(text, sizeof text, "%s and true", kinds[i].when);
		o[1].when = text;
		o[0].name = o[1].name = "one";
		o[0].enabled = o[1].enabled = true;
		expect_alike((struct gg_rule[2]){{.options = &o[0]}, {.options = &o[1]}});
	}
}

static int setup_signals(void **state)
{
	(void)state;
	uint32_t index;
	struct gg_signal_spec spec = {.unit = ""};
	assert_int_equal(gg_signal_make_full(GG_STR("boiler/temperature"), &spec, &index), 0);
	return gg_signal_make_full(GG_STR("boiler/pressure"), &spec, &index);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_plain_rule_does_what_a_long_one_does)};
	return cmocka_run_group_tests(tests, setup_signals, NULL);
}
