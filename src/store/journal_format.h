/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal's bytes: pure functions between batches and records' contents. Used by the writer, the reader,
 * tests and the fuzz target only.
 *
 *   segment   magic "GGJRNL1\n", first position, end of the segment before, created UTC ns, 0, CRC32C (40
 * bytes) record, record, ...; zeros or the end of the file behind the last record record    le32 length of
 * content, le32 CRC32C over position, length, kind and content, u8 kind, content
 *
 * Where contents are sealed the magic says 2 or 3 in place of 1, and there is a sealing block of 40 bytes:
 *
 *   le64 end of the records (3; else 0), half a nonce, tag, le32 CRC32C of header and block
 *   2   the block follows the header; each content ends with its tag (16 bytes, part of the length)
 *   3   sealed afterwards, in place: contents keep their length. At the end of the records begins a table of
 *       le64 position and tag, 24 bytes for each record; the block is the end of the file
 *
 * A content is sealed under the segment's half nonce with the record's position as the number and the kind as
 * associated data; the block's own tag is that of the header and the first 8 bytes of the block, with the
 * segment's position as the number. Checksums are those of the sealed bytes: who has no key sees what is
 * whole and what is torn.
 *
 * The CRC covers the position, so that old bytes which the file system hands out again are never taken for
 * records. A content is never longer than GG_RECORD_MAX.
 *
 * The dictionary: signals and devices are numbered 0, 1, 2, ... within a segment in the order of their first
 * use; a NAMES record says what the next numbers mean. A signal whose unit, type or title has changed gets
 * another number. The writer keeps a struct gg_dictionary (index in the
 * table -> number), the reader a struct gg_lexicon (number -> index in its table).
 */
#ifndef GG_JOURNAL_FORMAT_H
#define GG_JOURNAL_FORMAT_H

#include "base/buf.h"
#include "base/bytes.h"
#include "store/journal.h"
#include "store/seal.h"

enum {
	GG_SEGMENT_HEADER = 40,
	GG_SEGMENT_SEALING = 40,
	GG_SEGMENT_ENTRY = 24, /* of the table of tags */
	GG_RECORD_HEADER = 9,
	GG_LEXICON_MAX = 1 << 20, /* signals or devices in a segment */
};

/* On disk as '1', '2', '3'. */
enum gg_segment_form { GG_SEGMENT_PLAIN, GG_SEGMENT_SEALED, GG_SEGMENT_SEALED_LATER };

struct gg_segment_header {
	enum gg_segment_form form;
	uint64_t first;        /* position of the header: its file offset is 0 */
	uint64_t previous_end; /* where valid records of the segment before end */
	int64_t created_ns;
};

void gg_segment_header_encode(const struct gg_segment_header *h, uint8_t to[GG_SEGMENT_HEADER]);
/* Errors: -EINVAL. */
int gg_segment_header_decode(const uint8_t from[GG_SEGMENT_HEADER], struct gg_segment_header *ret_header);

/* Makes the block for an encoded header, and begins the series of the segment that starts at first. Errors:
 * -EIO. */
int gg_segment_sealing_make(struct gg_seal *seal, const uint8_t header[GG_SEGMENT_HEADER], uint64_t first,
	uint64_t end, uint8_t to[GG_SEGMENT_SEALING]);
/* Reads it and begins the series. seal may be NULL: there is no key. Errors: -EBADMSG not as it was written,
 * -ENOKEY, -EKEYREJECTED another key, or somebody has changed it and mended the checksum; *ret_end is set
 * with both. */
int gg_segment_sealing_read(struct gg_seal *seal, const uint8_t header[GG_SEGMENT_HEADER], uint64_t first,
	const uint8_t from[GG_SEGMENT_SEALING], uint64_t *ret_end);

struct gg_record_header {
	uint32_t length, crc;
	uint8_t kind;
};

/* Where a record's sealing begins and ends in memory: contents are changed in place. */
int gg_record_shut(struct gg_seal *seal, uint64_t position, uint8_t kind, uint8_t *content, size_t len,
	uint8_t ret_tag[GG_SEAL_TAG]);
/* Errors: -EBADMSG. */
int gg_record_open(struct gg_seal *seal, uint64_t position, uint8_t kind, struct gg_str sealed,
	const uint8_t tag[GG_SEAL_TAG], uint8_t *to);

/* Writes the header before content, which follows it in memory. */
void gg_record_finish(uint8_t *record, uint64_t position, uint8_t kind, uint32_t length);
struct gg_record_header gg_record_header_decode(const uint8_t from[GG_RECORD_HEADER]);
/* Can it be one at all? */
bool gg_record_header_plausible(const struct gg_record_header *h);
bool gg_record_intact(const struct gg_record_header *h, uint64_t position, const uint8_t *content);

struct gg_dictionary {
	const struct gg_names *names;
	uint32_t *signals, *devices;        /* index -> number + 1, 0 = not announced in this segment */
	const struct gg_signal_info **told; /* what was announced: another one means that it has changed */
	size_t signals_cap, devices_cap;
	uint32_t signal_count, device_count;
};

void gg_dictionary_done(struct gg_dictionary *d);
/* A new segment begins. */
void gg_dictionary_clear(struct gg_dictionary *d);
/* Describe everything anew, under new numbers. */
void gg_dictionary_forget(struct gg_dictionary *d);
/* Appends to names what the batch uses and was not announced yet, or has changed since; *ret_max is how many
 * bytes the batch may take. Errors: -ENOMEM, -E2BIG. */
int gg_dictionary_announce(
	struct gg_dictionary *d, const struct gg_batch *b, struct gg_buf *names, size_t *ret_max);
/* Returns the length. to has the room that gg_dictionary_announce() said. */
size_t gg_batch_encode(const struct gg_dictionary *d, const struct gg_batch *b, uint8_t *to);

struct gg_lexicon {
	const struct gg_names *names;
	uint32_t *signals, *devices; /* number -> index, GG_NONE = unknown here */
	uint32_t signal_count, device_count, signals_cap, devices_cap;
};

void gg_lexicon_done(struct gg_lexicon *l);
void gg_lexicon_clear(struct gg_lexicon *l);
/* Reads a NAMES record at that position. Errors: -EINVAL, -ENOMEM. */
int gg_lexicon_read(struct gg_lexicon *l, uint64_t position, struct gg_str content);
/* Errors: -EINVAL, -ENOMEM. Owner: the caller has the reference; it is frozen. Samples of signals that have
 * no index here are left out. */
int gg_batch_decode(
	const struct gg_lexicon *l, struct gg_str content, uint8_t kind, struct gg_batch **ret_batch);

#endif
