/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A key sealed by a TPM 2.0 (TCG TPM 2.0 Library, part 1, "Sealed Data Objects"), through tpm2-tss:
 *
 *   owner hierarchy ── CreatePrimary (TCG's template of a storage key, ECC P-256: always the same key)
 *        └── the sealed object: opens in this TPM only, and with PCRs named, only while they are what they
 *            were (PolicyPCR, bank SHA-256)
 *
 * The object lies outside the TPM, in the slot. Sessions are salted with the primary's public key and encrypt
 * the key on its way (AES-128-CFB), so who listens on the bus learns nothing; the primary's name stands in
 * the slot and is compared first, so who changes what goes over the bus can't put another one in its place.
 *
 * Blocks: for starts and commands; a discrete TPM takes a second. Thread: one at a time.
 */
#ifndef GG_SECURITY_TPM_H
#define GG_SECURITY_TPM_H

#include "security/slots.h"

/* Seals key with slot->hint and slot->pcrs; fills slot's primary, pub and priv. hint: "auto" (the kernel's
 * /dev/tpmrm0, else tabrmd), or a TCTI as tpm2-tss names it ("device:/dev/tpmrm1"): device, tabrmd, swtpm or
 * mssim. Errors, with a text: -ENOENT no library, -ENODEV no TPM answers, -EIO it refused. */
int gg_tpm_seal(struct gg_slot *slot, const uint8_t key[GG_SEAL_KEY], struct gg_error *e);
/* tcti NULL: as the slot's hint says. Errors besides: -EACCES another TPM, or PCRs have changed. */
int gg_tpm_unseal(
	const struct gg_slot *slot, const char *tcti, uint8_t ret_key[GG_SEAL_KEY], struct gg_error *e);

#endif
