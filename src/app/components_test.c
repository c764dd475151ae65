/* SPDX-License-Identifier: Apache-2.0 */
/* What holds for every component that was built in, and for the defaults. */
#include "app/components.h"
#include "app/problems.h"
#include "check.h"
#include "core/components_check.h"

static void option_tables_are_whole_and_examples_load(void **state)
{
	struct gg_problems problems = {0};
	(void)state;
	gg_components_set(gg_all_components);
	gg_components_check(&problems);
	for (size_t i = 0; i < problems.count; i++)
		print_message("%s\n", problems.items[i].text);
	assert_int_equal(problems.count, 0);
	gg_problems_done(&problems);
}

static void names_are_unique_within_a_kind(void **state)
{
	(void)state;
	for (const struct gg_component *const *a = gg_all_components; *a; a++)
		for (const struct gg_component *const *b = gg_all_components; b != a; b++)
			assert_false((*a)->kind == (*b)->kind && strcmp((*a)->name, (*b)->name) == 0);
}

static void the_built_in_configuration_is_right(void **state)
{
	struct gg_problems problems = {0};
	struct gg_config *config = NULL;
	(void)state;
	gg_components_set(gg_all_components);
	assert_int_equal(
		gg_config_load_text("built-in", gg_str(gg_default_config), NULL, &problems, &config), 0);
	assert_int_equal(problems.count, 0);
	gg_config_free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(option_tables_are_whole_and_examples_load),
		TEST(names_are_unique_within_a_kind), TEST(the_built_in_configuration_is_right)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
