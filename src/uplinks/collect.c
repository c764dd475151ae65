/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records to parcels, in the order of the journal.
 *
 *   live     what comes from the feed is the very next: it goes into the queue
 *   behind   the journal is read until its end; then live again
 *
 * An event that comes while others wait is sent at once, before them, and its position remembered; when the
 * reading arrives there it is passed over.
 */
#include "base/log.h"
#include "uplinks/private.h"

enum { GRACE_MS = 100 }; /* records may arrive this much after they were received */

/* ---- where records come from ---- */

static bool has_passed(const struct gg_uplink_engine *u, uint64_t position)
{
	for (size_t i = 0; i < u->passed_count; i++)
		if (position >= u->passed[i].first && position <= u->passed[i].last)
			return true;
	return false;
}

/* Sends an event before the backlog, if there is one and room. As long as none is missed it costs no memory
 * to remember how many have gone: so it may go on for as long as the backlog lasts. */
static void send_first(struct gg_uplink_engine *u, const struct gg_item *item)
{
	bool waits = !u->live || u->queue_count || u->queued || u->working || !u->ready;
	struct gg_passed *row = u->passed_count ? &u->passed[u->passed_count - 1] : NULL;
	bool next = row && row->last == item->event_before;
	if (!waits || !u->selection.events || item->position < u->read || has_passed(u, item->position) ||
		(!next && u->passed_count == GG_PASSED) || gg_slot_ahead_count(u) >= GG_AHEAD)
		return;
	struct gg_slot *s = gg_slot_free(u);
	if (!s || gg_slot_event(u, s, item, /* round= */ NULL) < 0)
		return;
	if (next)
		row->last = item->position;
	else
		u->passed[u->passed_count++] = (struct gg_passed){item->position, item->position};
}

void gg_collect_offer(struct gg_uplink_engine *u, const struct gg_item *item)
{
	if (item->kind == GG_RECORD_EVENT)
		send_first(u, item);
	if (!u->live || item->position < u->taken)
		return;
	struct gg_item *to = &u->queue[(u->queue_first + u->queue_count) % GG_QUEUE_ITEMS];
	if (item->from > u->taken || u->queue_count == GG_QUEUE_ITEMS || gg_item_copy(item, to) < 0) {
		u->live = false; /* the queue stays good up to here */
		u->behind_since_ns = gg_loop_utc(u->all->loop);
		return;
	}
	u->queue_count++;
	u->taken = item->next;
}

static void forget_queue(struct gg_uplink_engine *u)
{
	for (; u->queue_count; u->queue_count--) {
		gg_item_done(&u->queue[u->queue_first]);
		u->queue_first = (u->queue_first + 1) % GG_QUEUE_ITEMS;
	}
	u->taken = u->working ? u->current.next : u->read;
}

void gg_collect_fall_behind(struct gg_uplink_engine *u)
{
	if (u->live)
		u->behind_since_ns = gg_loop_utc(u->all->loop);
	u->live = false;
	if (!u->ready)
		forget_queue(u); /* it would only hold memory: all of it is on disk */
}

/* The next record from the journal: 1, 0 at its end, or an error. */
static int from_journal(struct gg_uplink_engine *u)
{
	const struct gg_uplink_source *source = &u->all->source;
	struct gg_record r = {0};
	if (!u->reader) {
		uint64_t begin = source->begin(source->arg);
		if (begin > u->taken) {
			gg_count(u->c_lost, begin - u->taken);
			gg_log(GG_ERROR, u->name, "data went from the journal before they were sent",
				GG_I("bytes", begin - u->taken));
		}
		int rc = source->open(source->arg, u->taken, &u->reader);
		if (rc < 0)
			return rc;
	}
	int rc = source->next(u->reader, &r);
	if (rc <= 0)
		return rc;
	rc = gg_item_of_record(&r, &u->current);
	gg_batch_unref(r.batch);
	if (rc < 0) { /* the reader has gone past it: open it anew there */
		source->close(GG_TAKE(u->reader));
		return rc;
	}
	u->taken = r.next;
	return 1;
}

static void at_end(struct gg_uplink_engine *u)
{
	const struct gg_uplink_source *source = &u->all->source;
	uint64_t position = source->position(u->reader);
	source->close(GG_TAKE(u->reader));
	u->taken = position > u->taken ? position : u->taken;
	u->read = u->taken;
	u->live = true;
}

/* Makes current the next record: 1, or 0 when there is none for now. */
static int take_next(struct gg_uplink_engine *u)
{
	u->at = u->part = 0;
	if (u->queue_count) {
		u->current = u->queue[u->queue_first];
		u->queue[u->queue_first] = (struct gg_item){0};
		u->queue_first = (u->queue_first + 1) % GG_QUEUE_ITEMS;
		u->queue_count--;
		u->working = true;
		return 1;
	}
	if (u->live)
		return 0;
	int rc = from_journal(u);
	if (rc == 0)
		at_end(u);
	if (rc < 0 && rc != -ENOMEM)
		gg_log(GG_ERROR, u->name, "the journal cannot be read", GG_S("error", strerror(-rc)));
	u->working = rc == 1;
	return u->working;
}

