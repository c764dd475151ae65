/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The driver as the core sees it: options, life cycle, ops. One instance is one line with one or several
 * devices; what it does is in the files beside it:
 *
 *   modbus_options.c   what is written in the configuration ─▶ what the engine works with: modbus_unit.c,
 *                      modbus_signal.c; register lists: modbus_list.c, modbus_registers.c, modbus_csv.c
 *   modbus_device.c    life and health of a unit, its groups      modbus_poll.c   one poll of a group
 *   modbus_line.c      connection, queue, answers                 modbus_write.c  writes
 *   modbus_plan.c      signals ─▶ few requests                    modbus_codec.c  frames   modbus_value.c
 * values
 */
#include "drivers/modbus/modbus.h"

#include "base/log.h"
#include "drivers/modbus/modbus_memory.h"
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

static void property(void *arg, uint32_t device, const char *name, const char *value)
{
	struct gg_modbus *m = arg;
	gg_host_device_property(m->host, device, gg_str(name), gg_str(value));
}

static void refused(void *arg, uint32_t device, uint32_t count, const char *text)
{
	struct gg_modbus *m = arg;
	struct gg_str id = gg_device_id(device);
	char title[GG_ERROR_TEXT];
	if (count)
		snprintf(title, sizeof title, "%.*s has no such address for %u of its signals: %s%s",
			GG_STR_ARG(id), count, text, count > 4 ? ", ..." : "");
	else
		snprintf(title, sizeof title, "%.*s has all addresses now", GG_STR_ARG(id));
	gg_log(count ? GG_WARN : GG_INFO, m->name,
		count ? "device refuses addresses; its other signals are not affected"
		      : "device has all addresses now",
		GG_SV("device", id), GG_I("signals", count), GG_S("which", text));
	gg_event(&(struct gg_event_report){.kind = "address-refused",
		.key = id,
		.severity = GG_WARNING,
		.clear = !count,
		.title = gg_str(title),
		.device = device,
		.signal = GG_NONE});
}

static int keep(void *arg, const struct gg_modbus_device *d)
{
	struct gg_modbus *m = arg;
	struct gg_buf record GG_CLEANUP(gg_buf_done) = GG_BUF(1 << 20);
	int r = gg_modbus_memory_write(d, gg_str(m->config.connect), &record);
	return r < 0 ? r : gg_host_keep(m->host, record.p, record.len, NULL);
}

static const struct gg_modbus_ops core_ops = {
	.keep = keep,
	.property = property,
	.refused = refused,
	.submit_take = submit_take,
	.health = health,
	.write_done = write_done,
};

/* ---- life ---- */

static int name_all(struct gg_modbus *m, struct gg_error *e)
{
	int r = 0;
	for (size_t i = 0; i < m->unit_count && r == 0; i++)
		r = gg_modbus_unit_enter(m, m->units[i], e);
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
		gg_modbus_device_line(&m->units[i]->device, up, reason);
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
	struct gg_modbus_target *all;
	size_t n = 0;
	for (size_t i = 0; i < m->unit_count; i++)
		for (uint32_t k = 0; k < m->units[i]->count; k++)
			n += m->units[i]->signals[k].writable;
	all = calloc(n ? n : 1, sizeof *all);
	if (!all)
		return gg_error_set(e, -ENOMEM, "out of memory");
	n = 0;
	for (size_t i = 0; i < m->unit_count; i++) {
		struct gg_modbus_unit *u = m->units[i];
		for (uint32_t k = 0; k < u->count; k++)
			if (u->signals[k].writable)
				all[n++] = (struct gg_modbus_target){
					u->signals[k].index, &u->device, &u->signals[k]};
	}
	qsort(all, n, sizeof *all, by_index);
	free(m->targets);
	m->targets = all;
	m->target_count = n;
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
		gg_modbus_device_start(&m->units[i]->device, &m->line, &core_ops, m);
	return 0;
}

/* ---- a change while it runs: only the units that it concerns are made anew, the connection stays ---- */

/* Of the old units the one with that name; it is taken out. NULL: none. */
static struct gg_modbus_unit *take_old(struct gg_modbus *m, const char *name)
{
	for (size_t i = 0; i < m->unit_count; i++)
		if (m->units[i] && strcmp(m->units[i]->device.o.name, name) == 0)
			return GG_TAKE(m->units[i]);
	return NULL;
}

