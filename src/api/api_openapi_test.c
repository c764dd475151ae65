/* SPDX-License-Identifier: Apache-2.0 */
#include "api/route.h"
#include "base/json.h"
#include "check.h"

static struct gg_buf text;

static int write_it(void **state)
{
	(void)state;
	text = GG_BUF(4 << 20);
	gg_openapi_write(gg_routes, gg_schemas, &text);
	return text.error;
}

static int done(void **state)
{
	(void)state;
	gg_buf_done(&text);
	return 0;
}

static bool is_json(struct gg_str json)
{
	struct gg_json_reader r = gg_json_reader(json);
	enum gg_json_token t;
	while ((t = gg_json_next(&r)) > GG_JSON_END)
		;
	return t == GG_JSON_END;
}

static struct gg_str at(const char *pointer)
{
	struct gg_str value;
	assert_int_equal(gg_json_pointer(gg_buf_view(&text), gg_str(pointer), &value), 0);
	return value;
}

static void description_is_proper_json(void **state)
{
	(void)state;
	assert_true(is_json(gg_buf_view(&text)));
	check_str(at("/openapi"), "\"3.1.0\"");
}

static void every_schema_is_proper_json_and_named_once(void **state)
{
	(void)state;
	for (const struct gg_schema *s = gg_schemas; s->name; s++) {
		if (!is_json(gg_str(s->json)))
			fail_msg("schema %s is no JSON", s->name);
		for (const struct gg_schema *other = gg_schemas; other < s; other++)
			assert_string_not_equal(other->name, s->name);
	}
}

static bool has_schema(const char *name)
{
	for (const struct gg_schema *s = gg_schemas; s->name; s++)
		if (strcmp(s->name, name) == 0)
			return true;
	return false;
}

static void every_reference_leads_somewhere(void **state)
{
	static const char mark[] = "#/components/schemas/";
	(void)state;
	const char *all = gg_buf_text(&text);
	unsigned seen = 0;
	for (const char *p = strstr(all, mark); p; p = strstr(p + 1, mark), seen++) {
		char name[80];
		const char *from = p + sizeof mark - 1;
		gg_str_copy(name, sizeof name, gg_str_n(from, strcspn(from, "\"")));
		if (!has_schema(name))
			fail_msg("no schema %s", name);
	}
	assert_true(seen > 40);
}

static void routes_are_described_with_body_roles_and_problems(void **state)
{
	(void)state;
	check_str(at("/paths/~1api~1v1~1signals~1{name}/put/x-role"), "\"operator\"");
	check_str(
		at("/paths/~1api~1v1~1signals~1{name}/put/requestBody/content/application~1json/schema/$ref"),
		"\"#/components/schemas/SignalWrite\"");
	check_str(at("/paths/~1api~1v1~1signals~1{name}~1history/get/parameters/0/name"), "\"name\"");
	check_str(at("/paths/~1api~1v1~1tokens/post/responses/201/content/application~1json/schema/$ref"),
		"\"#/components/schemas/TokenMade\"");
	check_str(at("/paths/~1api~1v1~1status/get/responses/default/content/application~1problem+json/"
		     "schema/$ref"),
		"\"#/components/schemas/Problem\"");
	check_str(at("/paths/~1healthz/get/security"), "[]");
}

static void operations_have_names_of_their_own(void **state)
{
	(void)state;
	for (const struct gg_route *r = gg_routes; r->method; r++)
		for (const struct gg_route *other = gg_routes; other < r; other++)
			assert_string_not_equal(other->id, r->id);
}

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(description_is_proper_json),
		TEST(every_schema_is_proper_json_and_named_once), TEST(every_reference_leads_somewhere),
		TEST(routes_are_described_with_body_roles_and_problems),
		TEST(operations_have_names_of_their_own)};
	return cmocka_run_group_tests(tests, write_it, done);
}
