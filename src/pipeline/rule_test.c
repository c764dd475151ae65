/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/rule.h"

#include "base/buf.h"
#include "core/signals.h"
#include "pipeline/rule_call.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <malloc.h>

#define S GG_NS_PER_S

/* What the ruleset did to the world. */
static struct {
	unsigned opened, cleared, ran, failed, mended, traced;
	char key[64], title[128], message[128], failures[512], trace[4096], step[512];
	struct gg_trigger trigger;
	struct gg_call *held;
	int answer; /* of the action */
	bool hold;
	const struct gg_rule_action *only; /* the one that answers so; NULL = all */
} world;

static uint64_t on_event(void *ctx, const struct gg_event_report *r)
{
	(void)ctx;
	if (strcmp(r->kind, "rule") != 0) {
		size_t len = strlen(world.failures);
		world.failed += !r->clear;
		world.mended += r->clear;
		snprintf(world.failures + len, sizeof world.failures - len, "%s%.*s ", r->clear ? "-" : "+",
			GG_STR_ARG(r->key));
		return 0;
	}
	world.opened += !r->clear;
	world.cleared += r->clear;
	gg_str_copy(world.key, sizeof world.key, r->key);
	gg_str_copy(world.title, sizeof world.title, r->title);
	gg_str_copy(world.message, sizeof world.message, r->message);
	gg_str_copy(world.trace, sizeof world.trace, r->trace_json);
	return 40 + world.opened;
}

static void on_trace(void *ctx, uint64_t event, struct gg_str step)
{
	(void)ctx;
	assert_int_equal(event, 40 + world.opened);
	world.traced++;
	gg_str_copy(world.step, sizeof world.step, step);
}

static int on_run(void *ctx, const struct gg_rule_action *a, const struct gg_trigger *t, struct gg_call *call,
	struct gg_error *e)
{
	(void)ctx;
	world.ran++;
	world.trigger = *t;
	if (world.answer && (!world.only || a == world.only))
		return gg_error_set(e, world.answer, "no such device");
	if (world.hold)
		world.held = call;
	else
		gg_call_done(call, 0, NULL);
	return 0;
}

static const struct gg_rule_ops ops = {.event = on_event, .trace = on_trace, .run = on_run};
static const struct gg_rule_action an_action = {0};

static struct gg_ruleset *make(const struct gg_site_rule *rules, size_t count)
{
	static struct gg_rule list[16];
	const struct gg_ruleset_setup setup = {.ops = &ops, .revision = 7};
	struct gg_ruleset *rs = NULL;
	struct gg_error e = {0};
	memset(&world, 0, sizeof world);
	for (size_t i = 0; i < count; i++)
		list[i] = (struct gg_rule){.options = &rules[i],
			.actions = &an_action,
			.action_count = 1,
			.on_clear = &an_action,
			.on_clear_count = 1};
	if (gg_ruleset_new(list, count, &setup, &rs, &e) < 0)
		fail_msg("%s", e.text);
	for (uint32_t i = 0; i < gg_signal_count(); i++)
		gg_ruleset_add_signal(rs, gg_signal(i));
	return rs;
}

static uint32_t signal_named(const char *name, const char *unit)
{
	uint32_t index = GG_NONE;
	struct gg_signal_spec spec = {.unit = unit};
	assert_int_equal(gg_signal_make_full(gg_str(name), &spec, &index), 0);
	return index;
}

static void feed(struct gg_ruleset *rs, const char *name, double value, double at_s)
{
	int64_t now = (int64_t)(at_s * 1e9);
	struct gg_sample s = {
		.signal = gg_signal_find(gg_str(name)), .time_ns = now, .type = GG_TYPE_FLOAT, .v.f = value};
	gg_ruleset_run(rs, &s, 1, NULL, now);
}

static void feed_bad(struct gg_ruleset *rs, const char *name, double at_s)
{
	struct gg_sample s = {.signal = gg_signal_find(gg_str(name)), .quality = GG_BAD};
	gg_ruleset_run(rs, &s, 1, NULL, (int64_t)(at_s * 1e9));
}

