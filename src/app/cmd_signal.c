/* SPDX-License-Identifier: Apache-2.0 */
/* `ganglion signal`: last values, writing, and the past as a table or a chart. */
#include "app/client.h"
#include "app/rows.h"
#include "app/table.h"
#include "app/when.h"

enum { PATH_MAX_BYTES = 16 << 10, OUT_MAX = 256 << 20 };

static void put_path(struct gg_buf *path, const char *name, const char *tail)
{
	gg_buf_str(path, GG_STR("/api/v1/signals/"));
	gg_url_escape(path, gg_str(name));
	gg_buf_str(path, gg_str(tail));
}

/* ---- list ---- */

struct listing {
	const struct gg_args *args;
	struct gg_client *client;
	const char *pattern;
};

static void value_cells(struct gg_table *t, const struct gg_node *n, int64_t now)
{
	const struct gg_node *last = gg_node_get(n, "last");
	char age[16];
	struct gg_str quality = gg_node_text(last, "quality"), reason = gg_node_text(last, "reason");
	int64_t time = gg_node_time(last, "time");
	gg_table_cell(t, last ? gg_node_text(last, "value") : GG_STR("-"));
	gg_table_cell(t, gg_node_text(n, "unit"));
	gg_table_cellf(t, "%.*s%s%.*s", GG_STR_ARG(quality), reason.len ? ": " : "", GG_STR_ARG(reason));
	gg_table_cell(t, time ? gg_str(gg_when_age(age, now - time)) : GG_STR("never"));
}

/* A page of the list; *next gets the name to go on behind, or "". */
static int one_page(struct listing *l, struct gg_table *t, struct gg_buf *json, char next[256])
{
	struct gg_buf path GG_CLEANUP(gg_buf_done) = GG_BUF(PATH_MAX_BYTES);
	struct gg_reply r;
	int64_t now = gg_clock_utc(&gg_clock_system);
	gg_buf_str(&path, GG_STR("/api/v1/signals?limit=10000"));
	if (l->pattern)
		gg_url_param(&path, "pattern", gg_str(l->pattern));
	if (next[0])
		gg_url_param(&path, "after", gg_str(next));
	int rc = gg_client_call(l->client, "GET", gg_buf_text(&path), GG_STR(""), NULL, &r);
	const struct gg_node *all = rc == 0 ? gg_node_get(r.root, "signals") : NULL;
	for (const struct gg_node *n = all && t ? all->first : NULL; n; n = n->next) {
		gg_table_cell(t, gg_node_text(n, "name"));
		value_cells(t, n, now);
	}
	if (rc == 0 && json)
		gg_buf_str(json, gg_buf_view(&r.body));
	gg_str_copy(next, 256, gg_node_text(rc == 0 ? r.root : NULL, "next"));
	gg_reply_done(&r);
	return rc;
}

static int draw_list(void *arg, struct gg_buf *to)
{
	static const struct gg_column columns[] = {{.title = "SIGNAL", .keep = true},
		{.title = "VALUE", .right = true}, {.title = "UNIT"}, {.title = "QUALITY"},
		{.title = "AGE", .right = true}};
	struct listing *l = arg;
	struct gg_table t;
	char next[256] = "";
	int rc;
	gg_table_init(&t, columns, GG_COUNT(columns));
	do {
		rc = one_page(l, &t, NULL, next);
	} while (rc == 0 && next[0]);
	if (rc == 0 && gg_table_rows(&t) == 0)
		gg_buf_printf(
			to, "no signal%s%s yet\n", l->pattern ? " like " : "", l->pattern ? l->pattern : "");
	else if (rc == 0)
		gg_table_write(&t, gg_cli_table_width(), gg_cli_colour(), to);
	gg_table_done(&t);
	return rc;
}

static int draw_json(void *arg, struct gg_buf *to)
{
	char next[256] = "";
	return one_page(arg, NULL, to, next);
}

static int show_or_watch(const struct gg_args *args, int (*draw)(void *arg, struct gg_buf *to), void *arg)
{
	struct gg_buf out GG_CLEANUP(gg_buf_done) = GG_BUF(OUT_MAX);
	if (gg_arg(args, "watch"))
		return gg_cli_watch(1, draw, arg);
	int rc = draw(arg, &out);
	if (rc == 0)
		fputs(gg_buf_text(&out), stdout);
	return rc;
}

static int list(const struct gg_args *args)
{
	struct listing l = {args, gg_client_open(args), args->word_count ? args->words[0] : NULL};
	if (!l.client)
		return 1;
	int rc = show_or_watch(args, args->json ? draw_json : draw_list, &l);
	gg_client_close(l.client);
	return rc;
}

