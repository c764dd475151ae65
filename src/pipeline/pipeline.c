/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runtime of a pipeline: building it, and sending batches and ticks through it.
 *
 * Intake. The leading stages that are filters or keep no state run first; what leaves them is what the
 * journal needs. A filter's state must depend on nothing but that, or a replay would decide otherwise: so
 * when a filter with state is followed by another that may drop, the chain is asked sample by sample and each
 * filter is told only of what went through all (one_by_one). In the common cases (one filter; stateless ones
 * before it) that is not needed and each stage runs over the whole chunk.
 *
 * Derive. What intake lets through is gathered into chunks of 512, whatever it was among when it came in; so
 * the journalled rest of a batch gives exactly the order of samples that the whole batch gave.
 */
#include "base/clock.h"
#include "core/metrics.h"
#include "core/signals.h"
#include "pipeline/pipeline_internal.h"

#include <math.h>

/* ---- building ---- */

static bool stage_alters(const struct stage *s)
{
	if (s->ops->alters)
		return s->ops->alters(s->self);
	return !(s->ops->flags & GG_STAGE_FILTER);
}

static bool is_intake(const struct stage *s)
{
	return (s->ops->flags & (GG_STAGE_FILTER | GG_STAGE_NORMALISE)) != 0;
}

static void find_intake(struct gg_pipeline *p)
{
	bool state_before = false;
	while (p->leading < p->stage_count && is_intake(&p->stages[p->leading])) {
		const struct stage *s = &p->stages[p->leading++];
		if (s->ops->wants && state_before)
			p->one_by_one = true;
		state_before = state_before || s->ops->took;
	}
	for (uint32_t i = 0; i < p->stage_count; i++)
		p->alters = p->alters || stage_alters(&p->stages[i]) ||
			    (i > p->leading && (p->stages[i].ops->flags & GG_STAGE_FILTER));
	p->derives = p->alters || p->leading < p->stage_count;
}

static void stage_metrics(struct gg_pipeline *p, struct stage *s)
{
	static const char *const causes[GG_DROPS] = {"filter", "late", "type", "bad", "room"};
	char labels[400];
	char number[16] = "";
	if (s->ordinal)
		snprintf(number, sizeof number, "-%u", s->ordinal + 1);
	int n = snprintf(
		labels, sizeof labels, "pipeline=\"%s\",stage=\"%s%s\"", p->name, s->component->name, number);
	s->in = gg_metric_counter("pipeline_in_total", labels, "Samples that came to the stage");
	s->out = gg_metric_counter("pipeline_out_total", labels, "Samples that left the stage");
	for (int d = 0; d < GG_DROPS; d++) {
		snprintf(labels + n, sizeof labels - (size_t)n, ",cause=\"%s\"", causes[d]);
		s->drops[d] =
			gg_metric_counter("pipeline_dropped_total", labels, "Samples that the stage let go");
	}
}

static int begin_stage(struct gg_pipeline *p, const struct gg_pipeline_stage *from, struct gg_error *e)
{
	struct stage *s = &p->stages[p->stage_count];
	*s = (struct stage){.component = from->component,
		.ops = from->component->stage,
		.self = from->self,
		.at = from->at};
	for (uint32_t i = 0; i < p->stage_count; i++)
		s->ordinal += p->stages[i].component == s->component;
	stage_metrics(p, s);
	p->stage_count++;
	s->begun = true;
	int rc = s->component->init ? s->component->init(s->self, from->host, e) : 0;
	if (rc < 0) {
		gg_error_prefix(e, "pipeline %s: stage %s", p->name, s->component->name);
		if (s->at && e && !e->line)
			gg_error_at(e, s->at->file, s->at->line, s->at->column);
	}
	return rc;
}

static int copy_patterns(struct gg_pipeline *p, const struct gg_strings *from, const char *prefix)
{
	for (size_t i = 0; i < from->count; i++) {
		struct gg_buf text GG_CLEANUP(gg_buf_done) = GG_BUF(1024);
		gg_buf_printf(&text, "%s%s", prefix, from->items[i]);
		char *copy = text.error ? NULL : gg_str_dup(gg_buf_view(&text));
		if (!copy)
			return -ENOMEM;
		p->patterns[p->pattern_count++] = copy;
	}
	return 0;
}

