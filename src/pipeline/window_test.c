/* SPDX-License-Identifier: Apache-2.0 */
/* Windows: what they tell, when they end, and what happens to late samples and jumping clocks. */
#include "pipeline_bed.h"

static struct bed *use(struct bed *b, const char *window)
{
	char yaml[512];
	snprintf(yaml, sizeof yaml, "select: 'w/*'\nstages:\n  - window: %s", window);
	bed_init(b, "win", yaml);
	if (!b->pipeline)
		fail_msg("%s", b->error.text);
	return b;
}

static void tells_of_each_minute_what_was_asked(void **state)
{
	(void)state;
	struct bed b;
	use(&b, "{ every: 1min, give: [count, sum, mean, min, max, range, first, last, stddev, median, p90] "
		"}");
	for (int i = 0; i < 10; i++)
		bed_feed(&b, "w/a", 60 + i * 5, 10 - i); /* 10 .. 1 */
	assert_int_equal(b.out_count, 0);
	bed_feed(&b, "w/a", 120, 99);
	const struct bed_out *count = bed_take(&b, "win/w/a.count");
	assert_int_equal(count->sample.v.u, 10);
	assert_int_equal(count->sample.type, GG_TYPE_UINT);
	assert_true(count->sample.time_ns == 120 * GG_NS_PER_S); /* the end of the window */
	assert_near(bed_value(&b, "win/w/a.sum"), 55);
	assert_near(bed_value(&b, "win/w/a.mean"), 5.5);
	assert_near(bed_value(&b, "win/w/a.min"), 1);
	assert_near(bed_value(&b, "win/w/a.max"), 10);
	assert_near(bed_value(&b, "win/w/a.range"), 9);
	assert_near(bed_value(&b, "win/w/a.first"), 10);
	assert_near(bed_value(&b, "win/w/a.last"), 1);
	assert_near(bed_value(&b, "win/w/a.stddev"), sqrt(55.0 / 6));
	assert_near(bed_value(&b, "win/w/a.median"), 5.5);
	assert_near(bed_value(&b, "win/w/a.p90"), 9.1);
	assert_null(bed_take(&b, "win/w/a.mean"));
	assert_null(bed_take(&b, "win/w/a")); /* the samples themselves do not go on */
	bed_done(&b);
}

static void ends_by_time_when_nothing_comes(void **state)
{
	(void)state;
	struct bed b;
	use(&b, "{ every: 10s, give: mean }");
	bed_feed(&b, "w/b", 3, 4);
	int64_t due = gg_pipeline_due(b.pipeline);
	assert_true(due >= 10 * GG_NS_PER_S && due <= 11 * GG_NS_PER_S);
	bed_tick(&b, 9.9);
	assert_int_equal(b.out_count, 0);
	bed_tick(&b, 11);
	assert_near(bed_value(&b, "win/w/b.mean"), 4);
	assert_true(gg_pipeline_due(b.pipeline) == INT64_MAX); /* an idle signal costs nothing */
	bed_done(&b);
}

static void a_device_whose_clock_is_an_hour_behind_has_its_windows_too(void **state)
{
	(void)state;
	struct bed b;
	use(&b, "{ every: 10s, give: count }");
	for (int i = 0; i < 20; i++)
		bed_feed_at(&b, "w/behind", i, i, 3600 + i);
	assert_int_equal(bed_take(&b, "win/w/behind.count")->sample.v.u, 10);
	bed_tick(&b, 3621);
	assert_int_equal(bed_take(&b, "win/w/behind.count")->sample.v.u, 10);
	bed_done(&b);
}

static void hopping_windows_overlap(void **state)
{
	(void)state;
	struct bed b;
	use(&b, "{ by: hopping, every: 10s, size: 30s, give: [sum, median] }");
	for (int i = 0; i < 6; i++)
		bed_feed(&b, "w/h", i * 10 + 1, 1 << i);
	static const double sums[] = {1, 3, 7, 14, 28};
	static const double medians[] = {1, 1.5, 2, 4, 8};
	for (int i = 0; i < 5; i++) {
		assert_near(bed_value(&b, "win/w/h.sum"), sums[i]);
		assert_near(bed_value(&b, "win/w/h.median"), medians[i]);
	}
	bed_done(&b);
}

