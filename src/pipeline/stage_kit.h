/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the stages share: state per slot, time that can't overflow, and the memory of a filter ("the latest
 * sample that was let through") with the questions asked of it.
 */
#ifndef GG_PIPELINE_STAGE_KIT_H
#define GG_PIPELINE_STAGE_KIT_H

#include "ganglion/stage.h"

/* ---- state per slot: dense, though a stage sees only some of the pipeline's slots ---- */

struct gg_slots {
	uint32_t *place; /* by slot: place in items + 1; 0 = none */
	uint32_t places;
	uint8_t *items;
	uint32_t count, cap;
};

/* Zeroed state for a slot. It moves when another is added. NULL: out of memory. */
void *gg_slots_add(struct gg_slots *t, uint32_t slot, size_t size);
void gg_slots_done(struct gg_slots *t);

static inline void *gg_slots_at(const struct gg_slots *t, uint32_t slot, size_t size)
{
	return t->items + (t->place[slot] - 1) * size;
}

/* NULL when the slot has not joined. */
static inline void *gg_slots_find(const struct gg_slots *t, uint32_t slot, size_t size)
{
	return slot < t->places && t->place[slot] ? gg_slots_at(t, slot, size) : NULL;
}

#define GG_SLOT(table, slot, type)      ((type *)gg_slots_at((table), (slot), sizeof(type)))
#define GG_SLOT_FIND(table, slot, type) ((type *)gg_slots_find((table), (slot), sizeof(type)))
#define GG_SLOT_ADD(table, slot, type)  ((type *)gg_slots_add((table), (slot), sizeof(type)))

/* ---- time: whatever a device claims, differences and sums stay within int64_t ---- */

static inline int64_t gg_time_sub(int64_t a, int64_t b)
{
	int64_t d;
	return __builtin_sub_overflow(a, b, &d) ? (a < b ? INT64_MIN : INT64_MAX) : d;
}

static inline int64_t gg_time_add(int64_t a, int64_t b)
{
	int64_t s;
	return __builtin_add_overflow(a, b, &s) ? (b < 0 ? INT64_MIN : INT64_MAX) : s;
}

/* The start of the interval of that length that holds t, counted from 1970. */
static inline int64_t gg_time_floor(int64_t t, int64_t length)
{
	int64_t rest = t % length;
	return gg_time_sub(t, rest < 0 ? rest + length : rest);
}

/* ---- the latest sample that was let through ---- */

struct gg_passed {
	int64_t time_ns;
	uint64_t bits; /* the value; of strings a hash */
	uint8_t type, quality;
	uint16_t aux;
	bool any;
};

/* Equal for equal values: one zero, one NaN, strings by a 64-bit hash that is the same on every machine. */
uint64_t gg_value_bits(const struct gg_flow *flow, const struct gg_sample *s);
void gg_passed_save(const struct gg_passed *p, struct gg_buf *to);
int gg_passed_load(struct gg_passed *p, struct gg_reader *from);

static inline void gg_passed_set(struct gg_passed *p, const struct gg_flow *flow, const struct gg_sample *s)
{
	*p = (struct gg_passed){.time_ns = s->time_ns,
		.bits = gg_value_bits(flow, s),
		.type = s->type,
		.quality = s->quality,
		.aux = s->aux,
		.any = true};
}

/* Is it news whatever its value: the first, another quality, another type? */
static inline bool gg_passed_news(const struct gg_passed *p, const struct gg_sample *s)
{
	return !p->any || p->quality != s->quality || p->aux != s->aux ||
	       (p->type != s->type && s->quality != GG_BAD);
}

/* Has so much time gone by since, or has the device's clock been set back by so much? 0 = never asked. */
static inline bool gg_passed_long_ago(const struct gg_passed *p, const struct gg_sample *s, int64_t most_ns)
{
	int64_t d = gg_time_sub(s->time_ns, p->time_ns);
	return most_ns > 0 && (d >= most_ns || d <= -most_ns);
}

static inline double gg_passed_number(const struct gg_passed *p)
{
	struct gg_sample s = {.type = p->type, .v.u = p->bits};
	return gg_sample_number(&s);
}

/* process() of a filter from its two halves. */
#define GG_FILTER_PROCESS(name)                                                                              \
	static void name##_process(void *self, struct gg_flow *flow)                                         \
	{                                                                                                    \
		uint32_t n = 0;                                                                              \
		for (uint32_t i = 0; i < flow->count; i++) {                                                 \
			if (!name##_wants(self, flow, i))                                                    \
				continue;                                                                    \
			name##_took(self, flow, i);                                                          \
			gg_flow_move(flow, n++, i);                                                          \
		}                                                                                            \
		flow->count = n;                                                                             \
	}

#endif
