/* SPDX-License-Identifier: Apache-2.0 */
/* See seal.h. */
#include "store/seal.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>

enum { BLOCK = 16, HALF = GG_SEAL_NONCE / 2 };

struct gg_seal {
	EVP_CIPHER_CTX *block, *gcm, *series;
	EVP_CIPHER *gcm_cipher;
	uint8_t subkey[BLOCK]; /* CMAC's K1 */
};

/* One block of AES-256. */
static int aes(struct gg_seal *s, const uint8_t from[BLOCK], uint8_t to[BLOCK])
{
	int wrote = 0;
	return EVP_EncryptUpdate(s->block, to, &wrote, from, BLOCK) == 1 && wrote == BLOCK ? 0 : -EIO;
}

/* SP 800-38B, 6.1: L << 1 in GF(2^128). */
static int make_subkey(struct gg_seal *s)
{
	static const uint8_t zeros[BLOCK];
	uint8_t l[BLOCK];
	if (aes(s, zeros, l) < 0)
		return -EIO;
	for (unsigned i = 0; i < BLOCK; i++)
		s->subkey[i] = (uint8_t)(l[i] << 1 | (i + 1 < BLOCK ? l[i + 1] >> 7 : 0));
	s->subkey[BLOCK - 1] ^= (uint8_t)(l[0] >> 7 ? 0x87 : 0);
	OPENSSL_cleanse(l, sizeof l);
	return 0;
}

static int make_ciphers(struct gg_seal *s, const uint8_t *key)
{
	s->block = EVP_CIPHER_CTX_new();
	s->gcm = EVP_CIPHER_CTX_new();
	s->series = EVP_CIPHER_CTX_new();
	if (!s->block || !s->gcm || !s->series)
		return -ENOMEM;
	s->gcm_cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	if (!s->gcm_cipher || EVP_EncryptInit_ex(s->block, EVP_aes_256_ecb(), NULL, key, NULL) != 1 ||
		EVP_CIPHER_CTX_set_padding(s->block, 0) != 1)
		return -EIO;
	return make_subkey(s);
}

int gg_seal_new(const uint8_t key[GG_SEAL_KEY], struct gg_seal **ret_seal)
{
	struct gg_seal *s = calloc(1, sizeof *s);
	int rc = s ? make_ciphers(s, key) : -ENOMEM;
	if (rc < 0) {
		gg_seal_free(s);
		return rc;
	}
	*ret_seal = s;
	return 0;
}

void gg_seal_free(struct gg_seal *s)
{
	if (!s)
		return;
	EVP_CIPHER_CTX_free(s->block); /* wipes what it holds */
	EVP_CIPHER_CTX_free(s->gcm);
	EVP_CIPHER_CTX_free(s->series);
	EVP_CIPHER_free(s->gcm_cipher);
	OPENSSL_cleanse(s->subkey, sizeof s->subkey);
	free(s);
}

/* The key of one message: CMAC over two blocks that hold the first half of the nonce. */
static int message_key(struct gg_seal *s, const uint8_t *nonce, uint8_t key[GG_SEAL_KEY])
{
	for (uint8_t half = 0; half < 2; half++) {
		uint8_t block[BLOCK] = {0, (uint8_t)(half + 1), 'X', 0};
		memcpy(block + BLOCK - HALF, nonce, HALF);
		for (unsigned i = 0; i < BLOCK; i++)
			block[i] ^= s->subkey[i];
		if (aes(s, block, key + half * BLOCK) < 0)
			return -EIO;
	}
	return 0;
}

/* Key, nonce and direction are set. */
static int crypt(EVP_CIPHER_CTX *c, struct gg_str associated, const uint8_t *from, size_t len, uint8_t *to)
{
	int wrote = 0;
	return (!associated.len || EVP_CipherUpdate(c, NULL, &wrote, (const uint8_t *)associated.p,
					   (int)associated.len) == 1) &&
			       (!len || EVP_CipherUpdate(c, to, &wrote, from, (int)len) == 1)
		       ? 0
		       : -EIO;
}

static int finish_shut(EVP_CIPHER_CTX *c, uint8_t *end, uint8_t *ret_tag)
{
	int wrote = 0;
	return EVP_EncryptFinal_ex(c, end, &wrote) == 1 &&
			       EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, GG_SEAL_TAG, ret_tag) == 1
		       ? 0
		       : -EIO;
}

static int finish_open(EVP_CIPHER_CTX *c, const uint8_t *tag, uint8_t *end)
{
	int wrote = 0;
	uint8_t copy[GG_SEAL_TAG]; /* the call wants it writable */
	memcpy(copy, tag, sizeof copy);
	return EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, sizeof copy, copy) == 1 &&
			       EVP_DecryptFinal_ex(c, end, &wrote) == 1
		       ? 0
		       : -EBADMSG;
}

