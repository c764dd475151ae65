/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batches and their pool. A batch is one piece of memory: head, samples, tail. Pieces come in size classes
 * (powers of two from 1 KiB) and are kept on a free list per class, a few per class and thread-safe; larger
 * or surplus pieces go back to malloc. All together stay within a budget; one that is larger than what is
 * left of it passes while half is free.
 */
#include "ganglion/batch.h"

#include <math.h>
#include <pthread.h>

enum { CLASSES = 16, SMALLEST = 1024, KEEP_BYTES = 1 << 20 };

static struct {
	pthread_mutex_t lock; /* guards free, kept */
	struct gg_batch *free[CLASSES];
	size_t kept[CLASSES];
	_Atomic size_t memory, budget;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .budget = 256U << 20};

void gg_batch_set_budget(size_t bytes)
{
	atomic_store(&pool.budget, bytes);
}

size_t gg_batch_memory(void)
{
	return atomic_load(&pool.memory);
}

static size_t class_size(unsigned class)
{
	return (size_t)SMALLEST << class;
}

static struct gg_batch *from_pool(unsigned class)
{
	pthread_mutex_lock(&pool.lock);
	struct gg_batch *b = pool.free[class];
	if (b) {
		pool.free[class] = b->next_free;
		pool.kept[class]--;
	}
	pthread_mutex_unlock(&pool.lock);
	return b;
}

/* Gives back what lies idle in the free lists: one class must not starve the others. */
static void give_back(void)
{
	pthread_mutex_lock(&pool.lock);
	for (unsigned class = 0; class < CLASSES; class ++) {
		while (pool.free[class]) {
			struct gg_batch *b = pool.free[class];
			pool.free[class] = b->next_free;
			free(b);
		}
		atomic_fetch_sub(&pool.memory, pool.kept[class] * class_size(class));
		pool.kept[class] = 0;
	}
	pthread_mutex_unlock(&pool.lock);
}

static bool take_budget(size_t size, bool urgent)
{
	size_t used = atomic_fetch_add(&pool.memory, size), budget = atomic_load(&pool.budget);
	if (urgent)
		budget += budget / 4;
	/* A large one passes while half is free, however small the budget: else it could never be read back.
	 */
	if (used + size <= budget || used <= budget / 2)
		return true;
	atomic_fetch_sub(&pool.memory, size);
	return false;
}

static struct gg_batch *from_heap(unsigned class, bool urgent)
{
	size_t size = class_size(class);
	bool ok = take_budget(size, urgent);
	if (!ok) {
		give_back();
		ok = take_budget(size, urgent);
	}
	struct gg_batch *b = ok ? malloc(size) : NULL;
	if (ok && !b)
		atomic_fetch_sub(&pool.memory, size);
	return b;
}

static struct gg_batch *batch_new(uint32_t samples, uint32_t tail_bytes, bool urgent)
{
	if (samples > GG_BATCH_SAMPLES || tail_bytes > GG_BATCH_TAIL)
		return NULL;
	size_t size = sizeof(struct gg_batch) + (size_t)samples * sizeof(struct gg_sample) + tail_bytes;
	unsigned class = 0;
	while (class_size(class) < size)
		class ++;
	struct gg_batch *b = from_pool(class);
	if (!b)
		b = from_heap(class, urgent);
	if (!b)
		return NULL;
	/* What the class has beyond the wish goes to the samples, so that a maker rarely has to grow. */
	size_t spare = class_size(class) - sizeof *b - tail_bytes;
	uint32_t capacity = (uint32_t)gg_min_size(spare / sizeof(struct gg_sample), GG_BATCH_SAMPLES);
	memset(b, 0, sizeof *b);
	b->samples = (struct gg_sample *)(b + 1);
	b->capacity = capacity;
	b->tail = (uint8_t *)(b->samples + capacity);
	b->tail_cap = (uint32_t)(class_size(class) - sizeof *b - capacity * sizeof(struct gg_sample));
	b->device = UINT32_MAX;
	b->size_class = (uint8_t) class;
	atomic_init(&b->refs, 1);
	return b;
}

struct gg_batch *gg_batch_new(uint32_t samples, uint32_t tail_bytes)
{
	return batch_new(samples, tail_bytes, false);
}

struct gg_batch *gg_batch_new_urgent(uint32_t samples, uint32_t tail_bytes)
{
	return batch_new(samples, tail_bytes, true);
}

struct gg_batch *gg_batch_ref(struct gg_batch *b)
{
	atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
	return b;
}

