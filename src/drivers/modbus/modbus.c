/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The driver as the core sees it: options, life cycle, ops. One instance is one line with one or several
 * devices; what it does is in the files beside it:
 *
 *   modbus_options.c   what is written in the configuration ─▶ what the engine works with
 *   modbus_device.c    life and health of a unit, its groups      modbus_poll.c   one poll of a group
 *   modbus_line.c      connection, queue, answers                 modbus_write.c  writes
 *   modbus_plan.c      signals ─▶ few requests                    modbus_codec.c  frames   modbus_value.c
 * values
 */
#include "drivers/modbus/modbus.h"

#include "ganglion/driver.h"

/* ---- what the engine needs of the core ---- */

static int submit_take(void *arg, struct gg_batch *b)
{
	struct gg_modbus *m = arg;
	return gg_host_submit_take(m->host, b);
}

static void health(void *arg, uint32_t device, bool healthy, const char *reason)
{
	struct gg_modbus *m = arg;
	gg_host_device_health(m->host, device, healthy, reason);
}

static void write_done(void *arg, struct gg_write *w, int status, const char *reason)
{
	(void)arg;
	gg_write_done(w, status, reason);
}

static const struct gg_modbus_ops core_ops = {
	.submit_take = submit_take,
	.health = health,
	.write_done = write_done,
};

/* ---- life ---- */

static int name_signals(struct gg_modbus *m, struct gg_modbus_unit *u, struct gg_error *e)
{
	int r = gg_host_device(m->host, gg_str(u->device.o.name), &u->device.o.index);
	if (r != 0)
		return gg_error_set(e, r, "device %s: %s", u->device.o.name, strerror(-r));
	for (uint32_t i = 0; i < u->count; i++) {
		const struct gg_modbus_signal *s = &u->signals[i];
		const struct gg_signal_spec spec = {.type = gg_modbus_table_is_bits(s->at.table)
								    ? GG_TYPE_BOOL
								    : gg_modbus_form_type(&s->form),
			.writable = s->writable,
			.unit = u->specs[i].unit,
			.title = u->specs[i].title,
			.low = s->low,
			.high = s->high,
			.period_ns = s->period_ns};
		uint32_t index;
		r = gg_host_signal(m->host, u->device.o.index, gg_str(s->name), &spec, &index);
		if (r != 0)
			return gg_error_set(e, r, "signal %s/%s: %s", u->device.o.name, s->name,
				r == -EDQUOT ? "limits.signals or limits.signals_per_device is reached"
					     : strerror(-r));
		u->signals[i].index = index;
	}
	return 0;
}

static int name_all(struct gg_modbus *m, struct gg_error *e)
{
	int r = 0;
	for (size_t i = 0; i < m->unit_count && r == 0; i++)
		r = name_signals(m, &m->units[i], e);
	return r;
}

static int init(void *self, struct gg_host *host, struct gg_error *e)
{
	struct gg_modbus *m = self;
	m->host = host;
	m->name = gg_host_name(host);
	int r = gg_modbus_options_take(m, e);
	/* Without a loop a configuration is only being checked: the names are what it is asked for. */
	return r == 0 && !gg_host_loop(host) ? name_all(m, e) : r;
}

static void line_changed(void *arg, bool up, const char *reason)
{
	struct gg_modbus *m = arg;
	for (size_t i = 0; i < m->unit_count; i++)
		gg_modbus_device_line(&m->units[i].device, up, reason);
}

static void make_stats(struct gg_modbus *m)
{
	struct gg_modbus_stats *s = &m->line.stats;
	char label[200];
	snprintf(label, sizeof label, "driver=\"%s\"", m->name);
	s->requests = gg_metric_counter("modbus_requests_total", label, "Requests put on the line");
	s->answers = gg_metric_counter("modbus_answers_total", label, "Answers that fit");
	s->exceptions =
		gg_metric_counter("modbus_exceptions_total", label, "Exceptions that devices answered");
	s->timeouts = gg_metric_counter("modbus_timeouts_total", label, "Requests without an answer in time");
	s->garbled = gg_metric_counter("modbus_garbled_total", label, "Answers that could not be understood");
	s->reconnects = gg_metric_counter("modbus_disconnects_total", label, "Connections lost or refused");
	s->polls = gg_metric_counter("modbus_polls_total", label, "Polls of a group of signals begun");
	s->missed = gg_metric_counter(
		"modbus_missed_total", label, "Polls left out: the one before was not through");
	s->skipped = gg_metric_counter(
		"modbus_skipped_total", label, "Polls left out or dropped: no room in the gateway");
	s->answer_time = gg_metric_histogram("modbus_answer_seconds", label, "From request to answer");
	s->jitter = gg_metric_histogram("modbus_poll_jitter_seconds", label, "How late polls begin");
}

