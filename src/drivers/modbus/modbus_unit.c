/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Units as the configuration describes them: their signals, from the configuration itself or a register list,
 * and the engine's device over them. A hundred thousand signals are usual, so once they are in the signal
 * table only what the engine needs of them stays; their names are those of the table then.
 */
#include "drivers/modbus/modbus.h"

struct gg_modbus_unit *gg_modbus_unit_free(struct gg_modbus_unit *u)
{
	if (!u)
		return NULL;
	gg_modbus_device_done(&u->device);
	free(u->signals);
	free(u->labels);
	free(u->text);
	free(u);
	return NULL;
}

/* ---- making ---- */

static int take_signals(struct gg_modbus_unit *u, const struct gg_many *signals, int order, int64_t period_ns,
	struct gg_error *e)
{
	const struct gg_modbus_signal_options *o = signals->items;
	size_t count = u->count + signals->count;
	if (count < 1 || count > GG_BATCH_SAMPLES)
		return gg_error_set(e, -EINVAL, "signals: 1 to %d were expected", (int)GG_BATCH_SAMPLES);
	struct gg_modbus_signal *more = realloc(u->signals, count * sizeof *more);
	if (more)
		u->signals = more;
	struct gg_modbus_label *labels = realloc(u->labels, count * sizeof *labels);
	if (labels)
		u->labels = labels;
	if (!more || !labels)
		return gg_error_set(e, -ENOMEM, "out of memory");
	for (size_t i = 0; i < signals->count; i++) {
		int r = gg_modbus_signal_take(&o[i], order, period_ns, &u->signals[u->count], e);
		if (r != 0) {
			gg_error_prefix(e, "signals.%s", o[i].name);
			return r;
		}
		u->labels[u->count++] = (struct gg_modbus_label){o[i].unit, o[i].title};
	}
	return 0;
}

static int check_unit(const struct gg_modbus *m, const struct gg_modbus_device_config *d,
	const struct gg_modbus_unit *u, struct gg_error *e)
{
	bool rtu = m->line_options.framing == GG_MODBUS_RTU;
	if (rtu && d->unit > 247)
		return gg_error_set(
			e, -EINVAL, "unit: 1 to 247 was expected on a serial line, or 0 for a broadcast");
	if (d->broadcast && d->unit != 0)
		return gg_error_set(
			e, -EINVAL, "broadcast: that is unit 0, and not %lld", (long long)d->unit);
	bool broadcast = d->broadcast || (rtu && d->unit == 0);
	for (uint32_t i = 0; broadcast && i < u->count; i++)
		if (!u->signals[i].writable || u->signals[i].readback)
			return gg_error_set(e, -EINVAL,
				"signals.%s: a broadcast can't be read: writable: true was expected, without "
				"readback",
				u->signals[i].name);
	return 0;
}

static int take_unit(struct gg_modbus *m, const struct gg_modbus_device_config *d, const char *name,
	struct gg_modbus_unit *u, struct gg_error *e)
{
	const struct gg_modbus_config *c = &m->config;
	const struct gg_modbus_device_options o = {.who = m->name,
		.name = name,
		.unit = (uint8_t)d->unit,
		.broadcast = d->broadcast || (m->line_options.framing == GG_MODBUS_RTU && d->unit == 0),
		.retries = (unsigned)c->retries,
		.identify = c->identify,
		.timeout_ns = c->timeout_ns,
		.backoff_min_ns = m->line_options.backoff_min_ns,
		.backoff_max_ns = m->line_options.backoff_max_ns,
		.limits = {.max_gap = (uint16_t)c->max_gap,
			.max_registers = (uint16_t)c->max_registers,
			.max_bits = (uint16_t)c->max_coils}};
	int order = d->order ? d->order : c->own.order;
	int64_t period_ns = d->poll_ns ? d->poll_ns : c->own.poll_ns;
	int r = d->registers.file ? gg_modbus_list_take(u, &d->registers, order, period_ns, e) : 0;
	if (r == 0)
		r = take_signals(u, &d->signals, order, period_ns, e);
	if (r == 0)
		r = check_unit(m, d, u, e);
	if (r != 0)
		return r;
	r = gg_modbus_device_init(&u->device, &o, u->signals, u->count);
	if (r == -EINVAL)
		return gg_error_set(
			e, r, "a signal is longer than max_registers (%lld)", (long long)c->max_registers);
	return r != 0 ? gg_error_set(e, r, "%s", strerror(-r)) : 0;
}

static int add_unit(
	struct gg_modbus *m, const struct gg_modbus_device_config *d, const char *name, struct gg_error *e)
{
	struct gg_modbus_unit *u = calloc(1, sizeof *u);
	if (!u)
		return gg_error_set(e, -ENOMEM, "out of memory");
	m->units[m->unit_count++] = u;
	return take_unit(m, d, name, u, e);
}

static int check_units(const struct gg_modbus *m, struct gg_error *e)
{
	const char *names[256] = {0};
	for (size_t i = 0; i < m->unit_count; i++) {
		const struct gg_modbus_device_options *o = &m->units[i]->device.o;
		if (names[o->unit])
			return gg_error_set(e, -EINVAL, "devices: %s and %s have the same unit %u",
				names[o->unit], o->name, o->unit);
		names[o->unit] = o->name;
	}
	return 0;
}

