/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kill -9 and power cuts against the history. A child journals and stores numbered samples and is killed at a
 * random moment; another one then opens the same folder and must find every number once, in order, in the
 * samples and in a chart. The power is cut the same way, but what SQLite had not synced is gone: a hook on
 * its xSync keeps a copy of each file as it was when it was last synced, and the next child goes on with
 * these.
 *
 *   history_kill [rounds]           with GANGLION_TEST_SEALED in the environment the file is sealed
 */
#include "core/signals.h"
#include "store/history.h"
#include "store/sql.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FILES = 64, PER_BATCH = 10 };

static char folder[64] = "/tmp/ganglion-history-kill-XXXXXX";

/* ---- SQLite's files as they were when they were synced last ---- */

static struct hook {
	sqlite3_file *file;
	char path[200];
	const sqlite3_io_methods *real;
	sqlite3_io_methods mine;
} hooks[FILES];
static sqlite3_vfs cut_vfs, *unix_vfs;

static void copy_file(const char *from, const char *to)
{
	static char chunk[1 << 20];
	char fresh[260];
	snprintf(fresh, sizeof fresh, "%s.fresh", to);
	int in = open(from, O_RDONLY), out = open(fresh, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	ssize_t n;
	while (in >= 0 && out >= 0 && (n = read(in, chunk, sizeof chunk)) > 0)
		if (write(out, chunk, (size_t)n) != n)
			abort();
	close(in);
	close(out);
	rename(fresh, to); /* whole or not at all: the kill may come now */
}

static void synced_name(const char *path, char to[260])
{
	const char *name = strrchr(path, '/');
	snprintf(to, 260, "%s/synced/%s", folder, name ? name + 1 : path);
}

static int cut_sync(sqlite3_file *file, int flags)
{
	for (int i = 0; i < FILES; i++)
		if (hooks[i].file == file) {
			char to[260];
			int code = hooks[i].real->xSync(file, flags);
			synced_name(hooks[i].path, to);
			copy_file(hooks[i].path, to);
			return code;
		}
	abort();
}

/* A sealed file is made under another name, synced and renamed: that is on the disk too. */
static void note_made(const char *path)
{
	char to[260];
	struct stat st;
	synced_name(path, to);
	if (getenv("GANGLION_TEST_SEALED") && strcmp(strrchr(path, '/'), "/history.db") == 0 &&
		access(to, F_OK) < 0 && stat(path, &st) == 0 && st.st_size > 0)
		copy_file(path, to);
}

static int cut_open(
	GG_UNUSED sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
	if (name)
		note_made(name);
	int code = unix_vfs->xOpen(unix_vfs, name, file, flags, ret_flags);
	for (int i = 0; code == SQLITE_OK && name && i < FILES; i++)
		if (!hooks[i].file || hooks[i].file == file) {
			hooks[i].file = file;
			snprintf(hooks[i].path, sizeof hooks[i].path, "%s", name);
			hooks[i].real = file->pMethods;
			hooks[i].mine = *file->pMethods;
			hooks[i].mine.xSync = cut_sync;
			file->pMethods = &hooks[i].mine;
			break;
		}
	return code;
}

static void hook_sqlite(void)
{
	unix_vfs = sqlite3_vfs_find(NULL);
	cut_vfs = *unix_vfs;
	cut_vfs.zName = "cut";
	cut_vfs.xOpen = cut_open;
	sqlite3_vfs_register(&cut_vfs, /* as default */ 1);
	if (getenv("GANGLION_TEST_SEALED") &&
		gg_sql_seal((const uint8_t *)"a key of 32 bytes, for tests only") < 0)
		abort();
}

/* ---- the stores ---- */

static struct gg_journal *j;
static struct gg_history *h;
static uint32_t signal_index;

static void open_stores(void)
{
	char dir[128], path[128];
	struct gg_error e = {0};
	snprintf(dir, sizeof dir, "%s/journal", folder);
	snprintf(path, sizeof path, "%s/history.db", folder);
	/* the journal keeps no more than the history needs */
	struct gg_journal_options jo = {.dir = dir,
		.names = &gg_names_table,
		.segment_bytes = 16 << 10,
		.keep_bytes = 1,
		.commit_ns = GG_NS_PER_MS};
	struct gg_history_options ho = {.path = path, .block_samples = 64, .flush_ns = 5 * GG_NS_PER_MS};
	if (gg_signal_make_full(GG_STR("press/number"), NULL, &signal_index) < 0 ||
		gg_history_open(&ho, &h, &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		_exit(1);
	}
	jo.min_position = gg_history_position(h);
	if (gg_journal_open(&jo, &j, &e) < 0 || gg_history_start(h, j, &e) < 0 ||
		gg_journal_start(j, &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		_exit(1);
	}
}

static struct {
	uint64_t expected;
	bool wrong;
} seen;

static bool see(GG_UNUSED void *arg, const struct gg_sample *s, GG_UNUSED struct gg_str text)
{
	seen.wrong |= s->v.u != seen.expected || s->time_ns != (int64_t)seen.expected * GG_NS_PER_S;
	seen.expected++;
	return !seen.wrong;
}

/* All numbers from 1 to at least last, once and in order; returns the highest. */
static uint64_t verify(uint64_t last)
{
	struct gg_history_reader *r;
	struct gg_summary chart[7];
	struct gg_error e = {0};
	uint64_t sum = 0;
	gg_history_wait(h);
	if (gg_history_reader_new(h, &r, &e) < 0)
		_exit(1);
	seen.expected = 1;
	gg_history_scan(r, GG_STR("press/number"), INT64_MIN, INT64_MAX, see, NULL);
	uint64_t highest = seen.expected - 1;
	if (gg_history_chart(r, GG_STR("press/number"), 0, ((int64_t)highest + 1) * GG_NS_PER_S, chart, 7) <
		0)
		_exit(1);
	for (int i = 0; i < 7; i++)
		sum += chart[i].count;
	gg_history_reader_free(r);
	if (seen.wrong || highest < last || sum != highest) {
		fprintf(stderr, "%llu was acknowledged; samples %s %llu, the chart counts %llu\n",
			(unsigned long long)last, seen.wrong ? "are wrong at" : "go to",
			(unsigned long long)highest, (unsigned long long)sum);
		_exit(1);
	}
	return highest;
}

/* Checks what is there, then goes on from it; tells the highest number that is safe, again and again. */
static void child(uint64_t last, int out)
{
	open_stores();
	uint64_t number = verify(last);
	for (;;) {
		struct gg_batch *b = gg_batch_new(PER_BATCH, 0);
		if (!b)
			_exit(1);
		b->device = gg_signal(signal_index)->device;
		for (int i = 0; i < PER_BATCH; i++) {
			number++;
			gg_batch_add_int(b, signal_index, (int64_t)number * GG_NS_PER_S, (int64_t)number);
		}
		gg_batch_freeze(b);
		if (gg_journal_append(j, b) < 0 || gg_journal_flush(j) < 0 ||
			write(out, &number, sizeof number) != sizeof number)
			_exit(1);
		gg_batch_unref(b);
	}
}

static uint64_t run_and_kill(uint64_t last, unsigned *seed)
{
	int fds[2], status;
	uint64_t number;
	if (pipe(fds) < 0)
		abort();
	pid_t pid = fork();
	if (pid == 0) {
		close(fds[0]);
		hook_sqlite();
		child(last, fds[1]);
	}
	close(fds[1]);
	for (long after = rand_r(seed) % 300;
		after >= 0 && read(fds[0], &number, sizeof number) == sizeof number; after--)
		last = number;
	struct timespec moment = {.tv_nsec = rand_r(seed) % 9000000};
	nanosleep(&moment, NULL); /* a random moment is the point of it */
	kill(pid, SIGKILL);
	while (read(fds[0], &number, sizeof number) == sizeof number)
		last = number;
	close(fds[0]);
	waitpid(pid, &status, 0);
	if (!WIFSIGNALED(status)) {
		fprintf(stderr, "the child failed by itself\n");
		exit(1);
	}
	return last;
}

/* What was not synced is gone. */
static void cut_power(void)
{
	static const char *const names[] = {"history.db", "history.db-wal"};
	char path[260], synced[260];
	for (size_t i = 0; i < GG_COUNT(names); i++) {
		snprintf(path, sizeof path, "%s/%s", folder, names[i]);
		synced_name(path, synced);
		if (access(synced, F_OK) == 0)
			copy_file(synced, path);
		else
			unlink(path);
	}
	snprintf(path, sizeof path, "%s/history.db-shm", folder);
	unlink(path);
}

static void remove_all(const char *path)
{
	char name[400];
	DIR *d = opendir(path);
	for (struct dirent *e; d && (e = readdir(d));) {
		snprintf(name, sizeof name, "%.120s/%.250s", path, e->d_name);
		if (e->d_name[0] != '.' && unlink(name) < 0)
			remove_all(name);
	}
	if (d)
		closedir(d);
	rmdir(path);
}

int main(int argc, char **argv)
{
	int64_t rounds = 40;
	char synced[128];
	unsigned seed = (unsigned)time(NULL);
	uint64_t last = 0;
	if ((argc > 1 && gg_parse_int(gg_str(argv[1]), &rounds) < 0) || !mkdtemp(folder))
		return 2;
	snprintf(synced, sizeof synced, "%s/synced", folder);
	if (mkdir(synced, 0700) < 0)
		return 1;
	for (int64_t i = 0; i < rounds; i++) {
		last = run_and_kill(last, &seed);
		if (i % 2)
			cut_power();
	}
	run_and_kill(last, &seed);
	printf("%lld times killed, every second time with a power cut: all of %llu samples found once\n",
		(long long)rounds, (unsigned long long)last);
	remove_all(folder);
	return 0;
}
