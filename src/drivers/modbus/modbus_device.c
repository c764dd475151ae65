/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Groups, timers, and whether the device lives. Signals with the same period form a group; a group polls at
 * multiples of its period plus a phase that follows from the device's id, so that many devices don't all ask
 * at the same instant, and a restart does not move the phase. There are only so many phases: those that fall
 * together are one wake-up of the loop, and of a thousand polls a second waking is the dearest part.
 *
 * Whatever the reason, a loss is told once: the group's signals get a bad sample each, the core a reason in
 * words.
 */
#include "drivers/modbus/modbus_device.h"

#include "base/log.h"
#include "base/map.h"

enum { SLOTS = 20 }; /* of a period */

static void probe(struct gg_modbus_device *d);

/* ---- making groups ---- */

static uint16_t extent(const struct gg_modbus_signal *s)
{
	if (s->at.table == GG_MODBUS_FIFO)
		return gg_modbus_form_registers(&s->form);
	return gg_modbus_table_is_bits(s->at.table) ? 1 : gg_modbus_form_registers(&s->form);
}

static int make_group(struct gg_modbus_device *d, struct gg_modbus_group *g, int64_t period_ns,
	struct gg_modbus_item *items)
{
	uint32_t n = 0;
	*g = (struct gg_modbus_group){.device = d, .period_ns = period_ns};
	for (uint32_t i = 0; i < d->signal_count; i++) {
		const struct gg_modbus_signal *s = &d->signals[i];
		if (s->period_ns != period_ns)
			continue;
		items[n++] = (struct gg_modbus_item){.table = s->at.table,
			.file = s->at.file,
			.address = s->at.number,
			.count = extent(s),
			.signal = i};
		g->samples += s->at.table == GG_MODBUS_FIFO ? GG_MODBUS_FIFO_REGS : 1;
		if (s->form.type == GG_MODBUS_STRING)
			g->tail_bytes += s->form.length;
	}
	uint64_t hash = gg_hash_stable(gg_str(d->o.name)) + (uint64_t)period_ns;
	g->phase_ns = (int64_t)(hash % SLOTS) * (period_ns / SLOTS);
	return gg_modbus_plan_init(&g->plan, items, n, d->o.limits);
}

static bool period_is_new(const struct gg_modbus_device *d, uint32_t signal)
{
	for (uint32_t i = 0; i < signal; i++)
		if (d->signals[i].period_ns == d->signals[signal].period_ns)
			return false;
	return true;
}

int gg_modbus_device_init(struct gg_modbus_device *d, const struct gg_modbus_device_options *o,
	const struct gg_modbus_signal *signals, uint32_t count)
{
	*d = (struct gg_modbus_device){.o = *o, .signals = signals, .signal_count = count};
	if (count > GG_BATCH_SAMPLES)
		return -EINVAL;
	if (o->broadcast)
		return 0;
	uint32_t groups = 0;
	for (uint32_t i = 0; i < count; i++)
		groups += period_is_new(d, i);
	struct gg_modbus_item *items GG_CLEANUP(gg_free_p) = calloc(count ? count : 1, sizeof *items);
	d->groups = calloc(groups ? groups : 1, sizeof *d->groups);
	if (!items || !d->groups)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		if (!period_is_new(d, i))
			continue;
		int r = make_group(d, &d->groups[d->group_count++], signals[i].period_ns, items);
		if (r != 0)
			return r;
	}
	return 0;
}

void gg_modbus_device_done(struct gg_modbus_device *d)
{
	for (uint32_t i = 0; i < d->group_count; i++) {
		gg_batch_unref(d->groups[i].batch);
		gg_modbus_plan_done(&d->groups[i].plan);
	}
	free(d->groups);
	d->groups = NULL;
	d->group_count = 0;
}

/* ---- the beat ---- */

static void group_fired(struct gg_timer *t);

/* The next instant of the group's grid; what lies before it is missed. */
static void next_beat(struct gg_modbus_group *g)
{
	int64_t now = gg_loop_now(g->device->loop);
	int64_t due = now - (now - g->phase_ns) % g->period_ns + g->period_ns;
	if (g->due_ns && due - g->due_ns > g->period_ns)
		gg_count(g->device->line->stats.missed, (uint64_t)((due - g->due_ns) / g->period_ns - 1));
	g->due_ns = due;
	gg_timer_start(g->device->loop, &g->timer, due - now, group_fired);
}

