/* SPDX-License-Identifier: Apache-2.0 */
/* Each filter alone: what goes through and what does not. A sample that goes through is one the journal
 * keeps. */
#include "pipeline_bed.h"

static struct bed *use(struct bed *b, const char *stages)
{
	char yaml[512];
	snprintf(yaml, sizeof yaml, "select: '*'\nstages:\n%s", stages);
	bed_init(b, "filters", yaml);
	if (!b->pipeline)
		fail_msg("%s", b->error.text);
	return b;
}

static void deadband_lets_through_what_moved_by_more_than_the_band(void **state)
{
	(void)state;
	struct bed b;
	use(&b, "  - deadband: 0.5");
	assert_true(bed_feed(&b, "db/a", 1, 20.0));
	assert_false(bed_feed(&b, "db/a", 2, 20.4));
	assert_false(bed_feed(&b, "db/a", 3, 20.5));
	assert_true(bed_feed(&b, "db/a", 4, 20.6));
	assert_false(bed_feed(&b, "db/a", 5, 20.2)); /* measured from the last let through */
	assert_true(bed_feed(&b, "db/b", 5, 20.2));  /* each signal for itself */
	assert_int_equal(b.batches, 0);              /* a pure filter makes nothing new */
	bed_done(&b);
}

static void deadband_in_percent_is_of_the_range_or_else_of_the_value(void **state)
{
	(void)state;
	struct bed b;
	bed_signal_with("db/ranged", (struct gg_signal_spec){.type = GG_TYPE_FLOAT, .low = 0, .high = 200});
	use(&b, "  - deadband: 2%");
	assert_true(bed_feed(&b, "db/ranged", 1, 10));
	assert_false(bed_feed(&b, "db/ranged", 2, 14));
	assert_true(bed_feed(&b, "db/ranged", 3, 14.5));
	assert_true(bed_feed(&b, "db/plain", 1, 10));
	assert_false(bed_feed(&b, "db/plain", 2, 10.2));
	assert_true(bed_feed(&b, "db/plain", 3, 10.21));
	bed_done(&b);
}

static void deadband_beats_its_heart(void **state)
{
	(void)state;
	struct bed b;
	use(&b, "  - deadband: { band: 1, max_silence: 10s }");
	assert_true(bed_feed(&b, "db/heart", 100, 1));
	assert_false(bed_feed(&b, "db/heart", 109.9, 1));
	assert_true(bed_feed(&b, "db/heart", 110, 1));
	assert_false(bed_feed(&b, "db/heart", 119, 1));
	assert_false(bed_feed(&b, "db/heart", 105, 1)); /* out of order by little */
	assert_true(bed_feed(&b, "db/heart", 20, 1));   /* the clock was set back */
	assert_false(bed_feed(&b, "db/heart", 25, 1));
	bed_done(&b);
}

static void filters_pass_the_first_bad_sample_and_drop_its_repetitions(void **state)
{
	(void)state;
	static const char *const stages[] = {"  - deadband: 1", "  - change", "  - throttle: 1h"};
	for (size_t i = 0; i < GG_COUNT(stages); i++) {
		struct bed b;
		use(&b, stages[i]);
		assert_true(bed_feed(&b, "quality/a", 1, 5));
		assert_true(bed_feed_bad(&b, "quality/a", 2, GG_REASON_TIMEOUT));
		assert_false(bed_feed_bad(&b, "quality/a", 3, GG_REASON_TIMEOUT));
		assert_true(bed_feed(&b, "quality/a", 4, 5));
		assert_true(bed_feed(&b, "quality/a", 5, NAN)); /* not a number is bad */
		assert_false(bed_feed(&b, "quality/a", 6, NAN));
		assert_false(bed_feed(&b, "quality/a", 7, INFINITY));
		bed_done(&b);
	}
}

