/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recording of any bytes, as CSV and JSON lines, to samples: the reader, the rows and the times. The first
 * byte chooses the options; the host is a double without tables, which would grow without end.
 */
#include "drivers/replay/replay.h"

#include "core/signals.h"

#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- the host; the linker takes these ---- */

int gg_host_device(struct gg_host *h, struct gg_str id, uint32_t *ret_device)
{
	(void)h, (void)id;
	return gg_device_make(GG_STR("d"), ret_device);
}

int gg_host_signal(struct gg_host *h, uint32_t device, struct gg_str name, const struct gg_signal_spec *spec,
	uint32_t *ret_signal)
{
	(void)h, (void)device, (void)spec;
	*ret_signal = (uint32_t)name.len % 8;
	return name.len && name.len < GG_SIGNAL_NAME ? 0 : -EINVAL;
}

void gg_host_device_health(struct gg_host *h, uint32_t device, bool healthy, const char *reason)
{
	(void)h, (void)device, (void)healthy, (void)reason;
}

/* ---- a recording ---- */

static void row(struct gg_replay *r)
{
	int64_t time_ns = 0;
	struct gg_replay_source *source;
	if (gg_replay_row_time(r, &time_ns) < 0 || gg_replay_row_source(r, &source) < 0)
		return;
	r->current = source;
	if (!r->batch)
		r->batch = gg_batch_new(16, 64);
	if (!r->batch)
		return;
	(void)gg_replay_row_take(r, time_ns);
	for (uint32_t i = 0; i < r->batch->count; i++) {
		const struct gg_sample *s = &r->batch->samples[i];
		if (s->type == GG_TYPE_STRING && (uint64_t)s->v.blob.off + s->v.blob.len > r->batch->tail_len)
			abort();
	}
	if (r->batch->count > 1000) {
		gg_batch_unref(r->batch);
		r->batch = NULL;
	}
}

static void play(struct gg_replay *r)
{
	struct gg_error e;
	int rc = gg_replay_rewind(r, &e);
	if (rc < 0)
		abort();
	for (unsigned rows = 0; rows < 20000; rows++) {
		rc = gg_replay_next(r);
		if (rc == 1)
			row(r);
		else if (rc == 0 || (rc != -EINVAL && rc != -EAGAIN))
			break;
	}
	gg_batch_unref(r->batch);
	gg_replay_sources_done(r);
	gg_replay_reader_done(&r->reader);
}

static void choose(struct gg_replay *r, uint8_t options)
{
	static const char *const formats[] = {
		NULL, "auto", "s", "ms", "us", "ns", "%Y-%m-%d %H:%M:%S", "%d/%m/%y %H:%M"};
	static struct gg_replay_signal signals[] = {{.name = "a", .type = 1, .scale = 2},
		{.name = "b", .column = "B", .type = 2, .scale = 1}, {.name = "c", .type = 3, .scale = 1},
		{.name = "d", .type = 4, .scale = 1}};
	static const char *columns[] = {"time", "a", "b"};
	r->device = "d";
	r->time_format = formats[options & 7];
	r->header = true;
	if (options & 8)
		r->signals = (struct gg_many){signals, GG_COUNT(signals)};
	if (options & 16)
		r->decimal_comma = true;
	if ((options & 96) == 32) {
		r->device_column = "device";
		r->signal_column = "signal";
		r->value_column = "value";
	} else if ((options & 96) == 64) {
		r->header = false;
		r->columns = (struct gg_strings){columns, GG_COUNT(columns)};
		r->every = GG_NS_PER_S;
	} else if ((options & 96) == 96) {
		r->separator = options & 128 ? "tab" : "blank";
		r->device_column = "device";
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct gg_replay r;
	static struct gg_replay_row last;
	char path[64];
	if (size < 1)
		return 0;
	int fd = memfd_create("recording", MFD_CLOEXEC);
	if (fd < 0 || write(fd, data + 1, size - 1) != (ssize_t)size - 1)
		abort();
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	r = (struct gg_replay){.file = path, .row = &last};
	r.reader.fd = -1;
	choose(&r, data[0]);
	play(&r);
	close(fd);
	return 0;
}
