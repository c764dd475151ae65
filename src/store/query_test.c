/* SPDX-License-Identifier: Apache-2.0 */
#include "store_fixture.h"

#include "core/revisions.h"
#include "store/catalog.h"
#include "store/query.h"

static unsigned blocks_opened;
int __real_gg_block_decode(struct gg_block_coder *c, struct gg_block *b, struct gg_str bytes);
int __wrap_gg_block_decode(struct gg_block_coder *c, struct gg_block *b, struct gg_str bytes);

int __wrap_gg_block_decode(struct gg_block_coder *c, struct gg_block *b, struct gg_str bytes)
{
	blocks_opened++;
	return __real_gg_block_decode(c, b, bytes);
}

static struct folder folder;
static struct gg_journal *journal;
static struct gg_history *history;
static struct gg_catalog *catalog;
static char dir[128], history_path[128], catalog_path[128];
static const int64_t noon = 1772366400 * GG_NS_PER_S; /* 2026-03-01T12:00:00Z */

static void put(const char *name, uint32_t count, int64_t time, double value)
{
	struct gg_batch *b = a_batch(a_signal(name), count, time, value);
	assert_int_equal(gg_journal_append(journal, b), 0);
	gg_batch_unref(b);
}

static int set_up(GG_UNUSED void **state)
{
	struct gg_error e = {0};
	folder_make(&folder);
	snprintf(dir, sizeof dir, "%s/journal", folder.path);
	snprintf(history_path, sizeof history_path, "%s/history.db", folder.path);
	snprintf(catalog_path, sizeof catalog_path, "%s/catalog.db", folder.path);
	struct gg_journal_options jo = {.dir = dir, .names = &gg_names_table};
	struct gg_history_options ho = {.path = history_path, .block_samples = 100};
	assert_int_equal(gg_catalog_open(catalog_path, &catalog, &e), 0);
	assert_int_equal(gg_history_open(&ho, &history, &e), 0);
	assert_int_equal(gg_journal_open(&jo, &journal, &e), 0);
	assert_int_equal(gg_history_start(history, journal, &e), 0);
	assert_int_equal(gg_journal_start(journal, &e), 0);
	put("press/temperature", 250, noon, 0);
	put("press/pressure", 60, noon, 100);
	put("mill/speed", 10, noon + GG_NS_PER_S / 4, 5);
	gg_journal_flush(journal);
	assert_int_equal(gg_history_flush(history), 0);
	put("press/temperature", 10, noon + 250 * GG_NS_PER_S, 250); /* still open */
	gg_journal_flush(journal);
	gg_history_wait(history);
	struct gg_device_row d = {.id = GG_STR("press"),
		.title = GG_STR("Press"),
		.labels_json = GG_STR("{\"line\":\"a\",\"hall\":\"3\"}"),
		.credential = GG_STR("s3cret")};
	assert_int_equal(gg_catalog_put_device(catalog, &d), 0);
	uint64_t id;
	bool opened;
	struct gg_event_row event = {
		.kind = GG_STR("rule"), .key = GG_STR("hot"), .severity = GG_CRITICAL, .updated_ns = noon};
	event.device = GG_STR("press");
	assert_int_equal(gg_catalog_report(catalog, &event, false, &id, &opened), 0);
	return 0;
}

static int tear_down(GG_UNUSED void **state)
{
	gg_history_stop(history);
	gg_journal_close(journal);
	gg_history_free(history);
	gg_catalog_close(catalog);
	folder_remove(&folder);
	return 0;
}

static struct gg_buf out = {.max = 1 << 20};
static struct gg_error error;
static bool truncated;

static bool print_row(GG_UNUSED void *arg, const struct gg_query_value *values, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (i)
			gg_buf_char(&out, '|');
		if (values[i].type == GG_QUERY_INT)
			gg_buf_printf(&out, "%lld", (long long)values[i].i);
		else if (values[i].type == GG_QUERY_FLOAT)
			gg_buf_printf(&out, "%g", values[i].f);
		else
			gg_buf_str(&out, values[i].s);
	}
	gg_buf_char(&out, ';');
	return true;
}

static int run(const char *sql, const struct gg_query_limits *limits)
{
	struct gg_query_source source = {
		.history = history, .catalog_path = catalog_path, .data_dir = folder.path};
	struct gg_query_output output = {.row = print_row};
	struct gg_query_limits none = {0};
	gg_buf_clear(&out);
	error = (struct gg_error){0};
	blocks_opened = 0;
	return gg_query_run(&source, gg_str(sql), limits ? limits : &none, &output, &truncated, &error);
}

