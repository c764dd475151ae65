/* SPDX-License-Identifier: Apache-2.0 */
/* What surrounds the records of a segment: its head, and the tags of one that was sealed afterwards. */
#include "base/log.h"
#include "store/journal_private.h"

#include <sys/stat.h>
#include <unistd.h>

static int read_at(int fd, void *to, size_t len, uint64_t offset)
{
	ssize_t n;
	do
		n = pread(fd, to, len, (off_t)offset);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n == (ssize_t)len ? 0 : -EBADMSG;
}

int gg_segment_head_read(int fd, uint64_t first, struct gg_seal *seal, struct gg_segment_head *ret_head)
{
	uint8_t header[GG_SEGMENT_HEADER], block[GG_SEGMENT_SEALING];
	struct gg_segment_head head = {.end = UINT64_MAX};
	uint64_t end = 0, at = GG_SEGMENT_HEADER;
	struct stat st;
	int status = read_at(fd, header, sizeof header, 0);
	if (status < 0)
		return status;
	if (gg_segment_header_decode(header, &head.h) < 0 || head.h.first != first)
		return -EBADMSG;
	head.begin = first + gg_segment_head_bytes(head.h.form);
	if (head.h.form == GG_SEGMENT_SEALED_LATER) {
		if (fstat(fd, &st) < 0)
			return -errno;
		if (st.st_size < GG_SEGMENT_HEADER + GG_SEGMENT_SEALING)
			return -EBADMSG;
		at = (uint64_t)st.st_size - GG_SEGMENT_SEALING;
	}
	if (head.h.form != GG_SEGMENT_PLAIN) {
		status = read_at(fd, block, sizeof block, at);
		if (status == 0)
			status = gg_segment_sealing_read(seal, header, first, block, &end);
		if (status < 0 && status != -ENOKEY && status != -EKEYREJECTED)
			return status;
	}
	if (head.h.form == GG_SEGMENT_SEALED_LATER) {
		if (end < head.begin || end > first + at)
			return -EBADMSG;
		head.end = end;
	}
	*ret_head = head;
	return status;
}

/* ---- opening records ---- */

/* Looks on in the table, which is in the order of positions: NULL when the record has no entry. */
static int find_tag(struct gg_segment_reader *r, uint64_t position, const uint8_t **ret_tag)
{
	for (;; r->tags_used += GG_SEGMENT_ENTRY) {
		if (r->tags_len - r->tags_used < GG_SEGMENT_ENTRY) {
			ssize_t n = pread(r->fd, r->tags, sizeof r->tags, (off_t)(r->tags_at - r->first));
			if (n < 0)
				return -errno;
			r->tags_len = (size_t)n / GG_SEGMENT_ENTRY * GG_SEGMENT_ENTRY;
			r->tags_at += r->tags_len;
			r->tags_used = 0;
			if (r->tags_len == 0)
				return -EBADMSG;
		}
		struct gg_reader entry = gg_reader(r->tags + r->tags_used, GG_SEGMENT_ENTRY);
		uint64_t of = gg_read_le64(&entry);
		if (of > position)
			return -EBADMSG;
		if (of == position) {
			*ret_tag = gg_read_bytes(&entry, GG_SEAL_TAG);
			return 0;
		}
	}
}

static void tell_tampered(const struct gg_segment_reader *r, const struct gg_raw_record *raw)
{
	gg_log(GG_ERROR, "journal",
		"a record is whole but does not open with the key: it was changed, or put here from "
		"elsewhere; "
		"passing over it",
		GG_I("segment", r->first), GG_I("position", raw->position), GG_I("bytes", raw->length));
}

int gg_segment_unseal(struct gg_segment_reader *r, struct gg_raw_record *raw)
{
	struct gg_str sealed = raw->content;
	const uint8_t *tag = NULL;
	if (r->form == GG_SEGMENT_PLAIN)
		return 0;
	int status = 0;
	if (r->form == GG_SEGMENT_SEALED_LATER) {
		status = find_tag(r, raw->position, &tag);
	} else if (sealed.len < GG_SEAL_TAG) {
		status = -EBADMSG;
	} else {
		sealed.len -= GG_SEAL_TAG;
		tag = (const uint8_t *)sealed.p + sealed.len;
	}
	if (status == 0) {
		gg_buf_clear(&r->plain);
		uint8_t *to = (uint8_t *)gg_buf_room(&r->plain, sealed.len + 1);
		status = to ? gg_record_open(r->seal, raw->position, raw->kind, sealed, tag, to) : -ENOMEM;
		raw->content = gg_str_n(to, sealed.len);
	}
	if (status == -EBADMSG)
		tell_tampered(r, raw);
	return status;
}
