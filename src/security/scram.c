/* SPDX-License-Identifier: Apache-2.0 */
#include "security/scram.h"

#include "base/bytes.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

enum { PASSWORD_MOST = 256, ITERATIONS_MOST = 10000000, BASE64_KEY = 44, BASE64_SALT = 24 };

static void hmac(const uint8_t key[GG_SCRAM_KEY], struct gg_str text, uint8_t to[GG_SCRAM_KEY])
{
	unsigned size = GG_SCRAM_KEY;
	HMAC(EVP_sha256(), key, GG_SCRAM_KEY, (const uint8_t *)text.p, text.len, to, &size);
}

static void sha256(const uint8_t in[GG_SCRAM_KEY], uint8_t to[GG_SCRAM_KEY])
{
	EVP_Digest(in, GG_SCRAM_KEY, to, NULL, EVP_sha256(), NULL);
}

/* Exactly size bytes in base64 with padding (RFC 4648 §4). */
static bool decode(struct gg_str text, uint8_t *to, size_t size)
{
	uint8_t plain[GG_SCRAM_KEY + 4];
	size_t padding = (3 - size % 3) % 3;
	if (text.len != (size + 2) / 3 * 4 || size > GG_SCRAM_KEY)
		return false;
	for (size_t i = 0; i < text.len; i++)
		if ((text.p[i] == '=') != (i >= text.len - padding))
			return false;
	if (EVP_DecodeBlock(plain, (const uint8_t *)text.p, (int)text.len) < (int)size)
		return false;
	memcpy(to, plain, size);
	return true;
}

/* ---- verifiers ---- */

static void write_verifier(const struct gg_scram_verifier *v, char to[GG_SCRAM_TEXT])
{
	uint8_t salt[BASE64_SALT + 1], stored[BASE64_KEY + 1], server[BASE64_KEY + 1];
	EVP_EncodeBlock(salt, v->salt, GG_SCRAM_SALT);
	EVP_EncodeBlock(stored, v->stored_key, GG_SCRAM_KEY);
	EVP_EncodeBlock(server, v->server_key, GG_SCRAM_KEY);
	snprintf(to, GG_SCRAM_TEXT, GG_SCRAM_NAME "$%u:%s$%s:%s", v->iterations, (const char *)salt,
		(const char *)stored, (const char *)server);
}

int gg_scram_make(struct gg_str password, char to[GG_SCRAM_TEXT])
{
	struct gg_scram_verifier v = {.iterations = GG_SCRAM_ITERATIONS};
	uint8_t salted[GG_SCRAM_KEY], client_key[GG_SCRAM_KEY];
	if (password.len == 0 || password.len > PASSWORD_MOST)
		return -EINVAL;
	if (RAND_bytes(v.salt, sizeof v.salt) != 1)
		return -EIO;
	if (PKCS5_PBKDF2_HMAC(password.p, (int)password.len, v.salt, sizeof v.salt, GG_SCRAM_ITERATIONS,
		    EVP_sha256(), sizeof salted, salted) != 1)
		return -ENOMEM;
	hmac(salted, GG_STR("Client Key"), client_key);
	sha256(client_key, v.stored_key);
	hmac(salted, GG_STR("Server Key"), v.server_key);
	write_verifier(&v, to);
	OPENSSL_cleanse(salted, sizeof salted);
	OPENSSL_cleanse(client_key, sizeof client_key);
	OPENSSL_cleanse(&v, sizeof v);
	return 0;
}

int gg_scram_parse(struct gg_str text, struct gg_scram_verifier *ret_verifier)
{
	struct gg_scram_verifier v;
	uint64_t iterations = 0;
	struct gg_str name = gg_str_cut(&text, '$'), salted = gg_str_cut(&text, '$');
	struct gg_str count = gg_str_cut(&salted, ':'), stored = gg_str_cut(&text, ':');
	if (!gg_str_is(name, GG_SCRAM_NAME) || gg_parse_uint(count, &iterations) < 0 || iterations < 4096 ||
		iterations > ITERATIONS_MOST || !decode(salted, v.salt, sizeof v.salt) ||
		!decode(stored, v.stored_key, sizeof v.stored_key) ||
		!decode(text, v.server_key, sizeof v.server_key))
		return -EINVAL;
	v.iterations = (uint32_t)iterations;
	*ret_verifier = v;
	return 0;
}