static void assert_rows(const char *sql, const char *rows)
{
	int status = run(sql, NULL);
	if (status < 0)
		fail_msg("%s: %s", sql, error.text);
	assert_string_equal(gg_buf_text(&out), rows);
}

static void samples_are_found_by_signal_and_time(GG_UNUSED void **state)
{
	assert_rows("SELECT count(*) FROM samples", "330;");
	assert_rows("SELECT count(*), min(value), max(value) FROM samples WHERE signal='press/temperature'",
		"260|0|259;");
	assert_rows("SELECT signal, device, time, value, text, quality, reason FROM samples"
		    " WHERE signal='mill/speed' LIMIT 1",
		"mill/speed|mill|2026-03-01T12:00:00.250000000Z|5||good|;");
	assert_rows("SELECT value FROM samples WHERE signal='press/temperature' AND time >= "
		    "'2026-03-01T12:01:00Z'"
		    " AND time < '2026-03-01T13:01:02+01:00'",
		"60;61;");
	assert_rows(
		"SELECT value FROM samples WHERE signal='press/temperature' AND time BETWEEN 1772366403 AND"
		" 1772366404000",
		"3;4;");
	assert_rows("SELECT count(*) FROM samples WHERE signal='press/temperature' AND time > '2026-03-02'",
		"0;");
	assert_rows("SELECT value FROM samples WHERE signal='press/temperature' AND ns = 1772366405000000000",
		"5;");
	assert_rows("SELECT count(*) FROM samples WHERE device='press'", "320;");
	assert_rows("SELECT count(*) FROM samples WHERE signal GLOB '*/[ps]*'", "70;");
	assert_rows("SELECT count(*) FROM samples WHERE signal GLOB 'press/p*'", "60;");
	assert_rows("SELECT signal, count(*) FROM samples WHERE signal IN ('mill/speed', 'press/pressure') "
		    "GROUP BY 1",
		"mill/speed|10;press/pressure|60;");
	assert_rows(
		"SELECT count(*) FROM samples WHERE signal='mill/speed' AND signal='press/pressure'", "0;");
	assert_rows("SELECT count(*) FROM samples WHERE signal IS NULL", "0;");
	assert_rows("SELECT count(*) FROM samples WHERE signal='mill/speed' OR value=100", "12;");
}

static void order_by_time_goes_both_ways(GG_UNUSED void **state)
{
	assert_rows("SELECT value FROM samples WHERE signal='press/temperature' ORDER BY time DESC LIMIT 2",
		"259;258;");
	assert_rows(
		"SELECT value FROM samples WHERE signal='press/temperature' ORDER BY time LIMIT 2", "0;1;");
	assert_rows("SELECT a.value, b.value FROM samples a JOIN samples b ON a.time=b.time WHERE"
		    " a.signal='press/temperature' AND b.signal='press/pressure' ORDER BY a.time LIMIT 2",
		"0|100;1|101;");
}

static void buckets_group_samples(GG_UNUSED void **state)
{
	assert_rows("SELECT bucket('2min', time) AS t, count(*), avg(value) FROM samples WHERE"
		    " signal='press/temperature' GROUP BY t",
		"2026-03-01T12:00:00.000000000Z|120|59.5;2026-03-01T12:02:00.000000000Z|120|179.5;"
		"2026-03-01T12:04:00.000000000Z|20|249.5;");
	assert_int_equal(run("SELECT bucket('soon', 1)", NULL), -EINVAL);
}

static void signals_devices_and_events_are_there(GG_UNUSED void **state)
{
	assert_rows(
		"SELECT signal FROM signals ORDER BY signal", "mill/speed;press/pressure;press/temperature;");
	assert_rows("SELECT signal FROM signals WHERE signal='press/pressure'", "press/pressure;");
	assert_rows("SELECT id, title FROM devices", "press|Press;");
	assert_rows("SELECT key, severity, state, opened, cleared FROM events WHERE device='press'",
		"hot|critical|open|2026-03-01T12:00:00.000000000Z|;");
	assert_rows("WITH hot AS (SELECT * FROM events) SELECT count(*) FROM hot", "1;");
}

