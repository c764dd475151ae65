/* SPDX-License-Identifier: Apache-2.0 */
/*
 * After a crash everything is as if there had been none: windows, rules, events, what has been derived. The
 * stores are real, in a folder of their own; a crash is to forget the shards without a checkpoint. The
 * shards' loops do not run: batches and ticks are handed in, so that each test is the same every time.
 */
#include "store_fixture.h"

#include "check.h"
#include "core/loop.h"
#include "gateway/gateway.h"
#include "gateway/recover.h"
#include "pipeline/stages.h"
#include "store/catalog.h"

#include <fcntl.h>

static const char plain[] =
	"journal: { reserve: 0 }\n"
	"history: { enabled: false }\n"
	"pipelines:\n"
	"  means: { select: ['d*/*'], stages: [ { window: { every: 5s, give: [mean, count, p90] } } ] }\n"
	"  odd: { select: ['d*/*'], stages: [ { deadband: 0.4 }, detect ] }\n"
	"rules:\n"
	"  hot: { when: 'd1/t > 24', for: 3s, pause: 2min, severity: warning }\n"
	"  mean: { when: 'means/d2/t.mean > 15', pause: 2min }\n"
	"  lost: { on: { event: device-lost } }\n";

static const struct gg_component *const components[] = {
	&gg_stage_window, &gg_stage_deadband, &gg_stage_detect, NULL};

static struct folder folder;
static uint64_t seed;
static double now_s;

static uint32_t draw(uint32_t below)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)((seed >> 33) % below);
}

static struct gg_config *config_of(const char *text)
{
	struct gg_problems problems = {0};
	struct gg_config *c = NULL;
	gg_components_set(components);
	if (gg_config_load_text("test", gg_str(text), NULL, &problems, &c) < 0)
		fail_msg("%s", problems.count ? problems.items[0].text : "no configuration");
	gg_problems_done(&problems);
	return c;
}

/* A start up to where the loops would run. */
static struct gg_recovered up(const char *text, unsigned shards)
{
	struct gg_gateway *g = &gg_gateway;
	struct gg_plan *plans[GG_MOST_SHARDS] = {0};
	struct gg_recovered r = {0};
	struct gg_error e = {0};
	g->config = config_of(text);
	g->config->site.shards = shards;
	g->data_dir = gg_str_dup(gg_str(folder.path));
	g->control = gg_loop_new("control", 16384);
	g->io = gg_loop_new("io", 16384);
	g->north = gg_loop_new("north", 1024);
	if (gg_stores_open(g, &e) < 0 || gg_events_start() < 0 || gg_shards_make(g, &e) < 0 ||
		gg_shards_plan(g, g->config, 1, plans, &e) < 0)
		fail_msg("%s", e.text);
	gg_shards_swap(g, plans);
	assert_int_equal(gg_stores_start(g, &e), 0);
	assert_int_equal(gg_gateway_recover(g, &r), 0);
	gg_loop_turn(g->control, 0);
	return r;
}

static void down(void)
{
	struct gg_gateway *g = &gg_gateway;
	gg_loop_turn(g->control, 0);
	for (unsigned i = 0; i < g->shard_count; i++) {
		gg_timer_stop(&g->shards[i]->tick); /* letters only */
		gg_loop_turn(g->shards[i]->loop, 0);
	}
	gg_shards_free(g);
	gg_events_stop();
	gg_stores_close(g);
	gg_loop_free(g->control);
	gg_loop_free(g->io);
	gg_loop_free(g->north);
	gg_config_free(g->config);
	free(g->data_dir);
	*g = (struct gg_gateway){.lock_fd = -1};
}

static void put(struct gg_batch *b)
{
	b->received_ns = (int64_t)(now_s * 1e9);
	gg_shard_input_take(gg_gateway_shard_of(b->device), b);
}

static void put_value(const char *name, double value)
{
	uint32_t signal = a_signal(name);
	struct gg_batch *b = gg_batch_new(1, 0);
	b->device = gg_signal(signal)->device;
	gg_batch_add_float(b, signal, (int64_t)(now_s * 1e9), value);
	put(b);
}

static void put_random(unsigned count)
{
	while (count-- > 0) {
		char name[16];
		snprintf(name, sizeof name, "d%u/t", draw(4));
		now_s += draw(1000) / 1e3;
		put_value(name, 10 + draw(200) / 10.0);
	}
}

/* As the shard's timer does it. */
static void put_tick(unsigned shard)
{
	struct gg_shard *s = gg_gateway.shards[shard];
	uint8_t bytes[8];
	struct gg_writer w = gg_writer(bytes, sizeof bytes);
	char name[12];
	int64_t now = (int64_t)(now_s * 1e9);
	gg_write_le64(&w, (uint64_t)now);
	snprintf(name, sizeof name, "%u", shard);
	gg_journal_append_record(s->journal, GG_RECORD_TICK, gg_str(name), gg_str_n(bytes, 8), NULL);
	gg_shard_tick(s, now);
}

