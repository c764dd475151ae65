/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A signal's past, for charts and programs. Few samples come as they are; many come as buckets with count,
 * minimum, maximum, mean, first and last, so that no spike disappears. Read by a worker, beside the writer.
 */
#include "store/history.h"
#include "api/handlers.h"
#include "core/signals.h"
#include "core/work.h"
#include "gateway/gateway.h"

enum { BUCKETS = 500, BUCKETS_MOST = 5000 };

struct reading {
	struct gg_api_call *c;
	const struct gg_signal_info *info; /* immutable */
	int64_t from, to;
	uint64_t buckets, samples;
	bool truncated;
	struct gg_summary *sums;
	struct gg_buf raw;
	struct gg_json_writer w;
	struct gg_error e;
};

static bool take_sample(void *arg, const struct gg_sample *s, struct gg_str text)
{
	struct reading *job = arg;
	if (job->samples++ == job->buckets) {
		job->truncated = true;
		return false;
	}
	gg_json_begin_object(&job->w);
	gg_json_put_time(&job->w, "time", s->time_ns);
	gg_json_key(&job->w, GG_STR("value"));
	gg_sample_json(&job->w, s, text);
	if (s->quality != GG_GOOD)
		gg_json_put_str(&job->w, "quality", gg_str(gg_quality_name(s->quality)));
	gg_json_end_object(&job->w);
	return !job->raw.error;
}

static bool any_number(const struct reading *job)
{
	for (uint64_t i = 0; i < job->buckets; i++)
		if (job->sums[i].count)
			return true;
	return false;
}

/* Samples first: if there are few, they are the answer. Texts have no buckets, they are the answer cut off.
 */
static int read_both(struct reading *job, struct gg_history_reader *r)
{
	job->raw = GG_BUF(GG_ANSWER_MAX);
	job->w = gg_json_writer(&job->raw);
	gg_json_begin_array(&job->w);
	int rc = gg_history_scan(r, job->info->name, job->from, job->to, take_sample, job);
	gg_json_end_array(&job->w);
	if (rc < 0 || !job->truncated)
		return rc;
	job->sums = calloc(job->buckets, sizeof *job->sums);
	if (!job->sums)
		return -ENOMEM;
	rc = gg_history_chart(r, job->info->name, job->from, job->to, job->sums, job->buckets);
	if (rc == 0 && !any_number(job)) {
		free(job->sums);
		job->sums = NULL;
	}
	return rc;
}

static void read_history(void *arg)
{
	struct reading *job = arg;
	struct gg_history_reader *r = NULL;
	int rc = gg_history_reader_new(gg_gateway.history, &r, &job->e);
	if (rc < 0)
		return;
	rc = read_both(job, r);
	if (rc < 0)
		gg_error_set(&job->e, rc, "the history can't be read: %s", strerror(-rc));
	gg_history_reader_free(r);
}

static void put_buckets(struct gg_json_writer *w, const struct reading *job)
{
	double width = (double)(job->to - job->from) / (double)job->buckets;
	gg_json_key(w, GG_STR("buckets"));
	gg_json_begin_array(w);
	for (uint64_t i = 0; i < job->buckets; i++) {
		const struct gg_summary *s = &job->sums[i];
		if (!s->count)
			continue;
		gg_json_begin_object(w);
		gg_json_put_time(w, "time", job->from + (int64_t)(width * (double)i));
		gg_json_put_int(w, "count", (int64_t)s->count);
		gg_json_put_float(w, "min", s->min);
		gg_json_put_float(w, "max", s->max);
		gg_json_put_float(w, "mean", s->sum / (double)s->count);
		gg_json_put_float(w, "first", s->first);
		gg_json_put_float(w, "last", s->last);
		gg_json_end_object(w);
	}
	gg_json_end_array(w);
	gg_json_put_float(w, "bucket_seconds", width / 1e9);
}

static void answer(const struct reading *job)
{
	struct gg_answer a;
	gg_answer_begin(&a);
	gg_json_begin_object(&a.w);
	gg_json_put_str(&a.w, "signal", job->info->name);
	if (job->info->unit[0])
		gg_json_put_str(&a.w, "unit", gg_str(job->info->unit));
	gg_json_put_time(&a.w, "from", job->from);
	gg_json_put_time(&a.w, "to", job->to);
	if (job->sums) {
		put_buckets(&a.w, job);
	} else {
		gg_json_key(&a.w, GG_STR("samples"));
		gg_json_raw(&a.w, gg_buf_view(&job->raw));
		gg_json_put_bool(&a.w, "truncated", job->truncated);
	}
	gg_json_end_object(&a.w);
	if (job->raw.error)
		a.body.error = job->raw.error;
	gg_answer_send(job->c, 200, &a);
}

static void have_read(void *arg)
{
	struct reading *job = arg;
	if (job->e.code)
		gg_api_problem_error(job->c, &job->e);
	else
		answer(job);
	gg_buf_done(&job->raw);
	free(job->sums);
	free(job);
}

static bool take_range(struct gg_api_call *c, struct reading *job)
{
	int64_t now = gg_gateway_utc();
	if (!gg_api_time(c, "from", now - 3600 * GG_NS_PER_S, &job->from) ||
		!gg_api_time(c, "to", now, &job->to) ||
		!gg_api_number(c, "buckets", 1, BUCKETS_MOST, BUCKETS, &job->buckets))
		return false;
	if (job->from < job->to)
		return true;
	gg_api_problem(c, -EINVAL, "from: expected a time before to");
	return false;
}

void gg_api_signal_history(struct gg_api_call *c)
{
	struct reading range = {.c = c, .info = gg_api_signal_of(c)};
	if (!range.info || !take_range(c, &range))
		return;
	if (!gg_gateway.history) {
		gg_api_problem(
			c, -ENOTSUP, "the history is turned off: history.enabled in the configuration");
		return;
	}
	struct reading *job = malloc(sizeof *job);
	if (job)
		*job = range;
	int rc = job ? gg_work(gg_gateway.control, read_history, have_read, job) : -ENOMEM;
	if (rc == 0)
		return;
	free(job);
	gg_api_problem(c, -EAGAIN, "too much work is waiting: try again in a moment");
}
