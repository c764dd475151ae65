/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The root key of a data folder, from which all that rests there is sealed (store/seal.h). It is random, made
 * once, and lies in the folder only wrapped: by a key file, a passphrase or a TPM, as the configuration's
 * `encryption` says. So the way of wrapping can change without anything being sealed anew.
 *
 *   configuration ──▶ vault_ways.c: wrapping key ──▶ wrap.c ──▶ root key ──▶ stores
 *                        │ secret_file.c, tpm.c          │
 *                        ▼                               ▼
 *                  the secret's place          slots.c: <data>/keys.json
 *
 * Blocks (a passphrase is slow by design, a TPM is slow by nature): for starts and commands. Thread: any, one
 * at a time. docs/internals/encryption.md tells the rest.
 */
#ifndef GG_SECURITY_VAULT_H
#define GG_SECURITY_VAULT_H

#include "base/error.h"
#include "core/site.h"
#include "security/slots.h"
#include "security/wrap.h"
#include "store/seal.h"

struct gg_vault_key {
	bool sealed; /* false: the folder is plain, and root is zeros */
	uint8_t root[GG_SEAL_KEY];
};

/* The folder's root key, made when the folder has none and the configuration wants one. Errors, with a text:
 * -EACCES the key does not fit; -ENOENT there is no key to be had; -errno. */
int gg_vault_open(const char *data_dir, const struct gg_site_encryption *o, struct gg_vault_key *ret_key,
	struct gg_error *e);
/* Keeps its memory out of swap and core dumps, as far as the system lets us. */
void gg_vault_guard(struct gg_vault_key *key);

/* ---- for who has the folder and no configuration ---- */

/* What there is to open it with, beside what the slots name themselves. */
struct gg_vault_means {
	const char *key_file; /* in place of the slots' hints; NULL */
	/* Asked at most once, last of all ways unless it is eager; NULL: there is none. Errors, with a text:
	 * -ENOENT there is none after all; any other ends the opening. */
	int (*passphrase)(void *arg, char to[GG_PASSPHRASE_MAX + 1], struct gg_error *e);
	void *arg;
	bool eager; /* the passphrase is at hand: try it first */
};

/* Opens a folder by any of its slots; one that is plain gives a key that is not sealed. Errors, with a text:
 * -EACCES nothing of what there is fits; -errno. */
int gg_vault_open_folder(const char *data_dir, const struct gg_vault_means *means,
	struct gg_vault_key *ret_key, struct gg_error *e);
/* Its slots, for telling. Errors, with a text: -ENOENT the folder is plain (e untouched). */
int gg_vault_slots(const char *data_dir, struct gg_slots *ret_slots, struct gg_error *e);

/* ---- changing the slots; the gateway may be at work (vault_change.c) ---- */

/* Adds a slot of the way that o names, sees that it opens, and then takes those away that are no recovery
 * slots, unless they are to stay. Cut off anywhere, the folder opens by the old slots or by both. Errors,
 * with a text. */
int gg_vault_rewrap(const char *data_dir, const struct gg_vault_means *means,
	const struct gg_site_encryption *o, bool keep, struct gg_error *e);
/* A new recovery key in place of those that were. */
int gg_vault_add_recovery(const char *data_dir, const struct gg_vault_means *means,
	char ret_text[GG_RECOVERY_TEXT], struct gg_error *e);
/* Errors, with a text: -ENOENT no such slot; -EINVAL it is the last. */
int gg_vault_remove(const char *data_dir, uint64_t number, struct gg_error *e);

#endif
