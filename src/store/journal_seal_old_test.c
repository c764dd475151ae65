/* SPDX-License-Identifier: Apache-2.0 */
/* How a plain journal becomes sealed, and what is taken out of and copied from segments of all forms. */
#include "sealed_journal.h"

#include "store/snapshot.h"

#include <sched.h>

static void make_plain(struct fixture *f, int to)
{
	f->o.root = NULL;
	begin(f);
	put(f, 0, to);
	end(f);
	f->o.root = root;
	assert_true(folder_says_anything(f));
}

static void await_sealed(struct fixture *f)
{
	struct gg_journal_stats stats;
	do {
		sched_yield();
		gg_journal_get_stats(f->j, &stats);
	} while (stats.plain_segments);
}

static void what_was_plain_is_sealed_while_it_runs(void **state)
{
	struct fixture *f = *state;
	struct gg_journal_stats stats;
	make_plain(f, RECORDS / 2);
	struct read before = read_folder(f, NULL);
	open_only(f);
	gg_journal_get_stats(f->j, &stats);
	assert_true(stats.plain_segments >= 2 && stats.plain_segments == stats.segments);
	end(f);
	struct read mixed = read_folder(f, root);
	assert_int_equal(mixed.positions, before.positions);
	begin(f);
	put(f, RECORDS / 2, RECORDS);
	await_sealed(f);
	struct read after = read_live(f);
	assert_int_equal(after.events, RECORDS);
	assert_int_equal(after.batches, RECORDS);
	assert_int_equal(after.damaged, 0);
	assert_false(folder_says_anything(f));
	end(f);
	after = read_folder(f, root);
	assert_int_equal(after.events, RECORDS);
	assert_int_equal(after.damaged, 0);
}

/* Every record keeps its place; the last segment, too, which nothing follows. */
static void positions_stay_and_a_sealed_last_segment_is_found_again(void **state)
{
	struct fixture *f = *state;
	make_plain(f, RECORDS);
	struct read before = read_folder(f, NULL);
	open_only(f);
	uint64_t behind = gg_journal_end(f->j);
	assert_int_equal(gg_journal_seal_old(f->j), 0);
	end(f);
	assert_false(folder_says_anything(f));
	struct read after = read_folder(f, root);
	assert_int_equal(after.positions, before.positions);
	assert_int_equal(after.events, RECORDS);
	struct gg_error e = {0};
	f->o.root = NULL;
	assert_int_equal(gg_journal_open(&f->o, &f->j, &e), -ENOKEY);
	f->o.root = root;
	open_only(f);
	assert_int_equal(gg_journal_end(f->j), behind);
	end(f);
	after = read_folder(f, root);
	assert_int_equal(after.positions, before.positions);
	assert_int_equal(after.damaged, 0);
}

static void tampering_shows_in_what_was_sealed_later_too(void **state)
{
	struct fixture *f = *state;
	make_plain(f, RECORDS);
	open_only(f);
	assert_int_equal(gg_journal_seal_old(f->j), 0);
	end(f);
	uint8_t key[GG_SEAL_KEY], content[400], other[400];
	struct gg_raw_record events[30];
	struct gg_segment_list l = segments_of(f, key);
	assert_int_equal(l.items[0].form, GG_SEGMENT_SEALED_LATER);
	assert_true(events_in(f, &l.items[0], events, 30) > 5);
	get_record(f, &l.items[0], &events[1], content);
	get_record(f, &l.items[0], &events[3], other);
	put_record(f, &l.items[0], &events[1], other);
	put_record(f, &l.items[0], &events[3], content);
	assert_int_equal(read_folder(f, root).events, RECORDS - 2);
	int fd = open_segment(f, l.items[0].first); /* an entry of the table */
	off_t entry = (off_t)(l.items[0].end - l.items[0].first) + 10;
	assert_int_equal(pwrite(fd, "\x55\xaa", 2, entry), 2);
	close(fd);
	struct read all = read_folder(f, root);
	assert_true(all.events == RECORDS - 2 && all.damaged > 0);
	gg_segment_list_done(&l);
}

/* A damaged record in the midst becomes a mark, what is behind stays in its place. */
static void damage_from_before_does_not_keep_it_from_being_sealed(void **state)
{
	struct fixture *f = *state;
	make_plain(f, RECORDS);
	uint8_t key[GG_SEAL_KEY];
	struct gg_raw_record events[30];
	struct gg_segment_list l = segments_of(f, key);
	assert_true(events_in(f, &l.items[0], events, 30) > 5);
	int fd = open_segment(f, l.items[0].first);
	off_t at = (off_t)(events[2].position - l.items[0].first) + GG_RECORD_HEADER + 3;
	assert_int_equal(pwrite(fd, "rot", 3, at), 3);
	close(fd);
	open_only(f);
	assert_int_equal(gg_journal_seal_old(f->j), 0);
	assert_false(folder_says_anything(f));
	struct read all = read_live(f);
	assert_int_equal(all.events, RECORDS - 1);
	assert_int_equal(all.batches, RECORDS);
	gg_segment_list_done(&l);
}

