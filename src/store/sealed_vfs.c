/* SPDX-License-Identifier: Apache-2.0 */
/* The VFS and the database's file: see sealed_vfs.h. */
#include "store/sealed_vfs.h"

#include "base/log.h"
#include "store/query_memory.h"
#include "store/sealed_private.h"

#include <pthread.h>
#include <stdatomic.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

enum { PAGE = GG_SEALED_PAGE, HEAD = GG_SEALED_HEAD, BODY = PAGE - GG_SEALED_RESERVE };

/* Newer than the oldest SQLite that we build with: a read of a part of a page is a read of it all here. */
enum { IOCAP_SUBPAGE_READ = 0x8000 };

static const char magic[GG_SEALED_MAGIC + 1] = "GGDB", plain_magic[HEAD] = "SQLite format 3";

static sqlite3_vfs vfs, *below;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t key_lock = PTHREAD_MUTEX_INITIALIZER; /* guards key, check */
static uint8_t key[GG_SEAL_KEY], check[GG_SEALED_CHECK];
static _Atomic bool has_key;

/* ---- pages ---- */

static struct gg_sealed_file *of(sqlite3_file *file)
{
	return (struct gg_sealed_file *)file;
}

bool gg_sealed_know(struct gg_sealed_file *f)
{
	uint8_t head[HEAD];
	if (!f->has_head && f->real->pMethods->xRead(f->real, head, HEAD, 0) == SQLITE_OK &&
		memcmp(head, magic, GG_SEALED_MAGIC) == 0) {
		memcpy(f->head, head, HEAD);
		f->has_head = true;
	}
	return f->has_head;
}

static bool is_zero(const uint8_t *p, size_t len)
{
	return p[0] == 0 && memcmp(p, p + 1, len - 1) == 0;
}

static int wrong(const struct gg_sealed_file *f, uint32_t page)
{
	gg_log(GG_ERROR, "store", "a page does not open: it was damaged, or is from elsewhere",
		GG_S("file", f->name ? f->name : ""), GG_I("page", page));
	return SQLITE_IOERR_DATA;
}

/* SQLITE_IOERR_SHORT_READ, and zeros, where the file ends before. Logs nothing. */
static int read_page(struct gg_sealed_file *f, uint32_t number, uint8_t *to)
{
	uint8_t bound[GG_SEALED_BOUND];
	size_t from = number == 1 ? HEAD : 0;
	int code = f->real->pMethods->xRead(f->real, to, PAGE, (sqlite3_int64)(number - 1) * PAGE);
	if (code == SQLITE_IOERR_SHORT_READ)
		memset(to, 0, PAGE);
	if (code != SQLITE_OK || (is_zero(to + BODY, GG_SEAL_TRAILER) && is_zero(to, BODY)))
		return code;
	if (!gg_sealed_know(f) || (number == 1 && memcmp(to, f->head, HEAD) != 0)) {
		memset(to, 0, PAGE);
		return SQLITE_IOERR_DATA;
	}
	gg_sealed_bind(f, 'd', number, bound);
	if (gg_seal_open(f->seal, gg_str_n(bound, sizeof bound), to + from, BODY - from, to + BODY,
		    to + from) < 0) {
		memset(to, 0, PAGE);
		return SQLITE_IOERR_DATA;
	}
	memset(to + BODY, 0, GG_SEAL_TRAILER);
	if (number == 1)
		memcpy(to, plain_magic, HEAD);
	return SQLITE_OK;
}

/* SQLite looks at the header before it knows of the log. A power cut may have torn page 1 while the log was
 * folded in; it is whole in the log then, so what it needs to find that out is what all our files have. */
static void make_up_header(uint8_t *to)
{
	memset(to, 0, PAGE);
	memcpy(to, plain_magic, HEAD);
	to[16] = PAGE >> 8;
	to[18] = to[19] = 2; /* by log */
	to[20] = GG_SEALED_RESERVE;
	to[21] = 64;
	to[22] = to[23] = 32;
}

static int read_part(struct gg_sealed_file *f, uint32_t number, size_t from, size_t len, uint8_t *to)
{
	int code = read_page(f, number, f->scratch);
	if (code == SQLITE_IOERR_DATA && number == 1 && from == 0 && gg_sealed_know(f)) {
		make_up_header(f->scratch);
		code = SQLITE_OK;
	}
	memcpy(to, f->scratch + from, len);
	return code;
}

