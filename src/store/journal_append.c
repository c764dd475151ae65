/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal thread's hands: encode entries into a buffer, write it, sync, open and close segments.
 *
 *   entry ─ stage ─▶ staged (in buf) ─ write ─▶ pending (in the file) ─ commit ─▶ delivered
 *
 * Failures have one rule: a segment in which a call failed is never written to again. What it holds for
 * certain is kept, its end goes into the header of the next one, and
 *   - a failed write refuses what was in the buffer;
 *   - a failed sync says nothing about what is on disk (the kernel may have marked the pages clean), so the
 *     entries behind the last good sync, which are still in memory, are written once more into a new segment;
 *     if that fails too they are refused.
 * While full or failed, everything is refused at once, and once per retry_ns a MARK tries whether it works.
 */
#include "base/log.h"
#include "store/journal_private.h"
#include "store/varint.h"

#include <fcntl.h>

enum { WRITE_CHUNK = 1 << 20 };

static void set_state(struct gg_journal *j, enum gg_journal_state state, int status)
{
	if (j->state == state)
		return;
	j->state = state;
	pthread_mutex_lock(&j->lock);
	j->stats.state = state;
	pthread_mutex_unlock(&j->lock);
	char text[200];
	if (state == GG_JOURNAL_OK)
		snprintf(text, sizeof text, "the journal takes data again");
	else
		snprintf(text, sizeof text,
			"the journal in %s %s: %s; new data are refused until it works again", j->dir,
			state == GG_JOURNAL_FULL ? "has no space" : "can't be written", strerror(-status));
	if (j->o.on_state)
		j->o.on_state(j->o.arg, state, text);
}

void gg_journal_refuse(struct gg_journal *j, struct gg_entries *l, int status)
{
	uint64_t refused = 0, dropped = 0, bytes = 0;
	for (struct gg_entry *e; (e = gg_entries_pop(l));) {
		refused++;
		bytes += e->cost;
		if (e->receipt)
			gg_journal_return(e->receipt, status);
		else
			dropped++;
		gg_batch_unref(e->batch);
		free(e);
	}
	pthread_mutex_lock(&j->lock);
	gg_count(j->metrics.refused, refused);
	j->stats.refused += refused;
	j->stats.dropped += dropped;
	j->queued_bytes -= bytes;
	j->done += refused;
	uint64_t queued = j->queued_bytes;
	pthread_cond_broadcast(&j->idle);
	pthread_mutex_unlock(&j->lock);
	gg_journal_tell_room(j, queued);
}

/* Full or failed: refuse for a while. */
static void give_up(struct gg_journal *j, struct gg_entries *l, int status)
{
	bool full = status == -ENOSPC || status == -EDQUOT;
	j->retry_at = gg_clock_monotonic(j->o.clock) + j->o.retry_ns;
	if (full)
		gg_journal_retain(j, /* urgent= */ true);
	set_state(j, full ? GG_JOURNAL_FULL : GG_JOURNAL_FAILED, status);
	gg_journal_refuse(j, l, full ? -ENOSPC : -EIO);
}

/* ---- segments ---- */

static int write_header(struct gg_journal *j, const struct gg_segment *s)
{
	uint8_t bytes[GG_SEGMENT_HEADER + GG_SEGMENT_SEALING];
	struct gg_segment_header h = {s->form, s->first, j->previous_end, s->created_ns};
	gg_segment_header_encode(&h, bytes);
	int status = !j->seal ? 0
			      : gg_segment_sealing_make(
					j->seal, bytes, s->first, /* end= */ 0, bytes + GG_SEGMENT_HEADER);
	return status < 0
		       ? status
		       : j->o.files->write(j->o.files->arg, j->fd, bytes, gg_segment_head_bytes(s->form), 0);
}