static void save_all(struct gg_buf *to)
{
	*to = GG_BUF(64 << 20);
	for (unsigned i = 0; i < gg_gateway.shard_count; i++)
		gg_plan_save(gg_gateway.shards[i]->plan, to);
	assert_int_equal(to->error, 0);
}

static void checkpoint_all(void)
{
	for (unsigned i = 0; i < gg_gateway.shard_count; i++) {
		gg_gateway.shards[i]->changed = true;
		gg_shard_checkpoint(gg_gateway.shards[i]);
		gg_loop_turn(gg_gateway.shards[i]->loop, 0); /* shard 0 writes behind its letters */
	}
	gg_journal_flush(gg_gateway.journal);
	gg_loop_turn(gg_gateway.control, 0);
}

static unsigned count_records(enum gg_record_kind kind)
{
	struct gg_journal_reader *reader = NULL;
	struct gg_record r;
	unsigned n = 0;
	gg_journal_flush(gg_gateway.journal);
	assert_int_equal(gg_journal_reader_new(gg_gateway.journal, 0, &reader), 0);
	gg_journal_reader_kinds(reader, 1U << kind);
	while (gg_journal_next(reader, &r) == 1) {
		gg_batch_unref(r.batch);
		n++;
	}
	gg_journal_reader_free(reader);
	return n;
}

static unsigned count_events(const char *kind, bool open_only)
{
	unsigned n = 0;
	gg_loop_turn(gg_gateway.control, 10 * GG_NS_PER_MS);
	for (const struct gg_event_entry *e = gg_events_newest(); e; e = e->older)
		n += strcmp(e->kind, kind) == 0 && (!open_only || e->state != GG_EVENT_CLEARED);
	return n;
}

static void check_same(const struct gg_buf *a, const struct gg_buf *b)
{
	assert_int_equal(a->len, b->len);
	assert_memory_equal(a->p, b->p, a->len);
}

static int set_up(void **state)
{
	(void)state;
	folder_make(&folder);
	seed = 7;
	now_s = 1e9;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	folder_remove(&folder);
	return 0;
}

/* ---- */

static void run_and_crash(unsigned shards, bool checkpoint)
{
	struct gg_buf before, after;
	up(plain, shards);
	put_random(300);
	put_tick(0);
	if (checkpoint)
		checkpoint_all();
	put_random(200);
	now_s += 7;
	put_tick(0);
	put_random(3);
	save_all(&before);
	unsigned derived = count_records(GG_RECORD_DERIVED), events = count_events("rule", false);
	unsigned open = count_events("rule", true);
	assert_true(derived > 20);
	assert_true(events >= 2);
	down();
	struct gg_recovered r = up(plain, shards);
	assert_true(checkpoint ? r.inputs >= 200 && r.inputs < 500 : r.inputs == 503);
	save_all(&after);
	check_same(&before, &after);
	assert_int_equal(count_records(GG_RECORD_DERIVED), derived);
	assert_int_equal(count_events("rule", false), events);
	assert_int_equal(count_events("rule", true), open);
	down();
	gg_buf_done(&before);
	gg_buf_done(&after);
}

static void state_after_a_crash_is_what_it_was(void **state)
{
	(void)state;
	run_and_crash(1, true);
}

static void without_a_checkpoint_all_inputs_run_again(void **state)
{
	(void)state;
	run_and_crash(1, false);
}

static void the_journal_gets_what_the_crash_kept_from_it(void **state)
{
	(void)state;
	up(plain, 1);
	checkpoint_all();
	put_random(100);
	unsigned derived = count_records(GG_RECORD_DERIVED);
	struct gg_journal *journal = GG_TAKE(gg_gateway.shards[0]->journal);
	struct gg_batch *lost = gg_batch_new(1, 0); /* what it brings about never reaches the disk */
	uint32_t signal = a_signal("d0/t");
	now_s += 60;
	lost->device = gg_signal(signal)->device;
	lost->received_ns = (int64_t)(now_s * 1e9);
	gg_batch_add_float(lost, signal, lost->received_ns, 1);
	gg_batch_freeze(lost);
	assert_int_equal(gg_journal_append(journal, lost), 0);
	gg_shard_input_take(gg_gateway.shards[0], lost);
	struct gg_buf before, after;
	save_all(&before);
	gg_gateway.shards[0]->journal = journal;
	assert_int_equal(count_records(GG_RECORD_DERIVED), derived);
	down();
	up(plain, 1);
	save_all(&after);
	check_same(&before, &after);
	assert_true(count_records(GG_RECORD_DERIVED) > derived);
	derived = count_records(GG_RECORD_DERIVED);
	down();
	up(plain, 1);
	assert_int_equal(count_records(GG_RECORD_DERIVED), derived);
	down();
	gg_buf_done(&before);
	gg_buf_done(&after);
}

