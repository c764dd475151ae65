/* SPDX-License-Identifier: Apache-2.0 */
#include "core/config_fakes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

struct read {
	struct gg_arena arena;
	struct gg_problems problems;
	struct gg_value *value;
	int rc;
};

static struct read read_text(const char *text)
{
	struct read r = {.arena = GG_ARENA(16 << 20)};
	r.rc = gg_value_parse(&r.arena, "site.yaml", gg_str(text), &fake_environment, &r.problems, &r.value);
	return r;
}

static void done(struct read *r)
{
	gg_problems_done(&r->problems);
	gg_arena_done(&r->arena);
}

static void assert_problem(const char *text, unsigned line, unsigned column, const char *words)
{
	struct read r = read_text(text);
	assert_int_not_equal(r.problems.count, 0);
	if (!strstr(r.problems.items[0].text, words))
		fail_msg("expected \"%s\" in \"%s\"", words, r.problems.items[0].text);
	assert_int_equal(r.problems.items[0].line, line);
	assert_int_equal(r.problems.items[0].column, column);
	done(&r);
}

static void knows_the_place_of_every_key_and_value(void **state GG_UNUSED)
{
	struct read r = read_text("a:\n  bee: [x, \"y\"]\n  c:\n");
	assert_int_equal(r.rc, 0);
	const struct gg_value *a = gg_value_get(r.value, "a");
	assert_int_equal(a->keys[0]->line, 2);
	assert_int_equal(a->keys[0]->column, 3);
	const struct gg_value *list = gg_value_get(a, "bee");
	assert_int_equal(list->kind, GG_VALUE_LIST);
	assert_int_equal(list->items[1]->column, 12);
	assert_true(list->items[1]->quoted);
	assert_false(list->items[0]->quoted);
	const struct gg_value *nothing = gg_value_get(a, "c");
	assert_int_equal(nothing->kind, GG_VALUE_NULL);
	assert_int_equal(nothing->line, 3);
	assert_string_equal(nothing->file, "site.yaml");
	done(&r);
}

static void says_where_yaml_is_wrong(void **state GG_UNUSED)
{
	assert_problem("a: b: c\n", 1, 5, "nested");
	assert_problem("a: 1\na: 2\n", 2, 1, "\"a\" is here twice; the first is in line 1");
	assert_problem("a: *b\n", 1, 4, "no anchor");
	assert_problem("a: &x [1, *x]\n", 1, 11, "within what it repeats");
	assert_problem("a: !!binary eA==\n", 1, 13, "tags");
	assert_problem("a: 1\n---\nb: 2\n", 2, 1, "one document");
	assert_problem("? [1, 2]\n: x\n", 1, 3, "expected a key");
	assert_problem("a: \"\\0\"\n", 1, 4, "zero bytes");
	assert_problem("a: \001\n", 0, 0, "control characters");
}

static void finds_a_key_given_twice_among_many(void **state GG_UNUSED)
{
	struct gg_buf text = GG_BUF(1 << 20);
	for (int i = 0; i < 3000; i++)
		gg_buf_printf(&text, "key%d: 1\n", i);
	gg_buf_printf(&text, "key77: 2\n");
	assert_problem(gg_buf_text(&text), 3001, 1, "\"key77\" is here twice; the first is in line 78");
	gg_buf_done(&text);
}

static void aliases_repeat_but_do_not_explode(void **state GG_UNUSED)
{
	struct read r = read_text("base: &b {x: 1}\nmore: *b\n");
	assert_int_equal(r.rc, 0);
	assert_true(gg_value_equal(gg_value_get(r.value, "base"), gg_value_get(r.value, "more")));
	done(&r);
	struct gg_buf text = GG_BUF(1 << 16);
	gg_buf_printf(&text, "l0: &l0 [x, x, x, x, x, x, x, x, x, x]\n");
	for (int i = 1; i < 10; i++) {
		gg_buf_printf(&text, "l%d: &l%d [", i, i);
		for (int j = 0; j < 10; j++)
			gg_buf_printf(&text, "%s*l%d", j ? ", " : "", i - 1);
		gg_buf_printf(&text, "]\n");
	}
	r = read_text(gg_buf_text(&text));
	assert_int_equal(r.rc, -E2BIG);
	assert_non_null(strstr(r.problems.items[0].text, "too much"));
	done(&r);
	gg_buf_done(&text);
}

static void refuses_deep_nesting_also_by_aliases(void **state GG_UNUSED)
{
	char deep[200] = "";
	memset(deep, '[', 100);
	struct read r = read_text(deep);
	assert_int_equal(r.rc, -E2BIG);
	assert_non_null(strstr(r.problems.items[0].text, "nested deeper"));
	done(&r);
	struct gg_buf text = GG_BUF(1 << 16);
	gg_buf_printf(&text, "a0: &a0 [x]\n");
	for (int i = 1; i < 60; i++)
		gg_buf_printf(&text, "a%d: &a%d [*a%d]\n", i, i, i - 1);
	r = read_text(gg_buf_text(&text));
	assert_int_equal(r.rc, -E2BIG);
	done(&r);
	gg_buf_done(&text);
}

