/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The book of tokens: who may use the API, and as what. In memory as a whole and in the catalog, where only a
 * token's hash is kept. A session is what a page gets for a token: a row like a token's, which ends with its
 * token, and after 30 days. Thread: control.
 */
#ifndef GG_API_TOKENS_H
#define GG_API_TOKENS_H

#include "base/error.h"
#include "security/token.h"

struct gg_catalog;

enum { GG_TOKENS_MOST = 1000, GG_SESSIONS_MOST = 500, GG_TOKEN_TITLE = 100 };

#define GG_SESSION_NS (30 * 86400 * GG_NS_PER_S)

struct gg_token_entry {
	char id[GG_TOKEN_ID];
	char title[GG_TOKEN_TITLE];
	char hash[GG_TOKEN_HASH];
	char parent[GG_TOKEN_ID]; /* of a session: its token's id */
	enum gg_role role;
	int64_t created_ns, expires_ns, used_ns; /* 0: never */
	int64_t used_kept_ns;                    /* what the catalog knows of used_ns */
	struct gg_token_entry *next;             /* in the order made */
};

/* Reads the catalog's tokens. */
int gg_tokens_open(struct gg_catalog *catalog, struct gg_error *e);
void gg_tokens_close(void);
/* Makes one; to gets the secret, which nobody can ask for again. parent: the token of a session, or NULL.
 * Errors: -EINVAL the title, -EDQUOT too many, -EIO. */
int gg_tokens_make(struct gg_str title, enum gg_role role, int64_t expires_ns,
	const struct gg_token_entry *parent, char to[GG_TOKEN_TEXT], const struct gg_token_entry **ret_entry,
	struct gg_error *e);
/* With its sessions. Errors: -ENOENT; -EPERM it is the last administrator's token. */
int gg_tokens_remove(struct gg_str id, struct gg_error *e);
/* NULL: unknown or expired. A session is returned as such: its role is its token's. Notes the use. */
const struct gg_token_entry *gg_tokens_use(struct gg_str secret, int64_t now_ns);
const struct gg_token_entry *gg_tokens_find(struct gg_str id);
const struct gg_token_entry *gg_tokens_titled(struct gg_str title);
const struct gg_token_entry *gg_tokens_first(void);
/* Tokens, sessions not counted. */
size_t gg_tokens_count(void);

/* ---- the first start (first_token.c) ---- */

/* When there is no token: makes one for an administrator, prints it once with the address, and leaves it in
 * <data_dir>/first-token, for the owner's eyes. */
int gg_first_token(const char *data_dir, const char *address, struct gg_error *e);
/* Has nobody but the first token's maker shown a credential yet? */
bool gg_tokens_fresh(void);
/* Once another token is there the file goes. */
void gg_first_token_forget(const char *data_dir);

#endif
