/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checkpoint of a pipeline. Everything in it goes by names: a stage is found again by its component's
 * name and its place among its like, a signal by its name, because indices, slots and even the list of stages
 * may be others at the next start. What belongs to a signal that is not there yet waits until it joins, and
 * is saved again meanwhile; after eight starts without it, it is let go.
 *
 *   "GGP1" now_ns, stages: { name, ordinal, version, own state, signals: { name, age, state }* }*
 *
 * Numbers are little-endian, strings and states have their length before them. load() walks the bytes twice:
 * once to see that they are whole, then to take them over.
 */
#include "base/log.h"
#include "core/signals.h"
#include "pipeline/pipeline_internal.h"
#include "pipeline/state_io.h"

enum { MAGIC = 0x31504747, MOST_STARTS = 8 };

struct blob {
	uint32_t len;
	uint8_t age;
	uint8_t bytes[];
};

void pipeline_waiting_done(struct stage *s)
{
	struct gg_map_entry *e;
	gg_map_each (e, &s->waiting)
		free((void *)(uintptr_t)e->value);
	gg_map_done(&s->waiting);
}

void pipeline_claim(struct gg_pipeline *p, uint32_t stage, uint32_t slot)
{
	struct stage *s = &p->stages[stage];
	struct gg_str name = gg_str(p->slots[slot].name);
	if (s->waiting.count == 0)
		return;
	struct blob *b = gg_map_get_ptr(&s->waiting, name);
	if (!b)
		return;
	struct gg_reader from = gg_reader(b->bytes, b->len);
	if (s->ops->load_slot && s->ops->load_slot(s->self, slot, &from) < 0)
		gg_log(GG_INFO, p->name,
			"saved state does not fit the stage as it is now, continuing without it",
			GG_S("stage", s->component->name), GG_SV("signal", name));
	gg_map_remove(&s->waiting, name);
	free(b);
}

/* ---- saving ---- */

static size_t begin_part(struct gg_buf *to)
{
	size_t at = to->len;
	gg_put_u32(to, 0);
	return at;
}

static void end_part(struct gg_buf *to, size_t at)
{
	if (to->error)
		return;
	struct gg_writer w = gg_writer(to->p + at, 4);
	gg_write_le32(&w, (uint32_t)(to->len - at - 4));
}

static void put_name(struct gg_buf *to, struct gg_str name)
{
	gg_put_u16(to, (uint16_t)name.len);
	gg_buf_str(to, name);
}

static uint32_t save_slots(const struct gg_pipeline *p, uint32_t k, struct gg_buf *to)
{
	const struct stage *s = &p->stages[k];
	uint32_t n = 0;
	for (uint32_t i = 0; i < p->slot_count; i++) {
		const struct slot *slot = &p->slots[i];
		if (!s->ops->save_slot || k < slot->from || k > slot->until)
			continue;
		size_t start = to->len;
		put_name(to, gg_str(slot->name));
		gg_put_u8(to, 0);
		size_t part = begin_part(to);
		s->ops->save_slot(s->self, i, to);
		if (!to->error && to->len == part + 4) {
			to->len = start; /* nothing to remember */
			continue;
		}
		end_part(to, part);
		n++;
	}
	return n;
}

static uint32_t save_waiting(const struct stage *s, struct gg_buf *to)
{
	uint32_t n = 0;
	struct gg_map_entry *e;
	gg_map_each (e, &s->waiting) {
		const struct blob *b = (const void *)(uintptr_t)e->value;
		put_name(to, gg_str_n(e->key, e->len));
		gg_put_u8(to, b->age);
		gg_put_u32(to, b->len);
		gg_buf_add(to, b->bytes, b->len);
		n++;
	}
	return n;
}

void gg_pipeline_save(const struct gg_pipeline *p, struct gg_buf *to)
{
	gg_put_u32(to, MAGIC);
	gg_put_i64(to, p->now_ns);
	gg_put_u8(to, (uint8_t)p->stage_count);
	for (uint32_t k = 0; k < p->stage_count; k++) {
		const struct stage *s = &p->stages[k];
		put_name(to, gg_str(s->component->name));
		gg_put_u8(to, (uint8_t)s->ordinal);
		gg_put_u32(to, s->ops->state_version);
		size_t own = begin_part(to);
		if (s->ops->save)
			s->ops->save(s->self, to);
		end_part(to, own);
		size_t count = to->len;
		gg_put_u32(to, 0);
		uint32_t n = save_slots(p, k, to);
		n += save_waiting(s, to);
		if (!to->error) {
			struct gg_writer w = gg_writer(to->p + count, 4);
			gg_write_le32(&w, n);
		}
	}
}

/* ---- loading ---- */

