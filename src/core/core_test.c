/* SPDX-License-Identifier: Apache-2.0 */
/* Loops, mailboxes, batches, the signal table, metrics, workers. */
#include "check.h"
#include "core/loop.h"
#include "core/metrics.h"
#include "core/signals.h"
#include "core/work.h"

#include <pthread.h>
#include <unistd.h>

static int fired, letters;

static void count_fire(struct gg_timer *t)
{
	(void)t;
	fired++;
}

static void count_letter(void *arg, int64_t number)
{
	(void)arg;
	assert_int_equal(number, letters); /* in the order posted */
	letters++;
}

static void timers_fire_in_order_and_stopped_ones_never(void **state)
{
	struct gg_loop *loop = gg_loop_new("test", 16);
	struct gg_timer timers[20] = {0};
	(void)state;
	fired = 0;
	for (int i = 0; i < 20; i++)
		gg_timer_start(loop, &timers[i], (20 - i) * GG_NS_PER_MS / 4, count_fire);
	for (int i = 0; i < 20; i += 2)
		gg_timer_stop(&timers[i]);
	for (int turns = 0; fired < 10 && turns < 1000; turns++)
		gg_loop_turn(loop, GG_NS_PER_S);
	assert_int_equal(fired, 10);
	gg_loop_turn(loop, 0);
	assert_int_equal(fired, 10);
	gg_loop_free(loop);
}

static void a_full_mailbox_says_so_and_keeps_the_order(void **state)
{
	struct gg_loop *loop = gg_loop_new("test", 4);
	(void)state;
	letters = 0;
	for (int i = 0; i < 4; i++)
		assert_int_equal(gg_loop_post(loop, count_letter, NULL, i), 0);
	assert_int_equal(gg_loop_post(loop, count_letter, NULL, 4), -EAGAIN);
	assert_int_equal(gg_loop_refused(loop), 1);
	assert_int_equal(gg_loop_post_sure(loop, count_letter, NULL, 4), 0);
	gg_loop_turn(loop, 0);
	assert_int_equal(letters, 5);
	gg_loop_free(loop);
}

static void post_next(void *arg, int64_t number)
{
	count_letter(NULL, number);
	if (number < 3)
		assert_int_equal(gg_loop_post(arg, post_next, arg, number + 1), 0);
}

static void a_chain_of_letters_to_itself_is_one_turn(void **state)
{
	struct gg_loop *loop = gg_loop_new("test", 4);
	(void)state;
	letters = 0;
	assert_int_equal(gg_loop_post(loop, post_next, loop, 0), 0);
	gg_loop_turn(loop, 0);
	assert_int_equal(letters, 4);
	gg_loop_free(loop);
}

static void post_without_end(void *arg, int64_t number)
{
	count_letter(NULL, number);
	assert_int_equal(gg_loop_post(arg, post_without_end, arg, number + 1), 0);
}

static void letters_to_itself_never_keep_a_timer_waiting(void **state)
{
	struct gg_loop *loop = gg_loop_new("test", 4);
	struct gg_timer t = {0};
	(void)state;
	fired = letters = 0;
	assert_int_equal(gg_loop_post(loop, post_without_end, loop, 0), 0);
	gg_timer_start(loop, &t, GG_NS_PER_MS, count_fire);
	for (int64_t end = gg_clock_monotonic(&gg_clock_system) + 10 * GG_NS_PER_S;
		!fired && gg_clock_monotonic(&gg_clock_system) < end;)
		gg_loop_turn(loop, -1); /* which returns: there is a letter */
	assert_int_equal(fired, 1);
	gg_loop_free(loop);
}

static void letters_to_a_loop_that_ended_are_refused(void **state)
{
	struct gg_loop *loop = gg_loop_new("test", 4);
	(void)state;
	letters = 0;
	assert_int_equal(gg_loop_start(loop), 0);
	gg_loop_call(loop, count_letter, NULL, 0);
	assert_int_equal(letters, 1);
	gg_loop_end(loop);
	gg_loop_join(loop);
	assert_int_equal(gg_loop_post(loop, count_letter, NULL, 1), -ESHUTDOWN);
	gg_loop_free(loop);
}

static struct gg_watch pair_watch[2];

static void strike_the_other(struct gg_watch *w, uint32_t events)
{
	(void)events;
	fired++;
	gg_watch_remove(w == &pair_watch[0] ? &pair_watch[1] : &pair_watch[0]);
}

static void a_removed_watch_gets_no_call_even_if_it_was_ready(void **state)
{
	struct gg_loop *loop = gg_loop_new("test", 4);
	int pipes[2][2];
	(void)state;
	fired = 0;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pipe(pipes[i]), 0);
		assert_int_equal(write(pipes[i][1], "x", 1), 1);
		assert_int_equal(
			gg_watch_add(loop, &pair_watch[i], pipes[i][0], EPOLLIN, strike_the_other), 0);
	}
	gg_loop_turn(loop, 0);
	assert_int_equal(fired, 1);
	for (int i = 0; i < 4; i++)
		close(pipes[i / 2][i % 2]);
	gg_loop_free(loop);
}

