/* SPDX-License-Identifier: Apache-2.0 */
/* The engine between a journal and peers of its own (engine_fakes.h). */
#include "uplinks/engine_fakes.h"

static void sends_what_comes_from_memory_and_moves_the_cursor(void **state)
{
	(void)state;
	turn_until(cloud->connects == 1 && state_of(engine).ready);
	turns(3);
	unsigned opened = journal.opened;
	append("boiler", 21.5);
	turn_until(cloud->count == 1);
	assert_string_equal(cloud->last,
		"{\"id\":\"0000000000000064\",\"device\":\"boiler\",\"samples\":[{\"signal\":\"x\","
		"\"time\":\"2023-11-14T22:13:20Z\",\"value\":21.5}]}");
	assert_string_equal(cloud->names[0], "boiler");
	for (int i = 1; i < 1000; i++) {
		append("boiler", i);
		turns(i % 7 == 0);
	}
	turn_until(cloud->count == 1000);
	check_ids(cloud, 0, 1000, 0);
	assert_int_equal(journal.opened, opened); /* never from disk */
	turn_until(state_of(engine).cursor == position_of(1000));
	assert_int_equal(state_of(engine).backlog_bytes, 0);
	turn_until(kept.position == position_of(1000)); /* within a second, without being asked */
	assert_int_equal(pinned, position_of(1000));
}

static void sends_only_what_is_selected_and_counts_the_rest(void **state)
{
	(void)state;
	append("quiet", 1);
	append("boiler", 2);
	append("quiet", 3);
	turn_until(cloud->count == 1);
	turn_until(state_of(engine).cursor == position_of(3));
	assert_int_equal(state_of(engine).local_samples, 2);
	assert_int_equal(state_of(engine).samples, 1);
}

static void keeps_order_when_uplink_returns(void **state)
{
	(void)state;
	cloud->up = false;
	turn_until(cloud->connects == 2);
	for (int i = 0; i < 3000; i++)
		append("boiler", i);
	turn_until(state_of(engine).backlog_bytes == 3000 * STEP);
	assert_int_equal(cloud->count, 0);
	cloud->up = true;
	turn_until(cloud->count == 3000);
	check_ids(cloud, 0, 3000, 0);
	append("boiler", 1);
	turn_until(cloud->count == 3001);
	check_ids(cloud, 0, 3001, 0);
}

static void sends_again_under_the_same_id_what_was_not_acknowledged(void **state)
{
	(void)state;
	cloud->silent = true;
	for (int i = 0; i < 20; i++)
		append("boiler", i);
	turn_until(cloud->count == 8); /* the window */
	turns(5);
	assert_int_equal(cloud->count, 8);
	gg_uplink_done(cloud, position_of(0), 0);
	gg_uplink_done(cloud, position_of(2), 0);
	turn_until(state_of(engine).cursor == position_of(1)); /* not beyond what is missing */
	cloud->waiting_count = 0;
	cloud->silent = false;
	size_t before = cloud->count;
	gg_uplink_ready(cloud, false, "peer closed");
	assert_false(state_of(engine).under_way == 0 && cloud->count == before + 18);
	turn_until(state_of(engine).cursor == position_of(20));
	/* 1 and 3..9 again, then the rest, in order */
	assert_int_equal(cloud->ids[before], position_of(1));
	check_ids(cloud, before + 1, before + 18, 3);
	assert_int_equal(state_of(engine).retries, 8);
}

static void goes_on_from_its_cursor_after_a_restart(void **state)
{
	(void)state;
	cloud->silent = true;
	for (int i = 0; i < 10; i++)
		append("boiler", i);
	turn_until(cloud->count == 8);
	gg_uplink_done(cloud, position_of(0), 0);
	gg_uplink_done(cloud, position_of(1), 0);
	cloud->silent = false;
	turn_until(state_of(engine).cursor == position_of(2));
	size_t before = cloud->count;
	restart();
	assert_int_equal(kept.position, position_of(2));
	turn_until(cloud->count == before + 8);
	check_ids(cloud, before, before + 8, 2);
}

