/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reports of events on their way: what a flood leaves in the book is what the same reports would have left
 * one by one, and what waits is bounded. The stores are real, in a folder of their own; the control loop
 * turns when a test says so.
 */
#include "store_fixture.h"

#include "check.h"
#include "core/loop.h"
#include "core/metrics.h"
#include "gateway/events.h"
#include "gateway/gateway.h"
#include "gateway/reports.h"
#include "pipeline/stages.h"

static const struct gg_component *const components[] = {&gg_stage_window, NULL};
static struct folder folder;
static uint64_t seed;

static uint32_t draw(uint32_t below)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)((seed >> 33) % below);
}

static void up(void)
{
	struct gg_gateway *g = &gg_gateway;
	struct gg_problems problems = {0};
	struct gg_error e = {0};
	gg_components_set(components);
	if (gg_config_load_text("test", GG_STR("journal: { reserve: 0 }\nhistory: { enabled: false }\n"),
		    NULL, &problems, &g->config) < 0)
		fail_msg("%s", problems.count ? problems.items[0].text : "no configuration");
	gg_problems_done(&problems);
	g->data_dir = gg_str_dup(gg_str(folder.path));
	g->control = gg_loop_new("control", 1024);
	g->north = gg_loop_new("north", 1024);
	if (gg_stores_open(g, &e) < 0 || gg_events_start() < 0 || gg_stores_start(g, &e) < 0)
		fail_msg("%s", e.text);
}

static void down(void)
{
	struct gg_gateway *g = &gg_gateway;
	gg_events_stop();
	gg_stores_close(g);
	gg_loop_free(g->control);
	gg_loop_free(g->north);
	gg_config_free(g->config);
	free(g->data_dir);
	*g = (struct gg_gateway){.lock_fd = -1};
}

static int set_up(void **state)
{
	(void)state;
	folder_make(&folder);
	seed = 7;
	up();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	down();
	folder_remove(&folder);
	return 0;
}

static uint64_t report(unsigned key, bool clear)
{
	char text[20];
	snprintf(text, sizeof text, "key-%u", key);
	return gg_event(&(struct gg_event_report){.kind = "test",
		.key = gg_str(text),
		.severity = GG_WARNING,
		.clear = clear,
		.title = gg_str(text),
		.device = GG_NONE,
		.signal = GG_NONE,
		.trace_json = GG_STR("{\"x\":1}")});
}

static void settle(void)
{
	do
		gg_loop_turn(gg_gateway.control, 10 * GG_NS_PER_MS);
	while (gg_reports_waiting());
}

static const struct gg_event_entry *find(unsigned key)
{
	char text[20];
	snprintf(text, sizeof text, "key-%u", key);
	for (const struct gg_event_entry *e = gg_events_newest(); e; e = e->older)
		if (strcmp(e->key, text) == 0)
			return e;
	return NULL;
}

static double lost(const char *cause)
{
	char label[40];
	snprintf(label, sizeof label, "cause=\"%s\"", cause);
	return gg_metrics_value("events_lost_total", label);
}

enum { KEYS = 12 };

static void a_flood_leaves_what_single_reports_would_have_left(void **state)
{
	bool open[KEYS] = {0}, ever[KEYS] = {0};
	uint64_t opened[KEYS] = {0};
	(void)state;
	for (int i = 0; i < 200000; i++) {
		unsigned key = draw(KEYS);
		bool clear = draw(2);
		assert_true(report(key, clear) > 0);
		ever[key] |= !clear;
		opened[key] += !clear;
		open[key] = !clear;
		if (draw(5000) == 0)
			settle(); /* some is taken in between */
	}
	settle();
	for (unsigned key = 0; key < KEYS; key++) {
		const struct gg_event_entry *e = find(key);
		assert_int_equal(ever[key], e != NULL);
		assert_int_equal(e->state == GG_EVENT_CLEARED, !open[key]);
		assert_int_equal(e->repeats + 1, opened[key]);
	}
	assert_true(lost("flood") < 1);
	assert_int_equal(gg_events_open_count(GG_INFORMATION), ({
		size_t n = 0;
		for (unsigned key = 0; key < KEYS; key++)
			n += open[key];
		n;
	}));
}

