/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal's queue and thread, and when to sync.
 *
 * The thread takes all that waits, encodes and writes it, and syncs
 *   - when a receipt waits and the last sync began at least commit_ns ago: a lone message is synced at once,
 *     many share one sync, and there are at most 1 / commit_ns syncs a second;
 *   - when an event waits, as nobody north hears of it before: the same, but with EVENT_COMMITS times that
 *     between two syncs, so that a storm of events is some twenty syncs a second;
 *   - otherwise when something has been unsynced for sync_ns.
 * While a sync runs, arrivals gather in the queue; so a slow disk makes larger groups by itself.
 *
 * The first entry after a pause wakes the thread. After that it looks by itself as long as something comes,
 * every commit_ns while somebody waits and ten times a second else, and only an entry that somebody waits for
 * (a receipt, an event), or a large heap, wakes it in between: messages that nobody waits for are ten
 * wake-ups a second, however many there are.
 *
 * queue_bytes bounds what is queued and unsynced together: past it append says -EAGAIN and the caller decides
 * (drivers stop reading from their devices).
 */
#include "base/log.h"
#include "store/journal_private.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

static const int64_t retain_every_ns = 10 * GG_NS_PER_S, unhurried_ns = 100 * GG_NS_PER_MS;

/* ---- appending: any thread ---- */

static size_t batch_cost(const struct gg_batch *b)
{
	return sizeof(struct gg_entry) + sizeof *b + b->count * sizeof *b->samples + b->tail_len;
}

enum { HEAP = 256 << 10, EVENT_COMMITS = 10 };

static int enqueue(struct gg_journal *j, struct gg_entry *e)
{
	pthread_mutex_lock(&j->lock);
	/* An empty queue takes anything, however large. */
	bool full = j->queued_bytes > 0 && j->queued_bytes + e->cost > j->o.queue_bytes;
	if (!full && !j->stop) {
		bool waited_for = e->receipt || e->kind == GG_RECORD_EVENT;
		bool wake = !j->urgent && (waited_for || j->asleep || j->new_bytes > HEAP);
		gg_entries_add(&j->queue, e);
		j->queued_bytes += e->cost;
		j->new_bytes += e->cost;
		j->accepted++;
		if (j->queued_bytes > j->o.queue_bytes / 4 * 3)
			atomic_store(&j->crowded, true);
		if (wake) {
			j->urgent = true;
			pthread_cond_signal(&j->wake);
		}
	}
	int status = j->stop ? -ESHUTDOWN : full ? -EAGAIN : 0;
	pthread_mutex_unlock(&j->lock);
	return status;
}

int gg_journal_append(struct gg_journal *j, struct gg_batch *b)
{
	struct gg_entry *e = malloc(sizeof *e);
	if (!e)
		return -EAGAIN;
	*e = (struct gg_entry){.batch = gg_batch_ref(b), .receipt = b->receipt, .cost = batch_cost(b)};
	e->kind = b->kind == GG_BATCH_DERIVED ? GG_RECORD_DERIVED : GG_RECORD_INPUT;
	b->receipt = NULL; /* before anybody else can see it */
	struct gg_receipt *receipt = e->receipt;
	int status = enqueue(j, e);
	if (status < 0) {
		b->receipt = receipt;
		gg_batch_unref(b);
		free(e);
	}
	return status;
}

int gg_journal_append_record(struct gg_journal *j, enum gg_record_kind kind, struct gg_str name,
	struct gg_str bytes, struct gg_receipt *receipt)
{
	if (kind < GG_RECORD_EVENT || kind > GG_RECORD_MARK || kind == GG_RECORD_NAMES)
		return -EINVAL;
	if (name.len > 255 || bytes.len > GG_RECORD_MAX - 300)
		return -E2BIG;
	struct gg_entry *e = malloc(sizeof *e + name.len + bytes.len);
	if (!e)
		return -ENOMEM;
	*e = (struct gg_entry){.receipt = receipt, .kind = (uint8_t)kind, .name_len = (uint32_t)name.len};
	e->len = (uint32_t)bytes.len;
	e->cost = sizeof *e + name.len + bytes.len;
	if (name.len)
		memcpy(e->data, name.p, name.len);
	if (bytes.len)
		memcpy(e->data + name.len, bytes.p, bytes.len);
	int status = enqueue(j, e);
	if (status < 0)
		free(e);
	return status;
}

bool gg_journal_is_crowded(const struct gg_journal *j)
{
	return atomic_load(&j->crowded);
}

void gg_journal_tell_room(struct gg_journal *j, uint64_t queued_bytes)
{
	if (queued_bytes < j->o.queue_bytes / 2 && atomic_exchange(&j->crowded, false) && j->o.on_room)
		j->o.on_room(j->o.arg);
}

