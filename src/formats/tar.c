/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/tar.h"

enum {
	NAME = 0,
	MODE = 100,
	UID = 108,
	GID = 116,
	SIZE = 124,
	TIME = 136,
	SUM = 148,
	TYPE = 156,
	MAGIC = 257
};

#define OCTAL_MOST ((1ULL << 33) - 1)

static void put_octal(uint8_t *to, size_t digits, uint64_t v)
{
	for (size_t i = digits; i-- > 0; v >>= 3)
		to[i] = (uint8_t)('0' + (v & 7));
}

static unsigned sum_of(const uint8_t *block)
{
	unsigned sum = 0;
	for (unsigned i = 0; i < GG_TAR_BLOCK; i++)
		sum += i >= SUM && i < SUM + 8 ? ' ' : block[i];
	return sum;
}

int gg_tar_write(uint8_t to[GG_TAR_BLOCK], const struct gg_tar_file *f)
{
	size_t len = strlen(f->name);
	if (len > 100)
		return -ENAMETOOLONG;
	memset(to, 0, GG_TAR_BLOCK);
	memcpy(to + NAME, f->name, len);
	put_octal(to + MODE, 7, f->mode);
	put_octal(to + UID, 7, 0);
	put_octal(to + GID, 7, 0);
	put_octal(to + SIZE, 11, f->bytes);
	if (f->bytes > OCTAL_MOST) {
		memset(to + SIZE, 0, 12);
		to[SIZE] = 0x80;
		for (unsigned i = 0; i < 8; i++)
			to[SIZE + 11 - i] = (uint8_t)(f->bytes >> 8 * i);
	}
	put_octal(to + TIME, 11, f->time_s > 0 ? (uint64_t)f->time_s & OCTAL_MOST : 0);
	to[TYPE] = '0';
	memcpy(to + MAGIC, "ustar\00000", 8);
	put_octal(to + SUM, 6, sum_of(to));
	to[SUM + 6] = 0;
	to[SUM + 7] = ' ';
	return 0;
}

/* Digits with blanks before, ended by a blank, NUL or the end of the field. */
static int octal(const uint8_t *from, size_t size, uint64_t *ret_value)
{
	size_t i = 0;
	uint64_t v = 0;
	while (i < size && from[i] == ' ')
		i++;
	size_t first = i;
	for (; i < size && from[i] >= '0' && from[i] <= '7'; i++)
		v = v << 3 | (uint64_t)(from[i] - '0');
	if (i == first || (i < size && from[i] != ' ' && from[i] != 0))
		return -EINVAL;
	*ret_value = v;
	return 0;
}

static int size_of(const uint8_t *from, uint64_t *ret_bytes)
{
	uint64_t v = 0;
	if (from[0] != 0x80)
		return octal(from, 12, ret_bytes);
	for (unsigned i = 1; i < 12; i++) {
		if (v >> 55)
			return -EINVAL;
		v = v << 8 | from[i];
	}
	*ret_bytes = v;
	return 0;
}

static bool is_empty(const uint8_t *block)
{
	for (unsigned i = 0; i < GG_TAR_BLOCK; i++)
		if (block[i])
			return false;
	return true;
}

int gg_tar_read(const uint8_t from[GG_TAR_BLOCK], struct gg_tar_file *ret_file)
{
	struct gg_tar_file f = {0};
	uint64_t sum, mode, time;
	if (is_empty(from))
		return 0;
	if (octal(from + SUM, 8, &sum) < 0 || sum != sum_of(from) || memcmp(from + MAGIC, "ustar", 5) != 0)
		return -EINVAL;
	if ((from[TYPE] != '0' && from[TYPE] != 0) || size_of(from + SIZE, &f.bytes) < 0 ||
		octal(from + MODE, 8, &mode) < 0 || octal(from + TIME, 12, &time) < 0)
		return -EINVAL;
	if (from[345]) /* a prefix: of archives with longer names than ours */
		return -EINVAL;
	memcpy(f.name, from + NAME, 100);
	f.mode = (unsigned)(mode & 07777);
	f.time_s = (int64_t)time;
	*ret_file = f;
	return f.name[0] ? 1 : -EINVAL;
}
