/* SPDX-License-Identifier: Apache-2.0 */
#include "security/token.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

static const char *const role_names[] = {"none", "viewer", "operator", "administrator"};

int gg_token_make(char to[GG_TOKEN_TEXT])
{
	uint8_t random[32], text[45];
	if (RAND_bytes(random, sizeof random) != 1)
		return -EIO;
	EVP_EncodeBlock(text, random, sizeof random);
	for (size_t i = 0; i < 43; i++) /* base64url, RFC 4648 §5 */
		text[i] = text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i];
	snprintf(to, GG_TOKEN_TEXT, "ggt_%.43s", (const char *)text);
	return 0;
}

void gg_token_hash(struct gg_str token, char to[GG_TOKEN_HASH])
{
	uint8_t hash[32] = {0};
	unsigned size = sizeof hash;
	EVP_Digest(token.p, token.len, hash, &size, EVP_sha256(), NULL);
	gg_format_hex(to, hash, sizeof hash);
}

const char *gg_role_name(enum gg_role role)
{
	return (size_t)role < GG_COUNT(role_names) ? role_names[role] : "none";
}

int gg_role_of_name(struct gg_str name, enum gg_role *ret_role)
{
	for (int i = GG_ROLE_VIEWER; i <= GG_ROLE_ADMINISTRATOR; i++) {
		if (gg_str_is(name, role_names[i])) {
			*ret_role = (enum gg_role)i;
			return 0;
		}
	}
	return -ENOENT;
}
