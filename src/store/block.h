/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A block: samples of one signal in columns, and their compressed form. Pure. docs/internals/history.md has
 * the format. Values are 64 bits each: a double's bits, an integer, a bool as 0 or 1; of a string or bytes
 * (offset << 32 | length) in text. Owner: whoever has the struct. Thread: its owner's.
 */
#ifndef GG_BLOCK_H
#define GG_BLOCK_H

#include "base/buf.h"
#include "ganglion/sample.h"

/* Of one in the file; one in memory may be as large as it likes. */
enum { GG_BLOCK_MAX = 128 << 10, GG_BLOCK_TEXT_MAX = 20 << 20 };

struct gg_block {
	int64_t *times;
	uint64_t *values;
	uint32_t *marks; /* type | quality << 8 | aux << 16 */
	uint32_t count, cap;
	bool unsorted;
	struct gg_buf text;
};

/* Of the good numbers in a block, or in a bucket of a chart. */
struct gg_summary {
	uint64_t count;
	double min, max, sum, first, last;
	int64_t first_ns, last_ns;
};

void gg_block_init(struct gg_block *b);
void gg_block_done(struct gg_block *b);
void gg_block_clear(struct gg_block *b);
/* Errors: -ENOMEM, -E2BIG. */
int gg_block_add(struct gg_block *b, const struct gg_sample *s, struct gg_str text);
/* By time; what came first stays first among equals. Errors: -ENOMEM. */
int gg_block_sort(struct gg_block *b);
/* Of samples that are the same in all (time, value, quality) one stays; b is sorted. Returns how many went.
 */
uint32_t gg_block_unique(struct gg_block *b);
bool gg_block_same(const struct gg_block *a, uint32_t i, const struct gg_block *b, uint32_t k);
size_t gg_block_memory(const struct gg_block *b);
/* The first i whose time is >= time_ns; b is sorted. */
uint32_t gg_block_at(const struct gg_block *b, int64_t time_ns);
void gg_summary_add(struct gg_summary *s, int64_t time_ns, double value);
void gg_summary_join(struct gg_summary *s, const struct gg_summary *other);
/* Samples i..end. */
void gg_summary_block(struct gg_summary *s, const struct gg_block *b, uint32_t i, uint32_t end);

static inline struct gg_sample gg_block_sample(const struct gg_block *b, uint32_t i)
{
	uint32_t mark = b->marks[i];
	struct gg_sample s = {.time_ns = b->times[i],
		.signal = 0xffffffffU,
		.type = (uint8_t)mark,
		.quality = (uint8_t)(mark >> 8),
		.aux = (uint16_t)(mark >> 16),
		.v.u = b->values[i]};
	if (s.type >= GG_TYPE_STRING) {
		s.v.blob.off = (uint32_t)(b->values[i] >> 32);
		s.v.blob.len = (uint32_t)b->values[i];
	}
	return s;
}

static inline struct gg_str gg_block_text(const struct gg_block *b, uint32_t i)
{
	if ((uint8_t)b->marks[i] < GG_TYPE_STRING)
		return GG_STR("");
	return gg_str_n(b->text.p + (b->values[i] >> 32), (uint32_t)b->values[i]);
}

/* Memory to code in, of one thread; made at first use. */
struct gg_block_coder;
struct gg_block_coder *gg_block_coder_new(void);
/* Accepts NULL; returns NULL. */
struct gg_block_coder *gg_block_coder_free(struct gg_block_coder *c);
/* Appends the compressed form of a sorted block. Errors: -ENOMEM, -E2BIG (to's maximum). */
int gg_block_encode(struct gg_block_coder *c, const struct gg_block *b, struct gg_buf *to);

/* What earlier blocks of a signal taught; begins as zeros. */
struct gg_block_hint {
	uint8_t lost; /* blocks in a row for which zstd was of no use */
	uint8_t wait; /* blocks until it is tried again */
};

/* The same, without trying again and again what did not help the signal's blocks before. */
int gg_block_encode_hinted(
	struct gg_block_coder *c, const struct gg_block *b, struct gg_block_hint *hint, struct gg_buf *to);
/* Replaces the content. Errors: -EINVAL damaged, -ENOMEM. */
int gg_block_decode(struct gg_block_coder *c, struct gg_block *b, struct gg_str bytes);

#endif
