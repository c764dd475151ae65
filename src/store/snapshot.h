/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the store's files held at one moment, read while they are written.
 *
 * A SQLite file: its write-ahead log is folded into it while no one may write, then a reading transaction is
 * begun, then writing goes on. As long as that transaction lasts nothing is folded in again, so the file's
 * own bytes stay what they were; writers fill the log meanwhile. No copy is made, whatever its size. A
 * journal's segments: what lies before a synced position never changes; a pin keeps it from being deleted.
 */
#ifndef GG_SNAPSHOT_H
#define GG_SNAPSHOT_H

#include "base/error.h"
#include "store/journal.h"

struct gg_snapshot;

/* Writers wait for some ms. Errors, with a text: -EBUSY readers kept the log from being folded in for too
 * long, -EIO. Thread: any one that may wait. */
int gg_snapshot_open(const char *path, struct gg_snapshot **ret_snapshot, struct gg_error *e);
uint64_t gg_snapshot_bytes(const struct gg_snapshot *s);
/* Errors: -EIO. */
int gg_snapshot_read(struct gg_snapshot *s, uint64_t offset, void *to, size_t len);
/* Accepts NULL. */
struct gg_snapshot *gg_snapshot_close(struct gg_snapshot *s);

/* whole: all of the file, also when it has been written anew since it was looked at and is longer. */
typedef int gg_snapshot_segment(void *arg, const char *path, const char *name, uint64_t bytes, bool whole);
/* The segments of a journal's folder, oldest first, each with how many of its bytes lie before end; sealed
 * ones as they are. Stops when each() returns a negative errno, and returns that. */
int gg_snapshot_segments(const char *dir, uint64_t end, gg_snapshot_segment *each, void *arg);

#endif
