/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The history's thread: reads the journal, fills open blocks, has them stored.
 *
 * A signal has one open block, and beside it a late one for samples older than the first of the open block,
 * so that a device that was offline does not stretch a block over a day. Both are closed together and only
 * between two records; so one number per signal says what is stored, and after a crash the journal is read
 * again from the oldest open block on, passing over what each signal has.
 *
 * Memory is bounded by closing: blocks grow from nothing, and when all together exceed memory_bytes the
 * larger ones are closed, an eighth at a time; one whose journal has been kept for too long is closed early.
 * While the disk is full nothing is read, and the journal keeps it (the pin "history" says so).
 */
#include "base/log.h"
#include "core/signals.h"
#include "store/history_private.h"

#include <sys/resource.h>

#include <time.h>

static const int64_t span_most_ns = 30 * 86400 * GG_NS_PER_S;

/* When rollups are behind, the next turn is that soon: half of the time goes to them. */
static const int64_t hurry_ns = 200 * GG_NS_PER_MS;
enum { AT_ONCE = 32 }; /* samples whose blocks are fetched together */

/* ---- filling ---- */

static struct gg_history_signal *signal_at(struct gg_history *h, uint32_t index)
{
	if (index < h->signals_cap && h->signals[index])
		return h->signals[index];
	if (index >= h->signals_cap) {
		uint32_t cap = h->signals_cap ? h->signals_cap : 256;
		while (cap <= index)
			cap *= 2;
		struct gg_history_signal **fresh = realloc(h->signals, cap * sizeof *fresh);
		if (!fresh)
			return NULL;
		memset(fresh + h->signals_cap, 0, (cap - h->signals_cap) * sizeof *fresh);
		h->signals = fresh;
		h->signals_cap = cap;
	}
	struct gg_history_signal *s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	s->index = index;
	if (gg_history_load_signal(h, s) < 0) {
		free(s);
		return NULL;
	}
	h->signals[index] = s;
	if (!s->id)
		gg_history_queue(h, s);
	return s;
}

static struct gg_open_block *begin_block(struct gg_history *h, uint64_t position)
{
	struct gg_open_block *b = gg_open_block_new();
	if (!b)
		return NULL;
	b->first_position = position;
	b->since = gg_clock_monotonic(h->o.clock);
	return b;
}

/* Too far from the block's first sample to stand in it: a device that measures before it has the time, or
 * with a wrong one. Charts and rollups look at all that a block spans, decades of nothing else. */
static bool stretches(const struct gg_open_block *b, int64_t time)
{
	int64_t span;
	return b && (__builtin_sub_overflow(time, b->first_ns, &span) || span > span_most_ns ||
			    span < -span_most_ns);
}

/* Has it taken of this record already? Then its blocks stay open until the next one. */
static bool has_of(const struct gg_open_block *b, const struct gg_record *r)
{
	return b && b->last_position == r->position;
}

static int add_sample(struct gg_history *h, struct gg_history_signal *s, const struct gg_record *r,
	const struct gg_sample *x)
{
	struct gg_open_block **at = &s->open;
	if (s->open && x->time_ns < s->open->first_ns)
		at = &s->late;
	if (stretches(*at, x->time_ns) && !has_of(s->open, r) && !has_of(s->late, r)) {
		gg_history_close_blocks(h, s);
		at = &s->open;
	}
	size_t before = gg_open_block_memory(*at);
	if (!*at && !(*at = begin_block(h, r->position)))
		return -ENOMEM;
	int status =
		gg_open_block_add(at, x, x->type >= GG_TYPE_STRING ? gg_batch_text(r->batch, x) : GG_STR(""));
	if (status == 0) {
		(*at)->last_position = r->position;
		h->stats.open_samples++;
	} else if ((*at)->count == 0) {
		free(*at);
		*at = NULL;
	}
	h->stats.open_bytes += gg_open_block_memory(*at) - before;
	return status;
}

static bool is_full(const struct gg_history *h, const struct gg_open_block *b)
{
	return b && (b->count >= h->o.block_samples || b->used > (256 << 10));
}

void gg_history_queue(struct gg_history *h, struct gg_history_signal *s)
{
	if (s->queued)
		return;
	s->queued = true;
	s->next = NULL;
	*h->to_store_end = s;
	h->to_store_end = &s->next;
}

