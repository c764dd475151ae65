/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which window a sample belongs to, and when windows end.
 *
 * By the samples' own times. A window ends when a sample comes whose time is past its end and the allowed
 * lateness, or when so much time has gone by: the time at the device, which is the newest sample's plus what
 * has passed at the gateway since it came. So a device whose clock is an hour off has its windows ended as
 * well as another.
 *
 *   panes    |  p0  |  p1  |  p2  |  p3  |          every
 *   hopping  [----- ends ---)                        size = 2 * every: p0 + p1
 *                   [---- ends next ---)             p1 + p2
 *
 * A sample all of whose windows have ended is late: dropped and counted. Sixteen late ones in a row with
 * advancing times say that the clock was set back: what is open ends, and windows begin anew at the new time,
 * the first of them marked uncertain. A jump forward ends what is open; of the empty windows in the gap at
 * most 64 are told.
 */
#include "pipeline/window_internal.h"

/* ---- tumbling and hopping ---- */

static struct pane *pane_at(const struct window *w, const struct window_slot *s, int64_t start)
{
	int64_t n = start / w->every_ns % w->panes;
	return &s->panes[n < 0 ? n + w->panes : n];
}

static void end_window(struct window *w, struct window_slot *s, struct gg_flow *flow)
{
	int64_t end = s->next_end, start = gg_time_sub(end, w->size_ns);
	struct pane *whole = pane_at(w, s, start);
	if (w->size_ns > w->every_ns) {
		pane_clear(w->sum);
		for (int64_t at = start; at < end; at = gg_time_add(at, w->every_ns))
			pane_merge(w->sum, pane_at(w, s, at));
		whole = w->sum;
	}
	window_emit(w, s, flow, whole, end);
	struct pane *oldest = pane_at(w, s, start);
	if (pane_used(oldest)) {
		pane_clear(oldest);
		s->filled--;
	}
	s->next_end = gg_time_add(end, w->every_ns);
}

/* Ends all windows that end at `bound` or before. By time alone it may stop for want of room and be called
 * again; for a sample it must come to its end, and what finds no room is counted as dropped. */
static void advance(
	struct window *w, struct window_slot *s, struct gg_flow *flow, int64_t bound, bool may_stop)
{
	unsigned empty = 0;
	while (s->next_end <= bound && s->next_end < INT64_MAX) {
		if (s->filled == 0 && (w->empty == EMPTY_NOTHING || empty++ >= WINDOW_FILL)) {
			s->next_end = gg_time_add(gg_time_floor(bound, w->every_ns), w->every_ns);
			break;
		}
		if (may_stop && gg_flow_room(flow) < w->give_count)
			return;
		end_window(w, s, flow);
	}
}

static void begin(const struct window *w, struct window_slot *s, int64_t t, int64_t now_ns)
{
	s->begun = true;
	s->newest_ns = t;
	s->seen_ns = now_ns;
	s->late_run = 0;
	s->next_end = gg_time_add(gg_time_floor(t, w->every_ns), w->every_ns);
}

/* A sample that is late: true when it is the one that says the clock was set back. */
static bool clock_was_set(struct window_slot *s, struct gg_flow *flow, int64_t t)
{
	s->late_run = s->late_run && t >= s->late_ns ? s->late_run + 1 : 1;
	s->late_ns = t;
	if (s->late_run < WINDOW_CLOCK) {
		gg_flow_dropped(flow, GG_DROP_LATE, 1);
		return false;
	}
	s->late_run = 0;
	return true;
}

static void put(struct pane *p, struct window_slot *s, const struct gg_sample *sample)
{
	if (!pane_used(p))
		s->filled++;
	if (sample->quality == GG_BAD)
		p->bad++;
	else
		pane_add(p, sample->time_ns, gg_sample_number(sample), sample->quality != GG_GOOD);
}

static void ring_sample(
	struct window *w, struct window_slot *s, struct gg_flow *flow, const struct gg_sample *sample)
{
	int64_t t = sample->time_ns;
	if (s->hot && t >= s->newest_ns && t < s->hot_end && gg_time_sub(t, w->late_ns) < s->next_end) {
		s->newest_ns = t; /* the usual case: the same pane as before, and no window ends */
		s->seen_ns = flow->now_ns;
		s->late_run = 0;
		put(s->hot, s, sample);
		return;
	}
	int64_t start = gg_time_floor(t, w->every_ns);
	s->hot = NULL;
	if (!s->begun)
		begin(w, s, t, flow->now_ns);
	if (gg_time_add(start, w->size_ns) < s->next_end) {
		if (!clock_was_set(s, flow, t))
			return;
		while (s->filled && s->next_end < INT64_MAX)
			end_window(w, s, flow);
		for (uint32_t i = 0; i < w->panes; i++)
			pane_clear(&s->panes[i]);
		s->filled = 0;
		begin(w, s, t, flow->now_ns);
		s->clock_set = true;
	}
	s->late_run = 0;
	if (t >= s->newest_ns) {
		s->newest_ns = t;
		s->seen_ns = flow->now_ns;
		advance(w, s, flow, gg_time_sub(t, w->late_ns), false);
	}
	struct pane *p = pane_at(w, s, start);
	put(p, s, sample);
	if (t >= s->newest_ns) {
		s->hot = p;
		s->hot_end = gg_time_add(start, w->every_ns);
	}
}