int gg_journal_flush(struct gg_journal *j)
{
	pthread_mutex_lock(&j->lock);
	uint64_t target = j->accepted;
	while (j->done < target) {
		j->hurry = true;
		pthread_cond_signal(&j->wake);
		pthread_cond_wait(&j->idle, &j->lock);
	}
	enum gg_journal_state state = j->stats.state;
	pthread_mutex_unlock(&j->lock);
	return state == GG_JOURNAL_OK ? 0 : state == GG_JOURNAL_FULL ? -ENOSPC : -EIO;
}

void gg_journal_tune(struct gg_journal *j, const struct gg_journal_options *o)
{
	pthread_mutex_lock(&j->lock);
	j->fresh = *o;
	j->tuned = true;
	pthread_cond_signal(&j->wake);
	pthread_mutex_unlock(&j->lock);
}

/* Under the lock, on the journal's thread. What is kept is looked at soon. */
static void take_over(struct gg_journal *j)
{
	j->o.commit_ns = j->fresh.commit_ns ? j->fresh.commit_ns : 5 * GG_NS_PER_MS;
	j->o.reserve_bytes = j->fresh.reserve_bytes;
	j->o.keep_bytes = j->fresh.keep_bytes;
	j->o.keep_ns = j->fresh.keep_ns;
	j->o.max_bytes = j->fresh.max_bytes;
	j->retained_at = INT64_MIN / 2;
	j->tuned = false;
}

uint64_t gg_journal_end(const struct gg_journal *j)
{
	return atomic_load(&j->committed);
}

uint64_t gg_journal_begin(const struct gg_journal *j)
{
	return atomic_load(&j->begin);
}

void gg_journal_get_stats(struct gg_journal *j, struct gg_journal_stats *ret_stats)
{
	pthread_mutex_lock(&j->lock);
	*ret_stats = j->stats;
	ret_stats->queued_bytes = j->queued_bytes;
	pthread_mutex_unlock(&j->lock);
}

/* ---- the thread ---- */

/* When the pending entries are to be synced; INT64_MAX when there are none. */
static int64_t sync_due(const struct gg_journal *j)
{
	if (j->receipt_since)
		return j->last_sync + j->o.commit_ns;
	int64_t due = j->pending_since ? j->pending_since + j->o.sync_ns : INT64_MAX;
	int64_t of_event = j->event_since ? j->last_sync + EVENT_COMMITS * j->o.commit_ns : INT64_MAX;
	return of_event < due ? of_event : due;
}

static int64_t next_deadline(const struct gg_journal *j)
{
	int64_t due = j->retained_at + retain_every_ns;
	if (sync_due(j) < due)
		due = sync_due(j);
	if (j->state != GG_JOURNAL_OK && j->retry_at < due)
		due = j->retry_at;
	return due;
}

/* Waits for entries or the deadline and takes all. busy: something came the last time. */
static void take_queue(
	struct gg_journal *j, bool busy, struct gg_entries *ret_taken, bool *ret_hurry, bool *ret_stop)
{
	int64_t due = next_deadline(j), soon = gg_clock_monotonic(j->o.clock);
	soon += j->receipt_since ? j->o.commit_ns : unhurried_ns;
	if (busy && soon < due)
		due = soon;
	struct timespec until = {due / GG_NS_PER_S, due % GG_NS_PER_S};
	gg_entries_init(ret_taken);
	pthread_mutex_lock(&j->lock);
	j->asleep = !busy;
	while (!j->urgent && !j->stop && !j->hurry && !j->tuned && (busy || !j->queue.head))
		if (pthread_cond_timedwait(&j->wake, &j->lock, &until) == ETIMEDOUT)
			break;
	gg_entries_join(ret_taken, &j->queue);
	*ret_hurry = j->hurry;
	*ret_stop = j->stop;
	if (j->tuned)
		take_over(j);
	j->hurry = j->urgent = j->asleep = false;
	j->new_bytes = 0;
	pthread_mutex_unlock(&j->lock);
}

/* Somebody waits for the segment to be whole (journal_erase.c). */
static void end_if_wanted(struct gg_journal *j)
{
	pthread_mutex_lock(&j->lock);
	uint64_t wanted = j->ends_wanted;
	bool any = wanted != j->ends;
	pthread_mutex_unlock(&j->lock);
	if (!any)
		return;
	gg_journal_end_segment(j);
	pthread_mutex_lock(&j->lock);
	j->ends = wanted;
	pthread_cond_broadcast(&j->idle);
	pthread_mutex_unlock(&j->lock);
}

