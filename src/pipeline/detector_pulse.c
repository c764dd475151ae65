/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The pulse of a signal: when is its next sample overdue?
 *
 * From the times of the samples two figures are learnt, neither of which a single gap can upset: the usual
 * interval (a running median: each interval nudges it up or down by a fixed share) and a high one that only
 * about one interval in a hundred exceeds (each excess raises it at most by half, all others let it sink
 * slowly). A signal is overdue after OVERDUE times the high interval. So a strictly polled signal is missed
 * after its second lost sample, while one that reports on change, or in bursts, is given as much time as it
 * has been seen to need.
 *
 * Time comes in with the samples and the caller's ticks; nothing here reads a clock, and a replay tells the
 * same.
 */

#include "pipeline/detector_internal.h"

#define LEARN_FROM 8 /* intervals before a silence can be told from a slow signal */
#define OVERDUE    3.0
#define RISE       1.5
#define SINK       0.996 /* with RISE, in balance when 1 interval in 100 exceeds the high one */
#define CLOCK_SET_BACK                                                                                       \
	32 /* times in a row that do not advance: the clock was set back, start over from there */
#define NS_PER_S 1e9

static double gap_ns(const struct gg_detector_pulse *p, int64_t now_ns)
{
	return (double)((uint64_t)now_ns - (uint64_t)p->last_ns);
}

static void learn(struct gg_detector_pulse *p, double gap)
{
	double share = p->intervals < 32 ? 0.2 : 0.02;

	if (p->intervals == 0) {
		p->usual_ns = gap;
		p->high_ns = gap;
	}
	p->intervals += p->intervals < UINT32_MAX;
	if (gap > p->usual_ns)
		p->usual_ns = gap < p->usual_ns * (1.0 + share) ? gap : p->usual_ns * (1.0 + share);
	else
		p->usual_ns = gap > p->usual_ns * (1.0 - share) ? gap : p->usual_ns * (1.0 - share);
	if (gap > p->high_ns)
		p->high_ns = gap < p->high_ns * RISE ? gap : p->high_ns * RISE;
	else
		p->high_ns *= SINK;
	p->high_ns = p->high_ns > p->usual_ns ? p->high_ns : p->usual_ns;
}

bool gg_detector_seen(struct gg_detector *d, int64_t time_ns, struct gg_change *ret_change)
{
	struct gg_detector_pulse *p = &d->pulse;
	bool late = p->missing;

	if (!p->begun) {
		p->begun = true;
		p->last_ns = time_ns;
		return false;
	}
	if (time_ns <= p->last_ns) {
		if (++p->behind < CLOCK_SET_BACK)
			return false;
		p->last_ns = time_ns;
		p->behind = 0;
		p->missing = false;
		return false;
	}
	p->behind = 0;

	double gap = gap_ns(p, time_ns);

	if (late)
		*ret_change = (struct gg_change){GG_CHANGE_LATE, p->usual_ns / NS_PER_S, gap / NS_PER_S};
	learn(p, gap);
	p->last_ns = time_ns;
	p->missing = false;
	return late;
}

int64_t gg_detector_due_ns(const struct gg_detector *d)
{
	const struct gg_detector_pulse *p = &d->pulse;

	if (p->intervals < LEARN_FROM || p->missing)
		return INT64_MAX;

	double wait = OVERDUE * p->high_ns;
	double room = (double)((uint64_t)INT64_MAX - (uint64_t)p->last_ns);

	return wait < 9e18 && wait < 0.999 * room ? p->last_ns + (int64_t)wait : INT64_MAX;
}

bool gg_detector_missing(struct gg_detector *d, int64_t now_ns, struct gg_change *ret_change)
{
	struct gg_detector_pulse *p = &d->pulse;
	int64_t due = gg_detector_due_ns(d);

	if (due == INT64_MAX || now_ns < due)
		return false;
	p->missing = true;
	*ret_change =
		(struct gg_change){GG_CHANGE_MISSING, p->usual_ns / NS_PER_S, gap_ns(p, now_ns) / NS_PER_S};
	return true;
}

void gg_detector_excuse(struct gg_detector *d, int64_t now_ns)
{
	struct gg_detector_pulse *p = &d->pulse;

	if (p->begun && !p->missing && now_ns > p->last_ns)
		p->last_ns = now_ns;
}
