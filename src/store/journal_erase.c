/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking samples out of the journal: a person has asked for it. Positions are places in files and stay what
 * they are, so a record that loses samples keeps its length (zeros behind its content), and one that loses
 * all becomes a mark of that length. A segment in which nothing is to change is left alone; of the others
 * journal_remake.c makes new files.
 *
 * The segment that is written to is ended first. Names of signals stay in the dictionary records until the
 * segment goes.
 */
#include "base/log.h"
#include "store/journal_private.h"
#include "store/varint.h"

#include <dirent.h>
#include <unistd.h>

enum { WORST_SAMPLE = 48 };

struct erasing {
	struct gg_journal *j;
	const struct gg_journal_wish *wish;
	struct gg_journal_erased result;
	struct gg_lexicon lexicon;
	struct gg_dictionary dictionary; /* the lexicon the other way round */
	struct gg_buf content;
	struct gg_remake *copy; /* NULL: it is only looked whether anything changes */
	bool changes;
};

/* ---- what becomes of a record ---- */

static int keep_record(struct erasing *k, const struct gg_raw_record *raw)
{
	return k->copy ? gg_remake_put(k->copy, raw->position, raw->kind, raw->content, raw->length) : 0;
}

static int put_record(struct erasing *k, const struct gg_raw_record *raw, uint8_t kind, struct gg_str content)
{
	k->changes = true;
	if (!k->copy)
		return 0;
	k->result.records++;
	return gg_remake_put(k->copy, raw->position, kind, content, raw->length);
}

static int wipe_record(struct erasing *k, const struct gg_raw_record *raw)
{
	return put_record(k, raw, GG_RECORD_MARK, GG_STR(""));
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

/* Encodes the batch into k->content. */
static int encode(struct erasing *k, const struct gg_batch *b)
{
	gg_buf_clear(&k->content);
	uint8_t *to = (uint8_t *)gg_buf_room(&k->content, 64 + (size_t)b->count * WORST_SAMPLE + b->tail_len);
	if (!to)
		return -ENOMEM;
	k->content.len = gg_batch_encode(&k->dictionary, b, to);
	return 0;
}

/* The batch is ours alone: just read. */
static int cut_batch(struct erasing *k, const struct gg_raw_record *raw, struct gg_batch *b)
{
	uint32_t kept = 0, all = b->count;
	for (uint32_t i = 0; i < all; i++)
		if (!is_wanted(k, &b->samples[i]))
			b->samples[kept++] = b->samples[i];
	if (kept == all)
		return keep_record(k, raw);
	if (k->copy)
		k->result.samples += all - kept;
	if (kept == 0)
		return wipe_record(k, raw);
	b->count = kept;
	int status = encode(k, b);
	if (status < 0)
		return status;
	if (k->content.len > raw->content.len) {
		/* What is left needs more room without its neighbours: rather lose that than keep this. */
		if (k->copy)
			gg_log(GG_WARN, "journal", "a batch is deleted whole, what was to stay finds no room",
				GG_I("position", raw->position), GG_I("samples", kept));
		return wipe_record(k, raw);
	}
	return put_record(k, raw, raw->kind, gg_buf_view(&k->content));
}

static int take_batch(struct erasing *k, const struct gg_raw_record *raw)
{
	struct gg_batch *b;
	int status = gg_batch_decode(&k->lexicon, raw->content, raw->kind, &b);
	if (status < 0)
		return status == -EINVAL ? keep_record(k, raw) : status;
	status = update_dictionary(k);
	if (status == 0)
		status = cut_batch(k, raw, b);
	gg_batch_unref(b);
	return status;
}

static int take_names(struct erasing *k, const struct gg_raw_record *raw)
{
	int status = gg_lexicon_read(&k->lexicon, raw->position, raw->content);
	return status < 0 && status != -EINVAL ? status : keep_record(k, raw);
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
		return keep_record(k, raw);
	return wipe_record(k, raw);
}

static int take_record(struct erasing *k, struct gg_segment_reader *r, struct gg_raw_record *raw)
{
	if (raw->kind == GG_RECORD_MARK) {
		raw->content = GG_STR("");
		return keep_record(k, raw);
	}
	int status = gg_segment_unseal(r, raw);
	if (status == -EBADMSG) { /* nobody reads it, nor will; a mark in its place */
		raw->kind = GG_RECORD_MARK;
		raw->content = GG_STR("");
		return keep_record(k, raw);
	}
	if (status < 0)
		return status;
	return raw->kind == GG_RECORD_NAMES     ? take_names(k, raw)
	       : raw->kind <= GG_RECORD_DERIVED ? take_batch(k, raw)
						: take_other(k, raw);
}

/* ---- segments ---- */

/* Without a copy it stops at the first change. */
static int walk(struct erasing *k, const struct gg_segment *s)
{
	struct gg_segment_reader r = {.fd = -1, .key = k->j->sealed ? k->j->key : NULL};
	struct gg_raw_record raw;
	gg_lexicon_clear(&k->lexicon);
	gg_dictionary_clear(&k->dictionary);
	k->changes = false;
	int status = gg_segment_reader_open(&r, k->j->dir, s->first);
	while (status == 0 && (k->copy || !k->changes) && (status = gg_segment_next(&r, s->end, &raw)) == 1)
		status = take_record(k, &r, &raw);
	gg_segment_reader_done(&r);
	return status == -EBADMSG ? 0 : status; /* damaged from here on: nobody reads that */
}

static int take_segment(struct erasing *k, const struct gg_segment *s)
{
	struct gg_remake copy;
	k->copy = NULL;
	int status = walk(k, s);
	if (status < 0 || !k->changes)
		return status == -ENOENT ? 0 : status;
	status = gg_remake_begin(&copy, k->j, s);
	k->copy = &copy;
	if (status == 0)
		status = walk(k, s);
	if (status == 0)
		status = gg_remake_end(&copy);
	gg_remake_done(&copy);
	k->copy = NULL;
	k->result.segments += status == 0;
	return status == -ENOENT ? 0 : status;
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
	struct erasing k = {.j = j, .wish = wish, .content = GG_BUF(GG_RECORD_MAX * 4UL)};
	k.lexicon.names = k.dictionary.names = j->o.names;
	gg_remake_lock();
	end_current(j);
	int status = 0;
	for (uint64_t at = 0; status == 0;) {
		pthread_mutex_lock(&j->lock);
		const struct gg_segment *next = gg_segment_list_at(&j->segments, at);
		struct gg_segment s = next ? *next : (struct gg_segment){.end = UINT64_MAX};
		pthread_mutex_unlock(&j->lock);
		if (s.end == UINT64_MAX)
			break;
		status = take_segment(&k, &s);
		at = s.end;
	}
	gg_remake_unlock();
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
