/* SPDX-License-Identifier: Apache-2.0 */
#include "store_fixture.h"

#include "store/journal_private.h"

#include <fcntl.h>
#include <time.h>

struct fixture {
	struct folder folder;
	struct gg_journal *j;
	struct gg_journal_options o;
	char dir[128];
	uint64_t lost_to;
};

static void lost(void *arg, GG_UNUSED const char *pin, GG_UNUSED uint64_t from, uint64_t to)
{
	((struct fixture *)arg)->lost_to = to;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	folder_make(&f->folder);
	snprintf(f->dir, sizeof f->dir, "%s/journal", f->folder.path);
	f->o = (struct gg_journal_options){
		.dir = f->dir, .root = the_root, .names = &gg_names_table, .arg = f, .on_lost = lost};
	f->o.segment_bytes = 64 << 10;
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	gg_journal_close(f->j);
	folder_remove(&f->folder);
	free(f);
	return 0;
}

static void begin(struct fixture *f)
{
	struct gg_error e = {0};
	assert_int_equal(gg_journal_open(&f->o, &f->j, &e), 0);
	assert_int_equal(gg_journal_start(f->j, &e), 0);
}

static void end(struct fixture *f)
{
	gg_journal_close(f->j);
	f->j = NULL;
}

static void put(struct fixture *f, uint32_t count, double value)
{
	struct gg_batch *b = a_batch(a_signal("press/temperature"), count, 1000, value);
	assert_int_equal(gg_journal_append(f->j, b), 0);
	gg_batch_unref(b);
}

/* Reads all floats' first values from position on into values. */
static size_t read_values(struct gg_journal_reader *r, double *values, size_t most)
{
	struct gg_record rec;
	size_t n = 0;
	int status;
	while (n < most && (status = gg_journal_next(r, &rec)) == 1) {
		if (!rec.batch)
			continue;
		values[n++] = rec.batch->samples[0].v.f;
		assert_int_equal(rec.batch->id, rec.position);
		gg_batch_unref(rec.batch);
	}
	return n;
}

static void what_was_appended_is_read_in_order(void **state)
{
	struct fixture *f = *state;
	struct gg_journal_reader *r;
	double values[4000];
	begin(f);
	assert_int_equal(gg_journal_reader_new(f->j, 0, &r), 0);
	for (int i = 0; i < 2000; i++)
		put(f, 20, i);
	assert_int_equal(gg_journal_flush(f->j), 0);
	assert_int_equal(read_values(r, values, 4000), 2000);
	for (int i = 0; i < 2000; i++)
		assert_true(values[i] == i);
	put(f, 1, 2000); /* the reader follows the tail */
	gg_journal_flush(f->j);
	assert_int_equal(read_values(r, values, 4000), 1);
	assert_int_equal(gg_journal_reader_damaged(r), 0);
	gg_journal_reader_free(r);
	struct gg_journal_stats stats;
	gg_journal_get_stats(f->j, &stats);
	assert_true(stats.segments > 1);
	assert_int_equal(stats.samples, 2000 * 20 + 1);
	assert_int_equal(stats.queued_bytes, 0);
}

static void it_goes_on_after_a_restart_and_from_any_record(void **state)
{
	struct fixture *f = *state;
	struct gg_journal_reader *r;
	struct gg_record rec;
	uint64_t next[300];
	double values[400];
	for (int round = 0; round < 3; round++) {
		begin(f);
		for (int i = 0; i < 100; i++)
			put(f, 100, round * 100 + i);
		end(f);
	}
	begin(f);
	assert_int_equal(gg_journal_reader_new(f->j, 0, &r), 0);
	for (int i = 0; i < 300; i++) {
		assert_int_equal(gg_journal_next(r, &rec), 1);
		next[i] = rec.next;
		gg_batch_unref(rec.batch);
	}
	assert_int_equal(gg_journal_next(r, &rec), 0);
	gg_journal_reader_free(r);
	for (int i = 0; i < 300; i += 7) {
		assert_int_equal(gg_journal_reader_new(f->j, next[i], &r), 0);
		assert_int_equal(read_values(r, values, 400), 299 - i);
		if (i < 299)
			assert_true(values[0] == i + 1);
		gg_journal_reader_free(r);
	}
}

