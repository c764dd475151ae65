/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kill -9 against the journal. A child appends numbered batches and prints each number through a pipe once
 * its receipt has returned; the parent kills it at a random moment, and then finds all acknowledged numbers
 * in the journal, in order and once. The next child goes on in the same folder.
 *
 *   journal_kill [rounds]
 */
#include "core/signals.h"
#include "store/journal.h"

#include <dirent.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int out_fd;

struct ticket {
	struct gg_receipt receipt;
	uint64_t number;
};

static void acknowledged(struct gg_receipt *r, int status)
{
	struct ticket *t = GG_CONTAINER(r, struct ticket, receipt);
	if (status == 0 && write(out_fd, &t->number, sizeof t->number) != sizeof t->number)
		_exit(1);
	free(t);
}

static struct gg_batch *numbered(uint32_t signal, uint64_t number)
{
	struct gg_batch *b = gg_batch_new(10, 0);
	if (!b)
		return NULL;
	b->device = gg_signal(signal)->device;
	for (int i = 0; i < 10; i++)
		gg_batch_add_int(b, signal, i, (int64_t)number);
	gg_batch_freeze(b);
	return b;
}

static void child(const char *dir, uint64_t number)
{
	struct gg_journal *j;
	struct gg_error e;
	uint32_t signal;
	struct gg_journal_options o = {
		.dir = dir, .names = &gg_names_table, .segment_bytes = 64 << 10, .commit_ns = GG_NS_PER_MS};
	if (gg_signal_make_full(GG_STR("press/number"), NULL, &signal) < 0 || gg_journal_open(&o, &j, &e) < 0)
		_exit(1);
	gg_journal_pin(j, "test", 0, true);
	if (gg_journal_start(j, &e) < 0)
		_exit(1);
	for (;; number++) {
		struct gg_batch *b = numbered(signal, number);
		struct ticket *t = calloc(1, sizeof *t);
		if (!b || !t)
			_exit(1);
		t->number = number;
		t->receipt.done = acknowledged;
		b->receipt = &t->receipt;
		while (gg_journal_append(j, b) < 0)
			gg_journal_flush(j);
		gg_batch_unref(b);
	}
}

/* Runs a child, kills it; returns the highest number it had acknowledged, or the one before `from`. */
static uint64_t run_and_kill(const char *dir, uint64_t from, unsigned *seed)
{
	int pipe_fds[2];
	if (pipe(pipe_fds) < 0)
		abort();
	pid_t pid = fork();
	if (pid == 0) {
		close(pipe_fds[0]);
		out_fd = pipe_fds[1];
		child(dir, from);
	}
	close(pipe_fds[1]);
	uint64_t last = from - 1, number;
	long after = rand_r(seed) % 400;
	while (after-- > 0 && read(pipe_fds[0], &number, sizeof number) == sizeof number)
		last = number;
	struct timespec moment = {.tv_nsec = rand_r(seed) % 3000000};
	nanosleep(&moment, NULL); /* a random moment is the point of it */
	kill(pid, SIGKILL);
	while (read(pipe_fds[0], &number, sizeof number) == sizeof number)
		last = number;
	close(pipe_fds[0]);
	int status;
	waitpid(pid, &status, 0);
	if (!WIFSIGNALED(status)) {
		fprintf(stderr, "the child failed by itself\n");
		exit(1);
	}
	return last;
}

/* Reads all; the numbers must be 1, 2, 3, ... to at least last. Returns the highest. */
static uint64_t verify(const char *dir, uint64_t last)
{
	struct gg_journal_reader *r;
	struct gg_record rec;
	uint64_t expected = 1;
	if (gg_journal_reader_open(dir, &gg_names_table, NULL, 0, &r) < 0) {
		if (last == 0)
			return 0;
		fprintf(stderr, "the journal can't be read\n");
		exit(1);
	}
	while (gg_journal_next(r, &rec) == 1) {
		if (!rec.batch)
			continue;
		uint64_t number = rec.batch->samples[0].v.u;
		if (number != expected || rec.batch->count != 10) {
			fprintf(stderr, "found %llu where %llu was expected\n", (unsigned long long)number,
				(unsigned long long)expected);
			exit(1);
		}
		expected++;
		gg_batch_unref(rec.batch);
	}
	gg_journal_reader_free(r);
	if (expected - 1 < last) {
		fprintf(stderr, "%llu was acknowledged, but the last one found is %llu\n",
			(unsigned long long)last, (unsigned long long)expected - 1);
		exit(1);
	}
	return expected - 1;
}

int main(int argc, char **argv)
{
	int64_t rounds = 50;
	if (argc > 1 && gg_parse_int(gg_str(argv[1]), &rounds) < 0)
		return 2;
	char dir[64] = "/tmp/ganglion-kill-XXXXXX", name[512];
	unsigned seed = (unsigned)time(NULL);
	uint64_t last = 0;
	if (!mkdtemp(dir))
		return 1;
	for (int64_t i = 0; i < rounds; i++)
		last = verify(dir, run_and_kill(dir, last + 1, &seed));
	printf("%lld times killed, all of %llu acknowledged batches found\n", (long long)rounds,
		(unsigned long long)last);
	DIR *d = opendir(dir);
	for (struct dirent *e; d && (e = readdir(d));)
		if (e->d_name[0] != '.' &&
			(size_t)snprintf(name, sizeof name, "%s/%s", dir, e->d_name) < sizeof name)
			unlink(name);
	if (d)
		closedir(d);
	rmdir(dir);
	return 0;
}