static void sliding_tells_of_the_time_before_each_sample(void **state)
{
	(void)state;
	struct bed b;
	use(&b, "{ by: sliding, size: 10s, give: [max, count] }");
	static const double times[] = {0, 4, 9, 13, 30}, values[] = {5, 1, 2, 3, 1}, most[] = {5, 5, 5, 3, 1};
	static const double counts[] = {1, 2, 3, 3, 1};
	for (size_t i = 0; i < GG_COUNT(times); i++) {
		bed_feed(&b, "w/s", times[i], values[i]);
		assert_near(bed_value(&b, "win/w/s.max"), most[i]);
		assert_near(bed_value(&b, "win/w/s.count"), counts[i]);
	}
	for (int i = 0; i < 1100; i++) /* more than fit: said, not hidden */
		bed_feed(&b, "w/s", 100 + i * 0.001, 1);
	const struct bed_out *o = NULL, *last = NULL;
	while ((o = bed_take(&b, "win/w/s.count")))
		last = o;
	assert_int_equal(last->sample.v.u, 1024);
	assert_int_equal(last->sample.quality, GG_UNCERTAIN);
	bed_done(&b);
}

static void a_session_lasts_until_a_gap(void **state)
{
	(void)state;
	struct bed b;
	use(&b, "{ by: session, gap: 5s, give: [count, range] }");
	for (int i = 0; i < 4; i++)
		bed_feed(&b, "w/se", 10 + i * 4, i);
	bed_feed(&b, "w/se", 40, 7);
	const struct bed_out *o = bed_take(&b, "win/w/se.count");
	assert_int_equal(o->sample.v.u, 4);
	assert_true(o->sample.time_ns == 22 * GG_NS_PER_S);
	assert_near(bed_value(&b, "win/w/se.range"), 3);
	bed_tick(&b, 46);
	assert_int_equal(bed_take(&b, "win/w/se.count")->sample.v.u, 1);
	bed_done(&b);
}

static void late_samples_are_dropped_unless_they_are_waited_for(void **state)
{
	(void)state;
	struct bed b;
	use(&b, "{ every: 10s, give: count }");
	bed_feed(&b, "w/l", 5, 1);
	bed_feed(&b, "w/l", 12, 1);
	bed_feed(&b, "w/l", 9, 1);  /* late */
	bed_feed(&b, "w/l", 11, 1); /* out of order, but not late */
	bed_feed(&b, "w/l", 20, 1);
	assert_near(bed_value(&b, "win/w/l.count"), 1);
	assert_near(bed_value(&b, "win/w/l.count"), 2);
	bed_done(&b);
	use(&b, "{ every: 10s, give: [count, first, last], late: 3s }");
	bed_feed(&b, "w/l", 5, 1);
	bed_feed(&b, "w/l", 12, 1);
	bed_feed(&b, "w/l", 4, 7); /* in time */
	assert_int_equal(b.out_count, 0);
	bed_feed(&b, "w/l", 13, 1);
	assert_near(bed_value(&b, "win/w/l.count"), 2);
	assert_near(bed_value(&b, "win/w/l.first"), 7);
	assert_near(bed_value(&b, "win/w/l.last"), 1);
	bed_done(&b);
}

static void a_clock_set_back_begins_anew_and_says_so(void **state)
{
	(void)state;
	struct bed b;
	use(&b, "{ every: 10s, give: count }");
	bed_feed_at(&b, "w/back", 10000, 1, 50);
	for (int i = 0; i < 40; i++)
		bed_feed_at(&b, "w/back", 100 + i, 1, 51 + i);
	assert_near(bed_value(&b, "win/w/back.count"), 1); /* what was open has ended */
	const struct bed_out *o = bed_take(&b, "win/w/back.count");
	assert_int_equal(o->sample.quality, GG_UNCERTAIN);
	assert_int_equal(o->sample.aux, GG_REASON_CLOCK);
	o = bed_take(&b, "win/w/back.count");
	assert_int_equal(o->sample.quality, GG_GOOD);
	assert_int_equal(o->sample.v.u, 10);
	bed_done(&b);
}

static void empty_windows_are_told_as_asked_and_only_so_many(void **state)
{
	(void)state;
	static const struct {
		const char *empty;
		int count, quality;
		double value;
	} cases[] = {{"nothing", 0, 0, 0}, {"last", 2, GG_UNCERTAIN, 7}, {"zero", 2, GG_GOOD, 0},
		{"bad", 2, GG_BAD, 0}};
	for (size_t i = 0; i < GG_COUNT(cases); i++) {
		struct bed b;
		char text[100];
		snprintf(text, sizeof text, "{ every: 10s, give: mean, empty: %s }", cases[i].empty);
		use(&b, text);
		bed_feed(&b, "w/e", 5, 7);
		bed_feed(&b, "w/e", 35, 9);
		assert_near(bed_value(&b, "win/w/e.mean"), 7);
		for (int k = 0; k < cases[i].count; k++) {
			const struct bed_out *o = bed_take(&b, "win/w/e.mean");
			assert_int_equal(o->sample.quality, cases[i].quality);
			assert_near(o->sample.v.f, cases[i].value);
		}
		assert_null(bed_take(&b, "win/w/e.mean"));
		size_t before = b.out_count;
		bed_feed(&b, "w/e", 1e9, 1); /* 32 years later */
		assert_true(b.out_count - before <= 66);
		bed_done(&b);
	}
}