static void reads_json_with_tabs_and_surrogates(void **state GG_UNUSED)
{
	struct read r = read_text("{\n\t\"a\": \"\\ud83d\\ude00\",\n\t\"b\": [1, true, null, \"5\"]}");
	assert_int_equal(r.rc, 0);
	assert_true(gg_str_is(gg_value_get(r.value, "a")->text, "\xf0\x9f\x98\x80"));
	const struct gg_value *b = gg_value_get(r.value, "b");
	assert_int_equal(b->line, 3);
	assert_int_equal(b->column, 7);
	assert_false(b->items[0]->quoted);
	assert_int_equal(b->items[2]->kind, GG_VALUE_NULL);
	assert_true(b->items[3]->quoted);
	done(&r);
}

static void replaces_variables_and_keeps_what_was_written(void **state GG_UNUSED)
{
	struct read r = read_text("a: ${NAME}-${PORT}\nb: ${MISSING:-x y}\nc: $${NAME} $5\nd: plain\n"
				  "e: \"${EMPTY:-full}\"\n");
	assert_int_equal(r.problems.count, 0);
	const struct gg_value *a = gg_value_get(r.value, "a");
	assert_true(gg_str_is(a->text, "hall-502"));
	assert_true(gg_str_is(a->raw, "${NAME}-${PORT}"));
	assert_true(a->secret);
	assert_true(gg_str_is(gg_value_get(r.value, "b")->text, "x y"));
	assert_true(gg_str_is(gg_value_get(r.value, "c")->text, "${NAME} $5"));
	assert_false(gg_value_get(r.value, "c")->secret);
	assert_null(gg_value_get(r.value, "d")->raw.p);
	assert_true(gg_str_is(gg_value_get(r.value, "e")->text, "full"));
	done(&r);
	assert_problem("a: ${NAME}\nb: ${MISSING}\n", 2, 4, "variable MISSING is not set");
	assert_problem("a: x${NAME\n", 1, 4, "no \"}\"");
	assert_problem("a: ${bad name}\n", 1, 4, "expected ${NAME}");
	assert_problem("a: ${file:/etc/hostname}\n", 1, 4, "cannot be used here");
}

static void reads_a_secret_from_a_regular_file_only(void **state GG_UNUSED)
{
	char path[] = "/tmp/gg-value-XXXXXX", text[200];
	int fd = mkstemp(path);
	assert_int_equal(write(fd, "s3cret\n", 7), 7);
	close(fd);
	struct gg_arena arena = GG_ARENA(1 << 20);
	struct gg_problems problems = {0};
	struct gg_value *v = NULL;
	snprintf(text, sizeof text,
		"a: ${file:%s}\nb: ${file:relative}\nc: ${file:/dev/zero}\n"
		"d: ${file:/nowhere/at/all}\n",
		path);
	gg_value_parse(&arena, "x", gg_str(text), NULL, &problems, &v);
	unlink(path);
	assert_true(gg_str_is(gg_value_get(v, "a")->text, "s3cret"));
	assert_true(gg_value_get(v, "a")->secret);
	assert_int_equal(problems.count, 3);
	assert_non_null(strstr(problems.items[0].text, "absolute path"));
	assert_non_null(strstr(problems.items[1].text, "not a regular file"));
	assert_non_null(strstr(problems.items[2].text, "No such file"));
	gg_problems_done(&problems);
	gg_arena_done(&arena);
}

static void assert_written(const char *from, const char *to)
{
	struct read r = read_text(from);
	struct gg_buf yaml = GG_BUF(1 << 16);
	assert_int_equal(r.rc, 0);
	gg_value_to_yaml(r.value, &yaml);
	assert_string_equal(gg_buf_text(&yaml), to);
	struct read again = read_text(to);
	assert_true(gg_value_equal(r.value, again.value));
	gg_buf_done(&yaml);
	done(&again);
	done(&r);
}

