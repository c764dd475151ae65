/* SPDX-License-Identifier: Apache-2.0 */
/* Rollups, late data, the same twice, retention, deletion, damage: what a chart and a query say meanwhile. */
#include "history_fixture.h"

#include <math.h>

#define NAME GG_STR("mill/speed")
#define DAY  (86400 * S)

static int set_up(void **state)
{
	struct fixture *f = fixture_new();
	f->ho = (struct gg_history_options){.path = f->path, .flush_ns = S / 100, .clock = &f->clock.clock};
	f->signal = a_signal("mill/speed");
	f->other = a_signal("badge-17/gate");
	*state = f;
	return 0;
}

static void put(struct fixture *f, uint32_t count, int64_t time, double value)
{
	for (uint32_t i = 0; i < count; i += 1000) {
		struct gg_batch *b =
			a_batch(f->signal, count - i < 1000 ? count - i : 1000, time + i * S, value + i);
		while (gg_journal_append(f->j, b) < 0)
			usleep(1000);
		gg_batch_unref(b);
	}
}

static int64_t ask_file(struct fixture *f, const char *sql)
{
	sqlite3 *db;
	sqlite3_stmt *q;
	assert_int_equal(gg_sql_open(f->path, /* read_only= */ false, &db, NULL), 0);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &q, NULL), SQLITE_OK);
	int64_t n = sqlite3_step(q) == SQLITE_ROW ? sqlite3_column_int64(q, 0) : 0;
	sqlite3_finalize(q);
	sqlite3_close(db);
	return n;
}

/* Until the file says so; ten seconds at most. */
static void await(struct fixture *f, const char *sql, int64_t least)
{
	for (int i = 0; i < 1000 && ask_file(f, sql) < least; i++)
		usleep(10000);
	assert_true(ask_file(f, sql) >= least);
}

struct sums {
	struct gg_summary *buckets;
	int64_t from, width;
	size_t count;
};

static bool sum_up(void *arg, const struct gg_sample *s, GG_UNUSED struct gg_str text)
{
	struct sums *sums = arg;
	size_t i = (size_t)((s->time_ns - sums->from) / sums->width);
	gg_summary_add(&sums->buckets[i < sums->count ? i : sums->count - 1], s->time_ns, s->v.f);
	return true;
}

/* A chart says what its samples say. Returns how many there are. */
static uint64_t compare(struct fixture *f, int64_t from, int64_t to, size_t count)
{
	struct gg_summary *chart = calloc(count, sizeof *chart), *own = calloc(count, sizeof *own);
	struct sums sums = {own, from, (to - from + (int64_t)count - 1) / (int64_t)count, count};
	uint64_t all = 0;
	assert_int_equal(gg_history_chart(f->r, NAME, from, to, chart, count), 0);
	assert_int_equal(gg_history_scan(f->r, NAME, from, to - 1, sum_up, &sums), 0);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(chart[i].count, own[i].count);
		all += own[i].count;
		if (own[i].count == 0)
			continue;
		assert_true(chart[i].min == own[i].min && chart[i].max == own[i].max);
		assert_true(chart[i].first == own[i].first && chart[i].last == own[i].last);
		assert_int_equal(chart[i].first_ns, own[i].first_ns);
		assert_true(fabs(chart[i].sum - own[i].sum) <= 1e-12 * fabs(own[i].sum));
	}
	free(chart);
	free(own);
	return all;
}

static void compare_all(struct fixture *f, uint64_t samples)
{
	assert_int_equal(compare(f, -7, 3 * DAY + 5, 50), samples);
	compare(f, 12345678901, 2 * DAY + 1, 17);
	compare(f, 3600 * S, 7200 * S, 60);
	compare(f, 6 * 3600 * S, 30 * 3600 * S, 24);
	compare(f, 0, DAY, 1440);
}

static void a_chart_from_rollups_says_what_the_samples_say(void **state)
{
	struct fixture *f = *state;
	begin(f);
	put(f, 200000, 0, 10);
	settle(f);
	compare_all(f, 200000);
	assert_int_equal(gg_history_flush(f->h), 0);
	await(f, "SELECT count(*) FROM rollups WHERE level=2", 8);
	compare_all(f, 200000);
	end(f);
	begin(f); /* and after a restart */
	compare_all(f, 200000);
}

