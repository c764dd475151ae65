/* SPDX-License-Identifier: Apache-2.0 */
/* See vault.h and vault_open.h: opening a folder without its configuration, by any slot, and entering slots.
 */
#include "security/vault_file.h"
#include "security/vault_open.h"
#include "security/vault_ways.h"

#include <openssl/crypto.h>

/* ---- telling ---- */

static void list_one(const struct gg_slot *s, struct gg_buf *to)
{
	struct gg_buf pcrs GG_CLEANUP(gg_buf_done) = GG_BUF(200);
	if (s->kind == GG_SLOT_KEY_FILE)
		gg_buf_printf(to, "the key file %s", s->hint);
	else if (s->kind == GG_SLOT_PASSPHRASE)
		gg_buf_str(to, GG_STR("a passphrase"));
	else if (s->kind == GG_SLOT_RECOVERY)
		gg_buf_str(to, GG_STR("a recovery key"));
	else if (!s->pcrs)
		gg_buf_printf(to, "a TPM (%s)", s->hint);
	else {
		gg_pcrs_text(s->pcrs, &pcrs);
		gg_buf_printf(to, "a TPM (%s, PCRs %s)", s->hint, gg_buf_text(&pcrs));
	}
}

void gg_vault_list(const struct gg_slots *s, struct gg_buf *to)
{
	for (size_t i = 0; i < s->count; i++) {
		if (i)
			gg_buf_str(to, GG_STR(", "));
		list_one(&s->items[i], to);
	}
}

int gg_vault_slots(const char *data_dir, struct gg_slots *ret_slots, struct gg_error *e)
{
	return gg_vault_file_read(data_dir, ret_slots, e);
}

/* ---- opening by any slot ---- */

struct opening {
	const char *data_dir;
	const struct gg_slots *slots;
	const struct gg_vault_means *means;
	struct gg_buf failures; /* what was tried, and why it was not it */
	uint8_t *root;
};

static void note(struct opening *o, const char *text)
{
	gg_buf_printf(&o->failures, "%s%s", o->failures.len ? "; " : "", text);
}

/* Returns 1 when it opens. */
static int try_key(
	struct opening *o, const struct gg_slot *slot, const uint8_t key[GG_SEAL_KEY], const char *what)
{
	char text[200];
	int rc = gg_wrap_open(o->slots, slot, key, o->root);
	if (rc == 0)
		return 1;
	snprintf(text, sizeof text, "%s does not fit", what);
	note(o, rc == -EACCES ? text : strerror(-rc));
	return 0;
}

static int try_machine(struct opening *o, const struct gg_slot *slot)
{
	const char *file = o->means->key_file ? o->means->key_file : slot->hint;
	const struct gg_site_encryption way = {.key_file = file};
	struct gg_error e = {0};
	uint8_t key[GG_SEAL_KEY];
	int rc =
		slot->kind == GG_SLOT_TPM ? gg_way_open_tpm(slot, key, &e) : gg_way_open(&way, slot, key, &e);
	if (rc < 0) {
		note(o, e.text);
		return 0;
	}
	rc = try_key(o, slot, key, slot->kind == GG_SLOT_TPM ? "the TPM's key" : file);
	OPENSSL_cleanse(key, sizeof key);
	return rc;
}

static int try_machines(struct opening *o)
{
	int opened = 0;
	for (size_t i = 0; i < o->slots->count && !opened; i++) {
		const struct gg_slot *slot = &o->slots->items[i];
		if (slot->kind == GG_SLOT_KEY_FILE || slot->kind == GG_SLOT_TPM)
			opened = try_machine(o, slot);
	}
	return opened;
}

static bool has_passphrase(const struct gg_slots *s)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->items[i].kind == GG_SLOT_PASSPHRASE || s->items[i].kind == GG_SLOT_RECOVERY)
			return true;
	return false;
}

