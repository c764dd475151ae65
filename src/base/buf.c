/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <stdarg.h>

void gg_buf_done(struct gg_buf *b)
{
	free(b->p);
	b->p = NULL;
	b->len = b->cap = 0;
}

void gg_buf_clear(struct gg_buf *b)
{
	b->len = 0;
	b->error = 0;
}

char *gg_buf_room(struct gg_buf *b, size_t n)
{
	if (b->error)
		return NULL;
	if (n <= b->cap - b->len)
		return b->p + b->len;
	if (n > b->max - gg_min_size(b->len, b->max)) {
		b->error = -E2BIG;
		return NULL;
	}
	size_t cap = gg_min_size(gg_max_size(gg_max_size(b->cap * 2, 64), b->len + n), b->max);
	char *p = realloc(b->p, cap);
	if (!p) {
		b->error = -ENOMEM;
		return NULL;
	}
	b->p = p;
	b->cap = cap;
	return p + b->len;
}

void gg_buf_add(struct gg_buf *b, const void *data, size_t n)
{
	char *to = n ? gg_buf_room(b, n) : NULL;
	if (!to)
		return;
	memcpy(to, data, n);
	b->len += n;
}

void gg_buf_printf(struct gg_buf *b, const char *format, ...)
{
	char small[256];
	va_list args, again;
	va_start(args, format);
	va_copy(again, args);
	int n = vsnprintf(small, sizeof small, format, args);
	if (n >= 0 && (size_t)n < sizeof small) {
		gg_buf_add(b, small, (size_t)n);
	} else if (n >= 0) {
		char *to = gg_buf_room(b, (size_t)n + 1);
		if (to) {
			vsnprintf(to, (size_t)n + 1, format, again);
			b->len += (size_t)n;
		}
	}
	va_end(again);
	va_end(args);
}

void gg_buf_consume(struct gg_buf *b, size_t n)
{
	n = gg_min_size(n, b->len);
	if (n && n < b->len)
		memmove(b->p, b->p + n, b->len - n);
	b->len -= n;
}

const char *gg_buf_text(struct gg_buf *b)
{
	if (b->len == b->cap && !gg_buf_room(b, 1))
		return "";
	b->p[b->len] = '\0';
	return b->p;
}

void gg_buf_hex(struct gg_buf *to, struct gg_str bytes)
{
	char *room = gg_buf_room(to, 2 * bytes.len + 1);
	if (!room)
		return;
	gg_format_hex(room, bytes.p, bytes.len);
	to->len += 2 * bytes.len;
}

void gg_buf_base64(struct gg_buf *to, struct gg_str bytes, bool url)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const uint8_t *p = (const uint8_t *)bytes.p;
	for (size_t i = 0; i < bytes.len; i += 3) {
		size_t left = gg_min_size(bytes.len - i, 3);
		uint32_t v = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) |
			     (left > 2 ? p[i + 2] : 0);
		for (size_t k = 0; k < 4; k++) {
			char c = letters[v >> (18 - 6 * k) & 63];
			if (url && c == '+')
				c = '-';
			if (url && c == '/')
				c = '_';
			if (k <= left)
				gg_buf_char(to, c);
			else if (!url)
				gg_buf_char(to, '=');
		}
	}
}