void gg_scram_fake(struct gg_str name, struct gg_str secret, char to[GG_SCRAM_TEXT])
{
	struct gg_scram_verifier v = {.iterations = GG_SCRAM_ITERATIONS};
	uint8_t digest[GG_SCRAM_KEY];
	unsigned size = sizeof digest;
	HMAC(EVP_sha256(), secret.p, (int)secret.len, (const uint8_t *)name.p, name.len, digest, &size);
	memcpy(v.salt, digest, sizeof v.salt);
	/* Nobody knows a key whose hash these are. */
	hmac(digest, GG_STR("stored"), v.stored_key);
	hmac(digest, GG_STR("server"), v.server_key);
	write_verifier(&v, to);
}

/* ---- the exchange ---- */

static bool add(struct gg_scram *s, struct gg_str text)
{
	if (text.len > sizeof s->text - s->len)
		return false;
	memcpy(s->text + s->len, text.p, text.len);
	s->len += text.len;
	return true;
}

/* "n=USER" without escapes: =2C is ',' and =3D is '='. */
static bool read_user(struct gg_scram *s, struct gg_str text)
{
	size_t n = 0;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.p[i];
		if (c == '=' && gg_str_starts(gg_str_n(text.p + i, text.len - i), GG_STR("=2C")))
			c = ',', i += 2;
		else if (c == '=' && gg_str_starts(gg_str_n(text.p + i, text.len - i), GG_STR("=3D")))
			i += 2;
		else if (c == '=' || c == '\0')
			return false;
		if (n + 1 >= sizeof s->user)
			return false;
		s->user[n++] = c;
	}
	s->user[n] = '\0';
	return n > 0 && gg_utf8_valid(text);
}

static bool nonce_ok(struct gg_str nonce)
{
	for (size_t i = 0; i < nonce.len; i++)
		if (nonce.p[i] < '!' || nonce.p[i] > '~' || nonce.p[i] == ',')
			return false;
	return nonce.len >= 8;
}

static struct gg_str value_of(struct gg_str attribute)
{
	return gg_str_n(attribute.p + 2, attribute.len - 2);
}

static bool is_attribute(struct gg_str attribute, char name)
{
	return attribute.len >= 2 && attribute.p[0] == name && attribute.p[1] == '=';
}

int gg_scram_first(struct gg_scram *s, struct gg_str message)
{
	*s = (struct gg_scram){0};
	if (message.len == 0 || message.len > GG_SCRAM_MESSAGE)
		return -EINVAL;
	struct gg_str whole = message;
	struct gg_str binding = gg_str_cut(&message, ','), acts_for = gg_str_cut(&message, ',');
	if (is_attribute(binding, 'p'))
		return -ENOTSUP;
	/* "y": it could bind, and believes that we can't, which is so */
	if (!gg_str_is(binding, "n") && !gg_str_is(binding, "y"))
		return -EINVAL;
	struct gg_str bare = message, user = gg_str_cut(&message, ','), nonce = gg_str_cut(&message, ',');
	if (!is_attribute(user, 'n') || !is_attribute(nonce, 'r') || !nonce_ok(value_of(nonce)) ||
		!read_user(s, value_of(user)))
		return -EINVAL; /* "m=", an extension that must be known, too */
	if (acts_for.len && !is_attribute(acts_for, 'a'))
		return -EINVAL;
	if (acts_for.len && !gg_str_eq(value_of(acts_for), value_of(user)))
		return -ENOTSUP;
	s->header_len = whole.len - bare.len;
	if (s->header_len > sizeof s->header || !add(s, bare))
		return -EINVAL;
	memcpy(s->header, whole.p, s->header_len);
	s->nonce_at = (size_t)(value_of(nonce).p - bare.p);
	s->nonce_len = value_of(nonce).len;
	return 0;
}

