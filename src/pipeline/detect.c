/* SPDX-License-Identifier: Apache-2.0 */
/*
 * detect: anomalies of each signal, with nothing to set. The detector itself is detector.c; here it meets the
 * flow.
 *
 * Samples go on unchanged. Beside them come, under signals of their own:
 *   .score    0, or 0.5 to 1 in the sample that raises an alarm; told when it changes
 *   .low .high    the band in which 99 of 100 usual samples lie; told when it has moved by a twentieth of its
 * width, and every 64 samples: a chart needs no more, and flash is dear .anomaly  what has changed, in words,
 * when it changes; "" when 32 samples in a row have been usual again
 *
 * An anomaly is also reported as an event, open from the alarm until the signal is usual again. A signal that
 * goes quiet is one too ("no data for 12 s, usual interval 1 s"): that is measured in the gateway's time, by
 * ticks, so a device whose clock is off is no anomaly. Late samples are judged in the order of arrival; bad
 * ones and those that are no numbers are not judged.
 */
#include "base/json.h"
#include "pipeline/detector.h"
#include "pipeline/pipeline.h"
#include "pipeline/stages_internal.h"
#include "pipeline/state_io.h"

#include <math.h>

enum { CALM_SAMPLES = 32, BAND_SAMPLES = 64, TEXT = 200 };

/* Scanning for the next silence costs a walk over all slots: not more often than this. */
#define SCAN_NS (100 * GG_NS_PER_MS)
#define AWAY_NS (3 * GG_NS_PER_S)

struct detect_slot {
	struct gg_detector detector;
	const char *unit;
	uint32_t signal, score, low, high, anomaly; /* the source, and slots of outputs */
	double told_low, told_high;
	uint32_t since_band, calm;
	float told_score;
	bool score_told, band_told;
	bool open;   /* an anomaly is reported and not over */
	bool silent; /* the same for missing data */
};

static int detect_init(void *self, struct gg_host *host, struct gg_error *e)
{
	static const char *const names[] = {"score", "band", "anomaly"};
	struct detect *d = self;
	(void)host;
	d->due_ns = INT64_MAX;
	for (size_t i = 0; i < d->give.count; i++) {
		unsigned found = 0;
		for (unsigned k = 0; k < GG_COUNT(names); k++)
			if (strcmp(d->give.items[i], names[k]) == 0)
				found = 1U << k;
		if (!found)
			return gg_error_set(
				e, -EINVAL, "give: \"%s\" is none of score, band, anomaly", d->give.items[i]);
		d->gives |= found;
	}
	if (d->give.count == 0)
		d->gives = DETECT_SCORE | DETECT_BAND | DETECT_ANOMALY;
	return 0;
}

static int detect_add_slot(
	void *self, struct gg_pipeline *p, const struct gg_stage_slot *slot, struct gg_error *e)
{
	struct detect *d = self;
	struct detect_slot *s = GG_SLOT_ADD(&d->slots, slot->slot, struct detect_slot);
	if (!s)
		return gg_error_set(e, -ENOMEM, "out of memory");
	d->pipeline = gg_pipeline_name(p);
	gg_detector_init(&s->detector);
	s->signal = slot->signal;
	s->unit = slot->info->unit;
	const struct gg_signal_spec score = {.type = GG_TYPE_FLOAT, .unit = "", .low = 0, .high = 1};
	const struct gg_signal_spec band = {.type = GG_TYPE_FLOAT};
	const struct gg_signal_spec text = {.type = GG_TYPE_STRING, .unit = ""};
	const struct {
		unsigned give;
		const char *suffix;
		const struct gg_signal_spec *spec;
		uint32_t *slot;
	} outputs[] = {{DETECT_SCORE, ".score", &score, &s->score}, {DETECT_BAND, ".low", &band, &s->low},
		{DETECT_BAND, ".high", &band, &s->high}, {DETECT_ANOMALY, ".anomaly", &text, &s->anomaly}};
	for (size_t i = 0; i < GG_COUNT(outputs); i++) {
		uint32_t signal;
		if (!(d->gives & outputs[i].give))
			continue;
		int rc = gg_stage_output(
			p, slot, outputs[i].suffix, outputs[i].spec, outputs[i].slot, &signal);
		if (rc < 0)
			return gg_error_set(e, rc, "the output %s can't be named", outputs[i].suffix);
	}
	return 0;
}

