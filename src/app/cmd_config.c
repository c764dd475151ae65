/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `ganglion config`: the configuration in force, what a file would change, applying it, and going back. What
 * only looks works without a gateway too, from the revisions kept in the data folder.
 */
#include "app/client.h"
#include "app/components.h"
#include "app/config_reference.h"
#include "app/problems.h"
#include "app/table.h"
#include "app/unseal.h"
#include "app/when.h"
#include "core/revisions.h"
#include "core/value.h"

#include <sys/stat.h>

enum { OUT_MAX = 64 << 20, FILE_MAX = 8 << 20, PLACE = 300 };

/* ---- show ---- */

static int json_to_yaml(struct gg_str json, struct gg_buf *to)
{
	static const struct gg_environment none = {.no_files = true};
	struct gg_arena arena GG_CLEANUP(gg_arena_done) = GG_ARENA(GG_CONFIG_MEMORY);
	struct gg_problems problems = {0};
	struct gg_value *v = NULL;
	int rc = gg_value_parse(&arena, "answer", json, &none, &problems, &v);
	if (rc == 0)
		gg_value_to_yaml(v, to);
	gg_problems_done(&problems);
	return rc;
}

static int print_in_force(const struct gg_args *args, struct gg_reply *r)
{
	struct gg_buf out GG_CLEANUP(gg_buf_done) = GG_BUF(OUT_MAX);
	struct gg_str config;
	if (args->json) {
		fputs(gg_buf_text(&r->body), stdout);
		return 0;
	}
	if (gg_json_pointer(gg_buf_view(&r->body), GG_STR("/config"), &config) < 0 ||
		json_to_yaml(config, &out) < 0)
		return gg_cli_failed(args, "the answer of the gateway can't be read");
	printf("# revision %.0f, in force; secrets are not shown\n%s", gg_node_number(r->root, "revision", 0),
		gg_buf_text(&out));
	return 0;
}

static const char *variable(const void *arg, const char *name)
{
	const char *value = getenv(name);
	(void)arg;
	return value ? value : GG_SECRET_TEXT;
}

static int print_kept(const struct gg_args *args, const char *data, uint64_t number)
{
	static const struct gg_environment env = {.get = variable};
	struct gg_buf text GG_CLEANUP(gg_buf_done) = GG_BUF(OUT_MAX);
	struct gg_buf out GG_CLEANUP(gg_buf_done) = GG_BUF(OUT_MAX);
	struct gg_json_writer w = gg_json_writer(&out);
	struct gg_problems problems = {0};
	struct gg_config *config = NULL;
	struct gg_revision note;
	struct gg_error e = {0};
	gg_components_set(gg_all_components);
	if (gg_cli_unseal(args, data))
		return 1;
	if (gg_revision_read(data, number, &note, &text, &e) < 0)
		return gg_cli_failed(args, "%s", e.text);
	int rc = gg_config_load_text("revision", gg_buf_view(&text), &env, &problems, &config);
	if (rc < 0)
		gg_cli_print_problems(args, &problems);
	else
		rc = args->json ? gg_config_show_json(config, &w) : gg_config_show_yaml(config, &out);
	if (rc == 0 && !args->json)
		printf("# revision %llu, kept in %s; secrets are not shown\n",
			(unsigned long long)note.number, data);
	if (rc == 0)
		puts(gg_buf_text(&out));
	gg_problems_done(&problems);
	gg_config_free(config);
	return rc < 0 ? 1 : 0;
}

