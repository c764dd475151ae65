/* SPDX-License-Identifier: Apache-2.0 */
/* Files with secrets: read only where nobody but their owner may read them. */
#ifndef GG_SECURITY_SECRET_FILE_H
#define GG_SECURITY_SECRET_FILE_H

#include "base/error.h"

#include <stdint.h>

/* Reads a regular file of least to most bytes (1 to 4096). A file that group or others may read is an error
 * that says which chmod mends it; below $CREDENTIALS_DIRECTORY systemd sees to that with access lists, which
 * look like a group's rights. Errors, with a text: -EACCES, -EINVAL, -errno. The caller wipes `to`. */
int gg_secret_file_read(
	const char *path, size_t least, size_t most, uint8_t *to, size_t *ret_len, struct gg_error *e);

#endif
