/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A detector's state as bytes, for checkpoints and for moving it to another gateway.
 *
 * One walk over the members serves both ways, so that saving and loading cannot drift apart: each member is
 * handed to a function for its type that either appends it or takes it. All numbers are little-endian and of
 * fixed width, floats are their IEEE bits. The layout has no lengths inside: a version says it all, and any
 * change of members or constants that gives old bytes another meaning has to raise it.
 *
 *     "GGDT" | u16 version | u16 reserved, 0 | members in the order of walk() | u32 FNV-1a of all before
 *
 * How far prototypes are apart follows from them and their fellows; it is in the bytes since a detector once
 * kept it, and loading passes it by.
 *
 * The sum finds damage, not malice. What a forged state could break (an index out of range, a float that is
 * not a number, a count that wraps) is checked on its own after loading; the rest can only make a detector
 * talk nonsense.
 */

#include "pipeline/detector_internal.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define VERSION   1
#define HEAD_SIZE 8
#define SUM_SIZE  4

struct cursor {
	uint8_t *to;         /* saving: next byte, or NULL */
	const uint8_t *from; /* loading: next byte, or NULL */
	size_t size;         /* bytes passed; with both NULL only this is counted */
	bool bad;            /* loading: a value that no detector has */
};

static void number(struct cursor *c, uint64_t *v, unsigned bytes)
{
	if (c->to != NULL) {
		for (unsigned i = 0; i < bytes; i++)
			*c->to++ = (uint8_t)(*v >> (8 * i));
	} else if (c->from != NULL) {
		*v = 0;
		for (unsigned i = 0; i < bytes; i++)
			*v |= (uint64_t)*c->from++ << (8 * i);
	}
	c->size += bytes;
}

static void u8(struct cursor *c, uint8_t *v)
{
	uint64_t n = *v;

	number(c, &n, 1);
	*v = (uint8_t)n;
}

static void u16(struct cursor *c, uint16_t *v)
{
	uint64_t n = *v;

	number(c, &n, 2);
	*v = (uint16_t)n;
}

static void u32(struct cursor *c, uint32_t *v)
{
	uint64_t n = *v;

	number(c, &n, 4);
	*v = (uint32_t)n;
}

static void i64(struct cursor *c, int64_t *v)
{
	uint64_t n = (uint64_t)*v;

	number(c, &n, 8);
	*v = (int64_t)n;
}

static void flag(struct cursor *c, bool *v)
{
	uint64_t n = *v;

	number(c, &n, 1);
	c->bad |= n > 1;
	*v = n != 0;
}

static void f32(struct cursor *c, float *v, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint32_t bits;

		memcpy(&bits, &v[i], sizeof bits);
		u32(c, &bits);
		memcpy(&v[i], &bits, sizeof bits);
		c->bad |= !isfinite(v[i]);
	}
}

static void f64(struct cursor *c, double *v)
{
	uint64_t bits;

	memcpy(&bits, v, sizeof bits);
	number(c, &bits, 8);
	memcpy(v, &bits, sizeof bits);
	c->bad |= !isfinite(*v);
}

static void walk_apart(struct cursor *c, const struct gg_detector *d, int view)
{
	float apart[GG_DETECTOR_PROTOS] = {0};

	if (c->to != NULL)
		gg_detector_memory_apart(d, view, apart);
	f32(c, apart, GG_DETECTOR_PROTOS);
}

static void walk_memory(struct cursor *c, struct gg_detector *d, int view)
{
	struct gg_detector_memory *m = &d->memory[view];

	walk_apart(c, d, view);
	f32(c, &m->mean, 1);
	f32(c, &m->largest, 1);
	u32(c, &m->counted);
	for (int i = 0; i < 64; i++)
		u16(c, &m->hist[i]);
	for (int i = 0; i < GG_DETECTOR_PROTOS; i++)
		u8(c, &m->fellow[i]);
	u8(c, &m->used); /* gap and slot follow */
}

static void walk_pulse(struct cursor *c, struct gg_detector_pulse *p)
{
	i64(c, &p->last_ns);
	f64(c, &p->usual_ns);
	f64(c, &p->high_ns);
	u32(c, &p->intervals);
	u8(c, &p->behind);
	flag(c, &p->begun);
	flag(c, &p->missing);
}

