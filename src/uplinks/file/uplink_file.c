/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Samples and events as lines of a file: what a filter lets through, for programs that read files.
 *
 * A parcel counts as delivered when it is in the file, and with `sync` on the disk; after a crash the parcels
 * that were not are appended again, under the same ids. With the format `lines` each sample is a line of its
 * own; with `json` a parcel is one. CBOR items and zstd frames stand one behind the other, which their
 * readers take.
 */
#include "formats/line_sink.h"
#include "ganglion/uplink.h"

struct uplink_file {
	struct gg_line_options o;
	struct gg_host *host;
	struct gg_line_sink sink;
	bool closed, failed;
};

enum { WINDOW = 64 };

static void written(void *arg, uint64_t cookie, int status)
{
	struct uplink_file *f = arg;
	if (f->closed)
		return;
	if (status < 0 && !f->failed) {
		char why[200];
		snprintf(why, sizeof why, "file %s: %s", f->o.name, strerror(-status));
		f->failed = true;
		gg_uplink_ready(f->host, false, why);
	}
	gg_uplink_done(f->host, cookie, status < 0 ? -EAGAIN : 0);
}

static int send_parcel(void *self, const struct gg_parcel *p)
{
	struct uplink_file *f = self;
	bool text = !p->content_encoding && !strstr(p->content_type, "cbor");
	bool ended = p->payload.len && p->payload.p[p->payload.len - 1] == '\n';
	int rc = gg_line_sink_put(&f->sink, p->payload, text && !ended, p->id);
	if (rc == -E2BIG) {
		gg_uplink_done(f->host, p->id, -EINVAL);
		return 0;
	}
	return rc;
}

static void connect_file(void *self)
{
	struct uplink_file *f = self;
	f->failed = false;
	gg_uplink_ready(f->host, true, NULL);
}

static unsigned window(void *self)
{
	(void)self;
	return WINDOW;
}

static int file_init(void *self, struct gg_host *host, struct gg_error *e)
{
	struct uplink_file *f = self;
	f->host = host;
	return gg_line_sink_init(&f->sink, &f->o, host, written, f, e);
}

static void file_close(void *self)
{
	((struct uplink_file *)self)->closed = true;
}

static void file_stop(void *self)
{
	gg_line_sink_stop(&((struct uplink_file *)self)->sink);
}

static void file_fini(void *self)
{
	struct uplink_file *f = self;
	f->closed = true;
	gg_line_sink_done(&f->sink);
}

static const struct gg_option options[] = {
	GG_OPTION(struct uplink_file, o.name, STRING, .name = "file", .flags = GG_REQUIRED,
		.example = "hot.jsonl", .help = "Its name, in the folder files of the data folder"),
	GG_OPTION(struct uplink_file, o.size, SIZE, .name = "size", .def = "64MiB", .min = "4KiB",
		.help = "When it would grow beyond this a new one is begun"),
	GG_OPTION(struct uplink_file, o.keep, UINT, .name = "keep", .def = "5", .max = "1000",
		.help = "How many old ones stay, as file.1 (the latest), file.2 and so on"),
	GG_OPTION(struct uplink_file, o.sync, BOOL, .name = "sync", .def = "true",
		.help = "Does it count as delivered only when it is on the disk?"),
	{0}};

static const struct gg_uplink_ops ops = {connect_file, window, send_parcel};

const struct gg_component gg_uplink_file = {
	.name = "file",
	.title = "File",
	.help = "Appends samples and events to a file, with format: lines a line for each sample.",
	.example = "hot-samples:\n"
		   "  uplink: file\n"
		   "  file: hot.jsonl\n"
		   "  format: lines\n"
		   "  send: [hot/*]\n",
	.kind = GG_UPLINK,
	.self_size = sizeof(struct uplink_file),
	.options = options,
	.init = file_init,
	.close = file_close,
	.stop = file_stop,
	.fini = file_fini,
	.uplink = &ops,
};