/* Its cursor, before it has moved for the first time: what came in its first second is owed as well. */
static void goes_on_from_where_it_began_though_it_dies_at_once(void **state)
{
	(void)state;
	assert_true(kept.known);
	append("boiler", 1);
	assert_int_equal(kept.position, position_of(0));
}

static void live_events_pass_the_backlog_once(void **state)
{
	(void)state;
	turn_until(state_of(engine).ready);
	cloud->silent = true;
	for (int i = 0; i < 100; i++)
		append("boiler", i);
	append_event("alarm");
	for (int i = 0; i < 5; i++)
		append("boiler", i);
	turn_until(cloud->count == 8);
	cloud->silent = false;
	acknowledge_all(cloud);
	turn_until(cloud->count == 106);
	size_t at = 0;
	while (strcmp(cloud->names[at], "events") != 0)
		at++;
	assert_true(at < 20); /* not the hundredth */
	assert_int_equal(cloud->ids[at], position_of(100));
	assert_int_equal(cloud->urgent, 1);
	turn_until(state_of(engine).cursor == position_of(106));
	turns(5);
	assert_int_equal(cloud->count, 106);
}

static void any_number_of_live_events_pass_a_long_backlog_once(void **state)
{
	(void)state;
	enum { SAMPLES = 6000, EVENTS = 500 };
	cloud->up = false;
	turn_until(cloud->connects == 2);
	for (int i = 0; i < SAMPLES; i++)
		append("boiler", i);
	common.rate = 20000; /* of about 110 bytes each: half a minute */
	gg_uplink_change(engine, &common);
	cloud->up = true;
	for (size_t i = 0; i < EVENTS; i++) {
		if (i % 7 == 0)
			append("boiler", 0);
		append_event("alarm");
		turn_until(cloud->urgent == i + 1);
	}
	assert_true(cloud->count < SAMPLES); /* the backlog is still there */
	common.rate = 0;
	gg_uplink_change(engine, &common);
	turn_until(state_of(engine).cursor == position_of(journal.count));
	turns(5);
	assert_int_equal(cloud->urgent, EVENTS);
	assert_int_equal(cloud->count, journal.count);
	assert_int_equal(engine->passed_count, 0);
}

static void an_event_that_comes_while_the_link_is_down_goes_first(void **state)
{
	(void)state;
	cloud->up = false;
	turn_until(cloud->connects == 2);
	for (int i = 0; i < 2000; i++)
		append("boiler", i);
	append_event("alarm");
	turns(3);
	cloud->up = true;
	turn_until(cloud->count == 2001);
	assert_string_equal(cloud->names[0], "events");
	check_ids(cloud, 1, 2001, 0);
	turns(5);
	assert_int_equal(cloud->count, 2001);
}

static void loses_nothing_when_the_feed_overflows(void **state)
{
	(void)state;
	turn_until(state_of(engine).ready);
	turns(3);
	for (int i = 0; i < 5000; i++) /* far more than the feed holds, in one go */
		append("boiler", i);
	turn_until(cloud->count == 5000);
	check_ids(cloud, 0, 5000, 0);
	append("boiler", 0);
	turn_until(cloud->count == 5001);
}

static void keeps_to_its_rate(void **state)
{
	(void)state;
	common.rate = 2000;
	gg_uplink_change(engine, &common);
	turn_until(state_of(engine).ready);
	int64_t began = gg_clock_monotonic(&gg_clock_system);
	for (int i = 0; i < 35; i++) /* of about 110 bytes */
		append("boiler", 0.5);
	turn_until(cloud->count == 35);
	double seconds = (double)(gg_clock_monotonic(&gg_clock_system) - began) / GG_NS_PER_S;
	/* A tenth of a second may go at once; the last one may be in debt. */
	double least = ((double)cloud->bytes - 200 - 120) / 2000;
	assert_true(least > 1.5);
	assert_true(seconds > least * 0.95 && seconds < least + 1);
}