/* The byte in the middle of the last record of that kind. */
static void damage_last(const char *needle, size_t len)
{
	DIR *d;
	char dir[128], path[512], last[512] = "";
	snprintf(dir, sizeof dir, "%s/journal", folder.path);
	d = opendir(dir);
	off_t at = -1;
	for (struct dirent *e; d && (e = readdir(d));) {
		static char bytes[4 << 20];
		snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
		int fd = open(path, O_RDONLY);
		ssize_t n = read(fd, bytes, sizeof bytes);
		for (ssize_t i = 0; n > 0 && (size_t)(n - i) >= len; i++)
			if (memcmp(bytes + i, needle, len) == 0 && strcmp(path, last) >= 0) {
				at = i;
				gg_str_copy(last, sizeof last, gg_str(path));
			}
		close(fd);
	}
	closedir(d);
	assert_true(at > 0);
	int fd = open(last, O_RDWR);
	assert_int_equal(pwrite(fd, "\xff", 1, at + 40), 1);
	close(fd);
}

static void a_damaged_checkpoint_costs_time_and_nothing_else(void **state)
{
	struct gg_buf before, after;
	(void)state;
	up(plain, 1);
	put_random(100);
	checkpoint_all();
	put_random(100);
	checkpoint_all();
	put_random(10);
	save_all(&before);
	unsigned derived = count_records(GG_RECORD_DERIVED);
	down();
	damage_last("GGC1", 4);
	struct gg_recovered r = up(plain, 1);
	assert_in_range(r.inputs, 110, 130); /* from the checkpoint before it */
	save_all(&after);
	check_same(&before, &after);
	assert_int_equal(count_records(GG_RECORD_DERIVED), derived);
	down();
	gg_buf_done(&before);
	gg_buf_done(&after);
}

static void another_number_of_shards_runs_everything_again(void **state)
{
	(void)state;
	up(plain, 1);
	put_random(100);
	checkpoint_all();
	unsigned derived = count_records(GG_RECORD_DERIVED);
	down();
	struct gg_recovered r = up(plain, 3);
	assert_int_equal(r.inputs, 100);
	assert_int_equal(count_records(GG_RECORD_DERIVED), derived);
	down();
}

/* Runs what other shards have sent home. */
static void turn_home(void)
{
	gg_loop_turn(gg_gateway.shards[0]->loop, 0);
}

static void several_shards_find_their_state_again(void **state)
{
	struct gg_buf before, after;
	(void)state;
	up(plain, 3);
	for (int i = 0; i < 200; i++) {
		put_random(1);
		turn_home();
	}
	checkpoint_all();
	for (int i = 0; i < 100; i++) {
		put_random(1);
		turn_home();
	}
	gg_gateway.shards[2]->changed = true; /* one is younger than the others */
	gg_shard_checkpoint(gg_gateway.shards[2]);
	for (int i = 0; i < 50; i++) {
		put_random(1);
		turn_home();
	}
	save_all(&before);
	unsigned derived = count_records(GG_RECORD_DERIVED), events = count_events("rule", false);
	down();
	up(plain, 3);
	save_all(&after);
	check_same(&before, &after);
	assert_int_equal(count_records(GG_RECORD_DERIVED), derived);
	assert_int_equal(count_events("rule", false), events);
	down();
	gg_buf_done(&before);
	gg_buf_done(&after);
}

static void a_condition_that_began_before_the_crash_fires_in_time(void **state)
{
	(void)state;
	up(plain, 1);
	put_value("d1/t", 30); /* for 3s */
	checkpoint_all();
	assert_int_equal(count_events("rule", true), 0);
	down();
	now_s += 2;
	up(plain, 1);
	assert_int_equal(gg_plan_due(gg_gateway.shards[0]->plan), (int64_t)((now_s + 1) * 1e9));
	now_s += 1;
	put_tick(0);
	assert_int_equal(count_events("rule", true), 1);
	down();
}

/* A run of the gateway that ends while the rule's event is open. */
static void leave_an_open_event(void)
{
	up(plain, 1);
	put_value("d1/t", 30);
	now_s += 4;
	put_tick(0);
	assert_int_equal(count_events("rule", true), 1);
	down();
}