/* ---- telling ---- */

static struct gg_str name_of(const struct detect_slot *s)
{
	return gg_signal(s->signal)->name;
}

static void emit_number(struct gg_flow *flow, uint32_t slot, int64_t time_ns, double v)
{
	struct gg_sample s = {.time_ns = time_ns, .type = GG_TYPE_FLOAT, .v.f = v};
	gg_flow_emit(flow, slot, &s);
}

static void emit_text(const struct detect *d, struct gg_flow *flow, const struct detect_slot *slot,
	int64_t time_ns, struct gg_str text)
{
	struct gg_sample s = {.time_ns = time_ns};
	if ((d->gives & DETECT_ANOMALY) && gg_flow_put_text(flow, &s, text) == 0)
		gg_flow_emit(flow, slot->anomaly, &s);
}

static void trace(const struct detect *d, const struct detect_slot *s, const struct gg_change *change,
	const struct gg_detector_out *out, struct gg_buf *to)
{
	struct gg_json_writer w = gg_json_writer(to);
	gg_json_begin_object(&w);
	gg_json_key(&w, GG_STR("pipeline"));
	gg_json_string(&w, gg_str(d->pipeline));
	gg_json_key(&w, GG_STR("signal"));
	gg_json_string(&w, name_of(s));
	gg_json_key(&w, GG_STR("change"));
	gg_json_string(&w, gg_str(gg_change_name(change->kind)));
	gg_json_key(&w, GG_STR("from"));
	gg_json_float(&w, change->from);
	gg_json_key(&w, GG_STR("to"));
	gg_json_float(&w, change->to);
	if (out) {
		gg_json_key(&w, GG_STR("score"));
		gg_json_float(&w, out->score);
	}
	if (out && out->band_known) {
		gg_json_key(&w, GG_STR("low"));
		gg_json_float(&w, out->low);
		gg_json_key(&w, GG_STR("high"));
		gg_json_float(&w, out->high);
	}
	gg_json_end_object(&w);
}

static size_t words(const struct detect_slot *s, const struct gg_change *change, char *text)
{
	int n = gg_change_text(change, text, TEXT - 40);
	size_t len = (size_t)(n < TEXT - 40 ? n : TEXT - 41);
	if (gg_change_takes_unit(change->kind) && s->unit[0])
		len += (size_t)snprintf(text + len, TEXT - len, " %.32s", s->unit);
	return len;
}

static void tell(const struct detect *d, const struct detect_slot *s, struct gg_flow *flow, const char *kind,
	int64_t time_ns, const struct gg_change *change, const struct gg_detector_out *out)
{
	char text[TEXT], title[TEXT + 300];
	struct gg_buf json GG_CLEANUP(gg_buf_done) = GG_BUF(2048);
	struct gg_str said = gg_str_n(text, words(s, change, text));
	emit_text(d, flow, s, time_ns, said);
	int n = snprintf(title, sizeof title, "%.*s: %.*s", GG_STR_ARG(name_of(s)), GG_STR_ARG(said));
	trace(d, s, change, out, &json);
	gg_flow_report(flow, &(struct gg_event_report){.kind = kind,
				     .key = name_of(s),
				     .severity = GG_WARNING,
				     .title = gg_str_n(title, (size_t)n),
				     .device = GG_NONE,
				     .signal = s->signal,
				     .trace_json = gg_buf_view(&json),
				     .time_ns = time_ns});
}