static void opens_and_clears_once(void **state)
{
	(void)state;
	const struct gg_site_rule r = {
		.name = "hot", .enabled = true, .when = "boiler/temperature > 95", .severity = 2};
	struct gg_ruleset *rs = make(&r, 1);
	feed(rs, "boiler/temperature", 90, 1);
	feed(rs, "boiler/temperature", 96.5, 2);
	feed(rs, "boiler/temperature", 97, 3);
	assert_int_equal(world.opened, 1);
	assert_int_equal(world.ran, 1);
	assert_string_equal(world.key, "hot");
	assert_string_equal(world.title, "hot: boiler/temperature is 96.5 degC");
	assert_non_null(strstr(world.trace, "\"revision\":7"));
	assert_non_null(strstr(world.trace, "\"when\":\"boiler/temperature > 95\""));
	assert_non_null(strstr(world.trace, "\"value\":96.5"));
	assert_non_null(strstr(world.trace, "\"quality\":\"good\""));
	feed(rs, "boiler/temperature", 95, 4);
	assert_int_equal(world.cleared, 1);
	assert_true(world.trigger.clearing);
	gg_ruleset_free(rs);
}

static void waits_for_as_long_as_it_says(void **state)
{
	(void)state;
	const struct gg_site_rule r = {
		.name = "hot", .enabled = true, .when = "boiler/temperature > 95 for 10s"};
	struct gg_ruleset *rs = make(&r, 1);
	feed(rs, "boiler/temperature", 96, 1);
	assert_int_equal(gg_ruleset_due(rs), 11 * S);
	feed(rs, "boiler/temperature", 90, 5); /* back: starts anew */
	assert_true(gg_ruleset_due(rs) == INT64_MAX);
	feed(rs, "boiler/temperature", 96, 6);
	gg_ruleset_tick(rs, 15 * S);
	assert_int_equal(world.opened, 0);
	gg_ruleset_tick(rs, 16 * S);
	assert_int_equal(world.opened, 1);
	assert_non_null(strstr(world.trace, "\"first_true\":\"1970-01-01T00:00:06Z\""));
	gg_ruleset_free(rs);
	/* nobody ticked in between: what was due by then comes before the sample */
	rs = make(&r, 1);
	feed(rs, "boiler/temperature", 96, 1);
	feed(rs, "boiler/temperature", 90, 30);
	assert_int_equal(world.opened, 1);
	assert_int_equal(world.cleared, 1);
	gg_ruleset_free(rs);
}

static void hysteresis_and_clear_for_hold_it_open(void **state)
{
	(void)state;
	const struct gg_site_rule r = {.name = "hot",
		.enabled = true,
		.when = "boiler/temperature > 95",
		.hysteresis = "2 K",
		.clear_for_ns = 5 * S};
	struct gg_ruleset *rs = make(&r, 1);
	feed(rs, "boiler/temperature", 96, 1);
	feed(rs, "boiler/temperature", 94, 2);
	assert_true(gg_ruleset_due(rs) == INT64_MAX);
	feed(rs, "boiler/temperature", 92, 3);
	feed(rs, "boiler/temperature", 94, 5);
	feed(rs, "boiler/temperature", 92, 6);
	gg_ruleset_tick(rs, 10 * S);
	assert_int_equal(world.cleared, 0);
	gg_ruleset_tick(rs, 11 * S);
	assert_int_equal(world.cleared, 1);
	gg_ruleset_free(rs);
}

static void a_condition_of_its_own_clears_it(void **state)
{
	(void)state;
	const struct gg_site_rule r = {.name = "hot",
		.enabled = true,
		.when = "boiler/temperature > 95",
		.clear_when = "boiler/pressure < 1"};
	struct gg_ruleset *rs = make(&r, 1);
	feed(rs, "boiler/temperature", 96, 1);
	feed(rs, "boiler/temperature", 20, 2);
	assert_int_equal(world.cleared, 0);
	feed(rs, "boiler/pressure", 0.5, 3);
	assert_int_equal(world.cleared, 1);
	gg_ruleset_free(rs);
}

static void unknown_neither_opens_nor_clears(void **state)
{
	(void)state;
	const struct gg_site_rule r = {.name = "hot", .enabled = true, .when = "not boiler/temperature < 95"};
	struct gg_ruleset *rs = make(&r, 1);
	feed_bad(rs, "boiler/temperature", 1);
	assert_int_equal(world.opened, 0);
	feed(rs, "boiler/temperature", 96, 2);
	feed_bad(rs, "boiler/temperature", 3);
	assert_int_equal(world.opened, 1);
	assert_int_equal(world.cleared, 0);
	feed(rs, "boiler/temperature", 90, 4);
	assert_int_equal(world.cleared, 1);
	gg_ruleset_free(rs);
}

