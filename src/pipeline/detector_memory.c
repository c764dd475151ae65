/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The memory of situations: "have I been here before?"
 *
 * A view is a vector of running averages. Its memory keeps 64 vectors (prototypes) that are spread over
 * everything seen: a newcomer enters when it is further from its nearest prototype than the two closest
 * prototypes are from one another, and takes the place of one of these two. So the memory covers the space
 * evenly instead of by frequency, rare situations are never forgotten, and no radius has to be set.
 *
 *     u ──▶ squared distance to all 64 ──▶ nearest ──▶ r ──▶ rarity among the past r      ┐
 *                    │                                 └───▶ size against the mean past r ┴──▶ novelty
 *                    └──▶ enters the memory if r² > gap
 *
 * Distances and logarithms are most of the cost of a usual sample. The distances run in loops that the
 * compiler turns into vectors at -O2; a minimum is the same in whatever order it is taken. A newcomer costs
 * some more passes over the memory; the 64th, once, costs 64.
 *
 * Of each prototype only the number of its nearest fellow is kept. How far that is a newcomer computes again
 * (the same bits, as (a - b)^2 is (b - a)^2): newcomers are rare, and 64 floats in three views are not.
 */

#include "pipeline/detector_internal.h"

#include <math.h>
#include <string.h>

#define PROTOS           GG_DETECTOR_PROTOS
#define BINS             64
#define HALVE_AT         60000 /* keeps every bin, and the sum of all, in 16 bits */
#define MEAN_SPAN        2000
#define COUNT_FROM       20
#define RARITY_WEIGHT    0.5f
#define MAGNITUDE_WEIGHT 0.35f
#define LOG10_OF_2       0.30102999566398120

static const struct {
	uint8_t first, dims;
} views[GG_DETECTOR_VIEWS] = {{0, 6}, {6, 3}, {9, 3}};

/* BINS zeros, BINS ones: from BINS - 1 - bin on it is the mask of the bins above that bin. */
#define ONES 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff
static const uint16_t masks[2 * BINS] = {[BINS] = ONES, ONES, ONES, ONES, ONES, ONES, ONES, ONES};

/*
 * log2(m) = 2 / ln 2 * atanh(s) with s = (m - 1) / (m + 1). With m in [sqrt 1/2, sqrt 2) |s| stays below
 * 0.172, and six terms of the series do. Choosing that m by arithmetic avoids a jump that is wrong every
 * other time.
 */
double gg_detector_log2(double x)
{
	const uint64_t fraction = 0xfffffffffffffULL, fraction_sqrt2 = 0x6a09e667f3bcdULL,
		       one = 0x3ff0000000000000ULL;
	uint64_t bits;
	double m;

	memcpy(&bits, &x, sizeof bits);

	uint64_t halve = (bits & fraction) > fraction_sqrt2;
	int exponent = (int)(bits >> 52) - 1023 + (int)halve;

	bits = (bits & fraction) + one - (halve << 52);
	memcpy(&m, &bits, sizeof m);

	double s = (m - 1.0) / (m + 1.0);
	double z = s * s, zz = z * z;
	double low = (1.0 + z * (1.0 / 3)) + zz * (1.0 / 5 + z * (1.0 / 7));
	double high = 1.0 / 9 + z * (1.0 / 11);

	return exponent + 2.8853900817779268 * s * (low + zz * zz * high);
}

static inline float square(float x)
{
	return x * x;
}

/* One expression per number of dimensions keeps the sums in registers. Both add left to right. */
static void distances(
	const float (*restrict p)[PROTOS], const float *restrict u, int dims, float *restrict ret_d)
{
	if (dims == 3) {
		for (int i = 0; i < PROTOS; i++)
			ret_d[i] = square(p[0][i] - u[0]) + square(p[1][i] - u[1]) + square(p[2][i] - u[2]);
		return;
	}
	for (int i = 0; i < PROTOS; i++)
		ret_d[i] = square(p[0][i] - u[0]) + square(p[1][i] - u[1]) + square(p[2][i] - u[2]) +
			   square(p[3][i] - u[3]) + square(p[4][i] - u[4]) + square(p[5][i] - u[5]);
}

