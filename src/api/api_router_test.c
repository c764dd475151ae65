/* SPDX-License-Identifier: Apache-2.0 */
#include "api/auth.h"
#include "api/handlers.h"
#include "api/route.h"
#include "check.h"

static bool fits(const char *pattern, const char *path, const char *first, const char *second)
{
	struct gg_str parts[GG_CALL_PARTS] = {0};
	if (!gg_route_fits(pattern, gg_str(path), parts))
		return false;
	check_str(parts[0].p ? parts[0] : GG_STR(""), first);
	check_str(parts[1].p ? parts[1] : GG_STR(""), second);
	return true;
}

static void patterns_catch_segments(void **state)
{
	(void)state;
	assert_true(fits("/api/v1/status", "/api/v1/status", "", ""));
	assert_true(fits("/tokens/{id}", "/tokens/abc", "abc", ""));
	assert_true(fits("/a/{x}/b/{y}", "/a/1/b/2", "1", "2"));
	assert_true(fits("/", "/", "", ""));
	assert_false(fits("/tokens/{id}", "/tokens/", "", ""));
	assert_false(fits("/tokens/{id}", "/tokens", "", ""));
	assert_false(fits("/tokens/{id}", "/tokens/a/b", "", ""));
	assert_false(fits("/status", "/status/", "", ""));
	assert_false(fits("/status", "/stat", "", ""));
	assert_false(fits("/status", "", "", ""));
	assert_false(fits("/status", "*", "", ""));
}

static void names_of_signals_keep_their_slashes(void **state)
{
	(void)state;
	assert_true(fits("/signals/{*name}", "/signals/press/t", "press/t", ""));
	assert_true(fits("/signals/{*name}", "/signals/heat/press/t.mean", "heat/press/t.mean", ""));
	assert_true(fits("/signals/{*name}", "/signals/press%2Ft", "press%2Ft", ""));
	assert_true(fits("/signals/{*name}/history", "/signals/heat/press/t/history", "heat/press/t", ""));
	assert_true(fits("/signals/{*name}/history", "/signals/a/history/history", "a/history", ""));
	assert_false(fits("/signals/{*name}/history", "/signals/a/t", "", ""));
	assert_false(fits("/signals/{*name}/history", "/signals/history", "", ""));
	assert_false(fits("/signals/{*name}", "/signals/", "", ""));
}

static const struct gg_route *find(const char *method, const char *path, char allowed[80])
{
	struct gg_str parts[GG_CALL_PARTS] = {0};
	return gg_route_find(gg_routes, gg_str(method), gg_str(path), parts, allowed, 80);
}

static void every_route_finds_itself_and_says_what_else_the_path_knows(void **state)
{
	char allowed[80];
	(void)state;
	for (const struct gg_route *r = gg_routes; r->method; r++)
		assert_ptr_equal(find(r->method, r->pattern, allowed)->handle, r->handle);
	assert_ptr_equal(find("HEAD", "/api/v1/status", allowed)->handle, gg_api_status);
	assert_null(find("DELETE", "/api/v1/tokens", allowed));
	assert_string_equal(allowed, "GET, POST");
	assert_null(find("GET", "/api/v1/no/such/thing", allowed));
	assert_string_equal(allowed, "");
	assert_ptr_equal(find("GET", "/api/v1/signals/a/b/history", allowed)->handle, gg_api_signal_history);
}

static void what_changes_something_needs_more_than_a_viewer(void **state)
{
	(void)state;
	for (const struct gg_route *r = gg_routes; r->method; r++) {
		bool session = strstr(r->pattern, "/session") != NULL;
		if (!gg_method_is_safe(gg_str(r->method)) && !r->reads && !session)
			assert_true(r->role >= GG_ROLE_OPERATOR);
		if (strstr(r->pattern, "/config") || strstr(r->pattern, "/tokens") ||
			strstr(r->pattern, "/revisions"))
			assert_int_equal(r->role, GG_ROLE_ADMINISTRATOR);
	}
}

static void cookies_are_found_by_their_whole_name(void **state)
{
	(void)state;
	check_str(gg_cookie(GG_STR("a=1; ganglion_session=ggt_x; b=2"), "ganglion_session"), "ggt_x");
	check_str(gg_cookie(GG_STR("xganglion_session=1"), "ganglion_session"), "");
	check_str(gg_cookie(GG_STR("ganglion_session="), "ganglion_session"), "");
	check_str(gg_cookie(GG_STR(";;=;"), "ganglion_session"), "");
}

static void several_patterns_choose_signals(void **state)
{
	(void)state;
	assert_true(gg_api_pattern_fits(GG_STR(""), GG_STR("a/b")));
	assert_true(gg_api_pattern_fits(GG_STR("x/*, a/*"), GG_STR("a/b")));
	assert_false(gg_api_pattern_fits(GG_STR("x/*,y/*"), GG_STR("a/b")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(patterns_catch_segments),
		TEST(names_of_signals_keep_their_slashes),
		TEST(every_route_finds_itself_and_says_what_else_the_path_knows),
		TEST(what_changes_something_needs_more_than_a_viewer),
		TEST(cookies_are_found_by_their_whole_name), TEST(several_patterns_choose_signals)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
