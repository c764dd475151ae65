/* SPDX-License-Identifier: Apache-2.0 */
/*
 * window: numbers of a stretch of time become few: mean, p99, count, ... Samples go in, only results come
 * out, each under a signal of its own ("heat/boiler/temperature.mean"), stamped with the end of the window.
 *
 *   tumbling   one window after the other, each `every` long, on full multiples of it since 1970 (UTC)
 *   hopping    windows `size` long, one each `every`
 *   sliding    for each sample, the `size` before it (at most 1024 samples)
 *   session    as long as samples come less than `gap` apart (at most `size`, if given)
 *
 * Bad samples are left out and make the result uncertain ("data were missing"); with nothing but bad ones it
 * is bad. Samples that are no numbers are left out and counted. window_time.c says when windows end and what
 * is late.
 */
#include "base/map.h"
#include "pipeline/state_io.h"
#include "pipeline/window_internal.h"

#include <math.h>

/* ---- options ---- */

static int read_give(struct window *w, const char *name, struct gg_error *e)
{
	static const char *const names[] = {
		"count", "sum", "mean", "min", "max", "range", "first", "last", "stddev"};
	struct window_give *g = &w->gives[w->give_count];
	double percent;
	if (w->give_count == WINDOW_GIVES)
		return gg_error_set(e, -EINVAL, "give: at most %d are possible", WINDOW_GIVES);
	for (size_t i = 0; i < GG_COUNT(names); i++)
		if (strcmp(name, names[i]) == 0)
			g->what = (enum window_what)i, g->q = -1;
	if (strcmp(name, "median") == 0) {
		*g = (struct window_give){.what = GIVE_QUANTILE, .q = 0.5};
	} else if (name[0] == 'p' && gg_parse_float(gg_str(name + 1), &percent) == 0 && percent >= 0 &&
		   percent <= 100 && strlen(name) < sizeof g->suffix - 1) {
		*g = (struct window_give){.what = GIVE_QUANTILE, .q = percent / 100};
	} else if (!(g->q < 0)) {
		return gg_error_set(e, -EINVAL,
			"give: \"%s\" is none of count, sum, mean, min, max, range, first, last, stddev, "
			"median, p90, "
			"p99, p99.9, ...",
			name);
	}
	snprintf(g->suffix, sizeof g->suffix, ".%s", name);
	for (uint32_t i = 0; i < w->give_count; i++)
		if (strcmp(w->gives[i].suffix, g->suffix) == 0)
			return gg_error_set(e, -EINVAL, "give: \"%s\" is asked for twice", name);
	w->quantiles = w->quantiles || g->what == GIVE_QUANTILE;
	w->give_count++;
	return 0;
}

static int check_times(struct window *w, struct gg_error *e)
{
	static const char *const needs[] = {"every", "every", "size", "gap"};
	const int64_t given[] = {w->every_ns, w->every_ns, w->size_ns, w->gap_ns};
	if (given[w->by] <= 0)
		return gg_error_set(e, -EINVAL, "%s is missing", needs[w->by]);
	if (w->by == WINDOW_TUMBLING && w->size_ns && w->size_ns != w->every_ns)
		return gg_error_set(
			e, -EINVAL, "windows longer than every overlap: say by: hopping, or leave size out");
	if (w->by == WINDOW_TUMBLING)
		w->size_ns = w->every_ns;
	if (!window_rings(w)) {
		w->panes = 1;
		return 0;
	}
	if (w->size_ns < w->every_ns || w->size_ns % w->every_ns)
		return gg_error_set(e, -EINVAL, "size must be a multiple of every");
	int64_t panes = w->size_ns / w->every_ns + w->late_ns / w->every_ns + 2;
	if (panes > WINDOW_PANES)
		return gg_error_set(
			e, -EINVAL, "size and late together are more than %d times every", WINDOW_PANES - 2);
	w->panes = (uint32_t)panes;
	return 0;
}

static struct pane *panes_new(uint32_t count, bool quantiles)
{
	struct pane *panes = calloc(count, sizeof *panes);
	struct gg_quantile *digests = quantiles ? calloc(count, sizeof *digests) : NULL;
	if (!panes || (quantiles && !digests)) {
		free(panes);
		free(digests);
		return NULL;
	}
	for (uint32_t i = 0; i < count; i++) {
		panes[i].q = quantiles ? &digests[i] : NULL;
		pane_clear(&panes[i]);
	}
	return panes;
}