static int main_read(sqlite3_file *file, void *to, int len, sqlite3_int64 offset)
{
	struct gg_sealed_file *f = of(file);
	uint8_t *p = to;
	while (len > 0) {
		uint32_t number = (uint32_t)(offset / PAGE) + 1;
		size_t from = (size_t)(offset % PAGE), n = gg_min_size(PAGE - from, (size_t)len);
		int code = n == PAGE ? read_page(f, number, p) : read_part(f, number, from, n, p);
		if (code == SQLITE_IOERR_SHORT_READ)
			memset(p, 0, (size_t)len);
		if (code == SQLITE_IOERR_DATA)
			wrong(f, number);
		if (code != SQLITE_OK)
			return code;
		p += n;
		offset += (sqlite3_int64)n;
		len -= (int)n;
	}
	return SQLITE_OK;
}

/* Only for an empty file: others have theirs, or are not ours. Page 1 may come last. */
static bool make_head(struct gg_sealed_file *f)
{
	sqlite3_int64 size = 0;
	if (f->real->pMethods->xFileSize(f->real, &size) != SQLITE_OK || size > 0)
		return false;
	memcpy(f->head, magic, GG_SEALED_MAGIC);
	memcpy(f->head + GG_SEALED_MAGIC, f->check, GG_SEALED_CHECK);
	f->has_head = RAND_bytes(f->head + HEAD - GG_SEALED_ID, GG_SEALED_ID) == 1;
	return f->has_head;
}

/* Would a page of another size or without room for the trailer be written? */
static bool fits(const uint8_t *first_page)
{
	return memcmp(first_page, plain_magic, HEAD) == 0 && first_page[16] == PAGE >> 8 &&
	       first_page[17] == 0 && first_page[20] == GG_SEALED_RESERVE;
}

static int main_write(sqlite3_file *file, const void *from, int len, sqlite3_int64 offset)
{
	struct gg_sealed_file *f = of(file);
	uint8_t bound[GG_SEALED_BOUND];
	uint32_t number = (uint32_t)(offset / PAGE) + 1;
	size_t skip = number == 1 ? HEAD : 0;
	if (len != PAGE || offset % PAGE != 0 || (number == 1 && !fits(from)) ||
		(!gg_sealed_know(f) && !make_head(f))) {
		gg_log(GG_ERROR, "store", "SQLite writes what is no page of a sealed database",
			GG_S("file", f->name ? f->name : ""), GG_I("offset", offset), GG_I("bytes", len));
		return SQLITE_IOERR_WRITE;
	}
	gg_sealed_bind(f, 'd', number, bound);
	memcpy(f->scratch, f->head, skip);
	if (gg_seal_shut(f->seal, gg_str_n(bound, sizeof bound), (const uint8_t *)from + skip, BODY - skip,
		    f->scratch + skip, f->scratch + BODY) < 0)
		return SQLITE_IOERR_WRITE;
	return f->real->pMethods->xWrite(f->real, f->scratch, PAGE, offset);
}

/* ---- what all files have ---- */

int gg_sealed_close(sqlite3_file *file)
{
	struct gg_sealed_file *f = of(file);
	int code = f->real->pMethods ? f->real->pMethods->xClose(f->real) : SQLITE_OK;
	if (f->main == f)
		gg_seal_free(f->seal);
	if (f->scratch)
		OPENSSL_cleanse(f->scratch, GG_SEALED_SCRATCH);
	free(f->scratch);
	f->base.pMethods = NULL;
	return code;
}

int gg_sealed_sync(sqlite3_file *file, int flags)
{
	struct gg_sealed_file *f = of(file);
	return f->real->pMethods->xSync(f->real, flags);
}

int gg_sealed_control(sqlite3_file *file, int op, void *arg)
{
	struct gg_sealed_file *f = of(file);
	if (op == SQLITE_FCNTL_MMAP_SIZE) {
		*(sqlite3_int64 *)arg = 0;
		return SQLITE_OK;
	}
	return f->real->pMethods->xFileControl(f->real, op, arg);
}

int gg_sealed_sector(sqlite3_file *file)
{
	struct gg_sealed_file *f = of(file);
	return f->real->pMethods->xSectorSize(f->real);
}

/* No write is atomic: a page is torn in its ciphertext. A log without padding: frames have one form. */
int gg_sealed_traits(sqlite3_file *file)
{
	struct gg_sealed_file *f = of(file);
	return (f->real->pMethods->xDeviceCharacteristics(f->real) &
		       ~(SQLITE_IOCAP_ATOMIC | SQLITE_IOCAP_ATOMIC512 | SQLITE_IOCAP_ATOMIC1K |
			       SQLITE_IOCAP_ATOMIC2K | SQLITE_IOCAP_ATOMIC4K | SQLITE_IOCAP_ATOMIC8K |
			       SQLITE_IOCAP_ATOMIC16K | SQLITE_IOCAP_ATOMIC32K | SQLITE_IOCAP_ATOMIC64K |
			       SQLITE_IOCAP_BATCH_ATOMIC | IOCAP_SUBPAGE_READ)) |
	       SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static int main_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	return of(file)->real->pMethods->xTruncate(of(file)->real, size);
}

