/* SPDX-License-Identifier: Apache-2.0 */
/* See vault.h. */
#include "security/vault.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

int gg_vault_open(const char *data_dir, const struct gg_site_encryption *o, struct gg_vault_key *ret_key,
	struct gg_error *e)
{
	struct gg_buf text = GG_BUF(GG_SEAL_KEY + 1);
	*ret_key = (struct gg_vault_key){0};
	(void)data_dir;
	if (!o->key_file)
		return 0;
	int rc = gg_file_read(AT_FDCWD, o->key_file, GG_FILE_REGULAR, GG_SEAL_KEY, &text);
	if (rc < 0 || text.len != GG_SEAL_KEY) {
		rc = gg_error_set(e, rc < 0 ? rc : -EACCES, "encryption: %s: expected a key of %d bytes%s%s",
			o->key_file, GG_SEAL_KEY, rc < 0 ? ": " : "", rc < 0 ? strerror(-rc) : "");
	} else {
		ret_key->sealed = true;
		rc = gg_seal_derive((const uint8_t *)text.p, GG_STR("root"), ret_key->root);
	}
	gg_buf_done(&text);
	return rc;
}
