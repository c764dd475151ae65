/* SPDX-License-Identifier: Apache-2.0 */
/* Headers of segments, and what is sealed in a segment: see journal_format.h. */
#include "base/crc32c.h"
#include "store/journal_format.h"

#include <openssl/rand.h>

#define MAGIC "GGJRNL"

void gg_segment_header_encode(const struct gg_segment_header *h, uint8_t to[GG_SEGMENT_HEADER])
{
	struct gg_writer w = gg_writer(to, GG_SEGMENT_HEADER);
	gg_write_bytes(&w, MAGIC, sizeof MAGIC - 1);
	gg_write_u8(&w, (uint8_t)('1' + h->form));
	gg_write_u8(&w, '\n');
	gg_write_le64(&w, h->first);
	gg_write_le64(&w, h->previous_end);
	gg_write_le64(&w, (uint64_t)h->created_ns);
	gg_write_le32(&w, 0);
	gg_write_le32(&w, gg_crc32c(0, to, GG_SEGMENT_HEADER - 4));
}

int gg_segment_header_decode(const uint8_t from[GG_SEGMENT_HEADER], struct gg_segment_header *ret_header)
{
	struct gg_reader r = gg_reader(from, GG_SEGMENT_HEADER);
	bool ours = gg_str_is(gg_read_str(&r, sizeof MAGIC - 1), MAGIC);
	unsigned form = gg_read_u8(&r) - (unsigned)'1';
	if (!ours || form > GG_SEGMENT_SEALED_LATER || gg_read_u8(&r) != '\n')
		return -EINVAL;
	struct gg_segment_header h = {.form = form, .first = gg_read_le64(&r)};
	h.previous_end = gg_read_le64(&r);
	h.created_ns = (int64_t)gg_read_le64(&r);
	gg_read_le32(&r);
	if (gg_read_le32(&r) != gg_crc32c(0, from, GG_SEGMENT_HEADER - 4))
		return -EINVAL;
	*ret_header = h;
	return 0;
}

/* ---- the sealing block ---- */

enum { BOUND = GG_SEGMENT_HEADER + 8 }; /* bytes that the block's tag is over */

static void bind(const uint8_t *header, const uint8_t *block, uint8_t to[BOUND])
{
	memcpy(to, header, GG_SEGMENT_HEADER);
	memcpy(to + GG_SEGMENT_HEADER, block, BOUND - GG_SEGMENT_HEADER);
}

static uint32_t block_crc(const uint8_t *header, const uint8_t *block)
{
	return gg_crc32c(gg_crc32c(0, header, GG_SEGMENT_HEADER), block, GG_SEGMENT_SEALING - 4);
}

int gg_segment_sealing_make(struct gg_seal *seal, const uint8_t header[GG_SEGMENT_HEADER], uint64_t first,
	uint64_t end, uint8_t to[GG_SEGMENT_SEALING])
{
	uint8_t half[GG_SEAL_HALF], tag[GG_SEAL_TAG], bound[BOUND];
	struct gg_writer w = gg_writer(to, GG_SEGMENT_SEALING);
	gg_write_le64(&w, end);
	bind(header, to, bound);
	if (RAND_bytes(half, sizeof half) != 1 || gg_seal_series(seal, half) < 0 ||
		gg_seal_shut_at(seal, first, gg_str_n(bound, sizeof bound), NULL, 0, to, tag) < 0)
		return -EIO;
	gg_write_bytes(&w, half, sizeof half);
	gg_write_bytes(&w, tag, sizeof tag);
	gg_write_le32(&w, block_crc(header, to));
	return 0;
}

int gg_segment_sealing_read(struct gg_seal *seal, const uint8_t header[GG_SEGMENT_HEADER], uint64_t first,
	const uint8_t from[GG_SEGMENT_SEALING], uint64_t *ret_end)
{
	struct gg_reader r = gg_reader(from, GG_SEGMENT_SEALING);
	uint8_t bound[BOUND], nothing;
	uint64_t end = gg_read_le64(&r);
	const uint8_t *half = gg_read_bytes(&r, GG_SEAL_HALF), *tag = gg_read_bytes(&r, GG_SEAL_TAG);
	if (gg_read_le32(&r) != block_crc(header, from))
		return -EBADMSG;
	*ret_end = end;
	if (!seal)
		return -ENOKEY;
	bind(header, from, bound);
	int status = gg_seal_series(seal, half);
	if (status == 0)
		status = gg_seal_open_at(seal, first, gg_str_n(bound, sizeof bound), NULL, 0, tag, &nothing);
	return status == -EBADMSG ? -EKEYREJECTED : status;
}

/* ---- contents ---- */

int gg_record_shut(struct gg_seal *seal, uint64_t position, uint8_t kind, uint8_t *content, size_t len,
	uint8_t ret_tag[GG_SEAL_TAG])
{
	return gg_seal_shut_at(seal, position, gg_str_n(&kind, 1), content, len, content, ret_tag);
}

int gg_record_open(struct gg_seal *seal, uint64_t position, uint8_t kind, struct gg_str sealed,
	const uint8_t tag[GG_SEAL_TAG], uint8_t *to)
{
	return gg_seal_open_at(
		seal, position, gg_str_n(&kind, 1), (const uint8_t *)sealed.p, sealed.len, tag, to);
}
