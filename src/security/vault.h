/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The root key of a data folder, from which all that rests there is sealed (store/seal.h). It is random, made
 * once, and lies in the folder only wrapped: by a key file, a passphrase or a TPM, as the configuration's
 * `encryption` says. So the way of wrapping can change without anything being sealed anew.
 *
 * Blocks (a passphrase is slow by design, a TPM is slow by nature): for starts and commands.
 */
#ifndef GG_SECURITY_VAULT_H
#define GG_SECURITY_VAULT_H

#include "base/error.h"
#include "core/site.h"
#include "store/seal.h"

struct gg_vault_key {
	bool sealed; /* false: the folder is plain, and root is zeros */
	uint8_t root[GG_SEAL_KEY];
};

/* The folder's root key, made when the folder has none and the configuration wants one. Errors, with a text:
 * -EACCES the key does not fit; -ENOENT there is no key to be had; -errno. */
int gg_vault_open(const char *data_dir, const struct gg_site_encryption *o, struct gg_vault_key *ret_key,
	struct gg_error *e);

#endif
