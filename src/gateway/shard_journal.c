/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a shard to the journal. A shard never waits for the disk, and what it has run through its pipelines
 * must not be missing from the journal only because the queue there is full for a moment. So it waits here,
 * and all that comes behind it, until the journal says that there is room. That is bounded: while the journal
 * is crowded gg_shard_send() takes nothing, so what can still come is what lay in the mailbox, and batches
 * have their budget.
 *
 * A disk that is full is another matter: the journal then answers each batch at once, with -ENOSPC.
 */
#include "core/loop.h"
#include "gateway/gateway.h"
#include "store/journal.h"

static int append_tick(struct gg_shard *s, int64_t now_ns)
{
	uint8_t bytes[8];
	char name[12];
	struct gg_writer w = gg_writer(bytes, sizeof bytes);
	gg_write_le64(&w, (uint64_t)now_ns);
	snprintf(name, sizeof name, "%u", s->number);
	return gg_journal_append_record(s->journal, GG_RECORD_TICK, gg_str(name),
		gg_str_n(bytes, sizeof bytes),
		/* receipt= */ NULL);
}

static int append(struct gg_shard *s, const struct gg_late *l)
{
	return l->batch ? gg_journal_append(s->journal, l->batch) : append_tick(s, l->tick_ns);
}

static void refuse(struct gg_shard *s, const struct gg_late *l, int rc)
{
	gg_count(s->unjournalled, 1);
	struct gg_receipt *r = l->batch ? GG_TAKE(l->batch->receipt) : NULL;
	if (r)
		gg_receipt_return(r, rc);
}

static void drain(struct gg_shard *s)
{
	while (s->late_count) {
		struct gg_late *l = &s->late[s->late_first];
		int rc = append(s, l);
		if (rc == -EAGAIN)
			return;
		if (rc < 0)
			refuse(s, l, rc);
		gg_batch_unref(l->batch);
		s->late_first++;
		s->late_count--;
	}
	s->late_first = 0;
}

static int keep_late(struct gg_shard *s, const struct gg_late *l)
{
	if (s->late_first + s->late_count == s->late_cap) {
		size_t cap = s->late_cap ? s->late_cap * 2 : 1024;
		struct gg_late *bigger = realloc(s->late, cap * sizeof *bigger);
		if (!bigger)
			return -ENOMEM;
		s->late = bigger;
		s->late_cap = cap;
	}
	s->late[s->late_first + s->late_count++] = *l;
	if (l->batch)
		gg_batch_ref(l->batch);
	return 0;
}

static void put(struct gg_shard *s, const struct gg_late *l)
{
	if (!s->journal)
		return;
	drain(s);
	int rc = s->late_count ? -EAGAIN : append(s, l);
	if (rc == -EAGAIN && s->recovering) { /* nobody waits for us yet */
		gg_journal_flush(s->journal);
		rc = append(s, l);
	}
	if (rc == -EAGAIN)
		rc = keep_late(s, l);
	if (rc < 0)
		refuse(s, l, rc);
}

void gg_shard_journal(struct gg_shard *s, struct gg_batch *b)
{
	put(s, &(struct gg_late){.batch = b});
	if (!s->journal && b->receipt)
		gg_receipt_return(GG_TAKE(b->receipt), 0);
}

void gg_shard_journal_tick(struct gg_shard *s, int64_t now_ns)
{
	put(s, &(struct gg_late){.tick_ns = now_ns});
}

static void go_on(void *arg, int64_t number)
{
	(void)number;
	drain(arg);
}

void gg_shard_journal_finish(struct gg_shard *s)
{
	for (int tries = 0; s->late_count && tries < 100; tries++) {
		drain(s);
		gg_journal_flush(s->journal);
	}
}

void gg_shard_journal_room(struct gg_shard *s)
{
	gg_loop_post_sure(s->loop, go_on, s, 0);
}
