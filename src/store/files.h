/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The few calls by which the journal changes files, as a table: so that tests make the n-th call fail, or cut
 * the power and forget what was not synced. Reading needs no table: what is on disk is on disk.
 * Each returns 0 or a negative errno.
 */
#ifndef GG_FILES_H
#define GG_FILES_H

#include "base/base.h"

struct gg_file_ops {
	void *arg;
	int (*open)(void *arg, const char *path, int flags, int *ret_fd);
	/* All of it, or an error after which any part may have been written. */
	int (*write)(void *arg, int fd, const void *data, size_t len, uint64_t offset);
	int (*sync)(void *arg, int fd);
	int (*truncate)(void *arg, int fd, uint64_t size);
	/* Takes the blocks beforehand; a failure only means that they are taken as they are written. */
	int (*reserve)(void *arg, int fd, uint64_t size);
	/* Bytes of the disk that are free for us. */
	int (*room)(void *arg, const char *path, uint64_t *ret_bytes);
	int (*close)(void *arg, int fd);
	int (*remove)(void *arg, const char *path);
	/* Makes created and removed names of the folder durable. */
	int (*sync_dir)(void *arg, const char *path);
};

extern const struct gg_file_ops gg_files_system;

#endif