static int take_patterns(struct gg_pipeline *p, const struct gg_pipeline_config *c)
{
	p->patterns = calloc(c->select.count + c->exclude.count + 1, sizeof *p->patterns);
	if (!p->patterns)
		return -ENOMEM;
	int rc = copy_patterns(p, &c->select, "");
	return rc ? rc : copy_patterns(p, &c->exclude, "!");
}

static int take_buffers(struct gg_pipeline *p)
{
	p->text = GG_BUF(PIPELINE_TEXT_MAX);
	p->out_text = GG_BUF(GG_BATCH_TAIL);
	if (!gg_buf_room(&p->text, 1024) || !gg_buf_room(&p->out_text, 1024))
		return -ENOMEM;
	int rc = run_reserve(&p->intake, 2 * PIPELINE_CHUNK);
	if (rc == 0)
		rc = run_reserve(&p->derive, 2 * PIPELINE_CHUNK);
	if (rc == 0)
		rc = run_reserve(&p->emitted, PIPELINE_CHUNK);
	return rc ? rc : run_reserve(&p->out, PIPELINE_CHUNK);
}

static int build(struct gg_pipeline *p, const struct gg_pipeline_config *c, struct gg_error *e)
{
	char label[200];
	p->config = *c;
	p->now_ns = INT64_MIN;
	p->due_ns = INT64_MAX;
	p->name = gg_str_dup(gg_str(c->name));
	p->stages = calloc(c->stage_count ? c->stage_count : 1, sizeof *p->stages);
	if (!p->name || !p->stages || take_patterns(p, c) < 0 || take_buffers(p) < 0)
		return gg_error_set(e, -ENOMEM, "out of memory");
	int rc = gg_device_make(gg_str(c->name), &p->device);
	if (rc < 0)
		return gg_error_set(e, rc, "pipeline %s: %s", c->name,
			rc == -EINVAL ? "a name has 1 to 128 letters without blanks, wildcards and '/'"
				      : "the limit of devices is reached");
	snprintf(label, sizeof label, "pipeline=\"%s\"", p->name);
	p->lost = gg_metric_counter("pipeline_lost_total", label, "Derived samples lost for want of memory");
	p->refused =
		gg_metric_counter("pipeline_refused_signals_total", label, "Signals no stage could take");
	p->latency = gg_metric_histogram("pipeline_seconds", label, "Time a batch took in the pipeline");
	for (size_t i = 0; rc == 0 && i < c->stage_count; i++)
		rc = begin_stage(p, &c->stages[i], e);
	find_intake(p);
	return rc;
}

int gg_pipeline_new(const struct gg_pipeline_config *config, struct gg_pipeline **ret_p, struct gg_error *e)
{
	if (config->stage_count > GG_PIPELINE_STAGES)
		return gg_error_set(e, -EINVAL, "pipeline %s: %zu stages, at most %d are possible",
			config->name, config->stage_count, GG_PIPELINE_STAGES);
	struct gg_pipeline *p = calloc(1, sizeof *p);
	int rc = p ? build(p, config, e) : gg_error_set(e, -ENOMEM, "out of memory");
	if (rc < 0) {
		gg_pipeline_free(p);
		return rc;
	}
	*ret_p = p;
	return 0;
}

struct gg_pipeline *gg_pipeline_free(struct gg_pipeline *p)
{
	if (!p)
		return NULL;
	for (uint32_t i = 0; i < p->stage_count; i++) {
		struct stage *s = &p->stages[i];
		if (s->begun && s->component->fini)
			s->component->fini(s->self);
		pipeline_waiting_done(s);
	}
	for (size_t i = 0; i < p->pattern_count; i++)
		free(p->patterns[i]);
	free(p->patterns);
	free(p->stages);
	pipeline_slots_done(p);
	run_done(&p->intake);
	run_done(&p->derive);
	run_done(&p->emitted);
	run_done(&p->out);
	gg_buf_done(&p->text);
	gg_buf_done(&p->out_text);
	free(p->name);
	free(p);
	return NULL;
}

