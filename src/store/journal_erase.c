/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking samples out of the journal: a person has asked for it. Positions are places in files and stay what
 * they are, so a record that loses samples keeps its length (zeros behind its content), and one that loses
 * all becomes a mark of that length.
 *
 *   segment.seg ── copied ──▶ segment.tmp ── records changed, synced ──▶ renamed over segment.seg
 *
 * The segment that is written to is ended first. A reader in the midst of the old file reads on there; the
 * file goes when it leaves it. After a power cut there is the old segment or the new one, and a leftover .tmp
 * goes at the next start.
 *
 * Names of signals stay in the dictionary records until the segment goes.
 */
#include "base/log.h"
#include "store/journal_private.h"
#include "store/varint.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

enum { COPY_CHUNK = 1 << 20, WORST_SAMPLE = 48 };

struct erasing {
	struct gg_journal *j;
	const struct gg_journal_wish *wish;
	struct gg_journal_erased result;
	struct gg_lexicon lexicon;
	struct gg_dictionary dictionary; /* the lexicon the other way round */
	struct gg_buf content;
	char path[GG_PATH_MAX], fresh[GG_PATH_MAX];
	uint64_t first;
	int fd; /* of the copy, -1 = nothing to change so far */
};

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

/* ---- the copy ---- */

static int copy_file(struct erasing *k)
{
	const struct gg_file_ops *f = k->j->o.files;
	int from = open(k->path, O_RDONLY | O_CLOEXEC);
	char *chunk GG_CLEANUP(gg_free_p) = malloc(COPY_CHUNK);
	int status = from < 0 ? -errno : !chunk ? -ENOMEM : 0;
	uint64_t at = 0;
	if (status == 0)
		status = f->open(f->arg, k->fresh, O_RDWR | O_CREAT | O_TRUNC, &k->fd);
	while (status == 0) {
		ssize_t n = pread(from, chunk, COPY_CHUNK, (off_t)at);
		if (n == 0)
			break;
		status = n < 0 ? -errno : f->write(f->arg, k->fd, chunk, (size_t)n, at);
		at += n > 0 ? (uint64_t)n : 0;
	}
	if (from >= 0)
		close(from);
	return status;
}

/* Writes a record of the same length in place of the one at position. k->content has its header and bytes. */
static int put_record(struct erasing *k, const struct gg_raw_record *raw, uint8_t kind)
{
	const struct gg_file_ops *f = k->j->o.files;
	int status = k->fd < 0 ? copy_file(k) : 0;
	if (status < 0)
		return status;
	gg_record_seal((uint8_t *)k->content.p, raw->position, kind, (uint32_t)raw->content.len);
	k->result.records++;
	return f->write(
		f->arg, k->fd, k->content.p, GG_RECORD_HEADER + raw->content.len, raw->position - k->first);
}

static int room_for(struct erasing *k, size_t len)
{
	gg_buf_clear(&k->content);
	if (!gg_buf_room(&k->content, GG_RECORD_HEADER + len))
		return -ENOMEM;
	memset(k->content.p, 0, GG_RECORD_HEADER + len);
	return 0;
}

static int wipe_record(struct erasing *k, const struct gg_raw_record *raw)
{
	int status = room_for(k, raw->content.len);
	return status < 0 ? status : put_record(k, raw, GG_RECORD_MARK);
}

/* ---- batches ---- */

static int turn_round(const uint32_t *from, uint32_t count, uint32_t *known, uint32_t **to, size_t *cap)
{
	for (; *known < count; ++*known) {
		uint32_t index = from[*known];
		if (index == GG_NONE)
			continue;
		if (index >= *cap) {
			size_t want = (size_t)index + 256;
			uint32_t *fresh = realloc(*to, want * sizeof *fresh);
			if (!fresh)
				return -ENOMEM;
			memset(fresh + *cap, 0, (want - *cap) * sizeof *fresh);
			*to = fresh;
			*cap = want;
		}
		(*to)[index] = *known + 1;
	}
	return 0;
}

