/* SPDX-License-Identifier: Apache-2.0 */
/* What the vault's own files share. */
#ifndef GG_SECURITY_VAULT_OPEN_H
#define GG_SECURITY_VAULT_OPEN_H

#include "security/vault.h"

/* Opens the slots by what there is. Errors, with a text: -EACCES. */
int gg_vault_unwrap(const char *data_dir, const struct gg_slots *s, const struct gg_vault_means *means,
	uint8_t ret_root[GG_SEAL_KEY], struct gg_error *e);
/* Makes a slot of the way that o names, wraps root in it, and enters it. Errors, with a text: -ENOSPC all are
 * taken. */
int gg_vault_enter(struct gg_slots *s, const struct gg_site_encryption *o, const uint8_t root[GG_SEAL_KEY],
	struct gg_error *e);
/* Enters a slot that is made, under a number of its own. */
int gg_vault_enter_slot(struct gg_slots *s, struct gg_slot *slot, const uint8_t key[GG_SEAL_KEY],
	const uint8_t root[GG_SEAL_KEY], struct gg_error *e);
/* "key file /etc/ganglion/key, recovery key" */
void gg_vault_list(const struct gg_slots *s, struct gg_buf *to);

#endif
