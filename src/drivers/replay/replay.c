/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plays recordings as if the devices were there: at their own pace, faster, or as fast as the gateway takes
 * them in. What goes in is what a device would have sent, so pipelines, rules and detectors can be tried on
 * data from elsewhere.
 *
 *   row due?  start + (recorded time - first recorded time) / speed
 *   time      as recorded, or (shift: now) moved so that the recording begins now
 *   loop      begins anew behind the last row; with shift: now the times go on where they were
 *
 * Rows due in the same turn share a batch, up to 1000 samples. When a shard has no room the batch waits here
 * and nothing is read until resume(): a recording loses nothing.
 */
#include "drivers/replay/replay.h"

#include "base/log.h"

#include <unistd.h>

enum { SAMPLES_PER_BATCH = 1000, ROWS_PER_TURN = 2000, TEXT_PER_BATCH = 4096 };
enum { SHIFT_NONE, SHIFT_NOW };
#define MEMORY_WAIT_NS (10 * GG_NS_PER_MS)

static void play(struct gg_timer *t);

static int again(struct gg_replay *r, int64_t after_ns)
{
	return gg_timer_start(gg_host_loop(r->host), &r->timer, after_ns, play);
}

/* ---- handing over ---- */

/* Errors: -EAGAIN it is kept and goes first when there is room. */
static int submit(struct gg_replay *r)
{
	if (!r->held) {
		r->held = GG_TAKE(r->batch);
		if (!r->held)
			return 0;
	}
	/* The core owns what it is given even when it refuses it: keep a reference of our own. */
	int rc = gg_host_submit_take(r->host, gg_batch_ref(r->held));
	if (rc == -EAGAIN)
		return rc;
	r->held = gg_batch_unref(r->held);
	return rc;
}

static void resume(void *self)
{
	struct gg_replay *r = self;
	if (r->held && !r->over)
		again(r, 0);
}

/* ---- rows ---- */

static void begin_round(struct gg_replay *r, int64_t recorded_ns)
{
	struct gg_loop *loop = gg_host_loop(r->host);
	bool first_round = r->rows == 0;
	int64_t pace = r->speed > 0 ? (int64_t)((double)r->step_ns / r->speed) : 0;
	if (first_round || r->speed <= 0)
		r->start_mono_ns = gg_loop_now(loop);
	else /* one step behind the last row of the round before, so that loops do not drift */
		r->start_mono_ns += (int64_t)((double)(r->latest_ns - r->first_ns) / r->speed) + pace;
	if (r->shift == SHIFT_NOW || r->every)
		r->shift_ns = first_round ? gg_clock_utc(gg_host_clock(r->host)) - recorded_ns
					  : r->latest_ns + r->step_ns + r->shift_ns - recorded_ns;
	r->first_ns = r->latest_ns = recorded_ns;
	r->round_begun = true;
}

/* Reads a row and its time. As gg_replay_next(). */
static int fetch(struct gg_replay *r)
{
	int rc = gg_replay_next(r);
	if (rc != 1)
		return rc;
	rc = gg_replay_row_time(r, &r->row_time_ns);
	if (rc < 0)
		return -EINVAL;
	if (!r->round_begun)
		begin_round(r, r->row_time_ns);
	r->round_rows++;
	r->row_waits = true;
	return 1;
}

static int64_t due_ns(const struct gg_replay *r)
{
	if (r->speed <= 0)
		return INT64_MIN;
	return r->start_mono_ns + (int64_t)((double)(r->row_time_ns - r->first_ns) / r->speed);
}

static int batch_ready(struct gg_replay *r, struct gg_replay_source *source)
{
	bool full = r->batch && r->batch->count + r->row->count > SAMPLES_PER_BATCH;
	if (r->batch && (full || source != r->current)) {
		int rc = submit(r);
		if (rc == -EAGAIN)
			return rc;
	}
	r->current = source;
	if (!r->batch) {
		r->batch = gg_batch_new(SAMPLES_PER_BATCH, TEXT_PER_BATCH);
		if (!r->batch)
			return -ENOMEM;
		r->batch->device = source->decoder.device;
	}
	return 0;
}

/* The waiting row into the batch. Errors: -EAGAIN, -ENOMEM: the row still waits. */
static int take(struct gg_replay *r)
{
	struct gg_replay_source *source = NULL;
	int rc = gg_replay_row_source(r, &source);
	if (rc == 0) {
		rc = batch_ready(r, source);
		if (rc < 0)
			return rc;
		rc = gg_replay_row_take(r, r->row_time_ns + r->shift_ns);
	}
	if (rc < 0) {
		r->bad++;
		gg_count(r->bad_total, 1);
	}
	if (r->row_time_ns > r->latest_ns) {
		r->step_ns = r->row_time_ns - r->latest_ns;
		r->latest_ns = r->row_time_ns;
	}
	r->rows++;
	gg_count(r->rows_total, 1);
	r->row_waits = false;
	return 0;
}

