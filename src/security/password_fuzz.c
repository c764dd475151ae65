/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stored password's text, and what is tried against it. The costly function behind it is a double here,
 * which sees that no text asks for more memory than there is leave for.
 */
#include "security/password.h"
#include "security/token.h"

#include <openssl/evp.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The linker takes this one. */
int EVP_PBE_scrypt(const char *pass, size_t passlen, const unsigned char *salt, size_t saltlen, uint64_t N,
	uint64_t r, uint64_t p, uint64_t maxmem, unsigned char *key, size_t keylen)
{
	(void)salt, (void)saltlen;
	if (N < 2 || N > 1U << 17 || r < 1 || r > 16 || p < 1 || p > 16 || maxmem > 256 << 20)
		abort();
	memset(key, passlen ? pass[0] : 0, keylen);
	return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gg_str hash = gg_str_n(data ? (const char *)data : "", size), secret = gg_str_cut(&hash, '\n');
	char token[GG_TOKEN_TEXT], text[GG_PASSWORD_HASH], digest[GG_TOKEN_HASH];
	enum gg_role role;
	(void)gg_password_verify(secret, hash);
	if (gg_password_hash(secret, text) == 0 && !gg_password_verify(secret, gg_str(text)))
		abort();
	gg_token_hash(secret, digest);
	if (strlen(digest) != 64)
		abort();
	if (gg_token_make(token) < 0 || strlen(token) >= sizeof token)
		abort();
	if (gg_role_of_name(secret, &role) == 0 && !gg_str_is(secret, gg_role_name(role)))
		abort();
	return 0;
}
