/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a sealed file comes about. Nothing is ever made under its own name: a crash in between leaves what was.
 *
 *   new         PATH.sealing ── made, log mode, synced ── renamed to PATH
 *   from plain  its log folded in ── VACUUM INTO PATH.sealing ── synced
 *               PATH.plain is a second name of the plain file ── PATH.sealing renamed to PATH
 *               PATH.plain overwritten, synced, removed: this is taken up again after a crash
 *   to plain    the same with PATH.unsealing, and nothing to overwrite
 *
 * Overwriting reaches what the disk still gives under the old block's number: not the flash behind it, nor
 * copies of a file system that writes elsewhere (btrfs, f2fs).
 */
#include "base/clock.h"
#include "base/log.h"
#include "store/sealed_vfs.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { PATH_BYTES = 4200, CHUNK = 256 << 10, PROGRESS_STEPS = 20000 };

static const int64_t tell_ns = 5 * GG_NS_PER_S;

/* guards the making: one at a time in this process; others are kept away by the lock on the data folder */
static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;

struct names {
	const char *path;
	char fresh[PATH_BYTES], old[PATH_BYTES];
};

/* ---- how far it is ---- */

static void (*on_progress)(const char *path, unsigned percent);

void gg_sealed_on_progress(void (*each)(const char *path, unsigned percent))
{
	on_progress = each;
}

struct progress {
	const char *path;
	int64_t told;
};

static void tell(struct progress *p, uint64_t done, uint64_t of)
{
	int64_t now = gg_clock_monotonic(&gg_clock_system);
	unsigned percent = (unsigned)(done >= of ? 100 : 100 * done / of);
	if (p->told && now - p->told < tell_ns)
		return;
	p->told = now;
	gg_log(GG_INFO, "store", "the database is being rewritten", GG_S("file", p->path),
		GG_I("percent", percent));
	if (on_progress)
		on_progress(p->path, percent);
}

/* ---- files ---- */

static int name(struct names *n, const char *path, bool seal, struct gg_error *e)
{
	n->path = path;
	if (strlen(path) > PATH_BYTES - 40)
		return gg_error_set(e, -ENAMETOOLONG, "%s: too long a name", path);
	snprintf(n->fresh, sizeof n->fresh, "%s.%s", path, seal ? "sealing" : "unsealing");
	snprintf(n->old, sizeof n->old, "%s.plain", path);
	return 0;
}

static void clear(const struct names *n)
{
	static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
	char path[PATH_BYTES + 10];
	for (size_t i = 0; i < GG_COUNT(ends); i++) {
		snprintf(path, sizeof path, "%s%s", n->fresh, ends[i]);
		unlink(path);
	}
}

static int sync_folder(const char *path)
{
	char folder[PATH_BYTES];
	snprintf(folder, sizeof folder, "%s", path);
	char *end = strrchr(folder, '/');
	if (end)
		end[end == folder] = '\0';
	int fd = open(end ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 || fsync(fd) < 0 ? -errno : 0;
	if (fd >= 0)
		close(fd);
	return rc;
}

static int sync_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	int rc = fd < 0 || fsync(fd) < 0 ? -errno : 0;
	if (fd >= 0)
		close(fd);
	return rc;
}

/* ---- the old file's bytes ---- */

/* Closes fd. */
static void overwrite(int fd, struct progress *p)
{
	static const uint8_t zeros[CHUNK];
	struct stat st = {0};
	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0)
		for (off_t at = 0; at < st.st_size;) {
			ssize_t n = pwrite(fd, zeros, gg_min_size(CHUNK, (size_t)(st.st_size - at)), at);
			if (n <= 0 && errno != EINTR)
				break;
			at += n > 0 ? n : 0;
			tell(p, (uint64_t)at, (uint64_t)st.st_size);
		}
	fsync(fd);
	close(fd);
}

