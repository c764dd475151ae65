/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device registry in the catalog: a row per entry, its kind of credential in words. A password's
 * credential is its hash and, behind a blank, its SCRAM verifier if it has one.
 */
#include "devices/registry.h"
#include "gateway/gateway.h"
#include "store/catalog.h"

enum { MOST = 100000 };

char gg_scram_secret[GG_SCRAM_NONCE + 1];

static int keep(void *arg, struct gg_str id, const struct gg_registered *entry)
{
	if (!entry)
		return gg_catalog_remove_device(arg, id);
	const char *kind = entry->password[0]   ? "password"
			   : entry->token[0]    ? "token"
			   : entry->certificate ? "certificate"
						: "none";
	char credential[GG_PASSWORD_HASH + GG_SCRAM_TEXT];
	snprintf(credential, sizeof credential, "%s%s%s", entry->password, entry->scram[0] ? " " : "",
		entry->scram);
	struct gg_device_row row = {.id = id,
		.title = GG_STR(""),
		.labels_json = entry->application ? GG_STR("{\"application\":true}") : GG_STR("{}"),
		.credential_kind = gg_str(kind),
		.credential = gg_str(entry->password[0] ? credential : entry->token),
		.created_ns = entry->created_ns,
		.enabled = entry->enabled};
	return gg_catalog_put_device(arg, &row);
}

static void load(void *arg, const struct gg_device_row *row)
{
	struct gg_registered entry = {.enabled = row->enabled, .created_ns = row->created_ns};
	(void)arg;
	entry.id = gg_str_dup(row->id);
	if (gg_str_is(row->credential_kind, "password")) {
		struct gg_str verifier = row->credential, hash = gg_str_cut(&verifier, ' ');
		gg_str_copy(entry.password, sizeof entry.password, hash);
		gg_str_copy(entry.scram, sizeof entry.scram, verifier);
	}
	if (gg_str_is(row->credential_kind, "token"))
		gg_str_copy(entry.token, sizeof entry.token, row->credential);
	entry.certificate = gg_str_is(row->credential_kind, "certificate");
	entry.application = gg_str_is(row->labels_json, "{\"application\":true}");
	if (!entry.id || gg_registry_load(&gg_registry, &entry) < 0)
		gg_log(GG_ERROR, "devices", "a device could not be loaded", GG_SV("device", row->id));
	free(entry.id);
}

/* What makes the answers to unknown names: it must outlive the process, or a restart would tell them apart.
 */
static int open_secret(struct gg_catalog *c)
{
	int rc = gg_catalog_get_meta(c, "scram-secret", gg_scram_secret, sizeof gg_scram_secret);
	if (rc == 0 && strlen(gg_scram_secret) == GG_SCRAM_NONCE)
		return 0;
	rc = gg_scram_nonce(gg_scram_secret);
	return rc < 0 ? rc : gg_catalog_put_meta(c, "scram-secret", gg_str(gg_scram_secret));
}

int gg_registry_open(struct gg_catalog *c, struct gg_error *e)
{
	if (open_secret(c) < 0)
		gg_log(GG_WARN, "devices",
			"no secret could be kept: names can be told apart by SCRAM after a restart");
	gg_registry = (struct gg_registry){.keep = keep, .arg = c};
	int rc = gg_catalog_devices(c, GG_STR(""), MOST, load, NULL);
	return rc < 0 ? gg_error_set(e, rc, "the device registry can't be read: %s", strerror(-rc)) : 0;
}

void gg_registry_close(void)
{
	gg_registry_done(&gg_registry);
	gg_gateway_forget_logins();
}
