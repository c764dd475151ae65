/* SPDX-License-Identifier: Apache-2.0 */
/* Sealed databases: nothing to be read on the disk, all of it there after a crash, damage named. */
#include "store_fixture.h"

#include "base/log.h"
#include "store/sealed_vfs.h"

#include <fcntl.h>
#include <ftw.h>

enum { PAGE = GG_SEALED_PAGE, ROWS = 1500 };

#define SECRET "a-word-that-must-not-be-found"

static const uint8_t root[] = "the root key of thirty-two bytes",
		     other_root[] = "another key, as long as the root";

static struct folder folder;
static char path[128], log_path[128], copy[128];

static int set_up(GG_UNUSED void **state)
{
	folder_make(&folder);
	snprintf(path, sizeof path, "%s/a.db", folder.path);
	snprintf(log_path, sizeof log_path, "%s/a.db-wal", folder.path);
	snprintf(copy, sizeof copy, "%s/b.db", folder.path);
	return gg_sql_seal(root);
}

static int tear_down(GG_UNUSED void **state)
{
	gg_sql_seal(NULL);
	folder_remove(&folder);
	return 0;
}

static sqlite3 *opened(const char *file, bool read_only)
{
	sqlite3 *db = NULL;
	struct gg_error e = {0};
	int rc = gg_sql_open(file, read_only, &db, &e);
	if (rc < 0)
		print_error("%s\n", e.text);
	assert_int_equal(rc, 0);
	return db;
}

static void run(sqlite3 *db, const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		print_error("%s: %s\n", sql, sqlite3_errmsg(db));
	assert_int_equal(sqlite3_errcode(db), SQLITE_OK);
}

static int64_t number(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *s = NULL;
	struct gg_error e = {0};
	if (gg_sql_prepare(db, sql, &s, &e) < 0)
		print_error("%s\n", e.text);
	assert_int_equal(e.code, 0);
	int code = sqlite3_step(s);
	int64_t n = code == SQLITE_ROW ? sqlite3_column_int64(s, 0) : -1;
	sqlite3_finalize(s);
	return n;
}

static void insert(sqlite3 *db, int from, int to)
{
	char sql[300];
	snprintf(sql, sizeof sql,
		"WITH RECURSIVE n(i) AS (SELECT %d UNION ALL SELECT i+1 FROM n WHERE i < %d) INSERT INTO t"
		" SELECT i, '" SECRET "' || i, CAST(replace(hex(zeroblob(50 + i %% 400)), '00', 'blob-" SECRET
		"') AS BLOB) FROM n",
		from, to - 1);
	run(db, sql);
}

static sqlite3 *filled(const char *file)
{
	sqlite3 *db = opened(file, false);
	run(db, "CREATE TABLE t (i INTEGER PRIMARY KEY, x TEXT, b BLOB); CREATE INDEX t_x ON t (x)");
	insert(db, 0, ROWS / 10);
	return db;
}

