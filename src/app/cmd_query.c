/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `ganglion query`: SQL over samples, signals, devices and events. Asks the gateway at work, which also knows
 * what is not on disk yet; without one it reads the data folder.
 */
#include "app/client.h"
#include "app/rows.h"
#include "store/query.h"

#include <unistd.h>

enum { OUT_MAX = 1 << 30, LIMIT = 10000, LIMIT_MOST = 100000 };

/* ---- from the gateway ---- */

static void take_node(struct gg_rows *rows, const struct gg_node *n)
{
	enum gg_cell_type type = n->type == GG_JSON_NUMBER ? GG_CELL_NUMBER
				 : n->type == GG_JSON_NULL ? GG_CELL_NULL
							   : GG_CELL_TEXT;
	gg_rows_cell(rows, type, gg_node_scalar(n));
}

static void take_answer(struct gg_rows *rows, const struct gg_node *root)
{
	const struct gg_node *columns = gg_node_get(root, "columns"), *all = gg_node_get(root, "rows");
	for (const struct gg_node *n = columns ? columns->first : NULL; n; n = n->next)
		gg_rows_column(rows, gg_node_scalar(n));
	for (const struct gg_node *row = all ? all->first : NULL; row; row = row->next)
		for (const struct gg_node *n = row->first; n; n = n->next)
			take_node(rows, n);
}

static int ask(struct gg_client *c, const char *sql, uint64_t limit, struct gg_rows *rows, bool *truncated)
{
	struct gg_buf body GG_CLEANUP(gg_buf_done) = GG_BUF(1 << 20);
	struct gg_json_writer w = gg_json_writer(&body);
	struct gg_reply r;
	gg_json_begin_object(&w);
	gg_json_put_str(&w, "sql", gg_str(sql));
	gg_json_put_int(&w, "limit", (int64_t)limit);
	gg_json_end_object(&w);
	int rc = gg_client_call(c, "POST", "/api/v1/query", gg_buf_view(&body), NULL, &r);
	if (rc == 0) {
		take_answer(rows, r.root);
		*truncated = gg_node_true(r.root, "truncated");
	}
	gg_reply_done(&r);
	return rc;
}

/* ---- from the data folder ---- */

static void columns(void *arg, const char *const *names, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		gg_rows_column(arg, gg_str(names[i]));
}

static bool row(void *arg, const struct gg_query_value *values, unsigned count)
{
	struct gg_rows *rows = arg;
	char text[32];
	for (unsigned i = 0; i < count; i++) {
		const struct gg_query_value *v = &values[i];
		if (v->type == GG_QUERY_INT)
			gg_rows_cell(rows, GG_CELL_NUMBER, gg_str_n(text, gg_format_int(text, v->i)));
		else if (v->type == GG_QUERY_FLOAT)
			gg_rows_cell(rows, GG_CELL_NUMBER, gg_str_n(text, gg_format_float(text, v->f)));
		else if (v->type == GG_QUERY_NULL)
			gg_rows_cell(rows, GG_CELL_NULL, GG_STR(""));
		else
			gg_rows_cell(rows, GG_CELL_TEXT, v->s);
	}
	return !rows->error;
}

static int read_folder(const struct gg_args *args, const char *data, const char *sql, uint64_t limit,
	struct gg_rows *rows, bool *truncated)
{
	char history[GG_DATA_DIR + 16], catalog[GG_DATA_DIR + 16];
	struct gg_error e = {0};
	snprintf(history, sizeof history, "%s/history.db", data);
	snprintf(catalog, sizeof catalog, "%s/catalog.db", data);
	if (access(history, R_OK) != 0)
		return gg_cli_failed(args, "%s: %s", history, strerror(errno));
	struct gg_query_source source = {NULL, history, access(catalog, R_OK) == 0 ? catalog : NULL};
	struct gg_query_limits limits = {.rows = limit};
	struct gg_query_output output = {rows, columns, row};
	int rc = gg_query_run(&source, gg_str(sql), &limits, &output, truncated, &e);
	return rc < 0 ? gg_cli_failed(args, "%s", e.text[0] ? e.text : strerror(-rc)) : 0;
}

/* ---- the command ---- */

static int show(const struct gg_args *args, const struct gg_rows *rows)
{
	struct gg_buf out GG_CLEANUP(gg_buf_done) = GG_BUF(OUT_MAX);
	if (args->json)
		gg_rows_json(rows, &out);
	else if (gg_arg(args, "csv"))
		gg_rows_csv(rows, &out);
	else if (!gg_arg(args, "plot"))
		gg_rows_table(rows, &out);
	else if (gg_rows_plot(rows, &out) < 0)
		return gg_cli_failed(args, "--plot: expected rows with a time and a number, as of "
					   "\"SELECT time, value FROM samples WHERE signal = '...'\"");
	if (rows->error || out.error)
		return gg_cli_failed(args, "out of memory: ask for less");
	fwrite(out.p, 1, out.len, stdout);
	return 0;
}

int gg_cmd_query(const struct gg_args *args)
{
	char data[GG_DATA_DIR];
	const char *text = gg_arg(args, "limit");
	uint64_t limit = LIMIT;
	struct gg_rows rows;
	bool truncated = false;
	if (args->word_count != 1)
		return gg_cli_wrong(args, "expected one statement, in quotes");
	if (text && (gg_parse_uint(gg_str(text), &limit) < 0 || limit == 0 || limit > LIMIT_MOST))
		return gg_cli_wrong(args, "--limit: expected a number from 1 to %d", LIMIT_MOST);
	struct gg_client *c = gg_client_try(args, data);
	if (!c && gg_arg(args, "gateway"))
		return 1;
	if (!c && !data[0])
		return gg_cli_failed(args, "no data folder found; say with --data DIR where it lies");
	gg_rows_init(&rows);
	int rc = c ? ask(c, args->words[0], limit, &rows, &truncated)
		   : read_folder(args, data, args->words[0], limit, &rows, &truncated);
	if (rc == 0)
		rc = show(args, &rows);
	if (rc == 0 && truncated && !args->quiet)
		fprintf(stderr, "only the first %zu rows; --limit N shows more\n", gg_rows_count(&rows));
	gg_rows_done(&rows);
	gg_client_close(c);
	return rc;
}
