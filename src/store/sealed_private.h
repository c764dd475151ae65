/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the VFS share: see sealed_vfs.h. */
#ifndef GG_SEALED_PRIVATE_H
#define GG_SEALED_PRIVATE_H

#include "store/sealed_vfs.h"

enum {
	GG_SEALED_MAGIC = 4,
	GG_SEALED_CHECK = 4,
	GG_SEALED_ID = 8,
	GG_SEALED_HEAD = GG_SEALED_MAGIC + GG_SEALED_CHECK + GG_SEALED_ID, /* of page 1, in clear */
	GG_SEALED_BOUND = 1 + GG_SEALED_ID + 4,
	/* A frame of the log: SQLite's header and page, and what we make of them. */
	GG_SEALED_CLEAR = 16,
	GG_SEALED_WHICH = 8, /* page and size of it; the salts after it SQLite may write later */
	GG_SEALED_FRAME = 24 + GG_SEALED_PAGE,
	GG_SEALED_FRAME_HEAD = 24 + GG_SEAL_TRAILER,
	GG_SEALED_ON_DISK = GG_SEALED_FRAME_HEAD + GG_SEALED_PAGE + GG_SEAL_TRAILER,
	GG_SEALED_SCRATCH = GG_SEALED_FRAME + GG_SEALED_ON_DISK,
};

struct gg_sealed_file {
	sqlite3_file base;
	sqlite3_file *real;          /* behind this struct */
	struct gg_sealed_file *main; /* the database that a log belongs to; itself */
	const char *name;            /* SQLite's, as long as the file is open */
	struct gg_seal *seal;        /* main's */
	uint8_t *scratch;
	uint8_t check[GG_SEALED_CHECK], head[GG_SEALED_HEAD];
	bool has_head;
	/* A log: the frame (from 1) whose header was written last, and of what page it is. */
	uint32_t last_frame;
	uint8_t last_which[GG_SEALED_WHICH];
};

/* The associated data that all have. */
static inline void gg_sealed_bind(
	const struct gg_sealed_file *f, char kind, uint32_t number, uint8_t to[GG_SEALED_BOUND])
{
	to[0] = (uint8_t)kind;
	memcpy(to + 1, f->head + GG_SEALED_MAGIC + GG_SEALED_CHECK, GG_SEALED_ID);
	for (unsigned i = 0; i < 4; i++)
		to[1 + GG_SEALED_ID + i] = (uint8_t)(number >> (24 - 8 * i));
}

/* Learns head from page 1, once. */
bool gg_sealed_know(struct gg_sealed_file *f);

extern const sqlite3_io_methods gg_sealed_log_methods;
extern const sqlite3_io_methods gg_sealed_nothing_methods;

/* For any kind of file. */
int gg_sealed_close(sqlite3_file *file);
int gg_sealed_sync(sqlite3_file *file, int flags);
int gg_sealed_control(sqlite3_file *file, int op, void *arg);
int gg_sealed_sector(sqlite3_file *file);
int gg_sealed_traits(sqlite3_file *file);

#endif