static void writes_yaml_that_reads_back_the_same(void **state GG_UNUSED)
{
	assert_written("{a: -inf, b: +inf, c: '-inf', d: -x, e: '- x'}",
		"a: -inf\nb: +inf\nc: \"-inf\"\nd: -x\ne: \"- x\"\n");
	assert_written("{a: {b: [1, {c: d, e: f}, []], g: {}}, h: null}",
		"a:\n  b:\n    - 1\n    - c: d\n      e: f\n    - []\n  g: {}\nh:\n");
	assert_written("\"{device}/{signal}\": plain\n\"yes\": \"5\"\nx: 5\ny: \"a: b\"\n",
		"\"{device}/{signal}\": plain\n\"yes\": \"5\"\nx: 5\ny: \"a: b\"\n");
	assert_written("a: ${NAME}\nb: $${X}\n", "a: ${NAME}\nb: \"$${X}\"\n");
	assert_written("script: |\n  local x = 1\n    return x\nnext: |-\n  a\n\n  b\n",
		"script: |\n  local x = 1\n    return x\nnext: |-\n  a\n\n  b\n");
	assert_written("- - 1\n  - 2\n- null\n- ~\n", "- - 1\n  - 2\n- null\n- null\n");
	assert_written("\"a\\tb\\u2028\"", " \"a\\x09b\\u2028\"\n");
}

static void writes_json_with_types(void **state GG_UNUSED)
{
	struct read r = read_text("a: 5\nb: \"5\"\nc: true\nd: on\ne: 1.5e3\nf: 007\ng: ~\nh: [x]\n");
	struct gg_buf json = GG_BUF(1 << 16);
	struct gg_json_writer w = gg_json_writer(&json);
	gg_value_to_json(r.value, &w);
	assert_string_equal(gg_buf_text(&json), "{\"a\":5,\"b\":\"5\",\"c\":true,\"d\":\"on\",\"e\":1.5e3,"
						"\"f\":\"007\",\"g\":null,\"h\":[\"x\"]}");
	gg_buf_done(&json);
	done(&r);
}

/* The examples of RFC 7396, appendix A, that a configuration can hold. */
static void merges_patches_as_the_rfc_says(void **state GG_UNUSED)
{
	static const char *const rows[][3] = {
		{"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
		{"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
		{"{\"a\":\"b\"}", "{\"a\":null}", "{}"},
		{"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
		{"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
		{"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}"},
		{"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
		{"{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}"},
		{"[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}"},
		{"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
	};
	for (size_t i = 0; i < GG_COUNT(rows); i++) {
		struct read target = read_text(rows[i][0]), patch = read_text(rows[i][1]);
		struct gg_buf json = GG_BUF(1 << 16);
		struct gg_json_writer w = gg_json_writer(&json);
		gg_value_to_json(gg_value_merge_patch(&target.arena, target.value, patch.value), &w);
		assert_string_equal(gg_buf_text(&json), rows[i][2]);
		gg_buf_done(&json);
		done(&patch);
		done(&target);
	}
}

static void sets_and_takes_away_by_keys(void **state GG_UNUSED)
{
	struct read r = read_text("{\"a\":{\"b\":1,\"c\":2}}");
	struct gg_str keys[] = {GG_STR("a"), GG_STR("c")}, fresh[] = {GG_STR("x"), GG_STR("y")};
	struct gg_value *v = gg_value_set(&r.arena, r.value, keys, 2, NULL);
	v = gg_value_set(&r.arena, v, fresh, 2, gg_value_scalar(&r.arena, GG_STR("3"), false));
	struct gg_buf json = GG_BUF(1 << 16);
	struct gg_json_writer w = gg_json_writer(&json);
	gg_value_to_json(v, &w);
	assert_string_equal(gg_buf_text(&json), "{\"a\":{\"b\":1},\"x\":{\"y\":3}}");
	gg_buf_done(&json);
	done(&r);
}

static void equal_means_the_same_in_any_order(void **state GG_UNUSED)
{
	struct read a = read_text("a: 1\nb: {c: x, d: [1, 2]}\n"),
		    b = read_text("b: {d: [1, 2], c: \"x\"}\na: 1\n");
	struct read c = read_text("b: {d: [2, 1], c: x}\na: 1\n"),
		    d = read_text("b: {d: [1, 2], c: x}\na: \"1\"\n");
	assert_true(gg_value_equal(a.value, b.value));
	assert_false(gg_value_equal(a.value, c.value));
	assert_false(gg_value_equal(a.value, d.value)); /* a number is not the text of it */
	done(&a);
	done(&b);
	done(&c);
	done(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_the_place_of_every_key_and_value),
		cmocka_unit_test(says_where_yaml_is_wrong),
		cmocka_unit_test(finds_a_key_given_twice_among_many),
		cmocka_unit_test(aliases_repeat_but_do_not_explode),
		cmocka_unit_test(refuses_deep_nesting_also_by_aliases),
		cmocka_unit_test(reads_json_with_tabs_and_surrogates),
		cmocka_unit_test(replaces_variables_and_keeps_what_was_written),
		cmocka_unit_test(reads_a_secret_from_a_regular_file_only),
		cmocka_unit_test(writes_yaml_that_reads_back_the_same),
		cmocka_unit_test(writes_json_with_types),
		cmocka_unit_test(merges_patches_as_the_rfc_says),
		cmocka_unit_test(sets_and_takes_away_by_keys),
		cmocka_unit_test(equal_means_the_same_in_any_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
