/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A segment is written anew beside the old one and takes its place when it is whole: because something is to
 * be taken out of it (journal_erase.c), or because it is plain and there is a key now (journal_seal.c).
 *
 *   segment.seg ── read ──▶ records, the same or others of the same length ──▶ segment.tmp ── synced ──▶
 * renamed
 *
 * Positions are places in files and stay what they are, so every record keeps its place and its length. A
 * segment that was plain has no room for tags between the records; they go into a table behind them. The new
 * file has a nonce of its own: under the old one nothing is sealed a second time.
 *
 * What was damaged becomes a mark, so that the walk finds the records behind it.
 *
 * A reader in the midst of the old file reads on there; the file goes when it leaves it. After a power cut
 * there is the old segment or the new one, and a leftover .tmp goes at the next start.
 */
#include "base/log.h"
#include "store/journal_private.h"

#include <fcntl.h>
#include <unistd.h>

enum { CHUNK = 1 << 20 };

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

void gg_remake_lock(void)
{
	pthread_mutex_lock(&one_at_a_time);
}

void gg_remake_unlock(void)
{
	pthread_mutex_unlock(&one_at_a_time);
}

static int write_at(struct gg_remake *k, struct gg_buf *b, uint64_t *position)
{
	const struct gg_file_ops *f = k->j->o.files;
	int status =
		b->error ? b->error : f->write(f->arg, k->fd, b->p, b->len, *position - k->segment.first);
	*position += b->len;
	gg_buf_clear(b);
	return status;
}

static int begin_file(struct gg_remake *k, const struct gg_segment_header *old)
{
	const struct gg_file_ops *f = k->j->o.files;
	struct gg_segment_header h = *old;
	uint8_t head[GG_SEGMENT_HEADER];
	h.form = k->form;
	gg_segment_header_encode(&h, head);
	uint64_t end = k->form == GG_SEGMENT_SEALED_LATER ? k->segment.end : 0;
	int status = k->form == GG_SEGMENT_PLAIN
			     ? 0
			     : gg_segment_sealing_make(k->seal, head, k->segment.first, end, k->block);
	if (status == 0)
		status = f->open(f->arg, k->fresh, O_RDWR | O_CREAT | O_TRUNC, &k->fd);
	gg_buf_add(&k->out, head, sizeof head);
	if (k->form == GG_SEGMENT_SEALED)
		gg_buf_add(&k->out, k->block, sizeof k->block);
	k->position = k->segment.first + k->out.len;
	k->written_to = k->segment.first;
	k->tags_to = k->segment.end;
	return status < 0 ? status : k->out.error;
}

int gg_remake_begin(struct gg_remake *k, struct gg_journal *j, const struct gg_segment *s)
{
	struct gg_segment_head head = {0};
	*k = (struct gg_remake){.j = j, .segment = *s, .fd = -1};
	k->out = GG_BUF(2 * CHUNK + GG_RECORD_HEADER + GG_RECORD_MAX);
	k->tags = GG_BUF(2 * CHUNK);
	k->form = !j->sealed                     ? GG_SEGMENT_PLAIN
		  : s->form == GG_SEGMENT_SEALED ? GG_SEGMENT_SEALED
						 : GG_SEGMENT_SEALED_LATER;
	int status = gg_segment_path(k->path, j->dir, s->first);
	if (status < 0)
		return status;
	snprintf(k->fresh, sizeof k->fresh, "%.*s.tmp", (int)(strlen(k->path) - 4), k->path);
	if (j->sealed)
		status = gg_seal_new(j->key, &k->seal);
	int fd = status == 0 ? open(k->path, O_RDONLY | O_CLOEXEC) : -1;
	if (status == 0 && fd < 0)
		status = -errno;
	if (status == 0)
		status = gg_segment_head_read(fd, s->first, k->seal, &head);
	if (fd >= 0)
		close(fd);
	return status < 0 ? status : begin_file(k, &head.h);
}

