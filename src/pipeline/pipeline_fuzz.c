/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads bytes as a pipeline's checkpoint, runs samples and time through what came of it, saves and loads
 * again. What a pipeline has saved must load.
 */
#include "core/signals.h"
#include "pipeline/pipeline.h"
#include "pipeline/quantile.h"
#include "pipeline/stages_internal.h"

#include <assert.h>
#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void drop(void *arg, struct gg_batch *b)
{
	(void)arg;
	gg_batch_unref(b);
}

static const char *gives[] = {"mean", "p99", "count"};

struct selves {
	struct duplicate duplicate;
	struct deadband deadband;
	struct rate rate;
	struct detect detect;
	struct window hopping, session, sliding;
};

static struct gg_pipeline *make(struct selves *s, bool windows_first)
{
	static const char *select[] = {"fuzz/*"};
	const struct gg_strings all = {gives, 3};
	*s = (struct selves){.duplicate = {.remember = 4, .order = ORDER_DROP},
		.deadband = {.band = "1"},
		.rate = {.limit = 5},
		.detect = {.missing = true},
		.hopping = {.by = WINDOW_HOPPING,
			.every_ns = GG_NS_PER_S,
			.size_ns = 4 * GG_NS_PER_S,
			.give = all},
		.session = {.by = WINDOW_SESSION, .gap_ns = GG_NS_PER_S, .give = all},
		.sliding = {.by = WINDOW_SLIDING, .size_ns = 5 * GG_NS_PER_S, .give = {gives, 1}}};
	s->hopping.empty = EMPTY_LAST;
	const struct gg_pipeline_stage filters[] = {{&gg_stage_duplicate, &s->duplicate, NULL, NULL},
		{&gg_stage_deadband, &s->deadband, NULL, NULL}, {&gg_stage_rate, &s->rate, NULL, NULL},
		{&gg_stage_detect, &s->detect, NULL, NULL}};
	const struct gg_pipeline_stage windows[] = {{&gg_stage_window, &s->sliding, NULL, NULL},
		{&gg_stage_window, &s->hopping, NULL, NULL}, {&gg_stage_window, &s->session, NULL, NULL}};
	struct gg_pipeline_config config = {.name = "fuzzed",
		.select = {select, 1},
		.stages = windows_first ? windows : filters,
		.stage_count = windows_first ? GG_COUNT(windows) : GG_COUNT(filters)};
	struct gg_pipeline *p = NULL;
	struct gg_error e;
	int rc = gg_pipeline_new(&config, &p, &e);
	assert(rc == 0);
	return rc == 0 ? p : NULL;
}

static void exercise(struct gg_pipeline *p, uint32_t signal)
{
	const struct gg_pipeline_sink sink = {drop, NULL};
	for (int i = 0; i < 48; i++) {
		struct gg_batch *b = gg_batch_new(12, 16);
		int64_t at = i * GG_NS_PER_S / 3;
		for (int k = 0; k < 8; k++)
			gg_batch_add_float(b, signal, at + k, i % 7 * k);
		if (i % 16 == 15) {
			gg_batch_add_int(b, signal, at + 8, i);
			gg_batch_add_bool(b, signal, at + 9, true);
			gg_batch_add_string(b, signal, at + 10, GG_STR("on"));
			gg_batch_add_bad(b, signal, at + 11, GG_REASON_NOT_A_NUMBER);
		}
		gg_pipeline_run(p, b, at, NULL, &sink);
		gg_batch_unref(b);
	}
	gg_pipeline_tick(p, 20 * GG_NS_PER_S, &sink);
}

static void load_and_run(const uint8_t *data, size_t size, bool windows_first, uint32_t signal)
{
	struct selves one, two;
	struct gg_pipeline *p = make(&one, windows_first), *q = make(&two, windows_first);
	struct gg_reader r = gg_reader(data, size);
	(void)gg_pipeline_load(p, &r);
	exercise(p, signal);
	struct gg_buf saved = GG_BUF(4 << 20);
	gg_pipeline_save(p, &saved);
	r = gg_reader(saved.p, saved.len);
	int rc = saved.error ? 0 : gg_pipeline_load(q, &r);
	assert(rc == 0);
	(void)rc;
	gg_buf_done(&saved);
	gg_pipeline_free(p);
	gg_pipeline_free(q);
}

/* Any bytes as quantiles: what loads takes values, joins, stays in order, and saves to what loads. */
static void check_quantile(const uint8_t *data, size_t size)
{
	struct gg_quantile q, other;
	struct gg_reader r = gg_reader(data, size);
	struct gg_buf saved = GG_BUF(1 << 16);
	double before = -INFINITY;
	gg_quantile_clear(&q);
	gg_quantile_clear(&other);
	(void)gg_quantile_load(&q, &r);
	for (unsigned i = 0; i < 300; i++)
		gg_quantile_add(&other, size ? data[i % size] * (i + 1.0) : i);
	gg_quantile_merge(&q, &other);
	for (unsigned i = 0; i <= 10; i++) {
		double v = gg_quantile_get(&q, i / 10.0);
		assert(v >= before);
		before = v;
	}
	gg_quantile_save(&q, &saved);
	r = gg_reader(saved.p, saved.len);
	int rc = gg_quantile_load(&other, &r);
	assert(saved.error || rc == 0);
	(void)rc;
	gg_buf_done(&saved);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t signal;
	if (gg_signal_make_full(GG_STR("fuzz/a"), NULL, &signal) < 0)
		return 0;
	check_quantile(data, size);
	load_and_run(data, size, false, signal);
	load_and_run(data, size, true, signal);
	return 0;
}
