/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hash map from bytes to a 64-bit value (an index or a pointer). Open addressing with linear probing, keys
 * copied, seeded hash so that a stranger cannot choose colliding names. Owner: whoever has the struct.
 * Thread: its owner's.
 */
#ifndef GG_MAP_H
#define GG_MAP_H

#include "base/str.h"

struct gg_map_entry {
	uint64_t hash; /* 0 = free */
	char *key;     /* ended by NUL */
	size_t len;
	uint64_t value;
};

struct gg_map {
	struct gg_map_entry *entries;
	size_t cap, count;
};

/* A good 64-bit hash, the same for the life of the process only. Never 0. */
uint64_t gg_hash(struct gg_str s);
/* The same on every machine and in every version (FNV-1a with a final mix): for shard numbers and ids on
 * disk. */
uint64_t gg_hash_stable(struct gg_str s);

void gg_map_done(struct gg_map *m);
/* The entry, or NULL. Valid until the next put or remove. */
struct gg_map_entry *gg_map_find(const struct gg_map *m, struct gg_str key);
/* The value, or otherwise. */
uint64_t gg_map_get(const struct gg_map *m, struct gg_str key, uint64_t otherwise);
/* Inserts or replaces. Errors: -ENOMEM. */
int gg_map_put(struct gg_map *m, struct gg_str key, uint64_t value);
bool gg_map_remove(struct gg_map *m, struct gg_str key);

static inline void *gg_map_get_ptr(const struct gg_map *m, struct gg_str key)
{
	return (void *)(uintptr_t)gg_map_get(m, key, 0);
}

static inline int gg_map_put_ptr(struct gg_map *m, struct gg_str key, const void *p)
{
	return gg_map_put(m, key, (uint64_t)(uintptr_t)p);
}

/* for (entry in map), in no order: struct gg_map_entry *e; gg_map_each(e, &map) { ... } */
#define gg_map_each(e, m)                                                                                    \
	for ((e) = (m)->entries; (m)->cap && (e) < (m)->entries + (m)->cap; (e)++)                           \
		if ((e)->hash)

#endif
