/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

struct gg_arena_block {
	struct gg_arena_block *next;
	size_t used, cap;
	_Alignas(16) uint8_t data[];
};

void gg_arena_done(struct gg_arena *a)
{
	for (struct gg_arena_block *b = a->blocks, *next; b; b = next) {
		next = b->next;
		free(b);
	}
	a->blocks = NULL;
	a->used = 0;
}

void *gg_arena_alloc(struct gg_arena *a, size_t size)
{
	size_t rounded = (size + 15) & ~(size_t)15;
	struct gg_arena_block *b = a->blocks;
	if (rounded < size || rounded > a->max - a->used)
		return NULL;
	if (!b || rounded > b->cap - b->used) {
		size_t cap = gg_max_size(rounded, b ? gg_min_size(b->cap * 2, 1 << 16) : 1024);
		b = calloc(1, sizeof *b + cap);
		if (!b)
			return NULL;
		b->cap = cap;
		b->next = a->blocks;
		a->blocks = b;
	}
	void *at = b->data + b->used;
	b->used += rounded;
	a->used += rounded;
	return at;
}

char *gg_arena_str(struct gg_arena *a, struct gg_str s)
{
	char *copy = gg_arena_alloc(a, s.len + 1);
	if (copy && s.len)
		memcpy(copy, s.p, s.len);
	return copy;
}