static int shut(struct gg_remake *k, uint64_t position, uint8_t kind, uint8_t *content, uint32_t length)
{
	uint8_t tag[GG_SEAL_TAG];
	if (k->form == GG_SEGMENT_PLAIN)
		return 0;
	if (k->form == GG_SEGMENT_SEALED) /* a mark in a gap may have no room for its tag: nobody opens it */
		return length < GG_SEAL_TAG ? 0
					    : gg_record_shut(k->seal, position, kind, content,
						      length - GG_SEAL_TAG, content + length - GG_SEAL_TAG);
	int status = gg_record_shut(k->seal, position, kind, content, length, tag);
	uint64_t of = GG_LE64(position);
	gg_buf_add(&k->tags, &of, sizeof of);
	gg_buf_add(&k->tags, tag, sizeof tag);
	return status < 0 ? status : k->tags.len < CHUNK ? k->tags.error : write_at(k, &k->tags, &k->tags_to);
}

static int put(struct gg_remake *k, uint8_t kind, struct gg_str content, uint32_t length)
{
	uint8_t *record = (uint8_t *)gg_buf_room(&k->out, GG_RECORD_HEADER + (size_t)length);
	if (!record)
		return -ENOMEM;
	uint32_t room = k->form == GG_SEGMENT_SEALED && length >= GG_SEAL_TAG ? length - GG_SEAL_TAG : length;
	if (content.len > room)
		return -E2BIG;
	if (content.len)
		memcpy(record + GG_RECORD_HEADER, content.p, content.len);
	memset(record + GG_RECORD_HEADER + content.len, 0, length - content.len);
	int status = shut(k, k->position, kind, record + GG_RECORD_HEADER, length);
	if (status < 0)
		return status;
	gg_record_finish(record, k->position, kind, length);
	k->out.len += GG_RECORD_HEADER + (size_t)length;
	k->position += GG_RECORD_HEADER + (uint64_t)length;
	return k->out.len < CHUNK ? 0 : write_at(k, &k->out, &k->written_to);
}

int gg_remake_put(
	struct gg_remake *k, uint64_t position, uint8_t kind, struct gg_str content, uint32_t length)
{
	uint64_t gap = position - k->position;
	int status = 0;
	if (position < k->position || (gap && gap < GG_RECORD_HEADER) || gap > GG_RECORD_MAX)
		return -EIO; /* not as the walk finds records */
	if (gap)
		status = put(k, GG_RECORD_MARK, GG_STR(""), (uint32_t)gap - GG_RECORD_HEADER);
	return status < 0 ? status : put(k, kind, content, length);
}

/* Unless retention was quicker. */
static int take_place(struct gg_remake *k)
{
	struct gg_journal *j = k->j;
	int status = 0;
	pthread_mutex_lock(&j->lock);
	struct gg_segment *s = NULL;
	for (size_t i = 0; i < j->segments.count && !s; i++)
		if (j->segments.items[i].first == k->segment.first)
			s = &j->segments.items[i];
	if (s && rename(k->fresh, k->path) < 0)
		status = -errno;
	if (s && status == 0) {
		if (j->sealed && s->form == GG_SEGMENT_PLAIN)
			j->stats.plain_segments--;
		s->form = k->form;
	}
	pthread_mutex_unlock(&j->lock);
	return status;
}

int gg_remake_end(struct gg_remake *k)
{
	const struct gg_file_ops *f = k->j->o.files;
	int status = write_at(k, &k->out, &k->written_to);
	if (k->form == GG_SEGMENT_SEALED_LATER) {
		gg_buf_add(&k->tags, k->block, sizeof k->block);
		status = status < 0 ? status : write_at(k, &k->tags, &k->tags_to);
	}
	if (status == 0)
		status = f->sync(f->arg, k->fd);
	f->close(f->arg, k->fd);
	k->fd = -1;
	if (status == 0)
		status = take_place(k);
	return status < 0 ? status : f->sync_dir(f->arg, k->j->dir);
}

void gg_remake_done(struct gg_remake *k)
{
	if (k->fd >= 0)
		k->j->o.files->close(k->j->o.files->arg, k->fd);
	k->fd = -1;
	if (k->fresh[0])
		unlink(k->fresh);
	gg_seal_free(k->seal);
	k->seal = NULL;
	gg_buf_done(&k->out);
	gg_buf_done(&k->tags);
}
