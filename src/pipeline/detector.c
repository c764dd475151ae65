/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The detector's step: from a value to a verdict.
 *
 *   value ─▶ difference to the first value ─▶ running averages over 1 .. 1024 samples, roughness
 *              │                                │
 *              ├─▶ expected band                ├─▶ view A: six averages       ┐
 *              ├─▶ run of equal values          ├─▶ view B: now, 64, roughness ├─▶ memories ─▶ novelty
 *              │                                └─▶ view C: 4, 32, 256         ┘                  │
 *              ▼                                                                                  ▼
 *          flat line ───────────────────────────▶ score, change ◀────────────────────────────── alarm
 *
 * Habituation turns the novelty into few alarms: each alarm raises the bar of its signal a little, and the
 * bar sinks back over thousands of samples, so that a signal that is always strange is heard less often.
 * After an alarm a second one within 100 samples has to be clearly worse than the first.
 *
 * A flat line is counted apart, since a memory of situations can't see it: a value within the usual range is
 * a known situation, however long it lasts. Only a run several times the longest so far is told, so that here
 * too the detector gets used to what happens again and again.
 */

#include "pipeline/detector_internal.h"

#include <math.h>
#include <string.h>

#define NOVEL_FROM   16
#define ALARM_FROM   100
#define REST         100
#define WORSE_BY     0.8f
#define HABIT_WEIGHT 0.2f
#define HABIT_KEPT   (1.0f - 1.0f / 4000)
#define ROUGH_SPAN   32
#define LONG_SPAN    1024
#define FLAT_RUN     32
#define FLAT_TIMES   4
#define FLAT_MOVES   64 /* a signal that moved less often isn't known to vary */
#define FLAT_SCORE   0.75f

static const uint16_t spans[GG_DETECTOR_SPANS] = {1, 4, 16, 32, 64, 256, 1024};

void gg_detector_init(struct gg_detector *d)
{
	memset(d, 0, sizeof *d);
	gg_detector_band_init(&d->band);
}

static float divisor(uint64_t t, uint32_t span)
{
	return (float)(t + 1 < span ? t + 1 : span);
}

static float difference(const struct gg_detector *d, double value)
{
	double x = value - d->ref;

	x = x < (double)GG_DETECTOR_LIMIT ? x : (double)GG_DETECTOR_LIMIT;
	x = x > (double)-GG_DETECTOR_LIMIT ? x : (double)-GG_DETECTOR_LIMIT;
	return (float)x;
}

static void average(struct gg_detector *d, float x, uint64_t t)
{
	float move = fabsf(x - d->e[GG_E1]);
	float spread = fabsf(x - d->e[GG_E256]);

	d->rough += (move - d->rough) / divisor(t, ROUGH_SPAN);
	d->rough_long += (move - d->rough_long) / divisor(t, LONG_SPAN);
	d->deviation += (spread - d->deviation) / divisor(t, LONG_SPAN);
	d->e[GG_E1] = x;
	for (int i = 1; i < GG_DETECTOR_SPANS; i++)
		d->e[i] += (x - d->e[i]) / divisor(t, spans[i]);
}

static float novelty(struct gg_detector *d, uint64_t t)
{
	const float *e = d->e;
	const float u[GG_DETECTOR_DIMS] = {
		e[GG_E1], e[GG_E4], e[GG_E16], e[GG_E64], e[GG_E256], e[GG_E1024], /* view A */
		e[GG_E1], e[GG_E64], 2.0f * d->rough,                              /* view B */
		e[GG_E4], e[GG_E32], e[GG_E256],                                   /* view C */
	};

	return t < NOVEL_FROM ? 0.0f : gg_detector_recall(d, u, t);
}

static float alarm(struct gg_detector *d, float v, uint64_t t)
{
	d->habit *= HABIT_KEPT;

	float s = v - HABIT_WEIGHT * d->habit;

	if (t < ALARM_FROM)
		return 0.0f;
	if (t - d->alarm_t >= REST)
		d->last_alarm = 0.0f;
	if (s <= GG_DETECTOR_THRESHOLD || (d->last_alarm > 0.0f && s <= d->last_alarm + WORSE_BY))
		return 0.0f;
	d->last_alarm = s;
	d->alarm_t = t;
	d->habit += 1.0f;
	return s;
}

/* Counts equal values; true once when the line has been flat for far longer than ever before. */
static bool flat_line(struct gg_detector *d, double value)
{
	if (value != d->last_value) {
		d->longest_run = d->run > d->longest_run ? d->run : d->longest_run;
		d->run = 0;
		d->flat_told = false;
		d->moves += d->moves < UINT32_MAX;
		return false;
	}
	d->run += d->run < UINT32_MAX;
	if (d->flat_told || d->moves < FLAT_MOVES || d->run < FLAT_RUN ||
		d->run / FLAT_TIMES <= d->longest_run)
		return false;
	d->flat_told = true;
	return true;
}

/* The first sample of a step looks like a spike; a few samples later it shows whether it was one. */
static void settle(struct gg_detector *d, float x, struct gg_detector_out *out)
{
	if (d->pending == 0)
		return;
	d->pending_sum += x;
	if (--d->pending > 0)
		return;

	float stayed = d->pending_sum / GG_DETECTOR_SETTLE - d->pending_from;
	float jump = d->pending_to - d->pending_from;

	if (fabsf(stayed) > 0.5f * fabsf(jump) && (stayed > 0.0f) == (jump > 0.0f)) {
		out->revised = true;
		out->change.kind = GG_CHANGE_LEVEL;
		out->change.from = d->ref + (double)d->pending_from;
		out->change.to = d->ref + (double)(d->pending_from + stayed);
	}
}

static void tell(struct gg_detector *d, float x, float mid, bool flat, struct gg_detector_out *out)
{
	settle(d, x, out);
	if (out->alarm > 0.0f) {
		out->revised = false;
		out->score = out->alarm / (out->alarm + GG_DETECTOR_THRESHOLD);
		gg_detector_explain(d, x, mid, out->outside && !d->was_outside, &out->change);
		d->pending = 0;
		if (out->change.kind == GG_CHANGE_SPIKE) {
			d->pending = GG_DETECTOR_SETTLE;
			d->pending_from = mid;
			d->pending_to = x;
			d->pending_sum = 0.0f;
		}
	} else if (flat) {
		out->revised = false;
		out->score = FLAT_SCORE;
		out->change = (struct gg_change){GG_CHANGE_FLAT, (double)d->run + 1.0, d->last_value};
	}
}

void gg_detector_step(struct gg_detector *d, double value, struct gg_detector_out *out)
{
	uint64_t t = d->t;
	float mid, down, up;

	*out = (struct gg_detector_out){0};
	if (!isfinite(value)) {
		d->t++;
		return;
	}
	if (!d->started) {
		d->started = true;
		d->ref = value;
		d->last_value = value;
	}

	bool flat = flat_line(d, value);
	float x = difference(d, value);

	out->band_known = gg_detector_expect(d, &out->low, &out->high);
	gg_detector_band_now(d, &mid, &down, &up);
	out->outside = out->band_known && (x > mid + up || x < mid - down);

	gg_detector_band_learn(d, x, divisor(t, GG_DETECTOR_BAND_SPAN));
	average(d, x, t);
	out->novelty = novelty(d, t);
	out->alarm = alarm(d, out->novelty, t);
	d->last_value = value;
	tell(d, x, mid, flat, out);
	d->was_outside = out->outside;
	d->t++;
}
