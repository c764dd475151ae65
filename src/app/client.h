/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands' way to a gateway at work: HTTP over libcurl, through the socket in the data folder of a
 * gateway on this machine (who may open that file is the administrator), or with --gateway URL to one
 * elsewhere, with a token. What goes wrong is told once, with what to do about it.
 *
 * The data folder: --data, $GANGLION_DATA, or the first of ./ganglion-data, ./site-data and /var/lib/ganglion
 * where a gateway is at work. The token: --token-file, or $GANGLION_TOKEN. Thread: main.
 */
#ifndef GG_APP_CLIENT_H
#define GG_APP_CLIENT_H

#include "app/cli.h"
#include "app/node.h"
#include "base/sink.h"

enum { GG_ANSWER_BYTES = 256 << 20, GG_DATA_DIR = 4096 };

/* Rows for a command's table of flags. */
#define GG_DATA_FLAG                                                                                         \
	{                                                                                                    \
		"data", GG_FLAG_TEXT, "DIR", "data folder of the gateway on this machine (default: found)"   \
	}
#define GG_CLIENT_FLAGS                                                                                      \
	GG_DATA_FLAG, {"gateway", GG_FLAG_TEXT, "URL", "a gateway elsewhere: https://10.0.0.5:8443"},        \
		{"token-file", GG_FLAG_TEXT, "FILE", "its token (default: $GANGLION_TOKEN)"},                \
	{                                                                                                    \
		"ca", GG_FLAG_TEXT, "FILE", "its certificate, or the authority's that signed it"             \
	}

struct gg_client;

struct gg_reply {
	int status;
	struct gg_buf body;
	struct gg_arena arena;
	struct gg_node *root; /* of a JSON body, else NULL */
};

/* Errors are printed: returns NULL then. */
struct gg_client *gg_client_open(const struct gg_args *args);
void gg_client_close(struct gg_client *c);
/* The same without a word when none is at work. *ret_data: the folder, also when none is at work ("" =
 * none). */
struct gg_client *gg_client_try(const struct gg_args *args, char ret_data[GG_DATA_DIR]);
/* Does the folder's gateway answer? */
bool gg_client_is_at_work(const char *data_dir);
/* The data folder as described above; without a gateway at work the first that exists. Errors: -ENOENT. */
int gg_client_find_data(const struct gg_args *args, char ret_data[GG_DATA_DIR]);

/*
 * One request. path begins with /; body may be empty; media NULL = application/json. Errors are printed,
 * those of the API too: returns 0 on success, else an exit status. r is filled in both cases;
 * gg_reply_done().
 */
int gg_client_call(struct gg_client *c, const char *method, const char *path, struct gg_str body,
	const char *media, struct gg_reply *r);
void gg_reply_done(struct gg_reply *r);
/* One whose answer is long: its bytes go to sink as they come. Ends early when gg_cli_interrupted(). Errors
 * are printed: returns an exit status. */
int gg_client_pour(struct gg_client *c, const char *method, const char *path, struct gg_str body,
	const struct gg_sink *sink);
/* The last answer's code word, "" when it was none of the API's problems. */
const char *gg_client_code(const struct gg_client *c);

/* Adds s with all but letters, digits and -._~/ as %XX. */
void gg_url_escape(struct gg_buf *to, struct gg_str s);
/* "?name=value" or "&name=value". */
void gg_url_param(struct gg_buf *path, const char *name, struct gg_str value);
/* The time of an option as a parameter; when the option is not given: otherwise, or nothing when that is
 * NULL. Returns 0 or what the command ends with, told already. */
int gg_url_time(const struct gg_args *args, struct gg_buf *path, const char *option, const char *name,
	const char *otherwise);

#endif
