/* SPDX-License-Identifier: Apache-2.0 */
/* Tables, charts, times, trees and traces of the command line. */
#include "app/plot.h"
#include "app/rows.h"
#include "app/table.h"
#include "app/trace.h"
#include "app/when.h"

#include "check.h"

#include <math.h>

static const int64_t noon = 1772366400LL * GG_NS_PER_S; /* 2026-03-01T12:00:00Z */

static unsigned widest_line(const char *text)
{
	unsigned widest = 0;
	struct gg_str rest = gg_str(text);
	while (rest.len) {
		unsigned w = gg_text_width(gg_str_cut(&rest, '\n'), 100000, NULL);
		widest = w > widest ? w : widest;
	}
	return widest;
}

static void fill(struct gg_table *t)
{
	static const struct gg_column columns[] = {
		{.title = "ID", .keep = true}, {.title = "TITLE"}, {.title = "VALUE", .right = true}};
	gg_table_init(t, columns, 3);
	gg_table_cell(t, GG_STR("1795355431040529"));
	gg_table_cell(t, GG_STR("The header's pressure is down to 2.1 bar, which is less than it ever was"));
	gg_table_cell(t, GG_STR("2.1"));
	gg_table_cell(t, GG_STR("2"));
	gg_table_cell(t, GG_STR("Größe"));
	gg_table_cell(t, GG_STR("17"));
}

static void a_table_fits_the_terminal_and_keeps_what_is_copied(void **state)
{
	struct gg_table t;
	struct gg_buf out = GG_BUF(1 << 16);
	(void)state;
	fill(&t);
	gg_table_write(&t, 50, false, &out);
	assert_int_equal(widest_line(gg_buf_text(&out)), 50);
	assert_non_null(strstr(gg_buf_text(&out), "1795355431040529"));
	assert_non_null(strstr(gg_buf_text(&out), "…"));
	gg_buf_clear(&out);
	gg_table_write(&t, 0, false, &out);
	assert_non_null(strstr(gg_buf_text(&out), "less than it ever was"));
	assert_non_null(strstr(gg_buf_text(&out), "   17\n"));
	gg_buf_done(&out);
	gg_table_done(&t);
}

static void a_table_survives_a_terminal_narrower_than_its_columns(void **state)
{
	struct gg_table t;
	struct gg_buf out = GG_BUF(1 << 16);
	(void)state;
	fill(&t);
	gg_table_write(&t, 5, false, &out);
	assert_true(widest_line(gg_buf_text(&out)) > 5);
	assert_int_equal(out.error, 0);
	gg_buf_done(&out);
	gg_table_done(&t);
}

static void names_of_devices_cannot_command_the_terminal(void **state)
{
	struct gg_buf out = GG_BUF(4096);
	(void)state;
	gg_text_clean(&out,
		GG_STR("a\x1b[2Jb\x07\xc2\x9b"
		       "c\xff"
		       "d\ne\xe2\x80\xae"
		       "f"),
		false);
	assert_string_equal(gg_buf_text(&out), "a\xef\xbf\xbd[2Jb\xef\xbf\xbd\xef\xbf\xbd"
					       "c\xef\xbf\xbd"
					       "d e\xef\xbf\xbd"
					       "f");
	gg_buf_done(&out);
}

static void wide_characters_take_two_columns(void **state)
{
	size_t len;
	(void)state;
	assert_int_equal(gg_text_width(GG_STR("温度"), 100, NULL), 4);
	assert_int_equal(gg_text_width(GG_STR("温度"), 3, &len), 2);
	assert_int_equal(len, 3);
	assert_int_equal(gg_text_width(GG_STR("e\xcc\x81"), 100, NULL), 1);
}