static void bad_row(struct gg_replay *r)
{
	r->bad++;
	gg_count(r->bad_total, 1);
	gg_log(GG_WARN, gg_host_name(r->host), "a row of the recording is wrong, continuing without it",
		GG_S("file", gg_replay_file(r, r->reader.file)), GG_I("line", r->reader.line));
}

static int end_round(struct gg_replay *r)
{
	struct gg_error e = {0};
	if (r->loop && r->round_rows && gg_replay_rewind(r, &e) == 0) {
		r->round_begun = false;
		r->round_rows = 0;
		return -EAGAIN;
	}
	if (e.code)
		gg_log(GG_WARN, gg_host_name(r->host), "the recording cannot begin anew",
			GG_S("error", e.text));
	gg_log(GG_INFO, gg_host_name(r->host), "the recording has ended", GG_I("rows", r->rows),
		GG_I("wrong", r->bad));
	r->over = true;
	return 0;
}

/* One row further. 1 go on, 0 wait: what for has been arranged. */
static int step(struct gg_replay *r)
{
	int rc = r->row_waits ? 1 : fetch(r);
	if (rc == -EINVAL) {
		bad_row(r);
		return 1;
	}
	if (rc == 0)
		rc = end_round(r);
	if (rc == 1 && due_ns(r) > gg_loop_now(gg_host_loop(r->host))) {
		if (submit(r) != -EAGAIN)
			again(r, due_ns(r) - gg_loop_now(gg_host_loop(r->host)));
		return 0;
	}
	if (rc == 1)
		rc = take(r);
	else if (rc < 0 && rc != -EAGAIN && rc != -ENOMEM) {
		gg_log(GG_ERROR, gg_host_name(r->host), "the recording cannot be read on",
			GG_S("file", gg_replay_file(r, r->reader.file)), GG_I("line", r->reader.line),
			GG_S("error", strerror(-rc)));
		r->over = true;
	}
	if (r->over) {
		submit(r);
		return 0;
	}
	if (rc == -ENOMEM)
		again(r, MEMORY_WAIT_NS);
	if (rc == -EAGAIN && !r->held)
		again(r, 0); /* another chunk, in another turn */
	return rc == 0;
}

static void play(struct gg_timer *t)
{
	struct gg_replay *r = GG_CONTAINER(t, struct gg_replay, timer);
	if (r->held && submit(r) == -EAGAIN)
		return;
	for (int n = 0; n < ROWS_PER_TURN; n++)
		if (!step(r))
			return;
	if (submit(r) != -EAGAIN)
		again(r, 0);
}

/* ---- life ---- */

static int check(const void *self, struct gg_error *e)
{
	const struct gg_replay *r = self;
	if (!gg_replay_file(r, 0))
		return gg_error_set(
			e, -EINVAL, "missing \"file\": which recording is played (file: or files:)");
	if (!r->device && !r->device_column)
		return gg_error_set(e, -EINVAL,
			"missing \"device\": whose recording it is (device: NAME, or device_column: the "
			"column "
			"that names it)");
	if ((r->signal_column != NULL) != (r->value_column != NULL))
		return gg_error_set(e, -EINVAL, "`signal_column` and `value_column` go together");
	if (!r->header && r->columns.count == 0 && r->format != GG_REPLAY_JSON)
		return gg_error_set(e, -EINVAL, "without a header `columns` must name the columns");
	if (r->columns.count > GG_REPLAY_COLUMNS)
		return gg_error_set(e, -E2BIG, "at most %d columns", GG_REPLAY_COLUMNS);
	if (r->separator && strlen(r->separator) != 1 && strcmp(r->separator, "auto") != 0 &&
		strcmp(r->separator, "tab") != 0 && strcmp(r->separator, "blank") != 0)
		return gg_error_set(e, -EINVAL,
			"separator \"%s\": expected one character, tab, blank or auto", r->separator);
	return 0;
}

static int init(void *self, struct gg_host *host, struct gg_error *e)
{
	struct gg_replay *r = self;
	r->host = host;
	r->reader.fd = -1;
	int rc = check(r, e);
	if (rc < 0)
		return rc;
	char labels[200];
	snprintf(labels, sizeof labels, "driver=\"%.150s\"", gg_host_name(host));
	r->rows_total = gg_metric_counter("replay_rows_total", labels, "Rows played out of recordings");
	r->bad_total = gg_metric_counter("replay_bad_rows_total", labels, "Rows that could not be read");
	r->row = malloc(sizeof *r->row);
	return r->row ? 0 : gg_error_set(e, -ENOMEM, "out of memory");
}

static int start(void *self, struct gg_error *e)
{
	struct gg_replay *r = self;
	for (size_t i = 1; gg_replay_file(r, i); i++)
		if (access(gg_replay_file(r, i), R_OK) < 0)
			return gg_error_set(e, -errno, "cannot open the recording \"%s\": %s",
				gg_replay_file(r, i), strerror(errno));
	int rc = gg_replay_rewind(r, e);
	return rc < 0 ? rc : again(r, 0);
}

static void close_replay(void *self)
{
	struct gg_replay *r = self;
	r->over = true;
	gg_timer_stop(&r->timer);
}

