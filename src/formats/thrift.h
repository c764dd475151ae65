/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Thrift's compact protocol, the writing half that Parquet's metadata needs. A struct's fields are written in
 * the order of their ids; end closes it. Integers are zigzag varints. Thread: pure.
 */
#ifndef GG_THRIFT_H
#define GG_THRIFT_H

#include "base/buf.h"

enum { GG_THRIFT_DEPTH = 8 };

enum gg_thrift_type { GG_THRIFT_I32 = 5, GG_THRIFT_I64 = 6, GG_THRIFT_BINARY = 8, GG_THRIFT_STRUCT = 12 };

struct gg_thrift {
	struct gg_buf *to;
	int last[GG_THRIFT_DEPTH]; /* field ids, by level */
	unsigned depth;
};

static inline struct gg_thrift gg_thrift(struct gg_buf *to)
{
	return (struct gg_thrift){.to = to};
}

void gg_thrift_varint(struct gg_buf *to, uint64_t v);
void gg_thrift_zigzag(struct gg_buf *to, int64_t v);

void gg_thrift_i32(struct gg_thrift *t, int id, int32_t v);
void gg_thrift_i64(struct gg_thrift *t, int id, int64_t v);
void gg_thrift_bool(struct gg_thrift *t, int id, bool v);
void gg_thrift_str(struct gg_thrift *t, int id, struct gg_str s);
void gg_thrift_begin(struct gg_thrift *t, int id); /* a struct in a field */
/* A list in a field; its elements follow: gg_thrift_zigzag() for integers, or gg_thrift_element()..end. */
void gg_thrift_list(struct gg_thrift *t, int id, enum gg_thrift_type type, uint32_t count);
void gg_thrift_element(struct gg_thrift *t); /* a struct in a list, or the outermost one */
void gg_thrift_end(struct gg_thrift *t);
/* The bytes of a string in a list. */
void gg_thrift_bytes(struct gg_buf *to, struct gg_str s);

#endif