void gg_history_close_blocks(struct gg_history *h, struct gg_history_signal *s)
{
	gg_history_queue(h, s);
	struct gg_open_block *blocks[2] = {GG_TAKE(s->open), GG_TAKE(s->late)};
	struct gg_open_block **tail = &s->closed;
	while (*tail)
		tail = &(*tail)->next;
	for (int i = 0; i < 2; i++) {
		if (!blocks[i])
			continue;
		*tail = blocks[i];
		tail = &blocks[i]->next;
		if (blocks[i]->last_position > s->last_position)
			s->last_position = blocks[i]->last_position;
	}
}

static const struct gg_open_block *open_of(const struct gg_history *h, const struct gg_sample *x)
{
	const struct gg_history_signal *s = x->signal < h->signals_cap ? h->signals[x->signal] : NULL;
	return s ? s->open : NULL;
}

/*
 * With very many signals each sample finds its signal and its block outside the caches. These of the next
 * samples are fetched together, one step of the chain after the other, in place of waiting for each.
 */
static void fetch(const struct gg_history *h, const struct gg_sample *x, uint32_t count)
{
	const struct gg_open_block *b;
	for (uint32_t i = 0; i < count; i++)
		if (x[i].signal < h->signals_cap && h->signals[x[i].signal])
			__builtin_prefetch(h->signals[x[i].signal]);
	for (uint32_t i = 0; i < count; i++)
		if ((b = open_of(h, &x[i]))) {
			__builtin_prefetch(b, 1);
			__builtin_prefetch(&b->used, 1);
		}
	for (uint32_t i = 0; i < count; i++)
		if ((b = open_of(h, &x[i])))
			__builtin_prefetch(b->bytes + b->used, 1);
}

/* Fills in a batch; a sample that finds no memory is counted. */
static void take_batch(struct gg_history *h, const struct gg_record *r)
{
	pthread_mutex_lock(&h->lock);
	bool any_full = false;
	for (uint32_t i = 0; i < r->batch->count; i++) {
		const struct gg_sample *x = &r->batch->samples[i];
		if (i % AT_ONCE == 0)
			fetch(h, x, r->batch->count - i < AT_ONCE ? r->batch->count - i : AT_ONCE);
		struct gg_history_signal *s = signal_at(h, x->signal);
		if (!s) {
			h->stats.unknown++;
			continue;
		}
		if (r->position <= s->last_position)
			continue; /* stored before the restart */
		if (add_sample(h, s, r, x) < 0)
			h->stats.unknown++;
		any_full |= is_full(h, s->open) || is_full(h, s->late);
	}
	for (uint32_t i = 0; i < r->batch->count && any_full; i++) {
		struct gg_history_signal *s = signal_at(h, r->batch->samples[i].signal);
		if (s && (is_full(h, s->open) || is_full(h, s->late)))
			gg_history_close_blocks(h, s);
	}
	pthread_mutex_unlock(&h->lock);
}

/* ---- the thread ---- */

void gg_history_nudge(struct gg_history *h)
{
	pthread_mutex_lock(&h->bed);
	h->nudged = true;
	pthread_cond_signal(&h->wake);
	pthread_mutex_unlock(&h->bed);
}

/* stalled: there is more, but it can't be taken now. Whoever asks for something has nudged. */
static void wait_for_more(struct gg_history *h, int64_t until_ns, bool stalled)
{
	struct timespec until = {until_ns / GG_NS_PER_S, until_ns % GG_NS_PER_S};
	pthread_mutex_lock(&h->bed);
	while (!h->nudged && (stalled || atomic_load(&h->head) <= atomic_load(&h->read_to)))
		if (pthread_cond_timedwait(&h->wake, &h->bed, &until) == ETIMEDOUT)
			break;
	h->nudged = false;
	pthread_mutex_unlock(&h->bed);
}

/* Reads until the end or the time to store; says whether there may be more. */
static bool read_some(struct gg_history *h, bool *ret_stalled)
{
	for (int i = 0; i < 256; i++) {
		struct gg_record r;
		int status = gg_journal_next(h->reader, &r);
		if (status == 1) {
			take_batch(h, &r);
			gg_batch_unref(r.batch);
			h->position = r.next;
			if (h->stats.open_bytes > h->o.memory_bytes)
				return true;
			continue;
		}
		if (status < 0)
			gg_log(GG_WARN, "history", "journal can't be read for now",
				GG_S("error", strerror(-status)));
		if (status == 0)
			h->position = gg_journal_reader_position(h->reader);
		*ret_stalled = status < 0;
		pthread_mutex_lock(&h->lock);
		h->read_to = h->position;
		pthread_cond_broadcast(&h->idle);
		pthread_mutex_unlock(&h->lock);
		return false;
	}
	return true;
}

