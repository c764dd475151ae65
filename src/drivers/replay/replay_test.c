/* SPDX-License-Identifier: Apache-2.0 */
/* The replay driver: what it submits, when, and what it does when there is no room. */
#include "driver_host.h"

#include "drivers/replay/csv_codec.h"
#include "drivers/replay/replay.h"

#include <unistd.h>

/* ---- helpers ---- */

static char path[] = "/tmp/gg-replay-XXXXXX";
static struct gg_replay *r;

static void record(const char *text)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fwrite(text, 1, strlen(text), f);
	fclose(f);
}

static bool is_over(void)
{
	return r->over;
}

static void play_it(void)
{
	struct gg_error e = {0};
	assert_int_equal(gg_driver_replay.init(r, &host, &e), 0);
	assert_int_equal(gg_driver_replay.start(r, &e), 0);
}

static const char *name_of(size_t i)
{
	return gg_signal(host.got[i].signal)->name.p;
}

static int64_t at(const char *text)
{
	int64_t ns = 0;
	assert_int_equal(gg_time_parse(gg_str(text), &ns), 0);
	return ns;
}

static int set_up(void **state)
{
	(void)state;
	memset(&host, 0, sizeof host);
	assert_int_equal(driver_host_begin("recorded", at("2030-01-01T00:00:00Z")), 0);
	r = calloc(1, sizeof *r);
	r->file = path;
	r->device = "press-2";
	r->header = true;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	gg_driver_replay.close(r);
	gg_driver_replay.fini(r);
	free(r);
	driver_host_end();
	return 0;
}

/* ---- CSV ---- */

static void csv_reads_what_rfc_4180_says(void **state)
{
	(void)state;
	char text[] = "a,\"b \"\"c\"\", d\",,\"two\nlines\"\r\nnext";
	struct gg_csv_field f[8];
	size_t count = 0, used = 0;
	assert_int_equal(gg_csv_record(text, strlen(text), false, ',', f, 8, &count, &used), 0);
	assert_int_equal(count, 4);
	check_str(f[0].text, "a");
	check_str(f[1].text, "b \"c\", d");
	check_str(f[2].text, "");
	check_str(f[3].text, "two\nlines");
	assert_true(f[1].quoted && !f[0].quoted);
	check_str(gg_str(text + used), "next");
	assert_int_equal(gg_csv_record(text + used, 4, false, ',', f, 8, &count, &used), -EAGAIN);
	assert_int_equal(gg_csv_record(text + used, 4, true, ',', f, 8, &count, &used), 0);
	check_str(f[0].text, "next");
}

static void csv_columns_may_be_aligned_with_blanks(void **state)
{
	(void)state;
	char text[] = "1 1   0.0023 -4.0E2  \n";
	struct gg_csv_field f[8];
	size_t count = 0, used = 0;
	assert_int_equal(gg_csv_record(text, strlen(text), false, ' ', f, 8, &count, &used), 0);
	assert_int_equal(count, 4);
	check_str(f[2].text, "0.0023");
	check_str(f[3].text, "-4.0E2");
}

static void csv_guesses_the_separator(void **state)
{
	(void)state;
	assert_int_equal(gg_csv_guess(GG_STR("a;b;c,d\nx,y,z,,,")), ';');
	assert_int_equal(gg_csv_guess(GG_STR("a\tb")), '\t');
	assert_int_equal(gg_csv_guess(GG_STR("alone")), ',');
}

/* ---- playing ---- */

static void plays_a_wide_table_with_times_as_recorded(void **state)
{
	(void)state;
	record("timestamp,temperature,oil temp,state,ok\n"
	       "2015-02-26 21:42:53,21.5,60,running,true\n"
	       "2015-02-26 21:42:54,21.75,,stopped,false\n");
	play_it();
	driver_host_until(is_over);
	assert_int_equal(host.count, 7);
	assert_int_equal(host.batches, 1);
	assert_string_equal(name_of(0), "press-2/temperature");
	assert_true(host.got[0].v.f == 21.5);
	assert_int_equal(host.got[0].time_ns, at("2015-02-26T21:42:53Z"));
	assert_string_equal(name_of(1), "press-2/oil_temp");
	assert_string_equal(host.texts[1], "stopped");
	assert_int_equal(host.got[6].type, GG_TYPE_BOOL);
	assert_int_equal(host.got[6].time_ns, at("2015-02-26T21:42:54Z"));
}

static void takes_only_the_signals_named_and_scales_them(void **state)
{
	(void)state;
	static struct gg_replay_signal signals[] = {
		{.name = "pressure", .column = "P1", .unit = "bar", .scale = 0.001, .offset = 1}};
	r->signals = (struct gg_many){signals, 1};
	r->decimal_comma = true;
	r->time_format = "%d.%m.%Y %H:%M:%S";
	r->time = "Zeit";
	record("Zeit;P1;P2\n24.12.2025 18:00:00,5;2500,0;7\n");
	play_it();
	driver_host_until(is_over);
	assert_int_equal(host.count, 1);
	assert_string_equal(name_of(0), "press-2/pressure");
	assert_string_equal(gg_signal(host.got[0].signal)->unit, "bar");
	assert_true(host.got[0].v.f == 3.5);
	assert_int_equal(host.got[0].time_ns, at("2025-12-24T18:00:00.5Z"));
}

