/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pump hall as a process model: two pumps feed a header.
 *
 *   recorded bearing temperature ─▶ how hard pump 1 works, and when it trips ─▶ speed, current, vibration
 *   coil pump-2/run ──────────────────────────────────────────────▶ pump 2 ─▶ flow, pressure in the header
 *
 * Pump 1 is the machine of the recording: its bearing's temperature is played as recorded, and the load that
 * must have caused it follows from Newton's law of cooling, so the pump stops in the model when the recorded
 * machine stopped. Only when somebody switches pump 1 off does the bearing cool below what was recorded. The
 * rest are first-order lags with seeded noise. The model advances by ticks and knows no clock: the same seed,
 * rows and coils give the same plant. Thread: its owner's.
 */
#ifndef GG_SITE_HALL_H
#define GG_SITE_HALL_H

#include <stdbool.h>
#include <stdint.h>

#define GG_HALL_TICK_S 0.1

struct gg_hall_pump {
	bool run, alarm;                           /* coils: what is asked of it; its lamp */
	double speed;                              /* 0 to 1.1 of nominal */
	double winding;                            /* degC */
	double bearing;                            /* degC */
	double vibration, pressure, flow, current; /* mm/s, bar, m3/h, A */
};

struct gg_hall {
	struct gg_hall_pump pumps[2];
	double pressure, flow, level; /* header: bar, m3/h; tank: % */
	double ambient, humidity;     /* degC, % */
	bool lamp;                    /* coil: the hall's beacon */
	/* private */
	double recent[8]; /* the last recorded values */
	unsigned rows;
	double load; /* of pump 1, from the recording */
	bool tripped;
	double heat; /* share of the recorded excess temperature that is left: 1 unless switched off */
	uint64_t ticks, noise;
};

void gg_hall_init(struct gg_hall *h, uint64_t seed);
/* The next recorded value. */
void gg_hall_row(struct gg_hall *h, double recorded);
/* GG_HALL_TICK_S later. */
void gg_hall_tick(struct gg_hall *h);

#endif