static void times_are_taken_as_people_say_them(void **state)
{
	int64_t ns;
	(void)state;
	assert_int_equal(gg_when_parse(GG_STR("-1h"), noon, &ns), 0);
	assert_int_equal(ns, noon - 3600 * GG_NS_PER_S);
	assert_int_equal(gg_when_parse(GG_STR("1h30min"), noon, &ns), 0);
	assert_int_equal(ns, noon - 5400 * GG_NS_PER_S);
	assert_int_equal(gg_when_parse(GG_STR("now"), noon, &ns), 0);
	assert_int_equal(ns, noon);
	assert_int_equal(gg_when_parse(GG_STR("yesterday"), noon, &ns), 0);
	assert_int_equal(ns, noon - 36 * 3600 * GG_NS_PER_S);
	assert_int_equal(gg_when_parse(GG_STR("2026-03-01T12:00:00Z"), 0, &ns), 0);
	assert_int_equal(ns, noon);
	assert_int_equal(gg_when_parse(GG_STR("2026-03-01"), 0, &ns), 0);
	assert_int_equal(ns, noon - 12 * 3600 * GG_NS_PER_S);
	assert_int_equal(gg_when_parse(GG_STR("soon"), noon, &ns), -EINVAL);
	assert_int_equal(gg_when_parse(GG_STR(""), noon, &ns), -EINVAL);
	assert_int_equal(gg_when_parse(GG_STR("--1h"), noon, &ns), -EINVAL);
}

static void ages_and_times_are_told_short(void **state)
{
	char age[16], time[GG_TIME_TEXT];
	(void)state;
	assert_string_equal(gg_when_age(age, 300 * GG_NS_PER_MS), "0.3s");
	assert_string_equal(gg_when_age(age, 42 * GG_NS_PER_S), "42s");
	assert_string_equal(gg_when_age(age, 600 * GG_NS_PER_S), "10min");
	assert_string_equal(gg_when_age(age, 4 * 86400 * GG_NS_PER_S), "4d");
	assert_string_equal(gg_when_age(age, -5 * GG_NS_PER_S), "-5.0s");
	assert_string_equal(gg_when_short(time, noon + 5, noon), "12:00:00");
	assert_string_equal(gg_when_short(time, noon, noon + 86400 * GG_NS_PER_S), "2026-03-01 12:00:00");
	assert_string_equal(gg_when_short(time, -1, noon), "1969-12-31 23:59:59");
}

static void a_chart_shows_range_time_and_curve(void **state)
{
	struct gg_plot_point points[200];
	struct gg_buf out = GG_BUF(1 << 16);
	(void)state;
	for (int i = 0; i < 200; i++)
		points[i] = (struct gg_plot_point){noon + i * GG_NS_PER_S, 50 + 10 * sin(i / 10.0)};
	points[100].value = NAN;
	assert_int_equal(gg_plot(points, 200, 70, 12, GG_STR("boiler"), &out), 0);
	const char *text = gg_buf_text(&out);
	assert_int_equal(widest_line(text), 70);
	assert_non_null(strstr(text, "boiler"));
	assert_non_null(strstr(text, "2026-03-01 12:00:00"));
	assert_non_null(strstr(text, "12:03:19"));
	assert_non_null(strstr(text, "60 ┤") ? strstr(text, "60 ┤") : strstr(text, "59.9"));
	gg_buf_done(&out);
}

static void a_chart_takes_flat_lines_and_extremes(void **state)
{
	struct gg_plot_point p[3] = {{noon, 5}, {noon, 5}, {noon, 5}};
	struct gg_plot_point far[2] = {{noon, -1.7e308}, {noon + 1, 1.7e308}};
	struct gg_plot_point none[1] = {{noon, NAN}};
	struct gg_buf out = GG_BUF(1 << 16);
	(void)state;
	assert_int_equal(gg_plot(p, 3, 60, 10, GG_STR(""), &out), 0);
	assert_int_equal(gg_plot(far, 2, 60, 10, GG_STR(""), &out), 0);
	assert_null(strstr(gg_buf_text(&out), "nan"));
	assert_null(strstr(gg_buf_text(&out), "inf"));
	assert_int_equal(gg_plot(none, 1, 60, 10, GG_STR(""), &out), -ENODATA);
	gg_buf_done(&out);
}

static void make_rows(struct gg_rows *r)
{
	gg_rows_init(r);
	gg_rows_column(r, GG_STR("time"));
	gg_rows_column(r, GG_STR("signal"));
	gg_rows_column(r, GG_STR("value"));
	for (int i = 0; i < 4; i++) {
		char time[GG_TIME_TEXT], value[32];
		gg_time_format(time, noon + i * GG_NS_PER_S);
		gg_rows_cell(r, GG_CELL_TEXT, gg_str(time));
		gg_rows_cell(r, GG_CELL_TEXT, i % 2 ? GG_STR("a,\"b\"") : GG_STR("boiler/t"));
		gg_format_float(value, i * 1.5);
		gg_rows_cell(r, i == 3 ? GG_CELL_NULL : GG_CELL_NUMBER, i == 3 ? GG_STR("") : gg_str(value));
	}
}

