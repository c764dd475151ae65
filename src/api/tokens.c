/* SPDX-License-Identifier: Apache-2.0 */
#include "api/tokens.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "store/catalog.h"

#include <openssl/crypto.h>

static const char session_prefix[] = "session ";

/* How often the catalog hears that a token is in use. */
#define KEEP_USE_NS (10 * 60 * GG_NS_PER_S)

static struct {
	struct gg_catalog *catalog;
	struct gg_token_entry *first, **end;
	struct gg_map by_hash;
	size_t tokens, sessions;
} book;

static int add(const struct gg_token_entry *from, struct gg_token_entry **ret_entry)
{
	struct gg_token_entry *t = malloc(sizeof *t);
	if (!t || gg_map_put_ptr(&book.by_hash, gg_str(from->hash), t) < 0) {
		free(t);
		return -ENOMEM;
	}
	*t = *from;
	t->next = NULL;
	*book.end = t;
	book.end = &t->next;
	*(t->parent[0] ? &book.sessions : &book.tokens) += 1;
	if (ret_entry)
		*ret_entry = t;
	return 0;
}

static void load(void *arg, const struct gg_token_row *row)
{
	struct gg_token_entry t = {.created_ns = row->created_ns,
		.expires_ns = row->expires_ns,
		.used_ns = row->last_used_ns,
		.used_kept_ns = row->last_used_ns};
	size_t prefix = sizeof session_prefix - 1;
	gg_str_copy(t.id, sizeof t.id, row->id);
	gg_str_copy(t.title, sizeof t.title, row->title);
	gg_str_copy(t.hash, sizeof t.hash, row->hash);
	if (gg_str_starts(row->role, gg_str(session_prefix)))
		gg_str_copy(
			t.parent, sizeof t.parent, gg_str_n(row->role.p + prefix, row->role.len - prefix));
	else if (gg_role_of_name(row->role, &t.role) < 0)
		return;
	if (add(&t, NULL) < 0)
		*(int *)arg = -ENOMEM;
}

int gg_tokens_open(struct gg_catalog *catalog, struct gg_error *e)
{
	int status = 0;
	book.catalog = catalog;
	book.end = &book.first;
	int rc = gg_catalog_tokens(catalog, load, &status);
	if (rc == 0)
		rc = status;
	return rc < 0 ? gg_error_set(e, rc, "tokens: %s", strerror(-rc)) : 0;
}

void gg_tokens_close(void)
{
	for (struct gg_token_entry *t = book.first, *next; t; t = next) {
		next = t->next;
		free(t);
	}
	gg_map_done(&book.by_hash);
	memset(&book, 0, sizeof book);
}

const struct gg_token_entry *gg_tokens_first(void)
{
	return book.first;
}

size_t gg_tokens_count(void)
{
	return book.tokens;
}

const struct gg_token_entry *gg_tokens_find(struct gg_str id)
{
	for (const struct gg_token_entry *t = book.first; t; t = t->next)
		if (gg_str_is(id, t->id))
			return t;
	return NULL;
}

const struct gg_token_entry *gg_tokens_titled(struct gg_str title)
{
	for (const struct gg_token_entry *t = book.first; t; t = t->next)
		if (!t->parent[0] && gg_str_is(title, t->title))
			return t;
	return NULL;
}

/* ---- making ---- */

static bool title_ok(struct gg_str title)
{
	if (title.len == 0 || title.len >= GG_TOKEN_TITLE || !gg_utf8_valid(title))
		return false;
	for (size_t i = 0; i < title.len; i++)
		if ((unsigned char)title.p[i] < ' ' || title.p[i] == 0x7f)
			return false;
	return true;
}

static void take_out(struct gg_token_entry *t)
{
	struct gg_token_entry **at = &book.first;
	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	if (!t->next)
		book.end = at;
	*(t->parent[0] ? &book.sessions : &book.tokens) -= 1;
	gg_map_remove(&book.by_hash, gg_str(t->hash));
	gg_catalog_remove_token(book.catalog, gg_str(t->id));
	free(t);
}

/* A page too many: that which was opened longest ago has to log in again. */
static void make_room(void)
{
	for (struct gg_token_entry *t = book.first; t && book.sessions >= GG_SESSIONS_MOST; t = t->next) {
		if (t->parent[0]) {
			take_out(t);
			return;
		}
	}
}

