/* SPDX-License-Identifier: Apache-2.0 */
/* What a sealed journal keeps from others, what it refuses, and how a plain one becomes sealed. */
#include "store_fixture.h"

#include "sim_files.h"
#include "store/journal_private.h"
#include "store/snapshot.h"

#include <sched.h>

enum { RECORDS = 60 };

static const uint8_t root[GG_SEAL_KEY] = "the root key of this gateway";
static const uint8_t another[GG_SEAL_KEY] = "the root key of another gateway";

struct fixture {
	struct folder folder;
	struct sim sim;
	struct gg_journal *j;
	struct gg_journal_options o;
	char dir[128];
	_Atomic int tampered;
	_Atomic uint64_t tampered_at;
};

static void on_tampered(void *arg, uint64_t position)
{
	struct fixture *f = arg;
	f->tampered_at = position;
	f->tampered++;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	folder_make(&f->folder);
	snprintf(f->dir, sizeof f->dir, "%s/journal", f->folder.path);
	sim_init(&f->sim);
	f->o = (struct gg_journal_options){.dir = f->dir, .names = &gg_names_table, .root = root, .arg = f};
	f->o.on_tampered = on_tampered;
	f->o.segment_bytes = 2048;
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	gg_journal_close(f->j);
	sim_done(&f->sim);
	folder_remove(&f->folder);
	free(f);
	return 0;
}

static void open_only(struct fixture *f)
{
	struct gg_error e = {0};
	assert_int_equal(gg_journal_open(&f->o, &f->j, &e), 0);
	gg_journal_pin(f->j, "test", 0, true);
}

static void begin(struct fixture *f)
{
	struct gg_error e = {0};
	open_only(f);
	assert_int_equal(gg_journal_start(f->j, &e), 0);
}

static void end(struct fixture *f)
{
	gg_journal_close(f->j);
	f->j = NULL;
}

/* Records from..to - 1, each a batch and an event, in segments of some twenty. */
static void put(struct fixture *f, int from, int to)
{
	char text[100];
	for (int i = from; i < to; i++) {
		struct gg_batch *b = a_batch(a_signal("kiln-9/Hildegard"), 5, 1000, i * 1000);
		assert_int_equal(gg_journal_append(f->j, b), 0);
		gg_batch_unref(b);
		snprintf(text, sizeof text, "%03d Rosalind Quirk was at the gate, at the very gate", i);
		assert_int_equal(
			gg_journal_append_record(f->j, GG_RECORD_EVENT, GG_STR("porter"), gg_str(text), NULL),
			0);
	}
	assert_int_equal(gg_journal_flush(f->j), 0);
}

struct read {
	unsigned batches, events;
	uint64_t positions; /* a sum over them */
	uint64_t damaged;
	bool seen[RECORDS]; /* events */
};

static struct read read_all(struct gg_journal_reader *r)
{
	struct read all = {0};
	struct gg_record rec;
	uint64_t last = 0;
	while (gg_journal_next(r, &rec) == 1) {
		assert_true(rec.position > last);
		last = rec.position;
		if (rec.batch) {
			assert_int_equal(rec.batch->count, 5);
			all.batches++;
			gg_batch_unref(rec.batch);
		} else if (rec.kind == GG_RECORD_EVENT) {
			uint64_t n = RECORDS;
			assert_int_equal(gg_parse_uint(gg_str_n(rec.bytes.p, 3), &n), 0);
			assert_true(n < RECORDS && !all.seen[n]);
			all.seen[n] = true;
			all.events++;
		}
		all.positions += rec.position;
	}
	all.damaged = gg_journal_reader_damaged(r);
	gg_journal_reader_free(r);
	return all;
}

static struct read read_folder(struct fixture *f, const uint8_t *key)
{
	struct gg_journal_reader *r = NULL;
	assert_int_equal(gg_journal_reader_open(f->dir, &gg_names_table, key, 0, &r), 0);
	return read_all(r);
}

static struct read read_live(struct fixture *f)
{
	struct gg_journal_reader *r = NULL;
	assert_int_equal(gg_journal_reader_new(f->j, 0, &r), 0);
	return read_all(r);
}