/* ---- one ---- */

/* The error has been told; says which name may have been meant. */
static void tell_nearest(struct gg_client *c, const char *name)
{
	struct gg_reply r;
	char near[256] = "";
	if (strcmp(gg_client_code(c), "not-found") != 0)
		return;
	if (gg_client_call(c, "GET", "/api/v1/signals?limit=2000", GG_STR(""), NULL, &r) == 0) {
		const struct gg_node *all = gg_node_get(r.root, "signals");
		unsigned best = 4;
		for (const struct gg_node *n = all ? all->first : NULL; n; n = n->next) {
			unsigned away = gg_str_distance(gg_str(name), gg_node_text(n, "name"));
			if (away >= best)
				continue;
			best = away;
			gg_str_copy(near, sizeof near, gg_node_text(n, "name"));
		}
	}
	if (near[0])
		fprintf(stderr, "Did you mean %s?\n", near);
	gg_reply_done(&r);
}

static void print_signal(const struct gg_node *n, struct gg_buf *to)
{
	static const char *const fields[] = {
		"name", "title", "device", "type", "unit", "writable", "low", "high"};
	const struct gg_node *last = gg_node_get(n, "last");
	char age[16];
	for (size_t i = 0; i < GG_COUNT(fields); i++) {
		struct gg_str text = gg_node_text(n, fields[i]);
		if (text.len == 0)
			continue;
		gg_buf_printf(to, "%-9s ", fields[i]);
		gg_text_clean(to, text, false);
		gg_buf_char(to, '\n');
	}
	if (!last)
		return;
	gg_buf_str(to, GG_STR("value     "));
	gg_text_clean(to, gg_node_text(last, "value"), false);
	struct gg_str reason = gg_node_text(last, "reason"), quality = gg_node_text(last, "quality"),
		      time = gg_node_text(last, "time");
	gg_buf_printf(to, "\nquality   %.*s%s%.*s\ntime      %.*s (%s ago)\nsamples   %.0f\n",
		GG_STR_ARG(quality), reason.len ? ": " : "", GG_STR_ARG(reason), GG_STR_ARG(time),
		gg_when_age(age, gg_clock_utc(&gg_clock_system) - gg_node_time(last, "time")),
		gg_node_number(last, "count", 0));
}

static int draw_one(void *arg, struct gg_buf *to)
{
	struct listing *l = arg;
	struct gg_buf path GG_CLEANUP(gg_buf_done) = GG_BUF(PATH_MAX_BYTES);
	struct gg_reply r;
	put_path(&path, l->pattern, "");
	int rc = gg_client_call(l->client, "GET", gg_buf_text(&path), GG_STR(""), NULL, &r);
	if (rc)
		tell_nearest(l->client, l->pattern);
	else if (l->args->json)
		gg_buf_str(to, gg_buf_view(&r.body));
	else
		print_signal(r.root, to);
	gg_reply_done(&r);
	return rc;
}

static int get(const struct gg_args *args)
{
	struct listing l = {args, gg_client_open(args), args->words[0]};
	if (!l.client)
		return 1;
	int rc = show_or_watch(args, draw_one, &l);
	gg_client_close(l.client);
	return rc;
}

/* ---- writing ---- */

/* The value as JSON, as the signal's type wants it. */
static void put_value(struct gg_json_writer *w, struct gg_str type, const char *text)
{
	static const char *const on[] = {"true", "on", "yes"}, *const off[] = {"false", "off", "no"};
	double number;
	gg_json_key(w, GG_STR("value"));
	for (size_t i = 0; i < GG_COUNT(on) && !gg_str_is(type, "string"); i++) {
		if (strcmp(text, on[i]) == 0 || strcmp(text, off[i]) == 0) {
			gg_json_bool(w, strcmp(text, on[i]) == 0);
			return;
		}
	}
	if (!gg_str_is(type, "string") && gg_parse_float(gg_str(text), &number) == 0) {
		char exact[32];
		int64_t whole;
		if (gg_parse_int(gg_str(text), &whole) == 0)
			gg_json_raw(w, gg_str_n(exact, gg_format_int(exact, whole)));
		else
			gg_json_float(w, number);
		return;
	}
	gg_json_string(w, gg_str(text));
}

