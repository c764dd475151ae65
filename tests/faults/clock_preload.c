/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine whose clock is set, for a program that is started with LD_PRELOAD=clock_preload.so:
 *
 *   CLOCK_FILE   a file of 8 bytes, an integer: nanoseconds that the clock is ahead of the real one (or
 * behind); the test changes it while the program runs
 *
 * Only the time of day is moved. Monotonic clocks, sleeps and timers go on, as on a machine.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *ahead;
static int (*real_gettime)(clockid_t, struct timespec *);

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("CLOCK_FILE");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *p = fd >= 0 ? mmap(NULL, sizeof *ahead, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
	if (fd >= 0)
		close(fd);
	if (p != MAP_FAILED)
		ahead = p;
}

static int64_t now_ns(clockid_t id)
{
	struct timespec t;
	if (!real_gettime)
		real_gettime = (__typeof__(real_gettime))dlsym(RTLD_NEXT, "clock_gettime");
	real_gettime(id, &t);
	int64_t ns = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
	return ahead && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE) ? ns + *ahead : ns;
}

int clock_gettime(clockid_t id, struct timespec *ret_time)
{
	int64_t ns = now_ns(id);
	*ret_time = (struct timespec){ns / 1000000000, ns % 1000000000};
	return 0;
}

int gettimeofday(struct timeval *restrict ret_time, void *restrict zone)
{
	int64_t ns = now_ns(CLOCK_REALTIME);
	(void)zone;
	*ret_time = (struct timeval){ns / 1000000000, ns % 1000000000 / 1000};
	return 0;
}

time_t time(time_t *ret_time)
{
	time_t s = now_ns(CLOCK_REALTIME) / 1000000000;
	if (ret_time)
		*ret_time = s;
	return s;
}
