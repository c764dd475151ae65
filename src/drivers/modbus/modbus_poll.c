/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One poll of a group: a batch is taken, every item not done yet is asked for, range by range, as many at
 * once as the line's window allows, and when all is done the batch goes to the core. An item is done when it
 * has a sample, good or bad. What a device refuses is learnt between the requests: then the same poll goes on
 * with the finer ranges, so that one wrong address costs the other signals nothing but a moment.
 *
 * A device that has refused an item may know it later (a module was plugged in): it is asked again once a
 * minute, that item alone.
 */
#include "drivers/modbus/modbus_device.h"

enum { REFUSED_AGAIN_S = 60, GARBLED_MAX = 3, NAMED_MAX = 4 };

struct gg_modbus_read *gg_modbus_read_free(struct gg_modbus_device *d)
{
	for (size_t i = 0; i < GG_COUNT(d->reads); i++)
		if (!d->reads[i].busy)
			return &d->reads[i];
	return NULL;
}

int gg_modbus_device_add(const struct gg_modbus_signal *s, const uint8_t *data, size_t bit_or_byte,
	int64_t utc_ns, struct gg_batch *b)
{
	if (gg_modbus_table_is_bits(s->at.table))
		return gg_batch_add_bool(b, s->index, utc_ns, gg_modbus_bit(data, bit_or_byte));
	if (s->form.type == GG_MODBUS_STRING) {
		char text[GG_MODBUS_STRING_MAX];
		size_t len = gg_modbus_decode_string(&s->form, data + bit_or_byte, text);
		return gg_batch_add_string(b, s->index, utc_ns, gg_str_n(text, len));
	}
	struct gg_sample sample = {.time_ns = utc_ns, .signal = s->index};
	gg_modbus_decode(&s->form, data + bit_or_byte, &sample);
	return gg_batch_add(b, &sample);
}

/* The batch has room for one sample per item, so adding does not fail. */
static void range_bad(struct gg_modbus_group *g, const struct gg_modbus_range *r, enum gg_reason reason)
{
	for (uint32_t n = r->first; n < r->first + r->items; n++) {
		struct gg_modbus_item *i = &g->plan.items[n];
		if (!i->done)
			(void)gg_batch_add_bad(g->batch, g->device->signals[i->signal].index,
				gg_loop_utc(g->device->loop), reason);
		i->done = true;
	}
}

/* A queue's values, the oldest first; one instant has one value, so each is a nanosecond later. */
static void queue_good(struct gg_modbus_group *g, struct gg_modbus_range *r, const struct gg_modbus_answer *a)
{
	int64_t utc_ns = gg_loop_utc(g->device->loop);
	for (uint32_t n = r->first; n < r->first + r->items; n++) {
		const struct gg_modbus_signal *s = &g->device->signals[g->plan.items[n].signal];
		size_t step = gg_modbus_form_registers(&s->form) * 2U;
		for (size_t at = 0; !g->plan.items[n].done && at + step <= a->len; at += step)
			(void)gg_modbus_device_add(s, a->data, at, utc_ns++, g->batch);
		g->plan.items[n].done = true;
	}
}

static void range_good(struct gg_modbus_group *g, struct gg_modbus_range *r, const uint8_t *data)
{
	int64_t utc_ns = gg_loop_utc(g->device->loop);
	size_t unit = gg_modbus_table_is_bits(r->table) ? 1 : 2;
	for (uint32_t n = r->first; n < r->first + r->items; n++) {
		struct gg_modbus_item *i = &g->plan.items[n];
		if (!i->done)
			(void)gg_modbus_device_add(&g->device->signals[i->signal], data,
				(size_t)(i->address - r->address) * unit, utc_ns, g->batch);
		i->done = true;
	}
}

/* ---- answers ---- */

static void answer_good(
	struct gg_modbus_group *g, struct gg_modbus_range *r, const struct gg_modbus_answer *a)
{
	gg_modbus_plan_taken(&g->plan, r);
	if (g->plan.items[r->first].refused)
		r->accepted = g->relearn = true;
	if (r->table == GG_MODBUS_FIFO)
		queue_good(g, r, a);
	else
		range_good(g, r, a->data);
}