static int write_it(struct gg_client *c, const char *name, const char *value)
{
	struct gg_buf path GG_CLEANUP(gg_buf_done) = GG_BUF(PATH_MAX_BYTES);
	struct gg_buf body GG_CLEANUP(gg_buf_done) = GG_BUF(1 << 20);
	struct gg_json_writer w = gg_json_writer(&body);
	struct gg_reply r;
	put_path(&path, name, "");
	int rc = gg_client_call(c, "GET", gg_buf_text(&path), GG_STR(""), NULL, &r);
	if (rc)
		tell_nearest(c, name);
	gg_json_begin_object(&w);
	put_value(&w, gg_node_text(rc ? NULL : r.root, "type"), value);
	gg_json_end_object(&w);
	gg_reply_done(&r);
	if (rc)
		return rc;
	rc = gg_client_call(c, "PUT", gg_buf_text(&path), gg_buf_view(&body), NULL, &r);
	gg_reply_done(&r);
	return rc;
}

static int write_signal(const struct gg_args *args)
{
	struct gg_client *c = gg_client_open(args);
	int rc = c ? write_it(c, args->words[0], args->words[1]) : 1;
	if (rc == 0 && args->json)
		puts("{\"written\":true}");
	else if (rc == 0 && !args->quiet)
		printf("%s is written: the device has taken %s\n", args->words[0], args->words[1]);
	gg_client_close(c);
	return rc;
}

/* ---- the past ---- */

static void take_members(
	struct gg_rows *rows, const struct gg_node *all, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		gg_rows_column(rows, gg_str(names[i]));
	for (const struct gg_node *n = all ? all->first : NULL; n; n = n->next) {
		for (size_t i = 0; i < count; i++) {
			const struct gg_node *m = gg_node_get(n, names[i]);
			enum gg_cell_type type = !m || m->type == GG_JSON_NULL ? GG_CELL_NULL
						 : m->type == GG_JSON_NUMBER   ? GG_CELL_NUMBER
									       : GG_CELL_TEXT;
			gg_rows_cell(rows, type, gg_node_scalar(m));
		}
	}
}

static void take_history(struct gg_rows *rows, const struct gg_node *root, bool plot)
{
	static const char *const samples[] = {"time", "value", "quality"},
				 *const buckets[] = {"time", "count", "min", "mean", "max", "last"},
				 *const charted[] = {"time", "mean"};
	const struct gg_node *b = gg_node_get(root, "buckets");
	if (b && plot)
		take_members(rows, b, charted, GG_COUNT(charted));
	else if (b)
		take_members(rows, b, buckets, GG_COUNT(buckets));
	else
		take_members(rows, gg_node_get(root, "samples"), samples, plot ? 2 : GG_COUNT(samples));
}

static int show_history(const struct gg_args *args, struct gg_reply *r)
{
	struct gg_buf out GG_CLEANUP(gg_buf_done) = GG_BUF(OUT_MAX);
	bool plot = gg_arg(args, "plot") != NULL;
	struct gg_rows rows;
	int rc = 0;
	if (args->json) {
		fputs(gg_buf_text(&r->body), stdout);
		return 0;
	}
	gg_rows_init(&rows);
	take_history(&rows, r->root, plot);
	if (gg_rows_count(&rows) == 0)
		fprintf(stderr, "nothing is recorded of it in that time\n");
	else if (plot)
		rc = gg_rows_plot(&rows, &out) < 0 ? gg_cli_failed(args, "there are no numbers to draw") : 0;
	else if (gg_arg(args, "csv"))
		gg_rows_csv(&rows, &out);
	else
		gg_rows_table(&rows, &out);
	fputs(gg_buf_text(&out), stdout);
	gg_rows_done(&rows);
	return rc;
}

static int history(const struct gg_args *args)
{
	struct gg_buf path GG_CLEANUP(gg_buf_done) = GG_BUF(PATH_MAX_BYTES);
	struct gg_reply r;
	put_path(&path, args->words[0], "/history");
	int rc = gg_url_time(args, &path, "from", "from", "-1h");
	if (rc == 0)
		rc = gg_url_time(args, &path, "to", "to", "now");
	if (rc)
		return rc;
	gg_url_param(&path, "buckets", gg_arg(args, "plot") ? GG_STR("1000") : GG_STR("500"));
	struct gg_client *c = gg_client_open(args);
	if (!c)
		return 1;
	rc = gg_client_call(c, "GET", gg_buf_text(&path), GG_STR(""), NULL, &r);
	if (rc == 0)
		rc = show_history(args, &r);
	else
		tell_nearest(c, args->words[0]);
	gg_reply_done(&r);
	gg_client_close(c);
	return rc;
}

int gg_cmd_signal(const struct gg_args *args)
{
	static const struct gg_verb verbs[] = {{"list", "[PATTERN]", 0, 1, list}, {"get", "NAME", 1, 1, get},
		{"write", "NAME VALUE", 2, 2, write_signal}, {"history", "NAME", 1, 1, history}, {0}};
	return gg_cli_verb(args, verbs);
}
