/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bed for pipelines: made from YAML as a configuration would, fed by hand, with what comes out kept by
 * name.
 *
 *   struct bed b = bed_new("heat", "select: '*'\nstages: [{ deadband: 0.2 }]");
 *   bed_feed(&b, "boiler/temperature", 12.5 s, 21.5);  bed_tick(&b, 60);  bed_take(&b, "heat/...", &out);
 */
#ifndef GG_TESTS_PIPELINE_BED_H
#define GG_TESTS_PIPELINE_BED_H

#include "check.h"
#include "core/signals.h"
#include "core/site.h"
#include "core/value.h"
#include "pipeline/pipeline.h"
#include "pipeline/stages.h"

#include <math.h>

enum { BED_OUT = 40000, BED_TEXT = 120, BED_BATCH = 4096, BED_SELVES = 32 };

struct bed_out {
	struct gg_sample sample;
	char text[BED_TEXT];
	bool taken;
};

struct bed {
	struct gg_arena arena;
	struct gg_pipeline *pipeline;
	struct gg_error error; /* of gg_pipeline_new() */
	void *selves[BED_SELVES];
	size_t self_count;
	struct bed_out *out;
	size_t out_count, batches;
	uint8_t keep[BED_BATCH]; /* of the latest batch */
	char event[400];         /* the latest, "kind: title" or "kind: clear" */
	size_t events;
};

static const struct gg_component *const bed_components[] = {&gg_stage_normalise, &gg_stage_deadband,
	&gg_stage_change, &gg_stage_range, &gg_stage_rate, &gg_stage_duplicate, &gg_stage_throttle,
	&gg_stage_window, &gg_stage_detect, &gg_stage_compute, &gg_stage_lua, NULL};

static inline int64_t bed_ns(double s)
{
	return (int64_t)llround(s * 1e9);
}

static inline void bed_collect(void *arg, struct gg_batch *derived)
{
	struct bed *b = arg;
	b->batches++;
	assert_int_equal(derived->kind, GG_BATCH_DERIVED);
	for (uint32_t i = 0; i < derived->count && b->out && b->out_count < BED_OUT; i++) {
		struct bed_out *o = &b->out[b->out_count++];
		o->sample = derived->samples[i];
		if (o->sample.type == GG_TYPE_STRING)
			gg_str_copy(o->text, sizeof o->text, gg_batch_text(derived, &o->sample));
	}
	gg_batch_unref(derived);
}

static inline void bed_event(void *arg, const struct gg_event_report *r)
{
	struct bed *b = arg;
	b->events++;
	snprintf(b->event, sizeof b->event, "%s: %.*s", r->kind, r->clear ? 5 : (int)r->title.len,
		r->clear ? "clear" : r->title.p);
}

static inline void bed_make(struct bed *b, const char *name, const struct gg_site_pipeline *site)
{
	struct gg_pipeline_stage stages[BED_SELVES];
	struct gg_problems problems = {0};
	for (size_t i = 0; i < site->stages.count; i++) {
		const struct gg_instance_config *c = &site->stages.items[i];
		void *self = b->selves[b->self_count++] = calloc(1, c->component->self_size);
		gg_options_fill(c->component->options, self, c->value, &b->arena, &problems);
		stages[i] = (struct gg_pipeline_stage){c->component, self, NULL, c->place};
	}
	gg_problems_done(&problems);
	struct gg_pipeline_config config = {.name = name,
		.select = site->select,
		.exclude = site->exclude,
		.stages = stages,
		.stage_count = site->stages.count,
		.event = bed_event,
		.arg = b};
	gg_pipeline_new(&config, &b->pipeline, &b->error);
}

/* May fail: then pipeline is NULL and error says why. */
static inline void bed_init(struct bed *b, const char *name, const char *yaml)
{
	char text[4096] = "pipelines:\n  it:\n    ";
	for (const char *p = yaml; *p; p++) {
		size_t n = strlen(text);
		snprintf(text + n, sizeof text - n, *p == '\n' ? "%c    " : "%c", *p);
	}
	struct gg_problems problems = {0};
	struct gg_value *value = NULL;
	struct gg_site site = {0};
	memset(b, 0, sizeof *b);
	b->arena = GG_ARENA(4 << 20);
	b->out = calloc(BED_OUT, sizeof *b->out);
	gg_components_set(bed_components);
	gg_value_parse(&b->arena, "site.yaml", gg_str(text), NULL, &problems, &value);
	gg_options_fill(gg_site_options, &site, value, &b->arena, &problems);
	if (problems.count) {
		b->error = problems.items[0];
	} else {
		bed_make(b, name, site.pipelines.items);
	}
	gg_problems_done(&problems);
}