static void store_if_due(struct gg_history *h, bool stopping)
{
	pthread_mutex_lock(&h->lock);
	uint64_t wanted = h->flush_wanted;
	bool all = stopping || wanted != h->flushes;
	bool due = all || h->stats.open_bytes > h->o.memory_bytes;
	pthread_mutex_unlock(&h->lock);
	int64_t now = gg_clock_monotonic(h->o.clock);
	if (!due && now < h->next_flush)
		return;
	int status = gg_history_store(h, all);
	pthread_mutex_lock(&h->lock);
	h->flushes = wanted;
	h->flush_status = status;
	pthread_cond_broadcast(&h->idle);
	pthread_mutex_unlock(&h->lock);
	/* after those who wait have been told: what is stored is safe, rollups only make it quicker */
	if (status == 0 && !stopping)
		gg_history_roll(h);
	pthread_mutex_lock(&h->lock);
	bool more = h->stats.rolling;
	pthread_mutex_unlock(&h->lock);
	h->next_flush = now + (more && h->o.flush_ns > hurry_ns ? hurry_ns : h->o.flush_ns);
}

/* What somebody wants deleted; those who wait are told also when the thread ends. */
static void grant_wishes(struct gg_history *h)
{
	for (;;) {
		pthread_mutex_lock(&h->lock);
		struct gg_history_wish *w = h->wishes;
		pthread_mutex_unlock(&h->lock);
		if (!w)
			return;
		gg_history_grant(h, w);
		pthread_mutex_lock(&h->lock);
		h->wishes = w->next;
		w->done = true;
		pthread_cond_broadcast(&h->idle);
		pthread_mutex_unlock(&h->lock);
	}
}

static bool backed_up(struct gg_history *h)
{
	pthread_mutex_lock(&h->lock);
	bool full = h->stats.open_bytes > 2 * h->o.memory_bytes;
	pthread_mutex_unlock(&h->lock);
	return full;
}

static void *run(void *arg)
{
	setpriority(PRIO_PROCESS, 0, 10); /* of this thread: what reacts goes first */
	struct gg_history *h = arg;
	for (bool stop = false; !stop;) {
		bool stalled = backed_up(h);
		bool more = !stalled && read_some(h, &stalled);
		if (!more)
			wait_for_more(h, h->next_flush, stalled);
		pthread_mutex_lock(&h->lock);
		stop = h->stop;
		pthread_mutex_unlock(&h->lock);
		store_if_due(h, stop);
		grant_wishes(h);
	}
	return NULL;
}

static void follow(void *arg, const struct gg_record *r)
{
	struct gg_history *h = arg;
	/* In this order: it stores read_to before it looks at head. One of the two sees the other. */
	uint64_t before = atomic_exchange(&h->head, r->next);
	if (before <= atomic_load(&h->read_to))
		gg_history_nudge(h);
}

/* ---- life ---- */

static void set_defaults(struct gg_history_options *o)
{
	if (!o->block_samples)
		o->block_samples = 1024;
	if (!o->block_age_ns)
		o->block_age_ns = 900 * GG_NS_PER_S;
	if (!o->lag_bytes)
		o->lag_bytes = 64U << 20;
	if (!o->memory_bytes)
		o->memory_bytes = 32U << 20;
	if (!o->flush_ns)
		o->flush_ns = GG_NS_PER_S;
	if (!o->keep_bytes)
		o->keep_bytes = GG_HISTORY_BYTES;
	if (!o->names)
		o->names = &gg_names_table;
	if (!o->clock)
		o->clock = &gg_clock_system;
}

