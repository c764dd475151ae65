/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"
#include "formats/decode.h"
#include "formats/topic_pattern.h"

static char names[64][GG_SIGNAL_NAME];
static uint32_t name_count;
static struct gg_batch *batch;
static struct gg_decoder decoder;

static int make_signal(void *arg, uint32_t device, struct gg_str name, uint32_t *ret_signal)
{
	(void)arg;
	assert_int_equal(device, 7);
	gg_str_copy(names[name_count], GG_SIGNAL_NAME, name);
	*ret_signal = name_count++;
	return 0;
}

static int set_up(void **state)
{
	(void)state;
	name_count = 0;
	decoder = (struct gg_decoder){.device = 7, .signal = make_signal};
	batch = gg_batch_new(4, 16);
	return batch ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	gg_decoder_done(&decoder);
	gg_batch_unref(batch);
	return 0;
}

static const struct gg_format_rule plain = {.format = GG_FORMAT_PLAIN, .signal = {"value", 5}};
static const struct gg_format_rule json = {.format = GG_FORMAT_JSON, .signal = {"value", 5}};

static int take(const struct gg_format_rule *rule, const char *name, const char *payload)
{
	return gg_decode(&decoder, rule, gg_str(name), gg_str(payload), 1000, &batch);
}

/* "name=value@time name=value@time" of all samples, to compare with. */
static const char *seen(void)
{
	static char text[4096];
	size_t n = 0;
	text[0] = '\0';
	for (uint32_t i = 0; i < batch->count; i++) {
		const struct gg_sample *s = &batch->samples[i];
		char value[64];
		if (s->type == GG_TYPE_STRING)
			snprintf(value, sizeof value, "'%.*s'", GG_STR_ARG(gg_batch_text(batch, s)));
		else if (s->type == GG_TYPE_BOOL)
			snprintf(value, sizeof value, "%s", s->v.b ? "true" : "false");
		else
			gg_format_float(value, s->v.f);
		n += (size_t)snprintf(
			text + n, sizeof text - n, "%s%s=%s", i ? " " : "", names[s->signal], value);
		if (s->time_ns != 1000)
			n += (size_t)snprintf(text + n, sizeof text - n, "@%lld", (long long)s->time_ns);
	}
	return text;
}

static void reads_plain_values(void **state)
{
	(void)state;
	take(&plain, "t", " 21.5\n");
	take(&plain, "t", "-3e2");
	take(&plain, "on", "ON");
	take(&plain, "on", "false");
	take(&plain, "door", "open");
	take(&plain, "", "nan");
	assert_string_equal(seen(), "t=21.5 t=-300 on=true on=false door='open' value='nan'");
	assert_int_equal(take(&plain, "t", "\xff\xfe"), -EINVAL);
	assert_int_equal(batch->count, 6);
}

static void flattens_json_objects(void **state)
{
	(void)state;
	assert_int_equal(take(&json, "",
				 "{\"temp\":21.5,\"oil\":{\"ok\":true,\"p\":[1,2,{\"x\":3}]},"
				 "\"s\":\"a\\u0062\",\"n\":null}"),
		0);
	assert_string_equal(seen(), "temp=21.5 oil.ok=true oil.p.0=1 oil.p.1=2 oil.p.2.x=3 s='ab'");
}

static void puts_the_topics_signal_before_the_keys(void **state)
{
	(void)state;
	assert_int_equal(take(&json, "pump", "{\"rpm\":1450}"), 0);
	assert_int_equal(take(&json, "level", "3.5"), 0);
	assert_int_equal(take(&json, "", "true"), 0);
	assert_string_equal(seen(), "pump.rpm=1450 level=3.5 value=true");
}

static void dates_samples_by_the_time_in_the_payload(void **state)
{
	(void)state;
	struct gg_format_rule rule = json;
	struct gg_format_options o = {.format = GG_FORMAT_JSON, .time = "/meta/ts", .signal = "value"};
	assert_int_equal(gg_format_rule_make(&o, &rule, NULL), 0);
	assert_int_equal(take(&rule, "", "{\"a\":1,\"meta\":{\"ts\":1700000000},\"b\":2}"), 0);
	assert_int_equal(take(&rule, "", "{\"a\":3,\"meta\":{\"ts\":\"2023-11-14T22:13:20.5Z\"}}"), 0);
	assert_int_equal(take(&rule, "", "{\"a\":4,\"meta\":{\"ts\":1700000000123}}"), 0);
	assert_string_equal(seen(), "a=1@1700000000000000000 b=2@1700000000000000000 "
				    "a=3@1700000000500000000 a=4@1700000000123000000");
}

static void reads_lists_of_samples(void **state)
{
	(void)state;
	assert_int_equal(take(&json, "t", "[{\"t\":1,\"v\":5},{\"v\":6,\"t\":2}]"), 0);
	assert_int_equal(take(&json, "t", "[[3,7],[4,8.5]]"), 0);
	assert_int_equal(take(&json, "", "[{\"ts\":5,\"a\":1,\"b\":2}]"), 0);
	assert_string_equal(seen(), "t=5@1000000000 t=6@2000000000 t=7@3000000000 t=8.5@4000000000 "
				    "a=1@5000000000 b=2@5000000000");
}

