/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The time by which derive advances: UTC that never steps back while we run. It goes with the monotonic
 * clock; when the machine's clock is set forward it follows at once, when it is set back it goes on at its
 * own pace until the machine's clock has caught up. So "for 10s" lasts ten seconds whatever happens to the
 * clock.
 */
#include "gateway/gateway.h"

#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards ahead */
static int64_t ahead;                                    /* of our time over the monotonic clock */

int64_t gg_gateway_utc(void)
{
	int64_t utc = gg_clock_utc(&gg_clock_system), monotonic = gg_clock_monotonic(&gg_clock_system);
	pthread_mutex_lock(&lock);
	if (utc - monotonic > ahead)
		ahead = utc - monotonic;
	int64_t now = monotonic + ahead;
	pthread_mutex_unlock(&lock);
	return now;
}