/* A segment takes its blocks when it is opened, so this is where space gets less. */
static int check_reserve(struct gg_journal *j)
{
	const struct gg_file_ops *files = j->o.files;
	uint64_t room;
	if (!j->o.reserve_bytes || !files->room || files->room(files->arg, j->dir, &room) < 0)
		return 0;
	if (room < j->o.reserve_bytes + j->o.segment_bytes && gg_journal_retain(j, /* urgent= */ true))
		files->room(files->arg, j->dir, &room);
	return room < j->o.reserve_bytes + j->o.segment_bytes ? -ENOSPC : 0;
}

static int open_segment(struct gg_journal *j)
{
	const struct gg_file_ops *files = j->o.files;
	struct gg_segment s = {j->next_first, UINT64_MAX, gg_clock_utc(j->o.clock),
		j->seal ? GG_SEGMENT_SEALED : GG_SEGMENT_PLAIN};
	char path[GG_PATH_MAX];
	int status = gg_segment_path(path, j->dir, j->next_first);
	if (status == 0)
		status = check_reserve(j);
	if (status == 0)
		status = files->open(files->arg, path, O_RDWR | O_CREAT | O_TRUNC, &j->fd);
	if (status < 0)
		return status;
	files->reserve(files->arg, j->fd, j->o.segment_bytes);
	j->head = gg_segment_head_bytes(s.form);
	status = write_header(j, &s);
	if (status == 0) {
		pthread_mutex_lock(&j->lock);
		status = gg_segment_list_add(&j->segments, s);
		if (status == 0) {
			j->stats.segments = (unsigned)j->segments.count;
			j->stats.bytes += j->head;
			gg_count(j->metrics.bytes, j->head);
			atomic_store(&j->begin, j->segments.items[0].first);
		}
		pthread_mutex_unlock(&j->lock);
	}
	if (status < 0) {
		files->close(files->arg, j->fd);
		files->remove(files->arg, path);
		j->fd = -1;
		return status;
	}
	j->first = j->next_first;
	j->offset = j->synced = j->head;
	j->dir_dirty = true;
	gg_dictionary_clear(&j->dictionary);
	return 0;
}

/* Closes the file; what is behind the last good sync is cut off, or at least not counted. */
static void leave_segment(struct gg_journal *j)
{
	const struct gg_file_ops *files = j->o.files;
	if (j->fd < 0)
		return;
	files->truncate(files->arg, j->fd, j->synced);
	files->close(files->arg, j->fd);
	j->fd = -1;
	j->previous_end = j->first + j->synced;
	/* Positions that were given once are not given again, whether they are on disk or not. */
	j->next_first = j->first + j->offset;
	bool empty = j->synced == j->head;
	char path[GG_PATH_MAX];
	if (empty && gg_segment_path(path, j->dir, j->first) == 0)
		files->remove(files->arg, path);
	pthread_mutex_lock(&j->lock);
	struct gg_segment_list *l = &j->segments;
	if (empty) {
		j->previous_end = l->count > 1 ? l->items[l->count - 2].end : 0;
		l->count--;
	} else {
		l->items[l->count - 1].end = j->previous_end;
	}
	j->stats.segments = (unsigned)l->count;
	pthread_mutex_unlock(&j->lock);
}

void gg_journal_end_segment(struct gg_journal *j)
{
	gg_journal_write_staged(j);
	gg_journal_commit(j);
	leave_segment(j);
}

/* ---- encoding ---- */

static uint8_t *record_room(struct gg_buf *buf, size_t max)
{
	return (uint8_t *)gg_buf_room(buf, GG_RECORD_HEADER + max + GG_SEAL_TAG);
}

/* Ends a record whose content of len bytes follows record's header in memory; behind it is room for a tag.
 * Moves *record behind it. */
static int finish(struct gg_journal *j, uint8_t **record, uint8_t kind, size_t len)
{
	uint64_t position = j->first + j->offset + j->buf.len;
	uint8_t *content = *record + GG_RECORD_HEADER;
	int status = j->seal ? gg_record_shut(j->seal, position, kind, content, len, content + len) : 0;
	if (status < 0)
		return status;
	len += j->seal ? GG_SEAL_TAG : 0;
	gg_record_finish(*record, position, kind, (uint32_t)len);
	j->buf.len += GG_RECORD_HEADER + len;
	*record = content + len;
	return 0;
}