static void wildcards_make_an_instance_for_each_binding(void **state)
{
	(void)state;
	const struct gg_site_rule r = {.name = "press",
		.enabled = true,
		.title = "press $1: {device} at {value} {unit}",
		.when = "press-*/temperature > 80 degC and press-*/speed > 0"};
	struct gg_ruleset *rs = make(&r, 1);
	struct gg_ruleset_stats st;
	gg_ruleset_stats(rs, &st);
	assert_int_equal(st.instances, 3);
	feed(rs, "press-1/speed", 1, 1);
	feed(rs, "press-2/temperature", 85, 1);
	feed(rs, "press-1/temperature", 75, 1);
	assert_int_equal(world.opened, 0);
	feed(rs, "press-2/speed", 1, 2);
	assert_int_equal(world.opened, 1);
	assert_string_equal(world.key, "press/2");
	feed(rs, "press-3/speed", 1, 2);
	feed(rs, "press-3/temperature", 185, 3); /* degF: 85 degC */
	assert_int_equal(world.opened, 2);
	assert_string_equal(world.title, "press 3: press-3 at 185 degF");
	feed(rs, "press-3/temperature", 170, 4);
	assert_int_equal(world.cleared, 1);
	gg_ruleset_free(rs);
}

static void signals_in_different_units_are_compared_rightly(void **state)
{
	(void)state;
	const struct gg_site_rule r = {
		.name = "rise", .enabled = true, .when = "press-1/temperature - press-3/temperature > 5 K"};
	struct gg_ruleset *rs = make(&r, 1);
	feed(rs, "press-3/temperature", 140, 1); /* degF: 60 degC */
	feed(rs, "press-1/temperature", 64, 2);
	assert_int_equal(world.opened, 0);
	feed(rs, "press-1/temperature", 66, 3);
	assert_int_equal(world.opened, 1);
	gg_ruleset_free(rs);
}

static void limits_say_how_often(void **state)
{
	(void)state;
	const struct gg_site_rule rules[] = {
		{.name = "few", .enabled = true, .when = "boiler/temperature > 95", .per_hour = 2},
		{.name = "paused", .enabled = true, .when = "boiler/pressure > 5", .pause_ns = 60 * S},
	};
	struct gg_ruleset *rs = make(rules, 2);
	for (int i = 0; i < 5; i++) {
		feed(rs, "boiler/temperature", 96, 10 + i * 2);
		feed(rs, "boiler/temperature", 90, 11 + i * 2);
	}
	assert_int_equal(world.opened, 2);
	assert_int_equal(world.cleared, 2);
	feed(rs, "boiler/temperature", 96, 3700);
	assert_int_equal(world.opened, 3);
	for (int i = 0; i < 4; i++) {
		feed(rs, "boiler/pressure", 6, 4000 + i * 20);
		feed(rs, "boiler/pressure", 1, 4010 + i * 20);
	}
	assert_int_equal(world.opened, 5); /* at 4000 and 4060 */
	gg_ruleset_free(rs);
}

static void silence_is_noticed_by_time_alone(void **state)
{
	(void)state;
	const struct gg_site_rule r = {
		.name = "silent", .enabled = true, .when = "age(boiler/temperature) > 1min"};
	struct gg_ruleset *rs = make(&r, 1);
	feed(rs, "boiler/temperature", 20, 1);
	for (int i = 0; i < 10 && gg_ruleset_due(rs) < 100 * S; i++)
		gg_ruleset_tick(rs, gg_ruleset_due(rs));
	assert_int_equal(world.opened, 1);
	feed(rs, "boiler/temperature", 20, 100);
	assert_int_equal(world.cleared, 1);
	assert_in_range(gg_ruleset_due(rs), 100 * S, 161 * S);
	gg_ruleset_free(rs);
}

static void an_action_that_fails_is_an_event_and_a_step_of_the_trace(void **state)
{
	(void)state;
	const struct gg_site_rule r = {.name = "hot", .enabled = true, .when = "boiler/temperature > 95"};
	struct gg_ruleset *rs = make(&r, 1);
	world.answer = -ENOENT;
	feed(rs, "boiler/temperature", 96, 1);
	assert_int_equal(world.failed, 1);
	assert_int_equal(world.traced, 1);
	assert_non_null(strstr(world.step, "\"ok\":false"));
	assert_non_null(strstr(world.step, "no such device"));
	gg_ruleset_free(rs);
}

