/* SPDX-License-Identifier: Apache-2.0 */
/* What a sealed journal keeps from others, and what it refuses. */
#include "sealed_journal.h"

static void nothing_that_was_said_stands_in_the_files(void **state)
{
	struct fixture *f = *state;
	begin(f);
	put(f, 0, RECORDS);
	assert_false(folder_says_anything(f));
	end(f);
	assert_false(folder_says_anything(f));
	struct read all = read_folder(f, root);
	assert_int_equal(all.batches, RECORDS);
	assert_int_equal(all.events, RECORDS);
	assert_int_equal(all.damaged, 0);
}

/* Whoever has no key, or another, is told so, and not a byte is changed: nothing is taken for damage. */
static void without_its_key_it_is_refused_and_nothing_changes(void **state)
{
	struct fixture *f = *state;
	begin(f);
	put(f, 0, RECORDS);
	end(f);
	uint8_t key[GG_SEAL_KEY];
	struct gg_segment_list l = segments_of(f, key);
	int fd = open_segment(f, l.items[l.count - 1].first); /* a torn end, too, stays as it is */
	off_t size = lseek(fd, 0, SEEK_END);
	assert_int_equal(pwrite(fd, "half a record", 13, size), 13);
	close(fd);
	gg_segment_list_done(&l);
	struct gg_buf before = bytes_of(f->dir);
	const struct {
		const uint8_t *key;
		int status;
		const char *says;
	} tries[] = {{NULL, -ENOKEY, "no key"}, {another, -EKEYREJECTED, "another key"}};
	for (size_t i = 0; i < GG_COUNT(tries); i++) {
		struct gg_error e = {0};
		struct gg_journal_reader *r = NULL;
		f->o.root = tries[i].key;
		assert_int_equal(gg_journal_open(&f->o, &f->j, &e), tries[i].status);
		assert_non_null(strstr(e.text, tries[i].says));
		assert_int_equal(gg_journal_reader_open(f->dir, &gg_names_table, tries[i].key, 0, &r),
			tries[i].status);
		struct gg_buf after = bytes_of(f->dir);
		assert_int_equal(after.len, before.len);
		assert_memory_equal(after.p, before.p, before.len);
		gg_buf_done(&after);
	}
	gg_buf_done(&before);
	f->o.root = root;
	begin(f);
	assert_int_equal(read_live(f).events, RECORDS);
	assert_int_equal(f->tampered, 0);
}

static void a_record_that_somebody_changed_is_passed_over_and_told(void **state)
{
	struct fixture *f = *state;
	begin(f);
	put(f, 0, RECORDS);
	end(f);
	uint8_t key[GG_SEAL_KEY], content[400];
	struct gg_raw_record events[30];
	struct gg_segment_list l = segments_of(f, key);
	assert_true(l.count >= 3 && events_in(f, &l.items[1], events, 30) > 3);
	get_record(f, &l.items[1], &events[2], content);
	for (uint32_t byte = 0; byte < events[2].length; byte += 7) {
		content[byte] ^= 1;
		put_record(f, &l.items[1], &events[2], content);
		struct read all = read_folder(f, root);
		assert_int_equal(all.events, RECORDS - 1);
		assert_int_equal(all.batches, RECORDS);
		assert_int_equal(all.damaged, events[2].length);
		content[byte] ^= 1;
	}
	begin(f);
	struct read all = read_live(f);
	assert_int_equal(all.events, RECORDS - 1);
	assert_int_equal(f->tampered, 1);
	assert_int_equal(f->tampered_at, events[2].position);
	gg_segment_list_done(&l);
}

