/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

#include <pthread.h>
#include <sys/random.h>

static uint64_t seed;
static pthread_once_t seeded = PTHREAD_ONCE_INIT;

static void make_seed(void)
{
	if (getrandom(&seed, sizeof seed, 0) != sizeof seed)
		seed = 0x9e3779b97f4a7c15ULL ^ (uint64_t)(uintptr_t)&seed;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
	__uint128_t product = (__uint128_t)a * b;
	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t load(const char *p, size_t n)
{
	uint64_t v = 0;
	memcpy(&v, p, n);
	return v;
}

/* Multiply-and-fold over 8-byte words, in the manner of wyhash. */
uint64_t gg_hash(struct gg_str s)
{
	pthread_once(&seeded, make_seed);
	uint64_t h = seed ^ s.len;
	const char *p = s.p;
	size_t left = s.len;
	for (; left >= 8; p += 8, left -= 8)
		h = mix(h ^ load(p, 8), 0xa0761d6478bd642fULL);
	if (left)
		h = mix(h ^ load(p, left), 0xe7037ed1a0b428dbULL);
	h = mix(h ^ 0x8ebc6af09c88c6e3ULL, 0x589965cc75374cc3ULL);
	return h ? h : 1;
}

uint64_t gg_hash_stable(struct gg_str s)
{
	uint64_t h = 0xcbf29ce484222325ULL;
	for (size_t i = 0; i < s.len; i++)
		h = (h ^ (unsigned char)s.p[i]) * 0x100000001b3ULL;
	h ^= h >> 33;
	h *= 0xff51afd7ed558ccdULL;
	return h ^ (h >> 33);
}

void gg_map_done(struct gg_map *m)
{
	struct gg_map_entry *e;
	gg_map_each (e, m)
		free(e->key);
	free(m->entries);
	*m = (struct gg_map){0};
}

struct gg_map_entry *gg_map_find(const struct gg_map *m, struct gg_str key)
{
	if (m->count == 0)
		return NULL;
	uint64_t hash = gg_hash(key);
	for (size_t i = hash & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
		struct gg_map_entry *e = &m->entries[i];
		if (e->hash == 0)
			return NULL;
		if (e->hash == hash && gg_str_eq(gg_str_n(e->key, e->len), key))
			return e;
	}
}

uint64_t gg_map_get(const struct gg_map *m, struct gg_str key, uint64_t otherwise)
{
	const struct gg_map_entry *e = gg_map_find(m, key);
	return e ? e->value : otherwise;
}

static struct gg_map_entry *free_place(const struct gg_map *m, uint64_t hash)
{
	size_t i = hash & (m->cap - 1);
	while (m->entries[i].hash)
		i = (i + 1) & (m->cap - 1);
	return &m->entries[i];
}

static int grow(struct gg_map *m)
{
	struct gg_map bigger = {.cap = m->cap ? m->cap * 2 : 16, .count = m->count};
	bigger.entries = calloc(bigger.cap, sizeof *bigger.entries);
	if (!bigger.entries)
		return -ENOMEM;
	struct gg_map_entry *e;
	gg_map_each (e, m)
		*free_place(&bigger, e->hash) = *e;
	free(m->entries);
	*m = bigger;
	return 0;
}

int gg_map_put(struct gg_map *m, struct gg_str key, uint64_t value)
{
	struct gg_map_entry *e = gg_map_find(m, key);
	if (e) {
		e->value = value;
		return 0;
	}
	if ((m->count + 1) * 4 > m->cap * 3 && grow(m) < 0)
		return -ENOMEM;
	char *copy = gg_str_dup(key);
	if (!copy)
		return -ENOMEM;
	uint64_t hash = gg_hash(key);
	*free_place(m, hash) = (struct gg_map_entry){hash, copy, key.len, value};
	m->count++;
	return 0;
}

bool gg_map_remove(struct gg_map *m, struct gg_str key)
{
	struct gg_map_entry *e = gg_map_find(m, key);
	if (!e)
		return false;
	free(e->key);
	e->hash = 0;
	m->count--;
	/* Move back what had been pushed past the gap, so that searches need no tombstones. */
	size_t gap = (size_t)(e - m->entries);
	for (size_t i = (gap + 1) & (m->cap - 1); m->entries[i].hash; i = (i + 1) & (m->cap - 1)) {
		size_t home = m->entries[i].hash & (m->cap - 1);
		if (((i - home) & (m->cap - 1)) < ((i - gap) & (m->cap - 1)))
			continue;
		m->entries[gap] = m->entries[i];
		m->entries[i].hash = 0;
		gap = i;
	}
	return true;
}