/* Many devices say "illegal value" when they are asked for more than they like. */
static void exception_came(struct gg_modbus_group *g, uint32_t range, uint8_t exception)
{
	struct gg_modbus_range *r = &g->plan.ranges[range];
	bool learn = exception == GG_MODBUS_ILLEGAL_ADDRESS || exception == GG_MODBUS_ILLEGAL_VALUE;
	if (learn && !g->plan.items[r->first].refused)
		r->refused = g->relearn = true;
	if (!learn || !gg_modbus_plan_splits(&g->plan, range))
		range_bad(g, r, gg_modbus_exception_reason(exception));
}

static void read_done(struct gg_modbus_job *job, int status, const struct gg_modbus_answer *a)
{
	struct gg_modbus_read *read = GG_CONTAINER(job, struct gg_modbus_read, job);
	struct gg_modbus_device *d = read->device;
	struct gg_modbus_group *g = read->group;
	read->busy = false;
	if (!g) { /* its poll was given up */
		gg_modbus_poll_pump(d);
		return;
	}
	g->under_way--;
	struct gg_modbus_range *r = &g->plan.ranges[read->range];
	if (a && (a->exception == GG_MODBUS_GATEWAY_PATH || a->exception == GG_MODBUS_GATEWAY_TARGET)) {
		gg_modbus_device_silent(d, status, a);
	} else if (a) {
		d->garbled = 0;
		if (a->exception)
			exception_came(g, read->range, a->exception);
		else
			answer_good(g, r, a);
	} else if (status == -EBADMSG && ++d->garbled < GARBLED_MAX) {
		range_bad(g, r, GG_REASON_GARBLED);
	} else if (status == -EBADMSG || status == -ETIMEDOUT) {
		gg_modbus_device_silent(d, status, NULL);
	} else {
		range_bad(g, r, status == -ENOTCONN ? GG_REASON_NO_CONNECTION : GG_REASON_REFUSED);
	}
	gg_modbus_poll_pump(d);
}

/* ---- the poll ---- */

/* Names a few of those that the device refuses. */
static void tell_refused(struct gg_modbus_device *d, uint32_t count)
{
	char text[300] = "";
	size_t len = 0, named = 0;
	for (uint32_t i = 0; i < d->group_count; i++) {
		const struct gg_modbus_plan *p = &d->groups[i].plan;
		for (uint32_t n = 0; n < p->item_count && named < NAMED_MAX; n++) {
			const struct gg_modbus_signal *s = &d->signals[p->items[n].signal];
			if (!p->items[n].refused)
				continue;
			int wrote = snprintf(text + len, sizeof text - len, "%s%.60s (%s %u)",
				named++ ? ", " : "", s->name, gg_modbus_table_name(s->at.table),
				s->at.number);
			len = gg_min_size(len + (size_t)wrote, sizeof text - 1);
		}
	}
	d->refused = count;
	d->ops->refused(d->arg, d->o.index, count, text);
}

/* What the poll has taught. */
static void settle(struct gg_modbus_group *g)
{
	struct gg_modbus_device *d = g->device;
	uint32_t count = 0;
	(void)gg_modbus_plan_settle(&g->plan);
	for (uint32_t i = 0; i < d->group_count; i++)
		count += gg_modbus_plan_refused(&d->groups[i].plan);
	if (count != d->refused)
		tell_refused(d, count);
}

/* false: the core had no room for it, and will call. */
static bool finish(struct gg_modbus_group *g)
{
	struct gg_modbus_device *d = g->device;
	if (g->learnt || gg_modbus_plan_unsettled(&g->plan)) {
		settle(g);
		d->unkept = true;
	} else {
		gg_modbus_device_keep(d); /* once it has been quiet for a poll */
	}
	g->learnt = false;
	struct gg_batch *b = GG_TAKE(g->batch);
	if (b->count == 0) {
		gg_batch_unref(b);
		return true;
	}
	if (d->ops->submit_take(d->arg, b) != -EAGAIN)
		return true;
	d->paused = true;
	gg_count(d->line->stats.skipped, 1);
	return false;
}

static bool range_is_done(const struct gg_modbus_group *g, const struct gg_modbus_range *r)
{
	for (uint32_t n = r->first; n < r->first + r->items; n++)
		if (!g->plan.items[n].done)
			return false;
	return true;
}