int gg_scram_challenge(struct gg_scram *s, const struct gg_scram_verifier *v, struct gg_str nonce,
	char to[GG_SCRAM_MESSAGE], size_t *ret_len)
{
	uint8_t salt[BASE64_SALT + 1];
	char client_nonce[GG_SCRAM_MESSAGE + 1];
	gg_str_copy(client_nonce, sizeof client_nonce, gg_str_n(s->text + s->nonce_at, s->nonce_len));
	EVP_EncodeBlock(salt, v->salt, GG_SCRAM_SALT);
	int n = snprintf(to, GG_SCRAM_MESSAGE, "r=%s%.*s,s=%s,i=%u", client_nonce, GG_STR_ARG(nonce),
		(const char *)salt, v->iterations);
	if (n < 0 || n >= GG_SCRAM_MESSAGE)
		return -ENOBUFS;
	if (!add(s, GG_STR(",")))
		return -ENOBUFS;
	s->nonce_at = s->len + 2;
	s->nonce_len += nonce.len;
	if (!add(s, gg_str_n(to, (size_t)n)))
		return -ENOBUFS;
	s->verifier = *v;
	s->challenged = true;
	*ret_len = (size_t)n;
	return 0;
}

/* "c=" with the header of client-first in base64. */
static bool binding_right(const struct gg_scram *s, struct gg_str attribute)
{
	uint8_t expected[(sizeof s->header + 2) / 3 * 4 + 1];
	int n = EVP_EncodeBlock(expected, (const uint8_t *)s->header, (int)s->header_len);
	return is_attribute(attribute, 'c') && gg_str_eq(value_of(attribute), gg_str_n(expected, (size_t)n));
}

static bool proof_right(const struct gg_scram *s, const uint8_t proof[GG_SCRAM_KEY])
{
	uint8_t signature[GG_SCRAM_KEY], client_key[GG_SCRAM_KEY], stored[GG_SCRAM_KEY];
	hmac(s->verifier.stored_key, gg_str_n(s->text, s->len), signature);
	for (size_t i = 0; i < GG_SCRAM_KEY; i++)
		client_key[i] = signature[i] ^ proof[i];
	sha256(client_key, stored);
	bool right = CRYPTO_memcmp(stored, s->verifier.stored_key, GG_SCRAM_KEY) == 0;
	OPENSSL_cleanse(client_key, sizeof client_key);
	return right;
}

int gg_scram_final(struct gg_scram *s, struct gg_str message, char to[GG_SCRAM_MESSAGE], size_t *ret_len)
{
	uint8_t proof[GG_SCRAM_KEY], signature[GG_SCRAM_KEY], text[BASE64_KEY + 1];
	struct gg_str whole = message;
	if (!s->challenged || message.len == 0 || message.len > GG_SCRAM_MESSAGE)
		return -EINVAL;
	s->challenged = false; /* one try */
	struct gg_str binding = gg_str_cut(&message, ','), nonce = gg_str_cut(&message, ','), last = message;
	while (gg_str_find(last, ',') < last.len) /* extensions, which stay in the signed text */
		gg_str_cut(&last, ',');
	if (!binding_right(s, binding) || !is_attribute(nonce, 'r') ||
		!gg_str_eq(value_of(nonce), gg_str_n(s->text + s->nonce_at, s->nonce_len)) ||
		!is_attribute(last, 'p') || !decode(value_of(last), proof, sizeof proof))
		return -EINVAL;
	if (!add(s, GG_STR(",")) || !add(s, gg_str_n(whole.p, (size_t)(last.p - whole.p) - 1)))
		return -EINVAL;
	if (!proof_right(s, proof))
		return -EACCES;
	hmac(s->verifier.server_key, gg_str_n(s->text, s->len), signature);
	EVP_EncodeBlock(text, signature, GG_SCRAM_KEY);
	*ret_len = (size_t)snprintf(to, GG_SCRAM_MESSAGE, "v=%s", (const char *)text);
	return 0;
}

int gg_scram_nonce(char to[GG_SCRAM_NONCE + 1])
{
	uint8_t random[GG_SCRAM_NONCE / 4 * 3];
	if (RAND_bytes(random, sizeof random) != 1)
		return -EIO;
	EVP_EncodeBlock((uint8_t *)to, random, sizeof random);
	return 0;
}
