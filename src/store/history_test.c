/* SPDX-License-Identifier: Apache-2.0 */
#include "history_fixture.h"

#define NAME GG_STR("press/temperature")

static int set_up(void **state)
{
	struct fixture *f = fixture_new();
	f->ho = (struct gg_history_options){.path = f->path, .block_samples = 100, .flush_ns = S / 50};
	f->signal = a_signal("press/temperature");
	*state = f;
	return 0;
}

static void put(struct fixture *f, uint32_t count, int64_t time, double value)
{
	struct gg_batch *b = a_batch(f->signal, count, time, value);
	assert_int_equal(gg_journal_append(f->j, b), 0);
	gg_batch_unref(b);
}

struct seen {
	double values[20000];
	size_t count;
	int64_t last;
};

static bool see(void *arg, const struct gg_sample *s, GG_UNUSED struct gg_str text)
{
	struct seen *seen = arg;
	assert_true(s->time_ns >= seen->last);
	seen->last = s->time_ns;
	seen->values[seen->count++] = s->v.f;
	return true;
}

static struct seen seen;

static size_t scan(struct fixture *f, int64_t from, int64_t to)
{
	seen = (struct seen){.last = INT64_MIN};
	assert_int_equal(gg_history_scan(f->r, NAME, from, to, see, &seen), 0);
	return seen.count;
}

static void assert_values(size_t count, double first)
{
	assert_int_equal(seen.count, count);
	for (size_t i = 0; i < count; i++)
		assert_true(seen.values[i] == first + (double)i);
}

static void open_and_closed_blocks_are_one_series(void **state)
{
	struct fixture *f = *state;
	begin(f);
	for (int i = 0; i < 25; i++)
		put(f, 10, i * 10 * S, i * 10);
	settle(f);
	scan(f, INT64_MIN, INT64_MAX);
	assert_values(250, 0);
	scan(f, 50 * S, 219 * S);
	assert_values(170, 50);
	assert_int_equal(gg_history_flush(f->h), 0);
	scan(f, INT64_MIN, INT64_MAX);
	assert_values(250, 0);
	assert_int_equal(scan(f, 300 * S, 400 * S), 0);
	assert_int_equal(gg_history_scan(f->r, GG_STR("no/such"), 0, 1, see, &seen), 0);
}

static void late_samples_come_in_their_place(void **state)
{
	struct fixture *f = *state;
	begin(f);
	put(f, 50, 1000 * S, 1000);
	put(f, 50, 0, 0); /* was offline */
	put(f, 80, 1050 * S, 1050);
	put(f, 30, 50 * S, 50);
	settle(f);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(scan(f, 0, 500 * S), 80);
		assert_values(80, 0);
		scan(f, 1000 * S, INT64_MAX);
		assert_values(130, 1000);
		assert_int_equal(gg_history_flush(f->h), 0);
	}
}

static void nothing_is_missing_or_twice_after_a_crash(void **state)
{
	struct fixture *f = *state;
	uint32_t slow = a_signal("press/slow");
	begin(f);
	for (int i = 0; i < 33; i++) {
		put(f, 10, i * 10 * S, i * 10);
		struct gg_batch *b = a_batch(slow, 1, i * S, i);
		gg_journal_append(f->j, b);
		gg_batch_unref(b);
	}
	settle(f);
	/* what a crash leaves: the files as they are now, open blocks gone */
	char copy[700];
	snprintf(copy, sizeof copy, "cp -r %s %s/copy && cp %s %s/copy.db && cp %s-wal %s/copy.db-wal",
		f->dir, f->folder.path, f->path, f->folder.path, f->path, f->folder.path);
	struct gg_history_stats stats = {0};
	while (stats.blocks < 3)
		gg_history_get_stats(f->h, &stats);
	FILE *shell = popen(copy, "r");
	assert_int_equal(pclose(shell), 0);
	end(f);
	snprintf(f->dir, sizeof f->dir, "%s/copy", f->folder.path);
	snprintf(f->path, sizeof f->path, "%s/copy.db", f->folder.path);
	begin(f);
	settle(f);
	scan(f, INT64_MIN, INT64_MAX);
	assert_values(330, 0);
	seen = (struct seen){.last = INT64_MIN};
	assert_int_equal(gg_history_scan(f->r, GG_STR("press/slow"), 0, INT64_MAX, see, &seen), 0);
	assert_values(33, 0);
	assert_int_equal(gg_history_flush(f->h), 0);
	scan(f, INT64_MIN, INT64_MAX);
	assert_values(330, 0);
}

