/* SPDX-License-Identifier: Apache-2.0 */
/* The disk fails at every call in turn, for a while, or loses its power: what was acknowledged is there. */
#include "store_fixture.h"

#include "sim_files.h"

#include <sched.h>

enum { BATCHES = 60 };

struct fixture {
	struct folder folder;
	struct sim sim;
	struct gg_journal *j;
	struct gg_journal_options o;
	char dir[128];
	struct answer answers[BATCHES];
	_Atomic int states[3];
	uint32_t signal;
};

static void on_state(void *arg, enum gg_journal_state state, GG_UNUSED const char *text)
{
	((struct fixture *)arg)->states[state]++;
}

static void begin(struct fixture *f)
{
	struct gg_error e = {0};
	assert_int_equal(gg_journal_open(&f->o, &f->j, &e), 0);
	gg_journal_pin(f->j, "test", 0, false); /* a full disk takes what nobody needs */
	assert_int_equal(gg_journal_start(f->j, &e), 0);
}

static void init(struct fixture *f)
{
	memset(f, 0, sizeof *f);
	folder_make(&f->folder);
	snprintf(f->dir, sizeof f->dir, "%s/journal", f->folder.path);
	sim_init(&f->sim);
	f->signal = a_signal("press/pressure");
	f->o = (struct gg_journal_options){.dir = f->dir,
		.root = the_root,
		.names = &gg_names_table,
		.arg = f,
		.on_state = on_state,
		.segment_bytes = 4096,
		.commit_ns = 1000,
		.retry_ns = 1,
		.files = &f->sim.ops};
}

static void done(struct fixture *f)
{
	gg_journal_close(f->j);
	sim_done(&f->sim);
	folder_remove(&f->folder);
}

static void put(struct fixture *f, int i)
{
	struct gg_batch *b = a_batch(f->signal, 20, 1000, i * 1000);
	b->receipt = an_answer(&f->answers[i]);
	assert_int_equal(gg_journal_append(f->j, b), 0);
	gg_batch_unref(b);
}

/* All that was answered with 0 is there, in order; what was refused is not; nothing twice. */
static void check(struct fixture *f, int count, bool refused_may_be_there)
{
	struct gg_journal_reader *r;
	struct gg_record rec;
	int seen[BATCHES] = {0}, last = -1;
	assert_int_equal(gg_journal_reader_open(f->dir, &gg_names_table, the_root, 0, &r), 0);
	while (gg_journal_next(r, &rec) == 1) {
		if (!rec.batch)
			continue;
		int i = (int)rec.batch->samples[0].v.f / 1000;
		assert_int_equal(rec.batch->count, 20);
		assert_in_range(i, 0, count - 1);
		assert_true(i > last);
		last = i;
		seen[i]++;
		gg_batch_unref(rec.batch);
	}
	gg_journal_reader_free(r);
	for (int i = 0; i < count; i++) {
		assert_int_equal(f->answers[i].count, 1);
		if (f->answers[i].status == 0)
			assert_int_equal(seen[i], 1);
		else if (!refused_may_be_there)
			assert_int_equal(seen[i], 0);
	}
}

/* Appends in groups of three, waiting for each group. */
static void run(struct fixture *f, int from, int to)
{
	for (int i = from; i < to; i++) {
		put(f, i);
		if (i % 3 == 2)
			gg_journal_flush(f->j);
	}
	gg_journal_flush(f->j);
}

static void close_and_reopen(struct fixture *f)
{
	gg_journal_close(f->j);
	f->o.files = NULL;
	begin(f);
}

static void each_call_in_turn_may_fail_once(GG_UNUSED void **state)
{
	struct fixture *f = malloc(sizeof *f);
	for (int tear = 0; tear < 2; tear++) {
		long calls = 1000;
		for (long nth = 1; nth <= calls; nth++) {
			init(f);
			f->sim.nth = nth;
			f->sim.tear = tear;
			f->sim.error = nth % 2 ? -EIO : -ENOSPC;
			begin(f);
			run(f, 0, BATCHES);
			calls = f->sim.calls;
			/* it has healed by itself */
			assert_int_equal(f->answers[BATCHES - 1].status == 0 || nth + 12 > calls, true);
			close_and_reopen(f);
			check(f, BATCHES, false);
			done(f);
		}
		assert_true(calls > 30);
	}
	free(f);
}

