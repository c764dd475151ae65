/* SPDX-License-Identifier: Apache-2.0 */
#include "hall_modbus.h"
#include "modbus_site.h"

#include <stdio.h>
#include <string.h>

enum { UNITS = 3, HEADER = 3, REGISTERS = 12, COILS = 2 };

/* Where a coil lives in the model, and its name. */
static bool *coil(struct gg_hall *h, unsigned unit, unsigned number, const char **ret_name)
{
	static const char *const names[UNITS][COILS] = {
		{"pump-1/run", "pump-1/alarm"}, {"pump-2/run", "pump-2/alarm"}, {"header/lamp", NULL}};
	if (unit < 1 || unit > UNITS || number >= COILS || !names[unit - 1][number])
		return NULL;
	*ret_name = names[unit - 1][number];
	if (unit == HEADER)
		return &h->lamp;
	return number == 0 ? &h->pumps[unit - 1].run : &h->pumps[unit - 1].alarm;
}

static void written(void *arg, struct gg_site_modbus_unit *u, int function, unsigned address, unsigned count)
{
	struct gg_hall *h = arg;
	if (function != 5 && function != 15)
		return;
	for (unsigned a = address; a < address + count; a++) {
		const char *name;
		bool *c = coil(h, u->unit, a, &name);
		bool on = c && u->map->tab_bits[a];
		if (c && *c != on)
			printf("%s switched %s\n", name, on ? "on" : "off");
		if (c)
			*c = on;
	}
}

struct gg_site_modbus *gg_hall_modbus_start(struct gg_hall *hall, unsigned port)
{
	const struct gg_site_modbus_options o = {.first_port = (uint16_t)port,
		.ports = 1,
		.units = UNITS,
		.coils = COILS,
		.discretes = 1,
		.inputs = REGISTERS,
		.holdings = 1,
		.written = written,
		.arg = hall};
	struct gg_site_modbus *s = gg_site_modbus_new(&o);
	if (!s) {
		fprintf(stderr, "Modbus on 127.0.0.1:%u: ", port);
		perror(NULL);
		return NULL;
	}
	for (unsigned unit = 1; unit <= UNITS; unit++)
		for (unsigned i = 0; i < COILS; i++) {
			const char *name;
			const bool *c = coil(hall, unit, i, &name);
			if (c)
				gg_site_modbus_unit(s, 0, unit)->map->tab_bits[i] = *c;
		}
	gg_hall_modbus_show(s, hall);
	if (gg_site_modbus_start(s) != 0) {
		perror("Modbus");
		gg_site_modbus_free(s);
		return NULL;
	}
	return s;
}

static void put(struct gg_site_modbus *s, unsigned unit, const double *values, unsigned count)
{
	uint16_t *registers = gg_site_modbus_unit(s, 0, unit)->map->tab_input_registers;
	for (unsigned i = 0; i < count; i++)
		gg_site_modbus_put_float(&registers[i * 2], (float)values[i]);
}

void gg_hall_modbus_show(struct gg_site_modbus *s, const struct gg_hall *h)
{
	for (unsigned i = 0; i < 2; i++) {
		const struct gg_hall_pump *p = &h->pumps[i];
		const double values[] = {
			p->winding, p->vibration, p->pressure, p->flow, p->current, p->bearing};
		put(s, i + 1, values, 6);
	}
	const double values[] = {h->pressure, h->flow, h->level};
	put(s, HEADER, values, 3);
}
