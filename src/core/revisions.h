/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every configuration that was in force, for `ganglion config rollback N`. One file each under
 * <data_dir>/revisions/, named by its number: a first line with a JSON object in a YAML comment, then the
 * whole configuration as YAML. So a revision can be read by eye, and loaded as it is.
 *
 *   # {"number":12,"time":"2026-03-01T12:00:00Z","who":"admin","why":"...","sha256":"...","bytes":812}
 *   site: pump-hall-3
 *
 * Secrets stand in it as they were written; what came from ${NAME} is stored as "${NAME}". The folder is
 * 0700. In a sealed data folder the files are sealed as a whole (store/sealed_file.h). Thread: control;
 * blocks on disk.
 */
#ifndef GG_CORE_REVISIONS_H
#define GG_CORE_REVISIONS_H

#include "base/buf.h"
#include "base/error.h"

enum { GG_REVISIONS = 100000 };

struct gg_revision {
	uint64_t number;
	int64_t time_ns; /* UTC */
	char who[128], why[256];
	char sha256[65]; /* of the text behind the first line, hexadecimal */
	uint64_t bytes;
	bool damaged; /* the first line cannot be read */
};

/* How files are sealed: by whoever has the key. name: "revisions/000012.yaml". open() takes plain ones as
 * they are. Errors: -ENOKEY, -EKEYREJECTED; others. */
struct gg_revision_seal {
	bool (*is_sealed)(struct gg_str head);
	int (*shut)(const char *name, struct gg_str text, struct gg_buf *to);
	int (*open)(const char *name, struct gg_str bytes, struct gg_buf *to);
};

/* Of this process, from here on; before others read or store. */
void gg_revisions_seal(const struct gg_revision_seal *seal);
/* Writes those anew that are plain from before, sealed; *ret_count of them. What can't be written stays.
 * Nobody else may store meanwhile. */
int gg_revisions_seal_old(const char *data_dir, size_t *ret_count, struct gg_error *e);

/* Stores text and syncs it to disk; number, sha256 and bytes of note are not read. A text that is the newest
 * revision's already is not stored again: its number is returned. */
int gg_revision_store(const char *data_dir, const struct gg_revision *note, struct gg_str text,
	uint64_t *ret_number, struct gg_error *e);
/* All, oldest first; owner: the caller, free(). No folder is an empty list. */
int gg_revisions_list(
	const char *data_dir, struct gg_revision **ret_all, size_t *ret_count, struct gg_error *e);
/* The text of one, checked against its hash. number 0 = the newest. Errors: -ENOENT there is none, -EIO it is
 * damaged, -ENOKEY it is sealed and there is no key, -EKEYREJECTED another key. */
int gg_revision_read(const char *data_dir, uint64_t number, struct gg_revision *ret_revision,
	struct gg_buf *ret_text, struct gg_error *e);

#endif