static void receipts_return_once_synced_and_ids_are_set(void **state)
{
	struct fixture *f = *state;
	struct answer answers[50];
	begin(f);
	struct gg_batch *batches[50];
	for (int i = 0; i < 50; i++) {
		batches[i] = a_batch(a_signal("press/receipt"), 2, 0, i);
		batches[i]->receipt = an_answer(&answers[i]);
		assert_int_equal(gg_journal_append(f->j, batches[i]), 0);
		assert_null(batches[i]->receipt);
	}
	for (int i = 0; i < 50; i++) {
		for (int ms = 0; ms < 5000 && !answers[i].count; ms++)
			nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
		assert_int_equal(answers[i].count, 1);
		assert_int_equal(answers[i].status, 0);
		assert_true(batches[i]->id > 0 && (i == 0 || batches[i]->id > batches[i - 1]->id));
		assert_true(gg_journal_end(f->j) > batches[i]->id);
		gg_batch_unref(batches[i]);
	}
}

static void many_receipts_share_a_sync(void **state)
{
	struct fixture *f = *state;
	static struct answer answers[2000];
	f->o.commit_ns = 20 * GG_NS_PER_MS;
	f->o.segment_bytes = 16 << 20;
	begin(f);
	for (int i = 0; i < 2000; i++)
		gg_journal_append_record(
			f->j, GG_RECORD_KEPT, GG_STR("mqtt"), GG_STR("session"), an_answer(&answers[i]));
	gg_journal_flush(f->j);
	struct gg_journal_stats stats;
	gg_journal_get_stats(f->j, &stats);
	assert_int_equal(stats.records, 2000);
	assert_true(stats.syncs < 50);
}

static struct gg_journal_stats put_events(struct fixture *f, int count)
{
	struct gg_journal_stats stats = {0};
	for (int i = 0; i < count; i++) {
		gg_journal_append_record(f->j, GG_RECORD_EVENT, GG_STR("rule"), GG_STR("{}"), NULL);
		nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
	}
	for (int ms = 0; ms < 5000 && stats.records < (uint64_t)count; ms++) {
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
		gg_journal_get_stats(f->j, &stats);
	}
	return stats;
}

static void an_event_does_not_wait_for_the_next_sync(void **state)
{
	struct fixture *f = *state;
	f->o.sync_ns = 3600 * GG_NS_PER_S;
	begin(f);
	assert_int_equal(put_events(f, 1).records, 1);
}

static void a_storm_of_events_shares_syncs(void **state)
{
	struct fixture *f = *state;
	f->o.sync_ns = 3600 * GG_NS_PER_S;
	f->o.commit_ns = 10 * GG_NS_PER_MS;
	begin(f);
	int64_t began = gg_clock_monotonic(&gg_clock_system);
	struct gg_journal_stats stats = put_events(f, 2000);
	int64_t took = gg_clock_monotonic(&gg_clock_system) - began;
	assert_int_equal(stats.records, 2000);
	assert_true((int64_t)stats.syncs <= took / (100 * GG_NS_PER_MS) + 2);
}

static void other_records_keep_name_and_bytes(void **state)
{
	struct fixture *f = *state;
	struct gg_journal_reader *r;
	struct gg_record rec;
	begin(f);
	put(f, 3, 1);
	gg_journal_append_record(f->j, GG_RECORD_TICK, GG_STR("shard-0"), GG_STR("12345678"), NULL);
	gg_journal_append_record(f->j, GG_RECORD_KEPT, GG_STR("mqtt"), GG_STR("a\0b"), NULL);
	gg_journal_flush(f->j);
	assert_int_equal(gg_journal_reader_new(f->j, 0, &r), 0);
	gg_journal_reader_kinds(r, 1U << GG_RECORD_TICK | 1U << GG_RECORD_KEPT);
	assert_int_equal(gg_journal_next(r, &rec), 1);
	assert_int_equal(rec.kind, GG_RECORD_TICK);
	assert_true(gg_str_is(rec.name, "shard-0") && gg_str_is(rec.bytes, "12345678"));
	assert_int_equal(gg_journal_next(r, &rec), 1);
	assert_true(gg_str_is(rec.name, "mqtt") && gg_str_eq(rec.bytes, GG_STR("a\0b")));
	assert_int_equal(gg_journal_next(r, &rec), 0);
	gg_journal_reader_free(r);
}

