/* SPDX-License-Identifier: Apache-2.0 */
#include "uplinks/private.h"

/* As much as may be saved up. No more than timers need: what goes out in one piece also stands in the way of
 * the next event, on a link that is no faster than the cap. */
static int64_t most_tokens(uint64_t per_second)
{
	return (int64_t)(per_second / 10) + 1;
}

static void fill(struct gg_rate *r, int64_t now_ns)
{
	int64_t most = most_tokens(r->per_second);
	double earned = (double)(now_ns - r->at_ns) * (double)r->per_second / (double)GG_NS_PER_S;
	if (earned < 1)
		return; /* at_ns stays, so that nothing is lost to rounding */
	r->tokens = earned > (double)(most - r->tokens) ? most : r->tokens + (int64_t)earned;
	r->at_ns = now_ns;
}

void gg_rate_set(struct gg_rate *r, uint64_t per_second, int64_t now_ns)
{
	if (r->per_second == per_second)
		return;
	*r = (struct gg_rate){per_second, most_tokens(per_second), now_ns};
}

int64_t gg_rate_wait(struct gg_rate *r, int64_t now_ns)
{
	if (!r->per_second)
		return 0;
	fill(r, now_ns);
	if (r->tokens > 0)
		return 0;
	return (int64_t)((double)(1 - r->tokens) * (double)GG_NS_PER_S / (double)r->per_second) + 1;
}

void gg_rate_spend(struct gg_rate *r, uint64_t bytes)
{
	if (r->per_second)
		r->tokens -= (int64_t)bytes;
}
