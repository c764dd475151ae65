/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include "core/signals.h"
#include "pipeline/lua_file.h"
#include "pipeline/pipeline.h"
#include "pipeline/stages.h"

struct lua_options { /* as the stage's struct begins */
	struct gg_lua_options lua;
	struct gg_strings outputs;
	int on_error;
};

static struct gg_batch *derived;
static unsigned reports, clears;
static char said[300];

static void take(void *arg, struct gg_batch *b)
{
	(void)arg;
	gg_batch_unref(derived);
	derived = b;
}

static void on_event(void *arg, const struct gg_event_report *r)
{
	(void)arg;
	reports += !r->clear;
	clears += r->clear;
	gg_str_copy(said, sizeof said, r->title);
}

static struct gg_pipeline *make(const char *code, const char *output, int on_error, void *self)
{
	static const char *patterns[] = {"*"};
	static const char *names[1];
	struct lua_options o = {
		.lua = {.code = code, .function = "on_sample", .instructions = 10000, .memory = 1 << 20},
		.outputs = {names, output ? 1 : 0},
		.on_error = on_error};
	names[0] = output;
	memset(self, 0, gg_stage_lua.self_size);
	memcpy(self, &o, sizeof o);
	struct gg_pipeline_stage stage = {.component = &gg_stage_lua, .self = self};
	struct gg_pipeline_config config = {
		.name = "fn", .select = {patterns, 1}, .stages = &stage, .stage_count = 1, .event = on_event};
	struct gg_pipeline *p = NULL;
	struct gg_error e = {0};
	if (gg_pipeline_new(&config, &p, &e) < 0)
		fail_msg("%s", e.text);
	reports = clears = 0;
	return p;
}

static void feed(struct gg_pipeline *p, double value, int64_t now)
{
	static const struct gg_pipeline_sink sink = {.take = take};
	uint32_t signal = GG_NONE;
	struct gg_signal_spec spec = {.unit = "V", .type = GG_TYPE_FLOAT};
	assert_int_equal(gg_signal_make_full(GG_STR("a/u"), &spec, &signal), 0);
	struct gg_batch *b = gg_batch_new(1, 0);
	gg_batch_add_float(b, signal, now, value);
	derived = gg_batch_unref(derived);
	gg_pipeline_run(p, b, now, NULL, &sink);
	gg_batch_unref(b);
}

static const struct gg_sample *sample(const char *name)
{
	for (uint32_t i = 0; derived && i < derived->count; i++)
		if (gg_str_is(gg_signal(derived->samples[i].signal)->name, name))
			return &derived->samples[i];
	return NULL;
}

static void a_function_changes_drops_and_makes_samples(void **state)
{
	(void)state;
	void *self = calloc(1, gg_stage_lua.self_size);
	struct gg_pipeline *p = make("function on_sample(s)\n"
				     "  if s.value < 0 then return end\n"
				     "  if s.value == 7 then return 'seven' .. s.unit end\n"
				     "  state.n = (state.n or 0) + 1\n"
				     "  return { value = s.value * 2, count = state.n }\n"
				     "end",
		"count", 0, self);
	feed(p, 5, 1);
	assert_true(sample("fn/a/u")->v.f == 10);
	assert_int_equal(sample("fn/a/u.count")->v.i, 1);
	feed(p, -1, 2);
	assert_null(sample("fn/a/u"));
	feed(p, 7, 3);
	const struct gg_sample *s = sample("fn/a/u");
	assert_int_equal(s->type, GG_TYPE_STRING);
	check_str(gg_batch_text(derived, s), "sevenV");
	struct gg_buf b = GG_BUF(1 << 16);
	gg_pipeline_save(p, &b);
	gg_pipeline_free(p);
	p = make("function on_sample(s) return { count = state.n + 1 } end", "count", 0, self);
	struct gg_reader from = gg_reader(b.p, b.len);
	assert_int_equal(gg_pipeline_load(p, &from), 0);
	feed(p, 1, 4);
	assert_int_equal(sample("fn/a/u.count")->v.i, 2);
	assert_null(sample("fn/a/u"));
	assert_int_equal(reports, 0);
	gg_buf_done(&b);
	gg_pipeline_free(p);
	free(self);
}

static void a_failing_function_is_told_once(void **state)
{
	(void)state;
	void *self = calloc(1, gg_stage_lua.self_size);
	const char *code = "function on_sample(s)\n while s.value > 1 do end\n return 1\nend";
	struct gg_pipeline *p = make(code, NULL, 0, self);
	feed(p, 5, 1);
	feed(p, 5, 2);
	assert_int_equal(reports, 1);
	assert_non_null(strstr(said, "instructions"));
	assert_null(sample("fn/a/u"));
	for (int i = 0; i < 100; i++)
		feed(p, 0, 3 + i);
	assert_int_equal(clears, 1);
	gg_pipeline_free(p);
	p = make(code, NULL, 1, self);
	feed(p, 5, 1);
	assert_true(sample("fn/a/u")->v.f == 5);
	gg_pipeline_free(p);
	free(self);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_function_changes_drops_and_makes_samples),
		TEST(a_failing_function_is_told_once),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	gg_batch_unref(derived);
	return failed;
}