static void a_record_opens_only_in_its_own_place_and_segment(void **state)
{
	struct fixture *f = *state;
	begin(f);
	put(f, 0, RECORDS);
	end(f);
	uint8_t key[GG_SEAL_KEY], a[400], b[400], c[400];
	struct gg_raw_record one[30], two[30];
	struct gg_segment_list l = segments_of(f, key);
	assert_true(events_in(f, &l.items[0], one, 30) > 3 && events_in(f, &l.items[1], two, 30) > 3);
	assert_true(one[1].length == one[2].length && one[3].length == two[1].length);
	get_record(f, &l.items[0], &one[1], a);
	get_record(f, &l.items[0], &one[2], b);
	get_record(f, &l.items[0], &one[3], c);
	put_record(f, &l.items[0], &one[1], b); /* two change places */
	put_record(f, &l.items[0], &one[2], a);
	put_record(f, &l.items[1], &two[1], c); /* one comes from another segment */
	struct read all = read_folder(f, root);
	assert_int_equal(all.events, RECORDS - 3);
	assert_int_equal(all.batches, RECORDS);
	/* a kind that another reader listens to */
	put_record(f, &l.items[0], &one[1], a);
	put_record(f, &l.items[0], &one[2], b);
	one[3].kind = GG_RECORD_KEPT;
	put_record(f, &l.items[0], &one[3], c);
	all = read_folder(f, root);
	assert_int_equal(all.events, RECORDS - 2);
	gg_segment_list_done(&l);
}

/* A head that was changed and whose checksum was mended, and a segment in another's place. */
static void a_segment_of_another_journal_is_passed_over(void **state)
{
	struct fixture *f = *state;
	begin(f);
	put(f, 0, RECORDS);
	end(f);
	uint8_t key[GG_SEAL_KEY], head[GG_SEGMENT_HEADER + GG_SEGMENT_SEALING];
	struct gg_segment_list l = segments_of(f, key);
	unsigned all = read_folder(f, root).events;
	int from = open_segment(f, l.items[2].first), to = open_segment(f, l.items[1].first);
	assert_int_equal(pread(from, head, sizeof head, 0), sizeof head);
	assert_int_equal(pwrite(to, head + GG_SEGMENT_HEADER, GG_SEGMENT_SEALING, GG_SEGMENT_HEADER),
		GG_SEGMENT_SEALING);
	close(from);
	close(to);
	struct read r = read_folder(f, root);
	assert_true(r.events < all && r.events > 10); /* its checksum does not fit: as rot is */
	/* and now with one that fits, of another key */
	struct gg_seal *seal = NULL;
	struct gg_segment_header h = {GG_SEGMENT_SEALED, l.items[1].first, l.items[0].end, 0};
	assert_int_equal(gg_seal_new(another, &seal), 0);
	gg_segment_header_encode(&h, head);
	assert_int_equal(gg_segment_sealing_make(seal, head, h.first, 0, head + GG_SEGMENT_HEADER), 0);
	gg_seal_free(seal);
	to = open_segment(f, l.items[1].first);
	assert_int_equal(pwrite(to, head, sizeof head, 0), sizeof head);
	close(to);
	assert_int_equal(read_folder(f, root).events, r.events);
	begin(f);
	assert_int_equal(read_live(f).events, r.events);
	gg_segment_list_done(&l);
}

/* Plain is read only where it may be from before. */
static void a_plain_segment_that_was_planted_is_not_read(void **state)
{
	struct fixture *f = *state;
	begin(f);
	put(f, 0, RECORDS / 2);
	uint64_t behind = gg_journal_end(f->j) + 100;
	end(f);
	uint8_t file[400] = {0};
	char name[GG_PATH_MAX], lie[] = "x1099 planted";
	struct gg_segment_header h = {.first = behind, .previous_end = behind - 100};
	gg_segment_header_encode(&h, file);
	lie[0] = 0;
	memcpy(file + GG_SEGMENT_HEADER + GG_RECORD_HEADER, lie, sizeof lie);
	gg_record_finish(file + GG_SEGMENT_HEADER, behind + GG_SEGMENT_HEADER, GG_RECORD_EVENT, sizeof lie);
	assert_int_equal(gg_segment_path(name, f->dir, behind), 0);
	int fd = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, file, sizeof file), sizeof file);
	close(fd);
	assert_int_equal(read_folder(f, root).events, RECORDS / 2);
	begin(f);
	put(f, RECORDS / 2, RECORDS);
	assert_int_equal(read_live(f).events, RECORDS);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(nothing_that_was_said_stands_in_the_files),
		TEST(without_its_key_it_is_refused_and_nothing_changes),
		TEST(a_record_that_somebody_changed_is_passed_over_and_told),
		TEST(a_record_opens_only_in_its_own_place_and_segment),
		TEST(a_segment_of_another_journal_is_passed_over),
		TEST(a_plain_segment_that_was_planted_is_not_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
