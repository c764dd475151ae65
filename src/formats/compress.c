/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/compress.h"

#include <zstd.h>

struct gg_compressor {
	ZSTD_CCtx *context;
	int level;
};

struct gg_compressor *gg_compressor_new(int level)
{
	struct gg_compressor *c = calloc(1, sizeof *c);
	if (!c)
		return NULL;
	c->level = level;
	c->context = ZSTD_createCCtx();
	return c->context ? c : gg_compressor_free(c);
}

struct gg_compressor *gg_compressor_free(struct gg_compressor *c)
{
	if (c)
		ZSTD_freeCCtx(c->context);
	free(c);
	return NULL;
}

int gg_compress(struct gg_compressor *c, struct gg_str bytes, struct gg_buf *to)
{
	size_t bound = ZSTD_compressBound(bytes.len);
	char *room = gg_buf_room(to, bound);
	if (!room)
		return to->error;
	size_t n = ZSTD_compressCCtx(c->context, room, bound, bytes.p, bytes.len, c->level);
	if (ZSTD_isError(n))
		return -EIO;
	to->len += n;
	return 0;
}