/* The name goes last: until then a crash does not keep it from being taken up again. */
static void wipe(const struct names *n)
{
	struct stat old, now;
	struct progress p = {.path = n->old};
	if (lstat(n->old, &old) < 0)
		return;
	if (S_ISREG(old.st_mode) && stat(n->path, &now) == 0 && old.st_ino != now.st_ino)
		overwrite(open(n->old, O_WRONLY | O_CLOEXEC | O_NOFOLLOW), &p);
	unlink(n->old);
	sync_folder(n->path);
}

/* ---- a new file ---- */

static int opened(const char *path, const char *vfs, int flags, sqlite3 **ret_db, struct gg_error *e)
{
	sqlite3 *db = NULL;
	int code = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | flags, vfs);
	if (code == SQLITE_OK) {
		sqlite3_busy_timeout(db, 5000);
		*ret_db = db;
		return 0;
	}
	int rc = gg_error_set(e, (code & 0xff) == SQLITE_FULL ? -ENOSPC : -EIO, "%s can't be opened: %s",
		path, db ? sqlite3_errmsg(db) : "out of memory");
	sqlite3_close(db);
	return rc;
}

static int failed(sqlite3 *db, int code, const char *path, const char *what, struct gg_error *e)
{
	return gg_error_set(e, (code & 0xff) == SQLITE_FULL ? -ENOSPC : -EIO, "%s can't be %s: %s", path,
		what, sqlite3_errmsg(db));
}

