/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Back-pressure: a driver that is refused hears resume() when there is room, whatever was full, and loses
 * nothing. And the time by which derive advances, under a clock that jumps.
 */
#include "store_fixture.h"

#include "check.h"
#include "core/loop.h"
#include "ganglion/driver.h"
#include "gateway/gateway.h"

#include <time.h>

/* ---- a driver that brings numbered samples as fast as it may, and waits for nothing but resume() ---- */

struct hasty {
	struct gg_host *host;
	struct gg_timer timer;
	uint32_t signals[2];
	struct gg_batch *held;
	int64_t sent, wanted;
	unsigned refusals;
	_Atomic bool done;
};

static struct hasty *hasty;

static struct gg_batch *next_batch(struct hasty *d)
{
	uint32_t signal = d->signals[d->sent % 2];
	struct gg_batch *b = gg_batch_new(1, 0);
	assert_non_null(b);
	b->device = gg_signal(signal)->device;
	gg_batch_add_int(b, signal, d->sent, d->sent);
	return b;
}

static void bring(struct gg_timer *t)
{
	struct hasty *d = GG_CONTAINER(t, struct hasty, timer);
	for (int n = 0; n < 500 && d->sent < d->wanted; n++) {
		if (!d->held)
			d->held = next_batch(d);
		if (gg_host_submit_take(d->host, gg_batch_ref(d->held)) == -EAGAIN) {
			d->refusals++;
			return;
		}
		d->held = gg_batch_unref(d->held);
		d->sent++;
	}
	if (d->sent < d->wanted)
		gg_timer_start(gg_host_loop(d->host), t, 0, bring);
	else
		atomic_store(&d->done, true);
}

static int init(void *self, struct gg_host *host, struct gg_error *e)
{
	(void)e;
	hasty = self;
	hasty->host = host;
	hasty->signals[0] = a_signal("first/n"); /* of two devices: perhaps of two shards */
	hasty->signals[1] = a_signal("second/n");
	return 0;
}

static int start(void *self, struct gg_error *e)
{
	struct hasty *d = self;
	(void)e;
	return gg_timer_start(gg_host_loop(d->host), &d->timer, 0, bring);
}

static void resume(void *self)
{
	struct hasty *d = self;
	if (d->held)
		bring(&d->timer);
}

static const struct gg_driver_ops ops = {.resume = resume};
static const struct gg_component driver = {.name = "hasty",
	.kind = GG_DRIVER,
	.self_size = sizeof(struct hasty),
	.init = init,
	.start = start,
	.driver = &ops};
static const struct gg_component *const components[] = {&driver, NULL};

/* ---- a slow disk ---- */

static int slow_sync(void *arg, int fd)
{
	const struct timespec pause = {.tv_nsec = 3 * GG_NS_PER_MS};
	nanosleep(&pause, NULL);
	return gg_files_system.sync(arg, fd);
}

static void on_room(void *arg)
{
	(void)arg;
	gg_shards_journal_room(&gg_gateway);
	gg_gateway_resume_drivers();
}

static struct folder folder;
static struct gg_file_ops slow;

static struct gg_journal *slow_journal(void)
{
	struct gg_journal *j = NULL;
	struct gg_error e;
	slow = gg_files_system;
	slow.sync = slow_sync;
	struct gg_journal_options o = {.dir = folder.path,
		.names = &gg_names_table,
		.files = &slow,
		.queue_bytes = 256 << 10,
		.sync_ns = GG_NS_PER_MS,
		.on_room = on_room};
	assert_int_equal(gg_journal_open(&o, &j, &e), 0);
	assert_int_equal(gg_journal_start(j, &e), 0);
	return j;
}

/* ---- the gateway around it: shards and the driver's loop, all threads at work ---- */

