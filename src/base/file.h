/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a whole file into a buffer. Blocks: for starts, checks and the control thread, not for io and
 * shards. */
#ifndef GG_FILE_H
#define GG_FILE_H

#include "base/buf.h"

enum gg_file_read_flag {
	GG_FILE_REGULAR = 1, /* else -EINVAL: a pipe or device named by mistake must not hang us */
	GG_FILE_NO_LINK = 2, /* -ELOOP where the name is a symbolic link */
	GG_FILE_HEAD = 4,    /* `most` bytes are enough; else more are -E2BIG */
};

/* Appends the file to the buffer. folder: a descriptor, or AT_FDCWD. Errors: negative errno; -EISDIR; -E2BIG
 * also by the buffer's own maximum. */
int gg_file_read(int folder, const char *name, unsigned flags, size_t most, struct gg_buf *to);

#endif