static void panes_free(struct pane *panes)
{
	if (panes)
		free(panes[0].q);
	free(panes);
}

static int window_init(void *self, struct gg_host *host, struct gg_error *e)
{
	struct window *w = self;
	(void)host;
	int rc = check_times(w, e);
	for (size_t i = 0; rc == 0 && i < w->give.count; i++)
		rc = read_give(w, w->give.items[i], e);
	if (rc == 0 && w->give_count == 0)
		rc = read_give(w, "mean", e);
	if (rc < 0)
		return rc;
	w->due_ns = INT64_MAX;
	int64_t span = w->by == WINDOW_SESSION ? w->gap_ns : w->every_ns;
	w->grace_ns = span / 20 < GG_NS_PER_S ? span / 20 : GG_NS_PER_S;
	w->sum = panes_new(1, w->quantiles);
	if (!w->sum)
		return gg_error_set(e, -ENOMEM, "out of memory");
	char shape[160];
	int n = snprintf(shape, sizeof shape, "%d %lld %lld %lld %lld %d", w->by, (long long)w->every_ns,
		(long long)w->size_ns, (long long)w->gap_ns, (long long)w->late_ns, w->quantiles);
	w->shape = gg_hash_stable(gg_str_n(shape, (size_t)n));
	return 0;
}

static void window_fini(void *self)
{
	struct window *w = self;
	for (uint32_t i = 0; i < w->slots.count; i++) {
		struct window_slot *s = &((struct window_slot *)(void *)w->slots.items)[i];
		panes_free(s->panes);
		free(s->samples);
	}
	panes_free(w->sum);
	gg_slots_done(&w->slots);
}

/* ---- slots and samples ---- */

static int window_add_slot(
	void *self, struct gg_pipeline *p, const struct gg_stage_slot *slot, struct gg_error *e)
{
	struct window *w = self;
	if (slot->judgement && !w->scores)
		return GG_STAGE_GOES_BY;
	struct window_slot *s = GG_SLOT_ADD(&w->slots, slot->slot, struct window_slot);
	if (!s)
		return gg_error_set(e, -ENOMEM, "out of memory");
	s->panes = panes_new(w->panes, w->quantiles);
	if (w->by == WINDOW_SLIDING)
		s->samples = calloc(WINDOW_SAMPLES, sizeof *s->samples);
	if (!s->panes || (w->by == WINDOW_SLIDING && !s->samples))
		return gg_error_set(e, -ENOMEM, "out of memory");
	for (uint32_t i = 0; i < w->give_count; i++) {
		const struct window_give *g = &w->gives[i];
		struct gg_signal_spec spec = {.type = GG_TYPE_FLOAT, .period_ns = w->every_ns};
		uint32_t out, signal;
		if (g->what == GIVE_COUNT) {
			spec.type = GG_TYPE_UINT;
			spec.unit = "";
		}
		int rc = gg_stage_output(p, slot, g->suffix, &spec, &out, &signal);
		if (rc < 0)
			return gg_error_set(e, rc, "the output %s can't be named", g->suffix);
		if (i == 0)
			s->first_out = out;
	}
	return 0;
}

static void set_quality(const struct window_slot *s, const struct pane *p, struct gg_sample *out)
{
	if (p->bad) {
		out->quality = p->count ? GG_UNCERTAIN : GG_BAD;
		out->aux = GG_REASON_INCOMPLETE;
	} else if (s->overrun) {
		out->quality = GG_UNCERTAIN;
		out->aux = GG_REASON_INCOMPLETE;
	} else if (s->clock_set) {
		out->quality = GG_UNCERTAIN;
		out->aux = GG_REASON_CLOCK;
	} else if (p->uncertain) {
		out->quality = GG_UNCERTAIN;
	}
}

/* A window without any sample. */
static double empty_value(
	const struct window *w, const struct window_slot *s, uint32_t i, struct gg_sample *out)
{
	if (w->gives[i].what == GIVE_COUNT || w->empty == EMPTY_ZERO)
		return 0;
	if (w->empty == EMPTY_LAST && s->has_last) {
		out->quality = GG_UNCERTAIN;
		out->aux = GG_REASON_STALE;
		return s->last[i];
	}
	out->quality = GG_BAD;
	out->aux = GG_REASON_INCOMPLETE;
	return 0;
}

