/* SPDX-License-Identifier: Apache-2.0 */
/* <data>/keys.json on disk: read whole, replaced whole (written beside, synced, renamed, folder synced), by
 * one process at a time. Blocks. */
#ifndef GG_SECURITY_VAULT_FILE_H
#define GG_SECURITY_VAULT_FILE_H

#include "security/slots.h"

#define GG_VAULT_FILE "keys.json"

/* One process changes the slots at a time; waits for others. Returns a descriptor to close, or a negative
 * errno with a text. */
int gg_vault_lock(const char *data_dir, struct gg_error *e);
/* Errors, with a text: -ENOENT there is none (e untouched); -EBADMSG, -ENOTSUP, -errno. */
int gg_vault_file_read(const char *data_dir, struct gg_slots *ret_slots, struct gg_error *e);
/* After a power cut it is the old file or the new one. What the old one held is overwritten, as far as a file
 * system and a disk let one. Errors, with a text. */
int gg_vault_file_write(const char *data_dir, const struct gg_slots *s, struct gg_error *e);

#endif
