/* SPDX-License-Identifier: Apache-2.0 */
/* Pipelines as a whole: selection, names and units of what comes out, order of stages, metrics, memory. */
#include "core/metrics.h"
#include "pipeline_bed.h"

#include <malloc.h>

/* ---- counting allocations: the test program's malloc goes through here ---- */

static bool counting;
static unsigned allocations;

extern void *__libc_malloc(size_t size);
extern void *__libc_realloc(void *p, size_t size);
extern void *__libc_calloc(size_t n, size_t size);

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define COUNTS 1
void *malloc(size_t size)
{
	allocations += counting;
	return __libc_malloc(size);
}

void *realloc(void *p, size_t size)
{
	allocations += counting;
	return __libc_realloc(p, size);
}

void *calloc(size_t n, size_t size)
{
	allocations += counting;
	return __libc_calloc(n, size);
}
#else
#define COUNTS 0
#endif

static struct bed *use(struct bed *b, const char *name, const char *yaml)
{
	bed_init(b, name, yaml);
	if (!b->pipeline)
		fail_msg("%s", b->error.text);
	return b;
}

static void carries_what_is_selected_and_not_excluded(void **state)
{
	(void)state;
	struct bed b;
	use(&b, "sel",
		"select: [press-*/temperature, boiler/*, '!boiler/noise']\nexclude: ['*-9/*']\nstages: "
		"[change]");
	assert_true(gg_pipeline_wants(b.pipeline, bed_signal("press-2/temperature")));
	assert_true(gg_pipeline_wants(b.pipeline, bed_signal("boiler/burner")));
	assert_false(gg_pipeline_wants(b.pipeline, bed_signal("press-2/pressure")));
	assert_false(gg_pipeline_wants(b.pipeline, bed_signal("boiler/noise")));
	assert_false(gg_pipeline_wants(b.pipeline, bed_signal("press-9/temperature")));
	assert_false(gg_pipeline_wants(b.pipeline, 0xfffffff0U));
	/* what is not selected is not touched */
	bed_feed(&b, "press-2/pressure", 1, 1);
	assert_int_equal(b.keep[0], 0);
	bed_feed(&b, "boiler/burner", 1, 1);
	assert_int_equal(b.keep[0], GG_KEEP_SELECTED | GG_KEEP_WANTED);
	bed_feed(&b, "boiler/burner", 2, 1);
	assert_int_equal(b.keep[0], GG_KEEP_SELECTED);
	bed_done(&b);
}

static void never_selects_its_own_outputs(void **state)
{
	(void)state;
	struct bed b;
	use(&b, "loop", "select: '*'\nstages: [{ normalise: { scale: 2 } }]");
	bed_feed(&b, "self/a", 1, 1);
	assert_near(bed_value(&b, "loop/self/a"), 2);
	assert_false(gg_pipeline_wants(b.pipeline, gg_signal_find(GG_STR("loop/self/a"))));
	bed_done(&b);
}

static void outputs_have_names_units_and_ranges(void **state)
{
	(void)state;
	struct bed b;
	bed_signal_with("boil/temp",
		(struct gg_signal_spec){
			.type = GG_TYPE_FLOAT, .unit = "degF", .low = 32, .high = 212, .title = "Water"});
	use(&b, "heat",
		"select: 'boil/*'\nstages:\n  - normalise: { unit: degC }\n  - window: { every: 1s, give: "
		"[mean, count] }\n");
	bed_feed(&b, "boil/temp", 0.5, 212);
	bed_feed(&b, "boil/temp", 1.5, 32);
	assert_near(bed_value(&b, "heat/boil/temp.mean"), 100);
	const struct gg_signal_info *mean = gg_signal(gg_signal_find(GG_STR("heat/boil/temp.mean")));
	const struct gg_signal_info *count = gg_signal(gg_signal_find(GG_STR("heat/boil/temp.count")));
	assert_string_equal(mean->unit, "degC");
	assert_string_equal(count->unit, "");
	assert_int_equal(count->type, GG_TYPE_UINT);
	assert_int_equal(gg_signal_find(GG_STR("heat/boil/temp")), GG_NONE); /* a window replaces it */
	bed_done(&b);
	use(&b, "celsius",
		"select: 'boil/*'\nstages:\n  - normalise: { unit: degC, name: '{device}.{signal}' }\n");
	bed_feed(&b, "boil/temp", 0.5, 212);
	assert_near(bed_value(&b, "celsius/boil.temp"), 100);
	const struct gg_signal_info *out = gg_signal(gg_signal_find(GG_STR("celsius/boil.temp")));
	assert_string_equal(out->unit, "degC");
	assert_string_equal(out->title, "Water");
	assert_near(out->low, 0);
	assert_near(out->high, 100);
	bed_done(&b);
}