static void a_folder_is_read_without_a_writer(void **state)
{
	struct fixture *f = *state;
	struct gg_journal_reader *r;
	double values[3000];
	begin(f);
	for (int i = 0; i < 1000; i++)
		put(f, 50, i);
	gg_journal_flush(f->j);
	assert_int_equal(gg_journal_reader_open(f->dir, &gg_names_table, the_root, 0, &r), 0);
	assert_int_equal(read_values(r, values, 3000), 1000);
	for (int i = 0; i < 1000; i++)
		put(f, 50, i);
	gg_journal_flush(f->j);
	assert_int_equal(read_values(r, values, 3000), 1000);
	assert_int_equal(gg_journal_reader_damaged(r), 0);
	gg_journal_reader_free(r);
}

static void old_segments_go_when_nobody_needs_them(void **state)
{
	struct fixture *f = *state;
	struct gg_journal_stats stats;
	f->o.keep_bytes = 200 << 10;
	f->o.max_bytes = 600 << 10;
	begin(f);
	for (int i = 0; i < 4000; i++)
		put(f, 50, i);
	gg_journal_flush(f->j);
	gg_journal_get_stats(f->j, &stats);
	assert_true(gg_journal_begin(f->j) > 0);
	assert_true(stats.disk_bytes <= (300 << 10));
	assert_int_equal(stats.lost_bytes, 0);
	/* a cursor holds them */
	uint64_t begin_before = gg_journal_begin(f->j);
	gg_journal_pin(f->j, "uplink cloud", begin_before, false);
	for (int i = 0; i < 1000; i++)
		put(f, 50, i);
	gg_journal_flush(f->j);
	assert_int_equal(gg_journal_begin(f->j), begin_before);
	/* but not beyond the hard limit */
	for (int i = 0; i < 5000; i++)
		put(f, 50, i);
	gg_journal_flush(f->j);
	gg_journal_get_stats(f->j, &stats);
	assert_true(gg_journal_begin(f->j) > begin_before);
	assert_true(stats.lost_bytes > 0 && f->lost_to > begin_before);
	assert_true(stats.disk_bytes <= (700 << 10));
	/* a reader whose place is gone begins at the oldest */
	struct gg_journal_reader *r;
	struct gg_record rec;
	assert_int_equal(gg_journal_reader_new(f->j, 1, &r), 0);
	assert_int_equal(gg_journal_next(r, &rec), 1);
	assert_true(rec.position >= gg_journal_begin(f->j));
	gg_batch_unref(rec.batch);
	gg_journal_reader_free(r);
}

static void a_pin_forever_is_never_overruled(void **state)
{
	struct fixture *f = *state;
	f->o.keep_bytes = 100 << 10;
	f->o.max_bytes = 200 << 10;
	begin(f);
	gg_journal_pin(f->j, "kept", 0, true);
	for (int i = 0; i < 2000; i++)
		put(f, 50, i);
	gg_journal_flush(f->j);
	assert_int_equal(gg_journal_begin(f->j), 0);
	gg_journal_unpin(f->j, "kept");
	for (int i = 0; i < 500; i++)
		put(f, 50, i);
	gg_journal_flush(f->j);
	assert_true(gg_journal_begin(f->j) > 0);
}

static void old_segments_go_by_age(void **state)
{
	struct fixture *f = *state;
	struct gg_clock_manual clock;
	gg_clock_manual_init(&clock, 1000 * GG_NS_PER_S);
	clock.clock.monotonic_ns = gg_clock_system.monotonic_ns;
	f->o.clock = &clock.clock;
	f->o.keep_ns = 3600 * GG_NS_PER_S;
	begin(f);
	for (int i = 0; i < 1000; i++)
		put(f, 50, i);
	gg_journal_flush(f->j);
	assert_int_equal(gg_journal_begin(f->j), 0);
	__atomic_store_n(&clock.utc, 9000 * GG_NS_PER_S, __ATOMIC_SEQ_CST);
	for (int i = 0; i < 1000; i++)
		put(f, 50, i);
	gg_journal_flush(f->j);
	assert_true(gg_journal_begin(f->j) > 0);
	end(f);
}

static void positions_never_go_back_behind_a_cursor(void **state)
{
	struct fixture *f = *state;
	f->o.min_position = 1ULL << 40;
	begin(f);
	put(f, 1, 1);
	gg_journal_flush(f->j);
	assert_true(gg_journal_end(f->j) > 1ULL << 40);
}

