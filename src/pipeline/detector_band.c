/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The expected band: where the next sample will lie 99 times of 100.
 *
 * Middle: the latest value or one of three running averages, whichever has lately missed by least. A random
 * walk is best foretold by its last value, a noisy level by a long average; nobody has to say which of them a
 * signal is.
 *
 * Reach: a multiple of the middle's mean absolute deviation, one multiple upwards and one downwards. Each is
 * steered by its own misses: a sample beyond the edge widens it by a fifth, a sample within narrows it by a
 * thousandth. The two only balance when 0.5 % of the samples fall beyond each edge, whatever the
 * distribution, so skewed, spiky and heavy-tailed signals get the band they need. This is the rule of
 * adaptive conformal prediction: what the long-run coverage can be off by shrinks with the number of samples,
 * as the multiple stays within bounds.
 *
 * A deviation counts at most CLIP times the mean one, so that a fault does not blow up the picture of what is
 * usual. The band is for people to look at. It has no say in the alarms, only in how a change is named.
 */

#include "pipeline/detector_internal.h"

#include <math.h>

#define WIDEN       1.2f
#define NARROW      0.99908f /* WIDEN ^ (-0.005 / 0.995) */
#define REACH_FIRST 5.0f
#define REACH_LEAST 0.5f
#define CLIP        10.0f
#define BETTER      0.9f /* a new middle must be clearly better, or the band would jump between equals */

static const uint8_t candidates[GG_DETECTOR_CENTRES] = {GG_E1, GG_E4, GG_E16, GG_E64};

void gg_detector_band_init(struct gg_detector_band *band)
{
	*band = (struct gg_detector_band){.up = REACH_FIRST, .down = REACH_FIRST};
}

void gg_detector_band_now(const struct gg_detector *d, float *ret_mid, float *ret_down, float *ret_up)
{
	const struct gg_detector_band *b = &d->band;
	float mad = b->mad[b->centre];

	*ret_mid = d->e[candidates[b->centre]];
	*ret_down = b->down * mad;
	*ret_up = b->up * mad;
}

bool gg_detector_expect(const struct gg_detector *d, double *ret_low, double *ret_high)
{
	float mid, down, up;

	if (!d->started || d->t < GG_DETECTOR_BAND_FROM)
		return false;
	gg_detector_band_now(d, &mid, &down, &up);
	*ret_low = d->ref + (double)(mid - down);
	*ret_high = d->ref + (double)(mid + up);
	return true;
}

static float steer(float reach, bool beyond)
{
	reach *= beyond ? WIDEN : NARROW;
	reach = reach > REACH_LEAST ? reach : REACH_LEAST;
	return reach < GG_DETECTOR_REACH_MOST ? reach : GG_DETECTOR_REACH_MOST;
}

void gg_detector_band_learn(struct gg_detector *d, float x, float divisor)
{
	struct gg_detector_band *b = &d->band;
	float mid, down, up;

	gg_detector_band_now(d, &mid, &down, &up);
	if (d->t >= GG_DETECTOR_BAND_FROM) {
		b->up = steer(b->up, x > mid + up);
		b->down = steer(b->down, x < mid - down);
	}
	for (int i = 0; i < GG_DETECTOR_CENTRES; i++) {
		float miss = fabsf(x - d->e[candidates[i]]);
		float most = CLIP * b->mad[i];

		if (most > 0.0f && d->t >= GG_DETECTOR_BAND_FROM)
			miss = miss < most ? miss : most;
		b->mad[i] += (miss - b->mad[i]) / divisor;
	}
	for (int i = 0; i < GG_DETECTOR_CENTRES; i++)
		if (b->mad[i] < BETTER * b->mad[b->centre])
			b->centre = (uint8_t)i;
}
