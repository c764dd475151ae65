/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A merging t-digest. Values gather in fresh[]; when it is full it is sorted and merged with the clusters
 * into new ones. A cluster may grow to 4 N q (1 - q) / DETAIL, so those at the ends stay single values and
 * those in the middle become large. Should they still not fit, the merge is done again with half the detail.
 */
#include "pipeline/quantile.h"
#include "pipeline/state_io.h"

#include <math.h>

enum { DETAIL = 64, MERGED = GG_QUANTILE_CLUSTERS + GG_QUANTILE_EXACT };

void gg_quantile_clear(struct gg_quantile *q)
{
	q->cluster_count = q->fresh_count = 0;
	q->low = INFINITY;
	q->high = -INFINITY;
}

/* Shell sort: no recursion, and unlike qsort() never memory from the heap. */
static void sort(double *v, uint32_t n)
{
	static const uint32_t gaps[] = {132, 57, 23, 10, 4, 1};
	for (size_t g = 0; g < GG_COUNT(gaps); g++) {
		for (uint32_t i = gaps[g]; i < n; i++) {
			double x = v[i];
			uint32_t at = i;
			for (; at >= gaps[g] && v[at - gaps[g]] > x; at -= gaps[g])
				v[at] = v[at - gaps[g]];
			v[at] = x;
		}
	}
}

/* in[n], by mean, into as few clusters as the detail allows. Returns how many, or 0 when they are too many.
 */
static uint32_t pack(
	const struct gg_cluster *in, uint32_t n, double total, double detail, struct gg_cluster *to)
{
	uint32_t count = 0;
	double before = 0; /* weight of the clusters that are done */
	struct gg_cluster now = in[0];
	for (uint32_t i = 1; i < n; i++) {
		double weight = now.weight + in[i].weight;
		double q = (before + weight / 2) / total;
		if (weight <= 4 * total * q * (1 - q) / detail) {
			now.mean += (in[i].mean - now.mean) * (in[i].weight / weight);
			now.weight = weight;
			continue;
		}
		if (count + 1 >= GG_QUANTILE_CLUSTERS)
			return 0;
		before += now.weight;
		to[count++] = now;
		now = in[i];
	}
	to[count++] = now;
	return count;
}

/* Merges more (by mean) into the clusters. */
static void take(struct gg_quantile *q, const struct gg_cluster *more, uint32_t n)
{
	struct gg_cluster all[MERGED], packed[GG_QUANTILE_CLUSTERS];
	uint32_t a = 0, b = 0, count = 0;
	double total = 0;
	while (a < q->cluster_count || b < n) {
		bool left = b == n || (a < q->cluster_count && q->clusters[a].mean <= more[b].mean);
		all[count] = left ? q->clusters[a++] : more[b++];
		total += all[count++].weight;
	}
	uint32_t fits = 0;
	for (double detail = DETAIL; count && fits == 0; detail /= 2)
		fits = pack(all, count, total, detail, packed);
	memcpy(q->clusters, packed, fits * sizeof *packed);
	q->cluster_count = fits;
}

static void settle(struct gg_quantile *q)
{
	struct gg_cluster fresh[GG_QUANTILE_EXACT];
	uint32_t n = q->fresh_count;
	if (n == 0)
		return;
	sort(q->fresh, n);
	for (uint32_t i = 0; i < n; i++)
		fresh[i] = (struct gg_cluster){q->fresh[i], 1};
	q->low = q->fresh[0] < q->low ? q->fresh[0] : q->low;
	q->high = q->fresh[n - 1] > q->high ? q->fresh[n - 1] : q->high;
	q->fresh_count = 0;
	take(q, fresh, n);
}

void gg_quantile_add(struct gg_quantile *q, double value)
{
	if (q->fresh_count == GG_QUANTILE_EXACT)
		settle(q);
	q->fresh[q->fresh_count++] = value;
}

