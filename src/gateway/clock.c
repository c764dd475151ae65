/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The time by which derive advances: UTC that never steps back. It goes with the monotonic clock; when the
 * machine's clock is set forward it follows at once, when it is set back it goes on at its own pace until the
 * machine's clock has caught up. So "for 10s" lasts ten seconds whatever happens to the clock.
 *
 * A restart goes on where the checkpoint ended (gg_gateway_utc_from()): a board without a battery may wake up
 * in 1970, and what is due in the shards' time must not wait for fifty years.
 */
#include "gateway/gateway.h"

#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards ahead */
static int64_t ahead;                                    /* of our time over the monotonic clock */
static const struct gg_clock *clock_now = &gg_clock_system;

int64_t gg_gateway_utc(void)
{
	int64_t utc = gg_clock_utc(clock_now), monotonic = gg_clock_monotonic(clock_now);
	pthread_mutex_lock(&lock);
	if (utc - monotonic > ahead)
		ahead = utc - monotonic;
	int64_t now = monotonic + ahead;
	pthread_mutex_unlock(&lock);
	return now;
}

void gg_gateway_utc_from(int64_t least_ns)
{
	int64_t monotonic = gg_clock_monotonic(clock_now);
	pthread_mutex_lock(&lock);
	if (least_ns - monotonic > ahead)
		ahead = least_ns - monotonic;
	pthread_mutex_unlock(&lock);
}

void gg_gateway_utc_clock(const struct gg_clock *clock)
{
	pthread_mutex_lock(&lock);
	clock_now = clock ? clock : &gg_clock_system;
	ahead = 0;
	pthread_mutex_unlock(&lock);
}