static void nothing_can_be_changed_or_spied_upon(GG_UNUSED void **state)
{
	const char *const denied[] = {"DELETE FROM events", "INSERT INTO samples VALUES (1,2,3,4,5,6,7)",
		"SELECT credential FROM main.devices", "SELECT * FROM tokens", "SELECT hash FROM main.tokens",
		"SELECT count(*) FROM tokens", "SELECT * FROM sqlite_master", "ATTACH 'x.db' AS x",
		"PRAGMA user_version", "SELECT * FROM pragma_table_info('tokens')", "CREATE TABLE x (a)",
		"CREATE TEMP TABLE x (a)", "SELECT load_extension('x')", "BEGIN", "VACUUM",
		"DROP VIEW events",
		"WITH devices AS (SELECT credential FROM main.devices) SELECT * FROM devices",
		"SELECT id FROM devices WHERE (SELECT credential FROM main.devices) > 's'",
		"SELECT name FROM sqlite_temp_master"};
	for (size_t i = 0; i < GG_COUNT(denied); i++) {
		int status = run(denied[i], NULL);
		if (status == 0)
			fail_msg("%s was allowed", denied[i]);
		assert_true(status == -EPERM || status == -EINVAL);
		assert_int_equal(out.len, 0);
	}
}

static void mistakes_are_explained(GG_UNUSED void **state)
{
	assert_int_equal(run("SELECT valeu FROM samples", NULL), -EINVAL);
	assert_non_null(strstr(error.text, "valeu"));
	assert_int_equal(run("SELECT * FROM samples WHERE time > 'yesterday'", NULL), -EINVAL);
	assert_non_null(strstr(error.text, "RFC 3339"));
	assert_int_equal(run("SELECT 1; SELECT 2", NULL), -EINVAL);
	assert_non_null(strstr(error.text, "SELECT 2"));
	assert_int_equal(run("", NULL), -EINVAL);
	assert_int_equal(run(" -- nothing", NULL), -EINVAL);
}

static void a_query_is_bounded(GG_UNUSED void **state)
{
	struct gg_query_limits few = {.rows = 5};
	assert_int_equal(run("SELECT value FROM samples WHERE signal='press/temperature'", &few), 0);
	assert_true(truncated);
	assert_string_equal(gg_buf_text(&out), "0;1;2;3;4;");
	assert_int_equal(run("SELECT value FROM samples WHERE signal='mill/speed' LIMIT 5", &few), 0);
	assert_false(truncated);
	struct gg_query_limits small = {.bytes = 100};
	assert_int_equal(run("SELECT value FROM samples", &small), 0);
	assert_true(truncated);
	struct gg_query_limits quick = {.timeout_ns = 20 * GG_NS_PER_MS};
	assert_int_equal(
		run("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT max(i) FROM n",
			&quick),
		-ETIMEDOUT);
	_Atomic bool cancelled = true;
	struct gg_query_limits stopped = {.cancelled = &cancelled};
	assert_int_equal(
		run("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT max(i) FROM n",
			&stopped),
		-ECANCELED);
	assert_int_equal(run("SELECT length(zeroblob(1000000000))", NULL), -EINVAL);
}

static void only_the_blocks_of_the_range_are_opened(GG_UNUSED void **state)
{
	/* press/temperature: 260 samples in blocks of 100; what is in no block yet was flushed by the set-up
	 */
	assert_rows("SELECT count(*) FROM samples WHERE signal='press/temperature' AND time >= "
		    "'2026-03-01T12:00:10Z' AND time <= '2026-03-01T12:00:20Z'",
		"11;");
	assert_int_equal(blocks_opened, 1);
	assert_rows("SELECT count(*) FROM samples WHERE signal LIKE 'MILL/%'", "10;");
	assert_int_equal(blocks_opened, 1);
	assert_rows("SELECT count(*) FROM samples WHERE signal GLOB 'mill/*' AND device='mill'", "10;");
	assert_int_equal(blocks_opened, 1);
	assert_rows("SELECT count(*) FROM samples WHERE signal IN ('mill/speed', 'nobody/here')", "10;");
	assert_int_equal(blocks_opened, 1);
	assert_rows("SELECT count(*) FROM samples WHERE device='nobody'", "0;");
	assert_int_equal(blocks_opened, 0);
	assert_rows("SELECT count(*) FROM samples WHERE signal='press/temperature' AND time > '2027-01-01'",
		"0;");
	assert_int_equal(blocks_opened, 0);
	assert_rows(
		"SELECT value FROM samples WHERE signal='press/temperature' ORDER BY time LIMIT 3", "0;1;2;");
	assert_int_equal(blocks_opened, 1);
}