static int show(const struct gg_args *args)
{
	char data[GG_DATA_DIR];
	uint64_t number = 0;
	struct gg_reply r;
	if (args->word_count && gg_parse_uint(gg_str(args->words[0]), &number) < 0)
		return gg_cli_wrong(
			args, "show: expected the number of a revision, got '%s'", args->words[0]);
	struct gg_client *c = gg_client_try(args, data);
	if (!c && data[0])
		return print_kept(args, data, number);
	if (!c && !(c = gg_client_open(args)))
		return 1;
	char path[64] = "/api/v1/config";
	if (number)
		snprintf(path, sizeof path, "/api/v1/revisions/%llu", (unsigned long long)number);
	int rc = gg_client_call(c, "GET", path, GG_STR(""), NULL, &r);
	if (rc == 0)
		rc = print_in_force(args, &r);
	gg_reply_done(&r);
	gg_client_close(c);
	return rc;
}

/* ---- a file and what it would change ---- */

static int read_file(const struct gg_args *args, const char *path, struct gg_buf *to)
{
	char part[8192];
	FILE *f = fopen(path, "re");
	if (!f)
		return gg_cli_failed(args, "%s: %s", path, strerror(errno));
	for (size_t n; (n = fread(part, 1, sizeof part, f)) > 0;)
		gg_buf_add(to, part, n);
	bool bad = ferror(f);
	fclose(f);
	return bad || to->error ? gg_cli_failed(args, "%s can't be read, or is larger than 8 MiB", path) : 0;
}

/* A file alone goes as it stands, so that mistakes have its lines; with a conf.d beside it they go as one. */
static int read_config(const struct gg_args *args, const char *path, struct gg_buf *to)
{
	char beside[GG_DATA_DIR];
	struct stat st;
	struct gg_config *config = NULL;
	const char *slash = strrchr(path, '/');
	snprintf(beside, sizeof beside, "%.*sconf.d", slash ? (int)(slash - path) + 1 : 0, path);
	if (stat(beside, &st) != 0)
		return read_file(args, path, to);
	if (gg_cli_load_config(args, path, &config) < 0)
		return 1;
	gg_config_text(config, to);
	gg_config_free(config);
	return to->error ? gg_cli_failed(args, "out of memory") : 0;
}

static void print_problem(const char *path, const struct gg_node *p)
{
	struct gg_buf line GG_CLEANUP(gg_buf_done) = GG_BUF(8192);
	struct gg_str file = gg_node_text(p, "file");
	bool here = file.len == 0 || gg_str_is(file, "body");
	gg_text_clean(&line, here ? gg_str(path) : file, false);
	if (gg_node_number(p, "line", 0) > 0)
		gg_buf_printf(
			&line, ":%.0f:%.0f", gg_node_number(p, "line", 0), gg_node_number(p, "column", 0));
	gg_buf_str(&line, GG_STR(": "));
	gg_text_clean(&line, gg_node_text(p, "text"), false);
	fprintf(stderr, "%s\n", gg_buf_text(&line));
}

static void print_change(const struct gg_node *n)
{
	struct gg_str change = gg_node_text(n, "change"), name = gg_node_text(n, "name");
	bool added = gg_str_is(change, "added"), removed = gg_str_is(change, "removed");
	struct gg_buf line GG_CLEANUP(gg_buf_done) = GG_BUF(4096);
	gg_buf_char(&line, added ? '+' : removed ? '-' : '~');
	gg_buf_char(&line, ' ');
	gg_text_clean(&line, gg_node_text(n, "section"), false);
	if (name.len)
		gg_buf_char(&line, '.');
	gg_text_clean(&line, name, false);
	if (!added && !removed)
		gg_buf_str(&line, gg_str_is(change, "live") ? GG_STR("  (while it runs)")
							    : GG_STR("  (is started anew)"));
	puts(gg_buf_text(&line));
}

static int tell_check(const struct gg_args *args, const char *path, struct gg_reply *r)
{
	const struct gg_node *problems = gg_node_get(r->root, "problems"),
			     *changes = gg_node_get(r->root, "changes");
	bool good = gg_node_true(r->root, "good");
	if (args->json) {
		fputs(gg_buf_text(&r->body), stdout);
		return good ? 0 : 1;
	}
	for (const struct gg_node *p = problems ? problems->first : NULL; p; p = p->next)
		print_problem(path, p);
	for (const struct gg_node *n = changes ? changes->first : NULL; n; n = n->next)
		print_change(n);
	if (good && !args->quiet && (!changes || !changes->first))
		puts("no difference");
	return good ? 0 : 1;
}

