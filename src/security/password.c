/* SPDX-License-Identifier: Apache-2.0 */
#include "security/password.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

enum { SALT = 16, HASH = 32, TEXT_SALT = 24, TEXT_HASH = 44, MOST_MEMORY = 256 << 20 };

struct cost {
	uint64_t log2_n, r, p;
};

static const struct cost usual = {14, 8, 5};

static bool derive(struct gg_str password, const uint8_t *salt, const struct cost *c, uint8_t hash[HASH])
{
	return EVP_PBE_scrypt(password.p, password.len, salt, SALT, 1ULL << c->log2_n, c->r, c->p,
		       MOST_MEMORY, hash, HASH) == 1;
}

int gg_password_hash(struct gg_str password, char to[GG_PASSWORD_HASH])
{
	uint8_t salt[SALT], hash[HASH], salt_text[TEXT_SALT + 1], hash_text[TEXT_HASH + 1];
	if (password.len == 0 || password.len > GG_PASSWORD_MAX)
		return -EINVAL;
	if (RAND_bytes(salt, sizeof salt) != 1)
		return -EIO;
	if (!derive(password, salt, &usual, hash))
		return -ENOMEM;
	EVP_EncodeBlock(salt_text, salt, SALT);
	EVP_EncodeBlock(hash_text, hash, HASH);
	snprintf(to, GG_PASSWORD_HASH, "$scrypt$ln=%u,r=%u,p=%u$%.22s$%.43s", (unsigned)usual.log2_n,
		(unsigned)usual.r, (unsigned)usual.p, (const char *)salt_text, (const char *)hash_text);
	OPENSSL_cleanse(hash, sizeof hash);
	return 0;
}

/* Base64 without padding of exactly size bytes. */
static bool decode(struct gg_str text, uint8_t *to, size_t size)
{
	char padded[64];
	uint8_t plain[48];
	size_t n = text.len;
	if (n != (size * 4 + 2) / 3)
		return false;
	gg_str_copy(padded, sizeof padded, text);
	while (n % 4)
		padded[n++] = '=';
	if (EVP_DecodeBlock(plain, (const uint8_t *)padded, (int)n) < (int)size)
		return false;
	memcpy(to, plain, size);
	return true;
}

static bool parse_number(struct gg_str text, const char *name, uint64_t most, uint64_t *ret)
{
	struct gg_str key = gg_str_cut(&text, '=');
	return gg_str_is(key, name) && gg_parse_uint(text, ret) == 0 && *ret >= 1 && *ret <= most;
}

static bool parse(struct gg_str hash, struct cost *cost, uint8_t salt[SALT], uint8_t expected[HASH])
{
	struct gg_str empty = gg_str_cut(&hash, '$'), scheme = gg_str_cut(&hash, '$'),
		      costs = gg_str_cut(&hash, '$');
	struct gg_str salt_text = gg_str_cut(&hash, '$');
	struct gg_str n = gg_str_cut(&costs, ','), r = gg_str_cut(&costs, ',');
	return empty.len == 0 && gg_str_is(scheme, "scrypt") && parse_number(n, "ln", 17, &cost->log2_n) &&
	       parse_number(r, "r", 16, &cost->r) && parse_number(costs, "p", 16, &cost->p) &&
	       decode(salt_text, salt, SALT) && decode(hash, expected, HASH);
}

bool gg_password_verify(struct gg_str password, struct gg_str hash)
{
	uint8_t salt[SALT] = {0}, expected[HASH] = {0}, actual[HASH];
	struct cost cost = usual;
	bool known = parse(hash, &cost, salt, expected);
	if (!known)
		cost = usual;
	if (password.len > GG_PASSWORD_MAX)
		password.len = 0;
	if (!derive(password, salt, &cost, actual))
		return false;
	bool same = CRYPTO_memcmp(actual, expected, HASH) == 0;
	OPENSSL_cleanse(actual, sizeof actual);
	return known && same && password.len > 0;
}