static void bad_samples_make_the_result_uncertain(void **state)
{
	(void)state;
	struct bed b;
	use(&b, "{ every: 10s, give: mean }");
	bed_feed(&b, "w/q", 1, 4);
	bed_feed(&b, "w/q", 2, NAN);
	bed_feed_bad(&b, "w/q", 12, GG_REASON_TIMEOUT);
	bed_feed_text(&b, "w/q", 13, "hello"); /* no number: left out */
	bed_feed(&b, "w/q", 21, 4);
	bed_feed(&b, "w/q", 31, 4);
	static const int quality[] = {GG_UNCERTAIN, GG_BAD, GG_GOOD};
	static const int reason[] = {GG_REASON_INCOMPLETE, GG_REASON_INCOMPLETE, GG_REASON_NONE};
	for (int i = 0; i < 3; i++) {
		const struct bed_out *o = bed_take(&b, "win/w/q.mean");
		assert_int_equal(o->sample.quality, quality[i]);
		assert_int_equal(o->sample.aux, reason[i]);
	}
	bed_done(&b);
}

static void wild_times_do_no_harm(void **state)
{
	(void)state;
	static const char *const windows[] = {"{ every: 1s, give: p99, empty: zero }",
		"{ by: hopping, every: 1s, size: 5s, late: 2s }", "{ by: sliding, size: 1s }",
		"{ by: session, gap: 1s }"};
	static const int64_t times[] = {
		0, INT64_MAX, INT64_MIN, -1, INT64_MAX - 1, INT64_MIN + 1, 1, 1000000000000000000};
	for (size_t w = 0; w < GG_COUNT(windows); w++) {
		struct bed b;
		use(&b, windows[w]);
		struct gg_sample s = {.signal = bed_signal("w/wild"), .type = GG_TYPE_FLOAT, .v.f = 1};
		for (unsigned i = 0; i < 400; i++) {
			s.time_ns = times[(i * 7 + i / 20) % GG_COUNT(times)];
			bed_feed_sample(&b, s, NULL, i);
		}
		struct gg_pipeline_sink sink = bed_sink(&b);
		gg_pipeline_tick(b.pipeline, INT64_MAX, &sink);
		bed_done(&b);
	}
}

static void lets_what_a_detector_gives_go_by(void **state)
{
	(void)state;
	struct bed b;
	static const char *const stages[] = {
		"stages: [{ detect: { every_sample: true, give: score } }, { window: 4s }]",
		"stages: [{ detect: { every_sample: true, give: score } }, { window: { every: 4s, scores: "
		"true } }]"};
	for (int windowed = 0; windowed < 2; windowed++) {
		char yaml[200];
		snprintf(yaml, sizeof yaml, "select: 'gb/*'\n%s", stages[windowed]);
		bed_init(&b, windowed ? "gob" : "goa", yaml);
		if (!b.pipeline)
			fail_msg("%s", b.error.text);
		for (int i = 0; i < 8; i++)
			bed_feed(&b, "gb/a", i, i);
		unsigned scores = 0;
		while (bed_take(&b, windowed ? "gob/gb/a.score" : "goa/gb/a.score"))
			scores++;
		assert_int_equal(scores, windowed ? 0 : 8);
		assert_near(bed_value(&b, windowed ? "gob/gb/a.mean" : "goa/gb/a.mean"), 1.5);
		assert_int_equal(
			bed_take(&b, windowed ? "gob/gb/a.score.mean" : "goa/gb/a.score.mean") != NULL,
			windowed);
		bed_done(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(tells_of_each_minute_what_was_asked),
		TEST(ends_by_time_when_nothing_comes),
		TEST(a_device_whose_clock_is_an_hour_behind_has_its_windows_too),
		TEST(hopping_windows_overlap),
		TEST(sliding_tells_of_the_time_before_each_sample),
		TEST(a_session_lasts_until_a_gap),
		TEST(late_samples_are_dropped_unless_they_are_waited_for),
		TEST(a_clock_set_back_begins_anew_and_says_so),
		TEST(empty_windows_are_told_as_asked_and_only_so_many),
		TEST(bad_samples_make_the_result_uncertain),
		TEST(wild_times_do_no_harm),
		TEST(lets_what_a_detector_gives_go_by),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
