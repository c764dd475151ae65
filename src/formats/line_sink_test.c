/* SPDX-License-Identifier: Apache-2.0 */
/* The worker is the test: a job is done when it says so, and time passes when somebody sleeps. */
#include "check.h"

#include "formats/line_sink.h"
#include "ganglion/host.h"

#include <time.h>
#include <unistd.h>

static char folder[64];
static struct gg_line_sink sink;
static struct {
	void (*work)(void *arg);
	void (*done)(void *arg);
	void *arg;
} job;
static unsigned sleeps, done_after, answered, jobs;

const char *gg_host_data_dir(const struct gg_host *h)
{
	(void)h;
	return folder;
}

int gg_host_work(struct gg_host *h, void (*work)(void *arg), void (*done)(void *arg), void *arg)
{
	(void)h;
	assert_true(atomic_load(&sink.busy));
	job.work = work;
	job.done = done;
	job.arg = arg;
	jobs++;
	return 0;
}

static void finish_job(void)
{
	void (*done)(void *) = job.done;
	job.work(job.arg);
	done(job.arg);
}

/* Nobody really sleeps here: the job ends after so many naps of who waits. */
int nanosleep(const struct timespec *wanted, struct timespec *left)
{
	(void)wanted, (void)left;
	if (++sleeps == done_after)
		finish_job();
	return 0;
}

static void written(void *arg, uint64_t cookie, int status)
{
	(void)arg, (void)cookie;
	assert_int_equal(status, 0);
	assert_true(atomic_load(&sink.busy)); /* who looks now must not free it */
	answered++;
}

static int set_up(void **state)
{
	(void)state;
	static const struct gg_line_options o = {.name = "a.jsonl", .size = 1 << 20};
	snprintf(folder, sizeof folder, "/tmp/ganglion-sink-XXXXXX");
	sleeps = done_after = answered = jobs = 0;
	memset(&sink, 0, sizeof sink);
	return mkdtemp(folder) && gg_line_sink_init(&sink, &o, NULL, written, NULL, NULL) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	char path[128];
	gg_line_sink_done(&sink);
	snprintf(path, sizeof path, "%s/files/a.jsonl", folder);
	unlink(path);
	snprintf(path, sizeof path, "%s/files", folder);
	rmdir(path);
	rmdir(folder);
	return 0;
}

static void a_job_that_finds_no_worker_for_long_is_waited_for(void **state)
{
	(void)state;
	assert_int_equal(gg_line_sink_put(&sink, GG_STR("one"), true, 1), 0);
	done_after = 10000; /* 20 seconds */
	gg_line_sink_stop(&sink);
	assert_int_equal(answered, 1);
	assert_false(atomic_load(&sink.busy));
}

static void what_waits_is_written_before_the_end(void **state)
{
	(void)state;
	assert_int_equal(gg_line_sink_put(&sink, GG_STR("one"), true, 1), 0);
	assert_int_equal(gg_line_sink_put(&sink, GG_STR("two"), true, 2), 0);
	finish_job();
	assert_int_equal(jobs, 2);
	assert_true(atomic_load(&sink.busy));
	done_after = 3;
	gg_line_sink_stop(&sink);
	assert_int_equal(answered, 2);
	assert_int_equal(jobs, 2);
}

static void an_answer_that_a_dead_loop_does_not_take_is_not_waited_for(void **state)
{
	(void)state;
	assert_int_equal(gg_line_sink_put(&sink, GG_STR("one"), true, 1), 0);
	job.work(job.arg);
	gg_line_sink_stop(&sink);
	assert_true(sleeps <= 1000); /* 2 seconds */
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_job_that_finds_no_worker_for_long_is_waited_for),
		CASE(an_answer_that_a_dead_loop_does_not_take_is_not_waited_for),
		CASE(what_waits_is_written_before_the_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