static int main_size(sqlite3_file *file, sqlite3_int64 *ret_size)
{
	return of(file)->real->pMethods->xFileSize(of(file)->real, ret_size);
}

static int main_lock(sqlite3_file *file, int how)
{
	return of(file)->real->pMethods->xLock(of(file)->real, how);
}

static int main_unlock(sqlite3_file *file, int how)
{
	return of(file)->real->pMethods->xUnlock(of(file)->real, how);
}

static int main_reserved(sqlite3_file *file, int *ret_is)
{
	return of(file)->real->pMethods->xCheckReservedLock(of(file)->real, ret_is);
}

static int main_shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **ret)
{
	return of(file)->real->pMethods->xShmMap(of(file)->real, region, size, extend, ret);
}

static int main_shm_lock(sqlite3_file *file, int at, int n, int flags)
{
	return of(file)->real->pMethods->xShmLock(of(file)->real, at, n, flags);
}

static void main_shm_barrier(sqlite3_file *file)
{
	of(file)->real->pMethods->xShmBarrier(of(file)->real);
}

static int main_shm_unmap(sqlite3_file *file, int remove)
{
	return of(file)->real->pMethods->xShmUnmap(of(file)->real, remove);
}

/* Version 2 has no xFetch: pages are never mapped. */
static const sqlite3_io_methods main_methods = {
	.iVersion = 2,
	.xClose = gg_sealed_close,
	.xRead = main_read,
	.xWrite = main_write,
	.xTruncate = main_truncate,
	.xSync = gg_sealed_sync,
	.xFileSize = main_size,
	.xLock = main_lock,
	.xUnlock = main_unlock,
	.xCheckReservedLock = main_reserved,
	.xFileControl = gg_sealed_control,
	.xSectorSize = gg_sealed_sector,
	.xDeviceCharacteristics = gg_sealed_traits,
	.xShmMap = main_shm_map,
	.xShmLock = main_shm_lock,
	.xShmBarrier = main_shm_barrier,
	.xShmUnmap = main_shm_unmap,
};

sqlite3_file *gg_sealed_vfs_raw(sqlite3_file *f)
{
	return f->pMethods == &main_methods ? of(f)->real : f;
}

/* ---- opening ---- */

static int open_main(struct gg_sealed_file *f)
{
	uint8_t own[GG_SEAL_KEY];
	if (!has_key)
		return SQLITE_CANTOPEN;
	pthread_mutex_lock(&key_lock);
	memcpy(own, key, sizeof own);
	memcpy(f->check, check, sizeof check);
	pthread_mutex_unlock(&key_lock);
	int rc = gg_seal_new(own, &f->seal);
	OPENSSL_cleanse(own, sizeof own);
	f->base.pMethods = &main_methods;
	return rc == 0 ? SQLITE_OK : rc == -ENOMEM ? SQLITE_NOMEM : SQLITE_CANTOPEN;
}

static struct gg_sealed_file *main_of(const char *name)
{
	sqlite3_file *file = name ? sqlite3_database_file_object(name) : NULL;
	return file && file->pMethods == &main_methods ? of(file) : NULL;
}

/* A new file's journal holds only what tells of it: there is nothing to go back to. */
static int open_journal(struct gg_sealed_file *f)
{
	sqlite3_int64 size = 0;
	if (!f->main || main_size(&f->main->base, &size) != SQLITE_OK || size > 0) {
		gg_log(GG_ERROR, "store",
			"a sealed database has no rollback journal; is there one of another?",
			GG_S("file", f->name ? f->name : ""));
		return SQLITE_CANTOPEN;
	}
	f->base.pMethods = &gg_sealed_nothing_methods;
	return SQLITE_OK;
}

static int open_file(sqlite3_vfs *v, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
	struct gg_sealed_file *f = of(file);
	int code = SQLITE_OK;
	(void)v;
	*f = (struct gg_sealed_file){.name = name, .real = (sqlite3_file *)(f + 1), .main = f};
	f->real->pMethods = NULL;
	if (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL))
		f->main = main_of(name);
	if (flags & SQLITE_OPEN_MAIN_JOURNAL)
		return open_journal(f);
	if (!(flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)) || !f->main) {
		gg_log(GG_ERROR, "store", "a temporary file would hold what is sealed, and is refused");
		return SQLITE_CANTOPEN;
	}
	f->scratch = malloc(GG_SEALED_SCRATCH);
	code = f->scratch ? below->xOpen(below, name, f->real, flags, ret_flags) : SQLITE_NOMEM;
	if (code == SQLITE_OK && (flags & SQLITE_OPEN_MAIN_DB))
		code = open_main(f);
	if (code == SQLITE_OK && (flags & SQLITE_OPEN_WAL)) {
		f->seal = f->main->seal;
		f->base.pMethods = &gg_sealed_log_methods;
	}
	if (code != SQLITE_OK)
		gg_sealed_close(file);
	return code;
}

