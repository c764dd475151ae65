/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the journal's thread to the north loop. The follower puts a reference to each committed batch into a
 * bounded ring and wakes the loop once; when the ring is full it only says so, and the uplinks read what they
 * missed from the journal. Each item says where the one before it ended, so that an uplink knows whether the
 * item is the very next for it.
 */
#include "uplinks/private.h"

enum {
	OF_INTEREST = 1 << GG_RECORD_INPUT | 1 << GG_RECORD_DERIVED | 1 << GG_RECORD_EVENT,
	TAKE = 64,
	FOR_EVENTS = 64
};

void gg_item_done(struct gg_item *i)
{
	i->batch = gg_batch_unref(i->batch);
	free(GG_TAKE(i->bytes));
}

int gg_item_copy(const struct gg_item *from, struct gg_item *ret_item)
{
	struct gg_item copy = *from;
	if (from->bytes) {
		copy.bytes = gg_str_dup(gg_str_n(from->bytes, from->len));
		if (!copy.bytes)
			return -ENOMEM;
	}
	if (from->batch)
		gg_batch_ref(from->batch);
	*ret_item = copy;
	return 0;
}

int gg_item_of_record(const struct gg_record *r, struct gg_item *ret_item)
{
	struct gg_item view = {.kind = r->kind, .position = r->position, .next = r->next, .batch = r->batch};
	if (r->kind == GG_RECORD_EVENT) {
		view.bytes = (char *)(uintptr_t)r->bytes.p;
		view.len = r->bytes.len;
	}
	return gg_item_copy(&view, ret_item);
}

static size_t weight(const struct gg_item *i)
{
	return i->batch ? i->batch->count * sizeof(struct gg_sample) + i->batch->tail_len : i->len;
}

/* Takes some; true when there were any or something was lost. */
static bool take(struct gg_uplinks *all, struct gg_item *items, size_t *ret_count, bool *ret_gap)
{
	pthread_mutex_lock(&all->lock);
	size_t n = gg_min_size(all->count, TAKE);
	for (size_t i = 0; i < n; i++) {
		items[i] = all->items[(all->first + i) % GG_FEED_ITEMS];
		all->bytes -= weight(&items[i]);
	}
	all->first = (all->first + n) % GG_FEED_ITEMS;
	all->count -= n;
	*ret_gap = all->count == 0 && all->gap; /* what was lost came behind what is there */
	if (*ret_gap)
		all->gap = false;
	if (n == 0)
		all->posted = false;
	pthread_mutex_unlock(&all->lock);
	*ret_count = n;
	return n || *ret_gap;
}

static void drain(void *arg, int64_t number)
{
	struct gg_uplinks *all = arg;
	struct gg_item items[TAKE];
	size_t n = 0;
	bool gap = false;
	(void)number;
	while (take(all, items, &n, &gap)) {
		for (struct gg_uplink_engine *u = all->engines; u; u = u->next) {
			for (size_t i = 0; i < n; i++)
				gg_collect_offer(u, &items[i]);
			if (gap)
				gg_collect_fall_behind(u);
			gg_engine_wake(u);
		}
		for (size_t i = 0; i < n; i++)
			gg_item_done(&items[i]);
	}
}

void gg_uplinks_follow(void *arg, const struct gg_record *r)
{
	struct gg_uplinks *all = arg;
	struct gg_item item = {0};
	if (!(1 << r->kind & OF_INTEREST))
		return;
	bool wanted = atomic_load(&all->engine_count) > 0;
	bool have = wanted && gg_item_of_record(r, &item) == 0;
	pthread_mutex_lock(&all->lock);
	item.from = all->last_next;
	all->last_next = r->next;
	item.event_before = all->last_event;
	if (r->kind == GG_RECORD_EVENT)
		all->last_event = r->position;
	/* Events find room where batches don't: they may go before the others. */
	bool event = r->kind == GG_RECORD_EVENT;
	size_t most = event ? GG_FEED_ITEMS : GG_FEED_ITEMS - FOR_EVENTS;
	bool fits = have && all->count < most && all->bytes + weight(&item) <= GG_FEED_BYTES;
	if (fits && (event || !all->gap)) {
		all->items[(all->first + all->count++) % GG_FEED_ITEMS] = item;
		all->bytes += weight(&item);
		item = (struct gg_item){0};
	} else {
		all->gap |= wanted;
	}
	bool post = wanted && !all->posted;
	all->posted |= wanted;
	pthread_mutex_unlock(&all->lock);
	gg_item_done(&item);
	if (post && gg_loop_post_sure(all->loop, drain, all, 0) < 0) {
		pthread_mutex_lock(&all->lock);
		all->posted = false;
		pthread_mutex_unlock(&all->lock);
	}
}

struct gg_uplinks *gg_uplinks_new(
	struct gg_loop *loop, const struct gg_uplink_source *source, const struct gg_uplink_memory *memory)
{
	struct gg_uplinks *all = calloc(1, sizeof *all);
	if (!all)
		return NULL;
	all->loop = loop;
	all->source = *source;
	all->memory = *memory;
	all->last_next = source->end(source->arg);
	all->last_event = UINT64_MAX;
	pthread_mutex_init(&all->lock, NULL);
	return all;
}

void gg_uplinks_free(struct gg_uplinks *all)
{
	if (!all)
		return;
	for (size_t i = 0; i < all->count; i++)
		gg_item_done(&all->items[(all->first + i) % GG_FEED_ITEMS]);
	pthread_mutex_destroy(&all->lock);
	free(all);
}

/* ---- the journal as a source ---- */

static uint64_t journal_begin(void *arg)
{
	return gg_journal_begin(arg);
}

static uint64_t journal_end(void *arg)
{
	return gg_journal_end(arg);
}

static int journal_open(void *arg, uint64_t position, void **ret_reader)
{
	struct gg_journal_reader *r = NULL;
	int rc = gg_journal_reader_new(arg, position, &r);
	if (rc < 0)
		return rc;
	gg_journal_reader_kinds(r, OF_INTEREST);
	*ret_reader = r;
	return 0;
}

static int journal_next(void *reader, struct gg_record *ret_record)
{
	return gg_journal_next(reader, ret_record);
}

static uint64_t journal_position(void *reader)
{
	return gg_journal_reader_position(reader);
}

static void journal_close(void *reader)
{
	gg_journal_reader_free(reader);
}

static void journal_pin(void *arg, const char *name, uint64_t position)
{
	gg_journal_pin(arg, name, position, /* forever= */ false);
}

struct gg_uplink_source gg_uplink_journal(struct gg_journal *j)
{
	return (struct gg_uplink_source){j, journal_begin, journal_end, journal_open, journal_next,
		journal_position, journal_close, journal_pin};
}
