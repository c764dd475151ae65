/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "check.h"

#include <math.h>

/* Walks the whole text; returns 0 or the offset of the error + 1. */
static size_t walk(const char *json)
{
	struct gg_json_reader r = gg_json_reader(gg_str(json));
	for (;;) {
		enum gg_json_token t = gg_json_next(&r);
		if (t == GG_JSON_END)
			return 0;
		if (t == GG_JSON_ERROR) {
			assert_non_null(r.error);
			return gg_json_offset(&r) + 1;
		}
	}
}

static void good_texts_are_read(void **state)
{
	static const char *const texts[] = {"{}", "[]", "1", " \"a\" ", "[1, 2,3]",
		"{\"a\":{\"b\":[true,false,null]}}", "-0.5e+10", "[[],[],{}]", "\"\\u00e9\\ud83d\\ude00\\n\"",
		"{\"\":\"\"}"};
	(void)state;
	for (size_t i = 0; i < GG_COUNT(texts); i++)
		assert_int_equal(walk(texts[i]), 0);
}

static void bad_texts_are_refused_with_their_place(void **state)
{
	static const char *const texts[] = {"", "{", "[", "[1,]", "{\"a\":1,}", "{,}", "{\"a\"}", "{\"a\":}",
		"{a:1}", "01", "1.", ".5", "+1", "1e", "nul", "tru", "\"a", "\"\\x\"", "\"\\u12\"",
		"\"\x01\"", "[1 2]", "1 2", "]", "{]", "[}", "\"\xff\"", "NaN", "[\"a\":1]"};
	(void)state;
	for (size_t i = 0; i < GG_COUNT(texts); i++)
		assert_true(walk(texts[i]) > 0);
	assert_int_equal(walk("{\"a\": 1, \"b\" 2}"), 14);
}

static void deep_nesting_is_an_error_and_not_a_crash(void **state)
{
	char deep[10000];
	(void)state;
	memset(deep, '[', sizeof deep - 1);
	deep[sizeof deep - 1] = '\0';
	assert_int_equal(walk(deep), GG_JSON_DEPTH);
}

static void strings_unescape(void **state)
{
	char plain[64];
	(void)state;
	gg_json_unescape(GG_STR("a\\n\\u00e9\\ud83d\\ude00\\/\\\\\\ud800x"), plain);
	assert_string_equal(plain, "a\n\xc3\xa9\xf0\x9f\x98\x80/\\\xef\xbf\xbdx");
}

static void pointers_find_what_they_name(void **state)
{
	struct gg_str json = GG_STR("{\"a\":[10,{\"b/c\":\"x\",\"m~n\":true}],\"\":7,\"k\":{\"k\":null}}"), v;
	(void)state;
	assert_int_equal(gg_json_pointer(json, GG_STR("/a/0"), &v), 0);
	check_str(v, "10");
	assert_int_equal(gg_json_pointer(json, GG_STR("/a/1/b~1c"), &v), 0);
	check_str(v, "\"x\"");
	assert_int_equal(gg_json_pointer(json, GG_STR("/a/1/m~0n"), &v), 0);
	check_str(v, "true");
	assert_int_equal(gg_json_pointer(json, GG_STR("/"), &v), 0);
	check_str(v, "7");
	assert_int_equal(gg_json_pointer(json, GG_STR("/k/k"), &v), 0);
	check_str(v, "null");
	assert_int_equal(gg_json_pointer(json, GG_STR("/a"), &v), 0);
	check_str(v, "[10,{\"b/c\":\"x\",\"m~n\":true}]");
	assert_int_equal(gg_json_pointer(json, GG_STR(""), &v), 0);
	assert_int_equal(v.len, json.len);
	assert_int_equal(gg_json_pointer(json, GG_STR("/a/2"), &v), -ENOENT);
	assert_int_equal(gg_json_pointer(json, GG_STR("/b"), &v), -ENOENT);
	assert_int_equal(gg_json_pointer(json, GG_STR("a"), &v), -EINVAL);
	assert_int_equal(gg_json_pointer(GG_STR("{\"a\":1"), GG_STR("/b"), &v), -EINVAL);
}

static void what_is_written_reads_back(void **state)
{
	struct gg_buf out = GG_BUF(4096);
	struct gg_json_writer w = gg_json_writer(&out);
	(void)state;
	gg_json_begin_object(&w);
	gg_json_put_str(&w, "text", GG_STR("a\"b\\c\n\x01\xc3\xa9\xff"));
	gg_json_put_float(&w, "nan", NAN);
	gg_json_put_int(&w, "n", -5);
	gg_json_key(&w, GG_STR("list"));
	gg_json_begin_array(&w);
	gg_json_bool(&w, true);
	gg_json_null(&w);
	gg_json_begin_object(&w);
	gg_json_end_object(&w);
	gg_json_end_array(&w);
	gg_json_put_time(&w, "t", 1500000000250000000LL);
	gg_json_end_object(&w);
	assert_int_equal(out.error, 0);
	assert_string_equal(gg_buf_text(&out), "{\"text\":\"a\\\"b\\\\c\\n\\u0001\xc3\xa9\xef\xbf\xbd\","
					       "\"nan\":null,\"n\":-5,\"list\":[true,null,{}],"
					       "\"t\":\"2017-07-14T02:40:00.25Z\"}");
	assert_int_equal(walk(gg_buf_text(&out)), 0);
	gg_buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(good_texts_are_read),
		TEST(bad_texts_are_refused_with_their_place), TEST(deep_nesting_is_an_error_and_not_a_crash),
		TEST(strings_unescape), TEST(pointers_find_what_they_name), TEST(what_is_written_reads_back)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