static void normalise_converts_scales_clamps_and_types(void **state)
{
	(void)state;
	struct bed b;
	bed_signal_with("nm/p", (struct gg_signal_spec){.unit = "bar"});
	bed_signal_with("nm/on", (struct gg_signal_spec){.type = GG_TYPE_BOOL});
	use(&b, "nm1",
		"select: 'nm/*'\nstages: [{ normalise: { unit: kPa, scale: 10, offset: 1, clamp: [0, 5000] } "
		"}]");
	bed_feed(&b, "nm/p", 1, 0.5);
	assert_near(bed_value(&b, "nm1/nm/p"), 600);
	bed_feed(&b, "nm/p", 2, 50);
	assert_near(bed_value(&b, "nm1/nm/p"), 5000);
	struct gg_sample on = {.signal = bed_signal("nm/on"), .type = GG_TYPE_BOOL, .v.b = true};
	bed_feed_sample(&b, on, NULL, 3);
	const struct bed_out *o = bed_take(&b, "nm1/nm/on"); /* a switch goes by */
	assert_int_equal(o->sample.type, GG_TYPE_BOOL);
	assert_true(o->sample.v.b);
	bed_done(&b);
	use(&b, "nm2", "select: 'nt/*'\nstages: [{ normalise: { type: int } }]");
	bed_feed_text(&b, "nt/a", 1, " 21.6 ");
	bed_feed_text(&b, "nt/a", 2, "warm");
	bed_feed(&b, "nt/a", 3, 1e300);
	bed_feed(&b, "nt/a", 4, -2.5);
	o = bed_take(&b, "nm2/nt/a");
	assert_int_equal(o->sample.type, GG_TYPE_INT);
	assert_int_equal(o->sample.v.i, 22);
	assert_int_equal(bed_take(&b, "nm2/nt/a")->sample.aux, GG_REASON_WRONG_TYPE);
	assert_int_equal(bed_take(&b, "nm2/nt/a")->sample.aux, GG_REASON_OUT_OF_RANGE);
	assert_int_equal(bed_take(&b, "nm2/nt/a")->sample.v.i, -3);
	bed_done(&b);
}

static void a_unit_that_does_not_fit_is_told_with_its_place(void **state)
{
	(void)state;
	struct bed b;
	struct gg_error e = {0};
	uint32_t flow = bed_signal_with("nu/flow", (struct gg_signal_spec){.unit = "m3/h"});
	use(&b, "unitless", "select: 'nu/*'\nstages:\n  - deadband: 1\n  - normalise: { unit: degC }");
	assert_int_equal(gg_pipeline_join(b.pipeline, flow, &e), -ENOTSUP);
	assert_non_null(strstr(e.text, "nu/flow"));
	assert_non_null(strstr(e.text, "m3/h can't be converted to degC"));
	assert_int_equal(e.line, 6);
	assert_string_equal(e.file, "site.yaml");
	assert_true(bed_feed(&b, "nu/flow", 1, 1)); /* as if it had not been selected */
	assert_int_equal(b.keep[0], 0);
	bed_done(&b);
}