static void the_latest_come_first_without_reading_all(GG_UNUSED void **state)
{
	assert_rows("SELECT value FROM samples WHERE signal='press/temperature' ORDER BY time DESC LIMIT 1 "
		    "OFFSET 259",
		"0;");
	assert_rows("SELECT count(*) FROM (SELECT value FROM samples WHERE signal='press/temperature'"
		    " ORDER BY time DESC)",
		"260;");
	assert_rows("SELECT value FROM samples WHERE signal='press/temperature' AND time <= "
		    "'2026-03-01T12:00:05Z'"
		    " ORDER BY time DESC LIMIT 2",
		"5;4;");
	assert_int_equal(blocks_opened, 2); /* once to look how far numbers reach */
	assert_rows(
		"SELECT value FROM samples WHERE signal='press/temperature' AND time < '2026-03-01T12:00:05Z'"
		" AND time > '2026-03-01T12:00:02Z' ORDER BY ns DESC",
		"4;3;");
	assert_rows("SELECT count(*) FROM samples WHERE signal='nobody/here' ORDER BY time DESC", "0;");
	/* several signals are sorted by SQLite, whatever their order in here */
	assert_rows(
		"SELECT value FROM samples WHERE device='press' ORDER BY time DESC, value LIMIT 1", "259;");
	assert_rows("SELECT DISTINCT signal FROM samples ORDER BY signal, time",
		"mill/speed;press/pressure;press/temperature;");
}

static void a_plan_can_be_read(GG_UNUSED void **state)
{
	assert_int_equal(
		run("EXPLAIN QUERY PLAN SELECT value FROM samples WHERE signal='a/b' AND time >= ago('1h')"
		    " ORDER BY time DESC LIMIT 5",
			NULL),
		0);
	assert_non_null(strstr(gg_buf_text(&out), "0:signal= time>= backward"));
	assert_null(strstr(gg_buf_text(&out), "TEMP B-TREE"));
}

static void rollups_sum_up_what_samples_say(GG_UNUSED void **state)
{
	assert_rows(
		"SELECT time, count, min, max, mean, sum, last FROM rollups WHERE signal='press/temperature'"
		" AND width='1min' AND time >= '2026-03-01T12:01:00Z' AND time < '2026-03-01T12:03:00Z'",
		"2026-03-01T12:01:00.000000000Z|60|60|119|89.5|5370|119;"
		"2026-03-01T12:02:00.000000000Z|60|120|179|149.5|8970|179;");
	assert_rows(
		"SELECT width, count(*), sum(count), sum(sum) FROM rollups WHERE signal='press/temperature'"
		" GROUP BY width ORDER BY 2",
		"1d|1|260|33670;1h|1|260|33670;1min|5|260|33670;1s|260|260|33670;");
	assert_rows("SELECT count(*), sum(count) FROM rollups WHERE width='1s'", "330|330;");
	assert_rows("SELECT count(*) FROM rollups WHERE width='5s'", "0;");
	assert_rows("SELECT mean FROM rollups WHERE signal='press/temperature' AND width='60s'", "");
	assert_rows("SELECT r.time, r.max FROM rollups r WHERE r.signal='mill/speed' AND r.width='1d' ORDER "
		    "BY r.time",
		"2026-03-01T00:00:00.000000000Z|14;");
	assert_rows("SELECT time FROM rollups WHERE signal='press/temperature' AND width='1min' ORDER BY "
		    "time DESC "
		    "LIMIT 1",
		"2026-03-01T12:04:00.000000000Z;");
}

static void times_are_told_and_read_in_many_forms(GG_UNUSED void **state)
{
	assert_rows(
		"SELECT iso('2026-03-01T13:00:00+01:00'), iso(1772366400), epoch('2026-03-01T12:00:00.5Z')",
		"2026-03-01T12:00:00.000000000Z|2026-03-01T12:00:00.000000000Z|1.77237e+09;");
	assert_rows("SELECT time_bucket('5m', '2026-03-01T12:04:59Z')", "2026-03-01T12:00:00.000000000Z;");
	assert_rows("SELECT ago('1h') < ago('59min'), iso(NULL) IS NULL", "1|1;");
	assert_rows("SELECT count(*) FROM samples WHERE time > ago('1s')", "0;");
	assert_int_equal(run("SELECT ago('soon')", NULL), -EINVAL);
	assert_int_equal(run("SELECT iso('soon')", NULL), -EINVAL);
}