void window_emit(
	const struct window *w, struct window_slot *s, struct gg_flow *flow, struct pane *p, int64_t time_ns)
{
	if (!pane_used(p) && w->empty == EMPTY_NOTHING)
		return;
	for (uint32_t i = 0; i < w->give_count; i++) {
		struct gg_sample out = {.time_ns = time_ns, .type = GG_TYPE_FLOAT};
		bool counts = w->gives[i].what == GIVE_COUNT;
		double v = 0;
		if (!pane_used(p)) {
			v = empty_value(w, s, i, &out);
		} else {
			set_quality(s, p, &out);
			if (p->count || counts)
				v = pane_give(p, &w->gives[i]);
			if (!isfinite(v)) {
				v = 0;
				out.quality = GG_BAD;
				out.aux = GG_REASON_NOT_A_NUMBER;
			}
			if (p->count)
				s->last[i] = v;
		}
		if (counts) {
			out.type = GG_TYPE_UINT;
			out.v.u = p->count;
		} else {
			out.v.f = v;
		}
		gg_flow_emit(flow, s->first_out + i, &out);
	}
	s->has_last = s->has_last || p->count;
	if (pane_used(p))
		s->clock_set = false;
}

static void window_process(void *self, struct gg_flow *flow)
{
	struct window *w = self;
	uint32_t n = 0;
	for (uint32_t i = 0; i < flow->count; i++) {
		const struct gg_sample *sample = &flow->samples[i];
		struct window_slot *s = GG_SLOT_FIND(&w->slots, flow->slots[i], struct window_slot);
		if (!s) {
			gg_flow_move(flow, n++, i);
			continue;
		}
		if (sample->quality != GG_BAD && !gg_type_is_number(sample->type)) {
			gg_flow_dropped(flow, GG_DROP_TYPE, 1);
			continue;
		}
		window_sample(w, s, flow, sample);
		int64_t due = window_slot_due(w, s);
		w->due_ns = due < w->due_ns ? due : w->due_ns;
	}
	flow->count = n;
}

static int64_t window_due(const void *self)
{
	return ((const struct window *)self)->due_ns;
}

/* ---- checkpoint ---- */

static void window_save_slot(const void *self, uint32_t slot, struct gg_buf *to)
{
	const struct window *w = self;
	const struct window_slot *s = GG_SLOT_FIND(&w->slots, slot, struct window_slot);
	if (!s || !s->begun)
		return;
	const int64_t times[] = {s->newest_ns, s->seen_ns, s->next_end, s->late_ns};
	gg_put_u64(to, w->shape);
	for (size_t i = 0; i < GG_COUNT(times); i++)
		gg_put_i64(to, times[i]);
	gg_put_u32(to, s->late_run);
	gg_put_u8(to, (uint8_t)((s->clock_set ? 1 : 0) | (s->overrun ? 2 : 0) | (s->has_last ? 4 : 0)));
	gg_put_u8(to, (uint8_t)w->give_count);
	for (uint32_t i = 0; i < w->give_count; i++)
		gg_put_double(to, s->last[i]);
	if (w->by == WINDOW_SLIDING) {
		gg_put_u32(to, s->sample_count);
		for (uint32_t i = 0; i < s->sample_count; i++) {
			gg_put_i64(to, s->samples[i].time_ns);
			gg_put_double(to, s->samples[i].value);
			gg_put_u8(to, s->samples[i].quality);
		}
		return;
	}
	for (uint32_t i = 0; i < w->panes; i++)
		pane_save(&s->panes[i], to);
}

static int load_samples(struct window_slot *s, struct gg_reader *from)
{
	uint32_t n = gg_read_le32(from);
	if (n > WINDOW_SAMPLES)
		return -EINVAL;
	for (uint32_t i = 0; i < n; i++) {
		s->samples[i] = (struct window_sample){.time_ns = gg_read_i64(from)};
		s->samples[i].value = gg_read_le_double(from);
		s->samples[i].quality = gg_read_u8(from);
	}
	s->sample_count = n;
	return gg_reader_ok(from) ? 0 : -EINVAL;
}

static int load_panes(const struct window *w, struct window_slot *s, struct gg_reader *from)
{
	s->filled = 0;
	for (uint32_t i = 0; i < w->panes; i++) {
		if (pane_load(&s->panes[i], from) < 0)
			return -EINVAL;
		s->filled += pane_used(&s->panes[i]);
	}
	return 0;
}

