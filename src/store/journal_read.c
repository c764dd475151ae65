/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Readers. A reader walks segment by segment; at the start of each it forgets its dictionary, and when it
 * begins in the middle of one it runs over the records before its place for their NAMES.
 *
 * Beside a live journal it asks the journal which segments there are and how far they are synced; over a mere
 * folder it looks there, and takes a segment's end from the header of the next.
 */
#include "base/log.h"
#include "store/journal_private.h"
#include "store/varint.h"

#include <openssl/crypto.h>

struct gg_journal_reader {
	struct gg_journal *journal; /* NULL = over a folder */
	char *dir;
	struct gg_segment_list found; /* over a folder */
	struct gg_segment_reader segment;
	struct gg_lexicon lexicon;
	uint64_t position; /* the next record is there or behind */
	unsigned kinds;
	bool open;
	uint8_t key[GG_SEAL_KEY]; /* over a folder, if it has one */
};

static int reader_new(struct gg_journal *j, const char *dir, const struct gg_names *names,
	const uint8_t *root, uint64_t position, struct gg_journal_reader **ret_reader)
{
	struct gg_journal_reader *r = calloc(1, sizeof *r);
	if (!r)
		return -ENOMEM;
	r->journal = j;
	r->segment.fd = -1;
	r->lexicon.names = names;
	r->position = position;
	r->kinds = ~0U;
	r->dir = strdup(dir);
	int status = !r->dir ? -ENOMEM : 0;
	if (j)
		r->segment.key = j->sealed ? j->key : NULL;
	else if (root && status == 0)
		status = gg_seal_derive(root, GG_STR("journal"), r->key);
	if (!j && root)
		r->segment.key = r->found.key = r->key;
	if (!j && status == 0)
		status = gg_segment_list_load(&r->found, dir);
	if (status < 0) {
		gg_journal_reader_free(r);
		return status;
	}
	*ret_reader = r;
	return 0;
}

int gg_journal_reader_new(struct gg_journal *j, uint64_t position, struct gg_journal_reader **ret_reader)
{
	return reader_new(j, j->dir, j->o.names, NULL, position, ret_reader);
}

int gg_journal_reader_open(const char *dir, const struct gg_names *names, const uint8_t *root,
	uint64_t position, struct gg_journal_reader **ret_reader)
{
	return reader_new(NULL, dir, names, root, position, ret_reader);
}

const char *gg_journal_reader_error(int status)
{
	if (status == -ENOKEY)
		return "it is sealed, and there is no key: see 'encryption' in the configuration";
	if (status == -EKEYREJECTED)
		return "it is sealed with another key than the one that 'encryption' gives";
	return strerror(-status);
}

struct gg_journal_reader *gg_journal_reader_free(struct gg_journal_reader *r)
{
	if (!r)
		return NULL;
	gg_segment_reader_done(&r->segment);
	gg_segment_list_done(&r->found);
	gg_lexicon_done(&r->lexicon);
	OPENSSL_cleanse(r->key, sizeof r->key);
	free(r->dir);
	free(r);
	return NULL;
}

void gg_journal_reader_kinds(struct gg_journal_reader *r, unsigned kinds)
{
	r->kinds = kinds;
}

uint64_t gg_journal_reader_position(const struct gg_journal_reader *r)
{
	return r->position;
}

uint64_t gg_journal_reader_damaged(const struct gg_journal_reader *r)
{
	return r->segment.damaged;
}

/* The segment that holds position, or the next behind it. limit: how far it may be read; closed: nothing will
 * be added. false when there is none (yet). */
static bool locate(struct gg_journal_reader *r, uint64_t position, uint64_t *ret_first, uint64_t *ret_limit,
	bool *ret_closed)
{
	struct gg_journal *j = r->journal;
	if (j)
		pthread_mutex_lock(&j->lock);
	const struct gg_segment *s = gg_segment_list_at(j ? &j->segments : &r->found, position);
	if (s) {
		*ret_first = s->first;
		*ret_closed = s->end != UINT64_MAX;
		*ret_limit = !*ret_closed && j ? atomic_load(&j->committed) : s->end;
	}
	if (j)
		pthread_mutex_unlock(&j->lock);
	return s;
}

/* Opens the record's content. -EBADMSG: it is to be passed over, and has been counted. */
static int unseal(struct gg_journal_reader *r, struct gg_raw_record *raw)
{
	int status = gg_segment_unseal(&r->segment, raw);
	if (status != -EBADMSG || raw->position < r->position)
		return status;
	r->segment.damaged += raw->length;
	if (r->journal && r->journal->o.on_tampered)
		r->journal->o.on_tampered(r->journal->o.arg, raw->position);
	return status;
}

/* Takes in names; what is wrong with them shows at the batches that use them. Errors: -ENOMEM, -errno. */
static int take_names(struct gg_journal_reader *r, struct gg_raw_record *raw)
{
	int status = unseal(r, raw);
	if (status == 0)
		status = gg_lexicon_read(&r->lexicon, raw->position, raw->content);
	return status == -EBADMSG ? 0 : status;
}