static void a_full_disk_refuses_until_there_is_room(GG_UNUSED void **state)
{
	struct fixture *f = malloc(sizeof *f);
	init(f);
	begin(f);
	run(f, 0, 10);
	f->sim.error = -ENOSPC;
	__atomic_store_n(&f->sim.fails, SIM_WRITE | SIM_OPEN, __ATOMIC_SEQ_CST);
	run(f, 10, 20);
	assert_int_equal(f->states[GG_JOURNAL_FULL], 1);
	assert_int_equal(gg_journal_flush(f->j), -ENOSPC);
	for (int i = 10; i < 20; i++)
		assert_int_equal(f->answers[i].status, -ENOSPC);
	/* without a receipt: dropped and counted */
	gg_journal_append_record(f->j, GG_RECORD_EVENT, GG_STR(""), GG_STR("{}"), NULL);
	gg_journal_flush(f->j);
	struct gg_journal_stats stats;
	gg_journal_get_stats(f->j, &stats);
	assert_true(stats.dropped >= 1);
	assert_int_equal(stats.state, GG_JOURNAL_FULL);
	__atomic_store_n(&f->sim.fails, 0, __ATOMIC_SEQ_CST);
	/* heals without anything being appended */
	while (f->states[GG_JOURNAL_OK] == 0)
		sched_yield();
	run(f, 20, 30);
	for (int i = 20; i < 30; i++)
		assert_int_equal(f->answers[i].status, 0);
	close_and_reopen(f);
	check(f, 30, false);
	done(f);
	free(f);
}

static void a_sync_that_keeps_failing_is_never_taken_for_success(GG_UNUSED void **state)
{
	struct fixture *f = malloc(sizeof *f);
	init(f);
	begin(f);
	run(f, 0, 10);
	__atomic_store_n(&f->sim.fails, SIM_SYNC, __ATOMIC_SEQ_CST);
	run(f, 10, 20);
	for (int i = 10; i < 20; i++)
		assert_int_equal(f->answers[i].status, -EIO);
	assert_true(f->states[GG_JOURNAL_FAILED] == 1);
	__atomic_store_n(&f->sim.fails, 0, __ATOMIC_SEQ_CST);
	run(f, 20, 30);
	assert_int_equal(f->answers[29].status, 0);
	close_and_reopen(f);
	check(f, 30, false);
	done(f);
	free(f);
}

/* The machine dies at some call; unsynced sectors are lost, or some of them. */
static void acknowledged_data_survive_a_power_cut(GG_UNUSED void **state)
{
	struct fixture *f = malloc(sizeof *f);
	for (unsigned round = 0; round < 150; round++) {
		init(f);
		begin(f);
		int acked = (int)(round % 50);
		run(f, 0, acked);
		f->sim.nth = __atomic_load_n(&f->sim.calls, __ATOMIC_SEQ_CST) + 1 + round % 4;
		for (int i = acked; i < BATCHES; i++) {
			put(f, i);
			if (i == acked + 3) /* from here on nothing reaches the disk */
				__atomic_store_n(&f->sim.fails, SIM_ALL, __ATOMIC_SEQ_CST);
		}
		gg_journal_close(f->j);
		sim_cut_power(&f->sim, round % 3 != 0, round);
		f->o.files = NULL;
		begin(f);
		check(f, BATCHES, true);
		/* and it goes on */
		struct gg_batch *b = a_batch(f->signal, 20, 1000, (BATCHES - 1) * 1000);
		struct answer a;
		b->receipt = an_answer(&a);
		gg_journal_append(f->j, b);
		gg_batch_unref(b);
		assert_int_equal(gg_journal_flush(f->j), 0);
		assert_int_equal(a.status, 0);
		done(f);
	}
	free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_call_in_turn_may_fail_once),
		cmocka_unit_test(a_full_disk_refuses_until_there_is_room),
		cmocka_unit_test(a_sync_that_keeps_failing_is_never_taken_for_success),
		cmocka_unit_test(acknowledged_data_survive_a_power_cut),
	};
	return cmocka_run_group_tests_name("plain", tests, NULL, NULL) +
	       cmocka_run_group_tests_name("sealed", tests, use_key, NULL);
}