static int send_file(const struct gg_args *args, struct gg_client *c, const char *method, const char *path,
	struct gg_reply *r)
{
	struct gg_buf text GG_CLEANUP(gg_buf_done) = GG_BUF(FILE_MAX);
	*r = (struct gg_reply){0};
	int rc = read_config(args, args->words[0], &text);
	if (rc == 0 && text.len == 0)
		rc = gg_cli_failed(args, "%s is empty", args->words[0]);
	return rc ? rc : gg_client_call(c, method, path, gg_buf_view(&text), "application/yaml", r);
}

static int diff(const struct gg_args *args)
{
	struct gg_reply r;
	struct gg_client *c = gg_client_open(args);
	if (!c)
		return 1;
	int rc = send_file(args, c, "POST", "/api/v1/config/check", &r);
	if (rc == 0)
		rc = tell_check(args, args->words[0], &r);
	gg_reply_done(&r);
	gg_client_close(c);
	return rc;
}

/* ---- changing ---- */

static void tell_applied(const struct gg_args *args, struct gg_reply *r)
{
	if (args->json) {
		fputs(gg_buf_text(&r->body), stdout);
		return;
	}
	struct gg_str why = gg_node_text(r->root, "not_saved_because");
	if (!args->quiet)
		printf("in force as revision %.0f; 'ganglion config rollback N' goes back\n",
			gg_node_number(r->root, "revision", 0));
	if (why.len)
		fprintf(stderr, "note: it does not survive a restart of the gateway: %.*s\n",
			GG_STR_ARG(why));
}

static int apply(const struct gg_args *args)
{
	struct gg_reply r;
	struct gg_client *c = gg_client_open(args);
	if (!c)
		return 1;
	int rc = send_file(args, c, "POST", "/api/v1/config/check", &r);
	if (rc == 0 && (!args->json || !gg_node_true(r.root, "good")))
		rc = tell_check(args, args->words[0], &r);
	gg_reply_done(&r);
	if (rc == 0) {
		rc = send_file(args, c, "PUT", "/api/v1/config", &r);
		if (rc == 0)
			tell_applied(args, &r);
		gg_reply_done(&r);
	} else {
		fprintf(stderr, "the configuration in force stays\n");
	}
	gg_client_close(c);
	return rc;
}

static int rollback(const struct gg_args *args)
{
	char path[96];
	uint64_t number;
	struct gg_reply r;
	if (gg_parse_uint(gg_str(args->words[0]), &number) < 0 || number == 0)
		return gg_cli_wrong(
			args, "rollback: expected the number of a revision ('ganglion config history')");
	snprintf(path, sizeof path, "/api/v1/revisions/%llu/rollback", (unsigned long long)number);
	struct gg_client *c = gg_client_open(args);
	if (!c)
		return 1;
	int rc = gg_client_call(c, "POST", path, GG_STR(""), NULL, &r);
	if (rc == 0)
		tell_applied(args, &r);
	gg_reply_done(&r);
	gg_client_close(c);
	return rc;
}

/* ---- history ---- */

static const struct gg_column history_columns[] = {{.title = "REVISION", .right = true}, {.title = "SINCE"},
	{.title = "WHO"}, {.title = "WHY"}, {.title = ""}};

static void print_table(struct gg_table *t)
{
	struct gg_buf out GG_CLEANUP(gg_buf_done) = GG_BUF(GG_TABLE_BYTES);
	gg_table_write(t, gg_cli_table_width(), gg_cli_colour(), &out);
	fputs(gg_buf_text(&out), stdout);
	gg_table_done(t);
}

