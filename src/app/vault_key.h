/* SPDX-License-Identifier: Apache-2.0 */
/* The root key of a data folder, for commands that read what rests there. Thread: main; may ask and wait. */
#ifndef GG_APP_VAULT_KEY_H
#define GG_APP_VAULT_KEY_H

#include "core/config.h"
#include "security/vault.h"

/* config may be NULL: what only the configuration says is unknown then. Returns the key, or NULL where there
 * is none: what is sealed does not open then, and who reads it says so. *e is set when it should have been
 * there. */
const uint8_t *gg_cli_root_key(const char *data_dir, const struct gg_config *config, struct gg_error *e);

#endif
