/* SPDX-License-Identifier: Apache-2.0 */
/* `ganglion event`: what is open, why, and what people say to it. */
#include "app/client.h"
#include "app/table.h"
#include "app/trace.h"
#include "app/when.h"
#include "base/map.h"

#include <poll.h>

enum { PATH_MAX_BYTES = 8192, OUT_MAX = 64 << 20, WATCH_MS = 500 };

/* ---- list ---- */

static void put_param(struct gg_buf *path, const char *name, const char *value)
{
	if (value)
		gg_url_param(path, name, gg_str(value));
}

static int list_path(const struct gg_args *args, struct gg_buf *path)
{
	const char *limit = gg_arg(args, "limit");
	const char *before = gg_arg(args, "before");
	uint64_t number;
	if (before && (gg_parse_uint(gg_str(before), &number) < 0 || number < 1))
		return gg_cli_wrong(
			args, "--before: expected an event's id, as 'ganglion event list' shows it");
	if (gg_arg(args, "since") && gg_arg(args, "from"))
		return gg_cli_wrong(args, "--since and --from say the same: give one of them");
	if (limit && (gg_parse_uint(gg_str(limit), &number) < 0 || number < 1 || number > 1000))
		return gg_cli_wrong(args, "--limit: expected a number from 1 to 1000");
	gg_buf_printf(path, "/api/v1/events?limit=%s", limit ? limit : gg_arg(args, "all") ? "1000" : "100");
	put_param(path, "state", gg_arg(args, "open") ? "active" : NULL);
	put_param(path, "severity", gg_arg(args, "severity"));
	put_param(path, "kind", gg_arg(args, "kind"));
	put_param(path, "device", gg_arg(args, "device"));
	put_param(path, "before", before);
	int rc = gg_url_time(args, path, "from", "from", NULL);
	if (rc == 0)
		rc = gg_url_time(args, path, "since", "from", NULL);
	return rc ? rc : gg_url_time(args, path, "to", "to", NULL);
}

/* The events of a page, as cells or as JSON. */
static void take_page(struct gg_table *t, struct gg_json_writer *w, const struct gg_node *all)
{
	char time[GG_TIME_TEXT];
	int64_t now = gg_clock_utc(&gg_clock_system);
	for (const struct gg_node *n = all ? all->first : NULL; n; n = n->next) {
		if (w) {
			gg_node_write(n, w);
			continue;
		}
		gg_table_cell(t, gg_node_text(n, "id"));
		gg_table_cell(t, gg_node_text(n, "severity"));
		gg_table_cell(t, gg_node_text(n, "state"));
		gg_table_cell(t, gg_str(gg_when_short(time, gg_node_time(n, "opened"), now)));
		gg_table_cell(t, gg_node_text(n, "title"));
	}
}

/* ---- watching: a line for each change, oldest first ---- */

struct watch {
	struct gg_map told; /* id -> hash of the state told */
	bool quiet;         /* the first look only remembers */
};

static void tell_change(const struct gg_args *args, const struct gg_node *n)
{
	struct gg_buf line GG_CLEANUP(gg_buf_done) = GG_BUF(64 << 10);
	struct gg_str severity = gg_node_text(n, "severity"), state = gg_node_text(n, "state");
	const char *on = gg_severity_colour(severity, gg_cli_colour());
	char time[GG_TIME_TEXT];
	if (args->json) {
		struct gg_json_writer w = gg_json_writer(&line);
		gg_node_write(n, &w);
	} else {
		gg_time_format(time, gg_node_time(n, "opened"));
		gg_buf_printf(&line, "%s  %s%-8.*s%s  %-12.*s  ", time, on, GG_STR_ARG(severity),
			*on ? "\x1b[0m" : "", GG_STR_ARG(state));
		gg_text_clean(&line, gg_node_text(n, "title"), false);
		gg_buf_printf(&line, "  (%.*s)", GG_STR_ARG(gg_node_text(n, "id")));
	}
	puts(gg_buf_text(&line));
}

