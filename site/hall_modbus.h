/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hall's Modbus devices, on one TCP port:
 *
 *   unit 1, 2  pump 1, pump 2   input registers, float32 (ABCD): 0 winding temperature, 2 vibration, 4
 * pressure, 6 flow, 8 current, 10 bearing temperature;  coils: 0 run, 1 alarm unit 3     header input
 * registers: 0 pressure, 2 flow, 4 level of the tank;  coils: 0 lamp
 *
 * Coils can be written; every change is said on stdout. Thread: libmodbus has its own; gg_hall_modbus_lock()
 * guards the hall's coils.
 */
#ifndef GG_SITE_HALL_MODBUS_H
#define GG_SITE_HALL_MODBUS_H

#include "hall.h"

struct gg_site_modbus;

/* NULL with a text on stderr. Port 0 takes a free one. */
struct gg_site_modbus *gg_hall_modbus_start(struct gg_hall *hall, unsigned port);
/* What the model has come to goes into the registers. Between gg_site_modbus_lock() and _unlock(). */
void gg_hall_modbus_show(struct gg_site_modbus *s, const struct gg_hall *hall);

#endif
