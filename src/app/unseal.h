/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening a sealed data folder for a command that reads it itself: by its key file or TPM, as the folder's
 * own slots say, or by a passphrase or recovery key: --passphrase-file, $GANGLION_PASSPHRASE, or asked at the
 * terminal. Thread: main.
 */
#ifndef GG_APP_UNSEAL_H
#define GG_APP_UNSEAL_H

#include "app/cli.h"
#include "security/vault.h"

/* Rows for a command's table of flags. */
#define GG_UNSEAL_FLAGS                                                                                      \
	{"key-file", GG_FLAG_TEXT, "FILE",                                                                   \
		"opens a sealed folder (default: where it was when it was sealed)"},                         \
	{                                                                                                    \
		"passphrase-file", GG_FLAG_TEXT, "FILE",                                                     \
			"opens a sealed folder (default: $GANGLION_PASSPHRASE, or asked)"                    \
	}

struct gg_unsealing {
	const struct gg_args *args;
	const struct gg_site_encryption *configured; /* NULL: no configuration at hand */
	bool ask;                                    /* at the terminal, when there is one */
};

/* What there is to open a folder with; u must live as long. */
struct gg_vault_means gg_cli_means(struct gg_unsealing *u);
/* Opens the folder for the stores of this process; one that is plain needs nothing. Errors are printed: an
 * exit status. */
int gg_cli_unseal(const struct gg_args *args, const char *data);
/* The same without a word and without asking. Errors: negative errno, with a text. */
int gg_cli_unseal_quietly(struct gg_unsealing *u, const char *data, struct gg_error *e);
/* The root key of the folder that was opened; NULL: it is plain. */
const uint8_t *gg_cli_root(void);

#endif