int gg_history_open(const struct gg_history_options *o, struct gg_history **ret_history, struct gg_error *e)
{
	struct gg_history *h = calloc(1, sizeof *h);
	if (!h)
		return gg_error_set(e, -ENOMEM, "out of memory");
	h->o = *o;
	set_defaults(&h->o);
	h->packed = GG_BUF(40U << 20);
	h->to_store_end = &h->to_store;
	gg_block_init(&h->scratch);
	h->coder = gg_block_coder_new();
	gg_rollup_init(&h->rollup);
	int status = gg_history_copy_rules(&h->o);
	if (!h->coder)
		status = -ENOMEM;
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&h->lock, NULL);
	pthread_mutex_init(&h->bed, NULL);
	pthread_cond_init(&h->wake, &attr);
	pthread_cond_init(&h->idle, NULL);
	pthread_condattr_destroy(&attr);
	h->path = strdup(o->path);
	status = h->path && status == 0 ? gg_sql_open(h->path, /* read_only= */ false, &h->db, e)
					: gg_error_set(e, -ENOMEM, "out of memory");
	if (status == 0)
		status = gg_history_prepare(h, e);
	if (status < 0) {
		gg_history_free(h);
		return status;
	}
	*ret_history = h;
	return 0;
}

uint64_t gg_history_position(const struct gg_history *h)
{
	return h->position;
}

int gg_history_start(struct gg_history *h, struct gg_journal *j, struct gg_error *e)
{
	h->journal = j;
	h->position = h->oldest = h->cursor;
	h->head = gg_journal_end(j);
	h->next_flush = gg_clock_monotonic(h->o.clock) + h->o.flush_ns;
	int status = gg_journal_reader_new(j, h->cursor, &h->reader);
	if (status == 0) {
		gg_journal_reader_kinds(h->reader, 1U << GG_RECORD_INPUT | 1U << GG_RECORD_DERIVED);
		status = gg_journal_pin(j, "history", h->cursor, /* forever= */ false);
	}
	if (status == 0)
		status = gg_journal_follow(j, follow, h);
	if (status == 0)
		status = -pthread_create(&h->thread, NULL, run, h);
	if (status < 0)
		return gg_error_set(e, status, "the history can't be started: %s", strerror(-status));
	pthread_setname_np(h->thread, "history");
	h->started = true;
	return 0;
}

void gg_history_wait(struct gg_history *h)
{
	pthread_mutex_lock(&h->lock);
	uint64_t target = h->head;
	while (h->started && !h->stop && h->read_to < target)
		pthread_cond_wait(&h->idle, &h->lock);
	pthread_mutex_unlock(&h->lock);
}

int gg_history_flush(struct gg_history *h)
{
	gg_history_wait(h);
	pthread_mutex_lock(&h->lock);
	uint64_t number = ++h->flush_wanted;
	gg_history_nudge(h);
	while (h->started && !h->stop && h->flushes < number)
		pthread_cond_wait(&h->idle, &h->lock);
	int status = h->flush_status;
	pthread_mutex_unlock(&h->lock);
	return status;
}

void gg_history_stop(struct gg_history *h)
{
	if (!h || !h->started)
		return;
	pthread_mutex_lock(&h->lock);
	h->stop = true;
	gg_history_nudge(h);
	pthread_cond_broadcast(&h->idle);
	pthread_mutex_unlock(&h->lock);
	pthread_join(h->thread, NULL);
	h->started = false;
	h->reader = gg_journal_reader_free(h->reader);
}

static void free_blocks(struct gg_open_block *b)
{
	for (struct gg_open_block *next; b; b = next) {
		next = b->next;
		free(b);
	}
}

void gg_history_free(struct gg_history *h)
{
	if (!h)
		return;
	gg_history_stop(h);
	gg_history_finalize(h);
	for (uint32_t i = 0; i < h->signals_cap; i++) {
		struct gg_history_signal *s = h->signals[i];
		if (!s)
			continue;
		free_blocks(s->open);
		free_blocks(s->late);
		free_blocks(s->closed);
		free(s);
	}
	free(h->signals);
	gg_buf_done(&h->packed);
	gg_block_done(&h->scratch);
	gg_block_coder_free(h->coder);
	gg_rollup_done(&h->rollup);
	gg_history_free_rules(&h->o);
	gg_history_free_rules(&h->fresh);
	pthread_mutex_destroy(&h->lock);
	pthread_mutex_destroy(&h->bed);
	pthread_cond_destroy(&h->wake);
	pthread_cond_destroy(&h->idle);
	free(h->path);
	free(h);
}

void gg_history_get_stats(struct gg_history *h, struct gg_history_stats *ret_stats)
{
	pthread_mutex_lock(&h->lock);
	*ret_stats = h->stats;
	ret_stats->lag_bytes = h->head > h->read_to ? h->head - h->read_to : 0;
	pthread_mutex_unlock(&h->lock);
}