static void batches_stay_within_their_budget_and_come_back(void **state)
{
	struct gg_batch *held[1000];
	size_t n = 0, before = gg_batch_memory();
	(void)state;
	gg_batch_set_budget(before + 64 * 4096);
	while (n < GG_COUNT(held) && (held[n] = gg_batch_new(100, 0)))
		n++;
	assert_in_range(n, 32, 80);
	gg_batch_unref(held[--n]);
	held[n] = gg_batch_new(100, 0);
	assert_non_null(held[n]);
	for (size_t i = 0; i <= n; i++)
		gg_batch_unref(held[i]);
	gg_batch_set_budget(256U << 20);
}

static void a_batch_that_grows_keeps_what_it_had(void **state)
{
	struct gg_batch *b = gg_batch_new(4, 16);
	(void)state;
	assert_int_equal(gg_batch_add_string(b, 7, 1, GG_STR("hello")), 0);
	assert_int_equal(gg_batch_add_float(b, 8, 2, __builtin_nan("")), 0);
	b = gg_batch_grow_take(b, 5000, 1000);
	assert_non_null(b);
	check_str(gg_batch_text(b, &b->samples[0]), "hello");
	assert_int_equal(b->samples[1].quality, GG_BAD);
	assert_int_equal(b->samples[1].aux, GG_REASON_NOT_A_NUMBER);
	assert_true(b->capacity >= 5002);
	gg_batch_unref(b);
}

static void names_get_an_index_once_and_wrong_ones_none(void **state)
{
	uint32_t a = 0, b = 0, c = 0;
	const struct gg_signal_spec spec = {.type = GG_TYPE_FLOAT, .unit = "degC", .title = "Boiler"};
	(void)state;
	assert_int_equal(gg_signal_make_full(GG_STR("boiler/temperature"), NULL, &a), 0);
	assert_int_equal(gg_signal_make_full(GG_STR("boiler/temperature"), &spec, &b), 0);
	assert_int_equal(a, b);
	assert_string_equal(gg_signal(a)->unit, "degC");
	check_str(gg_signal(a)->signal, "temperature");
	check_str(gg_device_id(gg_signal(a)->device), "boiler");
	assert_int_equal(gg_signal_find(GG_STR("boiler/temperature")), a);
	assert_int_equal(gg_signal_find(GG_STR("boiler/pressure")), GG_NONE);
	assert_null(gg_signal(123456));
	static const char *const wrong[] = {
		"", "boiler", "boiler/", "/x", "a b/c", "a/b*", "a+/b", "a\x01/b", "a/\xff"};
	for (size_t i = 0; i < GG_COUNT(wrong); i++)
		assert_int_equal(gg_signal_make_full(gg_str(wrong[i]), NULL, &c), -EINVAL);
}

static void past_the_limit_of_signals_new_ones_are_refused(void **state)
{
	uint32_t index = 0, before = gg_signal_count();
	(void)state;
	gg_signals_limit(10000, before + 1);
	assert_int_equal(gg_signal_make_full(GG_STR("limit/one"), NULL, &index), 0);
	assert_int_equal(gg_signal_make_full(GG_STR("limit/two"), NULL, &index), -EDQUOT);
	assert_int_equal(gg_signal_make_full(GG_STR("limit/one"), NULL, &index), 0);
	gg_signals_limit(10000, 100000);
}

static _Atomic bool stop_reading;

static void a_device_past_its_own_limit_keeps_what_it_has_and_harms_nobody(void **state)
{
	(void)state;
	uint32_t device, other, index;
	assert_int_equal(gg_device_make(GG_STR("chatty"), &device), 0);
	assert_int_equal(gg_device_make(GG_STR("quiet"), &other), 0);
	assert_int_equal(gg_signal_make_within(device, GG_STR("a"), NULL, 2, &index), 0);
	assert_int_equal(gg_signal_make_within(device, GG_STR("b"), NULL, 2, &index), 0);
	assert_int_equal(gg_signal_make_within(device, GG_STR("c"), NULL, 2, &index), -EDQUOT);
	assert_int_equal(gg_signal_make_within(device, GG_STR("b"), NULL, 2, &index), 0);
	assert_int_equal(gg_signal_make_within(other, GG_STR("c"), NULL, 2, &index), 0);
	assert_int_equal(gg_device_signals(device), 2);
	assert_int_equal(
		gg_signal_make(device, GG_STR("c"), NULL, &index), 0); /* the journal's: it was there */
}