static void two_sources_cannot_share_a_name(void **state)
{
	(void)state;
	struct bed b;
	struct gg_error e = {0};
	use(&b, "same", "select: 'sm/*'\nstages: [{ normalise: { name: x } }]");
	assert_int_equal(gg_pipeline_join(b.pipeline, bed_signal("sm/a"), &e), 0);
	assert_int_equal(gg_pipeline_join(b.pipeline, bed_signal("sm/b"), &e), -EEXIST);
	assert_non_null(strstr(e.text, "same/x"));
	bed_done(&b);
}

static void text_survives_the_way(void **state)
{
	(void)state;
	struct bed b;
	use(&b, "txt", "select: 'tx/*'\nstages: [{ normalise: {} }]");
	bed_feed_text(&b, "tx/state", 1, "running");
	assert_string_equal(bed_take(&b, "txt/tx/state")->text, "running");
	bed_done(&b);
}

/* Outputs of one stage are inputs of the next, with state of their own. */
static void stages_behind_a_window_see_its_results(void **state)
{
	(void)state;
	struct bed b;
	use(&b, "chain",
		"select: 'cn/*'\nstages:\n  - window: { every: 1s, give: [mean, max] }\n  - deadband: 1\n  - "
		"window: { every: 10s, give: count }");
	for (int i = 0; i <= 20; i++)
		bed_feed(&b, "cn/a", i, i < 5 ? 0 : 10);
	assert_near(bed_value(&b, "chain/cn/a.mean.count"), 2); /* two levels in the first ten seconds */
	assert_near(bed_value(&b, "chain/cn/a.max.count"), 2);
	bed_done(&b);
}

static double noise(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (double)(*seed >> 40) / 16777216.0 - 0.5;
}

static void detect_tells_score_band_and_what_changed(void **state)
{
	(void)state;
	struct bed b;
	uint64_t seed = 1;
	bed_signal_with("det/t", (struct gg_signal_spec){.type = GG_TYPE_FLOAT, .unit = "degC"});
	use(&b, "watch", "select: 'det/*'\nstages: [detect]");
	for (int i = 0; i < 2000; i++)
		bed_feed(&b, "det/t", i, 20 + noise(&seed));
	b.events = 0;
	bed_feed(&b, "det/t", 2000, 35);
	assert_int_equal(b.events, 1);
	assert_non_null(strstr(b.event, "anomaly: det/t: jumped up from "));
	assert_non_null(strstr(b.event, " degC"));
	const struct bed_out *o, *score = NULL, *low = NULL, *text = NULL;
	size_t bands = 0;
	while ((o = bed_take(&b, "watch/det/t.score")))
		score = o;
	while ((o = bed_take(&b, "watch/det/t.low"))) {
		low = o;
		bands++;
	}
	while ((o = bed_take(&b, "watch/det/t.anomaly")))
		text = o;
	assert_true(score->sample.v.f >= 0.5 && score->sample.v.f <= 1);
	assert_true(low->sample.v.f > 19 && low->sample.v.f < 20);
	assert_true(bands < 1000); /* not one a sample */
	assert_non_null(strstr(text->text, "jumped up"));
	assert_null(bed_take(&b, "watch/det/t")); /* the samples are what they were: not said again */
	for (int i = 2001; i < 2200; i++)
		bed_feed(&b, "det/t", i, 20 + noise(&seed));
	assert_string_equal(b.event, "anomaly: clear");
	bed_done(&b);
}