static void labels_and_revisions_are_there_without_their_secrets(GG_UNUSED void **state)
{
	char path[200];
	snprintf(path, sizeof path, "%s/revisions", folder.path);
	assert_int_equal(mkdir(path, 0700), 0);
	struct gg_revision note = {.time_ns = noon, .who = "admin", .why = "first"};
	uint64_t number;
	assert_int_equal(
		gg_revision_store(folder.path, &note, GG_STR("password: secret\n"), &number, NULL), 0);
	assert_rows("SELECT number, time, who, why FROM revisions",
		"1|2026-03-01T12:00:00.000000000Z|admin|first;");
	assert_rows("SELECT * FROM labels ORDER BY name", "press|hall|3;press|line|a;");
	assert_int_equal(run("SELECT text FROM main.revisions", NULL), -EPERM);
	assert_int_equal(run("SELECT author FROM main.revisions", NULL), -EPERM);
}

static void mistakes_have_a_place_and_a_hint(GG_UNUSED void **state)
{
	assert_int_equal(run("SELECT signal,\n  valeu FROM samples", NULL), -EINVAL);
	assert_non_null(strstr(error.text, "line 2, column 3"));
	assert_non_null(strstr(error.text, "did you mean value?"));
	assert_int_equal(run("SELECT * FROM sample", NULL), -EINVAL);
	assert_non_null(strstr(error.text, "did you mean samples?"));
	assert_int_equal(run("SELECT bucked('5min', time) FROM samples", NULL), -EINVAL);
	assert_non_null(strstr(error.text, "did you mean bucket?"));
	assert_int_equal(run("SELECT s.valeu FROM samples s", NULL), -EINVAL);
	assert_non_null(strstr(error.text, "did you mean value?"));
	assert_int_equal(run("SELECT 'ö', FROM samples", NULL), -EINVAL);
	assert_non_null(strstr(error.text, "column 13"));
}

static void a_query_has_its_own_memory(GG_UNUSED void **state)
{
	struct gg_query_limits little = {.memory = 4 << 20, .timeout_ns = 30 * GG_NS_PER_S};
	assert_int_equal(run("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n LIMIT 1000000)"
			     " SELECT count(DISTINCT i || 'some text that takes room') FROM n",
				 &little),
		-E2BIG);
	assert_non_null(strstr(error.text, "4 MiB"));
	assert_int_equal(run("SELECT group_concat(hex(zeroblob(100000))) FROM samples", &little), -E2BIG);
	/* and others still have theirs */
	assert_rows("SELECT count(*) FROM samples", "330;");
	assert_int_equal(run("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n LIMIT 20000)"
			     " SELECT i FROM n ORDER BY i || 'x' LIMIT 1",
				 &little),
		0);
}

static void a_tool_reads_the_file_without_a_gateway(GG_UNUSED void **state)
{
	struct gg_query_source source = {.history_path = history_path};
	struct gg_query_output output = {.row = print_row};
	struct gg_query_limits none = {0};
	gg_buf_clear(&out);
	assert_int_equal(
		gg_query_run(&source, GG_STR("SELECT count(*), (SELECT count(*) FROM events) FROM samples"),
			&none, &output, &truncated, &error),
		0);
	assert_string_equal(gg_buf_text(&out), "320|0;");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples_are_found_by_signal_and_time),
		cmocka_unit_test(order_by_time_goes_both_ways),
		cmocka_unit_test(buckets_group_samples),
		cmocka_unit_test(signals_devices_and_events_are_there),
		cmocka_unit_test(nothing_can_be_changed_or_spied_upon),
		cmocka_unit_test(mistakes_are_explained),
		cmocka_unit_test(a_query_is_bounded),
		cmocka_unit_test(only_the_blocks_of_the_range_are_opened),
		cmocka_unit_test(the_latest_come_first_without_reading_all),
		cmocka_unit_test(a_plan_can_be_read),
		cmocka_unit_test(rollups_sum_up_what_samples_say),
		cmocka_unit_test(times_are_told_and_read_in_many_forms),
		cmocka_unit_test(labels_and_revisions_are_there_without_their_secrets),
		cmocka_unit_test(mistakes_have_a_place_and_a_hint),
		cmocka_unit_test(a_query_has_its_own_memory),
		cmocka_unit_test(a_tool_reads_the_file_without_a_gateway),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
