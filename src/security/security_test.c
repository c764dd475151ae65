/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"
#include "security/limiter.h"
#include "security/password.h"
#include "security/token.h"

static void a_password_belongs_to_its_hash_only(void **state)
{
	char a[GG_PASSWORD_HASH], b[GG_PASSWORD_HASH];
	(void)state;
	assert_int_equal(gg_password_hash(GG_STR("correct horse"), a), 0);
	assert_int_equal(gg_password_hash(GG_STR("correct horse"), b), 0);
	assert_string_not_equal(a, b); /* each has its own salt */
	assert_true(gg_password_verify(GG_STR("correct horse"), gg_str(a)));
	assert_true(gg_password_verify(GG_STR("correct horse"), gg_str(b)));
	assert_false(gg_password_verify(GG_STR("correct horsf"), gg_str(a)));
	assert_false(gg_password_verify(GG_STR(""), gg_str(a)));
	char *middle = &a[strlen(a) - 10]; /* not the last, of which only four bits count */
	*middle = *middle == 'A' ? 'B' : 'A';
	assert_false(gg_password_verify(GG_STR("correct horse"), gg_str(a)));
}

static void a_hash_that_is_none_belongs_to_nothing(void **state)
{
	static const char *const wrong[] = {"", "$", "$scrypt$", "plain", "$scrypt$ln=99,r=8,p=5$AAAA$BBBB",
		"$scrypt$ln=14,r=8,p=5$AAAAAAAAAAAAAAAAAAAAAA$",
		"$scrypt$ln=14,r=8,p=5$!!!!!!!!!!!!!!!!!!!!!!$!"};
	(void)state;
	for (size_t i = 0; i < GG_COUNT(wrong); i++)
		assert_false(gg_password_verify(GG_STR("x"), gg_str(wrong[i])));
}

static void empty_and_endless_passwords_are_refused(void **state)
{
	char hash[GG_PASSWORD_HASH], long_one[GG_PASSWORD_MAX + 2];
	(void)state;
	memset(long_one, 'a', sizeof long_one);
	assert_int_equal(gg_password_hash(GG_STR(""), hash), -EINVAL);
	assert_int_equal(gg_password_hash(gg_str_n(long_one, sizeof long_one), hash), -EINVAL);
}

static void tokens_are_long_and_never_the_same(void **state)
{
	char a[GG_TOKEN_TEXT], b[GG_TOKEN_TEXT], hash[GG_TOKEN_HASH];
	(void)state;
	assert_int_equal(gg_token_make(a), 0);
	assert_int_equal(gg_token_make(b), 0);
	assert_int_equal(strlen(a), 47);
	assert_string_not_equal(a, b);
	gg_token_hash(GG_STR("abc"), hash); /* FIPS 180-4 */
	assert_string_equal(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void roles_have_names(void **state)
{
	enum gg_role role = GG_ROLE_NONE;
	(void)state;
	assert_int_equal(gg_role_of_name(GG_STR("operator"), &role), 0);
	assert_int_equal(role, GG_ROLE_OPERATOR);
	assert_int_equal(gg_role_of_name(GG_STR("none"), &role), -ENOENT);
	assert_string_equal(gg_role_name(GG_ROLE_ADMINISTRATOR), "administrator");
}

static void who_guesses_has_to_wait_and_others_do_not(void **state)
{
	static struct gg_limiter l;
	int64_t now = 1000 * GG_NS_PER_S;
	(void)state;
	for (int i = 0; i < 10; i++) {
		assert_true(gg_limiter_allows(&l, GG_STR("10.0.0.7:1000"), now));
		gg_limiter_failed(&l, GG_STR("10.0.0.7:2000"), now);
	}
	assert_false(gg_limiter_allows(&l, GG_STR("10.0.0.7:3000"), now));
	assert_true(gg_limiter_allows(&l, GG_STR("10.0.0.8:3000"), now));
	assert_true(gg_limiter_allows(&l, GG_STR("10.0.0.7:3000"), now + 7 * GG_NS_PER_S));
}

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(a_password_belongs_to_its_hash_only),
		TEST(a_hash_that_is_none_belongs_to_nothing), TEST(empty_and_endless_passwords_are_refused),
		TEST(tokens_are_long_and_never_the_same), TEST(roles_have_names),
		TEST(who_guesses_has_to_wait_and_others_do_not)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