static void detect_notices_silence_by_the_gateways_time(void **state)
{
	(void)state;
	struct bed b;
	uint64_t seed = 1;
	use(&b, "quiet", "select: 'qt/*'\nstages: [detect]");
	for (int i = 0; i < 200; i++)
		bed_feed_at(
			&b, "qt/a", 1e6 - i, 20 + noise(&seed), i); /* a device whose clock runs backwards */
	assert_int_equal(b.events, 0);
	int64_t due = gg_pipeline_due(b.pipeline);
	assert_true(due > 199 * GG_NS_PER_S && due < 300 * GG_NS_PER_S);
	for (int i = 0; i < 100 && b.events == 0; i++)
		bed_tick(&b, 200 + i);
	assert_non_null(strstr(b.event, "no-data: qt/a: no data for"));
	bed_feed(&b, "qt/a", 400, 20);
	assert_string_equal(b.event, "no-data: clear");
	bed_done(&b);
}

static void counts_what_goes_in_out_and_away(void **state)
{
	(void)state;
	struct bed b;
	use(&b, "met", "select: 'mt/*'\nstages:\n  - deadband: 1\n  - window: { every: 10s, give: count }");
	for (int i = 0; i < 100; i++)
		bed_feed(&b, "mt/a", i, i / 10 * 5);
	bed_feed(&b, "mt/a", 1, 1000); /* late */
	assert_near(gg_metrics_value("pipeline_in_total", "pipeline=\"met\",stage=\"deadband\""), 101);
	assert_near(gg_metrics_value("pipeline_out_total", "pipeline=\"met\",stage=\"deadband\""), 11);
	assert_near(gg_metrics_value(
			    "pipeline_dropped_total", "pipeline=\"met\",stage=\"deadband\",cause=\"filter\""),
		90);
	assert_near(gg_metrics_value(
			    "pipeline_dropped_total", "pipeline=\"met\",stage=\"window\",cause=\"late\""),
		1);
	assert_near(gg_metrics_value("pipeline_out_total", "pipeline=\"met\",stage=\"window\""), 9);
	bed_done(&b);
}

static struct gg_batch *batch_of(uint32_t signals, uint32_t count, int64_t from_ns, uint64_t *seed)
{
	struct gg_batch *batch = gg_batch_new(count, 0);
	for (uint32_t i = 0; i < count; i++) {
		char name[32];
		snprintf(name, sizeof name, "al/%u", i % signals);
		gg_batch_add_float(batch, bed_signal(name), from_ns + i * GG_NS_PER_MS, 20 + noise(seed));
	}
	return batch;
}

static void takes_no_memory_once_it_runs(void **state)
{
	(void)state;
	struct bed b;
	uint64_t seed = 1;
	use(&b, "alloc",
		"select: 'al/*'\nstages:\n  - normalise: { scale: 2 }\n  - duplicate: {}\n  - deadband: 0.1\n"
		"  - rate: 100000\n  - window: { every: 1s, give: [mean, p99] }\n  - detect: { missing: "
		"false }");
	struct gg_batch *batches[40];
	for (unsigned i = 0; i < GG_COUNT(batches); i++)
		batches[i] = batch_of(16, 1000, i * GG_NS_PER_S, &seed);
	for (unsigned i = 0; i < GG_COUNT(batches); i++) {
		counting = COUNTS && i >= 20;
		bed_run(&b, batches[i], i);
		counting = false;
	}
	assert_true(b.out_count > 0);
	assert_int_equal(allocations, 0);
	for (unsigned i = 0; i < GG_COUNT(batches); i++)
		gg_batch_unref(batches[i]);
	bed_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(carries_what_is_selected_and_not_excluded),
		TEST(never_selects_its_own_outputs),
		TEST(outputs_have_names_units_and_ranges),
		TEST(normalise_converts_scales_clamps_and_types),
		TEST(a_unit_that_does_not_fit_is_told_with_its_place),
		TEST(two_sources_cannot_share_a_name),
		TEST(text_survives_the_way),
		TEST(stages_behind_a_window_see_its_results),
		TEST(detect_tells_score_band_and_what_changed),
		TEST(detect_notices_silence_by_the_gateways_time),
		TEST(counts_what_goes_in_out_and_away),
		TEST(takes_no_memory_once_it_runs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