static void sealing_may_fail_at_any_call_and_loses_nothing(void **state)
{
	struct fixture *f = *state;
	long nth = 0;
	for (int status = -1; status < 0;) {
		nth++;
		folder_empty(f->dir);
		f->o.files = NULL;
		make_plain(f, RECORDS);
		f->o.files = &f->sim.ops;
		f->sim.calls = 0;
		f->sim.nth = nth;
		f->sim.tear = nth % 2;
		f->sim.error = nth % 3 ? -EIO : -ENOSPC;
		open_only(f);
		status = gg_journal_seal_old(f->j);
		assert_true(status < 0 || f->sim.calls < nth);
		assert_int_equal(read_live(f).events, RECORDS);
		end(f);
		assert_int_equal(read_folder(f, root).events, RECORDS);
		f->sim.nth = 0;
		open_only(f); /* the next start goes on with it */
		assert_int_equal(gg_journal_seal_old(f->j), 0);
		assert_false(folder_says_anything(f));
		struct read all = read_live(f);
		assert_true(all.events == RECORDS && all.batches == RECORDS && all.damaged == 0);
		end(f);
		sim_done(&f->sim);
	}
	assert_true(nth > 15);
}

/* ---- taking out ---- */

static bool every_signal(GG_UNUSED void *arg, GG_UNUSED uint32_t index)
{
	return true;
}

static bool of_the_first_half(GG_UNUSED void *arg, const struct gg_record *r)
{
	uint64_t n = 0;
	return r->kind == GG_RECORD_EVENT && gg_parse_uint(gg_str_n(r->bytes.p, 3), &n) == 0 &&
	       n < RECORDS / 2;
}

/* Plain, sealed later and sealed at once, side by side. */
static void what_is_taken_out_of_sealed_segments_is_gone_and_the_rest_reads_on(void **state)
{
	struct fixture *f = *state;
	const struct gg_journal_wish wish = {.arg = f,
		.from = 4 * GG_NS_PER_S,
		.to = INT64_MAX,
		.signal = every_signal,
		.record = of_the_first_half};
	struct gg_journal_erased erased;
	for (int later = 0; later < 2; later++) {
		folder_empty(f->dir);
		make_plain(f, RECORDS / 3);
		open_only(f);
		if (later)
			assert_int_equal(gg_journal_seal_old(f->j), 0);
		struct gg_error e = {0};
		assert_int_equal(gg_journal_start(f->j, &e), 0);
		put(f, RECORDS / 3, RECORDS);
		assert_int_equal(gg_journal_erase(f->j, &wish, &erased), 0);
		assert_int_equal(erased.samples, RECORDS);
		assert_int_equal(erased.records, RECORDS / 2 + RECORDS);
		struct gg_journal_reader *r = NULL;
		struct gg_record rec;
		unsigned events = 0, batches = 0;
		assert_int_equal(gg_journal_reader_new(f->j, 0, &r), 0);
		while (gg_journal_next(r, &rec) == 1) {
			events += rec.kind == GG_RECORD_EVENT;
			batches += rec.batch != NULL;
			if (rec.batch)
				assert_int_equal(rec.batch->count, 4);
			gg_batch_unref(rec.batch);
		}
		assert_int_equal(gg_journal_reader_damaged(r), 0);
		gg_journal_reader_free(r);
		assert_int_equal(events, RECORDS / 2);
		assert_int_equal(batches, RECORDS);
		await_sealed(f);
		assert_false(folder_says_anything(f));
		end(f);
	}
}

/* ---- copies ---- */

struct copying {
	char to[128];
};

static int copy(void *arg, const char *path, const char *name, uint64_t bytes, GG_UNUSED bool whole)
{
	struct copying *c = arg;
	char to[256];
	static char chunk[1 << 20];
	snprintf(to, sizeof to, "%s/%s", c->to, name);
	int in = open(path, O_RDONLY | O_CLOEXEC), out = open(to, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(bytes <= sizeof chunk);
	assert_int_equal(read(in, chunk, bytes), bytes);
	assert_int_equal(write(out, chunk, bytes), bytes);
	close(in);
	close(out);
	return 0;
}

static void a_backup_holds_it_sealed_and_whole(void **state)
{
	struct fixture *f = *state;
	struct copying c;
	make_plain(f, RECORDS / 2);
	open_only(f);
	assert_int_equal(gg_journal_seal_old(f->j), 0);
	struct gg_error e = {0};
	assert_int_equal(gg_journal_start(f->j, &e), 0);
	put(f, RECORDS / 2, RECORDS);
	snprintf(c.to, sizeof c.to, "%s/copy", f->folder.path);
	assert_int_equal(mkdir(c.to, 0700), 0);
	assert_int_equal(gg_snapshot_segments(f->dir, gg_journal_end(f->j), copy, &c), 0);
	end(f);
	f->o.dir = c.to;
	gg_str_copy(f->dir, sizeof f->dir, gg_str(c.to));
	assert_false(folder_says_anything(f));
	struct read all = read_folder(f, root);
	assert_int_equal(all.events, RECORDS);
	assert_int_equal(all.damaged, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(what_was_plain_is_sealed_while_it_runs),
		TEST(positions_stay_and_a_sealed_last_segment_is_found_again),
		TEST(tampering_shows_in_what_was_sealed_later_too),
		TEST(damage_from_before_does_not_keep_it_from_being_sealed),
		TEST(sealing_may_fail_at_any_call_and_loses_nothing),
		TEST(what_is_taken_out_of_sealed_segments_is_gone_and_the_rest_reads_on),
		TEST(a_backup_holds_it_sealed_and_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