static void change_compares_exactly_and_texts_too(void **state)
{
	(void)state;
	struct bed b;
	use(&b, "  - change");
	assert_true(bed_feed(&b, "ch/a", 1, 0.0));
	assert_false(bed_feed(&b, "ch/a", 2, -0.0));
	assert_true(bed_feed(&b, "ch/a", 3, 1e-300));
	assert_true(bed_feed_text(&b, "ch/t", 1, "running"));
	assert_false(bed_feed_text(&b, "ch/t", 2, "running"));
	assert_true(bed_feed_text(&b, "ch/t", 3, "stopped"));
	struct gg_sample s = {.time_ns = 9, .signal = bed_signal("ch/a"), .type = GG_TYPE_INT, .v.i = 1};
	assert_true(bed_feed_sample(&b, s, NULL, 4)); /* another type */
	bed_done(&b);
}

static void range_drops_what_cannot_be(void **state)
{
	(void)state;
	struct bed b;
	bed_signal_with("rg/own", (struct gg_signal_spec){.low = 0, .high = 10});
	use(&b, "  - range: { low: -40, high: 125 }");
	assert_true(bed_feed(&b, "rg/a", 1, -40));
	assert_false(bed_feed(&b, "rg/a", 2, 850));
	assert_true(bed_feed_text(&b, "rg/a", 3, "850"));
	bed_done(&b);
	use(&b, "  - range: {}");
	assert_true(bed_feed(&b, "rg/own", 1, 10));
	assert_false(bed_feed(&b, "rg/own", 1, 10.5));
	assert_true(bed_feed(&b, "rg/a", 1, 850)); /* has no range */
	bed_done(&b);
}

static void range_can_mark_or_clamp_instead(void **state)
{
	(void)state;
	struct bed b;
	use(&b, "  - range: { low: 0, high: 10, else: bad }");
	assert_true(bed_feed(&b, "rg/m", 1, 11));
	const struct bed_out *o = bed_take(&b, "filters/rg/m");
	assert_non_null(o);
	assert_int_equal(o->sample.quality, GG_BAD);
	assert_int_equal(o->sample.aux, GG_REASON_OUT_OF_RANGE);
	bed_done(&b);
	use(&b, "  - range: { low: 0, high: 10, else: clamp }");
	assert_true(bed_feed(&b, "rg/m", 1, 11));
	o = bed_take(&b, "filters/rg/m");
	assert_near(o->sample.v.f, 10);
	assert_int_equal(o->sample.quality, GG_UNCERTAIN);
	bed_done(&b);
}

static void rate_marks_jumps_and_heals_by_itself(void **state)
{
	(void)state;
	struct bed b;
	use(&b, "  - rate: 2");
	static const double values[] = {10, 11.9, 50, 51, 52};
	static const double times[] = {0, 1, 2, 3, 30};
	static const int quality[] = {GG_GOOD, GG_GOOD, GG_BAD, GG_BAD, GG_GOOD};
	for (size_t i = 0; i < GG_COUNT(values); i++) {
		assert_true(bed_feed(&b, "rt/a", times[i], values[i])); /* it looks at all, so all is kept */
		const struct bed_out *o = bed_take(&b, "filters/rt/a");
		assert_int_equal(o->sample.quality, quality[i]);
	}
	bed_feed(&b, "rt/a", 29, 999); /* older than the newest: can't be judged */
	assert_int_equal(bed_take(&b, "filters/rt/a")->sample.quality, GG_GOOD);
	bed_feed(&b, "rt/a", -1000, 10); /* the clock was set back: begins anew */
	bed_feed(&b, "rt/a", -999, 11);
	bed_take(&b, "filters/rt/a");
	assert_int_equal(bed_take(&b, "filters/rt/a")->sample.quality, GG_GOOD);
	bed_done(&b);
	use(&b, "  - rate: { limit: 2, else: drop }");
	bed_feed(&b, "rt/b", 0, 0);
	bed_feed(&b, "rt/b", 1, 5);
	assert_non_null(bed_take(&b, "filters/rt/b"));
	assert_null(bed_take(&b, "filters/rt/b"));
	bed_done(&b);
}