static void *run(void *arg)
{
	setpriority(PRIO_PROCESS, 0, 2); /* of this thread: what reacts goes first */
	struct gg_journal *j = arg;
	bool busy = false;
	for (bool stop = false; !stop;) {
		struct gg_entries taken;
		bool hurry;
		int64_t looked = gg_clock_monotonic(j->o.clock);
		take_queue(j, busy, &taken, &hurry, &stop);
		j->came_ns = busy ? looked : gg_clock_monotonic(j->o.clock);
		busy = taken.head != NULL;
		for (struct gg_entry *e; (e = gg_entries_pop(&taken));)
			gg_journal_stage(j, e);
		gg_journal_write_staged(j);
		int64_t now = gg_clock_monotonic(j->o.clock);
		if (hurry || stop || now >= sync_due(j))
			gg_journal_commit(j);
		end_if_wanted(j);
		if (j->state != GG_JOURNAL_OK && now >= j->retry_at && !stop)
			gg_journal_probe(j);
		if (now >= j->retained_at + retain_every_ns) {
			gg_journal_retain(j, /* urgent= */ false);
			j->retained_at = now;
		}
	}
	gg_journal_end_segment(j);
	return NULL;
}

/* ---- opening and closing ---- */

static void set_defaults(struct gg_journal_options *o)
{
	if (!o->segment_bytes)
		o->segment_bytes = 64U << 20;
	if (!o->keep_bytes)
		o->keep_bytes = 256U << 20;
	if (!o->max_bytes)
		o->max_bytes = 4ULL << 30;
	if (!o->queue_bytes)
		o->queue_bytes = 64U << 20;
	if (!o->commit_ns)
		o->commit_ns = 5 * GG_NS_PER_MS;
	if (!o->sync_ns)
		o->sync_ns = GG_NS_PER_S;
	if (!o->retry_ns)
		o->retry_ns = GG_NS_PER_S;
	if (!o->files)
		o->files = &gg_files_system;
	if (!o->clock)
		o->clock = &gg_clock_system;
}

/* Walks the last segment and cuts off what is no record. */
static int cut_tail(struct gg_journal *j, struct gg_segment *s, struct gg_error *e)
{
	struct gg_segment_reader r = {.fd = -1};
	struct gg_raw_record raw;
	struct stat st;
	char path[GG_PATH_MAX];
	int fd = -1;
	int status = gg_segment_path(path, j->dir, s->first);
	if (status == 0) {
		r.key = j->sealed ? j->key : NULL;
		status = gg_segment_reader_open(&r, j->dir, s->first);
	}
	if (status == 0 && fstat(r.fd, &st) != 0)
		status = -errno;
	while (status >= 0 && (status = gg_segment_next(&r, UINT64_MAX, &raw)) == 1)
		;
	s->end = r.position;
	gg_segment_reader_done(&r);
	if (status < 0 && status != -EBADMSG)
		return gg_error_set(e, status, "%s can't be read: %s", path, strerror(-status));
	if (status == -EBADMSG || r.damaged)
		gg_log(GG_WARN, "journal", "the last segment had a torn end", GG_I("position", s->end),
			GG_I("damaged", r.damaged));
	const struct gg_file_ops *f = j->o.files;
	if ((uint64_t)st.st_size == s->end - s->first)
		return 0;
	status = f->open(f->arg, path, O_RDWR, &fd);
	if (status == 0) {
		status = f->truncate(f->arg, fd, s->end - s->first);
		f->close(f->arg, fd);
	}
	/* A full or failing disk does not keep the gateway from starting, nor need it be synced: the next
	 * header says where it ends, and until there is one the same tail is found again. */
	if (status < 0)
		gg_log(GG_WARN, "journal", "torn end can't be cut off", GG_S("error", strerror(-status)));
	return 0;
}

static int find_segments(struct gg_journal *j, struct gg_error *e)
{
	if (mkdir(j->dir, 0750) < 0 && errno != EEXIST)
		return gg_error_set(e, -errno, "folder %s can't be made: %s", j->dir, strerror(errno));
	gg_journal_sweep(j->dir);
	j->segments.may_remove = true;
	j->segments.key = j->sealed ? j->key : NULL;
	int status = gg_segment_list_load(&j->segments, j->dir);
	if (status == -ENOKEY || status == -EKEYREJECTED)
		return gg_error_set(e, status, "the journal in %s can't be opened: %s; nothing was changed",
			j->dir, gg_journal_reader_error(status));
	if (status < 0)
		return gg_error_set(e, status, "folder %s can't be read: %s", j->dir, strerror(-status));
	struct gg_segment_list *l = &j->segments;
	if (l->count > 0) {
		struct gg_segment *last = &l->items[l->count - 1];
		status = last->end == UINT64_MAX ? cut_tail(j, last, e) : 0;
		if (status < 0)
			return status;
		j->next_first = j->previous_end = l->items[l->count - 1].end;
	}
	if (j->next_first < l->beyond)
		j->next_first = l->beyond;
	if (j->next_first < j->o.min_position)
		j->next_first = j->o.min_position;
	atomic_store(&j->committed, j->next_first);
	atomic_store(&j->begin, l->count ? l->items[0].first : j->next_first);
	j->stats.segments = (unsigned)l->count;
	for (size_t i = 0; i < l->count && j->sealed; i++)
		j->stats.plain_segments += l->items[i].form == GG_SEGMENT_PLAIN;
	return 0;
}