static void makes_parcels_no_larger_than_its_rate_allows(void **state)
{
	(void)state;
	common.rate =
		20000; /* parcel_size is 64 KiB: three seconds that an event would wait on such a link */
	gg_uplink_change(engine, &common);
	turn_until(state_of(engine).ready);
	append_at("boiler", 500, 0, gg_clock_utc(&gg_clock_system));
	turn_until(state_of(engine).samples == 500);
	for (size_t i = 0; i < cloud->count; i++)
		assert_int_equal(cloud->ids[i], position_of(0) + i);
	assert_true(cloud->largest >= 5000 && cloud->largest < 5100);
}

static void collects_for_a_while_by_device(void **state)
{
	(void)state;
	common.linger_ns = GG_NS_PER_S;
	gg_uplink_change(engine, &common);
	turn_until(state_of(engine).ready);
	int64_t t = gg_clock_utc(&gg_clock_system);
	for (int i = 0; i < 10; i++)
		append_at(i % 2 ? "press" : "boiler", 1, i, t + i * GG_NS_PER_MS);
	append_at("boiler", 1, 10, t + 1500 * GG_NS_PER_MS); /* of the next round */
	turn_until(cloud->count == 2);
	assert_string_equal(cloud->names[0], "boiler");
	assert_int_equal(cloud->ids[0], position_of(0));
	assert_string_equal(cloud->names[1], "press");
	assert_int_equal(cloud->ids[1], position_of(1));
	assert_int_equal(state_of(engine).samples, 10);
	assert_int_equal(state_of(engine).cursor, position_of(10));
	append_event("alarm"); /* does not wait, nor lets others wait */
	turn_until(cloud->count == 4);
	turn_until(state_of(engine).cursor == position_of(12));
}

static void makes_the_same_parcels_again_after_a_restart(void **state)
{
	(void)state;
	common.linger_ns = GG_NS_PER_S;
	common.parcel_size = 1024;
	gg_uplink_change(engine, &common);
	cloud->silent = true;
	cloud->window = 20;
	int64_t t = gg_clock_utc(&gg_clock_system) - 100 * GG_NS_PER_S;
	for (int i = 0; i < 40; i++)
		append_at(i % 3 ? "press" : "boiler", i == 7 ? 50 : 2, i, t + i * 300 * GG_NS_PER_MS);
	turn_until(cloud->count == 20);
	uint64_t ids[20];
	memcpy(ids, cloud->ids, sizeof ids);
	restart();
	turn_until(cloud->count == 40);
	assert_memory_equal(cloud->ids + 20, ids, sizeof ids);
	for (int i = 0; i < 20; i++)
		for (int k = 0; k < i; k++)
			assert_true(ids[i] != ids[k]);
}

static void splits_a_large_batch(void **state)
{
	(void)state;
	common.parcel_size = 1024;
	gg_uplink_change(engine, &common);
	append_at("boiler", 20000, 0, gg_clock_utc(&gg_clock_system)); /* more parcels than there are slots */
	turn_until(state_of(engine).cursor == position_of(1));
	assert_int_equal(state_of(engine).samples, 20000);
	assert_true(cloud->count > 1000);
	for (size_t i = 0; i < cloud->count; i++)
		assert_int_equal(cloud->ids[i], position_of(0) + i);
}

static void drops_what_the_peer_refuses_for_good(void **state)
{
	(void)state;
	cloud->refuse = true;
	append("boiler", 1);
	turn_until(state_of(engine).dropped == 1);
	turn_until(state_of(engine).cursor == position_of(1));
	assert_int_equal(state_of(engine).parcels, 0);
}

