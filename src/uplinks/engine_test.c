/* SPDX-License-Identifier: Apache-2.0 */
/* The engine between a journal of this file's own and peers of this file's own. */
#include "check.h"

#include "core/loop.h"
#include "core/signals.h"
#include "uplinks/engine.h"
#include "uplinks/private.h"

/* ---- the journal: records in an array, 10 to 99 bytes each ---- */

enum { RECORDS = 8000, FIRST = 100, STEP = 10 };

struct record {
	enum gg_record_kind kind;
	struct gg_batch *batch;
	char json[64];
};

static struct {
	struct record r[RECORDS];
	uint64_t count, lost; /* lost: so many at the beginning are gone */
	unsigned opened;
} journal;

static uint64_t position_of(uint64_t i)
{
	return FIRST + i * STEP;
}

static uint64_t fake_begin(void *arg)
{
	(void)arg;
	return position_of(journal.lost);
}

static uint64_t fake_end(void *arg)
{
	(void)arg;
	return position_of(journal.count);
}

static int fake_open(void *arg, uint64_t position, void **ret_reader)
{
	(void)arg;
	uint64_t *at = malloc(sizeof *at);
	*at = position <= fake_begin(NULL) ? journal.lost : (position - FIRST + STEP - 1) / STEP;
	*ret_reader = at;
	journal.opened++;
	return 0;
}

static struct gg_record record_of(uint64_t i)
{
	struct record *r = &journal.r[i];
	return (struct gg_record){
		r->kind, position_of(i), position_of(i + 1), r->batch, GG_STR(""), gg_str(r->json)};
}

static int fake_next(void *reader, struct gg_record *ret_record)
{
	uint64_t *at = reader;
	if (*at >= journal.count)
		return 0;
	*ret_record = record_of((*at)++);
	if (ret_record->batch)
		gg_batch_ref(ret_record->batch);
	return 1;
}

static uint64_t fake_position(void *reader)
{
	return position_of(*(uint64_t *)reader);
}

static void fake_close(void *reader)
{
	free(reader);
}

static uint64_t pinned;

static void fake_pin(void *arg, const char *name, uint64_t position)
{
	(void)arg, (void)name;
	pinned = position;
}

/* ---- cursors ---- */

static struct {
	bool known;
	uint64_t position;
	unsigned saves;
} kept;

static int fake_load(void *arg, const char *uplink, uint64_t *ret_position)
{
	(void)arg, (void)uplink;
	*ret_position = kept.position;
	return kept.known ? 0 : -ENOENT;
}

static void fake_save(void *arg, const char *uplink, uint64_t position)
{
	(void)arg, (void)uplink;
	kept.known = true;
	kept.position = position;
	kept.saves++;
}

/* ---- peers ---- */

struct gg_host {
	const char *name;
	bool up, silent, refuse, slow; /* silent: does not acknowledge; slow: has no room */
	unsigned window, connects;
	int64_t connected_at[16];
	uint64_t ids[20000];
	char names[20000][12];
	char last[400000];
	size_t last_len;
	size_t count, bytes, urgent;
	uint64_t waiting[64]; /* ids not acknowledged */
	unsigned waiting_count;
};

static struct gg_host *cloud, *other;
static struct gg_loop *loop;
static struct gg_uplinks *all;
static struct gg_uplink_engine *engine;
static struct gg_uplink_common common;
static unsigned events_told;

const char *gg_host_name(const struct gg_host *h)
{
	return h->name;
}

uint64_t gg_event(const struct gg_event_report *r)
{
	(void)r;
	events_told++;
	return 1;
}

static void peer_connect(void *self)
{
	struct gg_host *h = self;
	if (h->connects < GG_COUNT(h->connected_at))
		h->connected_at[h->connects] = gg_clock_monotonic(&gg_clock_system);
	h->connects++;
	gg_uplink_ready(h, h->up, "nobody there");
}

static unsigned peer_window(void *self)
{
	return ((struct gg_host *)self)->window;
}

static int peer_send(void *self, const struct gg_parcel *p)
{
	struct gg_host *h = self;
	if (h->slow)
		return -EAGAIN;
	assert_true(h->count < GG_COUNT(h->ids));
	gg_str_copy(h->names[h->count], sizeof h->names[0], p->name);
	gg_str_copy(h->last, sizeof h->last, p->payload);
	h->last_len = p->payload.len;
	h->ids[h->count++] = p->id;
	h->bytes += p->payload.len;
	h->urgent += p->urgent;
	if (h->silent)
		h->waiting[h->waiting_count++] = p->id;
	else
		gg_uplink_done(h, p->id, h->refuse ? -EINVAL : 0);
	return 0;
}

static const struct gg_uplink_ops ops = {peer_connect, peer_window, peer_send};
static const struct gg_component component = {.name = "fake", .kind = GG_UPLINK, .uplink = &ops};

