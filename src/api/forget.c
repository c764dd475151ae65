/* SPDX-License-Identifier: Apache-2.0 */
/* Deleting what was recorded, on request: for administrators. Done by a worker, one at a time. */
#include "gateway/forget.h"
#include "api/handlers.h"
#include "core/work.h"
#include "gateway/gateway.h"

enum { PATTERNS_MAX = 64 };

struct forgetting {
	struct gg_api_call *c;
	struct gg_str select[PATTERNS_MAX];
	size_t count;
	int64_t from, to;
	struct gg_forgotten result;
	struct gg_error e;
	char text[];
};

static bool under_way;

static void work(void *arg)
{
	struct forgetting *f = arg;
	gg_gateway_forget(f->select, f->count, f->from, f->to, &f->result, &f->e);
}

static void answer(const struct forgetting *f)
{
	struct gg_answer a;
	gg_answer_begin(&a);
	gg_json_begin_object(&a.w);
	gg_json_put_int(&a.w, "signals", (int64_t)f->result.history.signals);
	gg_json_put_int(&a.w, "samples", (int64_t)f->result.history.samples);
	gg_json_put_int(&a.w, "rollups", (int64_t)f->result.history.rollups);
	gg_json_put_int(&a.w, "journal_samples", (int64_t)f->result.journal.samples);
	gg_json_put_int(&a.w, "journal_segments", (int64_t)f->result.journal.segments);
	gg_json_put_bool(&a.w, "clean", f->result.history.clean || !gg_gateway.history);
	gg_json_end_object(&a.w);
	gg_answer_send(f->c, 200, &a);
}

static void done(void *arg)
{
	struct forgetting *f = arg;
	under_way = false;
	if (f->e.code)
		gg_api_problem_error(f->c, &f->e);
	else
		answer(f);
	free(f);
}

static bool take_patterns(struct forgetting *f, struct gg_str patterns)
{
	while (patterns.len) {
		struct gg_str one = gg_str_trim(gg_str_cut(&patterns, ','));
		if (one.len == 0)
			continue;
		if (f->count == PATTERNS_MAX)
			return false;
		f->select[f->count++] = one;
	}
	return f->count > 0;
}

void gg_api_history_delete(struct gg_api_call *c)
{
	struct gg_str select = {0};
	int64_t from, to;
	if (!gg_api_text(c, "select", &select) || !gg_api_time(c, "from", INT64_MIN, &from) ||
		!gg_api_time(c, "to", INT64_MAX, &to))
		return;
	if (from > to) {
		gg_api_problem(c, -EINVAL, "from: expected a time before to");
		return;
	}
	struct forgetting *f = under_way ? NULL : calloc(1, sizeof *f + select.len + 1);
	if (!f) {
		gg_api_problem(c, -EAGAIN, "something is being deleted already: try again in a moment");
		return;
	}
	if (select.len)
		memcpy(f->text, select.p, select.len);
	f->c = c;
	f->from = from;
	f->to = to;
	if (!take_patterns(f, gg_str_n(f->text, select.len))) {
		free(f);
		gg_api_problem(c, -EINVAL,
			"select: expected patterns of signals with commas between, like badge-17/*; '*' "
			"deletes "
			"all");
		return;
	}
	under_way = true;
	if (gg_work(gg_gateway.control, work, done, f) == 0)
		return;
	under_way = false;
	free(f);
	gg_api_problem(c, -EAGAIN, "too much work is waiting: try again in a moment");
}
