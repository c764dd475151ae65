/* SPDX-License-Identifier: Apache-2.0 */
/* SQL over what the gateway knows, read-only and bounded (store/query.h), run by a worker. */
#include "store/query.h"
#include "api/handlers.h"
#include "core/work.h"
#include "gateway/gateway.h"
#include "store/catalog.h"

enum { ROWS = 10000, ROWS_MOST = 100000, BYTES_MOST = 48 << 20, AT_ONCE = 4 };

static unsigned under_way;
static _Atomic bool cancelled;

struct query {
	struct gg_api_call *c;
	struct gg_query_limits limits;
	struct gg_error e;
	struct gg_buf rows;
	struct gg_json_writer w;
	struct gg_buf columns;
	int64_t took_ns;
	bool truncated;
	size_t len;
	char sql[];
};

static void take_columns(void *arg, const char *const *names, unsigned count)
{
	struct query *q = arg;
	struct gg_json_writer w = gg_json_writer(&q->columns);
	gg_json_begin_array(&w);
	for (unsigned i = 0; i < count; i++)
		gg_json_string(&w, gg_str(names[i]));
	gg_json_end_array(&w);
}

static void put_base64(struct gg_json_writer *w, struct gg_str bytes)
{
	struct gg_buf text GG_CLEANUP(gg_buf_done) = GG_BUF(2 * BYTES_MOST);
	gg_buf_base64(&text, bytes, /* url= */ false);
	gg_json_string(w, text.error ? GG_STR("") : gg_buf_view(&text));
}

static bool take_row(void *arg, const struct gg_query_value *values, unsigned count)
{
	struct query *q = arg;
	gg_json_begin_array(&q->w);
	for (unsigned i = 0; i < count; i++) {
		const struct gg_query_value *v = &values[i];
		if (v->type == GG_QUERY_INT)
			gg_json_int(&q->w, v->i);
		else if (v->type == GG_QUERY_FLOAT)
			gg_json_float(&q->w, v->f);
		else if (v->type == GG_QUERY_TEXT)
			gg_json_string(&q->w, v->s);
		else if (v->type == GG_QUERY_BYTES)
			put_base64(&q->w, v->s);
		else
			gg_json_null(&q->w);
	}
	gg_json_end_array(&q->w);
	return !q->rows.error;
}

static void run(void *arg)
{
	struct query *q = arg;
	char history[4200];
	struct gg_query_source source = {gg_gateway.history, history, gg_catalog_path(gg_gateway.catalog)};
	struct gg_query_output output = {q, take_columns, take_row};
	int64_t began = gg_clock_monotonic(&gg_clock_system);
	snprintf(history, sizeof history, "%s/history.db", gg_gateway.data_dir);
	gg_json_begin_array(&q->w);
	int rc = gg_query_run(&source, gg_str_n(q->sql, q->len), &q->limits, &output, &q->truncated, &q->e);
	gg_json_end_array(&q->w);
	if (rc < 0 && !q->e.code)
		gg_error_set(&q->e, rc, "the query failed: %s", strerror(-rc));
	q->took_ns = gg_clock_monotonic(&gg_clock_system) - began;
}

static void answer(struct query *q)
{
	struct gg_answer a;
	gg_answer_begin(&a);
	gg_json_begin_object(&a.w);
	gg_json_key(&a.w, GG_STR("columns"));
	gg_json_raw(&a.w, q->columns.len ? gg_buf_view(&q->columns) : GG_STR("[]"));
	gg_json_key(&a.w, GG_STR("rows"));
	gg_json_raw(&a.w, gg_buf_view(&q->rows));
	gg_json_put_bool(&a.w, "truncated", q->truncated);
	gg_json_put_float(&a.w, "seconds", (double)q->took_ns / 1e9);
	gg_json_end_object(&a.w);
	if (q->rows.error)
		a.body.error = q->rows.error;
	gg_answer_send(q->c, 200, &a);
}

static void ran(void *arg)
{
	struct query *q = arg;
	under_way--;
	if (q->e.code)
		gg_api_problem_error(q->c, &q->e);
	else
		answer(q);
	gg_buf_done(&q->rows);
	gg_buf_done(&q->columns);
	free(q);
}

static int start(struct gg_api_call *c, struct gg_str sql, uint64_t rows)
{
	struct query *q = under_way < AT_ONCE ? calloc(1, sizeof *q + sql.len + 1) : NULL;
	if (!q)
		return -EAGAIN;
	q->c = c;
	q->limits = (struct gg_query_limits){.rows = rows, .bytes = BYTES_MOST, .cancelled = &cancelled};
	q->rows = GG_BUF(GG_ANSWER_MAX);
	q->columns = GG_BUF(1 << 20);
	q->w = gg_json_writer(&q->rows);
	q->len = sql.len;
	gg_str_copy(q->sql, sql.len + 1, sql);
	int rc = gg_work(gg_gateway.control, run, ran, q);
	if (rc < 0)
		free(q);
	else
		under_way++;
	return rc;
}

void gg_api_query(struct gg_api_call *c)
{
	struct gg_in_field f[] = {{.name = "sql", .type = GG_IN_STRING, .required = true},
		{.name = "limit", .type = GG_IN_NUMBER}};
	if (!gg_api_body(c, f, GG_COUNT(f)))
		return;
	if (f[1].given && !(f[1].number >= 1 && f[1].number <= ROWS_MOST)) {
		gg_api_problem(c, -EINVAL, "limit: expected a number from 1 to %d", ROWS_MOST);
		return;
	}
	atomic_store(&cancelled, false);
	if (start(c, f[0].text, f[1].given ? (uint64_t)f[1].number : ROWS) < 0)
		gg_api_problem(c, -EAGAIN, "other queries are under way: try again in a moment");
}

void gg_api_cancel_work(void)
{
	atomic_store(&cancelled, true);
}
