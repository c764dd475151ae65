/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/thrift.h"

enum { BOOL_TRUE = 1, BOOL_FALSE = 2, LIST = 9 };

void gg_thrift_varint(struct gg_buf *to, uint64_t v)
{
	while (v >= 0x80) {
		gg_buf_char(to, (char)(v | 0x80));
		v >>= 7;
	}
	gg_buf_char(to, (char)v);
}

void gg_thrift_zigzag(struct gg_buf *to, int64_t v)
{
	gg_thrift_varint(to, (uint64_t)v << 1 ^ (uint64_t)(v >> 63));
}

static void field(struct gg_thrift *t, int id, int type)
{
	int step = id - t->last[t->depth];
	if (step > 0 && step <= 15) {
		gg_buf_char(t->to, (char)(step << 4 | type));
	} else {
		gg_buf_char(t->to, (char)type);
		gg_thrift_zigzag(t->to, id);
	}
	t->last[t->depth] = id;
}

void gg_thrift_i32(struct gg_thrift *t, int id, int32_t v)
{
	field(t, id, GG_THRIFT_I32);
	gg_thrift_zigzag(t->to, v);
}

void gg_thrift_i64(struct gg_thrift *t, int id, int64_t v)
{
	field(t, id, GG_THRIFT_I64);
	gg_thrift_zigzag(t->to, v);
}

void gg_thrift_bool(struct gg_thrift *t, int id, bool v)
{
	field(t, id, v ? BOOL_TRUE : BOOL_FALSE);
}

void gg_thrift_bytes(struct gg_buf *to, struct gg_str s)
{
	gg_thrift_varint(to, s.len);
	gg_buf_str(to, s);
}

void gg_thrift_str(struct gg_thrift *t, int id, struct gg_str s)
{
	field(t, id, GG_THRIFT_BINARY);
	gg_thrift_bytes(t->to, s);
}

void gg_thrift_element(struct gg_thrift *t)
{
	if (t->depth + 1 < GG_THRIFT_DEPTH)
		t->depth++;
	else
		t->to->error = -EINVAL;
	t->last[t->depth] = 0;
}

void gg_thrift_begin(struct gg_thrift *t, int id)
{
	field(t, id, GG_THRIFT_STRUCT);
	gg_thrift_element(t);
}

void gg_thrift_list(struct gg_thrift *t, int id, enum gg_thrift_type type, uint32_t count)
{
	field(t, id, LIST);
	if (count < 15) {
		gg_buf_char(t->to, (char)(count << 4 | type));
	} else {
		gg_buf_char(t->to, (char)(0xf0 | type));
		gg_thrift_varint(t->to, count);
	}
}

void gg_thrift_end(struct gg_thrift *t)
{
	gg_buf_char(t->to, 0);
	if (t->depth)
		t->depth--;
}
