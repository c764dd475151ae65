/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checkpoint of a ruleset, by names:
 *
 *   u8 version
 *   varint n, n × { name, last value }           varint n, n × { rule, hash of its condition, limit's window
 * } varint n, n × { rule's place in the list before, binding, state }
 *
 * What does not fit the present configuration (a rule that is gone or has another condition, a signal that
 * nobody names) is passed over.
 */
#include "pipeline/rule_internal.h"
#include "pipeline/state_io.h"

enum { VERSION = 1, OPEN = 1, MUTED = 2 };

static void put_varint(struct gg_buf *to, uint64_t v)
{
	uint8_t bytes[10];
	struct gg_writer w = gg_writer(bytes, sizeof bytes);
	gg_write_varint(&w, v);
	gg_buf_add(to, bytes, gg_writer_len(&w));
}

static void put_text(struct gg_buf *to, struct gg_str s)
{
	put_varint(to, s.len);
	gg_buf_str(to, s);
}

static struct gg_str get_text(struct gg_reader *r)
{
	uint64_t n = gg_read_varint(r);
	return gg_read_str(r, n > 4096 ? SIZE_MAX : n);
}

static uint64_t hash_of(const struct rule *r)
{
	const struct gg_site_rule *o = options_of(r);
	return gg_hash_stable(gg_str(o->when ? o->when : o->on.event));
}

static void save_last(const struct gg_expr_last *l, struct gg_buf *to)
{
	const struct gg_signal_info *info = gg_signal(l->signal);
	put_text(to, info ? info->name : GG_STR(""));
	gg_expr_last_save(l, to);
}

static void load_last(struct gg_ruleset *rs, struct gg_reader *from)
{
	struct gg_expr_last nobody = {0};
	struct gg_str name = get_text(from);
	uint32_t signal = gg_reader_ok(from) && name.len ? gg_signal_find(name) : GG_NONE;
	struct gg_expr_last *to = gg_ruleset_wants(rs, signal) ? &rs->lasts[rs->slot_of[signal]] : &nobody;
	if (gg_expr_last_load(to, from) < 0)
		from->failed = true;
	gg_expr_last_done(&nobody);
}

static bool resting(const struct instance *in)
{
	return !in->open && !in->since_ns && !in->opened_ns;
}

static void save_instance(const struct instance *in, struct gg_buf *to)
{
	put_varint(to, in->rule);
	put_text(to, gg_str(in->binding));
	put_varint(to, (in->open ? OPEN : 0U) | (in->muted ? MUTED : 0U));
	gg_put_u64(to, (uint64_t)in->since_ns);
	gg_put_u64(to, (uint64_t)in->clear_since_ns);
	gg_put_u64(to, (uint64_t)in->opened_ns);
	gg_put_u64(to, in->event);
}

void gg_ruleset_save(const struct gg_ruleset *rs, struct gg_buf *to)
{
	uint64_t busy = 0;
	gg_buf_char(to, VERSION);
	put_varint(to, rs->slot_count);
	for (uint32_t i = 0; i < rs->slot_count; i++)
		save_last(&rs->lasts[i], to);
	put_varint(to, rs->rule_count);
	for (uint32_t i = 0; i < rs->rule_count; i++) {
		put_text(to, gg_str(options_of(&rs->rules[i])->name));
		gg_put_u64(to, hash_of(&rs->rules[i]));
		gg_put_u64(to, (uint64_t)rs->rules[i].window_ns);
		gg_put_u64(to, rs->rules[i].in_window);
	}
	for (uint32_t i = 0; i < rs->instance_count; i++)
		busy += !resting(rs->instances[i]);
	put_varint(to, busy);
	for (uint32_t i = 0; i < rs->instance_count; i++)
		if (!resting(rs->instances[i]))
			save_instance(rs->instances[i], to);
}

/* ret_now gets, by place in the checkpoint, the place now or GG_NONE. */
static void load_rules(struct gg_ruleset *rs, struct gg_reader *from, uint32_t *ret_now, uint64_t count)
{
	struct gg_map by_name = {0};
	for (uint32_t i = 0; i < rs->rule_count; i++)
		gg_map_put(&by_name, gg_str(options_of(&rs->rules[i])->name), i + 1U);
	for (uint64_t i = 0; i < count; i++) {
		struct gg_str name = get_text(from);
		uint64_t hash = gg_read_le64(from);
		int64_t window = gg_read_i64(from);
		uint64_t in_window = gg_read_le64(from);
		uint32_t now = (uint32_t)gg_map_get(&by_name, name, 0) - 1U;
		ret_now[i] = now != GG_NONE && hash_of(&rs->rules[now]) == hash ? now : GG_NONE;
		if (ret_now[i] == GG_NONE || !gg_reader_ok(from))
			continue;
		rs->rules[now].window_ns = window;
		rs->rules[now].in_window = in_window;
	}
	gg_map_done(&by_name);
}

static void load_instance(struct gg_ruleset *rs, struct gg_reader *from, const uint32_t *now, uint64_t count)
{
	uint64_t rule = gg_read_varint(from);
	struct gg_str binding = get_text(from);
	uint64_t flags = gg_read_varint(from);
	int64_t since = gg_read_i64(from), clear_since = gg_read_i64(from), opened = gg_read_i64(from);
	uint64_t event = gg_read_le64(from);
	if (!gg_reader_ok(from) || rule >= count || now[rule] == GG_NONE || binding.len >= GG_BINDING)
		return;
	struct instance *in = gg_rule_instance(rs, now[rule], binding, true);
	if (!in)
		return;
	in->open = (flags & OPEN) != 0;
	in->muted = (flags & MUTED) != 0;
	in->since_ns = since;
	in->clear_since_ns = clear_since;
	in->opened_ns = opened;
	in->event = event;
}

static void forget(struct gg_ruleset *rs)
{
	for (uint32_t i = 0; i < rs->slot_count; i++) {
		uint32_t signal = rs->lasts[i].signal;
		gg_expr_last_done(&rs->lasts[i]);
		rs->lasts[i] = (struct gg_expr_last){.signal = signal};
	}
	for (uint32_t i = 0; i < rs->rule_count; i++)
		rs->rules[i].window_ns = (int64_t)(rs->rules[i].in_window = 0);
	for (uint32_t i = 0; i < rs->instance_count; i++) {
		struct instance *in = rs->instances[i];
		gg_rule_set_due(rs, in, INT64_MAX);
		in->open = in->muted = false;
		in->since_ns = in->clear_since_ns = in->opened_ns = 0;
		in->event = 0;
	}
}

/* When what was loaded is due is worked out by asking each at the time of its latest sample. */
static void make_due(struct gg_ruleset *rs)
{
	for (uint32_t i = 0; i < rs->instance_count; i++) {
		struct instance *in = rs->instances[i];
		const struct rule *r = &rs->rules[in->rule];
		int64_t due = INT64_MAX;
		if (!r->when)
			continue;
		if (!in->open && in->since_ns)
			due = in->since_ns + r->for_ns;
		if (in->open && in->clear_since_ns)
			due = in->clear_since_ns + options_of(r)->clear_for_ns;
		bool timed = r->when->uses_time || (r->clear && r->clear->uses_time);
		for (uint32_t k = 0; timed && k < r->ref_count; k++) {
			int64_t seen = in->slots[k] == GG_NONE ? 0 : rs->lasts[in->slots[k]].seen_ns;
			if (seen && seen < due)
				due = seen + 1;
		}
		gg_rule_set_due(rs, in, due);
	}
}

int gg_ruleset_load(struct gg_ruleset *rs, struct gg_reader *from)
{
	uint32_t *now = NULL;
	if (gg_read_u8(from) != VERSION)
		from->failed = true;
	for (uint64_t n = gg_read_varint(from); n && gg_reader_ok(from); n--)
		load_last(rs, from);
	uint64_t count = gg_read_varint(from);
	if (count > gg_reader_left(from))
		from->failed = true;
	else
		now = calloc(count + 1, sizeof *now);
	if (now && gg_reader_ok(from)) {
		load_rules(rs, from, now, count);
		for (uint64_t n = gg_read_varint(from); n && gg_reader_ok(from); n--)
			load_instance(rs, from, now, count);
	}
	bool ok = now && gg_reader_ok(from);
	free(now);
	gg_rule_ask_all(rs);
	if (!ok) {
		forget(rs);
		return -EINVAL;
	}
	make_due(rs);
	return 0;
}
