/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"
#include "net/mqtt_topic.h"

static bool matches(const char *filter, const char *topic)
{
	return gg_mqtt_filter_matches(gg_str(filter), gg_str(topic));
}

static void matches_as_the_standard_says(void **state)
{
	(void)state;
	/* the examples of §4.7.1 and §4.7.2 */
	assert_true(matches("sport/tennis/player1/#", "sport/tennis/player1"));
	assert_true(matches("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon"));
	assert_true(matches("sport/#", "sport"));
	assert_true(matches("sport/tennis/+", "sport/tennis/player1"));
	assert_false(matches("sport/tennis/+", "sport/tennis/player1/ranking"));
	assert_false(matches("sport/+", "sport"));
	assert_true(matches("sport/+", "sport/"));
	assert_true(matches("+/+", "/finance"));
	assert_true(matches("/+", "/finance"));
	assert_false(matches("+", "/finance"));
	assert_false(matches("#", "$SYS/x"));
	assert_false(matches("+/monitor/Clients", "$SYS/monitor/Clients"));
	assert_true(matches("$SYS/#", "$SYS/x"));
}

static void tells_valid_filters(void **state)
{
	(void)state;
	static const char *const good[] = {"#", "+", "a/+/b", "+/tennis/#", "/", "$share/g/a/#"};
	static const char *const bad[] = {
		"", "a#", "a/#/b", "a+", "sport+", "$share/g", "$share//a", "$share/+/a"};
	for (size_t i = 0; i < GG_COUNT(good); i++)
		assert_true(gg_mqtt_filter_valid(gg_str(good[i])));
	for (size_t i = 0; i < GG_COUNT(bad); i++)
		assert_false(gg_mqtt_filter_valid(gg_str(bad[i])));
}

static unsigned found_mask;
static struct gg_topic_entry entries[16];

static void found(void *arg, struct gg_topic_entry *e)
{
	(void)arg;
	unsigned bit = 1U << (e - entries);
	assert_int_equal(found_mask & bit, 0);
	found_mask |= bit;
}

static const char *const filters[] = {"a/b", "a/+", "a/#", "#", "+/b", "a/b/#", "+/+/c", "$SYS/#", "/", "a"};
static const char *const topics[] = {"a/b", "a", "a/b/c", "$SYS/x", "/", "b/b", "x/y/c", "a/", "z"};

static void tree_finds_what_matching_one_by_one_does(void **state)
{
	(void)state;
	struct gg_topic_tree t = GG_TOPIC_TREE(100);
	for (size_t i = 0; i < GG_COUNT(filters); i++)
		assert_int_equal(gg_topic_tree_add(&t, gg_str(filters[i]), &entries[i]), 0);
	for (size_t k = 0; k < GG_COUNT(topics); k++) {
		unsigned expected = 0;
		for (size_t i = 0; i < GG_COUNT(filters); i++)
			expected |= matches(filters[i], topics[k]) ? 1U << i : 0;
		found_mask = 0;
		gg_topic_tree_match(&t, gg_str(topics[k]), found, NULL);
		assert_int_equal(found_mask, expected);
	}
	for (size_t i = 0; i < GG_COUNT(filters); i++)
		gg_topic_tree_remove(&t, &entries[i]);
	assert_int_equal(t.nodes, 0);
	gg_topic_tree_done(&t);
}

static void tree_finds_topics_by_filter(void **state)
{
	(void)state;
	struct gg_topic_tree t = GG_TOPIC_TREE(100);
	for (size_t i = 0; i < GG_COUNT(topics); i++)
		assert_int_equal(gg_topic_tree_add(&t, gg_str(topics[i]), &entries[i]), 0);
	for (size_t k = 0; k < GG_COUNT(filters); k++) {
		unsigned expected = 0;
		for (size_t i = 0; i < GG_COUNT(topics); i++)
			expected |= matches(filters[k], topics[i]) ? 1U << i : 0;
		found_mask = 0;
		gg_topic_tree_find(&t, gg_str(filters[k]), found, NULL);
		assert_int_equal(found_mask, expected);
	}
	gg_topic_tree_done(&t);
	assert_int_equal(t.nodes, 0);
	assert_null(entries[0].node);
}

static void tree_is_bounded(void **state)
{
	(void)state;
	struct gg_topic_tree t = GG_TOPIC_TREE(4);
	char deep[2 * (GG_TOPIC_LEVELS + 2)];
	assert_int_equal(gg_topic_tree_add(&t, GG_STR("a/b/c/d"), &entries[0]), -EDQUOT);
	assert_int_equal(t.nodes, 0);
	assert_int_equal(gg_topic_tree_add(&t, GG_STR("a/b"), &entries[0]), 0);
	gg_topic_tree_done(&t);
	for (size_t i = 0; i < sizeof deep; i++)
		deep[i] = i % 2 ? '/' : 'x';
	t = GG_TOPIC_TREE(1000);
	assert_int_equal(gg_topic_tree_add(&t, gg_str_n(deep, sizeof deep - 1), &entries[0]), -EINVAL);
	assert_int_equal(t.nodes, 0);
	gg_topic_tree_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(matches_as_the_standard_says), TEST(tells_valid_filters),
		TEST(tree_finds_what_matching_one_by_one_does), TEST(tree_finds_topics_by_filter),
		TEST(tree_is_bounded)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
