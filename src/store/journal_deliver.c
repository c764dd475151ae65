/* SPDX-License-Identifier: Apache-2.0 */
/* What happens when entries are safe: ids, receipts (one post per loop), followers, counters. */
#include "base/log.h"
#include "ganglion/loop.h"
#include "store/journal_private.h"

enum { GROUPS = 16 };

struct group {
	struct gg_loop *loop;
	struct gg_receipt *head, **tail;
};

static void hand_out(void *arg, int64_t status)
{
	for (struct gg_receipt *r = arg, *next; r; r = next) {
		next = r->next;
		r->status = (int)status;
		r->done(r, (int)status);
	}
}

/* A list of receipts of one loop. A receipt without a loop is answered right here (tools, tests). */
static void post(struct gg_loop *loop, struct gg_receipt *head, int answer)
{
	if (!loop) {
		hand_out(head, answer);
		return;
	}
	int status = gg_loop_post_sure(loop, hand_out, head, answer);
	if (status < 0 && status != -ESHUTDOWN)
		gg_log(GG_ERROR, "journal", "receipts could not be returned",
			GG_S("error", strerror(-status)));
}

void gg_journal_return(struct gg_receipt *r, int status)
{
	r->next = NULL;
	post(r->loop, r, status);
}

static void return_receipts(struct gg_entries *l)
{
	struct group groups[GROUPS];
	size_t count = 0;
	for (struct gg_entry *e = l->head; e; e = e->next) {
		struct gg_receipt *r = GG_TAKE(e->receipt);
		if (!r)
			continue;
		size_t i = 0;
		while (i < count && groups[i].loop != r->loop)
			i++;
		if (i == GROUPS) {
			gg_journal_return(r, 0);
			continue;
		}
		if (i == count) {
			groups[i].loop = r->loop;
			groups[i].tail = &groups[i].head;
			count++;
		}
		*groups[i].tail = r;
		groups[i].tail = &r->next;
	}
	for (size_t i = 0; i < count; i++) {
		*groups[i].tail = NULL;
		post(groups[i].loop, groups[i].head, 0);
	}
}

static void tell_followers(struct gg_journal *j, const struct gg_entry *e)
{
	struct gg_record r = {.kind = e->kind,
		.position = e->position,
		.next = e->end,
		.batch = e->batch,
		.name = gg_str_n(e->data, e->name_len),
		.bytes = gg_str_n(e->data + e->name_len, e->len)};
	for (size_t i = 0; i < j->follower_count; i++)
		j->followers[i].fn(j->followers[i].arg, &r);
}

void gg_journal_deliver(struct gg_journal *j, struct gg_entries *l)
{
	uint64_t count = 0, samples = 0, bytes = 0;
	/* Relaxed: whoever reads the id beside us finds 0 or the id; receipts and followers come after it. */
	for (struct gg_entry *e = l->head; e; e = e->next)
		if (e->batch)
			__atomic_store_n(&e->batch->id, e->position, __ATOMIC_RELAXED);
	return_receipts(l);
	for (struct gg_entry *e; (e = gg_entries_pop(l));) {
		tell_followers(j, e);
		count++;
		samples += e->batch ? e->batch->count : 0;
		bytes += e->cost;
		gg_batch_unref(e->batch);
		free(e);
	}
	pthread_mutex_lock(&j->lock);
	gg_count(j->metrics.samples, samples);
	j->stats.records += count;
	j->stats.samples += samples;
	j->queued_bytes -= bytes;
	j->done += count;
	uint64_t queued = j->queued_bytes;
	pthread_cond_broadcast(&j->idle);
	pthread_mutex_unlock(&j->lock);
	gg_journal_tell_room(j, queued);
}
