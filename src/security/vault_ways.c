/* SPDX-License-Identifier: Apache-2.0 */
/* See vault_ways.h. */
#include "security/vault_ways.h"

#include "base/clock.h"
#include "security/secret_file.h"
#include "security/tpm.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

enum gg_slot_kind gg_way_kind(const struct gg_site_encryption *o)
{
	return o->key_file                           ? GG_SLOT_KEY_FILE
	       : o->passphrase || o->passphrase_file ? GG_SLOT_PASSPHRASE
	       : o->tpm                              ? GG_SLOT_TPM
						     : GG_SLOT_KINDS;
}

bool gg_way_fits(const struct gg_site_encryption *o, const struct gg_slot *slot)
{
	enum gg_slot_kind kind = gg_way_kind(o);
	return slot->kind == kind || (kind == GG_SLOT_PASSPHRASE && slot->kind == GG_SLOT_RECOVERY);
}

/* ---- key files ---- */

static int file_key(
	const char *path, const struct gg_slot *slot, uint8_t ret_key[GG_SEAL_KEY], struct gg_error *e)
{
	uint8_t bytes[GG_KEY_FILE_MAX];
	size_t len = 0;
	int rc = gg_secret_file_read(path, GG_KEY_FILE_MIN, GG_KEY_FILE_MAX, bytes, &len, e);
	if (rc == 0 && (rc = gg_wrap_key_of_file(gg_str_n(bytes, len), slot, ret_key)) < 0)
		gg_error_set(e, rc, "OpenSSL: HKDF failed");
	OPENSSL_cleanse(bytes, sizeof bytes);
	if (rc < 0)
		gg_error_prefix(e, "key file");
	return rc;
}

/* The slot says where it was, for commands that have no configuration at hand. */
static int keep_path(const char *path, struct gg_slot *slot, struct gg_error *e)
{
	char absolute[PATH_MAX];
	if (!realpath(path, absolute))
		return gg_error_set(e, -errno, "key file: %s: %s", path, strerror(errno));
	if (!gg_slot_hint_fits(gg_str(absolute)))
		return gg_error_set(e, -EINVAL,
			"key file: expected a path of at most 1023 bytes of UTF-8 without control "
			"characters");
	gg_str_copy(slot->hint, sizeof slot->hint, gg_str(absolute));
	return 0;
}

/* ---- passphrases ---- */

int gg_way_check_passphrase(struct gg_str passphrase, struct gg_error *e)
{
	if (passphrase.len >= GG_PASSPHRASE_MIN && passphrase.len <= GG_PASSPHRASE_MAX)
		return 0;
	return gg_error_set(
		e, -EINVAL, "passphrase: expected %d to %d characters", GG_PASSPHRASE_MIN, GG_PASSPHRASE_MAX);
}

int gg_way_read_passphrase(
	const char *path, char to[GG_PASSPHRASE_MAX + 1], size_t *ret_len, struct gg_error *e)
{
	uint8_t bytes[GG_KEY_FILE_MAX];
	size_t len = 0;
	int rc = gg_secret_file_read(path, 1, sizeof bytes, bytes, &len, e);
	struct gg_str rest = gg_str_n(bytes, len);
	struct gg_str line = rc == 0 ? gg_str_cut(&rest, '\n') : GG_STR("");
	if (line.len && line.p[line.len - 1] == '\r')
		line.len--;
	if (rc == 0 && (line.len == 0 || line.len > GG_PASSPHRASE_MAX))
		rc = gg_error_set(e, -EINVAL, "%s: expected a first line of 1 to %d characters", path,
			GG_PASSPHRASE_MAX);
	if (rc == 0) {
		gg_str_copy(to, GG_PASSPHRASE_MAX + 1, line);
		*ret_len = line.len;
	} else {
		gg_error_prefix(e, "passphrase file");
	}
	OPENSSL_cleanse(bytes, sizeof bytes);
	return rc;
}

static int passphrase_key(
	struct gg_str text, const struct gg_slot *slot, uint8_t ret_key[GG_SEAL_KEY], struct gg_error *e)
{
	int rc = gg_wrap_key_of_passphrase(text, slot, ret_key);
	if (rc == -EINVAL)
		return gg_error_set(e, rc, "passphrase: expected at most %d characters", GG_PASSPHRASE_MAX);
	return rc < 0 ? gg_error_set(e, rc, "passphrase: out of memory") : 0;
}

