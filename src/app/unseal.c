/* SPDX-License-Identifier: Apache-2.0 */
/* See unseal.h. */
#include "app/unseal.h"

#include "app/secret.h"
#include "security/vault_ways.h"
#include "store/sql.h"

#include <openssl/crypto.h>
#include <unistd.h>

static int from_file(const char *path, char to[GG_PASSPHRASE_MAX + 1], struct gg_error *e)
{
	size_t len;
	return gg_way_read_passphrase(path, to, &len, e);
}

static int from_text(const char *text, const char *where, char to[GG_PASSPHRASE_MAX + 1], struct gg_error *e)
{
	if (gg_str_copy(to, GG_PASSPHRASE_MAX + 1, gg_str(text)) <= GG_PASSPHRASE_MAX)
		return 0;
	return gg_error_set(e, -EINVAL, "%s: longer than %d characters", where, GG_PASSPHRASE_MAX);
}

static int from_terminal(const struct gg_args *args, char to[GG_PASSPHRASE_MAX + 1], struct gg_error *e)
{
	char typed[GG_SECRET_MAX];
	int rc = gg_secret_ask_once(args, "passphrase or recovery key", typed) ? -EINVAL : 0;
	if (rc == 0)
		rc = from_text(typed, "the terminal", to, e);
	else
		gg_error_set(e, rc, "no passphrase was given");
	OPENSSL_cleanse(typed, sizeof typed);
	return rc;
}

static int passphrase(void *arg, char to[GG_PASSPHRASE_MAX + 1], struct gg_error *e)
{
	const struct gg_unsealing *u = arg;
	const char *file = gg_arg(u->args, "passphrase-file"), *text = getenv("GANGLION_PASSPHRASE");
	if (file)
		return from_file(file, to, e);
	if (text && *text)
		return from_text(text, "GANGLION_PASSPHRASE", to, e);
	if (u->configured && u->configured->passphrase)
		return from_text(u->configured->passphrase, "encryption.passphrase", to, e);
	if (u->configured && u->configured->passphrase_file)
		return from_file(u->configured->passphrase_file, to, e);
	if (u->ask && isatty(STDIN_FILENO))
		return from_terminal(u->args, to, e);
	return gg_error_set(e, -ENOENT,
		"no passphrase was given (--passphrase-file FILE, GANGLION_PASSPHRASE, or at a terminal)");
}

struct gg_vault_means gg_cli_means(struct gg_unsealing *u)
{
	const char *key_file = gg_arg(u->args, "key-file"), *text = getenv("GANGLION_PASSPHRASE");
	if (!key_file && u->configured)
		key_file = u->configured->key_file;
	return (struct gg_vault_means){.key_file = key_file,
		.passphrase = passphrase,
		.arg = u,
		.eager = gg_arg(u->args, "passphrase-file") ||
			 (text && *text && !gg_arg(u->args, "key-file"))};
}

static struct gg_vault_key opened;

/* From here on the stores that this process opens are read with the key. */
static void hand_over(struct gg_vault_key *key)
{
	opened = *key;
	gg_vault_guard(&opened);
	OPENSSL_cleanse(key, sizeof *key);
}

const uint8_t *gg_cli_root(void)
{
	return opened.sealed ? opened.root : NULL;
}

int gg_cli_unseal_quietly(struct gg_unsealing *u, const char *data, struct gg_error *e)
{
	struct gg_vault_key key = {0};
	struct gg_vault_means means = gg_cli_means(u);
	int rc = gg_vault_open_folder(data, &means, &key, e);
	if (rc == 0 && (rc = gg_sql_seal(key.sealed ? key.root : NULL)) < 0)
		gg_error_set(e, rc, "the databases' key can't be made: %s", strerror(-rc));
	if (rc == 0)
		hand_over(&key);
	return rc;
}

int gg_cli_unseal(const struct gg_args *args, const char *data)
{
	struct gg_unsealing u = {.args = args, .ask = true};
	struct gg_error e = {0};
	return gg_cli_unseal_quietly(&u, data, &e) < 0 ? gg_cli_failed(args, "%s", e.text) : 0;
}
