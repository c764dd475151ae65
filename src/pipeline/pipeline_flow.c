/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The buffers of a run: what stages emit, the strings they make, and the derived batch that is gathered at
 * the end. All of them grow to what is needed once and are then reused; all have a maximum.
 *
 * A string sample of a flow lies either in the tail of the batch or in the pipeline's text; the highest bit
 * of its offset tells (a tail has at most 16 MiB).
 */
#include "base/clock.h"
#include "base/log.h"
#include "core/metrics.h"
#include "pipeline/pipeline_internal.h"

void run_done(struct run_buffer *b)
{
	free(b->samples);
	free(b->slots);
	free(b->origins);
	*b = (struct run_buffer){0};
}

static void *resized(void *old, uint32_t count, size_t size, bool *ok)
{
	void *p = realloc(old, count * size);
	*ok = *ok && p;
	return p ? p : old;
}

/* Room for so many in all. Errors: -E2BIG, -ENOMEM. */
int run_reserve(struct run_buffer *b, uint32_t count)
{
	if (count <= b->capacity)
		return 0;
	if (count > PIPELINE_FLOW_MAX)
		return -E2BIG;
	uint32_t capacity = b->capacity ? b->capacity : PIPELINE_CHUNK;
	while (capacity < count)
		capacity *= 2;
	bool ok = true;
	b->samples = resized(b->samples, capacity, sizeof *b->samples, &ok);
	b->slots = resized(b->slots, capacity, sizeof *b->slots, &ok);
	b->origins = resized(b->origins, capacity, sizeof *b->origins, &ok);
	if (!ok)
		return -ENOMEM;
	b->capacity = capacity;
	return 0;
}

struct gg_flow run_view(
	struct gg_pipeline *p, struct run_buffer *b, uint32_t from, const struct gg_batch *batch)
{
	return (struct gg_flow){.samples = b->samples + from,
		.slots = b->slots + from,
		.origins = b->origins + from,
		.count = b->count - from,
		.capacity = b->capacity - from,
		.batch = batch,
		.now_ns = p->now_ns,
		.pipeline = p};
}

/* ---- what stages call ---- */

int gg_flow_emit(struct gg_flow *flow, uint32_t slot, const struct gg_sample *s)
{
	struct gg_pipeline *p = flow->pipeline;
	struct run_buffer *e = &p->emitted;
	if (e->count == e->capacity && run_reserve(e, e->count + 1) < 0) {
		p->current->drops_now[GG_DROP_ROOM]++;
		return -E2BIG;
	}
	e->samples[e->count] = *s;
	e->samples[e->count].signal = p->slots[slot].info->index;
	e->slots[e->count] = slot;
	e->origins[e->count++] = GG_NONE;
	return 0;
}

uint32_t gg_flow_room(const struct gg_flow *flow)
{
	uint32_t used = flow->count + flow->pipeline->emitted.count;
	return used < PIPELINE_FLOW_MAX ? PIPELINE_FLOW_MAX - used : 0;
}

struct gg_str gg_flow_text(const struct gg_flow *flow, const struct gg_sample *s)
{
	uint32_t off = s->v.blob.off;
	if (off & PIPELINE_TEXT_FLAG)
		return gg_str_n(flow->pipeline->text.p + (off & ~PIPELINE_TEXT_FLAG), s->v.blob.len);
	return flow->batch ? gg_batch_text(flow->batch, s) : GG_STR("");
}

int gg_flow_put_text(struct gg_flow *flow, struct gg_sample *s, struct gg_str text)
{
	struct gg_buf *to = &flow->pipeline->text;
	size_t off = to->len;
	if (to->error || text.len > to->max - off)
		return -E2BIG;
	gg_buf_str(to, text);
	if (to->error)
		return -E2BIG;
	s->type = GG_TYPE_STRING;
	s->v.blob.off = (uint32_t)off | PIPELINE_TEXT_FLAG;
	s->v.blob.len = (uint32_t)text.len;
	return 0;
}

void gg_flow_dropped(struct gg_flow *flow, enum gg_drop why, uint32_t count)
{
	flow->pipeline->current->drops_now[why] += count;
}

void gg_flow_report(struct gg_flow *flow, const struct gg_event_report *r)
{
	const struct gg_pipeline_config *c = &flow->pipeline->config;
	if (c->event)
		c->event(c->arg, r);
}

/* ---- a stage's turn ---- */

static uint64_t told(const struct stage *s)
{
	uint64_t n = 0;
	for (int i = 0; i < GG_DROPS; i++)
		n += s->drops_now[i];
	return n;
}