static void a_full_queue_refuses_and_takes_nothing(void **state)
{
	struct fixture *f = *state;
	struct gg_error e;
	f->o.queue_bytes = 10000;
	assert_int_equal(gg_journal_open(&f->o, &f->j, &e), 0); /* not started: nothing leaves the queue */
	struct answer a;
	int status = 0, count = 0;
	struct gg_batch *b = a_batch(a_signal("press/full"), 100, 0, 1);
	while ((status = gg_journal_append(f->j, b)) == 0)
		count++;
	assert_int_equal(status, -EAGAIN);
	assert_true(count >= 2 && count <= 4);
	b->receipt = an_answer(&a);
	assert_int_equal(gg_journal_append(f->j, b), -EAGAIN);
	assert_ptr_equal(b->receipt, &a.receipt);
	b->receipt = NULL;
	assert_int_equal(gg_journal_start(f->j, &e), 0);
	assert_int_equal(gg_journal_flush(f->j), 0);
	assert_int_equal(b->refs, 1);
	gg_batch_unref(b);
}

/* As the journal derives it from the root key. */
static const uint8_t *segment_key(void)
{
	static uint8_t key[GG_SEAL_KEY];
	if (!the_root)
		return NULL;
	assert_int_equal(gg_seal_derive(the_root, GG_STR("journal"), key), 0);
	return key;
}

static int last_segment(const struct fixture *f, char path[GG_PATH_MAX])
{
	struct gg_segment_list l = {.key = segment_key()};
	assert_int_equal(gg_segment_list_load(&l, f->dir), 0);
	assert_true(l.count > 0);
	gg_segment_path(path, f->dir, l.items[l.count - 1].first);
	gg_segment_list_done(&l);
	return open(path, O_RDWR);
}

static size_t count_values(struct fixture *f)
{
	struct gg_journal_reader *r;
	double values[200];
	assert_int_equal(gg_journal_reader_new(f->j, 0, &r), 0);
	size_t n = read_values(r, values, 200);
	for (size_t i = 1; i < n; i++)
		assert_true(values[i] > values[i - 1]);
	gg_journal_reader_free(r);
	return n;
}

/* A journal of ten batches is torn at every byte of its last segment: what lies whole before is there, and
 * what is appended afterwards too. */
static void a_tail_torn_at_any_byte_costs_only_what_is_torn(void **state)
{
	struct fixture *f = *state;
	char path[GG_PATH_MAX];
	begin(f);
	for (int i = 0; i < 10; i++)
		put(f, 3, i);
	end(f);
	static uint8_t whole[65536];
	int fd = last_segment(f, path);
	ssize_t len = pread(fd, whole, sizeof whole, 0);
	close(fd);
	size_t last = 0;
	for (ssize_t cut = 0; cut <= len; cut++) {
		folder_empty(f->dir);
		fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
		assert_int_equal(pwrite(fd, whole, (size_t)cut, 0), cut);
		if (cut % 3 == 0) /* as if preallocated, or with garbage behind */
			assert_int_equal(ftruncate(fd, 65536), 0);
		else if (cut % 3 == 1)
			assert_int_equal(pwrite(fd, "garbage garbage garbage", 23, cut), 23);
		close(fd);
		begin(f);
		size_t n = count_values(f);
		assert_true(n >= last && n <= 10);
		last = n;
		put(f, 1, 1000);
		gg_journal_flush(f->j);
		assert_int_equal(count_values(f), n + 1);
		end(f);
	}
	assert_int_equal(last, 10);
}

/* One flipped bit costs at most the batches of that record, or all behind it when it hits the length. */
static void a_flipped_bit_is_noticed_wherever_it_is(void **state)
{
	struct fixture *f = *state;
	char path[GG_PATH_MAX];
	begin(f);
	for (int i = 0; i < 10; i++)
		put(f, 3, i);
	end(f);
	int fd = last_segment(f, path);
	ssize_t len = lseek(fd, 0, SEEK_END);
	for (ssize_t at = 0; at < len; at++) {
		uint8_t byte;
		struct gg_journal_reader *r;
		double values[20];
		assert_int_equal(pread(fd, &byte, 1, at), 1);
		byte ^= 0x10;
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		assert_int_equal(gg_journal_reader_open(f->dir, &gg_names_table, the_root, 0, &r), 0);
		size_t n = read_values(r, values, 20);
		assert_true(n < 10);
		for (size_t i = 0; i < n; i++)
			assert_true(values[i] == (double)(int)values[i] && values[i] < 10);
		gg_journal_reader_free(r);
		byte ^= 0x10;
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	}
	close(fd);
}