static void it_goes_on_after_a_restart(void **state)
{
	struct fixture *f = *state;
	for (int round = 0; round < 4; round++) {
		begin(f);
		put(f, 70, round * 70 * S, round * 70);
		settle(f);
		scan(f, INT64_MIN, INT64_MAX);
		assert_values((size_t)(round + 1) * 70, 0);
		end(f);
	}
	begin(f);
	scan(f, INT64_MIN, INT64_MAX);
	assert_values(280, 0);
}

static void a_chart_is_the_same_from_blocks_and_from_memory(void **state)
{
	struct fixture *f = *state;
	struct gg_summary before[7], after[7];
	begin(f);
	put(f, 1000, 0, 0);
	put(f, 500, 1000 * S, 5000);
	settle(f);
	assert_int_equal(gg_history_chart(f->r, NAME, 0, 1500 * S, before, 7), 0);
	assert_int_equal(gg_history_flush(f->h), 0);
	assert_int_equal(gg_history_chart(f->r, NAME, 0, 1500 * S, after, 7), 0);
	uint64_t count = 0;
	for (int i = 0; i < 7; i++) {
		assert_int_equal(before[i].count, after[i].count);
		assert_true(before[i].min == after[i].min && before[i].max == after[i].max);
		assert_true(before[i].first == after[i].first && before[i].last == after[i].last);
		assert_true(before[i].sum == after[i].sum);
		count += after[i].count;
	}
	assert_int_equal(count, 1500);
	assert_true(after[0].first == 0 && after[0].min == 0 && after[6].last == 5499);
	assert_int_equal(gg_history_chart(f->r, NAME, 0, 1500 * S, after, 1), 0);
	assert_int_equal(after[0].count, 1500);
	assert_true(after[0].max == 5499);
}

static void old_blocks_go(void **state)
{
	struct fixture *f = *state;
	f->ho.keep_bytes = 100 << 10;
	begin(f);
	unsigned seed = 1;
	for (int i = 0; i < 1000; i++) {
		struct gg_batch *b = gg_batch_new(100, 0);
		b->device = gg_signal(f->signal)->device;
		for (int k = 0; k < 100; k++)
			gg_batch_add_float(b, f->signal, (i * 100 + k) * S, rand_r(&seed) / 3.0);
		gg_batch_freeze(b);
		while (gg_journal_append(f->j, b) < 0)
			gg_journal_flush(f->j);
		gg_batch_unref(b);
	}
	settle(f);
	assert_int_equal(gg_history_flush(f->h), 0);
	struct gg_history_stats stats;
	gg_history_get_stats(f->h, &stats);
	assert_true(stats.disk_bytes <= (110 << 10));
	size_t left = scan(f, INT64_MIN, INT64_MAX);
	assert_true(left > 1000 && left < 20000);
	assert_int_equal(seen.last, 99999 * S); /* the newest are there */
}

static bool count_name(
	void *arg, struct gg_str name, GG_UNUSED struct gg_str unit, GG_UNUSED struct gg_str title)
{
	assert_true(gg_str_starts(name, GG_STR("press/")));
	(*(int *)arg)++;
	return true;
}

static void signals_are_listed_and_strings_kept(void **state)
{
	struct fixture *f = *state;
	begin(f);
	uint32_t text = a_signal("press/state");
	struct gg_batch *b = gg_batch_new(4, 100);
	b->device = gg_signal(text)->device;
	gg_batch_add_string(b, text, 1, GG_STR("running"));
	gg_batch_add_string(b, text, 2, GG_STR("stopped"));
	gg_batch_freeze(b);
	gg_journal_append(f->j, b);
	gg_batch_unref(b);
	put(f, 1, 0, 1);
	settle(f);
	gg_history_flush(f->h);
	int count = 0;
	assert_int_equal(gg_history_signals(f->r, GG_STR("press/*"), count_name, &count), 0);
	assert_int_equal(count, 2);
	struct gg_sample s;
	struct gg_str bytes;
	assert_int_equal(gg_history_seek(f->r, GG_STR("press/state"), 2, 2), 0);
	assert_int_equal(gg_history_next(f->r, &s, &bytes), 1);
	assert_true(gg_str_is(bytes, "stopped"));
	assert_int_equal(gg_history_next(f->r, &s, &bytes), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(open_and_closed_blocks_are_one_series),
		TEST(late_samples_come_in_their_place),
		TEST(nothing_is_missing_or_twice_after_a_crash),
		TEST(it_goes_on_after_a_restart),
		TEST(a_chart_is_the_same_from_blocks_and_from_memory),
		TEST(old_blocks_go),
		TEST(signals_are_listed_and_strings_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