static void walk(struct cursor *c, struct gg_detector *d)
{
	for (int i = 0; i < GG_DETECTOR_DIMS; i++)
		f32(c, d->proto[i], GG_DETECTOR_PROTOS);
	for (int i = 0; i < GG_DETECTOR_VIEWS; i++)
		walk_memory(c, d, i);
	f64(c, &d->ref);
	f64(c, &d->last_value);
	number(c, &d->t, 8);
	number(c, &d->alarm_t, 8);
	f32(c, d->e, GG_DETECTOR_SPANS);
	f32(c, &d->rough, 1);
	f32(c, &d->rough_long, 1);
	f32(c, &d->deviation, 1);
	f32(c, &d->habit, 1);
	f32(c, &d->last_alarm, 1);
	f32(c, &d->pending_from, 1);
	f32(c, &d->pending_to, 1);
	f32(c, &d->pending_sum, 1);
	u32(c, &d->run);
	u32(c, &d->longest_run);
	u32(c, &d->moves);
	u8(c, &d->pending);
	flag(c, &d->started);
	flag(c, &d->flat_told);
	flag(c, &d->was_outside);
	f32(c, d->band.mad, GG_DETECTOR_CENTRES);
	f32(c, &d->band.up, 1);
	f32(c, &d->band.down, 1);
	u8(c, &d->band.centre);
	walk_pulse(c, &d->pulse);
}

static uint32_t fnv1a(const uint8_t *bytes, size_t size)
{
	uint32_t sum = 2166136261U;

	for (size_t i = 0; i < size; i++)
		sum = (sum ^ bytes[i]) * 16777619U;
	return sum;
}

static void head(struct cursor *c, uint8_t mark[4], uint16_t *version)
{
	uint16_t reserved = 0;

	for (int i = 0; i < 4; i++)
		u8(c, &mark[i]);
	u16(c, version);
	u16(c, &reserved);
	c->bad |= reserved != 0;
}

size_t gg_detector_saved_size(void)
{
	struct gg_detector d;
	struct cursor c = {0};

	gg_detector_init(&d);
	walk(&c, &d);
	return HEAD_SIZE + c.size + SUM_SIZE;
}

int gg_detector_save(const struct gg_detector *d, void *bytes, size_t size)
{
	struct gg_detector copy = *d;
	struct cursor c = {.to = bytes};
	uint8_t mark[4] = {'G', 'G', 'D', 'T'};
	uint16_t version = VERSION;

	if (size < gg_detector_saved_size())
		return -ENOSPC;
	head(&c, mark, &version);
	walk(&c, &copy);

	uint32_t sum = fnv1a(bytes, c.size);

	u32(&c, &sum);
	return 0;
}

static bool memory_sound(const struct gg_detector_memory *m)
{
	uint32_t counted = 0;

	for (int i = 0; i < GG_DETECTOR_PROTOS; i++)
		if (m->fellow[i] >= GG_DETECTOR_PROTOS)
			return false;
	for (int i = 0; i < 64; i++)
		counted += m->hist[i];
	return counted == m->counted && counted < 60000 && m->used <= GG_DETECTOR_PROTOS && m->mean >= 0.0f &&
	       m->largest >= 0.0f;
}

static bool within_limits(const float *v, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (fabsf(v[i]) > 5.0f * GG_DETECTOR_LIMIT)
			return false;
	return true;
}

static bool reach_sound(float reach)
{
	return reach >= 0.0f && reach <= GG_DETECTOR_REACH_MOST;
}

/* What the code relies on. That the values fit together is not checked. */
static bool sound(const struct gg_detector *d)
{
	for (int i = 0; i < GG_DETECTOR_VIEWS; i++)
		if (!memory_sound(&d->memory[i]))
			return false;
	for (int i = 0; i < GG_DETECTOR_DIMS; i++)
		if (!within_limits(d->proto[i], GG_DETECTOR_PROTOS))
			return false;
	if (!within_limits(d->e, GG_DETECTOR_SPANS) || !within_limits(d->band.mad, GG_DETECTOR_CENTRES) ||
		!within_limits(&d->rough, 1))
		return false;
	if (!reach_sound(d->band.up) || !reach_sound(d->band.down))
		return false;
	return d->band.centre < GG_DETECTOR_CENTRES && d->pending <= GG_DETECTOR_SETTLE &&
	       d->alarm_t <= d->t && d->pulse.usual_ns >= 0.0 && d->pulse.high_ns >= 0.0;
}

int gg_detector_load(struct gg_detector *d, const void *bytes, size_t size)
{
	struct gg_detector loaded;
	struct cursor c = {.from = bytes};
	uint8_t mark[4] = {0};
	uint16_t version = 0;
	uint32_t sum = 0;

	if (size < HEAD_SIZE)
		return -EINVAL;
	head(&c, mark, &version);
	if (memcmp(mark, "GGDT", 4) != 0)
		return -EINVAL;
	if (version != VERSION)
		return -EPROTONOSUPPORT;
	if (size != gg_detector_saved_size())
		return -EINVAL;
	gg_detector_init(&loaded);
	walk(&c, &loaded);

	uint32_t expected = fnv1a(bytes, c.size);

	u32(&c, &sum);
	if (sum != expected || c.bad || !sound(&loaded))
		return -EINVAL;
	gg_detector_memory_settle(&loaded);
	*d = loaded;
	return 0;
}