static void group_fired(struct gg_timer *t)
{
	struct gg_modbus_group *g = GG_CONTAINER(t, struct gg_modbus_group, timer);
	struct gg_modbus_device *d = g->device;
	gg_histogram_add(d->line->stats.jitter, gg_loop_now(d->loop) - g->due_ns);
	next_beat(g);
	if (g->batch)
		gg_count(d->line->stats.missed, 1); /* the one before is not through yet */
	else
		gg_modbus_poll_start(g);
	gg_modbus_poll_pump(d);
}

static void start_groups(struct gg_modbus_device *d)
{
	for (uint32_t i = 0; i < d->group_count; i++) {
		d->groups[i].untold = false;
		d->groups[i].due_ns = 0;
		next_beat(&d->groups[i]);
		gg_modbus_poll_start(&d->groups[i]);
	}
	gg_modbus_poll_pump(d);
}

/* ---- lost and found ---- */

static void probe_fired(struct gg_timer *t)
{
	probe(GG_CONTAINER(t, struct gg_modbus_device, probe));
}

static void probe_later(struct gg_modbus_device *d)
{
	int64_t ns = gg_modbus_backoff(d->o.backoff_min_ns, d->o.backoff_max_ns, d->losses, &d->random);
	d->losses++;
	gg_timer_start(d->loop, &d->probe, ns, probe_fired);
}

void gg_modbus_device_lost(struct gg_modbus_device *d, enum gg_reason reason, const char *text)
{
	bool first = d->state != GG_MODBUS_LOST;
	d->state = GG_MODBUS_LOST;
	for (uint32_t i = 0; i < d->group_count; i++) {
		gg_timer_stop(&d->groups[i].timer);
		if (first || d->groups[i].untold)
			gg_modbus_poll_abandon(&d->groups[i], reason);
	}
	d->lost_reason = reason;
	gg_modbus_line_forget(d->line, d);
	if (first) {
		d->losses = 0;
		d->ops->health(d->arg, d->o.index, false, text);
	}
	if (d->line_up)
		probe_later(d);
}

void gg_modbus_device_silent(struct gg_modbus_device *d, int status, const struct gg_modbus_answer *a)
{
	char where[300], text[400];
	enum gg_reason reason = status == -EBADMSG ? GG_REASON_GARBLED : GG_REASON_TIMEOUT;
	gg_modbus_line_name(d->line, where, sizeof where);
	if (a) {
		reason = gg_modbus_exception_reason(a->exception);
		snprintf(text, sizeof text, "unit %u at %s: %s", d->o.unit, where,
			gg_modbus_exception_text(a->exception));
	} else {
		snprintf(text, sizeof text, "%s from unit %u at %s in %.3g s",
			status == -EBADMSG ? "only garbled answers" : "no answer", d->o.unit, where,
			(double)d->o.timeout_ns / 1e9);
	}
	gg_modbus_device_lost(d, reason, text);
}

void gg_modbus_device_answered(struct gg_modbus_device *d)
{
	d->garbled = 0;
	d->losses = 0;
	if (d->state == GG_MODBUS_ALIVE || !d->line_up)
		return;
	d->state = GG_MODBUS_ALIVE;
	gg_timer_stop(&d->probe);
	gg_log(GG_INFO, d->o.who, "device answers", GG_S("device", d->o.name), GG_I("unit", d->o.unit));
	d->ops->health(d->arg, d->o.index, true, "");
	start_groups(d);
	gg_modbus_device_identify(d);
}

static void probe_done(struct gg_modbus_job *job, int status, const struct gg_modbus_answer *a)
{
	struct gg_modbus_read *r = GG_CONTAINER(job, struct gg_modbus_read, job);
	struct gg_modbus_device *d = r->device;
	r->busy = false;
	if (status == -ECANCELED || status == -ENOTCONN || !d->line_up)
		return; /* gg_modbus_device_line() knows more */
	bool through =
		a && a->exception != GG_MODBUS_GATEWAY_PATH && a->exception != GG_MODBUS_GATEWAY_TARGET;
	if (through) {
		gg_modbus_device_answered(d);
		return;
	}
	gg_modbus_device_silent(d, status, a);
}

