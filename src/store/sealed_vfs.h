/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQLite files of which nothing can be read on the disk: a VFS that lies between SQLite and the default one,
 * and seals (store/seal.h) each page on its way down.
 *
 *   the database   pages of 4096 bytes at their places; the last 40 of each, which SQLite leaves alone
 *                  ("reserved bytes"), hold nonce and tag. Bound to it: the database's id, the page's number.
 *                  Page 1 begins in clear with  "GGDB" · 4 bytes that tell the key · id of 8 bytes
 *   its log        header of 32 bytes in clear (no content), then a frame for each page:
 *                    16 bytes in clear (page, size, salts) · SQLite's checksum, sealed (8 + 40)
 *                    · page, sealed (4096 + 40)
 *                  SQLite is told offsets as if frames were as long as its own, so it checks its checksums
 *                  over what it wrote. Bound: the id, the frame's number, its page and size.
 *   -shm           SQLite's own: page numbers, no content
 *   others         do not exist. Rollback journals are refused but while a file is made (then they hold
 *                  nothing and are not written), temporary files always are: connections keep these in memory
 *
 * A page that does not open is SQLITE_IOERR_DATA and a line in the log with file and page. A page of zeros is
 * one that SQLite never wrote (a freed page beyond the file's old end) and reads as zeros. What is not
 * prevented: an older copy of a page, or of the whole file, put back in its place.
 *
 * Thread: as SQLite's; a file belongs to a connection.
 */
#ifndef GG_SEALED_VFS_H
#define GG_SEALED_VFS_H

#include "base/error.h"
#include "store/seal.h"

#include <sqlite3.h>

enum { GG_SEALED_PAGE = 4096, GG_SEALED_RESERVE = GG_SEAL_TRAILER };

#define GG_SEALED_VFS "gg-sealed"

/* The key of files that are opened from now on, out of the root key; NULL: there is none. Errors: -EIO,
 * -ENOMEM. Thread: any; before databases are opened. */
int gg_sealed_vfs_key(const uint8_t *root);
bool gg_sealed_vfs_has_key(void);
/* The VFS below. */
sqlite3_vfs *gg_sealed_vfs_below(void);
/* The file as it is on the disk; f itself where it is not sealed. */
sqlite3_file *gg_sealed_vfs_raw(sqlite3_file *f);

enum gg_sealed_state {
	GG_SEALED_NONE,    /* no such file, or an empty one */
	GG_SEALED_PLAIN,   /* SQLite's */
	GG_SEALED_OURS,    /* with the key that is set */
	GG_SEALED_OTHERS,  /* with another one, or none is set */
	GG_SEALED_UNKNOWN, /* something else, or it can't be read */
};

/* Never by open() and close(): close() would end the locks that SQLite has on the file in this process. */
enum gg_sealed_state gg_sealed_look(const char *path);

/*
 * What is to be done before path is opened: a new database is made, a plain one sealed when there is a key
 * (takes as long as copying it; says how far it is in the log), and what a crash left of that is cleared
 * away. *ret_vfs: with what to open it. Errors, with a text: -EACCES the key is another or missing.
 */
int gg_sealed_prepare(const char *path, bool read_only, const char **ret_vfs, struct gg_error *e);

/* Hears at the beginning and at least every few seconds how far the rewriting of a file is; NULL ends it. */
void gg_sealed_on_progress(void (*each)(const char *path, unsigned percent));

/* Makes a sealed file plain. Nobody may have it open. Errors, with a text. */
int gg_sealed_undo(const char *path, struct gg_error *e);

#endif