/* Sends the next range; false: none is left, or no place is free. */
static bool send_next(struct gg_modbus_group *g)
{
	struct gg_modbus_device *d = g->device;
	while (g->cursor < g->plan.range_count && range_is_done(g, &g->plan.ranges[g->cursor]))
		g->cursor++;
	struct gg_modbus_read *read = gg_modbus_read_free(d);
	if (g->cursor >= g->plan.range_count || !read)
		return false;
	const struct gg_modbus_range *r = &g->plan.ranges[g->cursor];
	read->group = g;
	read->range = g->cursor++;
	read->job = (struct gg_modbus_job){.done = read_done, .owner = d, .tries = d->o.retries};
	read->job.request = gg_modbus_device_request(d, r);
	read->busy = true;
	g->under_way++;
	if (gg_modbus_line_submit(d->line, &read->job) != 0) {
		read->busy = false;
		g->under_way--;
		range_bad(g, r, GG_REASON_NO_CONNECTION);
	}
	return true;
}

/* Of several units none takes the whole window, so that a slow one does not keep the others waiting. */
static unsigned reads_allowed(const struct gg_modbus_device *d)
{
	unsigned window = gg_modbus_line_window(d->line);
	return d->line->o.units > 1 && window > 1 ? window / 2 : window;
}

static unsigned reads_busy(const struct gg_modbus_device *d)
{
	unsigned n = 0;
	for (size_t i = 0; i < GG_COUNT(d->reads); i++)
		n += d->reads[i].busy;
	return n;
}

void gg_modbus_poll_pump(struct gg_modbus_device *d)
{
	for (uint32_t i = 0; i < d->group_count; i++) {
		struct gg_modbus_group *g = &d->groups[i];
		while (g->batch) {
			if (g->relearn && g->under_way == 0) {
				(void)gg_modbus_plan_learn(&g->plan);
				g->learnt = true;
				g->relearn = false;
				g->cursor = 0;
			}
			if (g->relearn || reads_busy(d) >= reads_allowed(d) || !send_next(g))
				break;
		}
		if (g->batch && !g->under_way && !g->relearn && g->cursor >= g->plan.range_count)
			(void)finish(g);
	}
}

static bool refused_asked_again(const struct gg_modbus_group *g)
{
	/* The poll whose beat falls into a new minute. */
	int64_t every = REFUSED_AGAIN_S * GG_NS_PER_S, now = gg_loop_now(g->device->loop);
	return g->period_ns >= every || now / every != (now - g->period_ns) / every;
}

static bool open_batch(struct gg_modbus_group *g)
{
	g->batch = gg_batch_new(g->samples, g->tail_bytes);
	if (!g->batch) {
		gg_count(g->device->line->stats.skipped, 1);
		return false;
	}
	g->batch->device = g->device->o.index;
	g->cursor = 0;
	g->relearn = false;
	return true;
}

void gg_modbus_poll_start(struct gg_modbus_group *g)
{
	struct gg_modbus_device *d = g->device;
	if (d->state != GG_MODBUS_ALIVE || g->batch || !g->plan.item_count || !gg_device_enabled(d->o.index))
		return;
	if (d->paused) {
		gg_count(d->line->stats.skipped, 1);
		return;
	}
	if (!open_batch(g))
		return;
	/* Also in the first: what is only remembered has no value yet, and may be wrong by now. */
	bool ask_again = refused_asked_again(g) || !g->polled;
	g->polled = true;
	for (uint32_t n = 0; n < g->plan.item_count; n++)
		g->plan.items[n].done = g->plan.items[n].refused && !ask_again;
	gg_count(d->line->stats.polls, 1);
}

/* The batch under way holds what came before the loss, good values among it; what is lost is told after it.
 */
void gg_modbus_poll_abandon(struct gg_modbus_group *g, enum gg_reason reason)
{
	for (size_t i = 0; i < GG_COUNT(g->device->reads); i++)
		if (g->device->reads[i].group == g)
			g->device->reads[i].group = NULL;
	g->under_way = 0;
	if (g->batch)
		(void)finish(g);
	g->untold = !open_batch(g);
	if (g->untold)
		return;
	for (uint32_t n = 0; n < g->plan.item_count; n++)
		g->plan.items[n].done = false;
	for (uint32_t n = 0; n < g->plan.range_count; n++)
		range_bad(g, &g->plan.ranges[n], reason);
	g->untold = !finish(g);
}