static void check(sqlite3 *db, int64_t rows)
{
	assert_int_equal(number(db, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
	assert_int_equal(number(db, "SELECT count(*) FROM t"), rows);
	assert_int_equal(number(db, "SELECT count(*) FROM t WHERE x <> '" SECRET "' || i"), 0);
}

/* ---- what lies on the disk ---- */

static int found, files;

static int search(const char *file, const struct stat *st, int type, GG_UNUSED struct FTW *w)
{
	if (type != FTW_F || st->st_size == 0)
		return 0;
	size_t size = (size_t)st->st_size;
	char *bytes = malloc(size);
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	assert_true(bytes && fd >= 0 && read(fd, bytes, size) == (ssize_t)size);
	static const char *const words[] = {SECRET, "CREATE TABLE", "SQLite format"};
	for (size_t i = 0; i < GG_COUNT(words); i++)
		if (memmem(bytes, size, words[i], strlen(words[i]))) {
			print_error("%s holds \"%s\"\n", file, words[i]);
			found++;
		}
	files++;
	close(fd);
	free(bytes);
	return 0;
}

static void assert_nothing_to_read(int least_files)
{
	found = files = 0;
	nftw(folder.path, search, 8, FTW_PHYS);
	assert_int_equal(found, 0);
	assert_true(files >= least_files);
}

static void nothing_can_be_read_on_the_disk(GG_UNUSED void **state)
{
	sqlite3 *db = filled(path);
	assert_nothing_to_read(2); /* the file, its log */
	insert(db, ROWS / 10, ROWS);
	run(db, "UPDATE t SET b = b || 'more' WHERE i % 3 = 0");
	run(db, "BEGIN; SAVEPOINT s; DELETE FROM t WHERE i % 2; UPDATE t SET x = x || 'y'; ROLLBACK TO s");
	assert_nothing_to_read(2);
	run(db, "COMMIT; CREATE TABLE u AS SELECT * FROM t ORDER BY b, x DESC; CREATE INDEX u_b ON u (b, x)");
	assert_nothing_to_read(2);
	run(db, "DROP TABLE u; PRAGMA incremental_vacuum(100); PRAGMA wal_checkpoint(TRUNCATE)");
	assert_nothing_to_read(1);
	run(db, "VACUUM");
	assert_nothing_to_read(2);
	check(db, ROWS);
	run(db, "REINDEX; ANALYZE; PRAGMA optimize");
	assert_nothing_to_read(2);
	sqlite3_close(db);
	assert_nothing_to_read(1);
	db = opened(path, true);
	check(db, ROWS);
	sqlite3_close(db);
}

static void a_transaction_larger_than_the_cache_is_one(GG_UNUSED void **state)
{
	sqlite3 *db = filled(path), *reader = opened(path, true);
	run(db, "PRAGMA cache_size=10; BEGIN");
	insert(db, ROWS / 10, ROWS);
	run(db, "UPDATE t SET b = x WHERE i % 5 = 0"); /* pages in the log are written over */
	run(db, "UPDATE t SET b = b || x");
	check(reader, ROWS / 10);
	run(db, "COMMIT");
	check(reader, ROWS);
	run(db, "BEGIN; DELETE FROM t; ROLLBACK; PRAGMA wal_checkpoint(FULL)");
	check(reader, ROWS);
	sqlite3_close(reader);
	check(db, ROWS);
	sqlite3_close(db);
}

static void copy_file(const char *from, const char *to)
{
	static char bytes[1 << 16];
	int in = open(from, O_RDONLY | O_CLOEXEC),
	    out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ssize_t n;
	assert_true(out >= 0);
	while (in >= 0 && (n = read(in, bytes, sizeof bytes)) > 0)
		assert_int_equal(write(out, bytes, (size_t)n), n);
	if (in >= 0)
		close(in);
	close(out);
}

/* What a kill leaves: the files as they are, also in the midst of a transaction. */
static void copy_both(void)
{
	char to[140];
	snprintf(to, sizeof to, "%s-wal", copy);
	copy_file(path, copy);
	copy_file(log_path, to);
}

static void after_a_crash_all_that_was_committed_is_there(GG_UNUSED void **state)
{
	sqlite3 *db = filled(path);
	for (int round = 0; round < 4; round++) {
		int rows = ROWS / 10 + round * 200;
		run(db, "PRAGMA cache_size=10; BEGIN");
		insert(db, rows, rows + 200);
		run(db, "UPDATE t SET b = b || '" SECRET "'");
		copy_both();
		sqlite3 *after = opened(copy, false);
		check(after, rows);
		sqlite3_close(after);
		run(db, "COMMIT");
		copy_both();
		after = opened(copy, false);
		check(after, rows + 200);
		insert(after, 100000, 100100);
		check(after, rows + 300);
		sqlite3_close(after);
		if (round % 2)
			run(db, "PRAGMA wal_checkpoint(TRUNCATE)");
	}
	sqlite3_close(db);
}

/* ---- damage ---- */

static void change(const char *file, off_t at, const void *bytes, size_t len)
{
	int fd = open(file, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, len, at), len);
	close(fd);
}

static void flip(const char *file, off_t at)
{
	uint8_t b;
	int fd = open(file, O_RDWR | O_CLOEXEC);
	assert_int_equal(pread(fd, &b, 1, at), 1);
	b ^= 0x10;
	assert_int_equal(pwrite(fd, &b, 1, at), 1);
	close(fd);
}

static char said[1 << 16];

static void take_line(GG_UNUSED void *arg, struct gg_str line)
{
	size_t len = strlen(said);
	snprintf(said + len, sizeof said - len, "%.*s\n", GG_STR_ARG(line));
}

static bool was_said(const char *one, const char *two)
{
	said[0] = '\0';
	gg_log_recent(20, take_line, NULL);
	return strstr(said, one) && strstr(said, two);
}

static int read_all(sqlite3 *db)
{
	return sqlite3_exec(db, "SELECT sum(length(b)), sum(length(x)) FROM t NOT INDEXED", NULL, NULL, NULL);
}

static void a_page_that_was_changed_is_named(GG_UNUSED void **state)
{
	/* in its content, its nonce, its tag */
	static const off_t places[] = {1000, PAGE - 30, PAGE - 1};
	sqlite3_close(filled(path));
	for (size_t i = 0; i < GG_COUNT(places); i++) {
		off_t page = 5 + (off_t)i;
		char number_text[30];
		flip(path, (page - 1) * PAGE + places[i]);
		sqlite3 *db = opened(path, true);
		assert_int_equal(read_all(db), SQLITE_IOERR_DATA);
		snprintf(number_text, sizeof number_text, "\"page\":%d", (int)page);
		assert_true(was_said(path, number_text));
		sqlite3_close(db);
		flip(path, (page - 1) * PAGE + places[i]);
	}
	sqlite3 *db = opened(path, true);
	check(db, ROWS / 10);
	sqlite3_close(db);
}

static void pages_in_each_others_place_do_not_open(GG_UNUSED void **state)
{
	uint8_t a[PAGE], b[PAGE];
	sqlite3_close(filled(path));
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(pread(fd, a, PAGE, 7 * PAGE), PAGE);
	assert_int_equal(pread(fd, b, PAGE, 8 * PAGE), PAGE);
	close(fd);
	change(path, 7 * PAGE, b, PAGE);
	change(path, 8 * PAGE, a, PAGE);
	sqlite3 *db = opened(path, true);
	assert_int_equal(read_all(db), SQLITE_IOERR_DATA);
	sqlite3_close(db);
	change(path, 7 * PAGE, a, PAGE);
	change(path, 8 * PAGE, b, PAGE);
	/* nor one of another database with the same key, at the same place */
	sqlite3_close(filled(copy));
	fd = open(copy, O_RDONLY | O_CLOEXEC);
	assert_int_equal(pread(fd, b, PAGE, 7 * PAGE), PAGE);
	close(fd);
	change(path, 7 * PAGE, b, PAGE);
	db = opened(path, true);
	assert_int_equal(read_all(db), SQLITE_IOERR_DATA);
	sqlite3_close(db);
}

static void a_torn_first_page_is_taken_from_the_log(GG_UNUSED void **state)
{
	uint8_t rubbish[PAGE];
	sqlite3 *db = filled(path);
	memset(rubbish, 0xa5, sizeof rubbish);
	copy_both();
	sqlite3_close(db);
	change(copy, 512, rubbish, PAGE - 512); /* its first sector got there */
	db = opened(copy, false);
	check(db, ROWS / 10);
	sqlite3_close(db);
	db = opened(copy, true);
	check(db, ROWS / 10);
	sqlite3_close(db);
	flip(copy, 300); /* and without a log it is an error */
	struct gg_error e = {0};
	assert_int_equal(gg_sql_open(copy, false, &db, &e), -EIO);
	assert_true(was_said(copy, "\"page\":1"));
}

static void a_log_that_was_cut_off_ends_with_its_last_whole_transaction(GG_UNUSED void **state)
{
	struct stat st;
	char to[140];
	sqlite3 *db = filled(path);
	assert_int_equal(stat(log_path, &st), 0);
	off_t before = st.st_size;
	run(db, "PRAGMA wal_autocheckpoint=0");
	insert(db, ROWS / 10, ROWS / 5);
	assert_int_equal(stat(log_path, &st), 0);
	snprintf(to, sizeof to, "%s-wal", copy);
	for (off_t end = before; end < st.st_size; end += 1 + (st.st_size - before) / 7) {
		copy_both();
		assert_int_equal(truncate(to, end), 0);
		sqlite3 *after = opened(copy, false);
		check(after, ROWS / 10);
		sqlite3_close(after);
	}
	/* a frame in the midst is torn */
	copy_both();
	flip(to, before + 20000);
	sqlite3 *after = opened(copy, false);
	check(after, ROWS / 10);
	sqlite3_close(after);
	/* and one that is read at work is an error that names it */
	flip(log_path, st.st_size - 2000);
	sqlite3 *reader = opened(path, true);
	assert_int_not_equal(number(reader, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
	assert_true(was_said(log_path, "\"frame\""));
	sqlite3_close(reader);
	sqlite3_close(db);
}

static void a_file_that_was_cut_off_is_an_error(GG_UNUSED void **state)
{
	struct stat st;
	sqlite3_close(filled(path));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(truncate(path, st.st_size / 2 / PAGE * PAGE), 0);
	sqlite3 *db = opened(path, true);
	assert_int_not_equal(read_all(db), SQLITE_OK);
	sqlite3_close(db);
}

/* ---- keys ---- */

static void another_key_or_none_is_an_error_in_words(GG_UNUSED void **state)
{
	sqlite3 *db = NULL;
	struct gg_error e = {0};
	sqlite3_close(filled(path));
	assert_int_equal(gg_sql_seal(other_root), 0);
	assert_int_equal(gg_sql_open(path, true, &db, &e), -EACCES);
	assert_non_null(strstr(e.text, "another key"));
	assert_int_equal(gg_sql_open(path, false, &db, &e), -EACCES);
	gg_sql_seal(NULL);
	assert_int_equal(gg_sql_open(path, false, &db, &e), -EACCES);
	assert_non_null(strstr(e.text, "is sealed: its key is needed"));
	gg_sql_seal(root);
	db = opened(path, false);
	check(db, ROWS / 10);
	sqlite3_close(db);
	/* the key seems right, the file says, and is not: no page opens */
	uint8_t ours[4];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(pread(fd, ours, 4, 4), 4);
	close(fd);
	gg_sql_seal(other_root);
	sqlite3_close(filled(copy));
	gg_sql_seal(root);
	change(copy, 4, ours, 4);
	assert_int_equal(gg_sql_open(copy, false, &db, &e), -EIO);
}

static void a_foreign_journal_is_not_rolled_back(GG_UNUSED void **state)
{
	static const uint8_t journal[512] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7, 0, 0, 0, 1};
	char name[140];
	sqlite3_close(filled(path));
	snprintf(name, sizeof name, "%s-journal", path);
	int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, journal, sizeof journal), sizeof journal);
	close(fd);
	struct gg_error e = {0};
	sqlite3 *db = NULL;
	int rc = gg_sql_open(path, false, &db, &e);
	if (rc == 0) { /* it lay beside, and was not looked at */
		check(db, ROWS / 10);
		sqlite3_close(db);
	}
	unlink(name);
	db = opened(path, false);
	check(db, ROWS / 10);
	sqlite3_close(db);
}

