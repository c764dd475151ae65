/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A CBOR writer (RFC 8949) into a gg_buf: every head in its shortest form, floats in the shortest that holds
 * them exactly, lengths always definite (§4.2.1). Sorting the keys of maps is the caller's. Errors are the
 * buffer's. Thread: its owner's.
 */
#ifndef GG_FORMATS_CBOR_H
#define GG_FORMATS_CBOR_H

#include "base/buf.h"

enum gg_cbor_major {
	GG_CBOR_UINT,
	GG_CBOR_NEGATIVE,
	GG_CBOR_BYTES,
	GG_CBOR_TEXT,
	GG_CBOR_ARRAY,
	GG_CBOR_MAP
};

/* The head of an item: length or value in its shortest form. Returns its size; to has 9 bytes. */
size_t gg_cbor_head(uint8_t *to, enum gg_cbor_major major, uint64_t n);
void gg_cbor_uint(struct gg_buf *b, uint64_t v);
void gg_cbor_int(struct gg_buf *b, int64_t v);
void gg_cbor_float(struct gg_buf *b, double v);
void gg_cbor_bool(struct gg_buf *b, bool v);
void gg_cbor_null(struct gg_buf *b);
/* Invalid UTF-8 is written as bytes. */
void gg_cbor_text(struct gg_buf *b, struct gg_str s);
void gg_cbor_bytes(struct gg_buf *b, struct gg_str s);
void gg_cbor_array(struct gg_buf *b, uint64_t count);
void gg_cbor_map(struct gg_buf *b, uint64_t pairs);
/* Puts the head of an array of count items before what was written since mark. */
void gg_cbor_array_around(struct gg_buf *b, size_t mark, uint64_t count);
/* A JSON value as CBOR; its keys stay in their order. Errors: -EINVAL. */
int gg_cbor_json(struct gg_buf *b, struct gg_str json);

#endif
