/* SPDX-License-Identifier: Apache-2.0 */
/* See vault.h: changing the slots. What is new is on disk, and has been opened, before what is old goes. */
#include "security/vault_file.h"
#include "security/vault_open.h"
#include "security/vault_ways.h"

#include <openssl/crypto.h>
#include <unistd.h>

struct change {
	const char *data_dir;
	struct gg_slots slots;
	uint8_t root[GG_SEAL_KEY];
	int lock;
};

static int begin(
	struct change *c, const char *data_dir, const struct gg_vault_means *means, struct gg_error *e)
{
	c->data_dir = data_dir;
	c->lock = gg_vault_lock(data_dir, e);
	if (c->lock < 0)
		return c->lock;
	int rc = gg_vault_file_read(data_dir, &c->slots, e);
	if (rc == -ENOENT)
		return gg_error_set(e, rc,
			"%s is not sealed; it is sealed by the first start with a configuration that names a "
			"key "
			"under 'encryption'",
			data_dir);
	return rc == 0 && means ? gg_vault_unwrap(data_dir, &c->slots, means, c->root, e) : rc;
}

static int end(struct change *c, int rc)
{
	OPENSSL_cleanse(c->root, sizeof c->root);
	if (c->lock >= 0)
		close(c->lock);
	return rc;
}

static void drop(struct gg_slots *s, size_t at)
{
	memmove(&s->items[at], &s->items[at + 1], (--s->count - at) * sizeof s->items[0]);
}

/* Takes those away that stood before `fresh`: the recovery slots, or all others. */
static int drop_old(struct change *c, size_t fresh, bool recovery, struct gg_error *e)
{
	size_t old = fresh;
	for (size_t i = fresh; i > 0; i--)
		if ((c->slots.items[i - 1].kind == GG_SLOT_RECOVERY) == recovery) {
			drop(&c->slots, i - 1);
			old--;
		}
	return old == fresh ? 0 : gg_vault_file_write(c->data_dir, &c->slots, e);
}

/* A slot that does not open would lock its owner out. */
static int prove(struct change *c, const struct gg_site_encryption *o, struct gg_error *e)
{
	const struct gg_slot *slot = &c->slots.items[c->slots.count - 1];
	uint8_t key[GG_SEAL_KEY], root[GG_SEAL_KEY];
	int rc = gg_way_open(o, slot, key, e);
	if (rc == 0 && (rc = gg_wrap_open(&c->slots, slot, key, root)) == 0 &&
		CRYPTO_memcmp(root, c->root, sizeof root) != 0)
		rc = -EACCES;
	OPENSSL_cleanse(key, sizeof key);
	OPENSSL_cleanse(root, sizeof root);
	if (rc < 0 && e && !e->code)
		gg_error_set(e, rc, "the new slot does not open");
	return rc;
}

int gg_vault_rewrap(const char *data_dir, const struct gg_vault_means *means,
	const struct gg_site_encryption *o, bool keep, struct gg_error *e)
{
	struct change c = {0};
	int rc = begin(&c, data_dir, means, e);
	size_t fresh = c.slots.count;
	if (rc == 0)
		rc = gg_vault_enter(&c.slots, o, c.root, e);
	if (rc == 0)
		rc = prove(&c, o, e);
	if (rc == 0)
		rc = gg_vault_file_write(data_dir, &c.slots, e);
	if (rc == 0 && !keep)
		rc = drop_old(&c, fresh, /* recovery= */ false, e);
	return end(&c, rc);
}

int gg_vault_add_recovery(const char *data_dir, const struct gg_vault_means *means,
	char ret_text[GG_RECOVERY_TEXT], struct gg_error *e)
{
	struct change c = {0};
	struct gg_slot slot;
	uint8_t key[GG_SEAL_KEY];
	char text[GG_RECOVERY_TEXT] = "";
	int rc = begin(&c, data_dir, means, e);
	size_t fresh = c.slots.count;
	if (rc == 0 && gg_wrap_make_recovery(text) < 0)
		rc = gg_error_set(e, -EIO, "no randomness");
	if (rc == 0)
		rc = gg_way_make_recovery(gg_str(text), &slot, key, e);
	if (rc == 0)
		rc = gg_vault_enter_slot(&c.slots, &slot, key, c.root, e);
	if (rc == 0)
		rc = gg_vault_file_write(data_dir, &c.slots, e);
	if (rc == 0) {
		gg_str_copy(ret_text, GG_RECOVERY_TEXT, gg_str(text)); /* it holds from here on */
		rc = drop_old(&c, fresh, /* recovery= */ true, e);
	}
	OPENSSL_cleanse(key, sizeof key);
	OPENSSL_cleanse(text, sizeof text);
	return end(&c, rc);
}

int gg_vault_remove(const char *data_dir, uint64_t number, struct gg_error *e)
{
	struct change c = {0};
	size_t at = 0;
	int rc = begin(&c, data_dir, /* means= */ NULL, e);
	while (rc == 0 && at < c.slots.count && c.slots.items[at].number != number)
		at++;
	if (rc == 0 && at == c.slots.count)
		rc = gg_error_set(e, -ENOENT, "%s/" GG_VAULT_FILE " has no slot %llu", data_dir,
			(unsigned long long)number);
	else if (rc == 0 && c.slots.count == 1)
		rc = gg_error_set(e, -EINVAL, "slot %llu is the last: without it nobody opens the data",
			(unsigned long long)number);
	if (rc == 0) {
		drop(&c.slots, at);
		rc = gg_vault_file_write(data_dir, &c.slots, e);
	}
	return end(&c, rc);
}
