/* SPDX-License-Identifier: Apache-2.0 */
/* See wrap.h. */
#include "security/wrap.h"

#include <limits.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>

enum { GROUP = 5, GROUPS = 6, MOST_MEMORY = 257 << 20 /* scrypt's own, and a little for its blocks */ };

const struct gg_slot_cost gg_cost_passphrase = {16, 8, 2}, gg_cost_recovery = {14, 8, 1};

int gg_wrap_key_of_file(struct gg_str file, const struct gg_slot *slot, uint8_t ret_key[GG_SEAL_KEY])
{
	static const uint8_t info[] = "ganglion key file";
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, NULL);
	size_t len = GG_SEAL_KEY;
	bool done = c && file.len <= INT_MAX && EVP_PKEY_derive_init(c) == 1 &&
		    EVP_PKEY_CTX_set_hkdf_md(c, EVP_sha256()) == 1 &&
		    EVP_PKEY_CTX_set1_hkdf_salt(c, slot->salt, sizeof slot->salt) == 1 &&
		    EVP_PKEY_CTX_set1_hkdf_key(c, (const uint8_t *)file.p, (int)file.len) == 1 &&
		    EVP_PKEY_CTX_add1_hkdf_info(c, info, sizeof info - 1) == 1 &&
		    EVP_PKEY_derive(c, ret_key, &len) == 1 && len == GG_SEAL_KEY;
	EVP_PKEY_CTX_free(c);
	return done ? 0 : -EIO;
}

/* ---- passphrases ---- */

/* As people type them: small letters, dashes or none, O for 0, I and L for 1. */
static struct gg_str recovery_letters(struct gg_str typed, char to[GG_PASSPHRASE_MAX])
{
	size_t n = 0;
	for (size_t i = 0; i < typed.len; i++) {
		char c = typed.p[i];
		if (c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		if (c == '-' || c == ' ')
			continue;
		to[n++] = (char)(c == 'O' ? '0' : c == 'I' || c == 'L' ? '1' : c);
	}
	return gg_str_n(to, n);
}

int gg_wrap_key_of_passphrase(
	struct gg_str passphrase, const struct gg_slot *slot, uint8_t ret_key[GG_SEAL_KEY])
{
	char letters[GG_PASSPHRASE_MAX];
	const struct gg_slot_cost *c = &slot->cost;
	if (passphrase.len > GG_PASSPHRASE_MAX)
		return -EINVAL;
	if (slot->kind == GG_SLOT_RECOVERY)
		passphrase = recovery_letters(passphrase, letters);
	int done = EVP_PBE_scrypt(passphrase.p, passphrase.len, slot->salt, sizeof slot->salt,
		1ULL << c->log2_n, c->r, c->p, MOST_MEMORY, ret_key, GG_SEAL_KEY);
	OPENSSL_cleanse(letters, sizeof letters);
	return done == 1 ? 0 : -ENOMEM;
}

int gg_wrap_make_recovery(char ret_text[GG_RECOVERY_TEXT])
{
	static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"; /* 32: none is likelier */
	uint8_t random[GROUP * GROUPS];
	size_t n = 0;
	if (RAND_bytes(random, sizeof random) != 1)
		return -EIO;
	for (size_t i = 0; i < sizeof random; i++) {
		if (i && i % GROUP == 0)
			ret_text[n++] = '-';
		ret_text[n++] = alphabet[random[i] & 31];
	}
	ret_text[n] = '\0';
	OPENSSL_cleanse(random, sizeof random);
	return 0;
}

/* ---- the wrapping ---- */

int gg_wrap_shut(const struct gg_slots *s, struct gg_slot *slot, const uint8_t key[GG_SEAL_KEY],
	const uint8_t root[GG_SEAL_KEY])
{
	struct gg_buf bound GG_CLEANUP(gg_buf_done) = GG_BUF(GG_SLOTS_FILE);
	struct gg_seal *seal = NULL;
	gg_slot_bind(s, slot, &bound);
	int rc = bound.error ? bound.error : gg_seal_new(key, &seal);
	if (rc == 0)
		rc = gg_seal_shut(seal, gg_buf_view(&bound), root, GG_SEAL_KEY, slot->wrapped,
			slot->wrapped + GG_SEAL_KEY);
	gg_seal_free(seal);
	return rc;
}

int gg_wrap_open(const struct gg_slots *s, const struct gg_slot *slot, const uint8_t key[GG_SEAL_KEY],
	uint8_t ret_root[GG_SEAL_KEY])
{
	struct gg_buf bound GG_CLEANUP(gg_buf_done) = GG_BUF(GG_SLOTS_FILE);
	struct gg_seal *seal = NULL;
	uint8_t root[GG_SEAL_KEY];
	gg_slot_bind(s, slot, &bound);
	int rc = bound.error ? bound.error : gg_seal_new(key, &seal);
	if (rc == 0)
		rc = gg_seal_open(seal, gg_buf_view(&bound), slot->wrapped, GG_SEAL_KEY,
			slot->wrapped + GG_SEAL_KEY, root);
	if (rc == 0)
		memcpy(ret_root, root, sizeof root);
	OPENSSL_cleanse(root, sizeof root);
	gg_seal_free(seal);
	return rc == -EBADMSG ? -EACCES : rc;
}
