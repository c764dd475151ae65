/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing byte buffer with a maximum from birth and a sticky error: append as you like, ask once at the
 * end. After a failed append the content stays what it was and every later append fails too. Owner: whoever
 * has the struct; gg_buf_done() frees. Thread: its owner's.
 */
#ifndef GG_BUF_H
#define GG_BUF_H

#include "base/str.h"

struct gg_buf {
	char *p;
	size_t len, cap, max;
	int error; /* 0, -ENOMEM, or -E2BIG when max was reached */
};

#define GG_BUF(max_bytes) ((struct gg_buf){.max = (max_bytes)})

void gg_buf_done(struct gg_buf *b);
/* Forgets content and error, keeps the memory. */
void gg_buf_clear(struct gg_buf *b);
/* Makes room for n more bytes and returns where they go; NULL on error. The caller then adds to len itself.
 */
char *gg_buf_room(struct gg_buf *b, size_t n);
void gg_buf_add(struct gg_buf *b, const void *data, size_t n);
void gg_buf_printf(struct gg_buf *b, const char *format, ...) GG_PRINTF(2, 3);
/* Drops the first n bytes. */
void gg_buf_consume(struct gg_buf *b, size_t n);
/* Ends with NUL without counting it; "" when empty or out of memory. */
const char *gg_buf_text(struct gg_buf *b);

static inline void gg_buf_str(struct gg_buf *b, struct gg_str s)
{
	gg_buf_add(b, s.p, s.len);
}

static inline void gg_buf_char(struct gg_buf *b, char c)
{
	if (b->len < b->cap && !b->error)
		b->p[b->len++] = c;
	else
		gg_buf_add(b, &c, 1);
}

static inline struct gg_str gg_buf_view(const struct gg_buf *b)
{
	return gg_str_n(b->p, b->len);
}

/* As gg_format_hex(). */
void gg_buf_hex(struct gg_buf *b, struct gg_str bytes);
/* RFC 4648 §4, or §5 without padding (url). */
void gg_buf_base64(struct gg_buf *b, struct gg_str bytes, bool url);

#endif
