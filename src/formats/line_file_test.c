/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include "formats/line_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static int set_up(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/ganglion-lines-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static const char *path(const char *name)
{
	static char text[128];
	snprintf(text, sizeof text, "%s/%s", folder, name);
	return text;
}

static int tear_down(void **state)
{
	(void)state;
	static const char *const names[] = {
		"a.jsonl", "a.jsonl.1", "a.jsonl.2", "a.jsonl.3", "moved", "elsewhere"};
	for (size_t i = 0; i < GG_COUNT(names); i++)
		unlink(path(names[i]));
	rmdir(folder);
	return 0;
}

static const char *content(const char *name)
{
	static char text[4096];
	int fd = open(path(name), O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	if (fd >= 0)
		close(fd);
	text[n < 0 ? 0 : n] = '\0';
	return n < 0 ? NULL : text;
}

static struct gg_line_file a_file(uint64_t size, uint64_t keep)
{
	struct gg_line_file f = {"a.jsonl", size, keep, true, -1, -1, 0};
	assert_int_equal(gg_line_file_open(&f, folder), 0);
	return f;
}

static void add(struct gg_line_file *f, const char *text)
{
	assert_int_equal(gg_line_file_add(f, gg_str(text)), 0);
}

static void a_name_cannot_lead_out_of_the_folder(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"", ".", "..", "../x", "/etc/passwd", "a/b", ".hidden", "a b", "a\n"};
	for (size_t i = 0; i < GG_COUNT(bad); i++)
		assert_false(gg_line_file_name_ok(gg_str(bad[i])));
	assert_true(gg_line_file_name_ok(GG_STR("alarms-2.jsonl")));
	char link[128];
	gg_str_copy(link, sizeof link, gg_str(path("a.jsonl")));
	assert_int_equal(symlink(path("elsewhere"), link), 0);
	struct gg_line_file f = {"a.jsonl", 0, 0, false, -1, -1, 0};
	assert_int_equal(gg_line_file_open(&f, folder), -ELOOP);
	assert_null(content("elsewhere"));
}

static void a_full_file_gives_way_and_so_many_old_ones_stay(void **state)
{
	(void)state;
	struct gg_line_file f = a_file(10, 2);
	add(&f, "one 67\n");
	add(&f, "two 67\n");
	add(&f, "three 9\n");
	add(&f, "4\n");
	add(&f, "five 8\n");
	gg_line_file_close(&f);
	assert_string_equal(content("a.jsonl"), "five 8\n");
	assert_string_equal(content("a.jsonl.1"), "three 9\n4\n");
	assert_string_equal(content("a.jsonl.2"), "two 67\n");
	assert_null(content("a.jsonl.3"));
}

static void a_torn_line_is_ended_before_the_next(void **state)
{
	(void)state;
	struct gg_line_file f = a_file(0, 0);
	add(&f, "{\"torn");
	gg_line_file_close(&f);
	f = a_file(0, 0);
	add(&f, "{}\n");
	gg_line_file_close(&f);
	assert_string_equal(content("a.jsonl"), "{\"torn\n{}\n");
}

static void a_file_that_was_moved_away_is_begun_anew(void **state)
{
	(void)state;
	struct gg_line_file f = a_file(0, 0), other = a_file(0, 0);
	add(&f, "1\n");
	add(&other, "2\n");
	char from[128];
	gg_str_copy(from, sizeof from, gg_str(path("a.jsonl")));
	assert_int_equal(rename(from, path("moved")), 0);
	add(&f, "3\n");
	add(&other, "4\n");
	gg_line_file_close(&f);
	gg_line_file_close(&other);
	assert_string_equal(content("moved"), "1\n2\n");
	assert_string_equal(content("a.jsonl"), "3\n4\n");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(a_name_cannot_lead_out_of_the_folder),
		CASE(a_full_file_gives_way_and_so_many_old_ones_stay),
		CASE(a_torn_line_is_ended_before_the_next),
		CASE(a_file_that_was_moved_away_is_begun_anew),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