static void a_result_becomes_json_csv_and_charts(void **state)
{
	struct gg_rows r;
	struct gg_buf out = GG_BUF(1 << 16);
	(void)state;
	make_rows(&r);
	assert_int_equal(gg_rows_count(&r), 4);
	gg_rows_csv(&r, &out);
	assert_non_null(strstr(gg_buf_text(&out), "2026-03-01T12:00:01Z,\"a,\"\"b\"\"\",1.5\n"));
	gg_buf_clear(&out);
	gg_rows_json(&r, &out);
	assert_non_null(strstr(gg_buf_text(&out), "\"signal\":\"a,\\\"b\\\"\",\"value\":null}]"));
	gg_buf_clear(&out);
	assert_int_equal(gg_rows_plot(&r, &out), 0);
	assert_non_null(strstr(gg_buf_text(&out), "boiler/t  value"));
	gg_buf_done(&out);
	gg_rows_done(&r);
}

static void rows_without_a_time_are_no_chart(void **state)
{
	struct gg_rows r;
	struct gg_buf out = GG_BUF(4096);
	(void)state;
	gg_rows_init(&r);
	gg_rows_column(&r, GG_STR("n"));
	gg_rows_cell(&r, GG_CELL_NUMBER, GG_STR("7"));
	assert_int_equal(gg_rows_plot(&r, &out), -EINVAL);
	gg_rows_done(&r);
	gg_buf_done(&out);
}

static void an_answer_is_read_as_a_tree(void **state)
{
	struct gg_arena arena = GG_ARENA(1 << 20);
	struct gg_node *n;
	(void)state;
	assert_int_equal(
		gg_node_parse(&arena,
			GG_STR("{\"a\":[1,{\"b\":\"x\\ny\"}],\"t\":\"2026-03-01T12:00:00Z\",\"y\":true}"),
			&n),
		0);
	assert_int_equal(gg_node_get(n, "a")->count, 2);
	assert_true(gg_str_is(gg_node_text(gg_node_get(n, "a")->first->next, "b"), "x\ny"));
	assert_int_equal(gg_node_time(n, "t"), noon);
	assert_true(gg_node_true(n, "y"));
	assert_null(gg_node_get(n, "none"));
	assert_int_equal(gg_node_text(NULL, "a").len, 0);
	assert_int_equal(gg_node_parse(&arena, GG_STR("{\"a\":"), &n), -EINVAL);
	assert_int_equal(gg_node_parse(&arena, GG_STR("[1] 2"), &n), -EINVAL);
	assert_int_equal(gg_node_parse(&arena, GG_STR(""), &n), -EINVAL);
	gg_arena_done(&arena);
}

static void a_trace_tells_who_decided_by_what_and_what_was_done(void **state)
{
	struct gg_arena arena = GG_ARENA(1 << 20);
	struct gg_buf out = GG_BUF(1 << 16);
	struct gg_node *n;
	(void)state;
	assert_int_equal(gg_node_parse(&arena,
				 GG_STR("{\"id\":7,\"kind\":\"rule\",\"key\":\"hot\",\"severity\":"
					"\"critical\",\"state\":\"open\","
					"\"title\":\"too "
					"\\u001b[31mhot\",\"opened\":\"2026-03-01T12:00:00Z\",\"trace\":["
					"{\"rule\":\"hot\",\"revision\":3,\"decided\":\"2026-03-01T12:00:"
					"00Z\",\"when\":\"a/b > 1\","
					"\"samples\":[{\"signal\":\"a/"
					"b\",\"time\":\"2026-03-01T11:59:59Z\",\"value\":2,\"unit\":\"K\","
					"\"quality\":\"good\"}]},"
					"{\"action\":\"write\",\"ok\":false,\"error\":\"timeout\",\"text\":"
					"\"no answer\","
					"\"time\":\"2026-03-01T12:00:01Z\",\"took_ms\":1.5},"
					"{\"step\":\"comment\",\"by\":\"eve\",\"text\":\"seen\",\"time\":"
					"\"2026-03-01T12:00:02Z\"}]}"),
				 &n),
		0);
	gg_trace_write(n, noon + 60 * GG_NS_PER_S, false, &out);
	const char *text = gg_buf_text(&out);
	assert_null(strchr(text, 0x1b));
	assert_non_null(strstr(text, "rule hot: opened (configuration revision 3)"));
	assert_non_null(strstr(text, "when a/b > 1"));
	assert_non_null(strstr(text, "a/b = 2 K at 11:59:59"));
	assert_non_null(strstr(text, "action write: FAILED, timeout, no answer"));
	assert_non_null(strstr(text, "eve: seen"));
	gg_buf_done(&out);
	gg_arena_done(&arena);
}