int gg_modbus_options_take(struct gg_modbus *m, struct gg_error *e)
{
	const struct gg_modbus_config *c = &m->config;
	const struct gg_modbus_device_config *devices = c->devices.items;
	bool own = c->own.signals.count > 0 || c->own.registers.file;
	if (!own && !c->devices.count)
		return gg_error_set(e, -EINVAL,
			"signals or registers (for one device) or devices (for several) were expected");
	int r = gg_modbus_line_options_take(m, e);
	if (r != 0)
		return r;
	m->units = calloc(c->devices.count + 1, sizeof(struct gg_modbus_unit *));
	if (!m->units)
		return gg_error_set(e, -ENOMEM, "out of memory");
	if (own)
		r = add_unit(m, &c->own, m->name, e);
	for (size_t i = 0; r == 0 && i < c->devices.count; i++) {
		r = add_unit(m, &devices[i], devices[i].name, e);
		if (r != 0)
			gg_error_prefix(e, "devices.%s", devices[i].name);
	}
	m->line_options.units = (unsigned)m->unit_count;
	return r != 0 ? r : check_units(m, e);
}

void gg_modbus_options_done(struct gg_modbus *m)
{
	for (size_t i = 0; i < m->unit_count; i++)
		gg_modbus_unit_free(m->units[i]);
	free(m->units);
	m->units = NULL;
	m->unit_count = 0;
	m->line_options.tls = gg_tls_unref(m->line_options.tls);
}

/* ---- in the signal table ---- */

static int enter_signal(struct gg_modbus *m, struct gg_modbus_unit *u, uint32_t i, struct gg_error *e)
{
	struct gg_modbus_signal *s = &u->signals[i];
	const struct gg_signal_spec spec = {
		.type = gg_modbus_table_is_bits(s->at.table) ? GG_TYPE_BOOL : gg_modbus_form_type(&s->form),
		.writable = s->writable,
		.unit = u->labels[i].unit,
		.title = u->labels[i].title,
		.low = s->low,
		.high = s->high,
		.period_ns = u->device.o.broadcast ? 0 : s->period_ns};
	int r = gg_host_signal(m->host, u->device.o.index, gg_str(s->name), &spec, &s->index);
	if (r == -EDQUOT)
		return gg_error_set(e, r,
			"signal %s/%s: limits.signals or limits.signals_per_device is reached",
			u->device.o.name, s->name);
	if (r != 0)
		return gg_error_set(e, r, "signal %s/%s: %s", u->device.o.name, s->name, strerror(-r));
	const struct gg_signal_info *info = gg_signal(s->index);
	if (info)
		s->name = info->signal.p; /* lives as long as the process */
	return 0;
}

int gg_modbus_unit_enter(struct gg_modbus *m, struct gg_modbus_unit *u, struct gg_error *e)
{
	int r = gg_host_device(m->host, gg_str(u->device.o.name), &u->device.o.index);
	if (r != 0)
		return gg_error_set(e, r, "device %s: %s", u->device.o.name, strerror(-r));
	for (uint32_t i = 0; i < u->count; i++) {
		r = enter_signal(m, u, i, e);
		if (r != 0)
			return r;
	}
	u->device.o.name = gg_device_id(u->device.o.index).p;
	free(GG_TAKE(u->labels));
	free(GG_TAKE(u->text));
	return 0;
}

/* ---- comparing ---- */

static bool same_number(double a, double b)
{
	return !(a < b) && !(a > b);
}

static bool same_signal(const struct gg_modbus_signal *a, const struct gg_modbus_signal *b)
{
	const struct gg_modbus_form *f = &a->form, *g = &b->form;
	return strcmp(a->name, b->name) == 0 && a->at.table == b->at.table && a->at.number == b->at.number &&
	       a->at.file == b->at.file && f->type == g->type && f->order == g->order && f->bit == g->bit &&
	       f->length == g->length && same_number(f->scale, g->scale) &&
	       same_number(f->offset, g->offset) && a->period_ns == b->period_ns &&
	       same_number(a->low, b->low) && same_number(a->high, b->high) && a->writable == b->writable &&
	       a->readback == b->readback;
}

static bool same_options(const struct gg_modbus_device_options *a, const struct gg_modbus_device_options *b)
{
	return strcmp(a->name, b->name) == 0 && a->unit == b->unit && a->broadcast == b->broadcast &&
	       a->retries == b->retries && a->identify == b->identify && a->timeout_ns == b->timeout_ns &&
	       a->backoff_min_ns == b->backoff_min_ns && a->backoff_max_ns == b->backoff_max_ns &&
	       a->limits.max_gap == b->limits.max_gap && a->limits.max_registers == b->limits.max_registers &&
	       a->limits.max_bits == b->limits.max_bits;
}

bool gg_modbus_unit_same(const struct gg_modbus_unit *a, const struct gg_modbus_unit *b)
{
	if (a->count != b->count || !same_options(&a->device.o, &b->device.o))
		return false;
	for (uint32_t i = 0; i < a->count; i++)
		if (!same_signal(&a->signals[i], &b->signals[i]))
			return false;
	return true;
}
