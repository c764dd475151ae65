/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A backup: all that a gateway needs to go on elsewhere, as it was at one moment, as a tar archive compressed
 * with zstd. It can be made while the gateway works, is written in one go, and needs no room on the disk.
 *
 *   backup.json           what it is: format, version, site, when
 *   catalog.db history.db as they were (store/snapshot.h)
 *   journal/...           up to its end, which was taken after those two: so a gateway that starts from it
 *                         takes it for the files after a crash, and recovers
 *   revisions/...         configurations
 *   api-*.pem             the API's certificate and key
 *   keys.json             of a sealed gateway (format 2; else 1): its root key, wrapped (security/slots.h)
 *   SHA256SUMS            of all before it; the last file, so an archive that was cut off has none
 *
 * Secrets are in it as they lie in the data folder: passwords and tokens as hashes, a revision's as written.
 */
#ifndef GG_GATEWAY_BACKUP_H
#define GG_GATEWAY_BACKUP_H

#include "base/error.h"
#include "base/sink.h"

struct gg_journal;

enum { GG_BACKUP_FORMAT = 2, GG_BACKUP_FILES = 200000 };

struct gg_backup {
	const char *data_dir;
	const char *site;
	struct gg_journal *journal;    /* of a gateway at work; NULL: nobody writes in the folder */
	const _Atomic bool *cancelled; /* may be NULL */
	/* Optional: bytes of the files so far, and in all. */
	void (*progress)(void *arg, uint64_t bytes, uint64_t total);
	void *arg;
};

/* Thread: any that may wait. Errors, with a text. */
int gg_backup_write(const struct gg_backup *b, const struct gg_sink *sink, struct gg_error *e);

/* May a file of a backup be called so? UTF-8 without control characters, which would break SHA256SUMS and a
 * terminal on which it is shown. */
bool gg_backup_name_is_plain(const char *name);

/* ---- reading ---- */

struct gg_backup_reader_ops {
	/* Fills to; *ret_len is less than len only at the end. Errors: negative errno, with a text. */
	int (*read)(void *arg, void *to, size_t len, size_t *ret_len, struct gg_error *e);
	/* A file of the backup begins, its bytes come, it ends. Optional. */
	int (*begin)(void *arg, const char *name, uint64_t bytes, struct gg_error *e);
	int (*data)(void *arg, const void *data, size_t len, struct gg_error *e);
	int (*end)(void *arg, struct gg_error *e);
};

struct gg_backup_about {
	char site[128], created[40], version[40];
	uint64_t files, bytes;
};

/*
 * Reads the archive (without its compression) to its end and checks every file against SHA256SUMS. Errors,
 * with a text: -EBADMSG it is damaged, cut off or no backup, -ENOTSUP of a newer format, those of ops.
 */
int gg_backup_read(const struct gg_backup_reader_ops *ops, void *arg, struct gg_backup_about *ret_about,
	struct gg_error *e);

#endif