static inline float smaller(float a, float b)
{
	return a < b ? a : b;
}

/* By halves, since one minimum after the other would have to wait for its forerunner. */
static float least(const float *restrict d)
{
	float m[PROTOS / 2];

	for (int i = 0; i < 32; i++)
		m[i] = smaller(d[i], d[i + 32]);
	for (int i = 0; i < 16; i++)
		m[i] = smaller(m[i], m[i + 16]);
	for (int i = 0; i < 8; i++)
		m[i] = smaller(m[i], m[i + 8]);
	for (int i = 0; i < 4; i++)
		m[i] = smaller(m[i], m[i + 4]);
	return smaller(smaller(m[0], m[1]), smaller(m[2], m[3]));
}

static uint8_t first_equal(const float *d, float value)
{
	int i = 0;

	while (i < PROTOS - 1 && d[i] != value)
		i++;
	return (uint8_t)i;
}

static float between(const float (*p)[PROTOS], int dims, int a, int b)
{
	float sum = square(p[0][a] - p[0][b]);

	for (int k = 1; k < dims; k++)
		sum += square(p[k][a] - p[k][b]);
	return sum;
}

static void all_apart(
	const struct gg_detector_memory *m, const float (*p)[PROTOS], int dims, float *restrict ret_apart)
{
	for (int i = 0; i < PROTOS; i++)
		ret_apart[i] = m->used < PROTOS ? 0.0f : between(p, dims, i, m->fellow[i]);
}

void gg_detector_memory_apart(const struct gg_detector *d, int view, float ret_apart[PROTOS])
{
	all_apart(&d->memory[view], &d->proto[views[view].first], views[view].dims, ret_apart);
}

static void settle(struct gg_detector_memory *m, const float *apart)
{
	m->gap = m->used < PROTOS ? 0.0f : least(apart);
	m->slot = m->used < PROTOS ? m->used : first_equal(apart, m->gap);
}

void gg_detector_memory_settle(struct gg_detector *d)
{
	float apart[PROTOS];

	for (int i = 0; i < GG_DETECTOR_VIEWS; i++) {
		gg_detector_memory_apart(d, i, apart);
		settle(&d->memory[i], apart);
	}
}

/* Finds the fellow of one; returns how far apart they are. */
static float find_nearest(struct gg_detector_memory *m, const float (*p)[PROTOS], int dims, int which)
{
	float u[GG_DETECTOR_DIMS], d[PROTOS];

	for (int k = 0; k < dims; k++)
		u[k] = p[k][which];
	distances(p, u, dims, d);
	d[which] = INFINITY;

	float nearest = least(d);

	m->fellow[which] = first_equal(d, nearest);
	return nearest;
}

/* Puts u, whose distances to the present prototypes are d, into m->slot. */
static void replace(
	struct gg_detector_memory *m, float (*p)[PROTOS], int dims, const float *u, const float *d)
{
	const float(*fixed)[PROTOS] = (const float(*)[PROTOS])p;
	float apart[PROTOS];
	int slot = m->slot;

	all_apart(m, fixed, dims, apart);
	for (int k = 0; k < dims; k++)
		p[k][slot] = u[k];
	apart[slot] = find_nearest(m, fixed, dims, slot);
	for (int j = 0; j < PROTOS; j++) {
		if (j == slot)
			continue;
		if (m->fellow[j] == slot) {
			apart[j] = find_nearest(m, fixed, dims, j);
		} else if (d[j] < apart[j]) {
			apart[j] = d[j];
			m->fellow[j] = (uint8_t)slot;
		}
	}
	settle(m, apart);
}