static void an_event_that_was_not_told_is_told_once(void **state)
{
	(void)state;
	up(plain, 1);
	put_value("d1/t", 30);
	now_s += 4;
	struct gg_loop *control = gg_gateway.control;
	gg_gateway.control = gg_loop_new("nobody", 0); /* takes no letter: as lost as with a crash */
	put_tick(0);
	gg_loop_free(gg_gateway.control);
	gg_gateway.control = control;
	down();
	up(plain, 1);
	assert_int_equal(count_events("rule", true), 1);
	down();
	up(plain, 1);
	assert_int_equal(count_events("rule", false), 1);
	now_s += 1;
	put_value("d1/t", 3);
	assert_int_equal(count_events("rule", true), 0);
	assert_int_equal(count_events("rule", false), 1);
	down();
}

static void an_event_outlives_the_loss_of_the_journal_and_clears(void **state)
{
	char journal[128];
	(void)state;
	leave_an_open_event();
	snprintf(journal, sizeof journal, "%s/journal", folder.path);
	folder_empty(journal);
	up(plain, 1);
	assert_int_equal(count_events("rule", true), 1);
	put_value("d1/t", 3);
	assert_int_equal(count_events("rule", true), 0);
	down();
}

static void report_lost(bool clear)
{
	gg_event(&(struct gg_event_report){.kind = "device-lost",
		.key = GG_STR("d9"),
		.severity = GG_WARNING,
		.clear = clear,
		.title = GG_STR("d9 is lost"),
		.device = GG_NONE,
		.signal = GG_NONE});
	gg_loop_turn(gg_gateway.control, 10 * GG_NS_PER_MS); /* the book */
	turn_home();                                         /* the rule */
	gg_loop_turn(gg_gateway.control, 10 * GG_NS_PER_MS); /* its event */
}

static void a_rule_on_events_goes_on_after_a_crash(void **state)
{
	(void)state;
	up(plain, 1);
	report_lost(false);
	assert_int_equal(count_events("rule", true), 1);
	report_lost(false); /* a repetition is no news */
	assert_int_equal(count_events("rule", false), 1);
	down();
	up(plain, 1);
	assert_int_equal(count_events("rule", true), 1);
	assert_int_equal(count_events("rule", false), 1);
	report_lost(true);
	assert_int_equal(count_events("rule", true), 0);
	down();
}

static void the_event_of_a_rule_that_is_gone_clears(void **state)
{
	(void)state;
	leave_an_open_event();
	up("journal: { reserve: 0 }\nhistory: { enabled: false }\n", 1);
	assert_int_equal(count_events("rule", true), 0);
	down();
}

static void a_large_state_is_kept_in_parts(void **state)
{
	static const char many[] = "journal: { reserve: 0 }\n"
				   "history: { enabled: false }\n"
				   "limits: { signals: 200000 }\n"
				   "pipelines: { odd: { select: ['m/*'], stages: [detect] } }\n";
	struct gg_buf before, after;
	(void)state;
	up(many, 1);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 4000; i++) {
			char name[24];
			snprintf(name, sizeof name, "m/%u", i);
			put_value(name, 20 + draw(100) / 100.0);
		}
		now_s += 1;
	}
	checkpoint_all();
	save_all(&before);
	assert_true(before.len > 9U << 20);
	assert_true(count_records(GG_RECORD_CHECKPOINT) > 1);
	down();
	struct gg_recovered r = up(many, 1);
	assert_int_equal(r.inputs, 0);
	save_all(&after);
	check_same(&before, &after);
	down();
	gg_buf_done(&before);
	gg_buf_done(&after);
}

static void time_goes_on_where_it_was_when_the_clock_is_behind(void **state)
{
	(void)state;
	now_s = 4e9; /* 2096: as if the machine's clock had been wrong then */
	up(plain, 1);
	put_value("d1/t", 30);
	checkpoint_all();
	down();
	up(plain, 1);
	assert_true(gg_gateway_utc() >= (int64_t)(now_s * 1e9));
	down();
	gg_gateway_utc_clock(NULL);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(state_after_a_crash_is_what_it_was),
		CASE(without_a_checkpoint_all_inputs_run_again),
		CASE(the_journal_gets_what_the_crash_kept_from_it),
		CASE(a_damaged_checkpoint_costs_time_and_nothing_else),
		CASE(another_number_of_shards_runs_everything_again),
		CASE(several_shards_find_their_state_again),
		CASE(a_condition_that_began_before_the_crash_fires_in_time),
		CASE(an_event_that_was_not_told_is_told_once),
		CASE(an_event_outlives_the_loss_of_the_journal_and_clears),
		CASE(a_rule_on_events_goes_on_after_a_crash),
		CASE(the_event_of_a_rule_that_is_gone_clears),
		CASE(a_large_state_is_kept_in_parts),
		CASE(time_goes_on_where_it_was_when_the_clock_is_behind),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
