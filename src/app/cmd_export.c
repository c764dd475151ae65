/* SPDX-License-Identifier: Apache-2.0 */
/* `ganglion export`: samples of many signals as CSV, JSON lines or Parquet, from the gateway at work or from
 * the data folder. */
#include "app/client.h"
#include "app/output.h"
#include "app/unseal.h"
#include "app/when.h"
#include "gateway/export.h"

#include <unistd.h>

enum { PATH_MAX_BYTES = 64 << 10 };

static int take_range(const struct gg_args *args, struct gg_export *x)
{
	int64_t now = gg_clock_utc(&gg_clock_system);
	const char *from = gg_arg(args, "from"), *to = gg_arg(args, "to");
	x->from = INT64_MIN;
	x->to = INT64_MAX;
	if ((from && gg_when_parse(gg_str(from), now, &x->from) < 0) ||
		(to && gg_when_parse(gg_str(to), now, &x->to) < 0))
		return gg_cli_wrong(args, "--from and --to: expected a time like 2026-03-01T12:00:00Z, or "
					  "how long ago, like -1h");
	return x->from <= x->to ? 0 : gg_cli_wrong(args, "--from: expected a time before --to");
}

/* What --format says, else what the file's name ends with, else CSV. */
static int take_format(const struct gg_args *args, struct gg_export *x)
{
	const char *text = gg_arg(args, "format"), *file = gg_arg(args, "out");
	const char *dot = file ? strrchr(file, '.') : NULL;
	if (text)
		return gg_export_format_of(gg_str(text), &x->format) < 0
			       ? gg_cli_wrong(args, "--format: expected csv, jsonl or parquet, got %s", text)
			       : 0;
	if (!dot || gg_export_format_of(gg_str(dot + 1), &x->format) < 0)
		x->format = GG_EXPORT_CSV;
	return 0;
}

static int from_gateway(struct gg_client *c, const struct gg_export *x, const struct gg_sink *sink)
{
	static const char *const names[] = {"csv", "jsonl", "parquet"};
	struct gg_buf path GG_CLEANUP(gg_buf_done) = GG_BUF(PATH_MAX_BYTES);
	char time[GG_TIME_TEXT];
	gg_buf_printf(&path, "/api/v1/export?format=%s&select=", names[x->format]);
	gg_url_escape(&path, x->select);
	if (x->from != INT64_MIN && gg_time_format(time, x->from))
		gg_buf_printf(&path, "&from=%s", time);
	if (x->to != INT64_MAX && gg_time_format(time, x->to))
		gg_buf_printf(&path, "&to=%s", time);
	return gg_client_pour(c, "GET", gg_buf_text(&path), GG_STR(""), sink);
}

static void progress(void *arg, uint64_t samples, size_t signals, size_t of_signals)
{
	gg_cli_progress(arg, "exporting signals", signals, of_signals);
	(void)samples;
}

static int from_folder(
	const struct gg_args *args, const char *data, struct gg_export *x, const struct gg_sink *sink)
{
	char history[GG_DATA_DIR + 16];
	struct gg_error e = {0};
	uint64_t samples;
	snprintf(history, sizeof history, "%s/history.db", data);
	if (access(history, R_OK) != 0)
		return gg_cli_failed(args, "%s: %s", history, strerror(errno));
	x->history_path = history;
	x->cancelled = gg_cli_interruptible();
	x->progress = progress;
	x->arg = (void *)(uintptr_t)args;
	int rc = gg_export_run(x, sink, &samples, &e);
	return rc < 0 ? gg_cli_failed(args, "%s", e.text) : 0;
}

int gg_cmd_export(const struct gg_args *args)
{
	char data[GG_DATA_DIR];
	const char *select = gg_arg(args, "select"), *file = gg_arg(args, "out");
	struct gg_export x = {.select = gg_str(select ? select : "")};
	struct gg_output out;
	if (args->word_count)
		return gg_cli_wrong(
			args, "no argument expected; which signals is said with --select PATTERN");
	int rc = take_range(args, &x);
	if (rc == 0)
		rc = take_format(args, &x);
	if (rc)
		return rc;
	if (x.format == GG_EXPORT_PARQUET && (!file || strcmp(file, "-") == 0) && isatty(STDOUT_FILENO))
		return gg_cli_wrong(
			args, "Parquet is nothing for a terminal: say with --out FILE where it goes");
	struct gg_client *c = gg_client_try(args, data);
	if (!c && (gg_arg(args, "gateway") || !data[0]))
		return gg_arg(args, "gateway")
			       ? 1
			       : gg_cli_failed(
					 args, "no data folder found; say with --data DIR where it lies");
	rc = c ? 0 : gg_cli_unseal(args, data);
	if (rc == 0)
		rc = gg_output_open(&out, args, file, 0644);
	gg_cli_interruptible();
	if (rc == 0) {
		out.doing = c ? "exported, MiB" : NULL;
		rc = c ? from_gateway(c, &x, &out.sink) : from_folder(args, data, &x, &out.sink);
		rc = gg_output_close(&out, rc);
	}
	gg_client_close(c);
	return rc;
}
