/* SPDX-License-Identifier: Apache-2.0 */
#include "hall.h"

#include <math.h>

/* Of the recorded machine: rows in which it cools by a factor e, surroundings, temperature at full load. */
#define COOLING_ROWS 48.0
#define SURROUNDINGS 20.0
#define FULL_LOAD    98.0
enum { SLOPE_ROWS = 6 };

/* xorshift64*, and the sum of four as something like a normal distribution of spread 1. */
static double noise(struct gg_hall *h)
{
	double sum = 0;
	for (int i = 0; i < 4; i++) {
		h->noise ^= h->noise >> 12;
		h->noise ^= h->noise << 25;
		h->noise ^= h->noise >> 27;
		sum += (double)((h->noise * 0x2545F4914F6CDD1DU) >> 11) / 0x1p53 - 0.5;
	}
	return sum * sqrt(3.0);
}

static void lag(double *value, double target, double seconds)
{
	*value += (target - *value) * (1 - exp(-GG_HALL_TICK_S / seconds));
}

void gg_hall_init(struct gg_hall *h, uint64_t seed)
{
	*h = (struct gg_hall){.noise = seed * 0x9E3779B97F4A7C15U + 1, .heat = 1, .load = 1, .level = 62};
	h->pumps[0] = (struct gg_hall_pump){.run = true, .speed = 1, .winding = 71, .bearing = FULL_LOAD};
	h->pumps[1] = (struct gg_hall_pump){.winding = 24, .bearing = 24};
	h->pressure = 4.3;
	for (int i = 0; i < 100; i++)
		gg_hall_tick(h);
}

void gg_hall_row(struct gg_hall *h, double recorded)
{
	struct gg_hall_pump *p = &h->pumps[0];
	double before = h->rows >= SLOPE_ROWS ? h->recent[(h->rows - SLOPE_ROWS) % 8] : recorded;
	double slope = (recorded - before) / SLOPE_ROWS;
	double power = (COOLING_ROWS * slope + recorded - SURROUNDINGS) / (FULL_LOAD - SURROUNDINGS);
	h->recent[h->rows++ % 8] = recorded;
	h->load += 0.35 * (fmax(0, fmin(1.3, power)) - h->load);
	if (h->load < 0.2)
		h->tripped = true;
	else if (h->load > 0.6)
		h->tripped = false;
	/* heat is exactly 1 unless somebody has switched the pump off: then the value is the recorded one. */
	p->bearing = h->heat < 1 ? SURROUNDINGS + (recorded - SURROUNDINGS) * h->heat : recorded;
}

static void tick_pump(struct gg_hall *h, struct gg_hall_pump *p, double target, double share)
{
	lag(&p->speed, target, target > p->speed ? 1.2 : 0.4);
	double s = p->speed < 0.01 ? 0 : p->speed;
	lag(&p->winding, h->ambient + 52 * s * s, 20);
	p->current = s > 0 ? 3 + 38 * pow(s, 2.5) + 0.15 * noise(h) : 0;
	p->flow = fmax(0, 118 * s * share + (s > 0 ? 0.4 * noise(h) : 0));
	p->pressure = fmax(0, h->pressure + (s > 0 ? 0.25 * s + 0.01 * noise(h) : 0));
	p->vibration = fmax(
		0.05, 0.2 + 1.7 * s + fmax(0, p->bearing - 100) * 0.35 * s + (0.03 + 0.05 * s) * noise(h));
}

void gg_hall_tick(struct gg_hall *h)
{
	struct gg_hall_pump *a = &h->pumps[0], *b = &h->pumps[1];
	double t = (double)h->ticks++ * GG_HALL_TICK_S;
	double work = a->run && !h->tripped ? sqrt(fmax(0.3, fmin(1.15, h->load))) : 0;
	h->ambient = 21.5 + 1.5 * sin(t / 57) + 0.05 * noise(h);
	h->humidity = 46 - 3 * sin(t / 57 + 0.4) + 0.2 * noise(h);
	double both = a->speed * a->speed + b->speed * b->speed;
	double share = a->speed > 0.3 && b->speed > 0.3 ? 0.62 : 1;
	tick_pump(h, a, work, share);
	tick_pump(h, b, b->run ? 0.97 : 0, share);
	lag(&b->bearing, h->ambient + 61 * b->speed * b->speed, 15);
	if (a->run && h->heat < 1)
		h->heat = fmin(1, h->heat + GG_HALL_TICK_S / 10);
	else if (!a->run)
		lag(&h->heat, 0, 8);
	lag(&h->pressure, 4.3 * pow(both, 0.3), 0.7);
	h->pressure = fmax(0, h->pressure + 0.008 * noise(h));
	h->flow = a->flow + b->flow;
	/* What the town draws falls with the pressure it finds. */
	h->level = fmax(5, fmin(95, h->level + (h->flow - 27 * h->pressure) * 0.0006));
}