/* shut: 1 seals, 0 opens. */
static int begin(struct gg_seal *s, int shut, const uint8_t *nonce)
{
	uint8_t key[GG_SEAL_KEY];
	int rc = message_key(s, nonce, key);
	if (rc == 0 && EVP_CipherInit_ex2(s->gcm, s->gcm_cipher, key, nonce + HALF, shut, NULL) != 1)
		rc = -EIO;
	OPENSSL_cleanse(key, sizeof key);
	return rc;
}

static bool is_long(struct gg_str associated, size_t len)
{
	return len > INT_MAX || associated.len > INT_MAX;
}

int gg_seal_shut(struct gg_seal *s, struct gg_str associated, const uint8_t *from, size_t len, uint8_t *to,
	uint8_t ret_trailer[GG_SEAL_TRAILER])
{
	if (is_long(associated, len) || RAND_bytes(ret_trailer, GG_SEAL_NONCE) != 1 ||
		begin(s, 1, ret_trailer) < 0 || crypt(s->gcm, associated, from, len, to) < 0)
		return -EIO;
	return finish_shut(s->gcm, to + len, ret_trailer + GG_SEAL_NONCE);
}

int gg_seal_open(struct gg_seal *s, struct gg_str associated, const uint8_t *from, size_t len,
	const uint8_t trailer[GG_SEAL_TRAILER], uint8_t *to)
{
	if (is_long(associated, len) || begin(s, 0, trailer) < 0)
		return -EIO;
	if (crypt(s->gcm, associated, from, len, to) < 0)
		return -EBADMSG;
	return finish_open(s->gcm, trailer + GG_SEAL_NONCE, to + len);
}

/* ---- a series ---- */

int gg_seal_series(struct gg_seal *s, const uint8_t half[GG_SEAL_HALF])
{
	uint8_t key[GG_SEAL_KEY];
	int rc = message_key(s, half, key);
	if (rc == 0 && EVP_CipherInit_ex2(s->series, s->gcm_cipher, key, NULL, 1, NULL) != 1)
		rc = -EIO;
	OPENSSL_cleanse(key, sizeof key);
	return rc;
}

/* The key stays, the nonce is the number's. */
static int begin_at(struct gg_seal *s, int shut, uint64_t number)
{
	uint8_t nonce[HALF] = {0};
	for (unsigned i = 0; i < 8; i++)
		nonce[HALF - 1 - i] = (uint8_t)(number >> (8 * i));
	return EVP_CipherInit_ex2(s->series, NULL, NULL, nonce, shut, NULL) == 1 ? 0 : -EIO;
}

int gg_seal_shut_at(struct gg_seal *s, uint64_t number, struct gg_str associated, const uint8_t *from,
	size_t len, uint8_t *to, uint8_t ret_tag[GG_SEAL_TAG])
{
	if (is_long(associated, len) || begin_at(s, 1, number) < 0 ||
		crypt(s->series, associated, from, len, to) < 0)
		return -EIO;
	return finish_shut(s->series, to + len, ret_tag);
}

int gg_seal_open_at(struct gg_seal *s, uint64_t number, struct gg_str associated, const uint8_t *from,
	size_t len, const uint8_t tag[GG_SEAL_TAG], uint8_t *to)
{
	if (is_long(associated, len) || begin_at(s, 0, number) < 0)
		return -EIO;
	if (crypt(s->series, associated, from, len, to) < 0)
		return -EBADMSG;
	return finish_open(s->series, tag, to + len);
}

int gg_seal_derive(const uint8_t root[GG_SEAL_KEY], struct gg_str purpose, uint8_t ret_key[GG_SEAL_KEY])
{
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, NULL);
	size_t len = GG_SEAL_KEY;
	bool done = c && purpose.len <= INT_MAX && EVP_PKEY_derive_init(c) == 1 &&
		    EVP_PKEY_CTX_set_hkdf_md(c, EVP_sha256()) == 1 &&
		    EVP_PKEY_CTX_set1_hkdf_key(c, root, GG_SEAL_KEY) == 1 &&
		    EVP_PKEY_CTX_add1_hkdf_info(c, (const uint8_t *)purpose.p, (int)purpose.len) == 1 &&
		    EVP_PKEY_derive(c, ret_key, &len) == 1 && len == GG_SEAL_KEY;
	EVP_PKEY_CTX_free(c);
	return done ? 0 : -EIO;
}