static int update_dictionary(struct erasing *k)
{
	struct gg_dictionary *d = &k->dictionary;
	int status = turn_round(
		k->lexicon.signals, k->lexicon.signal_count, &d->signal_count, &d->signals, &d->signals_cap);
	return status < 0 ? status
			  : turn_round(k->lexicon.devices, k->lexicon.device_count, &d->device_count,
				    &d->devices, &d->devices_cap);
}

static bool is_wanted(const struct erasing *k, const struct gg_sample *s)
{
	const struct gg_journal_wish *w = k->wish;
	return s->time_ns >= w->from && s->time_ns <= w->to && w->signal(w->arg, s->signal);
}

/* Encodes the batch into k->content; its length. */
static size_t encode(struct erasing *k, const struct gg_batch *b, size_t at_least)
{
	size_t max = 64 + (size_t)b->count * WORST_SAMPLE + b->tail_len;
	if (room_for(k, max > at_least ? max : at_least) < 0)
		return SIZE_MAX;
	return gg_batch_encode(&k->dictionary, b, (uint8_t *)k->content.p + GG_RECORD_HEADER);
}

/* The batch is ours alone: just read. */
static int cut_batch(struct erasing *k, const struct gg_raw_record *raw, struct gg_batch *b)
{
	uint32_t kept = 0, all = b->count;
	for (uint32_t i = 0; i < all; i++)
		if (!is_wanted(k, &b->samples[i]))
			b->samples[kept++] = b->samples[i];
	if (kept == all)
		return 0;
	k->result.samples += all - kept;
	if (kept == 0)
		return wipe_record(k, raw);
	b->count = kept;
	size_t len = encode(k, b, raw->content.len);
	if (len == SIZE_MAX)
		return -ENOMEM;
	if (len > raw->content.len) {
		/* What is left needs more room without its neighbours: rather lose that than keep this. */
		gg_log(GG_WARN, "journal", "a batch is deleted whole, what was to stay finds no room",
			GG_I("position", raw->position), GG_I("samples", kept));
		return wipe_record(k, raw);
	}
	memset(k->content.p + GG_RECORD_HEADER + len, 0, raw->content.len - len);
	return put_record(k, raw, raw->kind);
}

static int take_batch(struct erasing *k, const struct gg_raw_record *raw)
{
	struct gg_batch *b;
	int status = gg_batch_decode(&k->lexicon, raw->content, raw->kind, &b);
	if (status < 0)
		return status == -EINVAL ? 0 : status;
	status = update_dictionary(k);
	if (status == 0)
		status = cut_batch(k, raw, b);
	gg_batch_unref(b);
	return status;
}

static int take_other(struct erasing *k, const struct gg_raw_record *raw)
{
	const struct gg_journal_wish *w = k->wish;
	struct gg_reader r = gg_reader(raw->content.p, raw->content.len);
	uint64_t len = gg_take_varint(&r);
	struct gg_record rec = {.kind = raw->kind, .position = raw->position};
	rec.name = gg_read_str(&r, len > 255 ? SIZE_MAX : (size_t)len);
	rec.bytes = gg_read_str(&r, gg_reader_left(&r));
	if (r.failed || !w->record || !w->record(w->arg, &rec))
		return 0;
	return wipe_record(k, raw);
}

/* ---- segments ---- */

/* The copy takes the segment's place, unless retention was quicker. */
static int replace(struct erasing *k)
{
	const struct gg_file_ops *f = k->j->o.files;
	int status = f->sync(f->arg, k->fd);
	f->close(f->arg, k->fd);
	k->fd = -1;
	if (status < 0)
		return status;
	pthread_mutex_lock(&k->j->lock);
	const struct gg_segment *s = gg_segment_list_at(&k->j->segments, k->first);
	if (s && s->first == k->first && rename(k->fresh, k->path) < 0)
		status = -errno;
	pthread_mutex_unlock(&k->j->lock);
	unlink(k->fresh);
	k->result.segments++;
	return status < 0 ? status : f->sync_dir(f->arg, k->j->dir);
}

