/* SPDX-License-Identifier: Apache-2.0 */
/* Samples of many signals as CSV, JSON lines or Parquet (gateway/export.h), poured while they are read. */
#include "gateway/export.h"
#include "api/handlers.h"
#include "api/pour.h"
#include "gateway/gateway.h"

struct export
{
	struct gg_export x;
	char select[];
};

static int run(void *arg, const struct gg_sink *sink, const _Atomic bool *cancelled, struct gg_error *e)
{
	struct export *job = arg;
	uint64_t samples;
	job->x.cancelled = cancelled;
	return gg_export_run(&job->x, sink, &samples, e);
}

static bool take_parameters(struct gg_api_call *c, struct gg_export *x, struct gg_str *ret_format)
{
	if (!gg_api_text(c, "select", &x->select) || !gg_api_text(c, "format", ret_format) ||
		!gg_api_time(c, "from", INT64_MIN, &x->from) || !gg_api_time(c, "to", INT64_MAX, &x->to))
		return false;
	if (ret_format->len == 0)
		*ret_format = GG_STR("csv");
	if (gg_export_format_of(*ret_format, &x->format) < 0) {
		gg_api_problem(c, -EINVAL, "format: expected csv, jsonl or parquet");
		return false;
	}
	if (x->from <= x->to)
		return true;
	gg_api_problem(c, -EINVAL, "from: expected a time before to");
	return false;
}

void gg_api_export(struct gg_api_call *c)
{
	struct gg_export x = {.history = gg_gateway.history};
	struct gg_str format;
	char file[40];
	if (!take_parameters(c, &x, &format))
		return;
	if (!x.history) {
		gg_api_problem(
			c, -ENOTSUP, "the history is turned off: history.enabled in the configuration");
		return;
	}
	struct export *job = malloc(sizeof *job + x.select.len + 1);
	if (!job) {
		gg_api_problem(c, -ENOMEM, "out of memory");
		return;
	}
	job->x = x;
	memcpy(job->select, x.select.p, x.select.len);
	job->x.select = gg_str_n(job->select, x.select.len);
	snprintf(file, sizeof file, "samples.%.*s", GG_STR_ARG(format));
	gg_api_pour(c, &(struct gg_pour_work){.media = gg_export_media(x.format),
			       .file = file,
			       .arg = job,
			       .run = run,
			       .free = free});
}