static void picks_by_pointer(void **state)
{
	(void)state;
	struct gg_pick picks[] = {{"temp", "/s/0/t"}, {"hum", "/h"}, {"gone", "/x"}};
	struct gg_format_options o = {
		.format = GG_FORMAT_JSON, .time = "/at", .time_unit = GG_TIME_MS, .signals = {picks, 3}};
	struct gg_format_rule rule;
	assert_int_equal(gg_format_rule_make(&o, &rule, NULL), 0);
	assert_int_equal(take(&rule, "", "{\"h\":40,\"s\":[{\"t\":21}],\"noise\":1,\"at\":5}"), 0);
	assert_string_equal(seen(), "temp=21@5000000 hum=40@5000000");
}

static void leaves_the_batch_as_it_was_when_a_payload_is_wrong(void **state)
{
	(void)state;
	static const char *const wrong[] = {"", "{", "{\"a\":1", "{\"a\":1}x", "{\"a\":1e999}", "[[1]]",
		"[[1,2,3]]", "{\"a\":1,,}", "nope"};
	assert_int_equal(take(&json, "", "{\"a\":\"text\"}"), 0);
	uint32_t tail = batch->tail_len;
	for (size_t i = 0; i < GG_COUNT(wrong); i++)
		assert_true(take(&json, "", wrong[i]) < 0);
	assert_string_equal(seen(), "a='text'");
	assert_int_equal(batch->tail_len, tail);
}

static void asks_for_a_signal_once_only(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++)
		assert_int_equal(take(&json, "", "{\"a\":1,\"b c\":2}"), 0);
	assert_int_equal(name_count, 2);
	assert_string_equal(names[1], "b_c");
	assert_int_equal(batch->count, 200);
}

static const char *names_of(const char *pattern, const char *topic)
{
	static char text[256];
	struct gg_topic_pattern p;
	struct gg_topic_names n;
	assert_int_equal(gg_topic_pattern_parse(gg_str(pattern), &p, NULL), 0);
	if (!gg_topic_pattern_match(&p, gg_str(topic), &n))
		return "no";
	snprintf(text, sizeof text, "%.*s:%.*s", GG_STR_ARG(n.device), GG_STR_ARG(n.signal));
	return text;
}

static void patterns_name_device_and_signal(void **state)
{
	(void)state;
	assert_string_equal(names_of("{device}/{signal}", "press-2/temp"), "press-2:temp");
	assert_string_equal(names_of("{device}/{signal}", "press-2/oil/temp"), "no");
	assert_string_equal(names_of("{device}/{signal}", "press-2"), "no");
	assert_string_equal(names_of("p/+/{device}/{signal...}", "p/a/d/oil/temp"), "d:oil/temp");
	assert_string_equal(names_of("{device}/{signal...}", "d"), "no");
	assert_string_equal(names_of("tele/dev-{device}/#", "tele/dev-7/SENSOR/x"), "7:");
	assert_string_equal(names_of("tele/dev-{device}/#", "tele/dev-7"), "7:");
	assert_string_equal(names_of("tele/dev-{device}/#", "tele/dev-"), "no");
	struct gg_topic_pattern p;
	static const char *const wrong[] = {
		"", "{device}/{device}", "{thing}", "a/#/b", "a+", "{signal...}/x", "{device"};
	for (size_t i = 0; i < GG_COUNT(wrong); i++)
		assert_int_equal(gg_topic_pattern_parse(gg_str(wrong[i]), &p, NULL), -EINVAL);
}

static void patterns_tell_what_is_a_devices_own(void **state)
{
	(void)state;
	struct gg_topic_pattern p;
	char topic[64];
	gg_topic_pattern_parse(GG_STR("plant/{device}/{signal}/set"), &p, NULL);
	struct gg_str id = GG_STR("d1");
	assert_true(gg_topic_pattern_is_own(&p, GG_STR("plant/d1/#"), id));
	assert_true(gg_topic_pattern_is_own(&p, GG_STR("plant/d1/+/set"), id));
	assert_false(gg_topic_pattern_is_own(&p, GG_STR("plant/+/x/set"), id));
	assert_false(gg_topic_pattern_is_own(&p, GG_STR("plant/#"), id));
	assert_false(gg_topic_pattern_is_own(&p, GG_STR("+/d1/x"), id));
	assert_false(gg_topic_pattern_is_own(&p, GG_STR("plant"), id));
	assert_int_equal(gg_topic_pattern_fill(&p, id, GG_STR("valve"), topic, sizeof topic), 18);
	assert_string_equal(topic, "plant/d1/valve/set");
	assert_int_equal(gg_topic_pattern_fill(&p, id, GG_STR("a/b"), topic, sizeof topic), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {CASE(reads_plain_values), CASE(flattens_json_objects),
		CASE(puts_the_topics_signal_before_the_keys), CASE(dates_samples_by_the_time_in_the_payload),
		CASE(reads_lists_of_samples), CASE(picks_by_pointer),
		CASE(leaves_the_batch_as_it_was_when_a_payload_is_wrong), CASE(asks_for_a_signal_once_only),
		TEST(patterns_name_device_and_signal), TEST(patterns_tell_what_is_a_devices_own)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
