/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens for people and programs: 32 random bytes as text with the prefix "ggt_". Being random they need no
 * slow hash; what is kept is their SHA-256. A role says what one may do: viewer         reads operator reads,
 * acknowledges, writes to devices administrator  everything Thread: any.
 */
#ifndef GG_SECURITY_TOKEN_H
#define GG_SECURITY_TOKEN_H

#include "base/str.h"

enum gg_role { GG_ROLE_NONE, GG_ROLE_VIEWER, GG_ROLE_OPERATOR, GG_ROLE_ADMINISTRATOR };

enum { GG_TOKEN_TEXT = 48, GG_TOKEN_HASH = 65, GG_TOKEN_ID = 12 };

/* A new token. Errors: -EIO no randomness. */
int gg_token_make(char to[GG_TOKEN_TEXT]);
/* SHA-256 as 64 hexadecimal digits: what is kept and looked up. */
void gg_token_hash(struct gg_str token, char to[GG_TOKEN_HASH]);
const char *gg_role_name(enum gg_role role);
/* Errors: -ENOENT. */
int gg_role_of_name(struct gg_str name, enum gg_role *ret_role);

#endif