/* ---- plain to sealed ---- */

static void make_plain(void)
{
	gg_sql_seal(NULL);
	sqlite3 *db = filled(path);
	run(db, "PRAGMA user_version=3; CREATE TABLE a (i INTEGER PRIMARY KEY AUTOINCREMENT)");
	run(db, "INSERT INTO a VALUES (41); DELETE FROM a");
	copy_both(); /* with a log that is not folded in, as after a kill */
	sqlite3_close(db);
	gg_sql_seal(root);
}

static void assert_is_whole(sqlite3 *db)
{
	check(db, ROWS / 10);
	assert_int_equal(number(db, "PRAGMA user_version"), 3);
	assert_int_equal(number(db, "PRAGMA auto_vacuum"), 2);
	run(db, "INSERT INTO a DEFAULT VALUES");
	assert_int_equal(number(db, "SELECT max(i) FROM a"), 42);
	run(db, "DELETE FROM a; UPDATE sqlite_sequence SET seq = 41");
}

static void a_plain_database_is_sealed_when_it_is_opened(GG_UNUSED void **state)
{
	struct stat st;
	make_plain();
	unlink(path);
	assert_int_equal(chmod(copy, 0620), 0);
	assert_int_equal(gg_sealed_look(copy), GG_SEALED_PLAIN);
	sqlite3 *db = opened(copy, true); /* who only reads does not change it */
	check(db, ROWS / 10);
	sqlite3_close(db);
	assert_int_equal(gg_sealed_look(copy), GG_SEALED_PLAIN);
	db = opened(copy, false);
	assert_int_equal(gg_sealed_look(copy), GG_SEALED_OURS);
	assert_is_whole(db);
	assert_nothing_to_read(1);
	assert_true(stat(copy, &st) == 0 && (st.st_mode & 0777) == 0620);
	sqlite3_close(db);
	/* and back */
	struct gg_error e = {0};
	assert_int_equal(gg_sql_unseal(copy, &e), 0);
	assert_int_equal(gg_sql_unseal(copy, &e), -EACCES);
	gg_sql_seal(NULL);
	assert_int_equal(gg_sealed_look(copy), GG_SEALED_PLAIN);
	db = opened(copy, false);
	assert_is_whole(db);
	sqlite3_close(db);
	gg_sql_seal(root);
	db = opened(copy, false);
	assert_is_whole(db);
	sqlite3_close(db);
	assert_nothing_to_read(1);
}

