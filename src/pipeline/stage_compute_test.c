/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include "core/signals.h"
#include "pipeline/expr.h"
#include "pipeline/pipeline.h"
#include "pipeline/stages.h"

#include <math.h>

struct output {
	const char *name, *formula, *unit;
};

static struct gg_batch *derived;

static void take(void *arg, struct gg_batch *b)
{
	(void)arg;
	gg_batch_unref(derived);
	derived = b;
}

static const struct gg_pipeline_sink sink = {.take = take};

static uint32_t signal_named(const char *name, const char *unit)
{
	uint32_t index = GG_NONE;
	struct gg_signal_spec spec = {.unit = unit, .type = GG_TYPE_FLOAT};
	assert_int_equal(gg_signal_make_full(gg_str(name), &spec, &index), 0);
	return index;
}

static int make(
	struct output *outputs, size_t count, void *self, struct gg_pipeline **ret_p, struct gg_error *e)
{
	static const char *patterns[] = {"*"};
	struct gg_many many = {outputs, count};
	memset(self, 0, gg_stage_compute.self_size);
	memcpy((char *)self + gg_stage_compute.options[0].offset, &many, sizeof many);
	struct gg_pipeline_stage stage = {.component = &gg_stage_compute, .self = self};
	struct gg_pipeline_config config = {
		.name = "made", .select = {patterns, 1}, .stages = &stage, .stage_count = 1};
	return gg_pipeline_new(&config, ret_p, e);
}

static void feed(struct gg_pipeline *p, const char *name, const char *unit, double value, int64_t now)
{
	struct gg_batch *b = gg_batch_new(1, 0);
	uint32_t signal = signal_named(name, unit);
	if (isnan(value))
		gg_batch_add_bad(b, signal, now, GG_REASON_TIMEOUT);
	else
		gg_batch_add_float(b, signal, now, value);
	derived = gg_batch_unref(derived);
	gg_pipeline_run(p, b, now, NULL, &sink);
	gg_batch_unref(b);
}

static void gives(const char *name, double value)
{
	assert_non_null(derived);
	for (uint32_t i = 0; i < derived->count; i++) {
		const struct gg_sample *s = &derived->samples[i];
		if (!gg_str_is(gg_signal(s->signal)->name, name))
			continue;
		assert_int_equal(s->quality, GG_GOOD);
		if (fabs(s->v.f - value) > 1e-9)
			fail_msg("%s is %f", name, s->v.f);
		return;
	}
	fail_msg("%s has not come", name);
}

static void computes_when_any_of_its_signals_changes(void **state)
{
	(void)state;
	void *self = calloc(1, gg_stage_compute.self_size);
	struct output o[] = {{"power", "a/u * a/i", "kW"}, {"rise", "a/out - a/in", NULL}};
	struct gg_pipeline *p = NULL;
	assert_int_equal(make(o, 2, self, &p, NULL), 0);
	feed(p, "a/u", "V", 230, 1);
	assert_null(derived);
	feed(p, "a/i", "A", 10, 2);
	gives("made/power", 2.3);
	assert_string_equal(gg_signal(gg_signal_find(GG_STR("made/power")))->unit, "kW");
	feed(p, "a/u", "V", 100, 3);
	gives("made/power", 1);
	feed(p, "a/out", "degC", 90, 4);
	feed(p, "a/in", "degF", 140, 5); /* 60 degC */
	gives("made/rise", 30);
	feed(p, "a/u", "V", NAN, 6);
	assert_int_equal(derived->samples[0].quality, GG_BAD);
	assert_int_equal(derived->samples[0].aux, GG_REASON_TIMEOUT);

	struct gg_buf b = GG_BUF(1 << 16);
	gg_pipeline_save(p, &b);
	gg_pipeline_free(p);
	assert_int_equal(make(o, 2, self, &p, NULL), 0);
	struct gg_reader from = gg_reader(b.p, b.len);
	assert_int_equal(gg_pipeline_load(p, &from), 0);
	gg_pipeline_wants(p, gg_signal_find(GG_STR("a/u")));
	feed(p, "a/out", "degC", 80, 7);
	feed(p, "a/in", "degF", 140, 8);
	gives("made/rise", 20);
	gg_buf_done(&b);
	gg_pipeline_free(p);
	free(self);
}

static void wildcards_give_an_output_for_each_binding(void **state)
{
	(void)state;
	void *self = calloc(1, gg_stage_compute.self_size);
	struct output o[] = {{"$1/share", "press-*/p / grid/p", NULL}};
	struct gg_pipeline *p = NULL;
	assert_int_equal(make(o, 1, self, &p, NULL), 0);
	feed(p, "press-1/p", "W", 20, 1);
	feed(p, "grid/p", "W", 100, 2);
	gives("made/1/share", 0.2);
	feed(p, "press-2/p", "W", 50, 3);
	gives("made/2/share", 0.5);
	feed(p, "grid/p", "W", 200, 4);
	gives("made/1/share", 0.1);
	gives("made/2/share", 0.25);
	gg_pipeline_free(p);
	free(self);
}

static void mistakes_are_explained(void **state)
{
	(void)state;
	static struct output wrong[] = {{"x", "1 + ", NULL}, {"x", "press-*/p", NULL}, {"x", "1 + 2", NULL},
		{"x", "a/b", "blub"}, {"x", "age(a/b)", NULL}};
	static const char *const words[] = {
		"column 5", "what they stand for", "no signal", "not known", "rules"};
	void *self = calloc(1, gg_stage_compute.self_size);
	for (size_t i = 0; i < GG_COUNT(wrong); i++) {
		struct gg_pipeline *p = NULL;
		struct gg_error e = {0};
		assert_int_equal(make(&wrong[i], 1, self, &p, &e), -EINVAL);
		if (!strstr(e.text, words[i]))
			fail_msg("%zu: %s", i, e.text);
	}
	free(self);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(computes_when_any_of_its_signals_changes),
		TEST(wildcards_give_an_output_for_each_binding),
		TEST(mistakes_are_explained),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	gg_batch_unref(derived);
	return failed;
}
