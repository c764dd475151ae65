/* SPDX-License-Identifier: Apache-2.0 */
/* `ganglion history`: deleting what was recorded, for good. */
#include "app/client.h"

#include <unistd.h>

enum { PATH_MAX_BYTES = 16 << 10 };

/* Nobody deletes by a slip: on a terminal it asks, elsewhere it wants --yes. */
static bool is_sure(const struct gg_args *args, const char *select)
{
	char line[16];
	if (gg_arg(args, "yes"))
		return true;
	if (!isatty(STDIN_FILENO))
		return false;
	fprintf(stderr, "Delete what was recorded of '%s', for good? Type yes: ", select);
	return fgets(line, sizeof line, stdin) && strcmp(line, "yes\n") == 0;
}

static void show(const struct gg_args *args, const struct gg_reply *r)
{
	if (args->json) {
		fwrite(r->body.p, 1, r->body.len, stdout);
		return;
	}
	struct gg_str samples = gg_node_text(r->root, "samples"), signals = gg_node_text(r->root, "signals"),
		      journal = gg_node_text(r->root, "journal_samples");
	printf("%.*s samples of %.*s signals are deleted from the history, %.*s from the journal\n",
		GG_STR_ARG(samples), GG_STR_ARG(signals), GG_STR_ARG(journal));
	if (!gg_node_true(r->root, "clean"))
		printf("A reader holds the history's file: its bytes go when the command is given again.\n");
}

static int delete_some(const struct gg_args *args)
{
	struct gg_buf path GG_CLEANUP(gg_buf_done) = GG_BUF(PATH_MAX_BYTES);
	struct gg_reply r;
	const char *select = gg_arg(args, "select");
	if (!select)
		return gg_cli_wrong(args, "--select is missing: which signals? --select 'badge-17/*'");
	gg_buf_str(&path, GG_STR("/api/v1/history"));
	gg_url_param(&path, "select", gg_str(select));
	int rc = gg_url_time(args, &path, "from", "from", NULL);
	if (rc == 0)
		rc = gg_url_time(args, &path, "to", "to", NULL);
	if (rc)
		return rc;
	if (!is_sure(args, select))
		return gg_cli_failed(args, "nothing was deleted; --yes does it without asking");
	struct gg_client *c = gg_client_open(args);
	if (!c)
		return 1;
	rc = gg_client_call(c, "DELETE", gg_buf_text(&path), GG_STR(""), NULL, &r);
	if (rc == 0)
		show(args, &r);
	gg_reply_done(&r);
	gg_client_close(c);
	return rc;
}

int gg_cmd_history(const struct gg_args *args)
{
	static const struct gg_verb verbs[] = {{"delete", "", 0, 0, delete_some}, {0}};
	if (args->word_count == 0)
		return gg_cli_wrong(args, "expected: delete");
	return gg_cli_verb(args, verbs);
}