/* fresh: it is to seal something new, so it has to be long enough. */
static int configured_passphrase(const struct gg_site_encryption *o, const struct gg_slot *slot, bool fresh,
	uint8_t ret_key[GG_SEAL_KEY], struct gg_error *e)
{
	char line[GG_PASSPHRASE_MAX + 1];
	struct gg_str text = gg_str(o->passphrase);
	size_t len = 0;
	int rc = o->passphrase ? 0 : gg_way_read_passphrase(o->passphrase_file, line, &len, e);
	if (rc == 0 && !o->passphrase)
		text = gg_str_n(line, len);
	if (rc == 0 && fresh)
		rc = gg_way_check_passphrase(text, e);
	if (rc == 0)
		rc = passphrase_key(text, slot, ret_key, e);
	OPENSSL_cleanse(line, sizeof line);
	return rc;
}

/* ---- TPM ---- */

static int seal_in_tpm(const struct gg_site_encryption *o, struct gg_slot *slot, uint8_t ret_key[GG_SEAL_KEY],
	struct gg_error *e)
{
	if (gg_site_encryption_pcrs(o, &slot->pcrs) < 0)
		return gg_error_set(e, -EINVAL, "expected numbers of PCRs from 0 to 23");
	if (!gg_slot_hint_fits(gg_str(o->tpm)))
		return gg_error_set(e, -EINVAL, "tpm: expected a text of at most 1023 bytes");
	gg_str_copy(slot->hint, sizeof slot->hint, gg_str(o->tpm));
	if (RAND_priv_bytes(ret_key, GG_SEAL_KEY) != 1)
		return gg_error_set(e, -EIO, "no randomness");
	return gg_tpm_seal(slot, ret_key, e);
}

/* Who names PCRs relies on them, so a slot that does not ask for them is none of this configuration's. */
static int open_in_tpm(const struct gg_site_encryption *o, const struct gg_slot *slot,
	uint8_t ret_key[GG_SEAL_KEY], struct gg_error *e)
{
	struct gg_buf has GG_CLEANUP(gg_buf_done) = GG_BUF(200);
	uint32_t pcrs = 0;
	if (gg_site_encryption_pcrs(o, &pcrs) < 0 || pcrs == slot->pcrs)
		return gg_tpm_unseal(slot, o->tpm, ret_key, e);
	gg_pcrs_text(slot->pcrs, &has);
	return gg_error_set(e, -EACCES,
		"the TPM's slot is bound to %s%s, the configuration says otherwise: 'ganglion vault rewrap' "
		"makes "
		"it so",
		slot->pcrs ? "PCRs " : "no PCRs", gg_buf_text(&has));
}

int gg_way_open_tpm(const struct gg_slot *slot, uint8_t ret_key[GG_SEAL_KEY], struct gg_error *e)
{
	return gg_tpm_unseal(slot, NULL, ret_key, e);
}

/* ---- slots ---- */

static int begin_slot(enum gg_slot_kind kind, struct gg_slot *slot, struct gg_error *e)
{
	*slot = (struct gg_slot){.kind = kind, .created_ns = gg_clock_utc(&gg_clock_system)};
	slot->created_ns -= slot->created_ns % GG_NS_PER_S;
	slot->cost = kind == GG_SLOT_RECOVERY ? gg_cost_recovery : gg_cost_passphrase;
	return RAND_bytes(slot->salt, sizeof slot->salt) == 1 ? 0 : gg_error_set(e, -EIO, "no randomness");
}

int gg_way_make(const struct gg_site_encryption *o, struct gg_slot *ret_slot, uint8_t ret_key[GG_SEAL_KEY],
	struct gg_error *e)
{
	int rc = begin_slot(gg_way_kind(o), ret_slot, e);
	if (rc < 0)
		return rc;
	if (ret_slot->kind == GG_SLOT_TPM)
		return seal_in_tpm(o, ret_slot, ret_key, e);
	if (ret_slot->kind == GG_SLOT_PASSPHRASE)
		return configured_passphrase(o, ret_slot, /* fresh= */ true, ret_key, e);
	rc = file_key(o->key_file, ret_slot, ret_key, e);
	return rc == 0 ? keep_path(o->key_file, ret_slot, e) : rc;
}

int gg_way_make_recovery(
	struct gg_str recovery, struct gg_slot *ret_slot, uint8_t ret_key[GG_SEAL_KEY], struct gg_error *e)
{
	int rc = begin_slot(GG_SLOT_RECOVERY, ret_slot, e);
	return rc == 0 ? passphrase_key(recovery, ret_slot, ret_key, e) : rc;
}

int gg_way_open(const struct gg_site_encryption *o, const struct gg_slot *slot, uint8_t ret_key[GG_SEAL_KEY],
	struct gg_error *e)
{
	if (slot->kind == GG_SLOT_TPM)
		return open_in_tpm(o, slot, ret_key, e);
	if (slot->kind == GG_SLOT_KEY_FILE)
		return file_key(o->key_file, slot, ret_key, e);
	return configured_passphrase(o, slot, /* fresh= */ false, ret_key, e);
}