static void several_series_share_a_chart_in_their_colours(GG_UNUSED void **state)
{
	struct gg_buf out GG_CLEANUP(gg_buf_done) = GG_BUF(1 << 20);
	struct gg_plot_point up[50], down[50];
	for (int i = 0; i < 50; i++) {
		up[i] = (struct gg_plot_point){noon + i * GG_NS_PER_S, i};
		down[i] = (struct gg_plot_point){noon + i * GG_NS_PER_S, 50 - i};
	}
	const struct gg_plot_series both[] = {{GG_STR("up"), up, 50}, {GG_STR("down\x1b[2J"), down, 50}};
	struct gg_plot_look look = {.width = 70, .height = 12, .colour = true};
	assert_int_equal(gg_plot_all(both, 2, &look, GG_STR("value"), &out), 0);
	const char *text = gg_buf_text(&out);
	assert_non_null(strstr(text, "\x1b[36m━━\x1b[0m up"));
	assert_non_null(strstr(text, "\x1b[33m━━\x1b[0m down"));
	assert_null(strstr(text, "\x1b[2J"));
	look.colour = false;
	gg_buf_clear(&out);
	assert_int_equal(gg_plot_all(both, 2, &look, GG_STR("value"), &out), 0);
	assert_null(strchr(gg_buf_text(&out), '\x1b'));
}

static void a_terminal_without_utf8_gets_plain_characters(GG_UNUSED void **state)
{
	struct gg_buf out GG_CLEANUP(gg_buf_done) = GG_BUF(1 << 20);
	struct gg_plot_point p[3] = {{noon, 5}, {noon + GG_NS_PER_S, 6}, {noon + 2 * GG_NS_PER_S, 5.5}};
	const struct gg_plot_series one = {GG_STR(""), p, 3};
	const struct gg_plot_look look = {.width = 60, .height = 10, .plain = true};
	assert_int_equal(gg_plot_all(&one, 1, &look, GG_STR("v"), &out), 0);
	struct gg_str rest = gg_buf_view(&out);
	for (size_t i = 0; i < rest.len; i++)
		assert_true((uint8_t)rest.p[i] < 0x80);
	while (rest.len)
		assert_true(gg_str_cut(&rest, '\n').len <= 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(several_series_share_a_chart_in_their_colours),
		cmocka_unit_test(a_terminal_without_utf8_gets_plain_characters),
		cmocka_unit_test(a_table_fits_the_terminal_and_keeps_what_is_copied),
		cmocka_unit_test(a_table_survives_a_terminal_narrower_than_its_columns),
		cmocka_unit_test(names_of_devices_cannot_command_the_terminal),
		cmocka_unit_test(wide_characters_take_two_columns),
		cmocka_unit_test(times_are_taken_as_people_say_them),
		cmocka_unit_test(ages_and_times_are_told_short),
		cmocka_unit_test(a_chart_shows_range_time_and_curve),
		cmocka_unit_test(a_chart_takes_flat_lines_and_extremes),
		cmocka_unit_test(a_result_becomes_json_csv_and_charts),
		cmocka_unit_test(rows_without_a_time_are_no_chart),
		cmocka_unit_test(an_answer_is_read_as_a_tree),
		cmocka_unit_test(a_trace_tells_who_decided_by_what_and_what_was_done),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