static void clear(const struct detect *d, const struct detect_slot *s, struct gg_flow *flow, const char *kind,
	int64_t time_ns)
{
	emit_text(d, flow, s, time_ns, GG_STR(""));
	gg_flow_report(flow, &(struct gg_event_report){.kind = kind,
				     .key = name_of(s),
				     .clear = true,
				     .title = name_of(s),
				     .device = GG_NONE,
				     .signal = s->signal,
				     .time_ns = time_ns});
}

/* ---- judging ---- */

static bool band_is_due(
	const struct detect *d, const struct detect_slot *s, const struct gg_detector_out *out)
{
	if (d->every_sample || !s->band_told || s->since_band >= BAND_SAMPLES)
		return true;
	double step = (out->high - out->low) / 20;
	return fabs(out->low - s->told_low) > step || fabs(out->high - s->told_high) > step;
}

static void tell_numbers(const struct detect *d, struct detect_slot *s, struct gg_flow *flow, int64_t time_ns,
	const struct gg_detector_out *out)
{
	bool same = s->score_told && !(out->score < s->told_score) && !(out->score > s->told_score);
	if ((d->gives & DETECT_SCORE) && (d->every_sample || !same)) {
		emit_number(flow, s->score, time_ns, out->score);
		s->told_score = out->score;
		s->score_told = true;
	}
	s->since_band++;
	if ((d->gives & DETECT_BAND) && out->band_known && band_is_due(d, s, out)) {
		emit_number(flow, s->low, time_ns, out->low);
		emit_number(flow, s->high, time_ns, out->high);
		s->told_low = out->low;
		s->told_high = out->high;
		s->band_told = true;
		s->since_band = 0;
	}
}

static void judge(
	const struct detect *d, struct detect_slot *s, struct gg_flow *flow, int64_t time_ns, double value)
{
	struct gg_detector_out out;
	gg_detector_step(&s->detector, value, &out);
	tell_numbers(d, s, flow, time_ns, &out);
	if (out.change.kind != GG_CHANGE_NONE) {
		tell(d, s, flow, "anomaly", time_ns, &out.change, &out);
		s->open = true;
		s->calm = 0;
	} else if (s->open) {
		s->calm = out.outside ? 0 : s->calm + 1;
		if (s->calm >= CALM_SAMPLES) {
			clear(d, s, flow, "anomaly", time_ns);
			s->open = false;
		}
	}
}

static void came(struct detect *d, struct detect_slot *s, struct gg_flow *flow)
{
	struct gg_change change;
	bool back = gg_detector_seen(&s->detector, flow->now_ns, &change);
	if (s->silent && back) {
		clear(d, s, flow, "no-data", flow->now_ns);
		s->silent = false;
	}
	int64_t due = gg_detector_due_ns(&s->detector);
	d->due_ns = due < d->due_ns ? due : d->due_ns;
}

static void detect_process(void *self, struct gg_flow *flow)
{
	struct detect *d = self;
	for (uint32_t i = 0; i < flow->count; i++) {
		const struct gg_sample *sample = &flow->samples[i];
		struct detect_slot *s = GG_SLOT(&d->slots, flow->slots[i], struct detect_slot);
		if (sample->quality == GG_BAD)
			continue;
		if (d->missing)
			came(d, s, flow);
		if (gg_type_is_number(sample->type))
			judge(d, s, flow, sample->time_ns, gg_sample_number(sample));
	}
}

/* A tick that comes long after it was asked for says that the gateway was away, not the devices: they get the
 * time they usually take, from now on. */
static void detect_tick(void *self, struct gg_flow *flow)
{
	struct detect *d = self;
	int64_t due = INT64_MAX;
	bool was_away = flow->now_ns - d->due_ns > AWAY_NS;
	for (uint32_t i = 0; i < d->slots.count; i++) {
		struct detect_slot *s = &((struct detect_slot *)(void *)d->slots.items)[i];
		struct gg_change change;
		if (was_away)
			gg_detector_excuse(&s->detector, flow->now_ns);
		if (gg_detector_missing(&s->detector, flow->now_ns, &change)) {
			tell(d, s, flow, "no-data", flow->now_ns, &change, NULL);
			s->silent = true;
		}
		int64_t its = gg_detector_due_ns(&s->detector);
		due = its < due ? its : due;
	}
	int64_t soonest = gg_time_add(flow->now_ns, SCAN_NS);
	d->due_ns = due < soonest ? soonest : due;
}

