/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the codec share: the memory it works in, and columns of integers. block_ints.c has the
 * columns' format, block_codec.c the block's.
 */
#ifndef GG_BLOCK_CODER_H
#define GG_BLOCK_CODER_H

#include "base/bytes.h"
#include "store/block.h"

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

struct gg_block_coder {
	struct ZSTD_CCtx_s *packer;
	struct ZSTD_DCtx_s *unpacker;
	uint32_t cap;             /* values */
	uint64_t *column;         /* the one being coded */
	uint64_t *first, *second; /* its differences */
	uint8_t *planes, *packed; /* 8 bytes a value; those compressed */
	size_t packed_cap, packed_len;
	const uint64_t *packed_of; /* whose planes packed holds while a column is written */
	bool no_planes;            /* not to be tried in this block */
	bool planes_tried, planes_taken;
};

/* Room for n values (and texts of so many bytes). Errors: -ENOMEM. */
int gg_block_coder_reserve(struct gg_block_coder *c, uint32_t n);
/* Compresses with zstd when that leaves at most 15/16, otherwise 0. to has ZSTD_compressBound(len). */
size_t gg_block_squeeze(struct gg_block_coder *c, uint8_t *to, size_t room, const void *from, size_t len);
/* Exactly len bytes, or false. */
bool gg_block_unsqueeze(struct gg_block_coder *c, void *to, size_t len, struct gg_str packed);

enum { GG_INTS_ROOM = 64 }; /* besides 9.2 bytes a value */

/* Writes n integers at p in the smallest of the forms; p has room for GG_INTS_ROOM + n * 10. The coder has
 * room for n. */
uint8_t *gg_ints_put(struct gg_block_coder *c, uint8_t *p, const uint64_t *v, uint32_t n);
/* Reads them back; false when they are damaged. */
bool gg_ints_take(struct gg_block_coder *c, struct gg_reader *r, uint64_t *v, uint32_t n);

/* Arrays for count samples; keeps the text's memory. Errors: -ENOMEM. */
int gg_block_reserve(struct gg_block *b, uint32_t count);
/* What is behind the CRC: for the fuzz target too. */
int gg_block_decode_content(struct gg_block_coder *c, struct gg_block *b, struct gg_str bytes);
/* block_codec1.c */
int gg_block_decode1(struct gg_block *b, struct gg_str bytes);

#endif