static int encode_batch(struct gg_journal *j, struct gg_entry *e)
{
	size_t max = 0;
	gg_buf_clear(&j->names);
	int status = gg_dictionary_announce(&j->dictionary, e->batch, &j->names, &max);
	if (status < 0)
		return status;
	uint8_t *room = record_room(&j->buf, j->names.len + GG_SEAL_TAG + GG_RECORD_HEADER + max);
	if (!room)
		return -ENOMEM;
	if (j->names.len > 0) {
		memcpy(room + GG_RECORD_HEADER, j->names.p, j->names.len);
		status = finish(j, &room, GG_RECORD_NAMES, j->names.len);
		if (status < 0)
			return status;
	}
	e->position = j->first + j->offset + j->buf.len;
	return finish(j, &room, e->kind, gg_batch_encode(&j->dictionary, e->batch, room + GG_RECORD_HEADER));
}

static int encode_bytes(struct gg_journal *j, struct gg_entry *e)
{
	uint8_t *room = record_room(&j->buf, 10 + (size_t)e->name_len + e->len);
	if (!room)
		return -ENOMEM;
	e->position = j->first + j->offset + j->buf.len;
	uint8_t *p = gg_put_varint(room + GG_RECORD_HEADER, e->name_len);
	memcpy(p, e->data, (size_t)e->name_len + e->len);
	p += e->name_len + e->len;
	return finish(j, &room, e->kind, (size_t)(p - room) - GG_RECORD_HEADER);
}

void gg_journal_stage(struct gg_journal *j, struct gg_entry *e)
{
	struct gg_entries one;
	gg_entries_init(&one);
	if (j->fd >= 0 && j->offset + j->buf.len >= j->o.segment_bytes && !j->salvaging) {
		gg_journal_end_segment(j);
		gg_journal_retain(j, /* urgent= */ false);
	}
	if (j->state != GG_JOURNAL_OK && gg_clock_monotonic(j->o.clock) < j->retry_at) {
		gg_entries_add(&one, e);
		gg_journal_refuse(j, &one, j->state == GG_JOURNAL_FULL ? -ENOSPC : -EIO);
		return;
	}
	int status = j->fd < 0 ? open_segment(j) : 0;
	if (status < 0) {
		gg_entries_add(&one, e);
		give_up(j, &one, status);
		return;
	}
	size_t before = j->buf.len;
	uint32_t signals = j->dictionary.signal_count, devices = j->dictionary.device_count;
	status = e->batch ? encode_batch(j, e) : encode_bytes(j, e);
	if (status < 0) {
		/* Too large or no memory: its own fault or the moment's, not the disk's. */
		j->buf.len = before;
		j->buf.error = 0;
		gg_dictionary_forget(&j->dictionary);
		j->dictionary.signal_count = signals;
		j->dictionary.device_count = devices;
		gg_entries_add(&one, e);
		gg_journal_refuse(j, &one, status);
		return;
	}
	e->end = j->first + j->offset + j->buf.len;
	gg_entries_add(&j->staged, e);
	if (j->buf.len >= WRITE_CHUNK)
		gg_journal_write_staged(j);
}

/* ---- writing and syncing ---- */

/* A burst (all names of a new segment, a backlog) makes it large; it is not kept so for what comes usually.
 */
static void empty(struct gg_buf *b)
{
	size_t most = b->max;
	bool oversized = b->cap > (1U << 20) && b->len < b->cap / 8;
	if (oversized)
		gg_buf_done(b);
	if (oversized)
		*b = GG_BUF(most);
	gg_buf_clear(b);
}

