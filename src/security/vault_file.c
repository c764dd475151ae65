/* SPDX-License-Identifier: Apache-2.0 */
/* See vault_file.h. */
#include "security/vault_file.h"

#include "base/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FRESH GG_VAULT_FILE ".new"

static int failed(struct gg_error *e, const char *data_dir, int rc)
{
	return gg_error_set(e, rc, "%s/" GG_VAULT_FILE ": %s", data_dir, strerror(-rc));
}

static int open_folder(const char *data_dir, struct gg_error *e)
{
	int fd = open(data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? gg_error_set(e, -errno, "%s: %s", data_dir, strerror(errno)) : fd;
}

int gg_vault_lock(const char *data_dir, struct gg_error *e)
{
	int fd = open_folder(data_dir, e), rc;
	if (fd < 0)
		return fd;
	do
		rc = flock(fd, LOCK_EX) < 0 ? -errno : 0;
	while (rc == -EINTR);
	if (rc < 0) {
		close(fd);
		return failed(e, data_dir, rc);
	}
	return fd;
}

int gg_vault_file_read(const char *data_dir, struct gg_slots *ret_slots, struct gg_error *e)
{
	struct gg_buf text GG_CLEANUP(gg_buf_done) = GG_BUF(GG_SLOTS_FILE + 1);
	int folder = open(data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return errno == ENOENT ? -ENOENT : failed(e, data_dir, -errno);
	int rc = gg_file_read(folder, GG_VAULT_FILE, GG_FILE_REGULAR | GG_FILE_NO_LINK, GG_SLOTS_FILE, &text);
	close(folder);
	if (rc == -ENOENT)
		return rc;
	if (rc < 0)
		return failed(e, data_dir, rc);
	rc = gg_slots_read(gg_buf_view(&text), ret_slots, e);
	if (rc < 0)
		gg_error_prefix(e, "%s/" GG_VAULT_FILE, data_dir);
	return rc;
}

/* ---- writing ---- */

static int write_all(int fd, struct gg_str text)
{
	while (text.len) {
		ssize_t n = write(fd, text.p, text.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text = gg_str_n(text.p + n, text.len - (size_t)n);
	}
	return fsync(fd) < 0 ? -errno : 0;
}

/* An administrator's command must not take the file away from the gateway's user. */
static int give_to_owner(int folder, int fd)
{
	struct stat st;
	if (geteuid() != 0)
		return 0;
	return fstat(folder, &st) < 0 || fchown(fd, st.st_uid, st.st_gid) < 0 ? -errno : 0;
}

static int write_fresh(int folder, struct gg_str text)
{
	int fd = openat(folder, FRESH, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	int rc = fchmod(fd, 0600) < 0 ? -errno : give_to_owner(folder, fd);
	if (rc == 0)
		rc = write_all(fd, text);
	if (close(fd) < 0 && rc == 0)
		rc = -errno;
	return rc;
}

/* The file has no name any more; nothing depends on this. */
static void wipe(int fd)
{
	static const char zeros[4096];
	struct stat st;
	if (fstat(fd, &st) < 0)
		return;
	for (off_t at = 0; at < st.st_size && at < GG_SLOTS_FILE; at += (off_t)sizeof zeros)
		if (pwrite(fd, zeros, gg_min_size(sizeof zeros, (size_t)(st.st_size - at)), at) < 0)
			return;
	if (fdatasync(fd) < 0)
		return;
}

static int publish(int folder)
{
	struct stat st;
	int old = openat(folder, GG_VAULT_FILE, O_WRONLY | O_CLOEXEC | O_NOFOLLOW), rc = 0;
	if (renameat(folder, FRESH, folder, GG_VAULT_FILE) < 0 || fsync(folder) < 0)
		rc = -errno;
	if (rc == 0 && old >= 0 && fstat(old, &st) == 0 && st.st_nlink == 0)
		wipe(old);
	if (old >= 0)
		close(old);
	return rc;
}

int gg_vault_file_write(const char *data_dir, const struct gg_slots *s, struct gg_error *e)
{
	struct gg_buf text GG_CLEANUP(gg_buf_done) = GG_BUF(GG_SLOTS_FILE);
	gg_slots_write(s, &text);
	if (text.error)
		return failed(e, data_dir, text.error);
	int folder = open_folder(data_dir, e);
	if (folder < 0)
		return folder;
	int rc = write_fresh(folder, gg_buf_view(&text));
	if (rc == 0)
		rc = publish(folder);
	close(folder);
	return rc < 0 ? failed(e, data_dir, rc) : 0;
}
