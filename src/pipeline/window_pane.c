/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sums without drift: the sum by Neumaier's compensated addition, the spread by Welford's recurrence, both
 * joined by Chan's formula where windows overlap. Only operations that IEEE 754 rounds exactly, so a replay
 * gives the same bits.
 */
#include "pipeline/window_pane.h"
#include "pipeline/state_io.h"

#include <math.h>

void pane_clear(struct pane *p)
{
	struct gg_quantile *q = p->q;
	*p = (struct pane){.q = q};
	if (q)
		gg_quantile_clear(q);
}

static void add_to_sum(struct pane *p, double v)
{
	double sum = p->sum + v;
	p->carry += fabs(p->sum) >= fabs(v) ? (p->sum - sum) + v : (v - sum) + p->sum;
	p->sum = sum;
}

void pane_add(struct pane *p, int64_t time_ns, double value, bool uncertain)
{
	if (p->count == 0) {
		p->min = p->max = p->first = p->last = value;
		p->first_ns = p->last_ns = time_ns;
	}
	p->count++;
	p->min = value < p->min ? value : p->min;
	p->max = value > p->max ? value : p->max;
	if (time_ns < p->first_ns) {
		p->first_ns = time_ns;
		p->first = value;
	}
	if (time_ns >= p->last_ns) {
		p->last_ns = time_ns;
		p->last = value;
	}
	add_to_sum(p, value);
	double d = value - p->mean;
	p->mean += d / (double)p->count;
	p->m2 += d * (value - p->mean);
	p->uncertain = p->uncertain || uncertain;
	if (p->q)
		gg_quantile_add(p->q, value);
}

void pane_merge(struct pane *p, const struct pane *o)
{
	p->bad += o->bad;
	p->uncertain = p->uncertain || o->uncertain;
	if (o->count == 0)
		return;
	if (p->count == 0 || o->first_ns < p->first_ns) {
		p->first_ns = o->first_ns;
		p->first = o->first;
	}
	if (p->count == 0 || o->last_ns >= p->last_ns) {
		p->last_ns = o->last_ns;
		p->last = o->last;
	}
	p->min = p->count == 0 || o->min < p->min ? o->min : p->min;
	p->max = p->count == 0 || o->max > p->max ? o->max : p->max;
	double n = (double)p->count, m = (double)o->count, d = o->mean - p->mean;
	p->mean += d * (m / (n + m));
	p->m2 += o->m2 + d * d * (n * m / (n + m));
	p->count += o->count;
	add_to_sum(p, o->sum);
	add_to_sum(p, o->carry);
	if (p->q && o->q)
		gg_quantile_merge(p->q, o->q);
}

double pane_give(const struct pane *p, const struct window_give *give)
{
	switch (give->what) {
	case GIVE_COUNT:
		return (double)p->count;
	case GIVE_SUM:
		return p->sum + p->carry;
	case GIVE_MEAN:
		return (p->sum + p->carry) / (double)p->count;
	case GIVE_MIN:
		return p->min;
	case GIVE_MAX:
		return p->max;
	case GIVE_RANGE:
		return p->max - p->min;
	case GIVE_FIRST:
		return p->first;
	case GIVE_LAST:
		return p->last;
	case GIVE_STDDEV: /* of a sample: n - 1 */
		return p->count > 1 ? sqrt(p->m2 / (double)(p->count - 1)) : 0;
	default:
		return gg_quantile_get(p->q, give->q);
	}
}

void pane_save(const struct pane *p, struct gg_buf *to)
{
	const double values[] = {p->sum, p->carry, p->mean, p->m2, p->min, p->max, p->first, p->last};
	gg_put_u64(to, p->count);
	gg_put_u64(to, p->bad);
	if (!pane_used(p))
		return;
	gg_put_i64(to, p->first_ns);
	gg_put_i64(to, p->last_ns);
	gg_put_u8(to, p->uncertain);
	for (size_t i = 0; i < GG_COUNT(values); i++)
		gg_put_double(to, values[i]);
	if (p->q)
		gg_quantile_save(p->q, to);
}

int pane_load(struct pane *p, struct gg_reader *from)
{
	double *const values[] = {
		&p->sum, &p->carry, &p->mean, &p->m2, &p->min, &p->max, &p->first, &p->last};
	pane_clear(p);
	p->count = gg_read_le64(from);
	p->bad = gg_read_le64(from);
	if (!pane_used(p))
		return gg_reader_ok(from) ? 0 : -EINVAL;
	p->first_ns = gg_read_i64(from);
	p->last_ns = gg_read_i64(from);
	p->uncertain = gg_read_u8(from) != 0;
	for (size_t i = 0; i < GG_COUNT(values); i++)
		*values[i] = gg_read_le_double(from);
	int rc = p->q ? gg_quantile_load(p->q, from) : 0;
	bool empty = p->q && p->count && p->q->cluster_count + p->q->fresh_count == 0;
	return rc == 0 && gg_reader_ok(from) && !empty ? 0 : -EINVAL;
}
