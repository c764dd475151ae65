/* SPDX-License-Identifier: Apache-2.0 */
/* The memory that blocks are coded in, and zstd with its contexts kept. */
#include "store/block_coder.h"

#include <zstd.h>

enum { SQUEEZE_LEAST = 32, ZSTD_LEVEL = 3 };

struct gg_block_coder *gg_block_coder_new(void)
{
	return calloc(1, sizeof(struct gg_block_coder));
}

struct gg_block_coder *gg_block_coder_free(struct gg_block_coder *c)
{
	if (!c)
		return NULL;
	ZSTD_freeCCtx(c->packer);
	ZSTD_freeDCtx(c->unpacker);
	free(c->column);
	free(c->first);
	free(c->second);
	free(c->planes);
	free(c->packed);
	free(c);
	return NULL;
}

int gg_block_coder_reserve(struct gg_block_coder *c, uint32_t n)
{
	if (n <= c->cap)
		return 0;
	uint32_t cap = n < 1024 ? 1024 : n;
	free(c->column);
	free(c->first);
	free(c->second);
	free(c->planes);
	free(c->packed);
	c->cap = 0;
	c->packed_cap = ZSTD_compressBound((size_t)cap * 8);
	c->column = malloc(cap * sizeof *c->column);
	c->first = malloc(cap * sizeof *c->first);
	c->second = malloc(cap * sizeof *c->second);
	c->planes = malloc((size_t)cap * 8);
	c->packed = malloc(c->packed_cap);
	if (!c->column || !c->first || !c->second || !c->planes || !c->packed)
		return -ENOMEM;
	c->cap = cap;
	return 0;
}

size_t gg_block_squeeze(struct gg_block_coder *c, uint8_t *to, size_t room, const void *from, size_t len)
{
	if (len < SQUEEZE_LEAST || (!c->packer && !(c->packer = ZSTD_createCCtx())))
		return 0;
	size_t n = ZSTD_compressCCtx(c->packer, to, room, from, len, ZSTD_LEVEL);
	return ZSTD_isError(n) || n > len - len / 16 ? 0 : n;
}

bool gg_block_unsqueeze(struct gg_block_coder *c, void *to, size_t len, struct gg_str packed)
{
	if (!c->unpacker && !(c->unpacker = ZSTD_createDCtx()))
		return false;
	size_t n = ZSTD_decompressDCtx(c->unpacker, to, len, packed.p, packed.len);
	return !ZSTD_isError(n) && n == len;
}
