/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The write-ahead log of a sealed database, and the journal that holds nothing: see sealed_vfs.h.
 *
 *   SQLite's     32 │ 24 │ 4096      │ 24 │ 4096 ...
 *   on the disk  32 │ 16 · 8 + 40 │ 4096 + 40 │ ...
 *
 * SQLite's checksum says something of what a page holds, so it is sealed too. It is written before its page
 * and sometimes anew without it, so it has a nonce of its own. Only recovery and the rewriting of checksums
 * read a frame as a whole. Recovery goes on until a frame is not what was written, and one that does not open
 * is such a one: it is given as zeros, which is never a valid frame.
 */
#include "store/sealed_private.h"

#include "base/log.h"

enum {
	HEADER = 32,
	OWN = 24, /* SQLite's header of a frame */
	CLEAR = GG_SEALED_CLEAR,
	WHICH = GG_SEALED_WHICH,
	PAGE = GG_SEALED_PAGE,
	FRAME = GG_SEALED_FRAME,
	HEAD = GG_SEALED_FRAME_HEAD,
	DISK = GG_SEALED_ON_DISK
};

struct bound {
	uint8_t bytes[GG_SEALED_BOUND + CLEAR];
};

static struct gg_sealed_file *of(sqlite3_file *file)
{
	return (struct gg_sealed_file *)file;
}

static sqlite3_int64 place(uint32_t frame)
{
	return HEADER + (sqlite3_int64)(frame - 1) * DISK;
}

static struct gg_str bind(
	struct bound *b, struct gg_sealed_file *f, char kind, uint32_t frame, const uint8_t *clear)
{
	size_t len = kind == 'w' ? WHICH : CLEAR;
	gg_sealed_bind(f->main, kind, frame, b->bytes);
	memcpy(b->bytes + GG_SEALED_BOUND, clear, len);
	return gg_str_n(b->bytes, GG_SEALED_BOUND + len);
}

static int open_checksum(struct gg_sealed_file *f, uint32_t frame, const uint8_t *disk, uint8_t *to)
{
	struct bound b;
	memcpy(to, disk, CLEAR);
	return gg_seal_open(
		f->seal, bind(&b, f, 'c', frame, disk), disk + CLEAR, OWN - CLEAR, disk + OWN, to + CLEAR);
}

static int open_page(struct gg_sealed_file *f, uint32_t frame, const uint8_t *disk, uint8_t *to)
{
	struct bound b;
	return gg_seal_open(
		f->seal, bind(&b, f, 'w', frame, disk), disk + HEAD, PAGE, disk + HEAD + PAGE, to);
}

static int wrong(const struct gg_sealed_file *f, uint32_t frame, const uint8_t *disk)
{
	uint32_t page = (uint32_t)disk[0] << 24 | (uint32_t)disk[1] << 16 | (uint32_t)disk[2] << 8 | disk[3];
	gg_log(GG_ERROR, "store", "a page in the log does not open: it was damaged, or is from elsewhere",
		GG_S("file", f->name ? f->name : ""), GG_I("frame", frame), GG_I("page", page));
	return SQLITE_IOERR_DATA;
}

/* From byte `from` of a frame as SQLite knows it; not beyond its end. */
static int read_frame(struct gg_sealed_file *f, uint32_t frame, size_t from, size_t len, uint8_t *to)
{
	uint8_t *disk = f->scratch + FRAME, *plain = f->scratch;
	bool head = from<OWN, page = from + len> OWN, whole = len == FRAME;
	int code = f->real->pMethods->xRead(f->real, disk, page ? DISK : HEAD, place(frame));
	int rc = 0;
	if (code != SQLITE_OK) {
		memset(to, 0, len);
		return code;
	}
	if (!gg_sealed_know(f->main))
		rc = -EBADMSG;
	if (rc == 0 && head)
		rc = open_checksum(f, frame, disk, plain);
	if (rc == 0 && page)
		rc = open_page(f, frame, disk, from == OWN && len == PAGE ? to : plain + OWN);
	if (rc == 0 && (head || len != PAGE))
		memcpy(to, plain + from, len);
	if (rc == 0)
		return SQLITE_OK;
	memset(to, 0, len);
	if (!whole)
		return wrong(f, frame, disk);
	gg_log(GG_INFO, "store", "the log ends before a frame that does not open, as a power cut leaves it",
		GG_S("file", f->name ? f->name : ""), GG_I("frame", frame));
	return SQLITE_OK;
}

static int log_read(sqlite3_file *file, void *to, int len, sqlite3_int64 offset)
{
	struct gg_sealed_file *f = of(file);
	uint8_t *p = to;
	int code = SQLITE_OK;
	while (len > 0 && code == SQLITE_OK) {
		size_t n;
		if (offset < HEADER) {
			n = gg_min_size((size_t)len, (size_t)(HEADER - offset));
			code = f->real->pMethods->xRead(f->real, p, (int)n, offset);
		} else {
			uint32_t frame = (uint32_t)((offset - HEADER) / FRAME) + 1;
			size_t from = (size_t)((offset - HEADER) % FRAME);
			n = gg_min_size((size_t)len, FRAME - from);
			code = read_frame(f, frame, from, n, p);
		}
		p += n;
		offset += (sqlite3_int64)n;
		len -= (int)n;
	}
	if (len > 0)
		memset(p, 0, (size_t)len);
	return code;
}