static void what_a_crash_left_of_the_sealing_is_cleared_away(GG_UNUSED void **state)
{
	char fresh[140], plain[140];
	make_plain();
	unlink(copy);
	snprintf(fresh, sizeof fresh, "%s-wal", copy);
	unlink(fresh);
	snprintf(fresh, sizeof fresh, "%s.sealing", path);
	snprintf(plain, sizeof plain, "%s.plain", path);
	/* while it was written, and before it was renamed */
	copy_file(path, fresh);
	assert_int_equal(link(path, plain), 0);
	sqlite3 *db = opened(path, false);
	assert_is_whole(db);
	assert_true(access(fresh, F_OK) < 0 && access(plain, F_OK) < 0);
	sqlite3_close(db);
	/* while the old one was overwritten */
	int fd = open(plain, O_WRONLY | O_CREAT | O_CLOEXEC, 0600), second = dup(fd);
	assert_int_equal(write(fd, SECRET, strlen(SECRET)), strlen(SECRET));
	close(fd);
	db = opened(path, false);
	assert_is_whole(db);
	assert_true(access(plain, F_OK) < 0);
	char rest[sizeof SECRET] = "";
	fd = second;
	char name[40];
	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	int again = open(name, O_RDONLY | O_CLOEXEC);
	assert_int_equal(pread(again, rest, sizeof rest - 1, 0), sizeof rest - 1);
	assert_string_equal(rest, ""); /* overwritten, not only unlinked */
	close(again);
	close(fd);
	sqlite3_close(db);
	assert_nothing_to_read(1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(nothing_can_be_read_on_the_disk),
		TEST(a_transaction_larger_than_the_cache_is_one),
		TEST(after_a_crash_all_that_was_committed_is_there),
		TEST(a_page_that_was_changed_is_named),
		TEST(pages_in_each_others_place_do_not_open),
		TEST(a_torn_first_page_is_taken_from_the_log),
		TEST(a_log_that_was_cut_off_ends_with_its_last_whole_transaction),
		TEST(a_file_that_was_cut_off_is_an_error),
		TEST(another_key_or_none_is_an_error_in_words),
		TEST(a_foreign_journal_is_not_rolled_back),
		TEST(a_plain_database_is_sealed_when_it_is_opened),
		TEST(what_a_crash_left_of_the_sealing_is_cleared_away),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