static int keep(const struct gg_token_entry *t)
{
	char role[40];
	snprintf(role, sizeof role, "%s%s", t->parent[0] ? session_prefix : "",
		t->parent[0] ? t->parent : gg_role_name(t->role));
	return gg_catalog_put_token(book.catalog, &(struct gg_token_row){.id = gg_str(t->id),
							  .title = gg_str(t->title),
							  .hash = gg_str(t->hash),
							  .role = gg_str(role),
							  .created_ns = t->created_ns,
							  .expires_ns = t->expires_ns});
}

int gg_tokens_make(struct gg_str title, enum gg_role role, int64_t expires_ns,
	const struct gg_token_entry *parent, char to[GG_TOKEN_TEXT], const struct gg_token_entry **ret_entry,
	struct gg_error *e)
{
	char secret[GG_TOKEN_TEXT];
	struct gg_token_entry t = {.role = role, .expires_ns = expires_ns}, *entry = NULL;
	if (!title_ok(title))
		return gg_error_set(e, -EINVAL, "expected a title of 1 to %d bytes", GG_TOKEN_TITLE - 1);
	if (parent)
		make_room();
	else if (book.tokens >= GG_TOKENS_MOST)
		return gg_error_set(e, -EDQUOT, "there are %d tokens already", GG_TOKENS_MOST);
	int rc = gg_token_make(secret);
	if (rc < 0)
		return gg_error_set(e, rc, "the system gives no random numbers");
	gg_token_hash(gg_str(secret), t.hash);
	gg_str_copy(t.id, sizeof t.id, gg_str_n(t.hash, GG_TOKEN_ID - 1));
	gg_str_copy(t.title, sizeof t.title, title);
	if (parent)
		gg_str_copy(t.parent, sizeof t.parent, gg_str(parent->id));
	t.created_ns = gg_clock_utc(&gg_clock_system);
	rc = keep(&t);
	if (rc == 0)
		rc = add(&t, &entry);
	if (rc == 0) {
		gg_str_copy(to, GG_TOKEN_TEXT, gg_str(secret));
		*ret_entry = entry;
	}
	OPENSSL_cleanse(secret, sizeof secret);
	return rc < 0 ? gg_error_set(e, rc, "the token could not be kept: %s", strerror(-rc)) : 0;
}

/* ---- removing ---- */

static size_t administrators(void)
{
	size_t n = 0;
	for (const struct gg_token_entry *t = book.first; t; t = t->next)
		n += !t->parent[0] && t->role == GG_ROLE_ADMINISTRATOR && t->expires_ns == 0;
	return n;
}

static void remove_sessions_of(const char *id)
{
	for (struct gg_token_entry *t = book.first, *next; t; t = next) {
		next = t->next;
		if (strcmp(t->parent, id) == 0)
			take_out(t);
	}
}

int gg_tokens_remove(struct gg_str id, struct gg_error *e)
{
	struct gg_token_entry *t = (struct gg_token_entry *)(uintptr_t)gg_tokens_find(id);
	if (!t)
		return gg_error_set(e, -ENOENT, "there is no token with the id \"%.*s\"",
			(int)gg_min_size(id.len, 40), id.p);
	if (!t->parent[0] && t->role == GG_ROLE_ADMINISTRATOR && t->expires_ns == 0 && administrators() == 1)
		return gg_error_set(e, -EALREADY,
			"this is the last administrator's token without an end: make another first");
	if (!t->parent[0])
		remove_sessions_of(t->id);
	take_out(t);
	return 0;
}

/* ---- using ---- */

static void note_use(struct gg_token_entry *t, int64_t now_ns)
{
	t->used_ns = now_ns;
	if (t->used_kept_ns && now_ns - t->used_kept_ns < KEEP_USE_NS)
		return;
	t->used_kept_ns = now_ns;
	int rc = gg_catalog_used_token(book.catalog, gg_str(t->id), now_ns);
	if (rc < 0)
		gg_log(GG_WARN, "api", "the use of a token could not be kept, continuing without",
			GG_S("token", t->id), GG_S("reason", strerror(-rc)));
}

const struct gg_token_entry *gg_tokens_use(struct gg_str secret, int64_t now_ns)
{
	char hash[GG_TOKEN_HASH];
	gg_token_hash(secret, hash);
	struct gg_token_entry *t = gg_map_get_ptr(&book.by_hash, gg_str(hash));
	if (!t)
		return NULL;
	if (t->parent[0]) {
		const struct gg_token_entry *parent = gg_tokens_find(gg_str(t->parent));
		if (!parent || (parent->expires_ns && parent->expires_ns <= now_ns))
			return NULL;
		t->role = parent->role;
	}
	if (t->expires_ns && t->expires_ns <= now_ns)
		return NULL;
	note_use(t, now_ns);
	return t;
}