static void late_data_are_in_charts_at_any_moment(void **state)
{
	struct fixture *f = *state;
	begin(f);
	put(f, 40000, 0, 10);
	put(f, 100000, 60000 * S, 10);
	settle(f);
	assert_int_equal(gg_history_flush(f->h), 0);
	await(f, "SELECT count(*) FROM rollups WHERE level=2", 6);
	put(f, 5000, 42000 * S, -5);      /* into a gap */
	put(f, 777, 1000 * S + 500, 1e6); /* between others */
	settle(f);
	compare_all(f, 145777);
	assert_int_equal(gg_history_flush(f->h), 0);
	compare_all(f, 145777);
	put(f, 10000, 20000 * S + 7, 3);
	settle(f);
	compare_all(f, 155777);
	assert_int_equal(gg_history_flush(f->h), 0);
	compare_all(f, 155777);
}

static void the_same_twice_counts_once(void **state)
{
	struct fixture *f = *state;
	begin(f);
	put(f, 50000, 0, 10);
	put(f, 3000, 49000 * S, 10 + 49000); /* half of it again, then more */
	settle(f);
	compare_all(f, 52000);
	assert_int_equal(gg_history_flush(f->h), 0);
	compare_all(f, 52000);
	put(f, 1500, 100 * S, 110);
	put(f, 10, 200 * S, 7); /* other values at known times are other samples */
	settle(f);
	compare_all(f, 52010);
	assert_int_equal(gg_history_flush(f->h), 0);
	compare_all(f, 52010);
}

static void what_lives_longer_is_made_before_the_samples_go(void **state)
{
	struct fixture *f = *state;
	const struct gg_str mill = GG_STR("mill/*");
	struct gg_history_keep rules[2] = {
		{.select = &mill, .select_count = 1, .age_ns = {DAY, 2 * DAY, 0, 0, 0}}};
	struct gg_summary days[4];
	f->ho.keep = rules;
	f->ho.keep_count = 1;
	f->clock.utc = 200000 * S;
	begin(f);
	put(f, 200000, 0, 10);
	settle(f);
	assert_int_equal(gg_history_flush(f->h), 0);
	/* all samples of the first day are forgotten, not so what was summed up of them */
	await(f, "SELECT min(t1) > 112000000000000 FROM blocks", 1);
	assert_int_equal(gg_history_chart(f->r, NAME, 0, 4 * DAY, days, 4), 0);
	assert_int_equal(days[0].count, 86400);
	assert_true(days[0].min == 10 && days[0].max == 10 + 86399);
	assert_int_equal(days[0].count + days[1].count + days[2].count, 200000);
	struct gg_summary second;
	assert_int_equal(gg_history_chart(f->r, NAME, 50000 * S, 50001 * S, &second, 1), 0);
	assert_int_equal(second.count, 1);
	assert_true(second.last == 50010);
	/* late data for the forgotten time are taken in */
	put(f, 100, 5 * S + 1, 1e9);
	settle(f);
	assert_int_equal(gg_history_flush(f->h), 0);
	assert_int_equal(gg_history_chart(f->r, NAME, 0, 4 * DAY, days, 4), 0);
	assert_int_equal(days[0].count, 86500);
	assert_true(days[0].max == 1e9 + 99);
}

static void an_age_for_some_is_none_for_others(void **state)
{
	struct fixture *f = *state;
	const struct gg_str people = GG_STR("badge-*");
	struct gg_history_keep rules[1] = {{.select = &people,
		.select_count = 1,
		.age_ns = {3600 * S, 3600 * S, 3600 * S, 3600 * S, 3600 * S}}};
	f->ho.keep = rules;
	f->ho.keep_count = 1;
	f->clock.utc = 10 * DAY;
	begin(f);
	put(f, 5000, 0, 10);
	f->signal = f->other;
	put(f, 5000, 0, 10);
	settle(f);
	assert_int_equal(gg_history_flush(f->h), 0);
	await(f, "SELECT count(*) = 0 FROM blocks JOIN signals s ON s.id = signal WHERE name LIKE 'badge%'",
		1);
	assert_int_equal(compare(f, 0, DAY, 3), 5000);
}

static void rules_given_while_it_runs_are_in_force(void **state)
{
	struct fixture *f = *state;
	const struct gg_str people = GG_STR("badge-*");
	struct gg_history_keep rules[1] = {{.select = &people,
		.select_count = 1,
		.age_ns = {3600 * S, 3600 * S, 3600 * S, 3600 * S, 3600 * S}}};
	f->clock.utc = 10 * DAY;
	begin(f);
	put(f, 5000, 0, 10);
	f->signal = f->other;
	put(f, 5000, 0, 10);
	settle(f);
	assert_int_equal(gg_history_flush(f->h), 0);
	await(f, "SELECT count(DISTINCT signal) = 2 FROM blocks", 1);
	f->ho.keep = rules;
	f->ho.keep_count = 1;
	assert_int_equal(gg_history_tune(f->h, &f->ho), 0);
	assert_int_equal(gg_history_flush(f->h), 0);
	await(f, "SELECT count(*) = 0 FROM blocks JOIN signals s ON s.id = signal WHERE name LIKE 'badge%'",
		1);
	assert_int_equal(compare(f, 0, DAY, 3), 5000);
}