static void only_the_success_of_what_had_failed_is_reported(void **state)
{
	(void)state;
	const struct gg_site_rule r = {.name = "warm", .enabled = true, .when = "boiler/temperature > 95"};
	struct gg_ruleset *rs = make(&r, 1);
	for (int i = 0; i < 10; i++)
		feed(rs, "boiler/temperature", i % 2 ? 90 : 96, 1 + i);
	assert_int_equal(world.ran, 10);
	assert_string_equal(world.failures, "");
	world.answer = -ENOENT;
	feed(rs, "boiler/temperature", 96, 20);
	world.answer = 0;
	for (int i = 0; i < 10; i++)
		feed(rs, "boiler/temperature", i % 2 ? 96 : 90, 21 + i);
	assert_string_equal(world.failures, "+warm/do.1.action -warm/do.1.action ");
	/* As at a restart: the book of events has one that is open. */
	gg_rule_call_failed_before(GG_STR("warm/on_clear.1.action"));
	feed(rs, "boiler/temperature", 90, 40);
	assert_int_equal(world.mended, 2);
	gg_ruleset_free(rs);
}

static void two_actions_of_a_kind_fail_and_recover_each_for_itself(void **state)
{
	(void)state;
	static const struct gg_rule_action two[2] = {{0}};
	const struct gg_site_rule o = {.name = "twice", .enabled = true, .when = "boiler/temperature > 95"};
	const struct gg_rule r = {.options = &o, .actions = two, .action_count = 2};
	const struct gg_ruleset_setup setup = {.ops = &ops};
	struct gg_ruleset *rs = NULL;
	memset(&world, 0, sizeof world);
	assert_int_equal(gg_ruleset_new(&r, 1, &setup, &rs, NULL), 0);
	for (uint32_t i = 0; i < gg_signal_count(); i++)
		gg_ruleset_add_signal(rs, gg_signal(i));
	world.answer = -ENOENT;
	world.only = &two[1];
	feed(rs, "boiler/temperature", 96, 1);
	feed(rs, "boiler/temperature", 90, 2);
	assert_string_equal(world.failures, "+twice/do.2.action ");
	world.only = &two[0];
	feed(rs, "boiler/temperature", 96, 3);
	assert_string_equal(world.failures, "+twice/do.2.action +twice/do.1.action -twice/do.2.action ");
	gg_ruleset_free(rs);
}

static void a_rules_message_is_the_events_text(void **state)
{
	(void)state;
	const struct gg_site_rule r = {.name = "hot",
		.enabled = true,
		.when = "boiler/temperature > 95",
		.title = "too hot",
		.message = "{title}: {signal} is at {value} {unit}, look at the burner"};
	struct gg_ruleset *rs = make(&r, 1);
	feed(rs, "boiler/temperature", 96.5, 1);
	assert_string_equal(world.title, "too hot");
	assert_string_equal(world.message, "too hot: boiler/temperature is at 96.5 degC, look at the burner");
	gg_ruleset_free(rs);
}

static void a_result_may_come_after_the_ruleset_has_gone(void **state)
{
	(void)state;
	const struct gg_site_rule r = {.name = "hot", .enabled = true, .when = "boiler/temperature > 95"};
	struct gg_ruleset *rs = make(&r, 1);
	world.hold = true;
	feed(rs, "boiler/temperature", 96, 1);
	gg_ruleset_free(rs);
	assert_int_equal(world.traced, 0);
	gg_call_done(world.held, 0, "written");
	assert_int_equal(world.traced, 1);
	assert_non_null(strstr(world.step, "\"ok\":true"));
}

static void follows_events_of_other_kinds(void **state)
{
	(void)state;
	const struct gg_site_rule r = {.name = "lost",
		.enabled = true,
		.on = {.event = "device-lost", .key = "press-*", .severity = 1}};
	struct gg_ruleset *rs = make(&r, 1);
	struct gg_event_report e = {.kind = "device-lost",
		.key = GG_STR("press-1"),
		.severity = GG_WARNING,
		.title = GG_STR("no answer"),
		.device = 0,
		.signal = GG_NONE};
	gg_ruleset_event(rs, &e, S);
	assert_int_equal(world.opened, 1);
	assert_string_equal(world.title, "lost: no answer");
	e.severity = GG_INFORMATION;
	e.key = GG_STR("press-2");
	gg_ruleset_event(rs, &e, S);
	e.severity = GG_WARNING;
	e.key = GG_STR("boiler");
	gg_ruleset_event(rs, &e, S);
	assert_int_equal(world.opened, 1);
	e.key = GG_STR("press-1");
	e.clear = true;
	gg_ruleset_event(rs, &e, 2 * S);
	assert_int_equal(world.cleared, 1);
	gg_ruleset_free(rs);
}

