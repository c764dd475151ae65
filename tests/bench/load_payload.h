/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON that the load generator sends. Text is made here and not by printf, which would cost more than a
 * good server's whole work. */
#ifndef GG_BENCH_LOAD_PAYLOAD_H
#define GG_BENCH_LOAD_PAYLOAD_H

#include "base/str.h"

enum { MOST_PAYLOAD = 4096 };

static inline size_t put_number(char *to, uint64_t n)
{
	char digits[20];
	size_t len = 0;
	do
		digits[len++] = (char)('0' + n % 10);
	while (n /= 10);
	for (size_t i = 0; i < len; i++)
		to[i] = digits[len - 1 - i];
	return len;
}

static inline size_t put_words(char *to, const char *words)
{
	size_t len = strlen(words);
	memcpy(to, words, len);
	return len;
}

/* In tenths: 20.0 to 69.5 by halves; in a long cycle up and down again. */
static inline uint64_t temperature(uint64_t number, unsigned cycle)
{
	if (cycle == 100)
		return 200 + number % 100 * 5;
	uint64_t at = number % cycle, half = cycle / 2;
	return 200 + (at < half ? at : cycle - at) * 500 / (half ? half : 1);
}

static inline size_t payload_of(char *to, uint64_t number, unsigned cycle, unsigned size)
{
	size_t n = put_words(to, "{\"n\":");
	uint64_t tenths = temperature(number, cycle);
	n += put_number(to + n, number);
	n += put_words(to + n, ",\"temperature\":");
	n += put_number(to + n, tenths / 10);
	to[n++] = '.';
	n += put_number(to + n, tenths % 10);
	n += put_words(to + n, ",\"pressure\":1.0");
	n += put_number(to + n, number % 7);
	n += put_words(to + n, ",\"text\":\"");
	size_t end = size > n + 2 ? gg_min_size(size, MOST_PAYLOAD) - 2 : n;
	memset(to + n, 'x', end - n);
	to[end++] = '"';
	to[end++] = '}';
	return end;
}

#endif