static void free_journal(struct gg_journal *j)
{
	gg_segment_list_done(&j->segments);
	gg_dictionary_done(&j->dictionary);
	gg_buf_done(&j->buf);
	gg_buf_done(&j->names);
	gg_seal_free(j->seal);
	OPENSSL_cleanse(j->key, sizeof j->key);
	pthread_mutex_destroy(&j->lock);
	pthread_cond_destroy(&j->wake);
	pthread_cond_destroy(&j->idle);
	free(j->dir);
	free(j);
}

static int take_key(struct gg_journal *j, struct gg_error *e)
{
	j->sealed = j->o.root != NULL;
	int status = j->sealed ? gg_seal_derive(j->o.root, GG_STR("journal"), j->key) : 0;
	j->o.root = NULL; /* the caller's */
	if (status == 0 && j->sealed)
		status = gg_seal_new(j->key, &j->seal);
	return status < 0 ? gg_error_set(e, status, "the journal's key can't be made: %s", strerror(-status))
			  : 0;
}

int gg_journal_open(const struct gg_journal_options *o, struct gg_journal **ret_journal, struct gg_error *e)
{
	struct gg_journal *j = calloc(1, sizeof *j);
	if (!j)
		return gg_error_set(e, -ENOMEM, "out of memory");
	j->o = *o;
	set_defaults(&j->o);
	j->fd = -1;
	j->dictionary.names = o->names;
	j->buf = GG_BUF(128U << 20);
	j->names = GG_BUF(32U << 20);
	gg_entries_init(&j->queue);
	gg_entries_init(&j->staged);
	gg_entries_init(&j->pending);
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&j->lock, NULL);
	pthread_cond_init(&j->wake, &attr);
	pthread_cond_init(&j->idle, NULL);
	pthread_condattr_destroy(&attr);
	j->metrics.bytes = gg_metric_counter("journal_written_bytes_total", NULL,
		"Bytes written to the journal, headers and dictionaries included");
	j->metrics.samples =
		gg_metric_counter("journal_samples_total", NULL, "Samples synced to the journal");
	j->metrics.refused =
		gg_metric_counter("journal_refused_total", NULL, "Records the journal could not take");
	j->metrics.sync = gg_metric_histogram("journal_sync_seconds", NULL, "Time to sync the journal");
	j->metrics.disk = gg_metric_gauge("journal_disk_bytes", NULL, "Size of all segments");
	j->dir = strdup(o->dir);
	int status = j->dir ? take_key(j, e) : gg_error_set(e, -ENOMEM, "out of memory");
	if (status == 0)
		status = find_segments(j, e);
	if (status < 0) {
		free_journal(j);
		return status;
	}
	*ret_journal = j;
	return 0;
}

int gg_journal_follow(struct gg_journal *j, gg_journal_follower *fn, void *arg)
{
	if (j->follower_count == GG_FOLLOWERS)
		return -ENOSPC;
	j->followers[j->follower_count].fn = fn;
	j->followers[j->follower_count++].arg = arg;
	return 0;
}

int gg_journal_start(struct gg_journal *j, struct gg_error *e)
{
	gg_journal_retain(j, /* urgent= */ false);
	j->retained_at = gg_clock_monotonic(j->o.clock);
	int status = -pthread_create(&j->thread, NULL, run, j);
	if (status < 0)
		return gg_error_set(
			e, status, "the journal's thread can't be started: %s", strerror(-status));
	pthread_setname_np(j->thread, "journal");
	j->started = true;
	gg_journal_seal_start(j);
	return 0;
}

void gg_journal_close(struct gg_journal *j)
{
	if (!j)
		return;
	atomic_store(&j->closing, true);
	if (j->sealing)
		pthread_join(j->sealer, NULL);
	pthread_mutex_lock(&j->lock);
	j->stop = true;
	pthread_cond_signal(&j->wake);
	pthread_mutex_unlock(&j->lock);
	if (j->started)
		pthread_join(j->thread, NULL);
	struct gg_entries left;
	gg_entries_init(&left);
	gg_entries_join(&left, &j->queue);
	gg_journal_refuse(j, &left, -ESHUTDOWN);
	free_journal(j);
}