void gg_journal_write_staged(struct gg_journal *j)
{
	if (j->buf.len == 0)
		return;
	const struct gg_file_ops *files = j->o.files;
	int status = files->write(files->arg, j->fd, j->buf.p, j->buf.len, j->offset);
	if (status == 0) {
		int64_t now = gg_clock_monotonic(j->o.clock);
		j->offset += j->buf.len;
		for (const struct gg_entry *e = j->staged.head; e; e = e->next) {
			if (e->receipt && !j->receipt_since)
				j->receipt_since = now;
			if (e->kind == GG_RECORD_EVENT && !j->event_since)
				j->event_since = now;
		}
		if (!j->pending_since)
			j->pending_since = j->came_ns ? j->came_ns : now;
		gg_entries_join(&j->pending, &j->staged);
		pthread_mutex_lock(&j->lock);
		gg_count(j->metrics.bytes, j->buf.len);
		j->stats.bytes += j->buf.len;
		pthread_mutex_unlock(&j->lock);
		empty(&j->buf);
		return;
	}
	struct gg_entries failed = j->staged;
	if (!failed.head)
		failed.tail = &failed.head;
	gg_entries_init(&j->staged);
	gg_buf_clear(&j->buf);
	if (!j->salvaging)
		gg_journal_commit(j); /* what was written before may well be good */
	leave_segment(j);
	give_up(j, &failed, status);
}

static int sync_segment(struct gg_journal *j)
{
	const struct gg_file_ops *files = j->o.files;
	int64_t start = gg_clock_monotonic(j->o.clock);
	int status = files->sync(files->arg, j->fd);
	if (status == 0 && j->dir_dirty) {
		status = files->sync_dir(files->arg, j->dir);
		j->dir_dirty = status < 0;
	}
	int64_t took = gg_clock_monotonic(j->o.clock) - start;
	j->last_sync = start;
	gg_histogram_add(j->metrics.sync, took);
	pthread_mutex_lock(&j->lock);
	j->stats.syncs++;
	j->stats.sync_ns += (uint64_t)took;
	pthread_mutex_unlock(&j->lock);
	return status;
}

static void take_pending(struct gg_journal *j, struct gg_entries *to)
{
	gg_entries_init(to);
	gg_entries_join(to, &j->pending);
	j->receipt_since = j->event_since = j->pending_since = 0;
}

/* The sync failed: once more, elsewhere. */
static void salvage(struct gg_journal *j, int status)
{
	struct gg_entries again;
	take_pending(j, &again);
	leave_segment(j);
	gg_log(GG_WARN, "journal", "sync failed, writing the same again into a new segment",
		GG_S("error", strerror(-status)));
	j->salvaging = true;
	for (struct gg_entry *e; j->state == GG_JOURNAL_OK && (e = gg_entries_pop(&again));)
		gg_journal_stage(j, e);
	gg_journal_write_staged(j);
	int second = j->fd >= 0 && j->pending.head ? sync_segment(j) : 0;
	j->salvaging = false;
	if (j->fd < 0 || second < 0) {
		struct gg_entries lost;
		take_pending(j, &lost);
		gg_entries_join(&lost, &again);
		leave_segment(j);
		give_up(j, &lost, second < 0 ? second : status);
		return;
	}
	gg_entries_join(&j->pending, &again);
}

void gg_journal_commit(struct gg_journal *j)
{
	if (j->fd < 0 || !j->pending.head)
		return;
	int status = sync_segment(j);
	if (status < 0)
		salvage(j, status);
	if (j->fd < 0 || !j->pending.head)
		return;
	struct gg_entries safe;
	take_pending(j, &safe);
	j->synced = j->offset;
	atomic_store(&j->committed, j->first + j->synced);
	set_state(j, GG_JOURNAL_OK, 0);
	gg_journal_deliver(j, &safe);
}

void gg_journal_probe(struct gg_journal *j)
{
	struct gg_entry *e = calloc(1, sizeof *e);
	if (!e)
		return;
	e->kind = GG_RECORD_MARK;
	pthread_mutex_lock(&j->lock);
	j->accepted++;
	pthread_mutex_unlock(&j->lock);
	gg_journal_stage(j, e);
	gg_journal_write_staged(j);
	gg_journal_commit(j);
}