/* ---- helpers ---- */

#define turn_until(condition)                                                                                \
	do {                                                                                                 \
		int64_t end_ = gg_clock_monotonic(&gg_clock_system) + 10 * GG_NS_PER_S;                      \
		while (!(condition) && gg_clock_monotonic(&gg_clock_system) < end_)                          \
			gg_loop_turn(loop, 5 * GG_NS_PER_MS);                                                \
		assert_true(condition);                                                                      \
	} while (0)

static void turns(int n)
{
	while (n--)
		gg_loop_turn(loop, 0);
}

static struct gg_uplink_engine *add(struct gg_host *h)
{
	struct gg_uplink_engine *u = NULL;
	struct gg_uplink_setup setup = {h, &component, h, &common, 20 * GG_NS_PER_MS, 80 * GG_NS_PER_MS};
	assert_int_equal(gg_uplink_add(all, &setup, &u, NULL), 0);
	return u;
}

static void follow(void)
{
	struct gg_record r = record_of(journal.count - 1);
	gg_uplinks_follow(all, &r);
}

/* A batch of n samples of device/x, received now or at a time of its own. */
static void append_at(const char *device, int n, double value, int64_t received_ns)
{
	char name[40];
	uint32_t signal = GG_NONE;
	snprintf(name, sizeof name, "%s/x", device);
	assert_int_equal(gg_signal_make_full(gg_str(name), NULL, &signal), 0);
	struct gg_batch *b = gg_batch_new((uint32_t)n, 0);
	b->device = gg_device_find(gg_str(device));
	b->received_ns = received_ns;
	for (int i = 0; i < n; i++)
		gg_batch_add_float(b, signal, 1700000000 * GG_NS_PER_S + i, value + i);
	gg_batch_freeze(b);
	journal.r[journal.count++] = (struct record){GG_RECORD_INPUT, b, ""};
	if (all)
		follow();
}

static void append(const char *device, double value)
{
	append_at(device, 1, value, gg_clock_utc(&gg_clock_system));
}

static void append_event(const char *kind)
{
	struct record *r = &journal.r[journal.count++];
	*r = (struct record){.kind = GG_RECORD_EVENT};
	snprintf(r->json, sizeof r->json, "{\"kind\":\"%s\"}", kind);
	follow();
}

static void acknowledge_all(struct gg_host *h)
{
	unsigned n = h->waiting_count;
	h->waiting_count = 0;
	for (unsigned i = 0; i < n; i++)
		gg_uplink_done(h, h->waiting[i], 0);
}

static struct gg_uplink_state state_of(struct gg_uplink_engine *u)
{
	struct gg_uplink_state s;
	gg_uplink_get_state(u, &s);
	return s;
}

static void check_ids(const struct gg_host *h, size_t from, size_t to, uint64_t first_record)
{
	for (size_t i = from; i < to; i++)
		assert_int_equal(h->ids[i], position_of(first_record + i - from));
}

static void restart(void)
{
	gg_uplink_remove(engine);
	engine = add(cloud);
}

static int set_up(void **state)
{
	static const char *send[] = {"*", "events"};
	static const char *exclude[] = {"*/secret", "quiet/*"};
	(void)state;
	memset(&journal, 0, sizeof journal);
	memset(&kept, 0, sizeof kept);
	cloud = calloc(1, sizeof *cloud);
	other = calloc(1, sizeof *other);
	*cloud = (struct gg_host){.name = "cloud", .up = true, .window = 8};
	*other = (struct gg_host){.name = "other", .up = true, .window = 1};
	common = (struct gg_uplink_common){
		.enabled = true, .send = {send, 2}, .exclude = {exclude, 2}, .parcel_size = 64 << 10};
	loop = gg_loop_new("north", 1000);
	struct gg_uplink_source source = {
		NULL, fake_begin, fake_end, fake_open, fake_next, fake_position, fake_close, fake_pin};
	struct gg_uplink_memory memory = {NULL, fake_load, fake_save};
	all = gg_uplinks_new(loop, &source, &memory);
	engine = add(cloud);
	return all ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	gg_uplink_remove(engine);
	gg_uplinks_free(all);
	all = NULL;
	for (uint64_t i = 0; i < journal.count; i++)
		gg_batch_unref(journal.r[i].batch);
	gg_loop_free(loop);
	free(cloud);
	free(other);
	return 0;
}

/* ---- tests ---- */

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
	/* A second's worth may go at once; the last one may be in debt. */
	double least = ((double)cloud->bytes - 2000 - 120) / 2000;
	assert_true(least > 0.5);
	assert_true(seconds > least * 0.95 && seconds < least + 1);
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
		ENGINE(live_events_pass_the_backlog_once),
		ENGINE(an_event_that_comes_while_the_link_is_down_goes_first),
		ENGINE(loses_nothing_when_the_feed_overflows),
		ENGINE(keeps_to_its_rate),
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
