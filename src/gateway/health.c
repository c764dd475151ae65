/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/gateway.h"

#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards rows, count */
static struct gg_health *rows;
static uint32_t count;

static bool reserve(uint32_t device)
{
	if (device < count)
		return true;
	uint32_t wanted = (device + 64) / 64 * 64;
	struct gg_health *more = realloc(rows, wanted * sizeof *more);
	if (!more)
		return false;
	memset(more + count, 0, (wanted - count) * sizeof *more);
	rows = more;
	count = wanted;
	return true;
}

bool gg_health_set(uint32_t device, bool healthy, const char *reason)
{
	bool changed = false;
	pthread_mutex_lock(&lock);
	if (reserve(device)) {
		struct gg_health *h = &rows[device];
		changed = h->known ? h->healthy != healthy : !healthy;
		if (!h->known || h->healthy != healthy)
			h->since_ns = gg_gateway_utc();
		h->known = true;
		h->healthy = healthy;
		gg_str_copy(h->reason, sizeof h->reason, gg_str(reason));
	}
	pthread_mutex_unlock(&lock);
	return changed;
}

struct gg_health gg_health_get(uint32_t device)
{
	struct gg_health h = {0};
	pthread_mutex_lock(&lock);
	if (device < count)
		h = rows[device];
	pthread_mutex_unlock(&lock);
	return h;
}