/* Without a journal: nobody but us knows of the file yet. */
static int to_log_mode(
	const struct names *n, const char *vfs, const char *more, const char *what, struct gg_error *e)
{
	sqlite3 *db = NULL;
	int reserve = GG_SEALED_RESERVE;
	int rc = opened(n->fresh, vfs, SQLITE_OPEN_CREATE, &db, e);
	if (rc < 0)
		return rc;
	sqlite3_file_control(db, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserve);
	int code = sqlite3_exec(db, "PRAGMA temp_store=MEMORY; PRAGMA journal_mode=OFF", NULL, NULL, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_exec(db, more, NULL, NULL, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_exec(db, "PRAGMA journal_mode=WAL", NULL, NULL, NULL);
	if (code != SQLITE_OK)
		rc = failed(db, code, n->path, what, e);
	sqlite3_close(db);
	if (rc == 0 && (rc = sync_file(n->fresh)) < 0)
		gg_error_set(e, rc, "%s can't be %s: %s", n->path, what, strerror(-rc));
	return rc;
}

static int put_in_place(const struct names *n, const char *what, struct gg_error *e)
{
	int rc = rename(n->fresh, n->path) < 0 ? -errno : sync_folder(n->path);
	return rc < 0 ? gg_error_set(e, rc, "%s can't be %s: %s", n->path, what, strerror(-rc)) : 0;
}

static int make(const struct names *n, struct gg_error *e)
{
	clear(n);
	int rc = to_log_mode(
		n, GG_SEALED_VFS, "PRAGMA page_size=4096; PRAGMA auto_vacuum=INCREMENTAL", "made", e);
	if (rc == 0)
		rc = put_in_place(n, "made", e);
	if (rc < 0)
		clear(n);
	return rc;
}

/* ---- from the one to the other ---- */

struct turn {
	const struct names *n;
	const char *from_vfs, *to_vfs, *what;
	int64_t began;
	uint64_t bytes;
	struct progress progress;
};

static int at_work(void *arg)
{
	struct turn *t = arg;
	struct stat st;
	if (stat(t->n->fresh, &st) == 0)
		tell(&t->progress, (uint64_t)st.st_size, t->bytes);
	return 0;
}

static int check_room(const struct turn *t, struct gg_error *e)
{
	struct statvfs fs;
	if (statvfs(t->n->path, &fs) < 0 || (uint64_t)fs.f_bavail * fs.f_frsize > t->bytes + (1U << 20))
		return 0;
	return gg_error_set(e, -ENOSPC,
		"%s can't be %s: for that it is written a second time, %llu MiB must be free", t->n->path,
		t->what, (unsigned long long)((t->bytes >> 20) + 1));
}

/* As a URI, so that the other VFS can be named. */
static void uri_of(const struct turn *t, char to[3 * PATH_BYTES + 40])
{
	static const char hex[] = "0123456789ABCDEF";
	char *p = to + snprintf(to, 10, "file:");
	for (const char *c = t->n->fresh; *c; c++) {
		bool safe = ((*c | 32) >= 'a' && (*c | 32) <= 'z') || (*c >= '0' && *c <= '9') ||
			    strchr("/.-_", *c);
		if (safe) {
			*p++ = *c;
			continue;
		}
		*p++ = '%';
		*p++ = hex[(uint8_t)*c >> 4];
		*p++ = hex[*c & 15];
	}
	snprintf(p, 40, "?vfs=%s", t->to_vfs);
}

static int copy(struct turn *t, sqlite3 *db, struct gg_error *e)
{
	char uri[3 * PATH_BYTES + 40];
	sqlite3_stmt *s = NULL;
	int reserve = GG_SEALED_RESERVE;
	int code = sqlite3_exec(db,
		"PRAGMA temp_store=MEMORY; PRAGMA synchronous=FULL; PRAGMA wal_checkpoint(FULL)", NULL, NULL,
		NULL);
	uri_of(t, uri);
	sqlite3_file_control(db, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserve);
	sqlite3_progress_handler(db, PROGRESS_STEPS, at_work, t);
	if (code == SQLITE_OK)
		code = sqlite3_prepare_v2(db, "VACUUM INTO ?1", -1, &s, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_bind_text(s, 1, uri, -1, SQLITE_STATIC);
	if (code == SQLITE_OK)
		code = sqlite3_step(s);
	int rc = code == SQLITE_DONE ? 0 : failed(db, code, t->n->path, t->what, e);
	sqlite3_finalize(s);
	return rc;
}

/* A command that root runs must not leave a file that the gateway can't open. */
static int own_as(const char *path, const struct stat *as)
{
	struct stat now;
	if (stat(path, &now) < 0 || chmod(path, as->st_mode & 0777) < 0)
		return -errno;
	bool same = now.st_uid == as->st_uid && now.st_gid == as->st_gid;
	return same || chown(path, as->st_uid, as->st_gid) == 0 ? 0 : -errno;
}

/* The copy, ready to be put in place. */
static int write_other(struct turn *t, struct gg_error *e)
{
	sqlite3 *db = NULL;
	struct stat st, old = {0};
	char log[PATH_BYTES + 10];
	clear(t->n);
	snprintf(log, sizeof log, "%s-wal", t->n->path);
	int wal = open(
		log, O_WRONLY | O_CLOEXEC | O_NOFOLLOW); /* SQLite will remove it: its bytes are plain too */
	t->bytes = stat(t->n->path, &old) == 0 ? (uint64_t)old.st_size : 0;
	t->bytes += wal >= 0 && fstat(wal, &st) == 0 ? (uint64_t)st.st_size : 0;
	int rc = check_room(t, e);
	if (rc == 0)
		tell(&t->progress, 0, 1);
	if (rc == 0)
		rc = opened(t->n->path, t->from_vfs, SQLITE_OPEN_URI, &db, e);
	if (rc == 0)
		rc = copy(t, db, e);
	if (sqlite3_close(db) == SQLITE_OK && rc == 0 && access(log, F_OK) == 0)
		rc = gg_error_set(
			e, -EBUSY, "%s can't be %s: somebody else has it open", t->n->path, t->what);
	if (rc == 0)
		rc = to_log_mode(t->n, t->to_vfs, "", t->what, e);
	if (rc == 0 && (rc = own_as(t->n->fresh, &old)) < 0)
		gg_error_set(e, rc, "%s can't be given its owner: %s", t->n->fresh, strerror(-rc));
	if (rc == 0)
		overwrite(wal, &t->progress);
	else if (wal >= 0)
		close(wal);
	return rc;
}

static void done(const struct turn *t)
{
	int64_t ms = (gg_clock_monotonic(&gg_clock_system) - t->began) / GG_NS_PER_MS;
	gg_log(GG_WARN, "store", "the database was rewritten", GG_S("file", t->n->path), GG_S("is", t->what),
		GG_I("mib", t->bytes >> 20), GG_I("ms", ms));
}

static int seal(const struct names *n, struct gg_error *e)
{
	struct turn t = {.n = n,
		.from_vfs = gg_sealed_vfs_below()->zName,
		.to_vfs = GG_SEALED_VFS,
		.what = "sealed",
		.progress = {.path = n->path},
		.began = gg_clock_monotonic(&gg_clock_system)};
	int rc = write_other(&t, e), plain = -1;
	if (rc == 0) {
		unlink(n->old);
		if (link(n->path, n->old) < 0) /* not on every file system: then it is not taken up again */
			plain = open(n->path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
		rc = put_in_place(n, t.what, e);
	}
	if (rc == 0) {
		overwrite(plain, &t.progress);
		wipe(n);
		done(&t);
		return 0;
	}
	if (plain >= 0)
		close(plain);
	clear(n);
	return rc;
}

int gg_sealed_undo(const char *path, struct gg_error *e)
{
	struct names n;
	struct turn t = {
		.n = &n, .from_vfs = GG_SEALED_VFS, .what = "made plain", .progress = {.path = path}};
	t.began = gg_clock_monotonic(&gg_clock_system);
	int rc = name(&n, path, /* seal= */ false, e);
	if (rc == 0 && gg_sealed_look(path) != GG_SEALED_OURS)
		rc = gg_error_set(e, -EACCES, "%s is not sealed with this key", path);
	if (rc < 0)
		return rc;
	pthread_mutex_lock(&making);
	t.to_vfs = gg_sealed_vfs_below()->zName;
	rc = write_other(&t, e);
	if (rc == 0)
		rc = put_in_place(&n, t.what, e);
	if (rc < 0)
		clear(&n);
	else
		done(&t);
	pthread_mutex_unlock(&making);
	return rc;
}

/* ---- what is to be done ---- */

/* Another thread may have made it meanwhile. */
static int make_sealed(const struct names *n, struct gg_error *e)
{
	pthread_mutex_lock(&making);
	enum gg_sealed_state state = gg_sealed_look(n->path);
	int rc = state == GG_SEALED_NONE ? make(n, e) : state == GG_SEALED_PLAIN ? seal(n, e) : 0;
	pthread_mutex_unlock(&making);
	return rc;
}

int gg_sealed_prepare(const char *path, bool read_only, const char **ret_vfs, struct gg_error *e)
{
	struct names n;
	enum gg_sealed_state state = gg_sealed_look(path);
	bool key = gg_sealed_vfs_has_key();
	int rc = name(&n, path, /* seal= */ true, e);
	if (state == GG_SEALED_OTHERS)
		return gg_error_set(e, -EACCES,
			key ? "%s is sealed with another key than the one that `encryption` gives"
			    : "%s is sealed: its key is needed (`encryption` in the configuration)",
			path);
	if (rc == 0 && key && !read_only && (state == GG_SEALED_NONE || state == GG_SEALED_PLAIN)) {
		rc = make_sealed(&n, e);
		state = GG_SEALED_OURS;
	}
	if (rc == 0 && key && !read_only && state == GG_SEALED_OURS && access(n.old, F_OK) == 0)
		wipe(&n);
	if (rc == 0)
		*ret_vfs = state == GG_SEALED_OURS ? GG_SEALED_VFS : NULL;
	return rc;
}
