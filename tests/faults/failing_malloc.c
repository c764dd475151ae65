/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded (LD_PRELOAD), makes allocations fail: test_memory.py tells which ones through a file of four
 * numbers that is mapped by both, GG_FAIL_CONTROL:
 *
 *   at      the at-th allocation from now on fails, once; 0 = none
 *   every   one of so many fails; 0 = none
 *   count   allocations so far
 *   failed  those that failed
 *
 * All that the program and its libraries allocate is counted, glibc's own included (strdup, fopen, ...).
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

struct control {
	_Atomic uint64_t at, every, count, failed;
};

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t align, size_t size);

static struct control *control;

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("GG_FAIL_CONTROL");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	if (fd < 0)
		return;
	void *p = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	control = p == MAP_FAILED ? NULL : p;
}

static bool fails(void)
{
	struct control *c = control;
	if (!c)
		return false;
	uint64_t number = atomic_fetch_add(&c->count, 1) + 1;
	uint64_t at = atomic_load_explicit(&c->at, memory_order_relaxed);
	uint64_t every = atomic_load_explicit(&c->every, memory_order_relaxed);
	/* Scattered, so that the same place is not always the one that is hit. */
	bool hit = (at && number == at) || (every && (number * 0x9e3779b97f4a7c15u >> 20) % every == 0);
	if (hit) {
		atomic_fetch_add(&c->failed, 1);
		errno = ENOMEM;
	}
	return hit;
}

EXPORT void *malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

EXPORT void *calloc(size_t count, size_t size)
{
	return fails() ? NULL : __libc_calloc(count, size);
}

EXPORT void *realloc(void *p, size_t size)
{
	return fails() ? NULL : __libc_realloc(p, size);
}

EXPORT void *aligned_alloc(size_t align, size_t size)
{
	return fails() ? NULL : __libc_memalign(align, size);
}

EXPORT void *memalign(size_t align, size_t size)
{
	return aligned_alloc(align, size);
}

EXPORT int posix_memalign(void **ret, size_t align, size_t size)
{
	void *p = aligned_alloc(align, size);
	if (!p)
		return ENOMEM;
	*ret = p;
	return 0;
}
