/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ways to a slot's wrapping key. A way makes a slot (new salt, or a new object in the TPM) and opens one.
 * What a way reads it wipes. Blocks.
 */
#ifndef GG_SECURITY_VAULT_WAYS_H
#define GG_SECURITY_VAULT_WAYS_H

#include "core/site.h"
#include "security/slots.h"
#include "security/wrap.h"

/* The kind of slot that the configuration names; GG_SLOT_KINDS when it names none. */
enum gg_slot_kind gg_way_kind(const struct gg_site_encryption *o);
/* Makes a slot of that kind, all but number and wrapped, and its wrapping key. Errors, with a text. */
int gg_way_make(const struct gg_site_encryption *o, struct gg_slot *ret_slot, uint8_t ret_key[GG_SEAL_KEY],
	struct gg_error *e);
/* The wrapping key of a slot that has that kind; a passphrase opens recovery slots as well. Errors, with a
 * text: -EACCES the TPM refuses; -errno. Whether a file or a passphrase fits only the unwrapping tells. */
int gg_way_open(const struct gg_site_encryption *o, const struct gg_slot *slot, uint8_t ret_key[GG_SEAL_KEY],
	struct gg_error *e);
/* The TPM's slot by what it says itself: its hint, its PCRs. */
int gg_way_open_tpm(const struct gg_slot *slot, uint8_t ret_key[GG_SEAL_KEY], struct gg_error *e);
/* May the way open this slot? */
bool gg_way_fits(const struct gg_site_encryption *o, const struct gg_slot *slot);

/* A slot for a recovery key, and its wrapping key. */
int gg_way_make_recovery(
	struct gg_str recovery, struct gg_slot *ret_slot, uint8_t ret_key[GG_SEAL_KEY], struct gg_error *e);
/* A passphrase's length is no secret to hide in a text. Errors: -EINVAL, with a text. */
int gg_way_check_passphrase(struct gg_str passphrase, struct gg_error *e);
/* The first line of a file with a passphrase. to is wiped by the caller. */
int gg_way_read_passphrase(
	const char *path, char to[GG_PASSPHRASE_MAX + 1], size_t *ret_len, struct gg_error *e);

#endif