static void damage_in_an_old_segment_costs_no_other(void **state)
{
	struct fixture *f = *state;
	begin(f);
	for (int i = 0; i < 100; i++)
		put(f, 300, i);
	end(f);
	struct gg_segment_list l = {.key = segment_key()};
	assert_int_equal(gg_segment_list_load(&l, f->dir), 0);
	assert_true(l.count >= 2);
	char path[GG_PATH_MAX];
	gg_segment_path(path, f->dir, l.items[0].first);
	gg_segment_list_done(&l);
	int fd = open(path, O_RDWR);
	assert_int_equal(pwrite(fd, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11, 3000), 11);
	close(fd);
	begin(f);
	struct gg_journal_reader *r;
	double values[200];
	assert_int_equal(gg_journal_reader_new(f->j, 0, &r), 0);
	size_t n = read_values(r, values, 200);
	assert_true(n > 10 && n < 100);
	assert_true(values[n - 1] == 99);
	assert_true(gg_journal_reader_damaged(r) > 0);
	gg_journal_reader_free(r);
}

/* A record of 100 bytes of content, all the same. */
static void a_record(uint8_t *to, uint64_t position, uint8_t byte)
{
	memset(to + GG_RECORD_HEADER, byte, 100);
	gg_record_finish(to, position, GG_RECORD_KEPT, 100);
}

/* A reader that follows close behind sees pages that the writer has half filled; they must not be what it
 * judges by when the record is whole and synced. */
static void what_was_half_written_at_the_first_look_is_read_whole_later(void **state)
{
	struct fixture *f = *state;
	enum { LENGTH = GG_RECORD_HEADER + 100 };
	uint8_t file[GG_SEGMENT_HEADER + 3 * LENGTH] = {0};
	uint64_t second = GG_SEGMENT_HEADER + LENGTH, third = second + LENGTH;
	char path[GG_PATH_MAX];
	gg_segment_header_encode(&(struct gg_segment_header){0}, file);
	a_record(file + GG_SEGMENT_HEADER, GG_SEGMENT_HEADER, 1);
	a_record(file + second, second, 2);
	assert_int_equal(gg_segment_path(path, f->folder.path, 0), 0);
	int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	assert_int_equal(pwrite(fd, file, second + LENGTH / 2, 0), second + LENGTH / 2);
	assert_int_equal(ftruncate(fd, sizeof file), 0);

	struct gg_segment_reader r = {.fd = -1};
	struct gg_raw_record raw;
	assert_int_equal(gg_segment_reader_open(&r, f->folder.path, 0), 0);
	assert_int_equal(gg_segment_next(&r, second, &raw), 1);
	a_record(file + third, third, 3);
	assert_int_equal(pwrite(fd, file, sizeof file, 0), sizeof file);
	for (char byte = 2; byte <= 3; byte++) {
		assert_int_equal(gg_segment_next(&r, sizeof file, &raw), 1);
		assert_int_equal(raw.content.p[99], byte);
	}
	assert_int_equal(gg_segment_next(&r, sizeof file, &raw), 0);
	assert_int_equal(r.damaged, 0);
	gg_segment_reader_done(&r);
	close(fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(what_was_appended_is_read_in_order),
		TEST(it_goes_on_after_a_restart_and_from_any_record),
		TEST(receipts_return_once_synced_and_ids_are_set),
		TEST(many_receipts_share_a_sync),
		TEST(an_event_does_not_wait_for_the_next_sync),
		TEST(a_storm_of_events_shares_syncs),
		TEST(other_records_keep_name_and_bytes),
		TEST(a_folder_is_read_without_a_writer),
		TEST(old_segments_go_when_nobody_needs_them),
		TEST(a_pin_forever_is_never_overruled),
		TEST(old_segments_go_by_age),
		TEST(positions_never_go_back_behind_a_cursor),
		TEST(a_full_queue_refuses_and_takes_nothing),
		TEST(a_tail_torn_at_any_byte_costs_only_what_is_torn),
		TEST(a_flipped_bit_is_noticed_wherever_it_is),
		TEST(damage_in_an_old_segment_costs_no_other),
		TEST(what_was_half_written_at_the_first_look_is_read_whole_later),
	};
	return cmocka_run_group_tests_name("plain", tests, NULL, NULL) +
	       cmocka_run_group_tests_name("sealed", tests, use_key, NULL);
}