void pipeline_stage_run(struct gg_pipeline *p, struct stage *s, struct gg_flow *flow)
{
	p->current = s;
	uint32_t before = flow->count, emitted = p->emitted.count;
	uint64_t told_before = told(s);
	s->ops->process(s->self, flow);
	s->in_now += before;
	s->out_now += flow->count + (p->emitted.count - emitted);
	uint64_t gone = before - flow->count, said = told(s) - told_before;
	if (!(s->ops->flags & GG_STAGE_REPLACES) && gone > said)
		s->drops_now[GG_DROP_FILTER] += gone - said;
}

/* Puts what was emitted behind what went through. */
void pipeline_append_emitted(struct gg_pipeline *p, struct run_buffer *b)
{
	struct run_buffer *e = &p->emitted;
	uint32_t n = e->count;
	e->count = 0;
	if (n == 0)
		return;
	if (run_reserve(b, b->count + n) < 0) {
		uint32_t room = b->capacity - b->count;
		p->current->drops_now[GG_DROP_ROOM] += n - room;
		n = room;
	}
	memcpy(b->samples + b->count, e->samples, n * sizeof *e->samples);
	memcpy(b->slots + b->count, e->slots, n * sizeof *e->slots);
	memcpy(b->origins + b->count, e->origins, n * sizeof *e->origins);
	b->count += n;
}

/* ---- the derived batch ---- */

static bool gather_text(struct gg_pipeline *p, const struct gg_flow *flow, struct gg_sample *s)
{
	struct gg_str text = gg_flow_text(flow, s);
	size_t off = p->out_text.len;
	gg_buf_str(&p->out_text, text);
	if (p->out_text.error)
		return false;
	s->v.blob.off = (uint32_t)off;
	return true;
}

static void gather_one(struct gg_pipeline *p, const struct gg_flow *flow, uint32_t i)
{
	uint32_t out = p->slots[flow->slots[i]].out;
	if (out == GG_NONE)
		return;
	struct gg_sample *to = &p->out.samples[p->out.count];
	*to = flow->samples[i];
	to->signal = out;
	if (to->type >= GG_TYPE_STRING && !gather_text(p, flow, to)) {
		gg_count(p->lost, 1);
		return;
	}
	p->out.count++;
}

void pipeline_gather(struct gg_pipeline *p, const struct gg_flow *flow, const struct gg_pipeline_sink *sink)
{
	for (uint32_t i = 0; i < flow->count;) {
		uint32_t n = flow->count - i;
		if (p->out.count + n > GG_BATCH_SAMPLES || p->out_text.len > GG_BATCH_TAIL / 2)
			pipeline_flush(p, sink);
		if (run_reserve(&p->out, p->out.count + n) < 0) {
			gg_count(p->lost, n);
			return;
		}
		for (uint32_t end = i + n; i < end; i++)
			gather_one(p, flow, i);
	}
}

/* Hands over what this run has made. */
void pipeline_flush(struct gg_pipeline *p, const struct gg_pipeline_sink *sink)
{
	struct run_buffer *o = &p->out;
	if (o->count && sink) {
		struct gg_batch *b = gg_batch_new_urgent(o->count, (uint32_t)p->out_text.len);
		if (b) {
			memcpy(b->samples, o->samples, o->count * sizeof *o->samples);
			b->count = o->count;
			if (p->out_text.len)
				memcpy(b->tail, p->out_text.p, p->out_text.len);
			b->tail_len = (uint32_t)p->out_text.len;
			b->kind = GG_BATCH_DERIVED;
			b->device = p->device;
			b->received_ns = p->now_ns;
			b->arrived_mono_ns = gg_clock_monotonic(&gg_clock_system);
			sink->take(sink->arg, b);
		} else {
			gg_count(p->lost, o->count);
			gg_log(GG_WARN, p->name, "no memory for what the pipeline made, it is lost",
				GG_I("samples", o->count));
		}
	}
	o->count = 0;
	gg_buf_clear(&p->out_text);
}

static void add_up(struct gg_counter *c, uint64_t *n)
{
	if (*n)
		gg_count(c, *n);
	*n = 0;
}

/* Numbers of this run into the counters everybody sees. */
void pipeline_count(struct gg_pipeline *p)
{
	for (uint32_t i = 0; i < p->stage_count; i++) {
		struct stage *s = &p->stages[i];
		add_up(s->in, &s->in_now);
		add_up(s->out, &s->out_now);
		for (int d = 0; d < GG_DROPS; d++)
			add_up(s->drops[d], &s->drops_now[d]);
	}
}