/* A header for page 0 is one that was made of a frame that did not open: see above. */
static int write_head(struct gg_sealed_file *f, uint32_t frame, const uint8_t *from)
{
	static const uint8_t no_page[4];
	uint8_t disk[HEAD];
	struct bound b;
	memcpy(disk, from, CLEAR);
	if (memcmp(from, no_page, sizeof no_page) == 0 ||
		gg_seal_shut(f->seal, bind(&b, f, 'c', frame, from), from + CLEAR, OWN - CLEAR, disk + CLEAR,
			disk + OWN) < 0)
		return SQLITE_IOERR_WRITE;
	f->last_frame = frame;
	memcpy(f->last_which, from, WHICH);
	return f->real->pMethods->xWrite(f->real, disk, HEAD, place(frame));
}

static int write_page(struct gg_sealed_file *f, uint32_t frame, const uint8_t *from)
{
	uint8_t *disk = f->scratch + FRAME;
	struct bound b;
	if (f->last_frame != frame) {
		int code = f->real->pMethods->xRead(f->real, f->last_which, WHICH, place(frame));
		f->last_frame = code == SQLITE_OK ? frame : 0;
		if (code != SQLITE_OK)
			return SQLITE_IOERR_WRITE;
	}
	if (gg_seal_shut(f->seal, bind(&b, f, 'w', frame, f->last_which), from, PAGE, disk, disk + PAGE) < 0)
		return SQLITE_IOERR_WRITE;
	return f->real->pMethods->xWrite(f->real, disk, PAGE + GG_SEAL_TRAILER, place(frame) + HEAD);
}

static int log_write(sqlite3_file *file, const void *from, int len, sqlite3_int64 offset)
{
	struct gg_sealed_file *f = of(file);
	if (offset == 0 && len == HEADER)
		return f->real->pMethods->xWrite(f->real, from, len, offset);
	uint32_t frame = (uint32_t)((offset - HEADER) / FRAME) + 1;
	size_t at = (size_t)((offset - HEADER) % FRAME);
	if (offset >= HEADER && gg_sealed_know(f->main) && at == 0 && len == OWN)
		return write_head(f, frame, from);
	if (offset >= HEADER && gg_sealed_know(f->main) && at == OWN && len == PAGE)
		return write_page(f, frame, from);
	gg_log(GG_ERROR, "store", "SQLite writes what is no frame of a sealed log",
		GG_S("file", f->name ? f->name : ""), GG_I("offset", offset), GG_I("bytes", len));
	return SQLITE_IOERR_WRITE;
}

/* A part of a frame is of no use to anybody. */
static int log_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	struct gg_sealed_file *f = of(file);
	sqlite3_int64 real = size <= HEADER ? size : HEADER + (size - HEADER) / FRAME * DISK;
	f->last_frame = 0;
	return f->real->pMethods->xTruncate(f->real, real);
}

static int log_size(sqlite3_file *file, sqlite3_int64 *ret_size)
{
	struct gg_sealed_file *f = of(file);
	sqlite3_int64 real = 0;
	int code = f->real->pMethods->xFileSize(f->real, &real);
	if (code == SQLITE_OK)
		*ret_size = real <= HEADER ? real : HEADER + (real - HEADER) / DISK * FRAME;
	return code;
}

static int no_lock(GG_UNUSED sqlite3_file *file, GG_UNUSED int how)
{
	return SQLITE_OK;
}

static int not_reserved(GG_UNUSED sqlite3_file *file, int *ret_is)
{
	*ret_is = 0;
	return SQLITE_OK;
}

const sqlite3_io_methods gg_sealed_log_methods = {
	.iVersion = 1,
	.xClose = gg_sealed_close,
	.xRead = log_read,
	.xWrite = log_write,
	.xTruncate = log_truncate,
	.xSync = gg_sealed_sync,
	.xFileSize = log_size,
	.xLock = no_lock,
	.xUnlock = no_lock,
	.xCheckReservedLock = not_reserved,
	.xFileControl = gg_sealed_control,
	.xSectorSize = gg_sealed_sector,
	.xDeviceCharacteristics = gg_sealed_traits,
};

/* ---- a journal that holds nothing ---- */

static int nothing_read(GG_UNUSED sqlite3_file *file, void *to, int len, GG_UNUSED sqlite3_int64 offset)
{
	memset(to, 0, (size_t)len);
	return SQLITE_IOERR_SHORT_READ;
}

static int nothing_write(GG_UNUSED sqlite3_file *file, GG_UNUSED const void *from, GG_UNUSED int len,
	GG_UNUSED sqlite3_int64 offset)
{
	return SQLITE_OK;
}

static int nothing_truncate(GG_UNUSED sqlite3_file *file, GG_UNUSED sqlite3_int64 size)
{
	return SQLITE_OK;
}

static int nothing_size(GG_UNUSED sqlite3_file *file, sqlite3_int64 *ret_size)
{
	*ret_size = 0;
	return SQLITE_OK;
}

static int nothing_control(GG_UNUSED sqlite3_file *file, GG_UNUSED int op, GG_UNUSED void *arg)
{
	return SQLITE_NOTFOUND;
}

static int nothing_sector(GG_UNUSED sqlite3_file *file)
{
	return PAGE;
}

static int nothing_traits(GG_UNUSED sqlite3_file *file)
{
	return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

const sqlite3_io_methods gg_sealed_nothing_methods = {
	.iVersion = 1,
	.xClose = gg_sealed_close,
	.xRead = nothing_read,
	.xWrite = nothing_write,
	.xTruncate = nothing_truncate,
	.xSync = no_lock,
	.xFileSize = nothing_size,
	.xLock = no_lock,
	.xUnlock = no_lock,
	.xCheckReservedLock = not_reserved,
	.xFileControl = nothing_control,
	.xSectorSize = nothing_sector,
	.xDeviceCharacteristics = nothing_traits,
};
