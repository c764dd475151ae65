/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sealing of what rests on disk: XAES-256-GCM (C2SP, xaes-256-gcm v1). It is AES-256-GCM (NIST SP 800-38D)
 * under a key that is made of ours and of half of a nonce of 192 bits by CMAC (SP 800-108r1), so that random
 * nonces never run out and nobody has to keep count of them over crashes.
 *
 * A sealed block is as long as it was; beside it stands a trailer of GG_SEAL_TRAILER bytes: nonce (24), tag
 * (16). What the associated data says (which file, which place) is bound to the block, so that a block moved
 * elsewhere does not open.
 *
 * Thread: a struct gg_seal is one thread's at a time; any number may be made of a key.
 */
#ifndef GG_SEAL_H
#define GG_SEAL_H

#include "base/str.h"

#include <stdint.h>

enum {
	GG_SEAL_KEY = 32,
	GG_SEAL_NONCE = 24,
	GG_SEAL_TAG = 16,
	GG_SEAL_TRAILER = GG_SEAL_NONCE + GG_SEAL_TAG,
	GG_SEAL_HALF = GG_SEAL_NONCE / 2
};

struct gg_seal;

/* Errors: -ENOMEM, -EIO the cipher is not to be had. Owner: the caller; the key is copied. */
int gg_seal_new(const uint8_t key[GG_SEAL_KEY], struct gg_seal **ret_seal);
/* Wipes the key. Accepts NULL. */
void gg_seal_free(struct gg_seal *s);

/* Seals len bytes of from into to (which may be from). Allocates nothing. Errors: -EIO no random numbers. */
int gg_seal_shut(struct gg_seal *s, struct gg_str associated, const uint8_t *from, size_t len, uint8_t *to,
	uint8_t ret_trailer[GG_SEAL_TRAILER]);
/* The way back. Errors: -EBADMSG: another key, other associated data, or changed bytes; to is garbage then.
 */
int gg_seal_open(struct gg_seal *s, struct gg_str associated, const uint8_t *from, size_t len,
	const uint8_t trailer[GG_SEAL_TRAILER], uint8_t *to);

/*
 * A series: many blocks of one file, each with a number that is used once. The first half of all nonces is
 * the file's, random; the second is the number (four zeros, big-endian). So only the tag has to be kept
 * beside a block, and the key of half a nonce is made once and not per block. gg_seal_shut() may be used in
 * between.
 */
/* Errors: -EIO. */
int gg_seal_series(struct gg_seal *s, const uint8_t half[GG_SEAL_HALF]);
/* number: never twice under one half, unless the first was thrown away. Allocates nothing. Errors: -EIO. */
int gg_seal_shut_at(struct gg_seal *s, uint64_t number, struct gg_str associated, const uint8_t *from,
	size_t len, uint8_t *to, uint8_t ret_tag[GG_SEAL_TAG]);
/* Errors: -EBADMSG as gg_seal_open(). */
int gg_seal_open_at(struct gg_seal *s, uint64_t number, struct gg_str associated, const uint8_t *from,
	size_t len, const uint8_t tag[GG_SEAL_TAG], uint8_t *to);

/* The key for one purpose ("journal", "databases") out of the root key: HKDF-SHA-256 (RFC 5869), the purpose
 * as info. Errors: -EIO. */
int gg_seal_derive(const uint8_t root[GG_SEAL_KEY], struct gg_str purpose, uint8_t ret_key[GG_SEAL_KEY]);

#endif