static void a_folded_report_has_the_id_of_its_event(void **state)
{
	(void)state;
	uint64_t first = report(1, false);
	assert_true(report(1, false) == first);
	assert_true(report(1, true) != first);
	assert_true(report(1, false) == first);
	gg_event_trace(first, GG_STR("{\"step\":\"done\"}"));
	settle();
	const struct gg_event_entry *e = gg_events_find(first);
	assert_non_null(e);
	assert_int_equal(e->repeats, 2);
	assert_non_null(strstr(gg_buf_text((struct gg_buf *)(uintptr_t)&e->trace), "done"));
}

static void too_many_keys_are_bounded_and_counted(void **state)
{
	enum { MANY = 100000 };
	uint64_t taken = 0;
	double before = lost("flood");
	(void)state;
	for (unsigned key = 0; key < MANY; key++)
		taken += report(key, false) != 0;
	assert_int_equal(taken, GG_REPORT_KEYS);
	assert_int_equal((uint64_t)(lost("flood") - before), MANY - GG_REPORT_KEYS);
	settle();
	assert_int_equal(gg_events_open_count(GG_INFORMATION), GG_REPORT_KEYS);
}

static void what_clears_in_a_flood_is_not_lost(void **state)
{
	(void)state;
	for (unsigned key = 0; key < 100; key++)
		assert_true(report(key, false) > 0);
	settle();
	for (unsigned key = 1000; key < 1000 + GG_REPORT_KEYS; key++)
		assert_true(report(key, false) > 0);
	assert_int_equal(report(900000, false), 0); /* full */
	assert_int_equal(report(900001, true), 0);  /* nothing of it is open: nothing to lose */
	for (unsigned key = 0; key < 100; key++)
		assert_true(report(key, true) > 0);
	settle();
	for (unsigned key = 0; key < 100; key++)
		assert_int_equal(find(key)->state, GG_EVENT_CLEARED);
	assert_int_equal(gg_events_open_count(GG_INFORMATION), GG_REPORT_KEYS);
}

static void the_book_full_of_open_events_says_so(void **state)
{
	double before = lost("book");
	(void)state;
	for (unsigned key = 0; key < GG_EVENTS_MOST + 500; key++) {
		report(key, false);
		if (key % 10000 == 0)
			settle();
	}
	settle();
	assert_int_equal(gg_events_open_count(GG_INFORMATION), GG_EVENTS_MOST);
	assert_int_equal((uint64_t)(lost("book") - before), 500);
	report(0, true);
	settle();
	report(999999, false); /* in place of what has cleared */
	settle();
	assert_non_null(find(999999));
	assert_null(find(0));
	assert_true(gg_events_whole_above() > 0);
	struct gg_event_list l;
	const struct gg_event_filter f = {.state = GG_EVENT_CLEARED, .brief = true};
	assert_int_equal(gg_events_stored(&f, &l), 0); /* and the catalog knows that it has */
	assert_int_equal(l.count, 1);
	assert_string_equal(l.items[0]->key, "key-0");
	gg_event_list_done(&l);
}

static void what_waits_at_the_end_is_kept(void **state)
{
	(void)state;
	report(1, false);
	report(2, false);
	report(2, true);
	down();
	up();
	assert_int_equal(find(1)->state, GG_EVENT_OPEN);
	assert_int_equal(find(2)->state, GG_EVENT_CLEARED);
}

#define BOOK(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {BOOK(a_flood_leaves_what_single_reports_would_have_left),
		BOOK(a_folded_report_has_the_id_of_its_event), BOOK(too_many_keys_are_bounded_and_counted),
		BOOK(what_clears_in_a_flood_is_not_lost), BOOK(the_book_full_of_open_events_says_so),
		BOOK(what_waits_at_the_end_is_kept)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