static void up(unsigned shards, struct gg_journal *journal, int64_t wanted, struct gg_host **ret_host)
{
	struct gg_gateway *g = &gg_gateway;
	struct gg_plan *plans[GG_MOST_SHARDS] = {0};
	struct gg_problems problems = {0};
	struct gg_error e = {0};
	gg_components_set(components);
	assert_int_equal(gg_config_load_text("test", GG_STR("site: test\n"), NULL, &problems, &g->config), 0);
	g->config->site.shards = shards;
	g->journal = journal;
	g->control = gg_loop_new("control", 1024);
	g->io = gg_loop_new("io", 1024);
	assert_int_equal(gg_shards_make(g, &e), 0);
	assert_int_equal(gg_shards_plan(g, g->config, 1, plans, &e), 0);
	gg_shards_swap(g, plans);
	assert_int_equal(gg_instance_new("hasty", &driver, NULL, g->io, ret_host, &e), 0);
	hasty->wanted = wanted;
	assert_int_equal(gg_gateway_enter(*ret_host), 0);
	for (unsigned i = 0; i < g->shard_count; i++)
		if (g->shards[i]->own_loop)
			assert_int_equal(gg_loop_start(g->shards[i]->loop), 0);
	assert_int_equal(gg_loop_start(g->io), 0);
	assert_int_equal(gg_instance_start(*ret_host, &e), 0);
}

static void wait_done(void)
{
	const struct timespec pause = {.tv_nsec = 5 * GG_NS_PER_MS};
	for (int i = 0; i < 6000 && !atomic_load(&hasty->done); i++)
		nanosleep(&pause, NULL);
	assert_true(atomic_load(&hasty->done));
}

static void nothing(void *arg, int64_t number)
{
	(void)arg;
	(void)number;
}

static void end(struct gg_loop *loop)
{
	gg_loop_end(loop);
	gg_loop_join(loop);
}

static void down(struct gg_host *host)
{
	struct gg_gateway *g = &gg_gateway;
	gg_gateway_leave(host);
	end(g->io);
	gg_instance_free(host);
	for (unsigned i = g->shard_count; i-- > 0;)
		end(g->shards[i]->loop);
	gg_shards_free(g);
	gg_journal_close(g->journal);
	gg_loop_free(g->io);
	gg_loop_free(g->control);
	gg_config_free(g->config);
	*g = (struct gg_gateway){.lock_fd = -1};
}

static void finish(void *arg, int64_t number)
{
	(void)number;
	gg_shard_journal_finish(arg);
}

static void nothing_is_lost_when_the_shards_are_full(unsigned shards)
{
	struct gg_host *host;
	up(shards, NULL, 400000, &host);
	wait_done();
	assert_int_equal(hasty->sent, 400000);
	uint64_t seen = 0;
	for (unsigned i = 0; i < gg_gateway.shard_count; i++)
		end(gg_gateway.shards[i]->loop);
	for (unsigned i = 0; i < 2; i++) {
		struct gg_last last;
		assert_true(gg_last_get(hasty->signals[i], &last));
		seen += last.count;
	}
	assert_int_equal(seen % 400000, 0); /* the table counts over both tests */
	down(host);
}

static void a_refused_driver_is_resumed_by_its_shard(void **state)
{
	(void)state;
	nothing_is_lost_when_the_shards_are_full(1);
}

static void a_refused_driver_is_resumed_by_any_of_several_shards(void **state)
{
	(void)state;
	nothing_is_lost_when_the_shards_are_full(4);
}

/* With one or two cores it lives on the drivers' loop, else on loops of their own. */
static void a_refused_driver_is_resumed_where_the_shards_are_chosen_by_the_cores(void **state)
{
	(void)state;
	nothing_is_lost_when_the_shards_are_full(0);
}

static void a_slow_disk_holds_back_the_driver_and_loses_nothing(void **state)
{
	struct gg_journal_reader *reader = NULL;
	struct gg_record r;
	struct gg_host *host;
	int64_t wanted = 30000, next = 0;
	(void)state;
	folder_make(&folder);
	up(1, slow_journal(), wanted, &host);
	wait_done();
	assert_true(hasty->refusals > 0);
	gg_loop_call(gg_gateway.shards[0]->loop, finish, gg_gateway.shards[0], 0);
	assert_int_equal(gg_journal_flush(gg_gateway.journal), 0);
	assert_int_equal(gg_journal_reader_new(gg_gateway.journal, 0, &reader), 0);
	gg_journal_reader_kinds(reader, 1U << GG_RECORD_INPUT);
	while (gg_journal_next(reader, &r) == 1) {
		assert_int_equal(r.batch->samples[0].v.i, next);
		next++;
		gg_batch_unref(r.batch);
	}
	assert_int_equal(next, wanted);
	gg_journal_reader_free(reader);
	down(host);
	folder_remove(&folder);
}