struct gg_batch *gg_batch_unref(struct gg_batch *b)
{
	if (!b || atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1)
		return NULL;
	unsigned class = b->size_class;
	pthread_mutex_lock(&pool.lock);
	bool keep = pool.kept[class] * class_size(class) < KEEP_BYTES;
	if (keep) {
		b->next_free = pool.free[class];
		pool.free[class] = b;
		pool.kept[class]++;
	}
	pthread_mutex_unlock(&pool.lock);
	if (!keep) {
		atomic_fetch_sub(&pool.memory, class_size(class));
		free(b);
	}
	return NULL;
}

void gg_batch_freeze(struct gg_batch *b)
{
	b->frozen = true;
}

struct gg_batch *gg_batch_grow_take(struct gg_batch *b, uint32_t samples, uint32_t tail_bytes)
{
	uint64_t count = (uint64_t)b->count + samples, tail = (uint64_t)b->tail_len + tail_bytes;
	if (count > GG_BATCH_SAMPLES || tail > GG_BATCH_TAIL)
		return NULL;
	struct gg_batch *bigger = gg_batch_new((uint32_t)count, (uint32_t)tail);
	if (!bigger)
		return NULL;
	memcpy(bigger->samples, b->samples, b->count * sizeof *b->samples);
	if (b->tail_len)
		memcpy(bigger->tail, b->tail, b->tail_len);
	bigger->count = b->count;
	bigger->tail_len = b->tail_len;
	bigger->device = b->device;
	bigger->kind = b->kind;
	bigger->received_ns = b->received_ns;
	bigger->arrived_mono_ns = b->arrived_mono_ns;
	bigger->receipt = b->receipt;
	gg_batch_unref(b);
	return bigger;
}

int gg_batch_add(struct gg_batch *b, const struct gg_sample *s)
{
	if (b->count == b->capacity)
		return -E2BIG;
	b->samples[b->count++] = *s;
	return 0;
}

int gg_batch_add_float(struct gg_batch *b, uint32_t signal, int64_t time_ns, double value)
{
	struct gg_sample s = {.time_ns = time_ns, .signal = signal, .type = GG_TYPE_FLOAT, .v.f = value};
	if (!isfinite(value)) {
		s.quality = GG_BAD;
		s.aux = GG_REASON_NOT_A_NUMBER;
	}
	return gg_batch_add(b, &s);
}

int gg_batch_add_int(struct gg_batch *b, uint32_t signal, int64_t time_ns, int64_t value)
{
	return gg_batch_add(b,
		&(struct gg_sample){.time_ns = time_ns, .signal = signal, .type = GG_TYPE_INT, .v.i = value});
}

int gg_batch_add_bool(struct gg_batch *b, uint32_t signal, int64_t time_ns, bool value)
{
	return gg_batch_add(
		b, &(struct gg_sample){
			   .time_ns = time_ns, .signal = signal, .type = GG_TYPE_BOOL, .v.b = value});
}

int gg_batch_add_string(struct gg_batch *b, uint32_t signal, int64_t time_ns, struct gg_str value)
{
	if (value.len > b->tail_cap - b->tail_len)
		return -E2BIG;
	struct gg_sample s = {.time_ns = time_ns, .signal = signal, .type = GG_TYPE_STRING};
	s.v.blob.off = b->tail_len;
	s.v.blob.len = (uint32_t)value.len;
	int rc = gg_batch_add(b, &s);
	if (rc == 0 && value.len) {
		memcpy(b->tail + b->tail_len, value.p, value.len);
		b->tail_len += (uint32_t)value.len;
	}
	return rc;
}

int gg_batch_add_bad(struct gg_batch *b, uint32_t signal, int64_t time_ns, enum gg_reason reason)
{
	return gg_batch_add(b, &(struct gg_sample){.time_ns = time_ns,
				       .signal = signal,
				       .type = GG_TYPE_NONE,
				       .quality = GG_BAD,
				       .aux = (uint16_t)reason});
}

/* ---- names of types, qualities and reasons ---- */

static const char *const type_names[] = {"none", "bool", "int", "uint", "float", "string", "bytes"};
static const char *const quality_names[] = {"good", "uncertain", "bad"};

const char *gg_type_name(uint8_t type)
{
	return type < GG_COUNT(type_names) ? type_names[type] : "unknown";
}

const char *gg_quality_name(uint8_t quality)
{
	return quality < GG_COUNT(quality_names) ? quality_names[quality] : "unknown";
}

const char *gg_reason_text(uint16_t reason)
{
#define ROW(name, text) text,
	static const char *const texts[] = {GG_REASONS(ROW)};
#undef ROW
	return reason < GG_COUNT(texts) ? texts[reason] : "unknown reason";
}

int gg_type_of_name(struct gg_str name, uint8_t *ret_type)
{
	for (uint8_t i = 1; i < GG_COUNT(type_names); i++) {
		if (gg_str_is(name, type_names[i])) {
			*ret_type = i;
			return 0;
		}
	}
	return -ENOENT;
}