static struct gg_modbus_unit *end_unit(struct gg_modbus *m, struct gg_modbus_unit *u)
{
	gg_modbus_device_close(&u->device);
	gg_modbus_line_orphan(&m->line, &u->device);
	return gg_modbus_unit_free(u);
}

static void begin_unit(struct gg_modbus *m, struct gg_modbus_unit *fresh, struct gg_modbus_unit *old)
{
	if (old)
		gg_modbus_device_inherit(&fresh->device, &old->device);
	if (old)
		end_unit(m, old);
	gg_modbus_device_start(&fresh->device, &m->line, &core_ops, m);
	if (m->line.up)
		gg_modbus_device_line(&fresh->device, true, "");
	else
		gg_modbus_device_line(&fresh->device, false, "not connected yet");
}

/* Puts what is the same back in the place of its double. */
static void exchange(struct gg_modbus *m, struct gg_modbus *next)
{
	for (size_t i = 0; i < next->unit_count; i++) {
		struct gg_modbus_unit *fresh = next->units[i], *old = take_old(m, fresh->device.o.name);
		if (old && gg_modbus_unit_same(old, fresh)) {
			gg_modbus_unit_free(fresh);
			next->units[i] = old;
		} else {
			begin_unit(m, fresh, old);
		}
	}
	for (size_t i = 0; i < m->unit_count; i++)
		if (m->units[i])
			end_unit(m, m->units[i]);
	free(m->units);
	m->units = GG_TAKE(next->units);
	m->unit_count = next->unit_count;
	next->unit_count = 0;
}

static void change_line(struct gg_modbus *m, const struct gg_modbus_line_options *o)
{
	struct gg_modbus_line_options *now = &m->line.o;
	now->in_flight = o->in_flight;
	now->units = o->units;
	now->timeout_ns = o->timeout_ns;
	now->pause_ns = o->pause_ns;
	now->turnaround_ns = o->turnaround_ns;
	now->backoff_min_ns = o->backoff_min_ns;
	now->backoff_max_ns = o->backoff_max_ns;
}

static int update(void *self, const void *fresh, struct gg_error *e)
{
	struct gg_modbus *m = self;
	struct gg_modbus next = {
		.config = ((const struct gg_modbus *)fresh)->config, .host = m->host, .name = m->name};
	int r = gg_modbus_options_take(&next, e);
	if (r == 0)
		r = name_all(&next, e);
	if (r == 0) {
		m->config = next.config;
		change_line(m, &next.line_options);
		exchange(m, &next);
		r = make_targets(m, e);
	}
	gg_modbus_options_done(&next);
	return r;
}

static void close_instance(void *self)
{
	struct gg_modbus *m = self;
	if (!m->line.loop)
		return;
	for (size_t i = 0; i < m->unit_count; i++) {
		gg_modbus_device_keep(&m->units[i]->device);
		gg_modbus_device_close(&m->units[i]->device);
	}
	gg_modbus_line_close(&m->line);
}

static void fini(void *self)
{
	struct gg_modbus *m = self;
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
		gg_modbus_device_resume(&m->units[i]->device);
}

/* ---- what was learnt before the start: modbus_memory.h ---- */

static void kept(void *self, struct gg_str record)
{
	struct gg_modbus *m = self;
	struct gg_str name = gg_modbus_memory_name(record);
	for (size_t i = 0; i < m->unit_count; i++)
		if (gg_str_is(name, m->units[i]->device.o.name))
			(void)gg_modbus_memory_read(&m->units[i]->device, gg_str(m->config.connect), record);
}

static bool has_learnt(const struct gg_modbus_device *d)
{
	bool learnt = d->no_single_write || d->no_mask_write;
	for (uint32_t g = 0; g < d->group_count && !learnt; g++) {
		const struct gg_modbus_plan *p = &d->groups[g].plan;
		learnt = p->lengths[0].refused || p->lengths[1].refused;
		for (uint32_t i = 0; i < p->item_count && !learnt; i++)
			learnt = p->items[i].refused || p->items[i].barrier;
	}
	return learnt;
}

static void compact(void *self)
{
	struct gg_modbus *m = self;
	for (size_t i = 0; i < m->unit_count; i++)
		if (has_learnt(&m->units[i]->device))
			(void)keep(m, &m->units[i]->device);
}

static const struct gg_driver_ops ops = {
	.write = write_signal,
	.resume = resume,
	.kept = kept,
	.compact = compact,
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
	.update = update,
	.close = close_instance,
	.fini = fini,
	.driver = &ops,
};