static void send_again(void *arg, int64_t number)
{
	(void)number;
	assert_int_equal(gg_host_submit_take(hasty->host, arg), 0);
}

static void what_a_full_disk_refused_goes_to_the_journal_alone(void **state)
{
	struct gg_last before, after;
	struct gg_journal_stats stats;
	struct gg_host *host;
	(void)state;
	folder_make(&folder);
	up(1, slow_journal(), 2, &host);
	wait_done();
	struct gg_batch *b = next_batch(hasty);
	gg_batch_freeze(b);                                         /* as it is when its driver tries again */
	gg_loop_call(gg_gateway.shards[0]->loop, nothing, NULL, 0); /* what came before is through */
	assert_int_equal(gg_journal_flush(gg_gateway.journal), 0);
	gg_last_get(hasty->signals[0], &before);
	gg_loop_call(gg_gateway.io, send_again, b, 0);
	end(gg_gateway.shards[0]->loop);
	gg_last_get(hasty->signals[0], &after);
	assert_int_equal(after.count, before.count);
	gg_journal_flush(gg_gateway.journal);
	gg_journal_get_stats(gg_gateway.journal, &stats);
	assert_int_equal(stats.samples, 3);
	down(host);
	folder_remove(&folder);
}

/* ---- time ---- */

static void time_follows_the_clock_forward_and_never_back(void **state)
{
	struct gg_clock_manual m;
	(void)state;
	gg_clock_manual_init(&m, 1000 * GG_NS_PER_S);
	m.monotonic = 5 * GG_NS_PER_S;
	gg_gateway_utc_clock(&m.clock);
	assert_int_equal(gg_gateway_utc(), 1000 * GG_NS_PER_S);
	m.monotonic += GG_NS_PER_S;
	m.utc += GG_NS_PER_S;
	assert_int_equal(gg_gateway_utc(), 1001 * GG_NS_PER_S);
	m.utc = 5000 * GG_NS_PER_S; /* set forward */
	assert_int_equal(gg_gateway_utc(), 5000 * GG_NS_PER_S);
	m.utc = 2000 * GG_NS_PER_S; /* and back: ten seconds last ten seconds */
	m.monotonic += 10 * GG_NS_PER_S;
	assert_int_equal(gg_gateway_utc(), 5010 * GG_NS_PER_S);
	m.utc = 6000 * GG_NS_PER_S; /* it has caught up */
	assert_int_equal(gg_gateway_utc(), 6000 * GG_NS_PER_S);
	gg_gateway_utc_clock(NULL);
}

static void time_goes_on_from_a_checkpoint_of_the_future(void **state)
{
	struct gg_clock_manual m;
	(void)state;
	gg_clock_manual_init(&m, 0); /* a board without a battery */
	gg_gateway_utc_clock(&m.clock);
	gg_gateway_utc_from(1000 * GG_NS_PER_S);
	assert_int_equal(gg_gateway_utc(), 1000 * GG_NS_PER_S);
	m.monotonic += GG_NS_PER_S;
	m.utc += GG_NS_PER_S;
	assert_int_equal(gg_gateway_utc(), 1001 * GG_NS_PER_S);
	gg_gateway_utc_from(7 * GG_NS_PER_S); /* less changes nothing */
	assert_int_equal(gg_gateway_utc(), 1001 * GG_NS_PER_S);
	gg_gateway_utc_clock(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_refused_driver_is_resumed_by_its_shard),
		TEST(a_refused_driver_is_resumed_by_any_of_several_shards),
		TEST(a_refused_driver_is_resumed_where_the_shards_are_chosen_by_the_cores),
		TEST(a_slow_disk_holds_back_the_driver_and_loses_nothing),
		TEST(what_a_full_disk_refused_goes_to_the_journal_alone),
		TEST(time_follows_the_clock_forward_and_never_back),
		TEST(time_goes_on_from_a_checkpoint_of_the_future),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
