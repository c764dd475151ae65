/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The slots of a data folder's root key, as LUKS has them: each holds the same root key, wrapped by a key of
 * its own, so that ways to open the folder come and go without anything being sealed anew. They lie in
 * <data>/keys.json (mode 0600):
 *
 *   {"format":1,"vault":"<16 bytes>","slots":[
 *     {"slot":1,"kind":"key-file","created":"...","hint":"/etc/ganglion/key","salt":"...","wrapped":"..."},
 *     {"slot":2,"kind":"recovery","created":"...","salt":"...","log2_n":14,"r":8,"p":1,"wrapped":"..."},
 *     {"slot":3,"kind":"tpm","created":"...","hint":"auto","pcrs":[7],"primary":"...","public":"...",
 *      "private":"...","wrapped":"..."}]}
 *
 * Bytes are lower-case hex. "wrapped" is the root key sealed by store/seal.h, its trailer behind it; what is
 * bound to it is all else that the slot says and the vault's id (gg_slot_bind), so that nothing of a slot can
 * be changed, nor a slot be moved to another folder, without its key.
 *
 * This file is the codec: pure, strict (what it does not know is an error), everything bounded.
 */
#ifndef GG_SECURITY_SLOTS_H
#define GG_SECURITY_SLOTS_H

#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"
#include "store/seal.h"

enum gg_slot_kind { GG_SLOT_KEY_FILE, GG_SLOT_PASSPHRASE, GG_SLOT_RECOVERY, GG_SLOT_TPM, GG_SLOT_KINDS };

enum {
	GG_SLOTS = 8,
	GG_SLOTS_FILE = 128 << 10,
	GG_SLOT_HINT = 1024,
	GG_SLOT_SALT = 32,
	GG_SLOT_BLOB = 640, /* TPM2B_PRIVATE of a sealed object takes some 200 */
	GG_SLOT_WRAPPED = GG_SEAL_KEY + GG_SEAL_TRAILER,
	GG_VAULT_ID = 16,
	GG_PCRS = 24
};

struct gg_slot_blob {
	size_t len;
	uint8_t p[GG_SLOT_BLOB];
};

/* What scrypt (RFC 7914) is to cost. A slot that asks for more than 256 MiB or a minute is refused. */
struct gg_slot_cost {
	uint64_t log2_n, r, p;
};

struct gg_slot {
	enum gg_slot_kind kind;
	uint64_t number;
	int64_t created_ns;
	char hint[GG_SLOT_HINT];    /* key file: its path; TPM: how it is reached */
	uint8_t salt[GG_SLOT_SALT]; /* not TPM */
	struct gg_slot_cost cost;   /* passphrase, recovery */
	uint32_t pcrs;              /* TPM: bits of PCRs of SHA-256; 0 = no matter how it booted */
	struct gg_slot_blob primary, pub, priv; /* TPM: name of the key it hangs under; the sealed object */
	uint8_t wrapped[GG_SLOT_WRAPPED];
};

struct gg_slots {
	uint8_t vault[GG_VAULT_ID]; /* the folder's, random */
	struct gg_slot items[GG_SLOTS];
	size_t count;
};

/* "key-file", "passphrase", "recovery", "tpm". */
const char *gg_slot_kind_name(enum gg_slot_kind kind);
/* Errors, with a text: -EBADMSG it is damaged, -ENOTSUP of a newer format. */
int gg_slots_read(struct gg_str json, struct gg_slots *ret_slots, struct gg_error *e);
void gg_slots_write(const struct gg_slots *s, struct gg_buf *to);
/* What is bound to the slot's wrapped key. */
void gg_slot_bind(const struct gg_slots *s, const struct gg_slot *slot, struct gg_buf *to);
/* May it be a hint? UTF-8 of at most GG_SLOT_HINT - 1 bytes, and nothing that commands a terminal. */
bool gg_slot_hint_fits(struct gg_str hint);
/* Lists PCRs as "0, 2, 7". */
void gg_pcrs_text(uint32_t pcrs, struct gg_buf *to);
/* "pcrs": [0, 7] */
void gg_pcrs_put(uint32_t pcrs, struct gg_json_writer *w);

#endif