static void finish_record(struct gg_uplink_engine *u)
{
	gg_count(u->c_seen, u->current.next - u->current.position);
	u->read = u->current.next;
	u->working = false;
	gg_item_done(&u->current);
}

/* ---- rounds ---- */

void gg_collect_close_round(struct gg_uplink_engine *u)
{
	struct gg_round *round = gg_round_open(u);
	if (!round)
		return;
	/* In the order in which they were opened, that is of their ids. */
	while (u->open) {
		struct gg_slot *oldest = NULL;
		for (size_t i = 0; i < GG_PARCELS; i++)
			if (u->slots[i].state == GG_PARCEL_OPEN &&
				(!oldest || u->slots[i].parcel.id < oldest->parcel.id))
				oldest = &u->slots[i];
		gg_slot_close(u, oldest);
	}
	round->closed = true;
}

int64_t gg_collect_due(const struct gg_uplink_engine *u)
{
	const struct gg_round *round = gg_round_open(u);
	if (!round || u->working)
		return INT64_MAX;
	int64_t age = gg_loop_utc(u->all->loop) - round->received_ns;
	int64_t left = u->common.linger_ns + GRACE_MS * GG_NS_PER_MS - age;
	/* A clock that was set back must not make it wait for ever. */
	int64_t most = u->common.linger_ns + GRACE_MS * GG_NS_PER_MS;
	return gg_loop_now(u->all->loop) + (left < most ? left : most);
}

/* The round that the current batch belongs to; NULL when there is no room for one now. */
static struct gg_round *round_for(struct gg_uplink_engine *u)
{
	const struct gg_batch *b = u->current.batch;
	struct gg_round *round = gg_round_open(u);
	if (round && round->start != u->current.position && u->part == 0) {
		bool late = b->received_ns - round->received_ns > u->common.linger_ns;
		bool crowded = u->open >= GG_OPEN_DEVICES && !gg_slot_open_of(u, b->device);
		if (late || crowded || u->common.linger_ns == 0) {
			gg_collect_close_round(u);
			round = NULL;
		}
	}
	return round ? round : gg_round_new(u, u->current.position, b->received_ns);
}

/* ---- samples ---- */

/* The samples from u->at on. Returns false when there is no room for now. */
static bool collect_samples(struct gg_uplink_engine *u, struct gg_round *round)
{
	const struct gg_batch *b = u->current.batch;
	struct gg_slot *s = gg_slot_open_of(u, b->device);
	for (; u->at < b->count; u->at++) {
		const struct gg_sample *sample = &b->samples[u->at];
		if (!gg_selected(&u->selection, sample->signal)) {
			u->local++;
			gg_count(u->c_local, 1);
			continue;
		}
		if (!s) {
			s = gg_slot_free(u);
			if (!s)
				return false;
			gg_slot_begin(u, s, u->current.position + u->part++, b->device, round);
		}
		u->encoder->add(&s->encoding, b, sample);
		s->samples++;
		if (s->buf.len >= gg_slot_limit(u) || s->buf.error) {
			gg_slot_close(u, s);
			s = NULL;
		}
	}
	return true;
}

static bool wants_any(struct gg_uplink_engine *u)
{
	const struct gg_batch *b = u->current.batch;
	for (uint32_t i = 0; i < b->count; i++)
		if (gg_selected(&u->selection, b->samples[i].signal))
			return true;
	u->local += b->count;
	gg_count(u->c_local, b->count);
	return false;
}

static int collect_batch(struct gg_uplink_engine *u)
{
	if (u->at || wants_any(u)) {
		struct gg_round *round = round_for(u);
		if (!round || !collect_samples(u, round))
			return 0;
	}
	finish_record(u);
	if (u->common.linger_ns == 0)
		gg_collect_close_round(u);
	return 1;
}

static int collect_event(struct gg_uplink_engine *u)
{
	bool passed = has_passed(u, u->current.position);
	gg_collect_close_round(u);
	if (passed && gg_slot_ahead(u, u->current.position))
		return 0; /* it is under way, before the others */
	if (!passed && u->selection.events) {
		struct gg_slot *s = gg_slot_free(u);
		struct gg_round *round = s ? gg_round_new(u, u->current.position, 0) : NULL;
		if (!round)
			return 0;
		round->received_ns = gg_loop_utc(u->all->loop);
		round->closed = true;
		if (gg_slot_event(u, s, &u->current, round) < 0) {
			u->dropped++;
			gg_count(u->c_large, 1);
		}
	}
	finish_record(u);
	return 1;
}

int gg_collect_step(struct gg_uplink_engine *u)
{
	if (!u->working && !take_next(u))
		return 0;
	return u->current.kind == GG_RECORD_EVENT ? collect_event(u) : collect_batch(u);
}

void gg_collect_done(struct gg_uplink_engine *u)
{
	forget_queue(u);
	if (u->working)
		gg_item_done(&u->current);
	if (u->reader)
		u->all->source.close(GG_TAKE(u->reader));
}