/* What a walk over the bytes meets; both may be NULL. s is NULL when there is no such stage now. */
struct visit {
	void (*own)(struct gg_pipeline *p, struct stage *s, struct gg_str state);
	int (*signal)(
		struct gg_pipeline *p, struct stage *s, struct gg_str name, uint8_t age, struct gg_str state);
};

static struct stage *find_stage(struct gg_pipeline *p, struct gg_str name, uint32_t ordinal, uint32_t version)
{
	for (uint32_t k = 0; k < p->stage_count; k++) {
		struct stage *s = &p->stages[k];
		if (s->ordinal == ordinal && s->ops->state_version == version &&
			gg_str_is(name, s->component->name))
			return s;
	}
	return NULL;
}

static int walk_stage(struct gg_pipeline *p, struct gg_reader *r, const struct visit *v)
{
	struct gg_str name = gg_read_str(r, gg_read_le16(r));
	uint32_t ordinal = gg_read_u8(r), version = gg_read_le32(r);
	struct gg_str own = gg_read_str(r, gg_read_le32(r));
	struct stage *s = find_stage(p, name, ordinal, version);
	if (gg_reader_ok(r) && s && v->own)
		v->own(p, s, own);
	for (uint32_t n = gg_read_le32(r); n > 0 && gg_reader_ok(r); n--) {
		struct gg_str signal = gg_read_str(r, gg_read_le16(r));
		uint8_t age = gg_read_u8(r);
		struct gg_str state = gg_read_str(r, gg_read_le32(r));
		int rc = gg_reader_ok(r) && s && v->signal ? v->signal(p, s, signal, age, state) : 0;
		if (rc < 0)
			return rc;
	}
	return gg_reader_ok(r) ? 0 : -EINVAL;
}

static int walk(struct gg_pipeline *p, struct gg_reader r, const struct visit *v, int64_t *ret_now,
	const uint8_t **ret_end)
{
	if (gg_read_le32(&r) != MAGIC)
		return -EINVAL;
	int64_t now = (int64_t)gg_read_le64(&r);
	for (uint32_t n = gg_read_u8(&r); n > 0; n--) {
		int rc = walk_stage(p, &r, v);
		if (rc < 0)
			return rc;
	}
	if (!gg_reader_ok(&r))
		return -EINVAL;
	*ret_now = now;
	*ret_end = r.p;
	return 0;
}

static void take_own(struct gg_pipeline *p, struct stage *s, struct gg_str state)
{
	struct gg_reader from = gg_reader(state.p, state.len);
	if (s->ops->load && state.len && s->ops->load(s->self, &from) < 0)
		gg_log(GG_INFO, p->name,
			"saved state does not fit the stage as it is now, continuing without it",
			GG_S("stage", s->component->name));
}

static int take_signal(
	struct gg_pipeline *p, struct stage *s, struct gg_str name, uint8_t age, struct gg_str state)
{
	(void)p;
	if (age >= MOST_STARTS || !s->ops->load_slot)
		return 0;
	struct blob *b = malloc(sizeof *b + state.len);
	if (!b)
		return -ENOMEM;
	*b = (struct blob){.len = (uint32_t)state.len, .age = (uint8_t)(age + 1)};
	memcpy(b->bytes, state.p, state.len);
	free(gg_map_get_ptr(&s->waiting, name));
	if (gg_map_put_ptr(&s->waiting, name, b) < 0) {
		gg_map_remove(&s->waiting, name);
		free(b);
		return -ENOMEM;
	}
	return 0;
}

/* Signals the process knows join at once, so that what time alone brings about (a window that ends) happens.
 */
static int join_known(
	struct gg_pipeline *p, struct stage *s, struct gg_str name, uint8_t age, struct gg_str state)
{
	(void)s, (void)age, (void)state;
	uint32_t signal = gg_signal_find(name);
	if (signal != GG_NONE)
		pipeline_slot(p, signal);
	return 0;
}

int gg_pipeline_load(struct gg_pipeline *p, struct gg_reader *from)
{
	int64_t now;
	const uint8_t *end;
	int rc = walk(p, *from, &(struct visit){0}, &now, &end);
	if (rc == 0)
		rc = walk(p, *from, &(struct visit){take_own, take_signal}, &now, &end);
	if (rc < 0)
		return rc;
	for (uint32_t i = 0; i < p->slot_count; i++)
		for (uint32_t k = p->slots[i].from; k <= p->slots[i].until && k < p->stage_count; k++)
			pipeline_claim(p, k, i);
	walk(p, *from, &(struct visit){NULL, join_known}, &now, &end);
	from->p = end;
	if (now > p->now_ns)
		p->now_ns = now;
	pipeline_find_due(p);
	return 0;
}
