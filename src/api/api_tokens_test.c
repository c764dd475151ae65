/* SPDX-License-Identifier: Apache-2.0 */
#include "api/tokens.h"
#include "base/clock.h"
#include "check.h"
#include "store/catalog.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], file[100];
static struct gg_catalog *catalog;

static int open_book(void **state)
{
	struct gg_error e = {0};
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/ganglion-tokens-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(file, sizeof file, "%s/catalog.db", folder);
	return gg_catalog_open(file, &catalog, &e) < 0 ? -1 : gg_tokens_open(catalog, &e);
}

static int close_book(void **state)
{
	char path[140];
	static const char *const names[] = {"catalog.db", "catalog.db-wal", "catalog.db-shm", "first-token"};
	(void)state;
	gg_tokens_close();
	gg_catalog_close(catalog);
	for (size_t i = 0; i < GG_COUNT(names); i++) {
		snprintf(path, sizeof path, "%s/%s", folder, names[i]);
		unlink(path);
	}
	return rmdir(folder);
}

static int64_t now(void)
{
	return gg_clock_utc(&gg_clock_system);
}

static const struct gg_token_entry *make(const char *title, enum gg_role role, int64_t expires_ns,
	const struct gg_token_entry *parent, char secret[GG_TOKEN_TEXT])
{
	struct gg_error e = {0};
	const struct gg_token_entry *t = NULL;
	if (gg_tokens_make(gg_str(title), role, expires_ns, parent, secret, &t, &e) < 0)
		fail_msg("%s", e.text);
	return t;
}

static void a_token_opens_and_survives_a_restart(void **state)
{
	char secret[GG_TOKEN_TEXT];
	struct gg_error e = {0};
	(void)state;
	make("a person", GG_ROLE_OPERATOR, 0, NULL, secret);
	assert_int_equal(gg_tokens_use(gg_str(secret), now())->role, GG_ROLE_OPERATOR);
	assert_null(gg_tokens_use(GG_STR("ggt_wrong"), now()));
	gg_tokens_close();
	assert_int_equal(gg_tokens_open(catalog, &e), 0);
	assert_int_equal(gg_tokens_use(gg_str(secret), now())->role, GG_ROLE_OPERATOR);
}

static void the_secret_is_kept_nowhere(void **state)
{
	char secret[GG_TOKEN_TEXT];
	static char bytes[1 << 20];
	(void)state;
	make("a person", GG_ROLE_OPERATOR, 0, NULL, secret);
	char wal[140];
	snprintf(wal, sizeof wal, "%s-wal", file);
	int fd = open(wal, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, bytes, sizeof bytes);
	close(fd);
	assert_true(n > 0);
	assert_null(memmem(bytes, (size_t)n, secret, strlen(secret)));
	assert_non_null(memmem(bytes, (size_t)n, "a person", 8));
}

static void a_token_ends_when_its_time_has_come(void **state)
{
	char secret[GG_TOKEN_TEXT];
	int64_t t = now();
	(void)state;
	make("short", GG_ROLE_VIEWER, t + GG_NS_PER_S, NULL, secret);
	assert_non_null(gg_tokens_use(gg_str(secret), t));
	assert_null(gg_tokens_use(gg_str(secret), t + GG_NS_PER_S));
}

static void a_session_ends_with_its_token(void **state)
{
	char secret[GG_TOKEN_TEXT], session[GG_TOKEN_TEXT];
	(void)state;
	make("other", GG_ROLE_ADMINISTRATOR, 0, NULL, secret);
	const struct gg_token_entry *t = make("person", GG_ROLE_OPERATOR, 0, NULL, secret);
	make("person", t->role, now() + GG_SESSION_NS, t, session);
	assert_int_equal(gg_tokens_use(gg_str(session), now())->role, GG_ROLE_OPERATOR);
	assert_int_equal(gg_tokens_count(), 2);
	assert_int_equal(gg_tokens_remove(gg_str(t->id), NULL), 0);
	assert_null(gg_tokens_use(gg_str(session), now()));
	assert_null(gg_tokens_use(gg_str(secret), now()));
}

static void sessions_have_a_most(void **state)
{
	char secret[GG_TOKEN_TEXT], first[GG_TOKEN_TEXT], session[GG_TOKEN_TEXT];
	(void)state;
	const struct gg_token_entry *t = make("person", GG_ROLE_OPERATOR, 0, NULL, secret);
	make("person", t->role, 0, t, first);
	for (int i = 0; i < GG_SESSIONS_MOST; i++)
		make("person", t->role, 0, t, session);
	assert_null(gg_tokens_use(gg_str(first), now()));
	assert_non_null(gg_tokens_use(gg_str(session), now()));
	assert_non_null(gg_tokens_use(gg_str(secret), now()));
}

static void the_last_administrator_stays(void **state)
{
	char secret[GG_TOKEN_TEXT];
	struct gg_error e = {0};
	(void)state;
	const struct gg_token_entry *a = make("a", GG_ROLE_ADMINISTRATOR, 0, NULL, secret);
	assert_int_equal(gg_tokens_remove(gg_str(a->id), &e), -EALREADY);
	make("b", GG_ROLE_ADMINISTRATOR, 0, NULL, secret);
	assert_int_equal(gg_tokens_remove(gg_str(a->id), &e), 0);
}

static void the_first_token_is_for_its_owner_only_and_once(void **state)
{
	char path[100], text[GG_TOKEN_TEXT + 1] = "";
	struct gg_error e = {0};
	struct stat st;
	(void)state;
	int quiet = open("/dev/null", O_WRONLY | O_CLOEXEC), before = dup(STDERR_FILENO);
	dup2(quiet, STDERR_FILENO);
	int rc = gg_first_token(folder, "http://127.0.0.1:1/", &e);
	dup2(before, STDERR_FILENO);
	close(before);
	close(quiet);
	assert_int_equal(rc, 0);
	snprintf(path, sizeof path, "%s/first-token", folder);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(read(fd, text, GG_TOKEN_TEXT) > 0);
	close(fd);
	assert_true(gg_tokens_fresh());
	assert_int_equal(gg_tokens_use(gg_str_trim(gg_str(text)), now())->role, GG_ROLE_ADMINISTRATOR);
	assert_false(gg_tokens_fresh());
	assert_int_equal(gg_first_token(folder, "", &e), 0);
	assert_int_equal(gg_tokens_count(), 1);
	gg_first_token_forget(folder);
	assert_int_equal(stat(path, &st), -1);
}

#define BOOK(name) cmocka_unit_test_setup_teardown(name, open_book, close_book)

int main(void)
{
	const struct CMUnitTest tests[] = {BOOK(a_token_opens_and_survives_a_restart),
		BOOK(the_secret_is_kept_nowhere), BOOK(a_token_ends_when_its_time_has_come),
		BOOK(a_session_ends_with_its_token), BOOK(sessions_have_a_most),
		BOOK(the_last_administrator_stays), BOOK(the_first_token_is_for_its_owner_only_and_once)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
