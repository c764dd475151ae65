/* SPDX-License-Identifier: Apache-2.0 */
#include "core/revisions.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/gg-revisions-XXXXXX";
static const struct gg_revision note = {
	.time_ns = 1772366400000000000LL, .who = "admin", .why = "a \"reason\"\n"};

static void path_of(char *to, size_t size, const char *name)
{
	snprintf(to, size, "%s/revisions/%s", folder, name);
}

static void keeps_every_revision_and_reads_it_back(void **state GG_UNUSED)
{
	uint64_t first = 0, second = 0, again = 0;
	struct gg_error e;
	struct gg_revision r, *all = NULL;
	size_t count = 0;
	struct gg_buf text = GG_BUF(1 << 20);
	assert_int_equal(gg_revisions_list(folder, &all, &count, &e), 0);
	assert_int_equal(count, 0);
	assert_int_equal(gg_revision_read(folder, 0, &r, &text, &e), -ENOENT);
	assert_int_equal(gg_revision_store(folder, &note, GG_STR("site: a\n"), &first, &e), 0);
	assert_int_equal(gg_revision_store(folder, &note, GG_STR("site: b\n"), &second, &e), 0);
	assert_int_equal(gg_revision_store(folder, &note, GG_STR("site: b\n"), &again, &e), 0);
	assert_int_equal(first, 1);
	assert_int_equal(second, 2);
	assert_int_equal(again, 2); /* nothing new, nothing stored */
	assert_int_equal(gg_revision_read(folder, 1, &r, &text, &e), 0);
	assert_string_equal(gg_buf_text(&text), "site: a\n");
	assert_string_equal(r.who, "admin");
	assert_string_equal(r.why, "a \"reason\"\n");
	assert_int_equal(r.time_ns, note.time_ns);
	gg_buf_clear(&text);
	assert_int_equal(gg_revision_read(folder, 0, &r, &text, &e), 0);
	assert_int_equal(r.number, 2);
	assert_int_equal(gg_revisions_list(folder, &all, &count, &e), 0);
	assert_int_equal(count, 2);
	assert_int_equal(all[1].number, 2);
	assert_int_equal(all[1].bytes, 8);
	assert_false(all[1].damaged);
	free(all);
	gg_buf_done(&text);
}

static void nobody_else_may_read_them(void **state GG_UNUSED)
{
	char path[200];
	struct stat st;
	path_of(path, sizeof path, "000001.yaml");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	path_of(path, sizeof path, "");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
}

static void tells_a_damaged_revision(void **state GG_UNUSED)
{
	char path[200];
	struct gg_error e;
	struct gg_revision r;
	struct gg_buf text = GG_BUF(1 << 20);
	path_of(path, sizeof path, "000002.yaml");
	int fd = open(path, O_WRONLY | O_APPEND);
	assert_int_equal(write(fd, "x", 1), 1);
	close(fd);
	assert_int_equal(gg_revision_read(folder, 2, &r, &text, &e), -EIO);
	assert_non_null(strstr(e.text, "revision 2 is damaged"));
	assert_int_equal(text.len, 0);
	assert_int_equal(gg_revision_read(folder, 9, &r, &text, &e), -ENOENT);
	assert_string_equal(e.text, "there is no revision 9");
	fd = open(path, O_WRONLY | O_TRUNC);
	close(fd);
	struct gg_revision *all = NULL;
	size_t count = 0;
	uint64_t number = 0;
	assert_int_equal(gg_revisions_list(folder, &all, &count, &e), 0);
	assert_int_equal(count, 2);
	assert_true(all[1].damaged);
	free(all);
	/* It does not stand in the way of the next. */
	assert_int_equal(gg_revision_store(folder, &note, GG_STR("site: c\n"), &number, &e), 0);
	assert_int_equal(number, 3);
	gg_buf_done(&text);
}

static int make_folder(void **state GG_UNUSED)
{
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state GG_UNUSED)
{
	static const char *const names[] = {"000001.yaml", "000002.yaml", "000003.yaml", ""};
	char path[200];
	for (size_t i = 0; i < 3; i++) {
		path_of(path, sizeof path, names[i]);
		unlink(path);
	}
	path_of(path, sizeof path, "");
	rmdir(path);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_every_revision_and_reads_it_back),
		cmocka_unit_test(nobody_else_may_read_them),
		cmocka_unit_test(tells_a_damaged_revision),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
