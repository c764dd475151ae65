/* SPDX-License-Identifier: Apache-2.0 */
/* The device registry in the catalog: a row per entry, its kind of credential in words. */
#include "devices/registry.h"
#include "gateway/gateway.h"
#include "store/catalog.h"

enum { MOST = 100000 };

static int keep(void *arg, struct gg_str id, const struct gg_registered *entry)
{
	if (!entry)
		return gg_catalog_remove_device(arg, id);
	const char *kind = entry->password[0]   ? "password"
			   : entry->token[0]    ? "token"
			   : entry->certificate ? "certificate"
						: "none";
	struct gg_device_row row = {.id = id,
		.title = GG_STR(""),
		.labels_json = entry->application ? GG_STR("{\"application\":true}") : GG_STR("{}"),
		.credential_kind = gg_str(kind),
		.credential = gg_str(entry->password[0] ? entry->password : entry->token),
		.created_ns = entry->created_ns,
		.enabled = entry->enabled};
	return gg_catalog_put_device(arg, &row);
}

static void load(void *arg, const struct gg_device_row *row)
{
	struct gg_registered entry = {.enabled = row->enabled, .created_ns = row->created_ns};
	(void)arg;
	entry.id = gg_str_dup(row->id);
	if (gg_str_is(row->credential_kind, "password"))
		gg_str_copy(entry.password, sizeof entry.password, row->credential);
	if (gg_str_is(row->credential_kind, "token"))
		gg_str_copy(entry.token, sizeof entry.token, row->credential);
	entry.certificate = gg_str_is(row->credential_kind, "certificate");
	entry.application = gg_str_is(row->labels_json, "{\"application\":true}");
	if (!entry.id || gg_registry_load(&gg_registry, &entry) < 0)
		gg_log(GG_ERROR, "devices", "a device could not be loaded", GG_SV("device", row->id));
	free(entry.id);
}

int gg_registry_open(struct gg_catalog *c, struct gg_error *e)
{
	gg_registry = (struct gg_registry){.keep = keep, .arg = c};
	int rc = gg_catalog_devices(c, GG_STR(""), MOST, load, NULL);
	return rc < 0 ? gg_error_set(e, rc, "the device registry can't be read: %s", strerror(-rc)) : 0;
}

void gg_registry_close(void)
{
	gg_registry_done(&gg_registry);
	gg_gateway_forget_logins();
}
