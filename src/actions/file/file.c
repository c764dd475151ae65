/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file: a line in a file for each event.
 *
 *   - file: { file: alarms.jsonl, line: "{time} {device} is at {value} {unit}" }
 *
 * The line is the trigger as a JSON object, or a template; what comes from devices can't end it early. The
 * file lies in `files` in the data folder and is changed for a new one when it has grown. A worker writes, so
 * no rule waits for the disk; that it could not is the event "action-failed", as for all actions.
 */
#include "actions/file/file.h"

#include "base/buf.h"
#include "formats/line_sink.h"

struct file {
	struct gg_line_options o;
	const char *line;
	struct gg_line_sink sink;
};

static void written(void *arg, uint64_t cookie, int status)
{
	(void)arg;
	gg_call_done((struct gg_call *)(uintptr_t)cookie, status, status < 0 ? strerror(-status) : NULL);
}

static void one_line(struct gg_buf *b)
{
	for (size_t i = 0; i < b->len; i++)
		if (b->p[i] == '\n' || b->p[i] == '\r')
			b->p[i] = ' ';
}

static int file_run(void *self, const struct gg_trigger *t, struct gg_call *call, struct gg_error *e)
{
	struct file *f = self;
	struct gg_buf line GG_CLEANUP(gg_buf_done) = GG_BUF(256 << 10);
	if (f->line) {
		gg_trigger_text(&line, gg_str(f->line), t);
		one_line(&line);
	} else {
		gg_trigger_json(&line, t);
	}
	int rc = line.error ? line.error
			    : gg_line_sink_put(&f->sink, gg_buf_view(&line), /* end_line= */ true,
				      (uint64_t)(uintptr_t)call);
	return rc < 0 ? gg_error_set(
				e, rc, "%s", rc == -EAGAIN ? "too much waits to be written" : strerror(-rc))
		      : 0;
}

static int file_init(void *self, struct gg_host *host, struct gg_error *e)
{
	struct file *f = self;
	return gg_line_sink_init(&f->sink, &f->o, host, written, f, e);
}

static void file_stop(void *self)
{
	gg_line_sink_stop(&((struct file *)self)->sink);
}

static void file_fini(void *self)
{
	gg_line_sink_done(&((struct file *)self)->sink);
}

static const struct gg_option options[] = {
	GG_OPTION(struct file, o.name, STRING, .name = "file", .flags = GG_REQUIRED | GG_MAIN,
		.example = "alarms.jsonl", .help = "Its name, in the folder files of the data folder"),
	GG_OPTION(struct file, line, STRING, .example = "{time} {device} is at {value} {unit}",
		.help = "The line, a template; absent: a JSON object with rule, state, severity, title, "
			"signal, value"),
	GG_OPTION(struct file, o.size, SIZE, .name = "size", .def = "10MiB", .min = "4KiB",
		.help = "When it would grow beyond this a new one is begun"),
	GG_OPTION(struct file, o.keep, UINT, .name = "keep", .def = "5", .max = "1000",
		.help = "How many old ones stay, as file.1 (the latest), file.2 and so on"),
	GG_OPTION(struct file, o.sync, BOOL, .name = "sync", .def = "true",
		.help = "Does the action count as done only when the line is on the disk?"),
	{0}};

static const struct gg_action_ops ops = {.run = file_run};

const struct gg_component gg_action_file = {
	.name = "file",
	.title = "Append to a file",
	.help = "Appends a line to a file for each event.",
	.example = "- file: alarms.jsonl\n",
	.kind = GG_ACTION,
	.self_size = sizeof(struct file),
	.options = options,
	.init = file_init,
	.stop = file_stop,
	.fini = file_fini,
	.action = &ops,
};