static void goes_on_from_its_checkpoint(void **state)
{
	(void)state;
	const struct gg_site_rule rules[] = {
		{.name = "hot", .enabled = true, .when = "boiler/temperature > 95"},
		{.name = "long", .enabled = true, .when = "press-*/temperature > 80 for 10s"},
	};
	struct gg_buf b = GG_BUF(1 << 20);
	struct gg_ruleset *rs = make(rules, 2);
	feed(rs, "boiler/temperature", 96, 1);
	feed(rs, "press-1/temperature", 90, 2);
	gg_ruleset_save(rs, &b);
	gg_ruleset_free(rs);
	rs = make(rules, 2);
	struct gg_reader from = gg_reader(b.p, b.len);
	assert_int_equal(gg_ruleset_load(rs, &from), 0);
	assert_int_equal(gg_ruleset_due(rs), 12 * S);
	gg_ruleset_tick(rs, 12 * S);
	assert_int_equal(world.opened, 1); /* the long one; the hot one is open already */
	feed(rs, "boiler/temperature", 97, 13);
	assert_int_equal(world.opened, 1);
	feed(rs, "boiler/temperature", 90, 14);
	assert_int_equal(world.cleared, 1);
	gg_ruleset_free(rs);
	for (size_t cut = 0; cut < b.len; cut++) { /* torn anywhere: as new */
		rs = make(rules, 2);
		from = gg_reader(b.p, cut);
		assert_int_equal(gg_ruleset_load(rs, &from), -EINVAL);
		assert_true(gg_ruleset_due(rs) == INT64_MAX);
		gg_ruleset_free(rs);
	}
	gg_buf_done(&b);
}

static void recovery_changes_states_and_nothing_else(void **state)
{
	(void)state;
	const struct gg_site_rule r = {.name = "hot", .enabled = true, .when = "boiler/temperature > 95"};
	struct gg_ruleset *rs = make(&r, 1);
	gg_ruleset_set_live(rs, false);
	feed(rs, "boiler/temperature", 96, 1);
	assert_int_equal(world.opened + world.ran, 0);
	gg_ruleset_set_live(rs, true);
	feed(rs, "boiler/temperature", 97, 2);
	assert_int_equal(world.opened, 0);
	feed(rs, "boiler/temperature", 90, 3);
	assert_int_equal(world.cleared, 1);
	gg_ruleset_free(rs);
}

static void mistakes_are_explained(void **state)
{
	(void)state;
	static const struct {
		struct gg_site_rule rule;
		const char *words;
	} wrong[] = {
		{{.name = "x"}, "wants `when`"},
		{{.name = "x", .when = "boiler/temperature > "}, "the text ends"},
		{{.name = "x", .when = "1 > 2"}, "names no signal"},
		{{.name = "x", .when = "a/b", .hysteresis = "2"}, "wants a comparison"},
		{{.name = "x", .when = "a/b > 1", .hysteresis = "much"}, "no positive number"},
		{{.name = "x", .when = "a/b > 1 for 2s", .for_ns = 5}, "already"},
		{{.name = "x", .on = {.event = "rule"}}, "events of rules"},
		{{.name = "x", .when = "a/b", .on = {.event = "anomaly"}}, "both"},
	};
	for (size_t i = 0; i < GG_COUNT(wrong); i++) {
		struct gg_error e = {0};
		assert_int_equal(gg_rule_check(&wrong[i].rule, NULL, &e), -EINVAL);
		if (!strstr(e.text, wrong[i].words))
			fail_msg("%zu: %s", i, e.text);
	}
}

static void fills_templates(void **state)
{
	(void)state;
	struct gg_buf b = GG_BUF(1000);
	double v = 0;
	struct gg_trigger t = {.rule = GG_STR("hot"),
		.signal = gg_signal_find(GG_STR("boiler/temperature")),
		.sample = {.type = GG_TYPE_FLOAT, .v.f = 96.5},
		.binding = GG_STR("a\x1f"
				  "b")};
	gg_trigger_text(&b, GG_STR("{\"v\": {value}, \"d\": \"{device}/$2\", \"x\": {other}}"), &t);
	assert_string_equal(gg_buf_text(&b), "{\"v\": 96.5, \"d\": \"boiler/b\", \"x\": {other}}");
	assert_int_equal(gg_trigger_number(&t, GG_STR("{value} * 2 - 3"), &v, NULL), 0);
	assert_true(v == 190);
	assert_int_equal(gg_trigger_number(&t, GG_STR("{rule} + 1"), &v, NULL), -EINVAL);
	gg_buf_done(&b);
}