static int take_segment(struct erasing *k, struct gg_segment s)
{
	struct gg_segment_reader r = {.fd = -1};
	struct gg_raw_record raw;
	k->first = s.first;
	k->fd = -1;
	gg_lexicon_clear(&k->lexicon);
	gg_dictionary_clear(&k->dictionary);
	int status = gg_segment_path(k->path, k->j->dir, s.first);
	snprintf(k->fresh, sizeof k->fresh, "%.*s.tmp", (int)(strlen(k->path) - 4), k->path);
	if (status == 0)
		status = gg_segment_reader_open(&r, k->j->dir, s.first);
	if (status < 0)
		return status == -ENOENT ? 0 : status;
	while (status == 0 && (status = gg_segment_next(&r, s.end, &raw)) == 1) {
		if (raw.kind == GG_RECORD_NAMES)
			status = gg_lexicon_read(&k->lexicon, raw.position, raw.content);
		else if (raw.kind <= GG_RECORD_DERIVED)
			status = take_batch(k, &raw);
		else
			status = take_other(k, &raw);
		if (status == -EINVAL)
			status = 0;
	}
	gg_segment_reader_done(&r);
	if (status == -EBADMSG)
		status = 0; /* damaged from here on: nobody reads that */
	if (k->fd < 0)
		return status;
	if (status == 0)
		return replace(k);
	k->j->o.files->close(k->j->o.files->arg, k->fd);
	unlink(k->fresh);
	return status;
}

/* Ends the segment that is written to, and waits for it. */
static void end_current(struct gg_journal *j)
{
	pthread_mutex_lock(&j->lock);
	uint64_t number = ++j->ends_wanted;
	while (j->started && !j->stop && j->ends < number) {
		j->hurry = true;
		pthread_cond_signal(&j->wake);
		pthread_cond_wait(&j->idle, &j->lock);
	}
	pthread_mutex_unlock(&j->lock);
}

int gg_journal_erase(
	struct gg_journal *j, const struct gg_journal_wish *wish, struct gg_journal_erased *ret_erased)
{
	struct erasing k = {.j = j, .wish = wish, .fd = -1, .content = GG_BUF(GG_RECORD_MAX * 4UL)};
	k.lexicon.names = k.dictionary.names = j->o.names;
	pthread_mutex_lock(&one_at_a_time);
	end_current(j);
	int status = 0;
	for (uint64_t at = 0; status == 0;) {
		pthread_mutex_lock(&j->lock);
		const struct gg_segment *next = gg_segment_list_at(&j->segments, at);
		struct gg_segment s = next ? *next : (struct gg_segment){0, UINT64_MAX, 0};
		pthread_mutex_unlock(&j->lock);
		if (s.end == UINT64_MAX)
			break;
		status = take_segment(&k, s);
		at = s.end;
	}
	pthread_mutex_unlock(&one_at_a_time);
	gg_lexicon_done(&k.lexicon);
	gg_dictionary_done(&k.dictionary);
	gg_buf_done(&k.content);
	if (status == 0)
		*ret_erased = k.result;
	return status;
}

void gg_journal_sweep(const char *dir)
{
	DIR *d = opendir(dir);
	char path[GG_PATH_MAX];
	for (struct dirent *e; d && (e = readdir(d));) {
		struct gg_str name = gg_str(e->d_name);
		if (name.len > 4 && strcmp(e->d_name + name.len - 4, ".tmp") == 0 &&
			snprintf(path, sizeof path, "%s/%s", dir, e->d_name) < (int)sizeof path)
			unlink(path);
	}
	if (d)
		closedir(d);
}