/* Opens the segment and runs through it up to position, taking in the dictionary. */
static int enter(struct gg_journal_reader *r, uint64_t first, uint64_t limit)
{
	struct gg_raw_record raw;
	int status = gg_segment_reader_open(&r->segment, r->dir, first);
	if (status < 0)
		return status;
	gg_lexicon_clear(&r->lexicon);
	r->open = true;
	if (limit > r->position)
		limit = r->position;
	while ((status = gg_segment_next(&r->segment, limit, &raw)) == 1)
		if (raw.kind == GG_RECORD_NAMES && take_names(r, &raw) == -ENOMEM)
			return -ENOMEM;
	if (status == -EBADMSG)
		return 0; /* the walk goes on from there and finds the same */
	if (status == 0 && r->position < r->segment.position)
		r->position = r->segment.position;
	return status;
}

static bool wanted(const struct gg_journal_reader *r, uint8_t kind)
{
	return (r->kinds >> kind) & 1;
}

/* 1: *ret_record is filled; 0: nothing to show for it; negative: try again later. */
static int take(struct gg_journal_reader *r, struct gg_raw_record *raw, struct gg_record *ret_record)
{
	struct gg_record rec = {.kind = raw->kind, .position = raw->position, .next = r->segment.position};
	int status = 0;
	if (raw->kind == GG_RECORD_NAMES) {
		status = take_names(r, raw);
	} else if (raw->position < r->position || !wanted(r, raw->kind)) {
		return 0;
	} else if ((status = unseal(r, raw)) < 0) {
		return status == -EBADMSG ? 0 : status;
	} else if (raw->kind <= GG_RECORD_DERIVED) {
		status = gg_batch_decode(&r->lexicon, raw->content, raw->kind, &rec.batch);
		if (status == 0)
			rec.batch->id = raw->position;
	} else {
		struct gg_reader bytes = gg_reader(raw->content.p, raw->content.len);
		uint64_t len = gg_take_varint(&bytes);
		rec.name = gg_read_str(&bytes, len > 255 ? SIZE_MAX : (size_t)len);
		rec.bytes = gg_read_str(&bytes, gg_reader_left(&bytes));
		status = bytes.failed ? -EINVAL : 0;
	}
	if (status == -EINVAL) {
		r->segment.damaged += raw->content.len;
		return 0;
	}
	if (status < 0 || raw->kind == GG_RECORD_NAMES)
		return status;
	*ret_record = rec;
	return 1;
}

/* Behind the last record of a segment that is closed. */
static void leave(struct gg_journal_reader *r, uint64_t limit, bool damaged)
{
	uint64_t at = r->segment.position;
	if (damaged && limit != UINT64_MAX && limit > at) {
		r->segment.damaged += limit - at;
		gg_log(GG_WARN, "journal", "damaged bytes passed over", GG_I("position", at),
			GG_I("bytes", limit - at));
	}
	r->open = false;
	if (limit != UINT64_MAX && r->position < limit)
		r->position = limit;
}

/* Undoes the last step, so that the next call sees the same record again. */
static void step_back(struct gg_journal_reader *r, const struct gg_raw_record *raw)
{
	size_t step = (size_t)(r->segment.position - raw->position);
	r->segment.position -= step;
	r->segment.at -= step;
}

static int next_in_segment(struct gg_journal_reader *r, uint64_t limit, struct gg_record *ret_record)
{
	struct gg_raw_record raw;
	int status;
	while ((status = gg_segment_next(&r->segment, limit, &raw)) == 1) {
		status = take(r, &raw, ret_record);
		if (status < 0) {
			step_back(r, &raw);
			return status;
		}
		if (r->position < r->segment.position)
			r->position = r->segment.position;
		if (status == 1)
			return 1;
	}
	return status;
}

/* Over a folder: has somebody begun another segment since? */
static bool grown(struct gg_journal_reader *r)
{
	size_t before = r->found.count;
	uint64_t last = before ? r->found.items[before - 1].first : 0;
	if (r->journal || gg_segment_list_load(&r->found, r->dir) < 0 || r->found.count == 0)
		return false;
	return r->found.items[r->found.count - 1].first > last;
}

int gg_journal_next(struct gg_journal_reader *r, struct gg_record *ret_record)
{
	for (;;) {
		uint64_t first, limit;
		bool closed;
		if (!locate(r, r->position, &first, &limit, &closed)) {
			if (!grown(r))
				return 0;
			continue;
		}
		int status = 0;
		if (r->open && r->segment.first != first)
			r->open = false;
		if (!r->open) {
			if (r->position < first + GG_SEGMENT_HEADER)
				r->position = first + GG_SEGMENT_HEADER;
			status = enter(r, first, limit);
			bool bad = status == -EBADMSG || status == -EKEYREJECTED;
			if ((bad || status == -ENOENT) && closed) {
				r->segment.damaged += bad ? limit - r->position : 0;
				r->position = limit; /* or retention was quicker */
				continue;
			}
			if (status < 0) {
				r->open = false;
				return status;
			}
		}
		status = next_in_segment(r, limit, ret_record);
		if (status != 0 && status != -EBADMSG)
			return status;
		if (!closed && !grown(r))
			return 0;
		if (!closed)
			continue;
		leave(r, limit, r->segment.position < limit);
	}
}
