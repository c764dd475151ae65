/* SPDX-License-Identifier: Apache-2.0 */
/* `ganglion key`: tokens of the API. */
#include "app/client.h"
#include "app/table.h"
#include "app/when.h"

#include <unistd.h>

static struct gg_str when(char to[GG_TIME_TEXT], const struct gg_node *n, const char *key)
{
	int64_t ns = gg_node_time(n, key);
	return ns ? gg_str(gg_when_short(to, ns, 0)) : GG_STR("never");
}

static void print_list(const struct gg_node *all)
{
	static const struct gg_column columns[] = {{.title = "ID", .keep = true}, {.title = "ROLE"},
		{.title = "TITLE"}, {.title = "CREATED"}, {.title = "LAST USED"}, {.title = "EXPIRES"}};
	struct gg_buf out GG_CLEANUP(gg_buf_done) = GG_BUF(GG_TABLE_BYTES);
	char time[GG_TIME_TEXT];
	struct gg_table t;
	gg_table_init(&t, columns, GG_COUNT(columns));
	for (const struct gg_node *n = all ? all->first : NULL; n; n = n->next) {
		gg_table_cell(&t, gg_node_text(n, "id"));
		gg_table_cell(&t, gg_node_text(n, "role"));
		gg_table_cell(&t, gg_node_text(n, "title"));
		gg_table_cell(&t, when(time, n, "created"));
		gg_table_cell(&t, when(time, n, "last_used"));
		gg_table_cell(&t, when(time, n, "expires"));
	}
	gg_table_write(&t, gg_cli_table_width(), gg_cli_colour(), &out);
	fputs(gg_buf_text(&out), stdout);
	gg_table_done(&t);
}

static int list(const struct gg_args *args)
{
	struct gg_reply r;
	struct gg_client *c = gg_client_open(args);
	int rc = c ? gg_client_call(c, "GET", "/api/v1/tokens", GG_STR(""), NULL, &r) : 1;
	if (rc == 0 && args->json)
		fputs(gg_buf_text(&r.body), stdout);
	else if (rc == 0)
		print_list(gg_node_get(r.root, "tokens"));
	if (c)
		gg_reply_done(&r);
	gg_client_close(c);
	return rc;
}

static void print_made(const struct gg_args *args, struct gg_reply *r)
{
	struct gg_str token = gg_node_text(r->root, "token"), role = gg_node_text(r->root, "role"),
		      id = gg_node_text(r->root, "id");
	if (args->json) {
		fputs(gg_buf_text(&r->body), stdout);
		return;
	}
	printf("%.*s\n", GG_STR_ARG(token));
	if (!args->quiet)
		fprintf(stderr,
			"This token (%.*s, id %.*s) is shown this once. 'ganglion key revoke %.*s' takes it "
			"away.\n",
			GG_STR_ARG(role), GG_STR_ARG(id), GG_STR_ARG(id));
}

static int create(const struct gg_args *args)
{
	struct gg_buf body GG_CLEANUP(gg_buf_done) = GG_BUF(64 << 10);
	struct gg_json_writer w = gg_json_writer(&body);
	const char *role = gg_arg(args, "role"), *title = gg_arg(args, "title"), *user = getenv("USER");
	struct gg_reply r;
	char made[200];
	if (!role)
		return gg_cli_wrong(
			args, "say with --role what it may do: viewer, operator or administrator");
	snprintf(made, sizeof made, "made by %.80s on the command line", user && *user ? user : "somebody");
	gg_json_begin_object(&w);
	gg_json_put_str(&w, "title", gg_str(title ? title : made));
	gg_json_put_str(&w, "role", gg_str(role));
	if (gg_arg(args, "expires"))
		gg_json_put_str(&w, "expires", gg_str(gg_arg(args, "expires")));
	gg_json_end_object(&w);
	struct gg_client *c = gg_client_open(args);
	int rc = c ? gg_client_call(c, "POST", "/api/v1/tokens", gg_buf_view(&body), NULL, &r) : 1;
	if (rc == 0)
		print_made(args, &r);
	if (c)
		gg_reply_done(&r);
	gg_client_close(c);
	return rc;
}

static int take_away(const struct gg_args *args)
{
	struct gg_buf path GG_CLEANUP(gg_buf_done) = GG_BUF(4096);
	struct gg_reply r;
	gg_buf_str(&path, GG_STR("/api/v1/tokens/"));
	gg_url_escape(&path, gg_str(args->words[0]));
	struct gg_client *c = gg_client_open(args);
	int rc = c ? gg_client_call(c, "DELETE", gg_buf_text(&path), GG_STR(""), NULL, &r) : 1;
	if (rc == 0 && args->json)
		puts("{\"revoked\":true}");
	else if (rc == 0 && !args->quiet)
		printf("%s is revoked\n", args->words[0]);
	if (c)
		gg_reply_done(&r);
	gg_client_close(c);
	return rc;
}

int gg_cmd_key(const struct gg_args *args)
{
	static const struct gg_verb verbs[] = {{"list", "", 0, 0, list}, {"create", "", 0, 0, create},
		{"revoke", "ID", 1, 1, take_away}, {0}};
	return gg_cli_verb(args, verbs);
}
