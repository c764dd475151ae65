/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include <ctype.h>

bool gg_str_starts(struct gg_str s, struct gg_str prefix)
{
	return s.len >= prefix.len && memcmp(s.p, prefix.p, prefix.len) == 0;
}

int gg_str_cmp(struct gg_str a, struct gg_str b)
{
	size_t n = gg_min_size(a.len, b.len);
	int order = n ? memcmp(a.p, b.p, n) : 0;
	return order ? order : (a.len > b.len) - (a.len < b.len);
}

size_t gg_str_find(struct gg_str s, char c)
{
	const char *at = s.len ? memchr(s.p, c, s.len) : NULL;
	return at ? (size_t)(at - s.p) : s.len;
}

struct gg_str gg_str_trim(struct gg_str s)
{
	while (s.len && isspace((unsigned char)s.p[0])) {
		s.p++;
		s.len--;
	}
	while (s.len && isspace((unsigned char)s.p[s.len - 1]))
		s.len--;
	return s;
}

struct gg_str gg_str_cut(struct gg_str *rest, char c)
{
	size_t at = gg_str_find(*rest, c);
	struct gg_str head = {rest->p, at};
	size_t skip = at < rest->len ? at + 1 : at;
	rest->p += skip;
	rest->len -= skip;
	return head;
}

char *gg_str_dup(struct gg_str s)
{
	char *copy = malloc(s.len + 1);
	if (!copy)
		return NULL;
	if (s.len)
		memcpy(copy, s.p, s.len);
	copy[s.len] = '\0';
	return copy;
}

size_t gg_str_copy(char *to, size_t size, struct gg_str s)
{
	size_t n = gg_min_size(s.len, size - 1);
	if (n)
		memcpy(to, s.p, n);
	to[n] = '\0';
	return s.len;
}

bool gg_glob_has_wildcard(struct gg_str pattern)
{
	return gg_str_find(pattern, '*') < pattern.len || gg_str_find(pattern, '?') < pattern.len;
}

bool gg_glob(struct gg_str pattern, struct gg_str text)
{
	size_t p = 0, t = 0, star = SIZE_MAX, retry = 0;
	while (t < text.len) {
		if (p < pattern.len && (pattern.p[p] == text.p[t] || pattern.p[p] == '?') &&
			pattern.p[p] != '*') {
			p++;
			t++;
		} else if (p < pattern.len && pattern.p[p] == '*') {
			star = p++;
			retry = t;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			t = ++retry;
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.p[p] == '*')
		p++;
	return p == pattern.len;
}

unsigned gg_str_distance(struct gg_str a, struct gg_str b)
{
	enum { MOST = 63 };
	if (a.len > MOST || b.len > MOST)
		return 99;
	unsigned row[3][MOST + 1]; /* the row being filled and the two before it (a swap looks two back) */
	for (size_t j = 0; j <= b.len; j++)
		row[0][j] = (unsigned)j;
	for (size_t i = 1; i <= a.len; i++) {
		unsigned *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];
		now[0] = (unsigned)i;
		for (size_t j = 1; j <= b.len; j++) {
			unsigned best = last[j - 1] + (a.p[i - 1] != b.p[j - 1]);
			if (last[j] + 1 < best)
				best = last[j] + 1;
			if (now[j - 1] + 1 < best)
				best = now[j - 1] + 1;
			if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1] &&
				before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			now[j] = best;
		}
	}
	return row[a.len % 3][b.len];
}

bool gg_utf8_valid(struct gg_str s)
{
	const unsigned char *p = (const unsigned char *)s.p, *end = p + s.len;
	while (p < end) {
		if (*p < 0x80) {
			p++;
			continue;
		}
		unsigned n = *p >= 0xf0 ? 3 : *p >= 0xe0 ? 2 : 1;
		uint32_t low = n == 3 ? 0x10000 : n == 2 ? 0x800 : 0x80;
		uint32_t c = *p & (0x3fU >> n);
		if (*p < 0xc2 || *p > 0xf4 || (size_t)(end - p) <= n)
			return false;
		for (unsigned i = 1; i <= n; i++) {
			if ((p[i] & 0xc0) != 0x80)
				return false;
			c = (c << 6) | (p[i] & 0x3fU);
		}
		if (c < low || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
			return false;
		p += n + 1;
	}
	return true;
}