static int delete_file(sqlite3_vfs *v, const char *name, int sync)
{
	(void)v;
	int code = below->xDelete(below, name, sync);
	return code == SQLITE_IOERR_DELETE_NOENT ? SQLITE_OK : code; /* a journal that holds nothing */
}

static int access_file(sqlite3_vfs *v, const char *name, int flags, int *ret)
{
	(void)v;
	return below->xAccess(below, name, flags, ret);
}

static int full_name(sqlite3_vfs *v, const char *name, int size, char *to)
{
	(void)v;
	return below->xFullPathname(below, name, size, to);
}

static void register_once(void)
{
	gg_query_memory_setup(); /* must be before SQLite's first use */
	sqlite3_initialize();
	below = sqlite3_vfs_find(NULL);
	if (!below)
		return;
	vfs = *below; /* its clock, random numbers and so on; they take no file */
	vfs.szOsFile = (int)sizeof(struct gg_sealed_file) + below->szOsFile;
	vfs.pNext = NULL;
	vfs.zName = GG_SEALED_VFS;
	vfs.xOpen = open_file;
	vfs.xDelete = delete_file;
	vfs.xAccess = access_file;
	vfs.xFullPathname = full_name;
	sqlite3_vfs_register(&vfs, /* as default */ 0);
}

sqlite3_vfs *gg_sealed_vfs_below(void)
{
	pthread_once(&once, register_once);
	return below;
}

bool gg_sealed_vfs_has_key(void)
{
	return has_key;
}

int gg_sealed_vfs_key(const uint8_t *root)
{
	uint8_t fresh[GG_SEAL_KEY] = {0}, tells[GG_SEAL_KEY] = {0};
	if (!gg_sealed_vfs_below())
		return -EIO;
	int rc = root ? gg_seal_derive(root, GG_STR("databases"), fresh) : 0;
	if (root && rc == 0)
		rc = gg_seal_derive(root, GG_STR("databases: which key"), tells);
	if (rc == 0) {
		pthread_mutex_lock(&key_lock);
		memcpy(key, fresh, sizeof key);
		memcpy(check, tells, sizeof check);
		has_key = root != NULL;
		pthread_mutex_unlock(&key_lock);
	}
	OPENSSL_cleanse(fresh, sizeof fresh);
	return rc;
}

static enum gg_sealed_state state_of(sqlite3_file *f)
{
	char head[HEAD];
	sqlite3_int64 size = 0;
	enum gg_sealed_state state = GG_SEALED_UNKNOWN;
	if (f->pMethods->xFileSize(f, &size) == SQLITE_OK && size == 0)
		return GG_SEALED_NONE;
	if (f->pMethods->xRead(f, head, HEAD, 0) != SQLITE_OK)
		return GG_SEALED_UNKNOWN;
	pthread_mutex_lock(&key_lock);
	if (memcmp(head, plain_magic, HEAD) == 0)
		state = GG_SEALED_PLAIN;
	else if (memcmp(head, magic, GG_SEALED_MAGIC) == 0)
		state = has_key && memcmp(head + GG_SEALED_MAGIC, check, GG_SEALED_CHECK) == 0
				? GG_SEALED_OURS
				: GG_SEALED_OTHERS;
	pthread_mutex_unlock(&key_lock);
	return state;
}

enum gg_sealed_state gg_sealed_look(const char *path)
{
	sqlite3_vfs *v = gg_sealed_vfs_below();
	char full[4096];
	int exists = 0;
	if (!v || v->xFullPathname(v, path, sizeof full, full) & 0xff) /* a link is told by higher bits */
		return GG_SEALED_UNKNOWN;
	if (v->xAccess(v, full, SQLITE_ACCESS_EXISTS, &exists) == SQLITE_OK && !exists)
		return GG_SEALED_NONE; /* an empty file does not exist for SQLite */
	sqlite3_file *f = calloc(1, (size_t)v->szOsFile);
	const char *name = sqlite3_create_filename(full, "", "", 0, NULL);
	enum gg_sealed_state state = GG_SEALED_UNKNOWN;
	if (f && name &&
		v->xOpen(v, name, f, SQLITE_OPEN_READONLY | SQLITE_OPEN_MAIN_DB, NULL) == SQLITE_OK) {
		state = state_of(f);
		f->pMethods->xClose(f);
	}
	sqlite3_free_filename((char *)(uintptr_t)name);
	free(f);
	return state;
}
