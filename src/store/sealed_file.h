/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small files of the data folder that are kept sealed where the folder is: configurations that were in force,
 * the API's own private key.
 *
 *   "GGSEAL1\n", trailer of 40 bytes (store/seal.h), the sealed text
 *
 * The file's name is bound to it ("revisions/000012.yaml"), so that one does not open in another's place.
 * What was written before there was a key is plain and is read as it is; its owner writes it anew.
 *
 * The key is the process's: a gateway, or a command, works on one data folder. Set before others read. Blocks
 * on disk.
 */
#ifndef GG_SEALED_FILE_H
#define GG_SEALED_FILE_H

#include "base/buf.h"

#include <sys/types.h>

/* From here on with this root key (GG_SEAL_KEY bytes); NULL: what is written is plain, and what is sealed
 * can't be read. Revisions (core/revisions.h) follow. Errors: -EIO. */
int gg_sealed_files(const uint8_t *root);

/* Is there a key? */
bool gg_sealed_files_are(void);

/* Is this the beginning of a sealed file? */
bool gg_sealed_file_is(struct gg_str head);
/* Appends the file's bytes for a text: sealed where there is a key. Errors: -EIO, -ENOMEM, -E2BIG. */
int gg_sealed_file_shut(const char *name, struct gg_str text, struct gg_buf *to);
/* Appends the text of a file's bytes. Errors: -ENOKEY it is sealed and there is no key; -EKEYREJECTED another
 * key, or it was changed, or is another file; as above. */
int gg_sealed_file_open(const char *name, struct gg_str bytes, struct gg_buf *to);

/* Writes the file path, whole or not at all, and syncs it. Errors: negative errno. */
int gg_sealed_file_write(const char *path, const char *name, mode_t mode, struct gg_str text);
/* Reads it; *ret_sealed tells how it lay there. Errors: those of gg_file_read() and gg_sealed_file_open(). */
int gg_sealed_file_read(const char *path, const char *name, size_t most, struct gg_buf *to, bool *ret_sealed);

#endif
