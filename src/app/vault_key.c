/* SPDX-License-Identifier: Apache-2.0 */
#include "app/vault_key.h"

#include "store/sealed_file.h"

const uint8_t *gg_cli_root_key(const char *data_dir, const struct gg_config *config, struct gg_error *e)
{
	static struct gg_vault_key key;
	const struct gg_site_encryption none = {0};
	int rc = gg_vault_open(data_dir, config ? &config->site.encryption : &none, &key, e);
	if (rc == 0 && key.sealed)
		rc = gg_sealed_files(key.root);
	return rc == 0 && key.sealed ? key.root : NULL;
}