static int by_index(const void *a, const void *b)
{
	const struct gg_modbus_target *x = a, *y = b;
	return x->index < y->index ? -1 : x->index > y->index;
}

/* The way back from a signal's index, for writes. */
static int make_targets(struct gg_modbus *m, struct gg_error *e)
{
	size_t n = 0;
	for (size_t i = 0; i < m->unit_count; i++)
		n += m->units[i].count;
	m->targets = calloc(n ? n : 1, sizeof *m->targets);
	if (!m->targets)
		return gg_error_set(e, -ENOMEM, "out of memory");
	for (size_t i = 0; i < m->unit_count; i++)
		for (uint32_t k = 0; k < m->units[i].count; k++)
			m->targets[m->target_count++] = (struct gg_modbus_target){
				m->units[i].signals[k].index, &m->units[i].device, &m->units[i].signals[k]};
	qsort(m->targets, m->target_count, sizeof *m->targets, by_index);
	return 0;
}

static int start(void *self, struct gg_error *e)
{
	struct gg_modbus *m = self;
	int r = name_all(m, e);
	if (r == 0)
		r = make_targets(m, e);
	if (r != 0)
		return r;
	make_stats(m);
	m->line.changed = line_changed;
	m->line.arg = m;
	gg_modbus_line_start(&m->line, gg_host_loop(m->host), &m->line_options);
	for (size_t i = 0; i < m->unit_count; i++)
		gg_modbus_device_start(&m->units[i].device, &m->line, &core_ops, m);
	return 0;
}

static void close_instance(void *self)
{
	struct gg_modbus *m = self;
	if (!m->line.loop)
		return;
	for (size_t i = 0; i < m->unit_count; i++)
		gg_modbus_device_close(&m->units[i].device);
	gg_modbus_line_close(&m->line);
}

static void fini(void *self)
{
	struct gg_modbus *m = self;
	for (size_t i = 0; i < m->unit_count; i++)
		gg_modbus_device_done(&m->units[i].device);
	gg_modbus_options_done(m);
	free(m->targets);
	m->targets = NULL;
}

/* ---- ops ---- */

static int write_signal(void *self, struct gg_write *w, struct gg_error *e)
{
	struct gg_modbus *m = self;
	const struct gg_modbus_target key = {.index = w->signal};
	const struct gg_modbus_target *t = bsearch(&key, m->targets, m->target_count, sizeof key, by_index);
	if (!t)
		return gg_error_set(e, -ENOENT, "%s has no such signal", m->name);
	return gg_modbus_device_write(t->device, t->signal, w, e);
}

static void resume(void *self)
{
	struct gg_modbus *m = self;
	for (size_t i = 0; i < m->unit_count; i++)
		gg_modbus_device_resume(&m->units[i].device);
}

static const struct gg_driver_ops ops = {
	.write = write_signal,
	.resume = resume,
};

const struct gg_component gg_driver_modbus = {
	.name = "modbus",
	.title = "Modbus TCP and RTU",
	.help = "Reads and writes coils and registers of one device, or of several that share a connection "
		"or a serial "
		"line. Neighbouring registers are read together; addresses a device refuses are found out "
		"and left "
		"alone, so that the other signals keep coming.",
	.example = "boiler:\n"
		   "  driver: modbus\n"
		   "  connect: tcp://10.0.0.7:502\n"
		   "  unit: 3\n"
		   "  poll: 1s\n"
		   "  signals:\n"
		   "    temperature: { address: 40001, type: float32, unit: degC }\n"
		   "    burner: { address: coil 17, writable: true }\n",
	.kind = GG_DRIVER,
	.self_size = sizeof(struct gg_modbus),
	.options = gg_modbus_options,
	.init = init,
	.start = start,
	.close = close_instance,
	.fini = fini,
	.driver = &ops,
};