static void devices_are_disabled_before_and_after_they_are_known(void **state)
{
	(void)state;
	const char *const first[] = {"known", "to-come"}, *const second[] = {"to-come"};
	uint32_t known, to_come;
	assert_int_equal(gg_device_make(GG_STR("known"), &known), 0);
	assert_true(gg_device_enabled(known));
	assert_int_equal(gg_devices_disable(first, 2), 0);
	assert_false(gg_device_enabled(known));
	assert_int_equal(gg_device_make(GG_STR("to-come"), &to_come), 0);
	assert_false(gg_device_enabled(to_come));
	assert_int_equal(gg_devices_disable(second, 1), 0);
	assert_true(gg_device_enabled(known));
	assert_false(gg_device_enabled(to_come));
	assert_int_equal(gg_devices_disable(NULL, 0), 0);
	assert_true(gg_device_enabled(to_come));
	assert_true(gg_device_enabled(GG_NONE));
}

static void *read_last(void *arg)
{
	uint32_t signal = *(uint32_t *)arg;
	while (!atomic_load(&stop_reading)) {
		struct gg_last last;
		if (gg_last_get(signal, &last))
			assert_true(last.sample.time_ns ==
				    last.sample.v.i); /* never half of one, half of another */
	}
	return NULL;
}

static void last_values_are_never_torn(void **state)
{
	uint32_t signal = 0;
	pthread_t reader;
	(void)state;
	assert_int_equal(gg_signal_make_full(GG_STR("torn/value"), NULL, &signal), 0);
	assert_int_equal(pthread_create(&reader, NULL, read_last, &signal), 0);
	struct gg_sample s = {.signal = signal, .type = GG_TYPE_INT};
	for (int64_t i = 1; i < 200000; i++) {
		s.time_ns = s.v.i = i;
		gg_last_put(NULL, &s);
	}
	atomic_store(&stop_reading, true);
	pthread_join(reader, NULL);
	struct gg_last last;
	assert_true(gg_last_get(signal, &last));
	assert_int_equal(last.count, 199999);
}

static void metrics_print_as_prometheus_reads_them(void **state)
{
	struct gg_buf out = GG_BUF(1 << 20);
	(void)state;
	gg_count(gg_metric_counter("tests_total", "cause=\"a\"", "Tests"), 3);
	gg_count(gg_metric_counter("tests_total", "cause=\"a\"", "Tests"), 2);
	struct gg_histogram *h = gg_metric_histogram("wait_seconds", NULL, "Waits");
	for (int i = 1; i <= 1000; i++)
		gg_histogram_add(h, i * GG_NS_PER_US);
	assert_in_range(gg_histogram_quantile(h, 0.5), 500 * GG_NS_PER_US, 640 * GG_NS_PER_US);
	assert_in_range(gg_histogram_quantile(h, 0.99), 990 * GG_NS_PER_US, 1280 * GG_NS_PER_US);
	gg_metrics_write(&out);
	assert_non_null(strstr(gg_buf_text(&out),
		"# TYPE ganglion_tests_total counter\nganglion_tests_total{cause=\"a\"} 5\n"));
	assert_non_null(strstr(gg_buf_text(&out), "ganglion_wait_seconds_bucket{le=\"+Inf\"} 1000\n"));
	gg_buf_done(&out);
}

static struct {
	pthread_t worker;
	bool worked, done;
} job;

static void do_work(void *arg)
{
	(void)arg;
	job.worker = pthread_self();
	job.worked = true;
}

static void work_done(void *arg)
{
	(void)arg;
	job.done = true;
}

static void work_runs_elsewhere_and_is_answered_here(void **state)
{
	struct gg_loop *loop = gg_loop_new("test", 4);
	(void)state;
	assert_int_equal(gg_work_start(2), 0);
	assert_int_equal(gg_work(loop, do_work, work_done, NULL), 0);
	for (int turns = 0; !job.done && turns < 100; turns++)
		gg_loop_turn(loop, GG_NS_PER_S / 10);
	assert_true(job.done && job.worked);
	assert_false(pthread_equal(job.worker, pthread_self()));
	gg_work_stop();
	assert_int_equal(gg_work(loop, do_work, NULL, NULL), -ESHUTDOWN);
	gg_loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {TEST(timers_fire_in_order_and_stopped_ones_never),
		TEST(a_full_mailbox_says_so_and_keeps_the_order),
		TEST(a_chain_of_letters_to_itself_is_one_turn),
		TEST(letters_to_itself_never_keep_a_timer_waiting),
		TEST(letters_to_a_loop_that_ended_are_refused),
		TEST(a_removed_watch_gets_no_call_even_if_it_was_ready),
		TEST(batches_stay_within_their_budget_and_come_back),
		TEST(a_batch_that_grows_keeps_what_it_had), TEST(names_get_an_index_once_and_wrong_ones_none),
		TEST(past_the_limit_of_signals_new_ones_are_refused),
		TEST(a_device_past_its_own_limit_keeps_what_it_has_and_harms_nobody),
		TEST(devices_are_disabled_before_and_after_they_are_known), TEST(last_values_are_never_torn),
		TEST(metrics_print_as_prometheus_reads_them), TEST(work_runs_elsewhere_and_is_answered_here)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
