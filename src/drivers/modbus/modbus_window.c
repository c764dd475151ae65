/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many requests a TCP peer bears at once, found out from how it answers, and how long answers are left to
 * gather. The window starts at 1 and doubles while answers are prompt; what makes it smaller is said at each
 * place. A peer that answers one at a time only is known by the request that got no answer among others and
 * got one alone.
 */
#include "base/log.h"
#include "drivers/modbus/modbus_line.h"

enum { PROMPT_ENOUGH = 32 }; /* answers for each doubling of the window */

unsigned gg_modbus_line_window(const struct gg_modbus_line *l)
{
	if (l->o.framing == GG_MODBUS_RTU)
		return 1;
	return l->o.in_flight ? l->o.in_flight : l->window;
}

void gg_modbus_window_learn(struct gg_modbus_line *l, const struct gg_modbus_job *job, uint8_t exception)
{
	int64_t took = gg_loop_now(l->loop) - job->sent_ns;
	if (l->o.framing == GG_MODBUS_RTU || l->o.in_flight)
		return;
	if (job->alone && l->window > 1) {
		char where[300];
		gg_log(GG_INFO, l->o.who, "requests are answered one by one only",
			GG_S("connection", gg_modbus_line_name(l, where, sizeof where)));
		l->window = l->window_most = 1;
	} else if (took > l->o.timeout_ns / 4 || exception == GG_MODBUS_DEVICE_BUSY) {
		l->window = l->window > 1 ? l->window / 2 : 1; /* what waits there may wait here as well */
		l->prompt = 0;
	} else if (took > l->o.timeout_ns / 16) {
		l->prompt = 0;
	} else if (++l->prompt >= PROMPT_ENOUGH && l->window < l->window_most) {
		l->window *= 2;
		l->prompt = 0;
	}
}

void gg_modbus_window_broke(struct gg_modbus_line *l)
{
	if (l->in_flight < 2 || l->window < 2)
		return;
	l->window_most = l->window / 2; /* perhaps that was more than it bears */
	l->window = 1;
}

/* ---- one wake-up for several answers ---- */

#define PATIENCE_NS (5 * GG_NS_PER_MS)

static void expect(struct gg_modbus_line *l, size_t bytes)
{
	if (bytes == l->expected)
		return;
	l->expected = bytes;
	gg_stream_expect(l->stream, bytes);
}

static void patience_fired(struct gg_timer *t)
{
	struct gg_modbus_line *l = GG_CONTAINER(t, struct gg_modbus_line, patience);
	if (l->open)
		expect(l, 1);
}

/* How long all answers under way are together; 1: that is not known, or somebody waits for one of them. */
static size_t answers_bytes(const struct gg_modbus_line *l)
{
	size_t all = 0;
	for (unsigned i = 0; i < l->in_flight; i++) {
		size_t bytes = gg_modbus_answer_bytes(l->o.framing, &l->flight[i]->request);
		if (!bytes || l->flight[i]->urgent)
			return 1;
		all += bytes;
	}
	return all > l->partial ? all - l->partial : 1;
}

/* Waking for each answer costs more than the answer. So while several are under way all are waited for, but
 * not long: one may be missing, or shorter, an exception. */
void gg_modbus_window_wait(struct gg_modbus_line *l)
{
	if (l->o.framing == GG_MODBUS_RTU || l->o.tls || !l->stream)
		return;
	if (!l->in_flight) { /* the next burst may be of the same size */
		gg_timer_stop(&l->patience);
		return;
	}
	size_t bytes = l->in_flight > 1 ? answers_bytes(l) : 1;
	expect(l, bytes);
	if (bytes > 1)
		gg_timer_start(l->loop, &l->patience, PATIENCE_NS, patience_fired);
	else
		gg_timer_stop(&l->patience);
}
