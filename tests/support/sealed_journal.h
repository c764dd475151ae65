/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of sealed journals share: records that are easily found, and hands on the files. */
#ifndef GG_SEALED_JOURNAL_H
#define GG_SEALED_JOURNAL_H

#include "store_fixture.h"

#include "sim_files.h"
#include "store/journal_private.h"

enum { RECORDS = 60 };

static GG_UNUSED const uint8_t root[GG_SEAL_KEY] = "the root key of this gateway";
static GG_UNUSED const uint8_t another[GG_SEAL_KEY] = "the root key of another gateway";

struct fixture {
	struct folder folder;
	struct sim sim;
	struct gg_journal *j;
	struct gg_journal_options o;
	char dir[128];
	_Atomic int tampered;
	_Atomic uint64_t tampered_at;
};

static inline void on_tampered(void *arg, uint64_t position)
{
	struct fixture *f = arg;
	f->tampered_at = position;
	f->tampered++;
}

static inline int set_up(void **state)
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

static inline int tear_down(void **state)
{
	struct fixture *f = *state;
	gg_journal_close(f->j);
	sim_done(&f->sim);
	folder_remove(&f->folder);
	free(f);
	return 0;
}

static inline void open_only(struct fixture *f)
{
	struct gg_error e = {0};
	assert_int_equal(gg_journal_open(&f->o, &f->j, &e), 0);
	gg_journal_pin(f->j, "test", 0, true);
}

static inline void begin(struct fixture *f)
{
	struct gg_error e = {0};
	open_only(f);
	assert_int_equal(gg_journal_start(f->j, &e), 0);
}

static inline void end(struct fixture *f)
{
	gg_journal_close(f->j);
	f->j = NULL;
}

/* Records from..to - 1, each a batch and an event, in segments of some twenty. */
static inline void put(struct fixture *f, int from, int to)
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

static inline struct read read_all(struct gg_journal_reader *r)
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

static inline struct read read_folder(struct fixture *f, const uint8_t *key)
{
	struct gg_journal_reader *r = NULL;
	assert_int_equal(gg_journal_reader_open(f->dir, &gg_names_table, key, 0, &r), 0);
	return read_all(r);
}

static inline struct read read_live(struct fixture *f)
{
	struct gg_journal_reader *r = NULL;
	assert_int_equal(gg_journal_reader_new(f->j, 0, &r), 0);
	return read_all(r);
}

/* All files of the folder, one behind the other. */
static inline struct gg_buf bytes_of(const char *path)
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

static inline bool folder_says(struct fixture *f, const char *word)
{
	struct gg_buf all = bytes_of(f->dir);
	bool says = all.len && memmem(all.p, all.len, word, strlen(word));
	gg_buf_done(&all);
	return says;
}

static inline bool folder_says_anything(struct fixture *f)
{
	return folder_says(f, "Rosalind") || folder_says(f, "Hildegard") || folder_says(f, "porter") ||
	       folder_says(f, "kiln-9");
}

static inline struct gg_segment_list segments_of(struct fixture *f, uint8_t key[GG_SEAL_KEY])
{
	struct gg_segment_list l = {.key = key};
	assert_int_equal(gg_seal_derive(root, GG_STR("journal"), key), 0);
	assert_int_equal(gg_segment_list_load(&l, f->dir), 0);
	return l;
}

static inline int open_segment(struct fixture *f, uint64_t first)
{
	char path[GG_PATH_MAX];
	assert_int_equal(gg_segment_path(path, f->dir, first), 0);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

/* The event records of a segment: positions and lengths. */
static inline size_t events_in(
	struct fixture *f, const struct gg_segment *s, struct gg_raw_record *to, size_t most)
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

/* Changes the record at its place and mends its checksum. */
static inline void put_record(
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

static inline void get_record(
	struct fixture *f, const struct gg_segment *s, const struct gg_raw_record *at, uint8_t content[400])
{
	int fd = open_segment(f, s->first);
	off_t from = (off_t)(at->position - s->first) + GG_RECORD_HEADER;
	assert_int_equal(pread(fd, content, at->length, from), at->length);
	close(fd);
}

#endif