/* ---- sessions: a window lasts until a gap ---- */

static void end_session(struct window *w, struct window_slot *s, struct gg_flow *flow)
{
	if (s->filled)
		window_emit(w, s, flow, &s->panes[0], s->next_end);
	pane_clear(&s->panes[0]);
	s->filled = 0;
}

static void session_sample(
	struct window *w, struct window_slot *s, struct gg_flow *flow, const struct gg_sample *sample)
{
	struct pane *p = &s->panes[0];
	int64_t t = sample->time_ns;
	if (s->begun && t < s->newest_ns && (!s->filled || gg_time_sub(s->newest_ns, t) > w->gap_ns)) {
		if (!clock_was_set(s, flow, t))
			return;
		end_session(w, s, flow);
		s->clock_set = true;
		s->newest_ns = t;
	}
	s->late_run = 0;
	bool apart = gg_time_sub(t, s->next_end) > w->gap_ns;
	bool full = w->size_ns && p->count && gg_time_sub(t, p->first_ns) >= w->size_ns;
	if (s->filled && (apart || full))
		end_session(w, s, flow);
	if (!s->begun || t >= s->newest_ns) {
		s->newest_ns = t;
		s->seen_ns = flow->now_ns;
		s->next_end = t;
	}
	s->begun = true;
	put(p, s, sample);
}

/* ---- sliding: each sample tells of the time before it ---- */

static void sliding_sample(
	struct window *w, struct window_slot *s, struct gg_flow *flow, const struct gg_sample *sample)
{
	int64_t t = sample->time_ns;
	if (s->begun && t < gg_time_sub(s->newest_ns, w->late_ns)) {
		if (!clock_was_set(s, flow, t))
			return;
		s->sample_count = 0;
		s->clock_set = true;
		s->newest_ns = t;
	}
	s->late_run = 0;
	bool newest = !s->begun || t >= s->newest_ns;
	s->newest_ns = newest ? t : s->newest_ns;
	s->begun = true;
	int64_t start = gg_time_sub(s->newest_ns, w->size_ns);
	struct pane *p = &s->panes[0];
	pane_clear(p);
	if (s->sample_count == WINDOW_SAMPLES) { /* the oldest goes before its time */
		s->overrun = s->samples[0].time_ns > start;
		memmove(s->samples, s->samples + 1, (WINDOW_SAMPLES - 1) * sizeof *s->samples);
		s->sample_count--;
	}
	s->samples[s->sample_count++] = (struct window_sample){t, gg_sample_number(sample), sample->quality};
	uint32_t n = 0;
	for (uint32_t i = 0; i < s->sample_count; i++) {
		struct window_sample *at = &s->samples[i];
		if (at->time_ns <= start)
			continue;
		if (at->quality == GG_BAD)
			p->bad++;
		else
			pane_add(p, at->time_ns, at->value, at->quality != GG_GOOD);
		s->samples[n++] = *at;
	}
	s->sample_count = n;
	s->overrun = s->overrun && n + 1 >= WINDOW_SAMPLES;
	if (newest)
		window_emit(w, s, flow, p, t);
}

/* ---- both ---- */

void window_sample(
	struct window *w, struct window_slot *s, struct gg_flow *flow, const struct gg_sample *sample)
{
	if (w->by == WINDOW_SLIDING)
		sliding_sample(w, s, flow, sample);
	else if (w->by == WINDOW_SESSION)
		session_sample(w, s, flow, sample);
	else
		ring_sample(w, s, flow, sample);
}

int64_t window_slot_due(const struct window *w, const struct window_slot *s)
{
	if (!s->begun || w->by == WINDOW_SLIDING)
		return INT64_MAX;
	if (s->filled == 0 &&
		(w->empty == EMPTY_NOTHING || w->by == WINDOW_SESSION || s->next_end == INT64_MAX))
		return INT64_MAX;
	int64_t end = w->by == WINDOW_SESSION ? gg_time_add(s->next_end, w->gap_ns) : s->next_end;
	int64_t wait = gg_time_add(w->late_ns, w->grace_ns);
	int64_t ahead = gg_time_add(gg_time_sub(end, s->newest_ns), wait);
	return gg_time_add(s->seen_ns, ahead > 0 ? ahead : 1);
}

void window_tick(void *self, struct gg_flow *flow)
{
	struct window *w = self;
	int64_t due = INT64_MAX;
	for (uint32_t i = 0; i < w->slots.count; i++) {
		struct window_slot *s = &((struct window_slot *)(void *)w->slots.items)[i];
		int64_t its = window_slot_due(w, s);
		bool room = gg_flow_room(flow) >= w->give_count;
		if (its < INT64_MAX && its <= flow->now_ns && room) {
			int64_t there = gg_time_add(s->newest_ns, gg_time_sub(flow->now_ns, s->seen_ns));
			if (w->by == WINDOW_SESSION)
				end_session(w, s, flow);
			else
				advance(w, s, flow, gg_time_sub(there, gg_time_add(w->late_ns, w->grace_ns)),
					true);
			its = window_slot_due(w, s);
		}
		due = its < due ? its : due;
	}
	w->due_ns = due;
}