const char *gg_pipeline_name(const struct gg_pipeline *p)
{
	return p->name;
}

uint32_t gg_pipeline_device(const struct gg_pipeline *p)
{
	return p->device;
}

/* ---- intake ---- */

/* Takes selected samples of the batch from `at` on until `most` have come; returns where to go on. */
static uint32_t fill(
	struct gg_pipeline *p, const struct gg_batch *b, uint32_t at, uint32_t most, uint8_t *keep)
{
	struct run_buffer *in = &p->intake;
	uint32_t end = in->count + most;
	for (; at < b->count && in->count < end; at++) {
		uint32_t slot = pipeline_slot(p, b->samples[at].signal);
		if (slot == SLOT_NO)
			continue;
		if (keep)
			keep[at] |= GG_KEEP_SELECTED;
		struct gg_sample *s = &in->samples[in->count];
		*s = b->samples[at];
		if (s->type == GG_TYPE_FLOAT && !isfinite(s->v.f)) {
			s->quality = GG_BAD;
			s->aux = GG_REASON_NOT_A_NUMBER;
		}
		in->slots[in->count] = slot;
		in->origins[in->count++] = at;
	}
	return at;
}

/* One sample through all leading filters; true when all want it, and then all have been told. */
static bool passes(struct gg_pipeline *p, struct gg_flow *one)
{
	struct gg_sample seen[GG_PIPELINE_STAGES];
	for (uint32_t k = 0; k < p->leading; k++) {
		struct stage *s = &p->stages[k];
		s->in_now++;
		if (s->ops->wants && !s->ops->wants(s->self, one, 0)) {
			s->drops_now[GG_DROP_FILTER]++;
			return false;
		}
		seen[k] = one->samples[0];
		s->out_now++;
		if (!s->ops->took) { /* without state: it may change the sample */
			p->current = s;
			s->ops->process(s->self, one);
			if (one->count == 0)
				return false;
		}
	}
	struct gg_sample last = one->samples[0];
	for (uint32_t k = 0; k < p->leading; k++) {
		if (p->stages[k].ops->took) {
			one->samples[0] = seen[k];
			p->stages[k].ops->took(p->stages[k].self, one, 0);
		}
	}
	one->samples[0] = last;
	return true;
}

static void filter_one_by_one(struct gg_pipeline *p, struct gg_flow *flow)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < flow->count; i++) {
		struct gg_flow one = *flow;
		one.samples += i;
		one.slots += i;
		one.origins += i;
		one.count = one.capacity = 1;
		if (passes(p, &one))
			gg_flow_move(flow, n++, i);
	}
	flow->count = n;
}

static void filter(struct gg_pipeline *p, uint32_t from, const struct gg_batch *b, uint8_t *keep)
{
	struct gg_flow flow = run_view(p, &p->intake, from, b);
	if (p->one_by_one)
		filter_one_by_one(p, &flow);
	else
		for (uint32_t k = 0; k < p->leading; k++)
			pipeline_stage_run(p, &p->stages[k], &flow);
	for (uint32_t i = 0; keep && i < flow.count; i++)
		keep[flow.origins[i]] |= GG_KEEP_WANTED;
	p->intake.count = from + flow.count;
}

/* ---- derive ---- */

/* What is in the derive buffer through the stages from `stage` on, and out. */
static void derive_from(
	struct gg_pipeline *p, uint32_t stage, const struct gg_batch *b, const struct gg_pipeline_sink *sink)
{
	for (uint32_t k = stage; k < p->stage_count; k++) {
		struct gg_flow flow = run_view(p, &p->derive, 0, b);
		pipeline_stage_run(p, &p->stages[k], &flow);
		p->derive.count = flow.count;
		pipeline_append_emitted(p, &p->derive);
	}
	struct gg_flow flow = run_view(p, &p->derive, 0, b);
	pipeline_gather(p, &flow, sink);
	gg_buf_clear(&p->text);
}