/* Returns 1 when it opens; a negative errno with a text ends it. */
static int try_passphrase(struct opening *o, struct gg_error *e)
{
	char text[GG_PASSPHRASE_MAX + 1] = "";
	uint8_t key[GG_SEAL_KEY];
	struct gg_error own = {0};
	int opened = 0;
	if (!o->means->passphrase || !has_passphrase(o->slots))
		return 0;
	int rc = o->means->passphrase(o->means->arg, text, &own);
	if (rc == -ENOENT)
		note(o, own.text);
	for (size_t i = 0; rc == 0 && i < o->slots->count && !opened; i++) {
		const struct gg_slot *slot = &o->slots->items[i];
		if (slot->kind != GG_SLOT_PASSPHRASE && slot->kind != GG_SLOT_RECOVERY)
			continue;
		if (gg_wrap_key_of_passphrase(gg_str(text), slot, key) == 0)
			opened = try_key(o, slot, key,
				slot->kind == GG_SLOT_RECOVERY ? "as a recovery key it" : "the passphrase");
	}
	OPENSSL_cleanse(text, sizeof text);
	OPENSSL_cleanse(key, sizeof key);
	if (rc < 0 && rc != -ENOENT) {
		if (e)
			*e = own;
		return rc;
	}
	return opened;
}

int gg_vault_unwrap(const char *data_dir, const struct gg_slots *s, const struct gg_vault_means *means,
	uint8_t ret_root[GG_SEAL_KEY], struct gg_error *e)
{
	struct opening o = {data_dir, s, means, GG_BUF(GG_ERROR_TEXT), ret_root};
	struct gg_buf list GG_CLEANUP(gg_buf_done) = GG_BUF(4096);
	int rc = means->eager ? try_passphrase(&o, e) : 0;
	if (rc == 0)
		rc = try_machines(&o);
	if (rc == 0 && !means->eager)
		rc = try_passphrase(&o, e);
	if (rc == 0) {
		gg_vault_list(s, &list);
		rc = gg_error_set(e, -EACCES, "%s is sealed (it opens by %s): %s", data_dir,
			gg_buf_text(&list),
			o.failures.len ? gg_buf_text(&o.failures) : "there is nothing to open it with");
	}
	gg_buf_done(&o.failures);
	return rc == 1 ? 0 : rc;
}

int gg_vault_open_folder(const char *data_dir, const struct gg_vault_means *means,
	struct gg_vault_key *ret_key, struct gg_error *e)
{
	struct gg_slots s;
	uint8_t root[GG_SEAL_KEY];
	int rc = gg_vault_file_read(data_dir, &s, e);
	if (rc == -ENOENT) {
		*ret_key = (struct gg_vault_key){0};
		return 0;
	}
	if (rc == 0)
		rc = gg_vault_unwrap(data_dir, &s, means, root, e);
	if (rc == 0) {
		ret_key->sealed = true;
		memcpy(ret_key->root, root, sizeof root);
	}
	OPENSSL_cleanse(root, sizeof root);
	return rc;
}

/* ---- entering slots ---- */

static uint64_t next_number(const struct gg_slots *s)
{
	uint64_t highest = 0;
	for (size_t i = 0; i < s->count; i++)
		if (s->items[i].number > highest)
			highest = s->items[i].number;
	return highest + 1;
}

int gg_vault_enter_slot(struct gg_slots *s, struct gg_slot *slot, const uint8_t key[GG_SEAL_KEY],
	const uint8_t root[GG_SEAL_KEY], struct gg_error *e)
{
	if (s->count == GG_SLOTS)
		return gg_error_set(
			e, -ENOSPC, "all %d slots are taken; 'ganglion vault remove' makes room", GG_SLOTS);
	slot->number = next_number(s);
	int rc = gg_wrap_shut(s, slot, key, root);
	if (rc < 0)
		return gg_error_set(e, rc, "wrapping the key failed: %s", strerror(-rc));
	s->items[s->count++] = *slot;
	return 0;
}

int gg_vault_enter(struct gg_slots *s, const struct gg_site_encryption *o, const uint8_t root[GG_SEAL_KEY],
	struct gg_error *e)
{
	struct gg_slot slot;
	uint8_t key[GG_SEAL_KEY];
	int rc = gg_way_make(o, &slot, key, e);
	if (rc == 0)
		rc = gg_vault_enter_slot(s, &slot, key, root, e);
	OPENSSL_cleanse(key, sizeof key);
	return rc;
}
