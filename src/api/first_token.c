/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first start. Nobody can be let in before somebody has a token, and a default password would let in
 * everybody; so the first start makes a token and leaves it in a file that only the owner can read. On a
 * terminal it is also said, once; where standard error is kept (a service's log, a pipe) only the file's name
 * is. The file goes when another token is made.
 */
#include "api/tokens.h"
#include "base/log.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <unistd.h>

static const char title[] = "first start";

static const char *file_of(const char *data_dir, char *to, size_t size)
{
	snprintf(to, size, "%s/first-token", data_dir);
	return to;
}

static bool write_file(const char *path, const char *secret)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return false;
	bool ok = fchmod(fd, 0600) == 0 && dprintf(fd, "%s\n", secret) > 0 && fsync(fd) == 0;
	close(fd);
	return ok;
}

static void tell(const char *secret, const char *address, const char *path)
{
	if (isatty(STDERR_FILENO)) {
		dprintf(STDERR_FILENO,
			"\nThis is the first start: the administrator's token is\n\n    %s\n\n"
			"It opens the dashboard%s%s and the API. It is shown this once%s%s%s.\n\n",
			secret, address[0] ? " at " : "", address,
			path ? "; until you make another it is also in " : "", path ? path : "",
			path ? ", for your eyes only" : "");
	} else if (path) {
		gg_log(GG_INFO, "api",
			"this is the first start: the administrator's token is in a file, for its owner's "
			"eyes only",
			GG_S("file", path), GG_S("page", address));
	} else {
		gg_log(GG_ERROR, "api",
			"this is the first start, and nobody could be told the administrator's token: "
			"'ganglion key create' makes another, on this machine as the service's user");
	}
}

int gg_first_token(const char *data_dir, const char *address, struct gg_error *e)
{
	char secret[GG_TOKEN_TEXT], path[4200];
	const struct gg_token_entry *entry;
	if (gg_tokens_count())
		return 0;
	int rc = gg_tokens_make(
		gg_str(title), GG_ROLE_ADMINISTRATOR, /* expires_ns= */ 0, NULL, secret, &entry, e);
	if (rc < 0)
		return rc;
	file_of(data_dir, path, sizeof path);
	bool kept = write_file(path, secret);
	if (!kept)
		gg_log(GG_WARN, "api", "the first token could not be kept in its file, continuing without",
			GG_S("file", path), GG_S("reason", strerror(errno)));
	tell(secret, address, kept ? path : NULL);
	OPENSSL_cleanse(secret, sizeof secret);
	return 0;
}

bool gg_tokens_fresh(void)
{
	const struct gg_token_entry *t = gg_tokens_first();
	return !t || (!t->next && t->used_ns == 0 && strcmp(t->title, title) == 0);
}

void gg_first_token_forget(const char *data_dir)
{
	char path[4200];
	unlink(file_of(data_dir, path, sizeof path));
}
