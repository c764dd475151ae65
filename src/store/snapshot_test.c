/* SPDX-License-Identifier: Apache-2.0 */
#include "store_fixture.h"

#include "base/buf.h"
#include "store/snapshot.h"
#include "store/sql.h"

#include <pthread.h>

static struct folder folder;
static char path[128], copy[128];

static int set_up(GG_UNUSED void **state)
{
	folder_make(&folder);
	snprintf(path, sizeof path, "%s/a.db", folder.path);
	snprintf(copy, sizeof copy, "%s/copy.db", folder.path);
	return 0;
}

static int tear_down(GG_UNUSED void **state)
{
	folder_remove(&folder);
	return 0;
}

static void fill(sqlite3 *db, int from, int to)
{
	char sql[200];
	snprintf(sql, sizeof sql,
		"WITH RECURSIVE n(i) AS (SELECT %d UNION ALL SELECT i+1 FROM n WHERE i < %d)"
		" INSERT INTO t SELECT i, hex(randomblob(200)) FROM n",
		from, to - 1);
	assert_int_equal(gg_sql_run(db, sql), 0);
}

static void copy_out(struct gg_snapshot *s)
{
	char buffer[8192];
	FILE *f = fopen(copy, "we");
	assert_non_null(f);
	for (uint64_t at = 0; at < gg_snapshot_bytes(s);) {
		size_t n = gg_min_size(sizeof buffer, gg_snapshot_bytes(s) - at);
		assert_int_equal(gg_snapshot_read(s, at, buffer, n), 0);
		assert_int_equal(fwrite(buffer, 1, n, f), n);
		at += n;
	}
	assert_int_equal(fclose(f), 0);
}

static int64_t number(const char *file, const char *sql)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *s = NULL;
	assert_int_equal(gg_sql_open(file, /* read_only= */ false, &db, NULL), 0);
	assert_int_equal(gg_sql_prepare(db, sql, &s, NULL), 0);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	int64_t n = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	sqlite3_close(db);
	return n;
}

static void it_stays_what_it_was_while_others_write(GG_UNUSED void **state)
{
	sqlite3 *db = NULL;
	struct gg_snapshot *s = NULL;
	struct gg_error e = {0};
	assert_int_equal(gg_sql_open(path, false, &db, &e), 0);
	assert_int_equal(gg_sql_run(db, "CREATE TABLE t (i INTEGER PRIMARY KEY, x TEXT)"), 0);
	fill(db, 0, 1000);
	assert_int_equal(gg_snapshot_open(path, &s, &e), 0);
	/* much more than the log's own threshold, changes of old rows, and somebody who folds the log in */
	for (int round = 1; round <= 20; round++) {
		fill(db, round * 1000, round * 1000 + 1000);
		assert_int_equal(gg_sql_run(db, "UPDATE t SET x = 'changed' WHERE i % 7 = 0"), 0);
		sqlite3_exec(db, "PRAGMA wal_checkpoint(PASSIVE)", NULL, NULL, NULL);
	}
	copy_out(s);
	assert_null(gg_snapshot_close(s));
	assert_int_equal(number(copy, "SELECT count(*) FROM t"), 1000);
	assert_int_equal(number(copy, "SELECT count(*) FROM t WHERE x = 'changed'"), 0);
	assert_int_equal(number(copy, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
	assert_int_equal(number(path, "SELECT count(*) FROM t"), 21000);
	assert_int_equal(
		sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static sqlite3 *reader;

static void *leave_after_a_while(GG_UNUSED void *arg)
{
	sqlite3_sleep(200);
	gg_sql_run(reader, "ROLLBACK");
	return NULL;
}

static void who_still_reads_what_was_is_waited_for(GG_UNUSED void **state)
{
	sqlite3 *db = NULL;
	struct gg_snapshot *s = NULL;
	pthread_t thread;
	assert_int_equal(gg_sql_open(path, false, &db, NULL), 0);
	assert_int_equal(gg_sql_open(path, true, &reader, NULL), 0);
	assert_int_equal(gg_sql_run(reader, "BEGIN; SELECT count(*) FROM t"), 0);
	assert_int_equal(gg_sql_run(db, "DELETE FROM t WHERE i >= 500"), 0);
	assert_int_equal(pthread_create(&thread, NULL, leave_after_a_while, NULL), 0);
	assert_int_equal(gg_snapshot_open(path, &s, NULL), 0);
	pthread_join(thread, NULL);
	copy_out(s);
	gg_snapshot_close(s);
	assert_int_equal(number(copy, "SELECT count(*) FROM t"), 500);
	sqlite3_close(reader);
	sqlite3_close(db);
}

static int add(void *arg, GG_UNUSED const char *at, const char *name, uint64_t bytes, GG_UNUSED bool whole)
{
	struct gg_buf *b = arg;
	gg_buf_printf(b, "%s %llu;", name, (unsigned long long)bytes);
	return 0;
}

static void segments_end_where_the_moment_is(GG_UNUSED void **state)
{
	char dir[128];
	struct gg_error e = {0};
	struct gg_journal *j = NULL;
	struct gg_buf all GG_CLEANUP(gg_buf_done) = GG_BUF(1 << 16);
	snprintf(dir, sizeof dir, "%s/journal", folder.path);
	struct gg_journal_options o = {.dir = dir, .names = &gg_names_table, .segment_bytes = 64 << 10};
	assert_int_equal(gg_journal_open(&o, &j, &e), 0);
	assert_int_equal(gg_journal_start(j, &e), 0);
	char text[1000];
	memset(text, 'x', sizeof text);
	for (int i = 0; i < 100; i++)
		assert_int_equal(
			gg_journal_append_record(j, GG_RECORD_EVENT, GG_STR("e"), gg_str_n(text, 1000), NULL),
			0);
	gg_journal_flush(j);
	uint64_t end = gg_journal_end(j);
	for (int i = 0; i < 100; i++)
		assert_int_equal(
			gg_journal_append_record(j, GG_RECORD_EVENT, GG_STR("e"), gg_str_n(text, 1000), NULL),
			0);
	gg_journal_flush(j);
	assert_int_equal(gg_snapshot_segments(dir, end, add, &all), 0);
	uint64_t sum = 0, first = 0, bytes = 0;
	struct gg_str rest = gg_buf_view(&all);
	while (rest.len) {
		struct gg_str item = gg_str_cut(&rest, ';');
		assert_int_equal(gg_parse_uint(gg_str_n(item.p, 20), &first), 0);
		assert_int_equal(gg_parse_uint(gg_str_n(item.p + 25, item.len - 25), &bytes), 0);
		sum += bytes;
	}
	assert_true(first + bytes == end);
	assert_true(sum >= 100000 && sum < 130000);
	gg_journal_close(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_stays_what_it_was_while_others_write),
		cmocka_unit_test(who_still_reads_what_was_is_waited_for),
		cmocka_unit_test(segments_end_where_the_moment_is),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
