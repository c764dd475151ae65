/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bounded reader and writer through which all wire bytes go. Both carry a sticky error: read or write on,
 * and ask gg_reader_ok() or gg_writer_ok() once; past the end reads give zeros and writes go nowhere.
 * Big-endian (network) and little-endian forms. Owner: borrowed memory. Thread: its owner's.
 */
#ifndef GG_BYTES_H
#define GG_BYTES_H

#include "base/str.h"

struct gg_reader {
	const uint8_t *p, *end;
	bool failed;
};

struct gg_writer {
	uint8_t *start, *p, *end;
	bool failed;
};

static inline struct gg_reader gg_reader(const void *data, size_t len)
{
	const uint8_t *p =
		data ? data : (const uint8_t *)""; /* nothing may be NULL and 0, which has no end */
	return (struct gg_reader){p, p + len, false};
}

static inline struct gg_writer gg_writer(void *data, size_t len)
{
	return (struct gg_writer){data, data, (uint8_t *)data + len, false};
}

static inline size_t gg_reader_left(const struct gg_reader *r)
{
	return (size_t)(r->end - r->p);
}

static inline bool gg_reader_ok(const struct gg_reader *r)
{
	return !r->failed;
}

static inline bool gg_writer_ok(const struct gg_writer *w)
{
	return !w->failed;
}

static inline size_t gg_writer_len(const struct gg_writer *w)
{
	return (size_t)(w->p - w->start);
}

/* The next n bytes, or NULL and failed. */
static inline const uint8_t *gg_read_bytes(struct gg_reader *r, size_t n)
{
	if (r->failed || n > gg_reader_left(r)) {
		r->failed = true;
		r->p = r->end;
		return NULL;
	}
	const uint8_t *at = r->p;
	r->p += n;
	return at;
}

static inline struct gg_str gg_read_str(struct gg_reader *r, size_t n)
{
	const uint8_t *at = gg_read_bytes(r, n);
	return gg_str_n(at ? (const char *)at : "", at ? n : 0);
}

static inline uint8_t *gg_write_room(struct gg_writer *w, size_t n)
{
	if (w->failed || n > (size_t)(w->end - w->p)) {
		w->failed = true;
		return NULL;
	}
	uint8_t *at = w->p;
	w->p += n;
	return at;
}

static inline void gg_write_bytes(struct gg_writer *w, const void *data, size_t n)
{
	uint8_t *to = gg_write_room(w, n);
	if (to && n)
		memcpy(to, data, n);
}

#define GG_BYTES_DEFINE(suffix, type, swap)                                                                  \
	static inline type gg_read_##suffix(struct gg_reader *r)                                             \
	{                                                                                                    \
		type v = 0;                                                                                  \
		const uint8_t *at = gg_read_bytes(r, sizeof v);                                              \
		if (at)                                                                                      \
			memcpy(&v, at, sizeof v);                                                            \
		return (type)swap(v);                                                                        \
	}                                                                                                    \
	static inline void gg_write_##suffix(struct gg_writer *w, type v)                                    \
	{                                                                                                    \
		type s = (type)swap(v);                                                                      \
		gg_write_bytes(w, &s, sizeof s);                                                             \
	}

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define GG_BE16(v) __builtin_bswap16(v)
#define GG_BE32(v) __builtin_bswap32(v)
#define GG_BE64(v) __builtin_bswap64(v)
#define GG_LE16(v) (v)
#define GG_LE32(v) (v)
#define GG_LE64(v) (v)
#else
#define GG_BE16(v) (v)
#define GG_BE32(v) (v)
#define GG_BE64(v) (v)
#define GG_LE16(v) __builtin_bswap16(v)
#define GG_LE32(v) __builtin_bswap32(v)
#define GG_LE64(v) __builtin_bswap64(v)
#endif
#define GG_SAME(v) (v)

GG_BYTES_DEFINE(u8, uint8_t, GG_SAME)
GG_BYTES_DEFINE(be16, uint16_t, GG_BE16)
GG_BYTES_DEFINE(be32, uint32_t, GG_BE32)
GG_BYTES_DEFINE(be64, uint64_t, GG_BE64)
GG_BYTES_DEFINE(le16, uint16_t, GG_LE16)
GG_BYTES_DEFINE(le32, uint32_t, GG_LE32)
GG_BYTES_DEFINE(le64, uint64_t, GG_LE64)

static inline double gg_read_le_double(struct gg_reader *r)
{
	uint64_t bits = gg_read_le64(r);
	double v;
	memcpy(&v, &bits, sizeof v);
	return v;
}

static inline void gg_write_le_double(struct gg_writer *w, double v)
{
	uint64_t bits;
	memcpy(&bits, &v, sizeof bits);
	gg_write_le64(w, bits);
}

/* Unsigned LEB128, as in protobuf: 7 bits a byte, low ones first, at most 10 bytes. */
uint64_t gg_read_varint(struct gg_reader *r);
void gg_write_varint(struct gg_writer *w, uint64_t v);

#endif