static void waits_when_the_peer_has_no_room(void **state)
{
	(void)state;
	cloud->slow = true;
	turn_until(state_of(engine).ready);
	append("boiler", 1);
	turns(5);
	assert_int_equal(cloud->count, 0);
	cloud->slow = false;
	gg_uplink_ready(cloud, true, NULL);
	turn_until(cloud->count == 1);
	assert_int_equal(state_of(engine).retries, 0);
	assert_int_equal(state_of(engine).reconnects, 1);
}

static void knocks_less_and_less_often(void **state)
{
	(void)state;
	cloud->up = false;
	turn_until(cloud->connects == 6);
	int64_t first = cloud->connected_at[1] - cloud->connected_at[0];
	int64_t fifth = cloud->connected_at[5] - cloud->connected_at[4];
	assert_true(first >= 10 * GG_NS_PER_MS && fifth >= 40 * GG_NS_PER_MS);
	assert_string_equal(state_of(engine).reason, "nobody there");
	assert_false(state_of(engine).ready);
}

static void uplinks_do_not_wait_for_each_other(void **state)
{
	(void)state;
	other->silent = true;
	struct gg_uplink_engine *second = add(other);
	for (int i = 0; i < 500; i++)
		append("boiler", i);
	turn_until(cloud->count == 500);
	assert_int_equal(other->count, 1);
	other->silent = false;
	acknowledge_all(other);
	turn_until(other->count == 500);
	check_ids(other, 0, 500, 0);
	gg_uplink_remove(second);
}

static void says_what_went_before_it_was_sent(void **state)
{
	(void)state;
	cloud->up = false;
	turn_until(cloud->connects == 2);
	for (int i = 0; i < 100; i++)
		append("boiler", i);
	turns(3);
	journal.lost = 40;
	cloud->up = true;
	turn_until(cloud->count == 60);
	check_ids(cloud, 0, 60, 40);
	turn_until(state_of(engine).cursor == position_of(100));
	assert_int_equal(atomic_load(&engine->c_lost->value), 40 * STEP);
}

static void compresses(void **state)
{
	(void)state;
	gg_uplink_remove(engine);
	common.compress = GG_UPLINK_ZSTD;
	engine = add(cloud);
	append_at("boiler", 500, 0, gg_clock_utc(&gg_clock_system));
	turn_until(cloud->count == 1);
	assert_true(cloud->last_len < 5000);
	assert_memory_equal(cloud->last, "\x28\xb5\x2f\xfd", 4); /* RFC 8878 §3.1.1 */
}

#define ENGINE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ENGINE(sends_what_comes_from_memory_and_moves_the_cursor),
		ENGINE(sends_only_what_is_selected_and_counts_the_rest),
		ENGINE(keeps_order_when_uplink_returns),
		ENGINE(sends_again_under_the_same_id_what_was_not_acknowledged),
		ENGINE(goes_on_from_its_cursor_after_a_restart),
		ENGINE(goes_on_from_where_it_began_though_it_dies_at_once),
		ENGINE(live_events_pass_the_backlog_once),
		ENGINE(any_number_of_live_events_pass_a_long_backlog_once),
		ENGINE(an_event_that_comes_while_the_link_is_down_goes_first),
		ENGINE(loses_nothing_when_the_feed_overflows),
		ENGINE(keeps_to_its_rate),
		ENGINE(makes_parcels_no_larger_than_its_rate_allows),
		ENGINE(collects_for_a_while_by_device),
		ENGINE(makes_the_same_parcels_again_after_a_restart),
		ENGINE(splits_a_large_batch),
		ENGINE(drops_what_the_peer_refuses_for_good),
		ENGINE(waits_when_the_peer_has_no_room),
		ENGINE(knocks_less_and_less_often),
		ENGINE(uplinks_do_not_wait_for_each_other),
		ENGINE(says_what_went_before_it_was_sent),
		ENGINE(compresses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
