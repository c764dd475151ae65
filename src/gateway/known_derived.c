/* SPDX-License-Identifier: Apache-2.0 */
/* Which derived batches the journal holds already, while a recovery derives them again. */
#include "base/map.h"
#include "gateway/shard.h"

enum { AROUND = 4096 };

static uint64_t value_bits(const struct gg_sample *s)
{
	switch (s->type) {
	case GG_TYPE_NONE:
		return 0;
	case GG_TYPE_BOOL:
		return s->v.b;
	default:
		return s->v.u;
	}
}

static uint64_t hash_of(const struct gg_batch *b)
{
	uint64_t h = b->device;
	for (uint32_t i = 0; i < b->count; i++) {
		const struct gg_sample *s = &b->samples[i];
		uint64_t words[5] = {h, (uint64_t)s->time_ns, (uint64_t)s->signal << 32 | s->type, 0, 0};
		if (s->quality != GG_GOOD) /* the journal keeps no reason where there is none */
			words[3] = (uint64_t)s->quality << 16 | s->aux;
		words[4] = s->type >= GG_TYPE_STRING ? gg_hash(gg_batch_text(b, s)) : value_bits(s);
		h = gg_hash(gg_str_n(words, sizeof words));
	}
	return h;
}

void gg_shard_know_derived(struct gg_shard *s, const struct gg_batch *b)
{
	struct gg_known_derived *k = &s->derived_known;
	if (k->count == k->cap) {
		size_t cap = k->cap ? k->cap * 2 : 1024;
		uint64_t *hashes = realloc(k->hashes, cap * sizeof *hashes);
		if (!hashes)
			return; /* it will be there twice */
		k->hashes = hashes;
		k->cap = cap;
	}
	k->hashes[k->count++] = hash_of(b);
}

void gg_shard_forget_derived(struct gg_shard *s)
{
	free(s->derived_known.hashes);
	s->derived_known = (struct gg_known_derived){0};
}

bool gg_shard_met_derived(struct gg_shard *s, const struct gg_batch *b)
{
	struct gg_known_derived *k = &s->derived_known;
	if (k->all)
		return true;
	uint64_t hash = hash_of(b);
	size_t from = k->at > AROUND ? k->at - AROUND : 0, to = gg_min_size(k->at + AROUND, k->count);
	size_t found = k->at;
	while (found < to && k->hashes[found] != hash)
		found++;
	if (found == to)
		for (found = from; found < k->at && k->hashes[found] != hash;)
			found++;
	if (found >= to || k->hashes[found] != hash)
		return false;
	k->hashes[found] = 0;
	if (found >= k->at)
		k->at = found + 1;
	return true;
}
