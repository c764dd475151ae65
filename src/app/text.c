/* SPDX-License-Identifier: Apache-2.0 */
/* Text on its way to a terminal: how wide it is, and nothing in it that the terminal would obey. */
#include "app/table.h"

/* The code point at s; *ret_len its bytes, 1 for a byte that is no proper UTF-8 (then U+FFFD). */
static uint32_t decode(struct gg_str s, size_t *ret_len)
{
	const uint8_t *p = (const uint8_t *)s.p;
	size_t len = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	*ret_len = 1;
	if (len == 1)
		return p[0];
	if (len > s.len || !gg_utf8_valid(gg_str_n(s.p, len)))
		return 0xfffd;
	*ret_len = len;
	uint32_t c = p[0] & (0xffU >> (len + 1));
	for (size_t i = 1; i < len; i++)
		c = c << 6 | (p[i] & 0x3fU);
	return c;
}

struct range {
	uint32_t from, to;
};

static bool among(uint32_t c, const struct range *r, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (c >= r[i].from && c <= r[i].to)
			return true;
	return false;
}

static unsigned width_of(uint32_t c)
{
	static const struct range none[] = {
		{0x300, 0x36f}, {0x200b, 0x200f}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}};
	static const struct range two[] = {{0x1100, 0x115f}, {0x2e80, 0xa4cf}, {0xac00, 0xd7a3},
		{0xf900, 0xfaff}, {0xfe30, 0xfe6f}, {0xff00, 0xff60}, {0xffe0, 0xffe6}, {0x1f300, 0x1faff},
		{0x20000, 0x3fffd}};
	if (c < 0x300)
		return 1;
	return among(c, none, GG_COUNT(none)) ? 0 : among(c, two, GG_COUNT(two)) ? 2 : 1;
}

/* C0, DEL, C1, and the marks that turn the direction of text around. */
static bool is_control(uint32_t c)
{
	static const struct range turns[] = {{0x202a, 0x202e}, {0x2066, 0x2069}, {0x200e, 0x200f}};
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || among(c, turns, GG_COUNT(turns));
}

unsigned gg_text_width(struct gg_str s, unsigned most, size_t *ret_len)
{
	unsigned width = 0;
	size_t at = 0, len;
	while (at < s.len) {
		unsigned w = width_of(decode(gg_str_n(s.p + at, s.len - at), &len));
		if (width + w > most)
			break;
		width += w;
		at += len;
	}
	if (ret_len)
		*ret_len = at;
	return width;
}

void gg_text_clean(struct gg_buf *to, struct gg_str s, bool lines)
{
	size_t len;
	for (; s.len; s.p += len, s.len -= len) {
		uint32_t c = decode(s, &len);
		if (lines && c == '\n')
			gg_buf_char(to, '\n');
		else if (c == '\t' || c == '\n')
			gg_buf_char(to, ' ');
		else if (is_control(c) || c == 0xfffd)
			gg_buf_str(to, GG_STR("\xef\xbf\xbd"));
		else
			gg_buf_add(to, s.p, len);
	}
}