void gg_quantile_merge(struct gg_quantile *q, const struct gg_quantile *other)
{
	if (other->cluster_count) {
		settle(q);
		q->low = other->low < q->low ? other->low : q->low;
		q->high = other->high > q->high ? other->high : q->high;
		take(q, other->clusters, other->cluster_count);
	}
	for (uint32_t i = 0; i < other->fresh_count; i++)
		gg_quantile_add(q, other->fresh[i]);
}

static double exactly(const double *sorted, uint32_t n, double at)
{
	double place = at * (n - 1);
	uint32_t i = (uint32_t)place;
	if (i + 1 >= n)
		return sorted[n - 1];
	return sorted[i] + (sorted[i + 1] - sorted[i]) * (place - i);
}

/* Between the middles of neighbouring clusters the values are taken to lie evenly. */
static double roughly(const struct gg_quantile *q, double at)
{
	double total = 0, middle = 0, x = q->low;
	for (uint32_t i = 0; i < q->cluster_count; i++)
		total += q->clusters[i].weight;
	double place = at * (total - 1) + 0.5, before = 0;
	middle = 0.5; /* the lowest value is known */
	for (uint32_t i = 0; i < q->cluster_count; i++) {
		const struct gg_cluster *c = &q->clusters[i];
		double next = before + c->weight / 2;
		if (place <= next)
			return next > middle ? x + (c->mean - x) * ((place - middle) / (next - middle))
					     : c->mean;
		before += c->weight;
		middle = next;
		x = c->mean;
	}
	double end = total - 0.5;
	return end > middle ? x + (q->high - x) * ((place - middle) / (end - middle)) : q->high;
}

double gg_quantile_get(struct gg_quantile *q, double at)
{
	if (q->cluster_count == 0 && q->fresh_count == 0)
		return NAN;
	if (q->cluster_count == 0) {
		sort(q->fresh, q->fresh_count);
		return exactly(q->fresh, q->fresh_count, at);
	}
	settle(q);
	double v = roughly(q, at);
	return v < q->low ? q->low : v > q->high ? q->high : v;
}

void gg_quantile_save(const struct gg_quantile *q, struct gg_buf *to)
{
	gg_put_u16(to, (uint16_t)q->cluster_count);
	gg_put_u16(to, (uint16_t)q->fresh_count);
	gg_put_double(to, q->low);
	gg_put_double(to, q->high);
	for (uint32_t i = 0; i < q->cluster_count; i++) {
		gg_put_double(to, q->clusters[i].mean);
		gg_put_double(to, q->clusters[i].weight);
	}
	for (uint32_t i = 0; i < q->fresh_count; i++)
		gg_put_double(to, q->fresh[i]);
}

static bool read_clusters(struct gg_quantile *q, uint32_t n, struct gg_reader *from)
{
	double before = -INFINITY;
	for (uint32_t i = 0; i < n && gg_reader_ok(from); i++) {
		struct gg_cluster c = {.mean = gg_read_le_double(from)};
		c.weight = gg_read_le_double(from);
		if (!isfinite(c.mean) || c.mean < before || !(c.weight >= 1) || !(c.weight < 0x1p53))
			return false;
		q->clusters[i] = c;
		before = c.mean;
	}
	q->cluster_count = n;
	return gg_reader_ok(from);
}

int gg_quantile_load(struct gg_quantile *q, struct gg_reader *from)
{
	gg_quantile_clear(q);
	uint32_t clusters = gg_read_le16(from), fresh = gg_read_le16(from);
	double low = gg_read_le_double(from), high = gg_read_le_double(from);
	bool ok = gg_reader_ok(from) && clusters <= GG_QUANTILE_CLUSTERS && fresh <= GG_QUANTILE_EXACT &&
		  (clusters == 0 || (isfinite(low) && isfinite(high) && low <= high)) &&
		  read_clusters(q, clusters, from);
	for (uint32_t i = 0; ok && i < fresh; i++) {
		q->fresh[i] = gg_read_le_double(from);
		ok = isfinite(q->fresh[i]);
	}
	if (!ok || !gg_reader_ok(from)) {
		gg_quantile_clear(q);
		return -EINVAL;
	}
	if (clusters) {
		q->low = low;
		q->high = high;
	}
	q->fresh_count = fresh;
	return 0;
}