static int64_t detect_due(const void *self)
{
	const struct detect *d = self;
	return d->missing ? d->due_ns : INT64_MAX;
}

static void detect_save_slot(const void *self, uint32_t slot, struct gg_buf *to)
{
	const struct detect *d = self;
	const struct detect_slot *s = GG_SLOT_FIND(&d->slots, slot, struct detect_slot);
	if (!s)
		return;
	gg_put_u8(to, (uint8_t)((s->score_told ? 1 : 0) | (s->band_told ? 2 : 0) | (s->open ? 4 : 0) |
				(s->silent ? 8 : 0)));
	gg_put_u32(to, s->since_band);
	gg_put_u32(to, s->calm);
	gg_put_double(to, (double)s->told_score);
	gg_put_double(to, s->told_low);
	gg_put_double(to, s->told_high);
	size_t size = gg_detector_saved_size();
	char *room = gg_buf_room(to, size);
	if (room && gg_detector_save(&s->detector, room, size) == 0)
		to->len += size;
}

static int detect_load_slot(void *self, uint32_t slot, struct gg_reader *from)
{
	struct detect *d = self;
	struct detect_slot *s = GG_SLOT_FIND(&d->slots, slot, struct detect_slot);
	uint8_t flags = gg_read_u8(from);
	uint32_t since_band = gg_read_le32(from), calm = gg_read_le32(from);
	double score = gg_read_le_double(from), low = gg_read_le_double(from), high = gg_read_le_double(from);
	size_t size = gg_detector_saved_size();
	const uint8_t *saved = gg_read_bytes(from, size);
	if (!s || !saved || !(score >= 0 && score <= 1) || gg_detector_load(&s->detector, saved, size) < 0)
		return -EINVAL;
	s->score_told = flags & 1;
	s->band_told = flags & 2;
	s->open = flags & 4;
	s->silent = flags & 8;
	s->since_band = since_band;
	s->calm = calm;
	s->told_score = (float)score;
	s->told_low = low;
	s->told_high = high;
	int64_t due = gg_detector_due_ns(&s->detector);
	d->due_ns = due < d->due_ns ? due : d->due_ns;
	return 0;
}

/* The samples go on as they came; only what is told beside them is new. */
static bool detect_alters(const void *self)
{
	(void)self;
	return false;
}

static void detect_fini(void *self)
{
	gg_slots_done(&((struct detect *)self)->slots);
}

static const struct gg_option options[] = {
	GG_OPTION(struct detect, give, STRINGS,
		.help = "What is told beside the samples: score, band, anomaly; all when nothing is said",
		.example = "[anomaly]"),
	GG_OPTION(struct detect, every_sample, BOOL, .def = "false",
		.help = "Tell score and band for every sample, not only when they have moved"),
	GG_OPTION(struct detect, missing, BOOL, .def = "true",
		.help = "Is a signal that goes quiet an anomaly?"),
	{0}};

static const struct gg_stage_ops ops = {
	.flags = GG_STAGE_JUDGES,
	.add_slot = detect_add_slot,
	.process = detect_process,
	.tick = detect_tick,
	.due = detect_due,
	.alters = detect_alters,
	.save_slot = detect_save_slot,
	.load_slot = detect_load_slot,
	.state_version = 1,
};

const struct gg_component gg_stage_detect = {
	.name = "detect",
	.title = "Anomaly detection",
	.help = "Learns how each signal behaves and tells when it does not.",
	.example = "- detect\n",
	.kind = GG_STAGE,
	.self_size = sizeof(struct detect),
	.options = options,
	.init = detect_init,
	.fini = detect_fini,
	.stage = &ops,
};
