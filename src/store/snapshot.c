/* SPDX-License-Identifier: Apache-2.0 */
#include "store/snapshot.h"

#include "base/clock.h"
#include "store/journal_private.h"
#include "store/sealed_vfs.h"
#include "store/sql.h"

#include <poll.h>
#include <sys/stat.h>

enum { AGAIN_MS = 20 };

static const int64_t patience_ns = 30 * GG_NS_PER_S;

struct gg_snapshot {
	sqlite3 *db;
	sqlite3_file
		*file; /* SQLite's own: opening the file a second time and closing it would end its locks */
	uint64_t bytes;
};

static int64_t ask(sqlite3 *db, const char *sql, int column)
{
	sqlite3_stmt *s = NULL;
	int64_t n = -1;
	if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW)
		n = sqlite3_column_int64(s, column);
	sqlite3_finalize(s);
	return n;
}

/* Is all of the log in the file? */
static bool fold_in(sqlite3 *db)
{
	sqlite3_stmt *s = NULL;
	bool all = false;
	if (sqlite3_prepare_v2(db, "PRAGMA wal_checkpoint(PASSIVE)", -1, &s, NULL) == SQLITE_OK &&
		sqlite3_step(s) == SQLITE_ROW)
		all = sqlite3_column_int(s, 0) == 0 && sqlite3_column_int(s, 1) == sqlite3_column_int(s, 2);
	sqlite3_finalize(s);
	return all;
}

/* 1 it stands, 0 somebody still reads what was before, or an error. */
static int try_once(struct gg_snapshot *s, sqlite3 *guard)
{
	int status = gg_sql_run(guard, "BEGIN IMMEDIATE");
	if (status < 0)
		return status == -EAGAIN ? 0 : status;
	if (fold_in(s->db) && gg_sql_run(s->db, "BEGIN") == 0)
		status = ask(s->db, "SELECT count(*) FROM sqlite_schema", 0) >= 0;
	gg_sql_run(guard, "ROLLBACK");
	return status;
}

static int begin(struct gg_snapshot *s, const char *path, struct gg_error *e)
{
	sqlite3 *guard = NULL;
	int64_t until = gg_clock_monotonic(&gg_clock_system) + patience_ns;
	int status = gg_sql_open(path, /* read_only= */ false, &guard, e);
	if (status < 0)
		return status;
	while ((status = try_once(s, guard)) == 0 && gg_clock_monotonic(&gg_clock_system) < until)
		poll(NULL, 0, AGAIN_MS);
	sqlite3_close(guard);
	if (status == 1)
		return 0;
	return gg_error_set(e, status < 0 ? status : -EBUSY, "%s can't be held still: %s", path,
		status < 0 ? strerror(-status) : "long queries are reading it; try again");
}

int gg_snapshot_open(const char *path, struct gg_snapshot **ret_snapshot, struct gg_error *e)
{
	struct gg_snapshot *s = calloc(1, sizeof *s);
	if (!s)
		return gg_error_set(e, -ENOMEM, "out of memory");
	int status = gg_sql_open(path, /* read_only= */ false, &s->db, e);
	if (status == 0)
		status = begin(s, path, e);
	if (status == 0) {
		int64_t pages = ask(s->db, "PRAGMA page_count", 0), size = ask(s->db, "PRAGMA page_size", 0);
		int code = sqlite3_file_control(s->db, "main", SQLITE_FCNTL_FILE_POINTER, &s->file);
		s->bytes = (uint64_t)pages * (uint64_t)size;
		if (pages < 0 || size < 0 || code != SQLITE_OK || !s->file->pMethods)
			status = gg_error_set(e, -EIO, "%s can't be read", path);
		else
			s->file = gg_sealed_vfs_raw(s->file); /* what is sealed stays so in a copy */
	}
	if (status < 0) {
		gg_snapshot_close(s);
		return status;
	}
	*ret_snapshot = s;
	return 0;
}

uint64_t gg_snapshot_bytes(const struct gg_snapshot *s)
{
	return s->bytes;
}

int gg_snapshot_read(struct gg_snapshot *s, uint64_t offset, void *to, size_t len)
{
	int code = s->file->pMethods->xRead(s->file, to, (int)len, (sqlite3_int64)offset);
	return code == SQLITE_OK ? 0 : -EIO;
}

struct gg_snapshot *gg_snapshot_close(struct gg_snapshot *s)
{
	if (s)
		sqlite3_close(s->db);
	free(s);
	return NULL;
}

int gg_snapshot_segments(const char *dir, uint64_t end, gg_snapshot_segment *each, void *arg)
{
	struct gg_segment_list list = {0};
	char path[GG_PATH_MAX];
	int status = gg_segment_list_load(&list, dir);
	if (status == -ENOKEY)
		status = 0; /* they are copied as they are */
	for (size_t i = 0; i < list.count && status == 0 && list.items[i].first < end; i++) {
		struct stat st;
		uint64_t most = end - list.items[i].first;
		status = gg_segment_path(path, dir, list.items[i].first);
		if (status == 0 && stat(path, &st) < 0)
			status = -errno;
		/* A table of tags lies behind the records; and who seals afterwards may be at it right now.
		 */
		uint64_t size = (uint64_t)st.st_size;
		bool whole = size <= most || list.items[i].form == GG_SEGMENT_SEALED_LATER;
		if (status == 0)
			status = each(arg, path, strrchr(path, '/') + 1, whole ? size : most, whole);
	}
	gg_segment_list_done(&list);
	return status;
}
