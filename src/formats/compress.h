/* SPDX-License-Identifier: Apache-2.0 */
/* Compression of payloads with zstd; the context is kept from payload to payload. Thread: its owner's. */
#ifndef GG_FORMATS_COMPRESS_H
#define GG_FORMATS_COMPRESS_H

#include "base/buf.h"

struct gg_compressor;

/* NULL when out of memory. Owner: gg_compressor_free(), which accepts NULL and returns it. */
struct gg_compressor *gg_compressor_new(int level);
struct gg_compressor *gg_compressor_free(struct gg_compressor *c);
/* Appends bytes as one frame with its content size. Errors: -ENOMEM, -E2BIG the buffer's maximum, -EIO. */
int gg_compress(struct gg_compressor *c, struct gg_str bytes, struct gg_buf *to);

#endif
