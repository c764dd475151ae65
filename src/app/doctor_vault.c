/* SPDX-License-Identifier: Apache-2.0 */
/* Is the data folder sealed, by what, and does it open as the configuration says? */
#include "app/doctor.h"
#include "app/unseal.h"
#include "security/vault_ways.h"

#include <sys/stat.h>
#include <unistd.h>

static void check_mode(struct gg_doctor *d)
{
	char path[GG_DATA_DIR + 16];
	struct stat st;
	snprintf(path, sizeof path, "%s/keys.json", d->data);
	if (stat(path, &st) == 0 && (st.st_mode & 0077)) {
		gg_find(d, GG_MIND, "encryption", "others may read %s and try passphrases on it elsewhere",
			path);
		gg_mend(d, "chmod 600 %s", path);
	}
}

/* Who takes the disk takes what lies on it. */
static void check_place(struct gg_doctor *d, const char *what, const char *path)
{
	struct stat key, data;
	if (stat(path, &key) != 0 || stat(d->data, &data) != 0 || key.st_dev != data.st_dev)
		return;
	gg_find(d, GG_MIND, "encryption",
		"the %s %s lies on the same file system as the data: who takes the disk has both", what,
		path);
	gg_mend(d, "keep it on another medium that stays with you or in the TPM: 'ganglion vault rewrap "
		   "--help'");
}

static bool any(const struct gg_slots *s, enum gg_slot_kind kind, bool other)
{
	for (size_t i = 0; i < s->count; i++)
		if ((s->items[i].kind == kind) != other)
			return true;
	return false;
}

static void check_slots(struct gg_doctor *d, const struct gg_slots *s)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->items[i].kind == GG_SLOT_KEY_FILE)
			check_place(d, "key file", s->items[i].hint);
	if (any(s, GG_SLOT_TPM, false) && !any(s, GG_SLOT_TPM, /* other= */ true)) {
		gg_find(d, GG_MIND, "encryption",
			"only this machine's TPM opens the data and their backups: a broken board or new "
			"firmware "
			"takes them away");
		gg_mend(d, "ganglion vault add-recovery --data %s", d->data);
	}
}

static void check_config(struct gg_doctor *d, const struct gg_slots *s)
{
	const struct gg_site_encryption *o = d->config ? &d->config->site.encryption : NULL;
	bool fits = false;
	if (!o)
		return;
	if (o->passphrase_file)
		check_place(d, "passphrase file", o->passphrase_file);
	for (size_t i = 0; i < s->count; i++)
		fits |= gg_way_fits(o, &s->items[i]);
	if (gg_way_kind(o) == GG_SLOT_KINDS) {
		gg_find(d, GG_WRONG, "encryption", "%s is sealed, and the configuration names no key",
			d->data);
		gg_mend(d, "name it under 'encryption'; 'ganglion vault' shows what opens the folder");
	} else if (!fits) {
		gg_find(d, GG_WRONG, "encryption", "the configuration names a %s, which does not open %s",
			gg_slot_kind_name(gg_way_kind(o)), d->data);
		gg_mend(d, "'ganglion vault rewrap --config FILE' makes it open that way");
	}
}

static void tell_plain(struct gg_doctor *d)
{
	bool wanted = d->config && gg_way_kind(&d->config->site.encryption) != GG_SLOT_KINDS;
	gg_find(d, GG_FINE, "encryption",
		wanted ? "the data folder is not sealed yet; the next start seals it%s"
		       : "the data folder is not sealed%s",
		"");
}

bool gg_doctor_vault(struct gg_doctor *d)
{
	static struct gg_slots s; /* too large for the stack's taste */
	struct gg_buf kinds GG_CLEANUP(gg_buf_done) = GG_BUF(400);
	struct gg_unsealing u = {
		.args = d->args, .configured = d->config ? &d->config->site.encryption : NULL};
	struct gg_error e = {0};
	int rc = d->data[0] ? gg_vault_slots(d->data, &s, &e) : -ENOENT;
	if (rc == -ENOENT) {
		tell_plain(d);
		return true;
	}
	if (rc < 0) {
		gg_find(d, GG_WRONG, "encryption", "%s", e.text);
		gg_mend(d, "put keys.json back from a backup, or run this as the user the gateway runs as");
		return false;
	}
	check_mode(d);
	check_slots(d, &s);
	check_config(d, &s);
	for (size_t i = 0; i < s.count; i++)
		gg_buf_printf(&kinds, "%s%s", i ? ", " : "", gg_slot_kind_name(s.items[i].kind));
	rc = gg_cli_unseal_quietly(&u, d->data, &e);
	if (rc == 0) {
		gg_find(d, GG_FINE, "encryption", "the data folder is sealed and opens (%s)",
			gg_buf_text(&kinds));
	} else {
		gg_find(d, GG_MIND, "encryption", "what is sealed can't be looked into: %s", e.text);
		gg_mend(d, "run this as the gateway's user, and give a passphrase with --passphrase-file");
	}
	return rc == 0;
}