static void print_history(const struct gg_node *all)
{
	struct gg_table t;
	char time[GG_TIME_TEXT];
	gg_table_init(&t, history_columns, GG_COUNT(history_columns));
	for (const struct gg_node *n = all ? all->first : NULL; n; n = n->next) {
		gg_table_cell(&t, gg_node_text(n, "number"));
		gg_table_cell(&t, gg_str(gg_when_short(time, gg_node_time(n, "time"), 0)));
		gg_table_cell(&t, gg_node_text(n, "who"));
		gg_table_cell(&t, gg_node_text(n, "why"));
		gg_table_cell(&t, gg_str(gg_node_true(n, "in_force")   ? "in force"
					  : gg_node_true(n, "damaged") ? "damaged"
								       : ""));
	}
	print_table(&t);
}

static int kept_history(const struct gg_args *args, const char *data)
{
	struct gg_buf out GG_CLEANUP(gg_buf_done) = GG_BUF(OUT_MAX);
	struct gg_json_writer w = gg_json_writer(&out);
	struct gg_revision *all = NULL;
	struct gg_error e = {0};
	struct gg_table t;
	size_t count = 0;
	char time[GG_TIME_TEXT];
	if (gg_cli_unseal(args, data))
		return 1;
	if (gg_revisions_list(data, &all, &count, &e) < 0)
		return gg_cli_failed(args, "%s", e.text);
	gg_table_init(&t, history_columns, GG_COUNT(history_columns));
	gg_json_begin_object(&w);
	gg_json_key(&w, GG_STR("revisions"));
	gg_json_begin_array(&w);
	for (size_t i = count; i-- > 0;) {
		gg_json_begin_object(&w);
		gg_json_put_int(&w, "number", (int64_t)all[i].number);
		gg_json_put_time(&w, "time", all[i].time_ns);
		gg_json_put_str(&w, "who", gg_str(all[i].who));
		gg_json_put_str(&w, "why", gg_str(all[i].why));
		gg_json_end_object(&w);
		gg_table_cellf(&t, "%llu", (unsigned long long)all[i].number);
		gg_table_cell(&t, gg_str(gg_when_short(time, all[i].time_ns, 0)));
		gg_table_cell(&t, gg_str(all[i].who));
		gg_table_cell(&t, gg_str(all[i].why));
		gg_table_cell(&t, gg_str(all[i].damaged ? "damaged" : ""));
	}
	gg_json_end_array(&w);
	gg_json_end_object(&w);
	free(all);
	if (args->json) {
		puts(gg_buf_text(&out));
		gg_table_done(&t);
	} else {
		print_table(&t);
	}
	return 0;
}

static int history(const struct gg_args *args)
{
	char data[GG_DATA_DIR];
	struct gg_reply r;
	struct gg_client *c = gg_client_try(args, data);
	if (!c && data[0])
		return kept_history(args, data);
	if (!c && !(c = gg_client_open(args)))
		return 1;
	int rc = gg_client_call(c, "GET", "/api/v1/revisions?limit=1000", GG_STR(""), NULL, &r);
	if (rc == 0 && args->json)
		fputs(gg_buf_text(&r.body), stdout);
	else if (rc == 0)
		print_history(gg_node_get(r.root, "revisions"));
	gg_reply_done(&r);
	gg_client_close(c);
	return rc;
}

int gg_cmd_config(const struct gg_args *args)
{
	static const struct gg_verb verbs[] = {{"show", "[N]", 0, 1, show}, {"diff", "FILE", 1, 1, diff},
		{"apply", "FILE", 1, 1, apply}, {"history", "", 0, 0, history},
		{"rollback", "N", 1, 1, rollback}, {"schema", "", 0, 0, gg_config_schema},
		{"reference", "[COMPONENT]", 0, 1, gg_config_reference}, {0}};
	return gg_cli_verb(args, verbs);
}
