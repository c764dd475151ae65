/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The few words every file shares: attributes, ownership hand-over, sizes, and the functions nobody may call.
 * May be used by: everything. May not use: anything of ours.
 */
#ifndef GG_BASE_H
#define GG_BASE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GG_CLEANUP(fn)       __attribute__((cleanup(fn)))
#define GG_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define GG_NODISCARD         __attribute__((warn_unused_result))
#define GG_UNUSED            __attribute__((unused))

/* Hands a pointer over: yields it and leaves NULL behind, so that a cleanup attribute frees nothing. */
#define GG_TAKE(p)                                                                                           \
	({                                                                                                   \
		__typeof__(p) taken_ = (p);                                                                  \
		(p) = NULL;                                                                                  \
		taken_;                                                                                      \
	})

#define GG_COUNT(array)              (sizeof(array) / sizeof((array)[0]))
#define GG_CONTAINER(p, type, field) ((type *)(void *)((char *)(p)-offsetof(type, field)))

#define GG_NS_PER_US 1000LL
#define GG_NS_PER_MS 1000000LL
#define GG_NS_PER_S  1000000000LL

static inline size_t gg_min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

static inline size_t gg_max_size(size_t a, size_t b)
{
	return a > b ? a : b;
}

/* Makes room for one more of an array that doubles: items is the address of the pointer to it. Errors:
 * -ENOMEM. */
static inline int gg_grow(void *items, uint32_t count, uint32_t *cap, size_t size)
{
	if (count < *cap)
		return 0;
	uint32_t bigger = *cap ? *cap * 2 : 8;
	void **p = (void **)items, *moved = realloc(*p, bigger * size);
	if (!moved)
		return -ENOMEM;
	*p = moved;
	*cap = bigger;
	return 0;
}

/* Cleanup for plain memory: char *s GG_CLEANUP(gg_free_p) = NULL; */
static inline void gg_free_p(void *pp)
{
	free(*(void **)pp);
}

#pragma GCC poison strcpy strcat sprintf vsprintf atoi atol strtok gets system

#endif