static void thousands_of_rules_stay_small_and_quiet(void **state)
{
	(void)state;
	enum { RULES = 8000 };
	struct gg_rule *list = calloc(RULES, sizeof *list);
	struct gg_site_rule *o = calloc(RULES, sizeof *o);
	char(*texts)[64] = calloc(RULES, sizeof *texts);
	for (unsigned i = 0; i < RULES; i++) {
		snprintf(texts[i], sizeof texts[i], "dev-%u/temperature > 95 and dev-%u/load > 3", i, i);
		o[i] = (struct gg_site_rule){.name = texts[i], .enabled = true, .when = texts[i]};
		list[i] = (struct gg_rule){.options = &o[i]};
		char name[64];
		snprintf(name, sizeof name, "dev-%u/temperature", i);
		signal_named(name, "degC");
		snprintf(name, sizeof name, "dev-%u/load", i);
		signal_named(name, "");
	}
	const struct gg_ruleset_setup setup = {.ops = &ops};
	struct gg_ruleset *rs = NULL;
	size_t before = mallinfo2().uordblks;
	assert_int_equal(gg_ruleset_new(list, RULES, &setup, &rs, NULL), 0);
	for (uint32_t i = 0; i < gg_signal_count(); i++)
		gg_ruleset_add_signal(rs, gg_signal(i));
	size_t bytes = mallinfo2().uordblks - before;
	struct gg_ruleset_stats st;
	feed(rs, "dev-17/temperature", 96, 1);
	gg_ruleset_stats(rs, &st);
	assert_int_equal(st.evaluations, 1);
	print_message("%zu bytes a rule (%zu counted)\n", bytes / RULES, st.memory_bytes / RULES);
	assert_in_range(bytes / RULES, 0, 2048);
	assert_in_range(st.memory_bytes / RULES, 1, 2048);
	struct gg_sample s = {
		.signal = gg_signal_find(GG_STR("dev-17/temperature")), .type = GG_TYPE_FLOAT, .v.f = 90};
	int64_t start = gg_clock_monotonic(&gg_clock_system);
	for (int i = 0; i < 1000000; i++)
		gg_ruleset_run(rs, &s, 1, NULL, 2 * S + i);
	print_message("%.1f ns a sample\n", (double)(gg_clock_monotonic(&gg_clock_system) - start) / 1e6);
	gg_ruleset_free(rs);
	free(texts);
	free(o);
	free(list);
}

static int setup_signals(void **state)
{
	(void)state;
	signal_named("boiler/temperature", "degC");
	signal_named("boiler/pressure", "bar");
	for (int i = 1; i <= 3; i++) {
		char name[32];
		snprintf(name, sizeof name, "press-%d/temperature", i);
		signal_named(name, i == 3 ? "degF" : "degC");
		snprintf(name, sizeof name, "press-%d/speed", i);
		signal_named(name, "");
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_and_clears_once),
		cmocka_unit_test(waits_for_as_long_as_it_says),
		cmocka_unit_test(hysteresis_and_clear_for_hold_it_open),
		cmocka_unit_test(a_condition_of_its_own_clears_it),
		cmocka_unit_test(unknown_neither_opens_nor_clears),
		cmocka_unit_test(wildcards_make_an_instance_for_each_binding),
		cmocka_unit_test(signals_in_different_units_are_compared_rightly),
		cmocka_unit_test(limits_say_how_often),
		cmocka_unit_test(silence_is_noticed_by_time_alone),
		cmocka_unit_test(an_action_that_fails_is_an_event_and_a_step_of_the_trace),
		cmocka_unit_test(only_the_success_of_what_had_failed_is_reported),
		cmocka_unit_test(two_actions_of_a_kind_fail_and_recover_each_for_itself),
		cmocka_unit_test(a_rules_message_is_the_events_text),
		cmocka_unit_test(a_result_may_come_after_the_ruleset_has_gone),
		cmocka_unit_test(follows_events_of_other_kinds),
		cmocka_unit_test(goes_on_from_its_checkpoint),
		cmocka_unit_test(recovery_changes_states_and_nothing_else),
		cmocka_unit_test(mistakes_are_explained),
		cmocka_unit_test(fills_templates),
		cmocka_unit_test(thousands_of_rules_stay_small_and_quiet),
	};
	return cmocka_run_group_tests(tests, setup_signals, NULL);
}
