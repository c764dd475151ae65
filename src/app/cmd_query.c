/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `ganglion query`: SQL over samples, rollups, signals, devices and events. Asks the gateway at work, which
 * also knows what is not on disk yet; without one it reads the data folder. CSV and JSON go out as they come;
 * tables and charts are made of rows that are all there.
 */
#include "app/client.h"
#include "app/output.h"
#include "app/rows.h"
#include "app/table.h"
#include "app/unseal.h"
#include "base/map.h"
#include "gateway/query_text.h"
#include "store/query.h"

#include <unistd.h>

/* Whoever reads a folder has nobody to wait for them, and Ctrl-C. */
static const int64_t folder_ns = 3600 * GG_NS_PER_S;

enum { OUT_MAX = 1 << 30, LIMIT = 10000, LIMIT_MOST = 100000, SQL_BODY = 1 << 20 };

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

static void put_question(struct gg_buf *body, const char *sql, uint64_t limit)
{
	struct gg_json_writer w = gg_json_writer(body);
	gg_json_begin_object(&w);
	gg_json_put_str(&w, "sql", gg_str(sql));
	if (limit)
		gg_json_put_int(&w, "limit", (int64_t)limit);
	gg_json_end_object(&w);
}

static int ask(struct gg_client *c, const char *sql, uint64_t limit, struct gg_rows *rows, bool *truncated)
{
	struct gg_buf body GG_CLEANUP(gg_buf_done) = GG_BUF(SQL_BODY);
	struct gg_reply r;
	put_question(&body, sql, limit);
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

struct folder {
	char history[GG_DATA_DIR + 16], catalog[GG_DATA_DIR + 16];
	struct gg_query_source source;
};

static int find_folder(const struct gg_args *args, const char *data, struct folder *f)
{
	snprintf(f->history, sizeof f->history, "%s/history.db", data);
	snprintf(f->catalog, sizeof f->catalog, "%s/catalog.db", data);
	if (access(f->history, R_OK) != 0)
		return gg_cli_failed(args, "%s: %s", f->history, strerror(errno));
	f->source = (struct gg_query_source){
		NULL, f->history, access(f->catalog, R_OK) == 0 ? f->catalog : NULL, data};
	return 0;
}

static int told(const struct gg_args *args, int rc, const struct gg_error *e)
{
	return rc < 0 ? gg_cli_failed(args, "%s", e->text[0] ? e->text : strerror(-rc)) : 0;
}

static int read_folder(const struct gg_args *args, const char *data, const char *sql, uint64_t limit,
	struct gg_rows *rows, bool *truncated)
{
	struct folder f;
	struct gg_error e = {0};
	struct gg_query_limits limits = {
		.timeout_ns = folder_ns, .rows = limit, .cancelled = gg_cli_interruptible()};
	struct gg_query_output output = {rows, columns, row};
	if (find_folder(args, data, &f))
		return 1;
	return told(args, gg_query_run(&f.source, gg_str(sql), &limits, &output, truncated, &e), &e);
}

/* ---- rows as they come ---- */

static int pour_folder(const struct gg_args *args, const char *data, enum gg_query_format format,
	uint64_t limit, const struct gg_sink *sink)
{
	struct folder f;
	struct gg_error e = {0};
	struct gg_query_limits limits = {.timeout_ns = folder_ns,
		.rows = limit ? limit : UINT64_MAX,
		.bytes = UINT64_MAX,
		.cancelled = gg_cli_interruptible()};
	struct gg_query_text text;
	struct gg_query_output output;
	bool truncated;
	if (find_folder(args, data, &f))
		return 1;
	gg_query_text_begin(&text, format, sink, &output);
	int rc = gg_query_run(&f.source, gg_str(args->words[0]), &limits, &output, &truncated, &e);
	if (rc == 0)
		rc = gg_query_text_end(&text);
	gg_query_text_done(&text);
	return told(args, rc, &e);
}

static int pour(const struct gg_args *args, struct gg_client *c, const char *data, uint64_t limit)
{
	enum gg_query_format format = args->json ? GG_QUERY_JSON : GG_QUERY_CSV;
	struct gg_buf body GG_CLEANUP(gg_buf_done) = GG_BUF(SQL_BODY);
	struct gg_output out;
	if (gg_output_open(&out, args, NULL, 0))
		return 1;
	gg_cli_interruptible();
	put_question(&body, args->words[0], limit);
	int rc = c ? gg_client_pour(c, "POST",
			     args->json ? "/api/v1/query?format=json" : "/api/v1/query?format=csv",
			     gg_buf_view(&body), &out.sink)
		   : pour_folder(args, data, format, limit, &out.sink);
	return gg_output_close(&out, rc);
}

/* ---- units ---- */

static unsigned find_column(const struct gg_rows *r, const char *name)
{
	unsigned i = 0;
	while (i < r->columns && !gg_str_is(gg_rows_name(r, i), name))
		i++;
	return i;
}

/* Rows that name their signals get a column of units, unless they have one. */
static int add_units(const struct gg_args *args, struct gg_client *c, const char *data, struct gg_rows *rows)
{
	struct gg_rows units;
	struct gg_map by_signal = {0};
	enum gg_cell_type type;
	bool truncated;
	unsigned signal = find_column(rows, "signal");
	if (signal == rows->columns || find_column(rows, "unit") < rows->columns || !gg_rows_count(rows))
		return 0;
	gg_rows_init(&units);
	const char *sql = "SELECT signal, unit FROM signals WHERE unit <> ''";
	int rc = c ? ask(c, sql, LIMIT_MOST, &units, &truncated)
		   : read_folder(args, data, sql, LIMIT_MOST, &units, &truncated);
	for (size_t i = 0; i < gg_rows_count(&units) && rc == 0; i++)
		if (gg_map_put(&by_signal, gg_rows_text(&units, i, 0, &type), i + 1) < 0)
			rc = gg_cli_failed(args, "out of memory");
	if (rc == 0 && gg_rows_count(&units))
		gg_rows_add_column(rows, "unit", signal, &by_signal, &units);
	gg_map_done(&by_signal);
	gg_rows_done(&units);
	return rc;
}

/* ---- the schema ---- */

static void print_functions(struct gg_buf *out)
{
	static const struct gg_column heads[] = {{.title = "FUNCTION"}, {.title = "GIVES"}, {.title = ""}};
	struct gg_table t;
	gg_table_init(&t, heads, GG_COUNT(heads));
	for (const struct gg_query_column *f = gg_query_functions; f->table; f++) {
		if (!f->column)
			continue;
		gg_table_cell(&t, gg_str(f->column));
		gg_table_cell(&t, gg_str(f->type));
		gg_table_cell(&t, gg_str(f->help));
	}
	gg_buf_char(out, '\n');
	gg_table_write(&t, gg_cli_table_width(), gg_cli_colour(), out);
	gg_table_done(&t);
}

static void print_columns(struct gg_buf *out)
{
	static const struct gg_column heads[] = {
		{.title = "TABLE"}, {.title = "COLUMN"}, {.title = "TYPE"}, {.title = ""}};
	struct gg_table t;
	gg_table_init(&t, heads, GG_COUNT(heads));
	for (const struct gg_query_column *c = gg_query_columns; c->table; c++) {
		bool first = c == gg_query_columns || strcmp(c[-1].table, c->table) != 0;
		gg_table_cell(&t, gg_str(first ? c->table : ""));
		gg_table_cell(&t, gg_str(c->column));
		gg_table_cell(&t, gg_str(c->type));
		gg_table_cell(&t, gg_str(c->help));
	}
	gg_table_write(&t, gg_cli_table_width(), gg_cli_colour(), out);
	gg_table_done(&t);
}

static void schema_json(struct gg_buf *out)
{
	struct gg_json_writer w = gg_json_writer(out);
	gg_json_begin_array(&w);
	for (const struct gg_query_column *c = gg_query_columns; c->table; c++) {
		gg_json_begin_object(&w);
		gg_json_put_str(&w, "table", gg_str(c->table));
		gg_json_put_str(&w, "column", gg_str(c->column));
		gg_json_put_str(&w, "type", gg_str(c->type));
		gg_json_put_str(&w, "help", gg_str(c->help));
		gg_json_end_object(&w);
	}
	gg_json_end_array(&w);
	gg_buf_char(out, '\n');
}

static int print_schema(const struct gg_args *args)
{
	struct gg_buf out GG_CLEANUP(gg_buf_done) = GG_BUF(1 << 20);
	if (args->json) {
		schema_json(&out);
	} else {
		print_columns(&out);
		print_functions(&out);
		gg_buf_printf(&out, "\nexamples:\n%s\n", args->command->examples);
	}
	fputs(gg_buf_text(&out), stdout);
	return 0;
}

/* ---- the command ---- */

static int show(const struct gg_args *args, const struct gg_rows *rows)
{
	struct gg_buf out GG_CLEANUP(gg_buf_done) = GG_BUF(OUT_MAX);
	if (!gg_arg(args, "plot"))
		gg_rows_table(rows, &out);
	else if (gg_rows_plot(rows, &out) < 0)
		return gg_cli_failed(args, "--plot: expected rows with a time and a number, as of "
					   "\"SELECT time, value FROM samples WHERE signal = '...'\"");
	if (rows->error || out.error)
		return gg_cli_failed(args, "out of memory: ask for less");
	fwrite(out.p, 1, out.len, stdout);
	return 0;
}

static int show_rows(const struct gg_args *args, struct gg_client *c, const char *data, uint64_t limit)
{
	struct gg_rows rows;
	bool truncated = false;
	gg_rows_init(&rows);
	int rc = c ? ask(c, args->words[0], limit, &rows, &truncated)
		   : read_folder(args, data, args->words[0], limit, &rows, &truncated);
	if (rc == 0 && !gg_arg(args, "plot"))
		rc = add_units(args, c, data, &rows);
	if (rc == 0)
		rc = show(args, &rows);
	if (rc == 0 && truncated && !args->quiet)
		fprintf(stderr, "only the first %zu rows; --limit N shows more, --csv and --json show all\n",
			gg_rows_count(&rows));
	gg_rows_done(&rows);
	return rc;
}

int gg_cmd_query(const struct gg_args *args)
{
	char data[GG_DATA_DIR];
	const char *text = gg_arg(args, "limit");
	bool whole = args->json || gg_arg(args, "csv");
	uint64_t limit = whole ? 0 : LIMIT, most = whole ? INT64_MAX : LIMIT_MOST;
	if (gg_arg(args, "schema"))
		return print_schema(args);
	if (args->word_count != 1)
		return gg_cli_wrong(args, "expected one statement, in quotes");
	if (text && (gg_parse_uint(gg_str(text), &limit) < 0 || limit == 0 || limit > most))
		return gg_cli_wrong(
			args, "--limit: expected a number from 1 to %llu", (unsigned long long)most);
	struct gg_client *c = gg_client_try(args, data);
	if (!c && gg_arg(args, "gateway"))
		return 1;
	if (!c && !data[0])
		return gg_cli_failed(args, "no data folder found; say with --data DIR where it lies");
	int rc = c ? 0 : gg_cli_unseal(args, data);
	if (rc == 0)
		rc = whole ? pour(args, c, data, limit) : show_rows(args, c, data, limit);
	gg_client_close(c);
	return rc;
}