static void append(struct gg_detector_memory *m, float (*p)[PROTOS], int dims, const float *u)
{
	/* The first vector fills all places, so that a half-empty memory needs no distance code of its own.
	 */
	int last = m->used == 0 ? PROTOS - 1 : m->used;
	float apart[PROTOS] = {0};

	for (int k = 0; k < dims; k++)
		for (int i = m->used; i <= last; i++)
			p[k][i] = u[k];
	m->used++;
	if (m->used == PROTOS)
		for (int i = 0; i < PROTOS; i++)
			apart[i] = find_nearest(m, (const float(*)[PROTOS])p, dims, i);
	settle(m, apart);
}

static float novelty_distance(struct gg_detector_memory *m, float (*p)[PROTOS], int dims, const float *u)
{
	float d[PROTOS];

	if (m->used == 0) {
		append(m, p, dims, u);
		return 0.0f;
	}
	distances((const float(*)[PROTOS])p, u, dims, d);

	float nearest = least(d);

	if (nearest > m->gap) {
		if (m->used < PROTOS)
			append(m, p, dims, u);
		else
			replace(m, p, dims, u, d);
	}
	return sqrtf(nearest);
}

static uint32_t count_above(const uint16_t *hist, int bin)
{
	const uint16_t *mask = masks + BINS - 1 - bin;
	uint16_t sum = 0; /* cannot wrap: the whole histogram stays below HALVE_AT */

	for (int i = 0; i < BINS; i++)
		sum = (uint16_t)(sum + (hist[i] & mask[i]));
	return sum;
}

static void count(struct gg_detector_memory *m, int bin)
{
	m->hist[bin]++;
	if (++m->counted < HALVE_AT)
		return;
	m->counted = 0;
	for (int i = 0; i < BINS; i++) {
		m->hist[i] /= 2;
		m->counted += m->hist[i];
	}
}

/* Turns a distance into a figure that compares between signals, then learns the distance. */
static float calibrate(struct gg_detector_memory *m, float r, uint64_t t)
{
	float q = r / (m->mean + 1e-30f);
	float l = q <= 1e-9f ? -30.0f : (float)gg_detector_log2((double)q);
	float place = 4.0f * l + BINS / 2;

	place = place > 0.0f ? place : 0.0f;
	place = place < BINS - 1 ? place : BINS - 1;

	int bin = (int)place;
	float above = (float)count_above(m->hist, bin) + (1.0f - (place - (float)bin)) * (float)m->hist[bin];
	float p = (above + 1.0f) / ((float)m->counted + 2.0f);
	float rarity = (float)(-LOG10_OF_2 * gg_detector_log2((double)p));

	if (m->largest > 0.0f && r > m->largest)
		rarity += (float)(LOG10_OF_2 * gg_detector_log2((double)r / (double)m->largest));

	m->mean += (r - m->mean) / (float)(t + 1 < MEAN_SPAN ? t + 1 : MEAN_SPAN);
	if (t >= COUNT_FROM) {
		count(m, bin);
		m->largest = r > m->largest ? r : m->largest;
	}
	return RARITY_WEIGHT * rarity + MAGNITUDE_WEIGHT * (l > -12.0f ? l : -12.0f);
}

float gg_detector_recall(struct gg_detector *d, const float *u, uint64_t t)
{
	float r[GG_DETECTOR_VIEWS], sum = 0.0f;

	/* Two loops, so that the processor can overlap the three chains of logarithms and divisions. */
	for (int i = 0; i < GG_DETECTOR_VIEWS; i++)
		r[i] = novelty_distance(
			&d->memory[i], &d->proto[views[i].first], views[i].dims, u + views[i].first);
	for (int i = 0; i < GG_DETECTOR_VIEWS; i++)
		sum += calibrate(&d->memory[i], r[i], t);
	return sum / GG_DETECTOR_VIEWS;
}
