/* SPDX-License-Identifier: Apache-2.0 */
/* See vault.h: opening as the configuration says. */
#include "security/vault.h"

#include "base/log.h"
#include "security/vault_file.h"
#include "security/vault_open.h"
#include "security/vault_ways.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 + 32 };

/* ---- a folder without slots ---- */

/* Does the database lie there sealed (store/sealed_vfs.h)? Then its slots are lost, and a new key would open
 * nothing. */
static bool is_sealed(const char *data_dir, const char *name)
{
	char path[PATH_BYTES], head[4];
	snprintf(path, sizeof path, "%s/%s", data_dir, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return false;
	bool sealed = read(fd, head, sizeof head) == sizeof head && memcmp(head, "GGDB", sizeof head) == 0;
	close(fd);
	return sealed;
}

static int check_plain(const char *data_dir, struct gg_error *e)
{
	if (!is_sealed(data_dir, "catalog.db") && !is_sealed(data_dir, "history.db"))
		return 0;
	return gg_error_set(e, -ENOENT,
		"encryption: the data in %s are sealed, but %s/" GG_VAULT_FILE
		" is not there, without which no "
		"key opens them: put it back (a backup of the gateway has it). Nothing was started or "
		"changed",
		data_dir, data_dir);
}

static int make_vault(const char *data_dir, const struct gg_site_encryption *o, uint8_t ret_root[GG_SEAL_KEY],
	struct gg_error *e)
{
	struct gg_slots s = {0};
	int rc = RAND_bytes(s.vault, sizeof s.vault) == 1 && RAND_priv_bytes(ret_root, GG_SEAL_KEY) == 1
			 ? 0
			 : gg_error_set(e, -EIO, "no randomness");
	if (rc == 0)
		rc = gg_vault_enter(&s, o, ret_root, e);
	if (rc < 0) {
		gg_error_prefix(e, "encryption");
		return rc;
	}
	rc = gg_vault_file_write(data_dir, &s, e);
	if (rc == 0)
		gg_log(GG_INFO, "encryption", "a new key was made for the data folder",
			GG_S("by", gg_slot_kind_name(s.items[0].kind)),
			GG_S("advice", "'ganglion vault add-recovery' makes a second way to open it"));
	return rc;
}

/* ---- a folder with slots ---- */

static int not_named(const char *data_dir, const struct gg_slots *s, struct gg_error *e)
{
	struct gg_buf list GG_CLEANUP(gg_buf_done) = GG_BUF(4096);
	gg_vault_list(s, &list);
	return gg_error_set(e, -ENOENT,
		"encryption: the data in %s are sealed (by %s), and the configuration names no key: name it "
		"under "
		"'encryption'. Nothing was started or changed",
		data_dir, gg_buf_text(&list));
}

static int no_fit(const char *data_dir, const struct gg_slots *s, const struct gg_site_encryption *o,
	const struct gg_error *last, struct gg_error *e)
{
	struct gg_buf list GG_CLEANUP(gg_buf_done) = GG_BUF(4096);
	gg_vault_list(s, &list);
	if (last->code)
		return gg_error_set(e, last->code, "encryption: %s (%s/" GG_VAULT_FILE " has %s)", last->text,
			data_dir, gg_buf_text(&list));
	return gg_error_set(e, -EACCES,
		"encryption: %s/" GG_VAULT_FILE
		" has %s; the configuration names a %s, which is none of them: "
		"'ganglion vault rewrap' makes it one",
		data_dir, gg_buf_text(&list), gg_slot_kind_name(gg_way_kind(o)));
}

static int open_slot(const struct gg_slots *s, const struct gg_slot *slot, const struct gg_site_encryption *o,
	uint8_t ret_root[GG_SEAL_KEY], struct gg_error *e)
{
	uint8_t key[GG_SEAL_KEY];
	int rc = gg_way_open(o, slot, key, e);
	if (rc < 0)
		return rc;
	rc = gg_wrap_open(s, slot, key, ret_root);
	OPENSSL_cleanse(key, sizeof key);
	if (rc == -EACCES && slot->kind == GG_SLOT_KEY_FILE)
		gg_error_set(e, rc, "the key file %s does not fit", o->key_file);
	else if (rc == -EACCES)
		gg_error_set(e, rc, "the %s does not fit",
			slot->kind == GG_SLOT_TPM ? "TPM's key (the slot was changed)" : "passphrase");
	else if (rc < 0)
		gg_error_set(e, rc, "unwrapping the key failed: %s", strerror(-rc));
	return rc;
}

static int open_slots(const char *data_dir, const struct gg_slots *s, const struct gg_site_encryption *o,
	uint8_t ret_root[GG_SEAL_KEY], struct gg_error *e)
{
	struct gg_error last = {0};
	bool recovery = false;
	for (size_t i = 0; i < 2 * s->count; i++) { /* recovery slots last: each try of one takes its time */
		const struct gg_slot *slot = &s->items[i % s->count];
		recovery |= slot->kind == GG_SLOT_RECOVERY;
		if ((slot->kind == GG_SLOT_RECOVERY) != (i >= s->count) || !gg_way_fits(o, slot) ||
			open_slot(s, slot, o, ret_root, &last) < 0)
			continue;
		gg_log(GG_INFO, "encryption", "the data folder is sealed",
			GG_S("by", gg_slot_kind_name(slot->kind)), GG_I("slot", slot->number));
		return 0;
	}
	if (last.code && recovery && o->tpm)
		snprintf(last.text + strlen(last.text), sizeof last.text - strlen(last.text),
			"; 'ganglion vault rewrap' with the recovery key seals it anew");
	return no_fit(data_dir, s, o, &last, e);
}

/* A TPM that breaks takes the data with it. */
static void advise(const struct gg_slots *s)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->items[i].kind != GG_SLOT_TPM)
			return;
	gg_log(GG_WARN, "encryption",
		"only this machine's TPM opens the data folder and its backups; 'ganglion vault "
		"add-recovery' makes "
		"a second way");
}

int gg_vault_open(const char *data_dir, const struct gg_site_encryption *o, struct gg_vault_key *ret_key,
	struct gg_error *e)
{
	struct gg_slots s;
	uint8_t root[GG_SEAL_KEY] = {0};
	bool wanted = gg_way_kind(o) != GG_SLOT_KINDS;
	int rc = gg_vault_file_read(data_dir, &s, e);
	if (rc == -ENOENT) {
		rc = check_plain(data_dir, e);
		if (rc == 0 && wanted)
			rc = make_vault(data_dir, o, root, e);
	} else if (rc == 0) {
		rc = wanted ? open_slots(data_dir, &s, o, root, e) : not_named(data_dir, &s, e);
		if (rc == 0)
			advise(&s);
	}
	if (rc == 0) {
		*ret_key = (struct gg_vault_key){.sealed = wanted};
		memcpy(ret_key->root, root, sizeof root);
	}
	OPENSSL_cleanse(root, sizeof root);
	return rc;
}

void gg_vault_guard(struct gg_vault_key *key)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = (uintptr_t)key & ~(page - 1);
	size_t len = (uintptr_t)(key + 1) - begin;
	if (!key->sealed)
		return;
	/* Both may be refused; then it is as it was. */
	if (mlock((void *)begin, len) < 0 || madvise((void *)begin, len, MADV_DONTDUMP) < 0)
		return;
}
