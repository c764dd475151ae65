/* SPDX-License-Identifier: Apache-2.0 */
#include "app/secret.h"

#include <openssl/rand.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

enum { LETTERS = 24 };

static int read_line(const struct gg_args *args, FILE *f, const char *from, char to[GG_SECRET_MAX])
{
	if (!fgets(to, GG_SECRET_MAX, f))
		return gg_cli_failed(args, "%s: nothing to read", from);
	size_t n = strlen(to);
	bool whole = n && to[n - 1] == '\n';
	while (n && (to[n - 1] == '\n' || to[n - 1] == '\r'))
		to[--n] = '\0';
	if (!whole && n == GG_SECRET_MAX - 1)
		return gg_cli_failed(args, "%s: longer than 256 bytes", from);
	return n ? 0 : gg_cli_failed(args, "%s: empty", from);
}

/* As the terminal was; for whoever presses Ctrl-C at a prompt, too. */
static struct termios shown;

static void give_up(int number)
{
	tcsetattr(STDIN_FILENO, TCSANOW, &shown);
	_exit(128 + number);
}

/* The prompt comes last: what is typed before it is thrown away. */
int gg_secret_ask_once(const struct gg_args *args, const char *what, char to[GG_SECRET_MAX])
{
	struct termios hidden;
	if (!isatty(STDIN_FILENO))
		return read_line(args, stdin, "standard input", to);
	tcgetattr(STDIN_FILENO, &shown);
	hidden = shown;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	void (*before)(int) = signal(SIGINT, give_up);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
	fprintf(stderr, "%s: ", what);
	int rc = read_line(args, stdin, "password", to);
	tcsetattr(STDIN_FILENO, TCSADRAIN, &shown);
	signal(SIGINT, before);
	fputc('\n', stderr);
	return rc;
}

int gg_secret_ask(const struct gg_args *args, const char *what, char to[GG_SECRET_MAX])
{
	char again[GG_SECRET_MAX], prompt[200];
	int rc = gg_secret_ask_once(args, what, to);
	if (rc || !isatty(STDIN_FILENO))
		return rc;
	snprintf(prompt, sizeof prompt, "%s, once more", what);
	rc = gg_secret_ask_once(args, prompt, again);
	if (rc == 0 && strcmp(to, again) != 0)
		rc = gg_cli_failed(args, "the two differ; nothing was changed");
	explicit_bzero(again, sizeof again);
	return rc;
}

int gg_secret_read(const struct gg_args *args, const char *path, char to[GG_SECRET_MAX])
{
	FILE *f = fopen(path, "re");
	if (!f)
		return gg_cli_failed(args, "%s: %s", path, strerror(errno));
	int rc = read_line(args, f, path, to);
	fclose(f);
	return rc;
}

int gg_secret_make(const struct gg_args *args, char to[GG_SECRET_MAX])
{
	static const char letters[] = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ0123456789-_.+=";
	const unsigned count = sizeof letters - 1; /* 64: no letter is likelier than another */
	unsigned char bytes[LETTERS];
	if (RAND_bytes(bytes, sizeof bytes) != 1)
		return gg_cli_failed(args, "no randomness");
	for (int i = 0; i < LETTERS; i++)
		to[i] = letters[bytes[i] % count];
	to[LETTERS] = '\0';
	explicit_bzero(bytes, sizeof bytes);
	return 0;
}