static int load_slot(struct window *w, struct window_slot *s, struct gg_reader *from)
{
	if (gg_read_le64(from) != w->shape)
		return -EINVAL;
	s->newest_ns = gg_read_i64(from);
	s->seen_ns = gg_read_i64(from);
	s->next_end = gg_read_i64(from);
	s->late_ns = gg_read_i64(from);
	s->late_run = gg_read_le32(from);
	uint8_t flags = gg_read_u8(from);
	s->clock_set = flags & 1;
	s->overrun = flags & 2;
	uint32_t gives = gg_read_u8(from);
	s->has_last = (flags & 4) && gives == w->give_count; /* what is given may have changed meanwhile */
	for (uint32_t i = 0; i < gives; i++) {
		double v = gg_read_le_double(from);
		if (i < WINDOW_GIVES)
			s->last[i] = v;
	}
	if (window_rings(w) && s->next_end != INT64_MAX && s->next_end % w->every_ns)
		return -EINVAL;
	int rc = w->by == WINDOW_SLIDING ? load_samples(s, from) : load_panes(w, s, from);
	s->hot = NULL;
	s->begun = rc == 0 && gg_reader_ok(from);
	return s->begun ? 0 : -EINVAL;
}

static int window_load_slot(void *self, uint32_t slot, struct gg_reader *from)
{
	struct window *w = self;
	struct window_slot *s = GG_SLOT_FIND(&w->slots, slot, struct window_slot);
	if (!s)
		return -EINVAL;
	int rc = load_slot(w, s, from);
	if (rc < 0) {
		*s = (struct window_slot){
			.first_out = s->first_out, .panes = s->panes, .samples = s->samples};
		for (uint32_t i = 0; i < w->panes; i++)
			pane_clear(&s->panes[i]);
	}
	int64_t due = window_slot_due(w, s);
	w->due_ns = due < w->due_ns ? due : w->due_ns;
	return rc;
}

static const char *const ways[] = {"tumbling", "hopping", "sliding", "session", NULL};
static const char *const empties[] = {"nothing", "last", "zero", "bad", NULL};

static const struct gg_option options[] = {
	GG_OPTION(struct window, every_ns, DURATION, .name = "every", .flags = GG_MAIN,
		.help = "How often a window ends (tumbling, hopping)", .example = "1min"),
	GG_OPTION(struct window, by, CHOICE, .def = "tumbling", .choices = ways,
		.help = "How windows follow each other: one after the other, overlapping, one per sample, or "
			"one per "
			"burst of samples"),
	GG_OPTION(struct window, size_ns, DURATION, .name = "size",
		.help = "How long a window is (hopping, sliding), or at most (session)"),
	GG_OPTION(struct window, gap_ns, DURATION, .name = "gap", .help = "The silence that ends a session"),
	GG_OPTION(struct window, give, STRINGS,
		.help = "What is told of each window: count, sum, mean, min, max, range, first, last, "
			"stddev, median, "
			"p90, p99, p99.9, ...; the mean when nothing is said",
		.example = "[mean, p99]"),
	GG_OPTION(struct window, late_ns, DURATION, .name = "late", .min = "0s",
		.help = "How long a window waits for samples that come late"),
	GG_OPTION(struct window, empty, CHOICE, .def = "nothing", .choices = empties,
		.help = "What is told of a window without samples"),
	GG_OPTION(struct window, scores, BOOL, .def = "false",
		.help = "Are what a detector before it gives (.score, .low, .high) put into windows too? "
			"They "
			"go by as they are otherwise"),
	{0}};

static const struct gg_stage_ops ops = {
	.flags = GG_STAGE_REPLACES,
	.add_slot = window_add_slot,
	.process = window_process,
	.tick = window_tick,
	.due = window_due,
	.save_slot = window_save_slot,
	.load_slot = window_load_slot,
	.state_version = 1,
};

const struct gg_component gg_stage_window = {
	.name = "window",
	.title = "Window",
	.help = "Makes one number, such as the mean, of all samples of a stretch of time.",
	.example = "- window: { every: 1min, give: [mean, p99] }\n",
	.kind = GG_STAGE,
	.self_size = sizeof(struct window),
	.options = options,
	.init = window_init,
	.fini = window_fini,
	.stage = &ops,
};