static void a_damaged_block_is_told_and_the_others_are_read(void **state)
{
	struct fixture *f = *state;
	begin(f);
	put(f, 4096, 0, 10);
	settle(f);
	assert_int_equal(gg_history_flush(f->h), 0);
	int64_t blocks = ask_file(f, "SELECT count(*) FROM blocks"),
		n = ask_file(f, "SELECT n FROM blocks WHERE id=2");
	assert_true(blocks > 2);
	ask_file(f, "UPDATE blocks SET data = CAST(substr(data, 1, 20) || 'x' || substr(data, 22) AS BLOB) "
		    "WHERE id=2");
	assert_int_equal(compare(f, -1, DAY, 1000), 4096 - n);
	assert_true(gg_history_reader_damaged(f->r) > 0);
}

/* ---- deletion ---- */

static bool file_has(const char *path, struct gg_str text)
{
	char *all = malloc(64 << 20);
	FILE *file = fopen(path, "rb");
	size_t n = file ? fread(all, 1, 64 << 20, file) : 0;
	bool found = n > 0 && memmem(all, n, text.p, text.len);
	if (file)
		fclose(file);
	free(all);
	return found;
}

static bool folder_has(const char *path, struct gg_str text)
{
	DIR *d = opendir(path);
	bool found = false;
	for (struct dirent *e; d && (e = readdir(d));) {
		char name[400];
		snprintf(name, sizeof name, "%s/%.200s", path, e->d_name);
		if (e->d_name[0] == '.')
			continue;
		found |= e->d_type == DT_DIR ? folder_has(name, text) : file_has(name, text);
	}
	if (d)
		closedir(d);
	return found;
}

static void say(struct fixture *f, uint32_t signal, int64_t time, const char *text)
{
	struct gg_batch *b = gg_batch_new(3, 200);
	b->device = gg_signal(signal)->device;
	gg_batch_add_float(b, f->signal, time, 1.5);
	gg_batch_add_string(b, signal, time, gg_str(text));
	gg_batch_add_float(b, f->signal, time + 1, 2.5);
	gg_batch_freeze(b);
	assert_int_equal(gg_journal_append(f->j, b), 0);
	gg_batch_unref(b);
}

static bool is_other(void *arg, uint32_t index)
{
	return index == ((struct fixture *)arg)->other;
}

static bool count_other(void *arg, GG_UNUSED const struct gg_sample *s, GG_UNUSED struct gg_str text)
{
	(*(uint64_t *)arg)++;
	return true;
}

static uint64_t others(struct fixture *f)
{
	uint64_t n = 0;
	assert_int_equal(
		gg_history_scan(f->r, GG_STR("badge-17/gate"), INT64_MIN, INT64_MAX, count_other, &n), 0);
	return n;
}

static void deleted_is_in_no_file(void **state)
{
	struct fixture *f = *state;
	const struct gg_str people = GG_STR("badge-17/*"), name = GG_STR("Rosalind-Quirk"),
			    kept = GG_STR("Ferdinand");
	struct gg_journal_wish wish = {.arg = f, .from = 0, .to = 99 * S, .signal = is_other};
	struct gg_journal_erased erased;
	struct gg_history_deleted gone;
	begin(f);
	for (int i = 0; i < 200; i++)
		say(f, f->other, i * S, i < 100 ? "Rosalind-Quirk" : "Ferdinand");
	settle(f);
	assert_int_equal(gg_history_flush(f->h), 0);
	for (int i = 0; i < 50; i++)
		say(f, f->other, i * S + 5, "Rosalind-Quirk"); /* open, and in the last segment */
	settle(f);
	const bool plain = !the_root || !sealed_by_environment(); /* somewhere */
	assert_int_equal(folder_has(f->folder.path, name), plain);
	assert_int_equal(gg_journal_erase(f->j, &wish, &erased), 0);
	assert_int_equal(erased.samples, 150);
	assert_int_equal(gg_history_delete(f->h, &people, 1, 0, 99 * S, &gone), 0);
	assert_int_equal(gone.samples, 150);
	assert_true(gone.clean);
	assert_false(folder_has(f->folder.path, name));
	assert_int_equal(folder_has(f->folder.path, kept), plain);
	assert_int_equal(others(f), 100);
	assert_int_equal(compare(f, 0, DAY, 3), 500);
	end(f);
	begin(f);
	assert_int_equal(others(f), 100);
	assert_int_equal(compare(f, 0, DAY, 3), 500);
	assert_false(folder_has(f->folder.path, name));
}