static void plays_a_long_table_of_several_devices(void **state)
{
	(void)state;
	r->device = NULL;
	r->device_column = "dev";
	r->signal_column = "sig";
	r->value_column = "val";
	record("time,dev,sig,val\n1700000000,a,x,1\n1700000000,b,x,2\n1700000001,a,y,on\n");
	play_it();
	driver_host_until(is_over);
	assert_int_equal(host.count, 3);
	assert_string_equal(name_of(1), "b/x");
	assert_int_equal(host.devices[1], gg_device_find(GG_STR("b")));
	assert_string_equal(name_of(2), "a/y");
	assert_int_equal(host.got[2].type, GG_TYPE_BOOL);
	assert_int_equal(host.got[0].time_ns, 1700000000 * GG_NS_PER_S);
}

static void plays_json_lines(void **state)
{
	(void)state;
	record("{\"ts\": 1700000000500, \"temp\": 21.5, \"note\": \"a\\\"b\", \"deep\": {\"x\": 1}}\n\n"
	       "{\"temp\": null, \"ok\": true, \"ts\": 1700000001500}");
	play_it();
	driver_host_until(is_over);
	assert_int_equal(host.count, 3);
	assert_int_equal(host.got[0].time_ns, 1700000000500 * GG_NS_PER_MS);
	assert_string_equal(host.texts[0], "a\"b");
	assert_string_equal(name_of(2), "press-2/ok");
}

static void goes_on_behind_a_wrong_row(void **state)
{
	(void)state;
	record("time,x\n1700000000,1\nnonsense,2\n1700000002,\"a\"b\n1700000003,3\n");
	play_it();
	driver_host_until(is_over);
	assert_int_equal(host.count, 2);
	assert_true(host.got[1].v.f == 3);
	assert_int_equal(r->bad, 2);
}

static bool ten_samples(void)
{
	return host.count >= 10;
}

static void keeps_the_pace_and_moves_times_to_now(void **state)
{
	(void)state;
	r->speed = 10;
	r->shift = 1;
	r->loop = true;
	record("time,x\n1700000000,0\n1700000000.5,1\n1700000001,2\n");
	int64_t began = gg_clock_monotonic(&gg_clock_system);
	play_it();
	driver_host_until(ten_samples);
	/* Rows are 0.5 s apart, also from one round to the next, so the tenth is due after 4.5 s / 10. */
	int64_t took = gg_clock_monotonic(&gg_clock_system) - began;
	assert_true(took >= 440 * GG_NS_PER_MS && took < 5 * GG_NS_PER_S);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(host.got[i].time_ns, at("2030-01-01T00:00:00Z") + i * (GG_NS_PER_S / 2));
		assert_true(host.got[i].v.f == i % 3);
	}
}

static void rows_without_time_come_at_a_fixed_pace(void **state)
{
	(void)state;
	static const char *columns[] = {"unit", "cycle"};
	r->header = false;
	r->columns = (struct gg_strings){columns, 2};
	r->separator = "blank";
	r->every = GG_NS_PER_S;
	record("1 1 \n1 2 \n");
	play_it();
	driver_host_until(is_over);
	assert_int_equal(host.count, 4);
	assert_int_equal(host.got[3].time_ns, at("2030-01-01T00:00:01Z"));
}

static bool was_refused(void)
{
	return host.refused > 0;
}

static void loses_nothing_when_there_is_no_room(void **state)
{
	(void)state;
	FILE *f = fopen(path, "w");
	fprintf(f, "time,x\n");
	for (int i = 0; i < 12345; i++)
		fprintf(f, "%d,%d\n", 1700000000 + i, i);
	fclose(f);
	host.full = true;
	play_it();
	driver_host_until(was_refused);
	for (int i = 0; i < 5; i++)
		gg_loop_turn(host.loop, 0);
	assert_int_equal(host.refused, 1); /* waits, and does not try again by itself */
	host.full = false;
	gg_driver_replay.driver->resume(r);
	driver_host_until(is_over);
	assert_int_equal(host.count, 12345);
	for (int i = 0; i < 12345; i++)
		assert_true(host.got[i].v.f == i);
}

static void says_which_file_is_missing(void **state)
{
	(void)state;
	struct gg_error e = {0};
	r->file = "/nowhere/at/all.csv";
	assert_int_equal(gg_driver_replay.init(r, &host, &e), 0);
	assert_int_equal(gg_driver_replay.start(r, &e), -ENOENT);
	assert_non_null(strstr(e.text, "/nowhere/at/all.csv"));
}

#define PLAY(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(csv_reads_what_rfc_4180_says),
		TEST(csv_columns_may_be_aligned_with_blanks),
		TEST(csv_guesses_the_separator),
		PLAY(plays_a_wide_table_with_times_as_recorded),
		PLAY(takes_only_the_signals_named_and_scales_them),
		PLAY(plays_a_long_table_of_several_devices),
		PLAY(plays_json_lines),
		PLAY(goes_on_behind_a_wrong_row),
		PLAY(keeps_the_pace_and_moves_times_to_now),
		PLAY(rows_without_time_come_at_a_fixed_pace),
		PLAY(loses_nothing_when_there_is_no_room),
		PLAY(says_which_file_is_missing),
	};
	int fd = mkstemp(path);
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	close(fd);
	unlink(path);
	return rc;
}
