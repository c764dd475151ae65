/* SPDX-License-Identifier: Apache-2.0 */
/* Strings with a length: borrowed bytes, not ended by NUL unless said. Thread: pure functions. */
#ifndef GG_STR_H
#define GG_STR_H

#include "base/base.h"

struct gg_str {
	const char *p;
	size_t len;
};

#define GG_STR(literal) ((struct gg_str){"" literal, sizeof(literal) - 1})
/* For printf("%.*s", GG_STR_ARG(s)). */
#define GG_STR_ARG(s) (int)(s).len, (s).p

static inline struct gg_str gg_str(const char *s)
{
	return (struct gg_str){s ? s : "", s ? strlen(s) : 0};
}

static inline struct gg_str gg_str_n(const void *p, size_t len)
{
	return (struct gg_str){p, len};
}

static inline bool gg_str_eq(struct gg_str a, struct gg_str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

static inline bool gg_str_is(struct gg_str a, const char *b)
{
	return gg_str_eq(a, gg_str(b));
}

bool gg_str_starts(struct gg_str s, struct gg_str prefix);
int gg_str_cmp(struct gg_str a, struct gg_str b);
/* Position of the first c, or len. */
size_t gg_str_find(struct gg_str s, char c);
struct gg_str gg_str_trim(struct gg_str s);
/* Cuts off and returns what stands before the first c; *rest is what follows it (empty when there is none).
 */
struct gg_str gg_str_cut(struct gg_str *rest, char c);
/* Owner: the caller frees. NULL when out of memory. */
char *gg_str_dup(struct gg_str s);
/* Copies at most size - 1 bytes and ends with NUL; returns s.len, so a result >= size says it was cut. */
size_t gg_str_copy(char *to, size_t size, struct gg_str s);

/* Does text match the pattern, in which '*' stands for any run of bytes ('/' too) and '?' for one? Linear in
 * practice, at worst len * len; no recursion. */
bool gg_glob(struct gg_str pattern, struct gg_str text);
bool gg_glob_has_wildcard(struct gg_str pattern);

/* Changes (insert, delete, replace, swap) between two words, at most 63 bytes each; more counts as 99. */
unsigned gg_str_distance(struct gg_str a, struct gg_str b);

/* Whole-string parsers, no locale. Errors: -EINVAL no number or rest, -ERANGE does not fit. */
int gg_parse_int(struct gg_str s, int64_t *ret_value);
int gg_parse_uint(struct gg_str s, uint64_t *ret_value);
int gg_parse_float(struct gg_str s, double *ret_value);
/* "0x" or "0X" and 1 to 16 hexadecimal digits. Errors: -EINVAL. */
int gg_parse_hex(struct gg_str s, uint64_t *ret_value);
/* 0 to 15, or -1. */
int gg_hex_digit(char c);
/* Two small hexadecimal digits a byte, and NUL: to has 2 * size + 1 bytes. */
void gg_format_hex(char *to, const void *bytes, size_t size);
/* "250ms", "10s", "1min", "1h30min", "2d", "1w"; a bare number is seconds. Units of the result: ns. */
int gg_parse_duration(struct gg_str s, int64_t *ret_ns);
/* "64KiB", "10MB", "1GiB", bare bytes. */
int gg_parse_size(struct gg_str s, uint64_t *ret_bytes);
/* Writes e.g. "1min 30s" or "250ms"; returns its length. */
size_t gg_format_duration(char *to, size_t size, int64_t ns);
/* Shortest text that reads back as the same double; "NaN", "Infinity", "-Infinity". size >= 32. */
size_t gg_format_float(char *to, double value);
/* What a float of 32 bits says: the double of the shortest decimal that reads back as that float, so 0.1 and
 * not 0.10000000149011612. (float)gg_float32_value(f) == f. Whole numbers stay as they are. For every decoder
 * of such a float: from there on the value reads right wherever it becomes text. */
double gg_float32_value(float f);
size_t gg_format_int(char *to, int64_t value);
size_t gg_format_uint(char *to, uint64_t value);

bool gg_utf8_valid(struct gg_str s);

#endif
