/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Headers of tar archives (POSIX ustar; sizes beyond 8 GiB in GNU's binary form), one file after the other. A
 * header takes a block, a file's bytes are filled up to whole blocks, two empty blocks are the end. Pure.
 */
#ifndef GG_TAR_H
#define GG_TAR_H

#include "base/str.h"

enum { GG_TAR_BLOCK = 512, GG_TAR_NAME = 101 };

struct gg_tar_file {
	char name[GG_TAR_NAME];
	uint64_t bytes;
	int64_t time_s;
	unsigned mode;
};

/* Errors: -ENAMETOOLONG. */
int gg_tar_write(uint8_t to[GG_TAR_BLOCK], const struct gg_tar_file *f);
/* 1 a regular file, 0 an empty block (the end), -EINVAL no header, or of something else than a file. */
int gg_tar_read(const uint8_t from[GG_TAR_BLOCK], struct gg_tar_file *ret_file);
/* What follows the bytes of a file up to the next block. */
static inline size_t gg_tar_padding(uint64_t bytes)
{
	return (size_t)(-bytes & (GG_TAR_BLOCK - 1));
}

#endif
