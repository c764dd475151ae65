/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/line_sink.h"

#include "ganglion/host.h"

#include <time.h>

/* Larger buffers are given back as soon as they are empty. */
enum { KEPT_BYTES = 64 << 10 };

/* Of the wait at the end: 5 s for further jobs, and 1 s for an answer that a loop which has ended does not
 * take. */
enum { PAUSE_NS = 2000000, PATIENCE = 2500, UNANSWERED = 500 };

static void list_init(struct gg_line_list *l)
{
	l->bytes = GG_BUF(GG_LINES_PENDING);
	l->entries = GG_BUF(GG_LINES_JOB * sizeof(struct gg_line_entry));
}

static void list_done(struct gg_line_list *l)
{
	gg_buf_done(&l->bytes);
	gg_buf_done(&l->entries);
}

int gg_line_sink_init(struct gg_line_sink *s, const struct gg_line_options *o, struct gg_host *host,
	void (*done)(void *arg, uint64_t cookie, int status), void *arg, struct gg_error *e)
{
	char folder[4096];
	s->host = host;
	s->done = done;
	s->arg = arg;
	s->file = (struct gg_line_file){o->name, o->size, o->keep, o->sync, -1, -1, 0};
	if (!gg_line_file_name_ok(gg_str(o->name)))
		return gg_error_set(e, -EINVAL,
			"file: '%s' is no plain name (letters, digits, '.', '_' and '-'; files lie in the "
			"folder "
			"'files' of the data folder)",
			o->name);
	const char *data = gg_host_data_dir(host);
	snprintf(folder, sizeof folder, "%s/files", data ? data : ".");
	s->folder = gg_str_dup(gg_str(folder));
	list_init(&s->waiting);
	list_init(&s->writing);
	return s->folder ? 0 : gg_error_set(e, -ENOMEM, "out of memory");
}

static size_t count_of(const struct gg_line_list *l)
{
	return l->entries.len / sizeof(struct gg_line_entry);
}

static struct gg_line_entry entry_of(const struct gg_line_list *l, size_t i)
{
	struct gg_line_entry entry;
	memcpy(&entry, l->entries.p + i * sizeof entry, sizeof entry);
	return entry;
}

/* On a worker; nobody else looks at file and writing meanwhile. As many at once as go into the file. */
static void work(void *arg)
{
	struct gg_line_sink *s = arg;
	const struct gg_line_list *l = &s->writing;
	size_t from = 0;
	s->status = s->file.fd < 0 ? gg_line_file_open(&s->file, s->folder) : 0;
	for (size_t i = 0; i < count_of(l) && s->status == 0; i++) {
		bool last = i + 1 == count_of(l);
		size_t with_next = last ? 0 : entry_of(l, i + 1).end - from, end = entry_of(l, i).end;
		if (!last && (!s->file.size || with_next <= gg_line_file_left(&s->file)))
			continue;
		s->status = gg_line_file_add(&s->file, gg_str_n(l->bytes.p + from, end - from));
		from = end;
	}
	if (s->status < 0)
		gg_line_file_close(&s->file);
	atomic_store(&s->written, true);
}

static void answer(struct gg_line_sink *s, struct gg_line_list *l, int status)
{
	for (size_t i = 0; i < count_of(l); i++)
		s->done(s->arg, entry_of(l, i).cookie, status);
	bool large = l->bytes.cap > KEPT_BYTES;
	if (large)
		list_done(l);
	gg_buf_clear(&l->bytes);
	gg_buf_clear(&l->entries);
	if (large)
		list_init(l);
}

static void next_job(struct gg_line_sink *s);

static void worked(void *arg)
{
	struct gg_line_sink *s = arg;
	answer(s, &s->writing, s->status);
	next_job(s);
}

/* Between two jobs it stays busy: who waits for its end must not see a gap. */
static void next_job(struct gg_line_sink *s)
{
	if (!s->waiting.entries.len || atomic_load(&s->ending)) {
		atomic_store(&s->busy, false);
		return;
	}
	struct gg_line_list l = s->waiting;
	s->waiting = s->writing;
	s->writing = l;
	atomic_store(&s->written, false);
	int rc = gg_host_work(s->host, work, worked, s);
	if (rc < 0) {
		answer(s, &s->writing, rc);
		atomic_store(&s->busy, false);
	}
}

static void begin(struct gg_line_sink *s)
{
	if (!atomic_exchange(&s->busy, true))
		next_job(s);
}

int gg_line_sink_put(struct gg_line_sink *s, struct gg_str bytes, bool end_line, uint64_t cookie)
{
	struct gg_line_list *l = &s->waiting;
	if (bytes.len >= GG_LINES_PENDING)
		return -E2BIG;
	struct gg_line_entry entry = {.cookie = cookie};
	if (!gg_buf_room(&l->bytes, bytes.len + 1) || !gg_buf_room(&l->entries, sizeof entry)) {
		l->bytes.error = l->entries.error = 0; /* what is there stays good */
		return -EAGAIN;
	}
	gg_buf_str(&l->bytes, bytes);
	if (end_line)
		gg_buf_char(&l->bytes, '\n');
	entry.end = l->bytes.len;
	gg_buf_add(&l->entries, &entry, sizeof entry);
	begin(s);
	return 0;
}

void gg_line_sink_stop(struct gg_line_sink *s)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	for (unsigned naps = 0, unanswered = 0; atomic_load(&s->busy) && unanswered < UNANSWERED; naps++) {
		if (naps == PATIENCE)
			atomic_store(&s->ending, true);
		unanswered = atomic_load(&s->written) ? unanswered + 1 : 0;
		nanosleep(&pause, NULL);
	}
	atomic_store(&s->ending, true);
}

void gg_line_sink_done(struct gg_line_sink *s)
{
	if (!s->done)
		return;
	answer(s, &s->waiting, -ESHUTDOWN);
	gg_line_file_close(&s->file);
	list_done(&s->waiting);
	list_done(&s->writing);
	free(s->folder);
	s->folder = NULL;
	s->done = NULL;
}