static inline void bed_done(struct bed *b)
{
	gg_pipeline_free(b->pipeline);
	for (size_t i = 0; i < b->self_count; i++)
		free(b->selves[i]);
	free(b->out);
	gg_arena_done(&b->arena);
}

static inline struct gg_pipeline_sink bed_sink(struct bed *b)
{
	return (struct gg_pipeline_sink){bed_collect, b};
}

static inline uint32_t bed_signal(const char *name)
{
	uint32_t signal;
	assert_int_equal(gg_signal_make_full(gg_str(name), NULL, &signal), 0);
	return signal;
}

static inline uint32_t bed_signal_with(const char *name, struct gg_signal_spec spec)
{
	uint32_t signal;
	assert_int_equal(gg_signal_make_full(gg_str(name), &spec, &signal), 0);
	return signal;
}

static inline void bed_run(struct bed *b, const struct gg_batch *batch, double now_s)
{
	struct gg_pipeline_sink sink = bed_sink(b);
	memset(b->keep, 0, sizeof b->keep);
	gg_pipeline_run(b->pipeline, batch, bed_ns(now_s), b->keep, &sink);
}

/* One sample, taken in at now_s; returns whether it is to be kept. */
static inline bool bed_feed_sample(struct bed *b, struct gg_sample s, const char *text, double now_s)
{
	struct gg_batch *batch = gg_batch_new(1, 256);
	if (text) {
		assert_int_equal(gg_batch_add_string(batch, s.signal, s.time_ns, gg_str(text)), 0);
	} else {
		gg_batch_add(batch, &s);
	}
	batch->samples[0].quality = s.quality;
	batch->samples[0].aux = s.aux;
	bed_run(b, batch, now_s);
	gg_batch_unref(batch);
	return gg_keep(b->keep[0]);
}

static inline bool bed_feed_at(struct bed *b, const char *name, double time_s, double value, double now_s)
{
	struct gg_sample s = {
		.time_ns = bed_ns(time_s), .signal = bed_signal(name), .type = GG_TYPE_FLOAT, .v.f = value};
	return bed_feed_sample(b, s, NULL, now_s);
}

static inline bool bed_feed(struct bed *b, const char *name, double time_s, double value)
{
	return bed_feed_at(b, name, time_s, value, time_s);
}

static inline bool bed_feed_bad(struct bed *b, const char *name, double time_s, enum gg_reason reason)
{
	struct gg_sample s = {.time_ns = bed_ns(time_s),
		.signal = bed_signal(name),
		.quality = GG_BAD,
		.aux = (uint16_t)reason};
	return bed_feed_sample(b, s, NULL, time_s);
}

static inline bool bed_feed_text(struct bed *b, const char *name, double time_s, const char *text)
{
	struct gg_sample s = {.time_ns = bed_ns(time_s), .signal = bed_signal(name)};
	return bed_feed_sample(b, s, text, time_s);
}

static inline void bed_tick(struct bed *b, double now_s)
{
	struct gg_pipeline_sink sink = bed_sink(b);
	gg_pipeline_tick(b->pipeline, bed_ns(now_s), &sink);
}

/* The next output of that name that has not been taken; NULL when there is none. */
static inline const struct bed_out *bed_take(struct bed *b, const char *name)
{
	uint32_t signal = gg_signal_find(gg_str(name));
	for (size_t i = 0; i < b->out_count; i++) {
		struct bed_out *o = &b->out[i];
		if (!o->taken && o->sample.signal == signal) {
			o->taken = true;
			return o;
		}
	}
	return NULL;
}

/* The value of the next output of that name; NaN when there is none. */
static inline double bed_value(struct bed *b, const char *name)
{
	const struct bed_out *o = bed_take(b, name);
	return o ? gg_sample_number(&o->sample) : NAN;
}

#define assert_near(value, expected)                                                                         \
	do {                                                                                                 \
		double value_ = (value), expected_ = (expected);                                             \
		if (!(fabs(value_ - expected_) < 1e-9))                                                      \
			fail_msg("%s is %.12g, expected %.12g", #value, value_, expected_);                  \
	} while (0)

#endif
