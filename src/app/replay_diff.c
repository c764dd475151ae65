/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a signal was, against what it would have been. Both sides arrive as streams, the replayed one a little
 * ahead; each signal has a queue per side, of which one is empty most of the time. Samples are paired by
 * time; one whose time the other side has passed has no like. Bounded: a queue that is full gives up its
 * oldest.
 */
#include "app/replay.h"

#include <math.h>

static int make_room(struct gg_diff *d, uint32_t signal)
{
	if (signal < d->count)
		return 0;
	uint32_t count = d->count ? d->count : 256;
	while (count <= signal)
		count *= 2;
	struct gg_diff_signal *all = realloc(d->signals, count * sizeof *all);
	if (!all)
		return -ENOMEM;
	memset(all + d->count, 0, (count - d->count) * sizeof *all);
	d->signals = all;
	d->count = count;
	return 0;
}

static struct gg_diff_row row_of(const struct gg_batch *b, const struct gg_sample *s)
{
	struct gg_diff_row r = {.time_ns = s->time_ns,
		.number = gg_sample_number(s),
		.aux = s->aux,
		.type = s->type,
		.quality = s->quality};
	if (s->type == GG_TYPE_STRING || s->type == GG_TYPE_BYTES)
		r.bits = gg_hash_stable(gg_batch_text(b, s));
	else if (s->type == GG_TYPE_BOOL)
		r.bits = s->v.b;
	else
		r.bits = s->type == GG_TYPE_NONE ? 0 : s->v.u;
	return r;
}

static bool equal(const struct gg_diff_row *a, const struct gg_diff_row *b)
{
	return a->bits == b->bits && a->type == b->type && a->quality == b->quality && a->aux == b->aux;
}

static void differs(struct gg_diff_signal *s, int64_t time_ns, double was, double would)
{
	if (s->differs && s->first_ns <= time_ns)
		return;
	s->differs = true;
	s->first_ns = time_ns;
	s->was = was;
	s->would = would;
}

static struct gg_diff_row *front(struct gg_diff_queue *q)
{
	return &q->rows[q->first];
}

static void pop(struct gg_diff_queue *q)
{
	q->first = (q->first + 1) % q->cap;
	q->count--;
}

static void alone(struct gg_diff_signal *s, enum gg_side side)
{
	const struct gg_diff_row *r = front(&s->queue[side]);
	s->only[side]++;
	differs(s, r->time_ns, side == GG_HAPPENED ? r->number : NAN, side == GG_REPLAYED ? r->number : NAN);
	pop(&s->queue[side]);
}

static int push(struct gg_diff_queue *q, const struct gg_diff_row *r)
{
	if (q->count == q->cap) {
		uint32_t cap = q->cap ? q->cap * 2 : 16;
		struct gg_diff_row *rows = malloc(cap * sizeof *rows);
		if (!rows)
			return -ENOMEM;
		for (uint32_t i = 0; i < q->count; i++)
			rows[i] = q->rows[(q->first + i) % q->cap];
		free(q->rows);
		*q = (struct gg_diff_queue){rows, 0, q->count, cap};
	}
	q->rows[(q->first + q->count++) % q->cap] = *r;
	return 0;
}

static void pair(struct gg_diff_signal *s)
{
	struct gg_diff_queue *was = &s->queue[GG_HAPPENED], *would = &s->queue[GG_REPLAYED];
	while (was->count && would->count) {
		const struct gg_diff_row *a = front(was), *b = front(would);
		if (a->time_ns != b->time_ns) {
			alone(s, a->time_ns < b->time_ns ? GG_HAPPENED : GG_REPLAYED);
			continue;
		}
		if (equal(a, b)) {
			s->same++;
		} else {
			s->changed++;
			differs(s, a->time_ns, a->number, b->number);
		}
		pop(was);
		pop(would);
	}
}

void gg_diff_add(struct gg_diff *d, enum gg_side side, const struct gg_batch *b)
{
	for (uint32_t i = 0; i < b->count; i++) {
		const struct gg_sample *sample = &b->samples[i];
		const struct gg_signal_info *info = gg_signal(sample->signal);
		if (!info || make_room(d, sample->signal) < 0) {
			d->error = -ENOMEM;
			return;
		}
		struct gg_diff_signal *s = &d->signals[sample->signal];
		struct gg_diff_row row = row_of(b, sample);
		s->name = info->name;
		s->total[side]++;
		if (s->queue[side].count == GG_REPLAY_QUEUE)
			alone(s, side);
		if (push(&s->queue[side], &row) < 0)
			d->error = -ENOMEM;
		pair(s);
	}
}

void gg_diff_finish(struct gg_diff *d)
{
	for (uint32_t i = 0; i < d->count; i++)
		for (int side = 0; side < 2; side++)
			while (d->signals[i].queue[side].count)
				alone(&d->signals[i], (enum gg_side)side);
}

void gg_diff_done(struct gg_diff *d)
{
	for (uint32_t i = 0; i < d->count; i++) {
		free(d->signals[i].queue[0].rows);
		free(d->signals[i].queue[1].rows);
	}
	free(d->signals);
	*d = (struct gg_diff){0};
}
