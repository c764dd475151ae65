/* SPDX-License-Identifier: Apache-2.0 */
#include "security/limiter.h"
#include "base/map.h"

enum { MOST_FAILURES = 10, WAYS = 8 };
static const double forgiven_per_ns = 1.0 / (6.0 * (double)GG_NS_PER_S);

static struct gg_str host_of(struct gg_str peer)
{
	while (peer.len && peer.p[peer.len - 1] != ':')
		peer.len--;
	return peer;
}

/* An address may stand in one of a few rows; the row that knows it, or the one that has been quiet longest.
 */
static size_t row_of(struct gg_limiter *l, uint64_t address)
{
	size_t first = address % (GG_LIMITER_ADDRESSES / WAYS) * WAYS, oldest = first;
	for (size_t i = first; i < first + WAYS; i++) {
		if (l->rows[i].address == address)
			return i;
		if (l->rows[i].since_ns < l->rows[oldest].since_ns)
			oldest = i;
	}
	return oldest;
}

static double failures_now(struct gg_limiter *l, size_t row, uint64_t address, int64_t now_ns)
{
	if (l->rows[row].address != address)
		return 0;
	double left = l->rows[row].failures - (double)(now_ns - l->rows[row].since_ns) * forgiven_per_ns;
	return left > 0 ? left : 0;
}

bool gg_limiter_allows(struct gg_limiter *l, struct gg_str peer, int64_t now_ns)
{
	uint64_t address = gg_hash(host_of(peer));
	return failures_now(l, row_of(l, address), address, now_ns) < MOST_FAILURES;
}

void gg_limiter_failed(struct gg_limiter *l, struct gg_str peer, int64_t now_ns)
{
	uint64_t address = gg_hash(host_of(peer));
	size_t row = row_of(l, address);
	double failures = failures_now(l, row, address, now_ns) + 1;
	l->rows[row].address = address;
	l->rows[row].failures = failures;
	l->rows[row].since_ns = now_ns;
}