static void duplicate_drops_what_was_said_twice(void **state)
{
	(void)state;
	struct bed b;
	use(&b, "  - duplicate: {}");
	assert_true(bed_feed(&b, "du/a", 1, 5));
	assert_true(bed_feed(&b, "du/a", 2, 5));
	assert_false(bed_feed(&b, "du/a", 1, 5)); /* not the latest, but remembered */
	assert_true(bed_feed(&b, "du/a", 1, 6));  /* the same time with another value is news */
	for (int i = 0; i < 8; i++)
		assert_true(bed_feed(&b, "du/a", 10 + i, 5));
	assert_true(bed_feed(&b, "du/a", 1, 5)); /* forgotten */
	bed_done(&b);
}

static void duplicate_keeps_time_going_forward_when_asked(void **state)
{
	(void)state;
	struct bed b;
	use(&b, "  - duplicate: { order: drop }");
	assert_true(bed_feed(&b, "du/o", 10, 1));
	assert_false(bed_feed(&b, "du/o", 9, 2));
	assert_true(bed_feed_at(&b, "du/o", 1e8, 3, 11)); /* from the future: does not shut the signal off */
	assert_true(bed_feed(&b, "du/o", 12, 4));
	bed_done(&b);
}

static void throttle_lets_one_through_per_interval(void **state)
{
	(void)state;
	struct bed b;
	int kept = 0;
	use(&b, "  - throttle: 1s");
	for (int i = 0; i < 100; i++)
		kept += bed_feed(&b, "th/a", i * 0.1, i);
	assert_int_equal(kept, 10);
	assert_false(bed_feed(&b, "th/a", 8.5, 1));
	assert_true(bed_feed(&b, "th/a", 3, 1)); /* the clock was set back */
	bed_done(&b);
}

static void options_are_explained_when_wrong(void **state)
{
	(void)state;
	static const char *const wrong[][2] = {{"  - deadband: much", "band is \"much\""},
		{"  - deadband: -1", "band is \"-1\""},
		{"  - range: { low: 5, high: 1 }", "low must not be above high"},
		{"  - rate: 0", "limit is 0"}, {"  - normalise: { unit: furlongs_per_blink }", "is no unit"},
		{"  - normalise: { type: colour }", "type is \"colour\""},
		{"  - window: { give: [mean] }", "every is missing"},
		{"  - window: { every: 1s, give: [meen] }", "\"meen\" is none of"},
		{"  - window: { every: 1s, by: hopping, size: 1500ms }", "multiple"},
		{"  - detect: { give: [all] }", "none of score"}};
	for (size_t i = 0; i < GG_COUNT(wrong); i++) {
		struct bed b;
		char yaml[256];
		snprintf(yaml, sizeof yaml, "select: '*'\nstages:\n%s", wrong[i][0]);
		bed_init(&b, "filters", yaml);
		assert_null(b.pipeline);
		if (!strstr(b.error.text, wrong[i][1]))
			fail_msg("%s: %s", wrong[i][0], b.error.text);
		assert_true(b.error.line > 0);
		bed_done(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(deadband_lets_through_what_moved_by_more_than_the_band),
		TEST(deadband_in_percent_is_of_the_range_or_else_of_the_value),
		TEST(deadband_beats_its_heart),
		TEST(filters_pass_the_first_bad_sample_and_drop_its_repetitions),
		TEST(change_compares_exactly_and_texts_too),
		TEST(range_drops_what_cannot_be),
		TEST(range_can_mark_or_clamp_instead),
		TEST(rate_marks_jumps_and_heals_by_itself),
		TEST(duplicate_drops_what_was_said_twice),
		TEST(duplicate_keeps_time_going_forward_when_asked),
		TEST(throttle_lets_one_through_per_interval),
		TEST(options_are_explained_when_wrong),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
