/* SPDX-License-Identifier: Apache-2.0 */
/* Small files that are sealed, and the configurations kept among them. */
#include "store_fixture.h"

#include "core/revisions.h"
#include "store/sealed_file.h"

#include <fcntl.h>

static const uint8_t root[GG_SEAL_KEY] = "a root key", another[GG_SEAL_KEY] = "another root key";
static const struct gg_str secret = {"password: Rumpelstilz\n", 22};
static struct folder folder;
static char path[128];

static int set_up(GG_UNUSED void **state)
{
	folder_make(&folder);
	snprintf(path, sizeof path, "%s/api-key.pem", folder.path);
	return gg_sealed_files(root);
}

static int tear_down(GG_UNUSED void **state)
{
	folder_remove(&folder);
	return gg_sealed_files(NULL);
}

static bool says(const char *file, const char *word)
{
	char bytes[4096] = {0}, name[256];
	snprintf(name, sizeof name, "%s/%s", folder.path, file);
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	ssize_t n = read(fd, bytes, sizeof bytes);
	close(fd);
	assert_true(n > 10);
	return memmem(bytes, (size_t)n, word, strlen(word));
}

static int read_as(const char *name, bool *ret_sealed, bool *ret_same)
{
	struct gg_buf text GG_CLEANUP(gg_buf_done) = GG_BUF(10000);
	int rc = gg_sealed_file_read(path, name, 4096, &text, ret_sealed);
	*ret_same = gg_str_eq(gg_buf_view(&text), secret);
	return rc;
}

static void a_file_opens_with_its_key_under_its_name_only(GG_UNUSED void **state)
{
	bool sealed = false, same = false;
	assert_int_equal(gg_sealed_file_write(path, "api-key.pem", 0600, secret), 0);
	assert_false(says("api-key.pem", "Rumpel"));
	assert_int_equal(read_as("api-key.pem", &sealed, &same), 0);
	assert_true(sealed && same);
	assert_int_equal(read_as("other.pem", &sealed, &same), -EKEYREJECTED);
	gg_sealed_files(another);
	assert_int_equal(read_as("api-key.pem", &sealed, &same), -EKEYREJECTED);
	gg_sealed_files(NULL);
	assert_int_equal(read_as("api-key.pem", &sealed, &same), -ENOKEY);
	assert_false(same);
}

static void what_was_plain_is_read_as_it_is(GG_UNUSED void **state)
{
	bool sealed = true, same = false;
	gg_sealed_files(NULL);
	assert_int_equal(gg_sealed_file_write(path, "api-key.pem", 0600, secret), 0);
	assert_true(says("api-key.pem", "Rumpel"));
	gg_sealed_files(root);
	assert_int_equal(read_as("api-key.pem", &sealed, &same), 0);
	assert_true(!sealed && same);
}

static uint64_t keep(const char *why, struct gg_str text)
{
	struct gg_revision note = {.time_ns = 1000 * GG_NS_PER_S, .who = "admin"};
	uint64_t number = 0;
	struct gg_error e = {0};
	gg_str_copy(note.why, sizeof note.why, gg_str(why));
	assert_int_equal(gg_revision_store(folder.path, &note, text, &number, &e), 0);
	return number;
}

static int read_revision(uint64_t number, struct gg_error *e)
{
	struct gg_revision note = {0};
	struct gg_buf text GG_CLEANUP(gg_buf_done) = GG_BUF(1 << 20);
	int rc = gg_revision_read(folder.path, number, &note, &text, e);
	if (rc == 0) {
		assert_true(gg_str_eq(gg_buf_view(&text), secret));
		assert_string_equal(note.who, "admin");
	}
	return rc;
}

static void revisions_are_sealed_listed_and_read(GG_UNUSED void **state)
{
	struct gg_error e = {0};
	struct gg_revision *all = NULL;
	size_t count = 0;
	assert_int_equal(keep("first", secret), 1);
	assert_int_equal(keep("once more the same", secret), 1);
	assert_int_equal(keep("second", GG_STR("site: b\n")), 2);
	assert_false(says("revisions/000001.yaml", "Rumpel"));
	assert_false(says("revisions/000001.yaml", "admin"));
	assert_int_equal(gg_revisions_list(folder.path, &all, &count, &e), 0);
	assert_int_equal(count, 2);
	assert_string_equal(all[1].why, "second");
	assert_false(all[0].damaged || all[1].damaged);
	free(all);
	assert_int_equal(read_revision(1, &e), 0);
	gg_sealed_files(another);
	assert_int_equal(read_revision(1, &e), -EKEYREJECTED);
	assert_non_null(strstr(e.text, "another key"));
	gg_sealed_files(NULL);
	assert_int_equal(read_revision(1, &e), -ENOKEY);
	gg_revisions_seal(NULL);
	assert_int_equal(read_revision(1, &e), -ENOKEY);
	assert_non_null(strstr(e.text, "no key"));
}

static void revisions_that_were_plain_are_sealed_afterwards(GG_UNUSED void **state)
{
	struct gg_error e = {0};
	size_t count = 0;
	gg_sealed_files(NULL);
	keep("plain", secret);
	assert_true(says("revisions/000001.yaml", "Rumpel"));
	char leftover[160];
	snprintf(leftover, sizeof leftover, "%s/revisions/.new-17", folder.path);
	close(open(leftover, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	gg_sealed_files(root);
	assert_int_equal(read_revision(1, &e), 0);
	keep("sealed", GG_STR("site: b\n"));
	assert_int_equal(gg_revisions_seal_old(folder.path, &count, &e), 0);
	assert_int_equal(count, 1);
	assert_int_not_equal(access(leftover, F_OK), 0);
	assert_false(says("revisions/000001.yaml", "Rumpel"));
	assert_int_equal(read_revision(1, &e), 0);
	assert_int_equal(gg_revisions_seal_old(folder.path, &count, &e), 0);
	assert_int_equal(count, 0);
}

/* A revision in another's place would be a way to bring back an old configuration. */
static void a_revision_in_anothers_place_does_not_open(GG_UNUSED void **state)
{
	struct gg_error e = {0};
	char from[160], to[160];
	keep("first", secret);
	keep("second", GG_STR("site: b\n"));
	snprintf(from, sizeof from, "%s/revisions/000001.yaml", folder.path);
	snprintf(to, sizeof to, "%s/revisions/000002.yaml", folder.path);
	assert_int_equal(rename(from, to), 0);
	assert_int_equal(read_revision(2, &e), -EKEYREJECTED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_file_opens_with_its_key_under_its_name_only),
		TEST(what_was_plain_is_read_as_it_is),
		TEST(revisions_are_sealed_listed_and_read),
		TEST(revisions_that_were_plain_are_sealed_afterwards),
		TEST(a_revision_in_anothers_place_does_not_open),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