/* All files of the folder, one behind the other. */
static struct gg_buf bytes_of(const char *path)
{
	struct gg_buf all = GG_BUF(64 << 20);
	DIR *d = opendir(path);
	struct dirent *names[200], copies[200];
	size_t count = 0;
	for (struct dirent *e; d && (e = readdir(d)) && count < GG_COUNT(names);)
		if (e->d_name[0] != '.') {
			copies[count] = *e;
			names[count] = &copies[count];
			count++;
		}
	for (size_t i = 0; i < count; i++) /* in order of names */
		for (size_t k = i + 1; k < count; k++)
			if (strcmp(names[i]->d_name, names[k]->d_name) > 0) {
				struct dirent *swap = names[i];
				names[i] = names[k];
				names[k] = swap;
			}
	for (size_t i = 0; i < count; i++) {
		char name[600], chunk[4096];
		snprintf(name, sizeof name, "%s/%s", path, names[i]->d_name);
		gg_buf_add(&all, names[i]->d_name, strlen(names[i]->d_name));
		int fd = open(name, O_RDONLY | O_CLOEXEC);
		for (ssize_t n; fd >= 0 && (n = read(fd, chunk, sizeof chunk)) > 0;)
			gg_buf_add(&all, chunk, (size_t)n);
		close(fd);
	}
	if (d)
		closedir(d);
	return all;
}

static bool folder_says(struct fixture *f, const char *word)
{
	struct gg_buf all = bytes_of(f->dir);
	bool says = all.len && memmem(all.p, all.len, word, strlen(word));
	gg_buf_done(&all);
	return says;
}

static bool folder_says_anything(struct fixture *f)
{
	return folder_says(f, "Rosalind") || folder_says(f, "Hildegard") || folder_says(f, "porter") ||
	       folder_says(f, "kiln-9");
}

static struct gg_segment_list segments_of(struct fixture *f, uint8_t key[GG_SEAL_KEY])
{
	struct gg_segment_list l = {.key = key};
	assert_int_equal(gg_seal_derive(root, GG_STR("journal"), key), 0);
	assert_int_equal(gg_segment_list_load(&l, f->dir), 0);
	return l;
}

static int open_segment(struct fixture *f, uint64_t first)
{
	char path[GG_PATH_MAX];
	assert_int_equal(gg_segment_path(path, f->dir, first), 0);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

/* The event records of a segment: positions and lengths. */
static size_t events_in(struct fixture *f, const struct gg_segment *s, struct gg_raw_record *to, size_t most)
{
	struct gg_segment_reader r = {.fd = -1};
	struct gg_raw_record raw;
	uint8_t key[GG_SEAL_KEY];
	size_t n = 0;
	assert_int_equal(gg_seal_derive(root, GG_STR("journal"), key), 0);
	r.key = key;
	assert_int_equal(gg_segment_reader_open(&r, f->dir, s->first), 0);
	while (gg_segment_next(&r, s->end, &raw) == 1)
		if (raw.kind == GG_RECORD_EVENT && n < most)
			to[n++] = raw;
	gg_segment_reader_done(&r);
	return n;
}

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

/* Changes the record at its place and mends its checksum. */
static void put_record(
	struct fixture *f, const struct gg_segment *s, const struct gg_raw_record *at, const uint8_t *content)
{
	uint8_t record[GG_RECORD_HEADER + 400];
	assert_true(at->length <= 400);
	memcpy(record + GG_RECORD_HEADER, content, at->length);
	gg_record_finish(record, at->position, at->kind, at->length);
	int fd = open_segment(f, s->first);
	size_t len = GG_RECORD_HEADER + at->length;
	assert_int_equal(pwrite(fd, record, len, (off_t)(at->position - s->first)), len);
	close(fd);
}

static void get_record(
	struct fixture *f, const struct gg_segment *s, const struct gg_raw_record *at, uint8_t content[400])
{
	int fd = open_segment(f, s->first);
	off_t from = (off_t)(at->position - s->first) + GG_RECORD_HEADER;
	assert_int_equal(pread(fd, content, at->length, from), at->length);
	close(fd);
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

/* ---- from plain to sealed ---- */

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
		TEST(nothing_that_was_said_stands_in_the_files),
		TEST(without_its_key_it_is_refused_and_nothing_changes),
		TEST(a_record_that_somebody_changed_is_passed_over_and_told),
		TEST(a_record_opens_only_in_its_own_place_and_segment),
		TEST(a_segment_of_another_journal_is_passed_over),
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