struct gg_modbus_request gg_modbus_device_request(
	const struct gg_modbus_device *d, const struct gg_modbus_range *r)
{
	return (struct gg_modbus_request){.unit = d->o.unit,
		.function = gg_modbus_table_read(r->table),
		.file = r->file,
		.address = r->address,
		.count = r->count};
}

/* Asks for the first range there is: any answer, an exception too, shows that somebody lives there. */
static void probe(struct gg_modbus_device *d)
{
	struct gg_modbus_read *r = gg_modbus_read_free(d);
	if (!r || !d->line_up || !d->group_count)
		return;
	if (!gg_device_enabled(d->o.index)) {
		probe_later(d);
		return;
	}
	r->group = NULL;
	r->job = (struct gg_modbus_job){.done = probe_done,
		.owner = d,
		.request = gg_modbus_device_request(d, &d->groups[0].plan.ranges[0])};
	r->busy = gg_modbus_line_submit(d->line, &r->job) == 0;
	if (!r->busy)
		probe_later(d);
}

void gg_modbus_device_start(
	struct gg_modbus_device *d, struct gg_modbus_line *line, const struct gg_modbus_ops *ops, void *arg)
{
	d->line = line;
	d->loop = line->loop;
	d->ops = ops;
	d->arg = arg;
	d->random = gg_hash(gg_str(d->o.name));
	for (size_t i = 0; i < GG_COUNT(d->reads); i++)
		d->reads[i].device = d;
}

void gg_modbus_device_line(struct gg_modbus_device *d, bool up, const char *reason)
{
	char where[300], text[500];
	d->line_up = up;
	gg_timer_stop(&d->probe);
	if (up && (d->o.broadcast || d->state == GG_MODBUS_ALIVE)) {
		d->state =
			GG_MODBUS_LOST; /* nobody to ask, or asked already: see gg_modbus_device_inherit() */
		gg_modbus_device_answered(d);
		return;
	}
	if (up) {
		d->losses = 0;
		probe(d);
		return;
	}
	gg_modbus_line_name(d->line, where, sizeof where);
	if (strstr(reason, where)) /* "cannot connect to 10.0.0.7:502: connection refused" */
		snprintf(text, sizeof text, "%s", reason);
	else
		snprintf(text, sizeof text, "no connection to %s: %s", where, reason);
	gg_modbus_device_lost(d, GG_REASON_NO_CONNECTION, text);
}

void gg_modbus_device_resume(struct gg_modbus_device *d)
{
	d->paused = false;
	for (uint32_t i = 0; i < d->group_count && d->state == GG_MODBUS_LOST && !d->paused; i++)
		if (d->groups[i].untold)
			gg_modbus_poll_abandon(&d->groups[i], d->lost_reason);
}

void gg_modbus_device_inherit(struct gg_modbus_device *d, const struct gg_modbus_device *from)
{
	if (from->o.unit != d->o.unit || from->o.broadcast != d->o.broadcast)
		return;
	d->state = from->state == GG_MODBUS_ALIVE ? GG_MODBUS_ALIVE : GG_MODBUS_NEW;
	d->no_single_write = from->no_single_write;
	d->no_mask_write = from->no_mask_write;
	for (uint32_t i = 0; i < d->group_count; i++)
		for (uint32_t k = 0; k < from->group_count; k++)
			if (d->groups[i].period_ns == from->groups[k].period_ns)
				gg_modbus_plan_inherit(&d->groups[i].plan, &from->groups[k].plan);
	d->refused = from->refused;
	d->unkept = true; /* it has another layout now */
}

void gg_modbus_device_keep(struct gg_modbus_device *d)
{
	if (d->unkept && d->ops && d->ops->keep)
		d->unkept = d->ops->keep(d->arg, d) != 0;
}

void gg_modbus_device_close(struct gg_modbus_device *d)
{
	d->line_up = false;
	gg_timer_stop(&d->probe);
	for (size_t i = 0; i < GG_COUNT(d->reads); i++)
		d->reads[i].group = NULL;
	for (uint32_t i = 0; i < d->group_count; i++) {
		gg_timer_stop(&d->groups[i].timer);
		d->groups[i].batch = gg_batch_unref(d->groups[i].batch);
	}
}