static void tell_changes(const struct gg_args *args, struct watch *w, const struct gg_node *n)
{
	if (!n)
		return;
	tell_changes(args, w, n->next); /* the API lists the newest first; at most as deep as its limit */
	struct gg_str id = gg_node_text(n, "id");
	uint64_t state = gg_hash(gg_node_text(n, "state"));
	if (gg_map_get(&w->told, id, 0) == state)
		return;
	if (gg_map_put(&w->told, id, state) == 0 && !w->quiet)
		tell_change(args, n);
}

static int watch_events(const struct gg_args *args, struct gg_client *c, const char *path)
{
	struct watch w = {.quiet = true};
	int rc = 0;
	if (!args->quiet)
		fprintf(stderr, "watching; Ctrl-C ends it\n");
	while (rc == 0 && fflush(stdout) == 0) {
		struct gg_reply r;
		rc = gg_client_call(c, "GET", path, GG_STR(""), NULL, &r);
		const struct gg_node *all = rc == 0 ? gg_node_get(r.root, "events") : NULL;
		tell_changes(args, &w, all ? all->first : NULL);
		w.quiet = false;
		gg_reply_done(&r);
		poll(NULL, 0, WATCH_MS);
	}
	gg_map_done(&w.told);
	return rc;
}

/* Page after page. *ret_next: where the next one begins, 0 at the end. */
static int read_pages(const struct gg_args *args, struct gg_client *c, const char *path, struct gg_table *t,
	struct gg_json_writer *w, uint64_t *ret_next)
{
	struct gg_buf at GG_CLEANUP(gg_buf_done) = GG_BUF(PATH_MAX_BYTES);
	uint64_t next = 0;
	int rc;
	gg_buf_str(&at, gg_str(path));
	do {
		struct gg_reply r;
		rc = gg_client_call(c, "GET", gg_buf_text(&at), GG_STR(""), NULL, &r);
		const struct gg_node *more = rc == 0 ? gg_node_get(r.root, "next") : NULL;
		next = 0;
		if (rc == 0)
			take_page(t, w, gg_node_get(r.root, "events"));
		if (more)
			gg_parse_uint(gg_node_scalar(more), &next);
		gg_reply_done(&r);
		gg_buf_clear(&at);
		gg_buf_printf(&at, "%s&before=%llu", path, (unsigned long long)next);
	} while (rc == 0 && next && gg_arg(args, "all"));
	*ret_next = next;
	return rc;
}

static int list_json(const struct gg_args *args, struct gg_client *c, const char *path)
{
	struct gg_buf out GG_CLEANUP(gg_buf_done) = GG_BUF(OUT_MAX);
	struct gg_json_writer w = gg_json_writer(&out);
	uint64_t next;
	gg_json_begin_object(&w);
	gg_json_key(&w, GG_STR("events"));
	gg_json_begin_array(&w);
	int rc = read_pages(args, c, path, NULL, &w, &next);
	gg_json_end_array(&w);
	if (next) {
		gg_json_key(&w, GG_STR("next"));
		gg_json_uint(&w, next);
	}
	gg_json_end_object(&w);
	if (rc == 0 && out.error)
		return gg_cli_failed(args, "there are too many: ask for less");
	if (rc == 0)
		puts(gg_buf_text(&out));
	return rc;
}

static int list_table(const struct gg_args *args, struct gg_client *c, const char *path)
{
	static const struct gg_column columns[] = {{.title = "ID", .keep = true},
		{.title = "SEVERITY", .keep = true}, {.title = "STATE", .keep = true},
		{.title = "OPENED", .keep = true}, {.title = "TITLE"}};
	struct gg_buf out GG_CLEANUP(gg_buf_done) = GG_BUF(OUT_MAX);
	struct gg_table t;
	uint64_t next;
	gg_table_init(&t, columns, GG_COUNT(columns));
	int rc = read_pages(args, c, path, &t, NULL, &next);
	if (gg_table_rows(&t))
		gg_table_write(&t, gg_cli_table_width(), gg_cli_colour(), &out);
	else
		gg_buf_str(&out, GG_STR("no event\n"));
	if (rc == 0)
		fputs(gg_buf_text(&out), stdout);
	if (rc == 0 && next && !args->quiet)
		fprintf(stderr, "there may be older ones: --before %llu, or --all\n",
			(unsigned long long)next);
	gg_table_done(&t);
	return rc;
}