static void the_journal_reads_on_where_samples_were_taken_out(void **state)
{
	struct fixture *f = *state;
	struct gg_journal_wish wish = {.arg = f, .from = 10 * S, .to = 19 * S, .signal = is_other};
	struct gg_journal_erased erased;
	struct gg_journal_reader *r;
	struct gg_record rec;
	uint64_t samples = 0, before = 0;
	begin(f);
	for (int i = 0; i < 100; i++)
		say(f, f->other, i * S, "somebody");
	settle(f);
	assert_int_equal(gg_journal_erase(f->j, &wish, &erased), 0);
	assert_int_equal(erased.samples, 10);
	assert_int_equal(gg_journal_erase(f->j, &wish, &erased), 0);
	assert_int_equal(erased.samples, 0);
	say(f, f->other, 100 * S, "somebody");
	settle(f);
	assert_int_equal(gg_journal_reader_new(f->j, 0, &r), 0);
	while (gg_journal_next(r, &rec) == 1) {
		assert_true(rec.position >= before);
		before = rec.next;
		if (!rec.batch)
			continue;
		for (uint32_t i = 0; i < rec.batch->count; i++)
			assert_false(rec.batch->samples[i].signal == f->other &&
				     rec.batch->samples[i].time_ns >= 10 * S &&
				     rec.batch->samples[i].time_ns <= 19 * S);
		samples += rec.batch->count;
		gg_batch_unref(rec.batch);
	}
	assert_int_equal(gg_journal_reader_damaged(r), 0);
	assert_int_equal(samples, 303 - 10);
	gg_journal_reader_free(r);
}

static void rollups_forget_what_was_deleted(void **state)
{
	struct fixture *f = *state;
	const struct gg_str all = GG_STR("mill/*");
	struct gg_history_deleted gone;
	begin(f);
	put(f, 150000, 0, 10);
	settle(f);
	assert_int_equal(gg_history_flush(f->h), 0);
	await(f, "SELECT count(*) FROM rollups WHERE level=2", 6);
	assert_int_equal(gg_history_delete(f->h, &all, 1, 30000 * S, 39999 * S, &gone), 0);
	assert_int_equal(gone.samples, 10000);
	compare_all(f, 140000);
	await(f, "SELECT count(*) FROM rollups WHERE level=2", 6);
	compare_all(f, 140000);
}

/* A device began to measure before it had the time: its first sample is of 1970. */
static void a_clock_that_was_not_set_stretches_no_block(void **state)
{
	struct fixture *f = *state;
	const int64_t now = 20000 * DAY;
	f->clock.utc = now;
	begin(f);
	put(f, 1, 0, 1);
	put(f, 5000, now, 2);
	settle(f);
	put(f, 1, S, 1);
	put(f, 5000, now + 5000 * S, 2);
	settle(f);
	end(f);
	begin(f);
	assert_int_equal(ask_file(f, "SELECT sum(n) FROM blocks"), 10002);
	assert_true(ask_file(f, "SELECT max(t1 - t0) FROM blocks") <= DAY);
	assert_true(ask_file(f, "SELECT max(max_span) FROM signals") <= DAY);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_chart_from_rollups_says_what_the_samples_say),
		TEST(late_data_are_in_charts_at_any_moment),
		TEST(the_same_twice_counts_once),
		TEST(what_lives_longer_is_made_before_the_samples_go),
		TEST(an_age_for_some_is_none_for_others),
		TEST(rules_given_while_it_runs_are_in_force),
		TEST(a_damaged_block_is_told_and_the_others_are_read),
		TEST(deleted_is_in_no_file),
		TEST(the_journal_reads_on_where_samples_were_taken_out),
		TEST(rollups_forget_what_was_deleted),
		TEST(a_clock_that_was_not_set_stretches_no_block),
	};
	const struct CMUnitTest of_a_sealed_journal[] = {
		TEST(deleted_is_in_no_file),
		TEST(the_journal_reads_on_where_samples_were_taken_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL) +
	       cmocka_run_group_tests(of_a_sealed_journal, use_key, NULL);
}