static void fini(void *self)
{
	struct gg_replay *r = self;
	gg_batch_unref(r->batch);
	gg_batch_unref(r->held);
	gg_replay_sources_done(r);
	gg_replay_reader_done(&r->reader);
	free(r->row);
}

static const char *const formats[] = {"auto", "csv", "json", NULL};
static const char *const shifts[] = {"none", "now", NULL};
static const char *const types[] = {"auto", "float", "int", "bool", "string", NULL};
static const char *const speed_words[] = {"max", NULL};

static const struct gg_option signal_options[] = {
	GG_OPTION(struct gg_replay_signal, name, KEY, .help = "The signal's name"),
	GG_OPTION(struct gg_replay_signal, column, STRING, .flags = GG_MAIN,
		.help = "Name of its column; without it the signal's own"),
	GG_OPTION(struct gg_replay_signal, unit, STRING, .example = "degC",
		.help = "Unit, as UDUNITS writes it"),
	GG_OPTION(struct gg_replay_signal, title, STRING, .help = "What people call it"),
	GG_OPTION(struct gg_replay_signal, type, CHOICE, .def = "auto", .choices = types,
		.help = "Type of its values; auto takes each as it looks"),
	GG_OPTION(
		struct gg_replay_signal, scale, FLOAT, .def = "1", .help = "Numbers are multiplied by this"),
	GG_OPTION(struct gg_replay_signal, offset, FLOAT, .def = "0", .help = "and this is added"), {0}};

static const struct gg_option options[] = {
	GG_OPTION(struct gg_replay, file, STRING, .flags = GG_FILE, .help = "The recording"),
	GG_OPTION(
		struct gg_replay, files, STRINGS, .flags = GG_FILE, .help = "More, played one after another"),
	GG_OPTION(struct gg_replay, format, CHOICE, .def = "auto", .choices = formats,
		.help = "csv, or json: an object a line; auto looks at the first byte"),
	GG_OPTION(struct gg_replay, device, STRING, .flags = GG_DEVICE, .example = "press-2",
		.help = "The device that is played; needed unless device_column says it row by row"),
	GG_OPTION(
		struct gg_replay, device_column, STRING, .help = "Column that names the device of each row"),
	GG_OPTION(struct gg_replay, signal_column, STRING,
		.help = "Column that names the signal of each row, where a row holds one value"),
	GG_OPTION(struct gg_replay, value_column, STRING, .help = "Column of that value"),
	GG_OPTION(struct gg_replay, time, STRING,
		.help = "Column of the time; without it the one called time, timestamp, ts or date"),
	GG_OPTION(struct gg_replay, time_format, STRING, .def = "auto", .example = "%d.%m.%Y %H:%M:%S",
		.help = "How times read: auto (RFC 3339 or a number since 1970), s, ms, us, ns, or a pattern "
			"of "
			"strptime; UTC where nothing else is said"),
	GG_OPTION(struct gg_replay, every, DURATION, .example = "1s",
		.help = "Rows have no time: each comes this much after the one before"),
	GG_OPTION(struct gg_replay, header, BOOL, .def = "true",
		.help = "The first line of a CSV names the columns"),
	GG_OPTION(struct gg_replay, columns, STRINGS, .help = "Names of the columns, in place of a header"),
	GG_OPTION(struct gg_replay, separator, STRING, .def = "auto",
		.help = "Between fields: one character, tab, blank (runs of blanks) or auto"),
	GG_OPTION(
		struct gg_replay, decimal_comma, BOOL, .def = "false", .help = "Numbers are written as 21,5"),
	GG_OPTION(struct gg_replay, signals, MAP, GG_SUB(signal_options, struct gg_replay_signal),
		.example = "{ temperature: { column: T1, unit: degC } }",
		.help = "Which columns to take; without it all of them, under their own names"),
	GG_OPTION(struct gg_replay, speed, FLOAT, .def = "1", .min = "0.001", .max = "1000000",
		.choices = speed_words,
		.help = "1 is the recording's own pace, 60 a minute a second, max as fast as "
			"it goes"),
	GG_OPTION(struct gg_replay, loop, BOOL, .def = "false", .help = "Begin anew at the end"),
	GG_OPTION(struct gg_replay, shift, CHOICE, .def = "none", .choices = shifts,
		.help = "now: times are moved so that the recording begins now; none: as recorded"),
	{0}};

static const struct gg_driver_ops ops = {.resume = resume};

const struct gg_component gg_driver_replay = {
	.name = "replay",
	.title = "Replay of recordings",
	.help = "Plays CSV files and JSON lines as if their devices were connected: at their own pace, "
		"faster, or "
		"as fast as it goes. For trying pipelines and models, and for demonstrations.",
	.example = "press:\n"
		   "  driver: replay\n"
		   "  file: /var/lib/ganglion/recordings/press-2.csv\n"
		   "  device: press-2\n"
		   "  speed: 60\n"
		   "  shift: now\n",
	.kind = GG_DRIVER,
	.self_size = sizeof(struct gg_replay),
	.options = options,
	.check = check,
	.init = init,
	.start = start,
	.close = close_replay,
	.fini = fini,
	.driver = &ops,
};