static int list(const struct gg_args *args)
{
	struct gg_buf path GG_CLEANUP(gg_buf_done) = GG_BUF(PATH_MAX_BYTES);
	int rc = list_path(args, &path);
	struct gg_client *c = rc == 0 ? gg_client_open(args) : NULL;
	if (!c)
		return rc ? rc : 1;
	rc = gg_arg(args, "watch") ? watch_events(args, c, gg_buf_text(&path))
	     : args->json          ? list_json(args, c, gg_buf_text(&path))
				   : list_table(args, c, gg_buf_text(&path));
	gg_client_close(c);
	return rc;
}

/* ---- one event ---- */

static int call_event(const struct gg_args *args, const char *method, const char *tail, struct gg_str body,
	struct gg_reply *r)
{
	struct gg_buf path GG_CLEANUP(gg_buf_done) = GG_BUF(PATH_MAX_BYTES);
	struct gg_client *c = gg_client_open(args);
	*r = (struct gg_reply){0};
	gg_buf_str(&path, GG_STR("/api/v1/events/"));
	gg_url_escape(&path, gg_str(args->words[0]));
	gg_buf_str(&path, gg_str(tail));
	int rc = c ? gg_client_call(c, method, gg_buf_text(&path), body, NULL, r) : 1;
	if (rc && c && strcmp(gg_client_code(c), "not-found") == 0)
		fprintf(stderr, "'ganglion event list' shows those there are\n");
	gg_client_close(c);
	return rc;
}

static int show(const struct gg_args *args)
{
	struct gg_buf out GG_CLEANUP(gg_buf_done) = GG_BUF(OUT_MAX);
	struct gg_reply r;
	int rc = call_event(args, "GET", "", GG_STR(""), &r);
	if (rc == 0 && args->json)
		gg_buf_str(&out, gg_buf_view(&r.body));
	else if (rc == 0)
		gg_trace_write(r.root, gg_clock_utc(&gg_clock_system), gg_cli_colour(), &out);
	fputs(gg_buf_text(&out), stdout);
	gg_reply_done(&r);
	return rc;
}

static int change(
	const struct gg_args *args, const char *tail, const char *field, const char *text, const char *done)
{
	struct gg_buf body GG_CLEANUP(gg_buf_done) = GG_BUF(64 << 10);
	struct gg_json_writer w = gg_json_writer(&body);
	struct gg_reply r;
	gg_json_begin_object(&w);
	if (text)
		gg_json_put_str(&w, field, gg_str(text));
	gg_json_end_object(&w);
	int rc = call_event(args, "POST", tail, gg_buf_view(&body), &r);
	if (rc == 0 && args->json)
		fputs(gg_buf_text(&r.body), stdout);
	else if (rc == 0 && !args->quiet)
		printf("event %s is %s\n", args->words[0], done);
	gg_reply_done(&r);
	return rc;
}

static int acknowledge(const struct gg_args *args)
{
	return change(args, "/acknowledge", "comment", args->word_count > 1 ? args->words[1] : NULL,
		"acknowledged");
}

static int comment(const struct gg_args *args)
{
	return change(args, "/comment", "text", args->words[1], "commented");
}

int gg_cmd_event(const struct gg_args *args)
{
	static const struct gg_verb verbs[] = {{"list", "", 0, 0, list}, {"show", "ID", 1, 1, show},
		{"ack", "ID [TEXT]", 1, 2, acknowledge}, {"comment", "ID TEXT", 2, 2, comment}, {0}};
	return gg_cli_verb(args, verbs);
}