/* The first n of what intake let through. */
static void derive(
	struct gg_pipeline *p, uint32_t n, const struct gg_batch *b, const struct gg_pipeline_sink *sink)
{
	struct run_buffer *in = &p->intake, *to = &p->derive;
	if (p->derives) {
		memcpy(to->samples, in->samples, n * sizeof *to->samples);
		memcpy(to->slots, in->slots, n * sizeof *to->slots);
		memcpy(to->origins, in->origins, n * sizeof *to->origins);
		to->count = n;
		derive_from(p, p->leading, b, sink);
	}
	in->count -= n;
	memmove(in->samples, in->samples + n, in->count * sizeof *in->samples);
	memmove(in->slots, in->slots + n, in->count * sizeof *in->slots);
	memmove(in->origins, in->origins + n, in->count * sizeof *in->origins);
}

void pipeline_find_due(struct gg_pipeline *p)
{
	int64_t due = INT64_MAX;
	for (uint32_t k = 0; k < p->stage_count; k++) {
		const struct stage *s = &p->stages[k];
		if (s->ops->due) {
			int64_t its = s->ops->due(s->self);
			due = its < due ? its : due;
		}
	}
	p->due_ns = due;
}

/* Ticks of one stage until it wants no more; what they bring goes through the stages behind it. */
static void tick_stage(struct gg_pipeline *p, uint32_t k, const struct gg_pipeline_sink *sink)
{
	struct stage *s = &p->stages[k];
	while (s->ops->tick && s->ops->due) {
		int64_t due = s->ops->due(s->self);
		if (due == INT64_MAX || due > p->now_ns)
			break;
		struct gg_flow flow = run_view(p, &p->derive, p->derive.count, NULL);
		p->current = s;
		s->ops->tick(s->self, &flow);
		s->out_now += p->emitted.count;
		bool idle = p->emitted.count == 0;
		pipeline_append_emitted(p, &p->derive);
		derive_from(p, k + 1, NULL, sink);
		p->derive.count = 0;
		if (idle && s->ops->due(s->self) <= due)
			break; /* it has not moved on: don't ask it again before the next tick */
	}
}

static void tick_all(struct gg_pipeline *p, const struct gg_pipeline_sink *sink)
{
	p->derive.count = 0;
	for (uint32_t k = 0; k < p->stage_count; k++)
		tick_stage(p, k, sink);
	pipeline_find_due(p);
}

int64_t gg_pipeline_due(const struct gg_pipeline *p)
{
	return p->due_ns;
}

void gg_pipeline_tick(struct gg_pipeline *p, int64_t now_ns, const struct gg_pipeline_sink *sink)
{
	if (now_ns > p->now_ns)
		p->now_ns = now_ns;
	tick_all(p, sink);
	pipeline_flush(p, sink);
	pipeline_count(p);
}

void gg_pipeline_run(struct gg_pipeline *p, const struct gg_batch *batch, int64_t now_ns, uint8_t *keep,
	const struct gg_pipeline_sink *sink)
{
	int64_t began = gg_clock_monotonic(&gg_clock_system);
	if (now_ns > p->now_ns)
		p->now_ns = now_ns;
	if (p->due_ns < INT64_MAX && p->now_ns >= p->due_ns)
		tick_all(p, sink);
	p->intake.count = 0;
	for (uint32_t at = 0; at < batch->count;) {
		uint32_t from = p->intake.count;
		at = fill(p, batch, at, PIPELINE_CHUNK, keep);
		filter(p, from, batch, keep);
		while (p->intake.count >= PIPELINE_CHUNK)
			derive(p, PIPELINE_CHUNK, batch, sink);
	}
	if (p->intake.count)
		derive(p, p->intake.count, batch, sink);
	pipeline_find_due(p);
	pipeline_flush(p, sink);
	pipeline_count(p);
	gg_histogram_add(p->latency, gg_clock_monotonic(&gg_clock_system) - began);
}
