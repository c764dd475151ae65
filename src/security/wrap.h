/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From what opens a slot (a key file's bytes, a passphrase, what a TPM gave back) to the key that wraps the
 * root key, and the wrapping itself. Pure but for randomness and time: a passphrase takes half a second and
 * 64 MiB on purpose. Thread: any.
 */
#ifndef GG_SECURITY_WRAP_H
#define GG_SECURITY_WRAP_H

#include "security/slots.h"

enum {
	GG_KEY_FILE_MIN = 32,
	GG_KEY_FILE_MAX = 4096,
	GG_PASSPHRASE_MIN = 12,
	GG_PASSPHRASE_MAX = 256,
	GG_RECOVERY_TEXT = 40 /* XXXXX-XXXXX-XXXXX-XXXXX-XXXXX-XXXXX and NUL: 150 bits */
};

/* What scrypt costs for passphrases that people make up, and for recovery keys, which can't be guessed. */
extern const struct gg_slot_cost gg_cost_passphrase, gg_cost_recovery;

/* HKDF-SHA-256 over the file's bytes with the slot's salt. Errors: -EIO. */
int gg_wrap_key_of_file(struct gg_str file, const struct gg_slot *slot, uint8_t ret_key[GG_SEAL_KEY]);
/* scrypt with the slot's salt and cost. Recovery keys may be typed in small letters, without dashes. Errors:
 * -EINVAL longer than GG_PASSPHRASE_MAX, -ENOMEM. */
int gg_wrap_key_of_passphrase(
	struct gg_str passphrase, const struct gg_slot *slot, uint8_t ret_key[GG_SEAL_KEY]);
/* Letters without those that look alike. Errors: -EIO. */
int gg_wrap_make_recovery(char ret_text[GG_RECOVERY_TEXT]);

/* Fills slot->wrapped; all else of the slot must be there. Errors: -ENOMEM, -EIO. */
int gg_wrap_shut(const struct gg_slots *s, struct gg_slot *slot, const uint8_t key[GG_SEAL_KEY],
	const uint8_t root[GG_SEAL_KEY]);
/* Errors: -EACCES another key, or the slot was changed; -ENOMEM, -EIO. */
int gg_wrap_open(const struct gg_slots *s, const struct gg_slot *slot, const uint8_t key[GG_SEAL_KEY],
	uint8_t ret_root[GG_SEAL_KEY]);

#endif
