/* SPDX-License-Identifier: Apache-2.0 */
/* The machine: clock, open files, the data folder, its disk and the journal on it. */
#include "app/doctor.h"
#include "app/unseal.h"
#include "base/clock.h"
#include "store/journal.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

enum { SYNCS = 15, BLOCK = 4096, PATH_BYTES = GG_DATA_DIR + 64, FILES_WANTED = 4096 };

/* ---- clock ---- */

void gg_doctor_clock(struct gg_doctor *d)
{
	const int64_t year_2024 = 1704067200LL * GG_NS_PER_S;
	struct timex t = {0};
	char now[GG_TIME_TEXT];
	int64_t ns = gg_clock_utc(&gg_clock_system);
	gg_time_format(now, ns);
	if (ns < year_2024) {
		gg_find(d, GG_WRONG, "clock", "the clock says %s", now);
		gg_mend(d, "set it ('date -s ...') and let it be kept: 'timedatectl set-ntp true'; a box "
			   "without a "
			   "battery needs a time server");
		return;
	}
	if (adjtimex(&t) == TIME_ERROR || (t.status & STA_UNSYNC)) {
		gg_find(d, GG_MIND, "clock",
			"nobody keeps the clock right: the kernel says it is not synchronised");
		gg_mend(d,
			"install a time client (systemd-timesyncd, chrony) and let it reach a time server");
		return;
	}
	gg_find(d, GG_FINE, "clock", "synchronised, within %.1f ms", (double)t.esterror / 1000);
}

/* ---- open files ---- */

/* "Max open files            1024                 524288               files" */
static uint64_t limit_of(int pid)
{
	char path[40], line[200];
	uint64_t limit = 0;
	snprintf(path, sizeof path, "/proc/%d/limits", pid);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof line, f)) {
		struct gg_str rest = gg_str(line);
		if (!gg_str_starts(rest, GG_STR("Max open files")))
			continue;
		rest = gg_str_trim(gg_str_n(rest.p + 14, rest.len - 14));
		if (gg_parse_uint(gg_str_cut(&rest, ' '), &limit) < 0)
			limit = UINT64_MAX;
	}
	if (f)
		fclose(f);
	return limit;
}

static size_t files_open(int pid)
{
	char path[40];
	size_t n = 0;
	snprintf(path, sizeof path, "/proc/%d/fd", pid);
	DIR *dir = opendir(path);
	for (struct dirent *e; dir && (e = readdir(dir));)
		n += e->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return n;
}

void gg_doctor_limits(struct gg_doctor *d)
{
	struct rlimit own = {0};
	getrlimit(RLIMIT_NOFILE, &own);
	uint64_t limit = d->pid ? limit_of(d->pid) : own.rlim_cur;
	size_t used = d->pid ? files_open(d->pid) : 0;
	if (limit == 0)
		limit = own.rlim_cur;
	if (used && used * 10 > limit * 8) {
		gg_find(d, GG_WRONG, "open files", "%zu of the %llu the gateway may open are open", used,
			(unsigned long long)limit);
	} else if (limit < FILES_WANTED) {
		gg_find(d, GG_MIND, "open files",
			"only %llu may be open at once; each connection of a device is one",
			(unsigned long long)limit);
	} else {
		gg_find(d, GG_FINE, "open files", "%llu may be open at once", (unsigned long long)limit);
		return;
	}
	gg_mend(d, "raise it: 'ulimit -n 65536' before the start, or LimitNOFILE=65536 in the systemd unit");
}

/* ---- the data folder ---- */

void gg_doctor_data(struct gg_doctor *d)
{
	struct stat st;
	if (!d->data[0]) {
		gg_find(d, GG_FINE, "data folder", "there is none yet; the first start makes it");
		return;
	}
	if (stat(d->data, &st) != 0) {
		bool missing = errno == ENOENT;
		gg_find(d, missing ? GG_FINE : GG_WRONG, "data folder",
			missing ? "%s is not there yet; the first start makes it" : "%s can't be looked into",
			d->data);
		if (!missing)
			gg_mend(d, "run this as the user the gateway runs as, or give that user the folder");
	} else if (!S_ISDIR(st.st_mode)) {
		gg_find(d, GG_WRONG, "data folder", "%s is no folder", d->data);
		gg_mend(d, "move that file away, or name another folder with --data");
	} else if (faccessat(AT_FDCWD, d->data, R_OK | W_OK | X_OK, AT_EACCESS) != 0) {
		gg_find(d, GG_WRONG, "data folder", "%s belongs to user %u, and you may not write there",
			d->data, (unsigned)st.st_uid);
		gg_mend(d, "run this and the gateway as that user, or 'chown -R %u %s'", (unsigned)geteuid(),
			d->data);
	} else if (st.st_mode & 0007) {
		gg_find(d, GG_MIND, "data folder", "everybody on this machine may read %s", d->data);
		gg_mend(d, "chmod o-rwx %s", d->data);
	} else {
		gg_find(d, GG_FINE, "data folder", "%s, only for its owner", d->data);
	}
}

/* ---- the disk ---- */

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return x < y ? -1 : x > y;
}

/* The median of a few writes of a block each with its sync, in a file of our own. Errors: negative errno. */
static int measure_sync(const char *dir, int64_t *ret_ns)
{
	char path[PATH_BYTES];
	static const char block[BLOCK];
	int64_t took[SYNCS];
	snprintf(path, sizeof path, "%s/doctor.XXXXXX", dir);
	int fd = mkostemp(path, O_CLOEXEC), rc = 0;
	if (fd < 0)
		return -errno;
	unlink(path);
	for (int i = 0; i < SYNCS && rc == 0; i++) {
		int64_t began = gg_clock_monotonic(&gg_clock_system);
		if (pwrite(fd, block, sizeof block, (off_t)i * BLOCK) != BLOCK || fdatasync(fd) != 0)
			rc = -errno;
		took[i] = gg_clock_monotonic(&gg_clock_system) - began;
	}
	close(fd);
	if (rc < 0)
		return rc;
	qsort(took, SYNCS, sizeof took[0], by_size);
	*ret_ns = took[SYNCS / 2];
	return 0;
}

static void check_speed(struct gg_doctor *d, const char *dir)
{
	int64_t ns;
	int rc = measure_sync(dir, &ns);
	double ms = rc == 0 ? (double)ns / 1e6 : 0;
	if (rc < 0) {
		gg_find(d, GG_WRONG, "disk speed", "a block can't be written and synced in %s: %s", dir,
			strerror(-rc));
		gg_mend(d, "see what the kernel says of the disk: 'dmesg | tail'");
	} else if (ms > 50) {
		gg_find(d, GG_MIND, "disk speed",
			"a synced write takes %.1f ms: devices wait that long for an answer", ms);
		gg_mend(d, "put the data folder on a faster disk, or drivers that need no promise on "
			   "'durability: "
			   "memory'");
	} else {
		gg_find(d, GG_FINE, "disk speed", "a synced write takes %.2f ms", ms);
	}
}

static void check_room(struct gg_doctor *d, const char *dir)
{
	const struct gg_site *site = d->config ? &d->config->site : NULL;
	struct statvfs fs;
	if (statvfs(dir, &fs) != 0)
		return;
	double room = (double)fs.f_bavail * (double)fs.f_frsize / (1 << 20);
	double wanted = site ? (double)(site->journal.reserve + site->journal.segment_size) / (1 << 20) : 100;
	double kept =
		site ? (double)(site->journal.retention.size + site->history.retention.size) / (1 << 20) : 0;
	if (room < wanted) {
		gg_find(d, GG_WRONG, "disk space",
			"%.0f MiB are free in %s, less than the gateway leaves to others", room, dir);
		gg_mend(d, "make room, or keep less: journal.retention.size, history.retention.size");
	} else if (fs.f_files && fs.f_favail < 1000) {
		gg_find(d, GG_WRONG, "disk space", "only %llu more files can be made in %s",
			(unsigned long long)fs.f_favail, dir);
		gg_mend(d, "remove small files nobody needs: 'df -i' shows where there are many");
	} else if (!d->at_work && room < kept) {
		gg_find(d, GG_MIND, "disk space",
			"%.0f MiB are free in %s; journal and history may grow to %.0f MiB", room, dir, kept);
		gg_mend(d, "make room, or keep less: journal.retention.size, history.retention.size");
	} else {
		gg_find(d, GG_FINE, "disk space", "%.1f GiB are free", room / 1024);
	}
}

void gg_doctor_disk(struct gg_doctor *d)
{
	const char *dir = d->data[0] && access(d->data, W_OK | X_OK) == 0 ? d->data : ".";
	check_room(d, dir);
	if (access(dir, W_OK) == 0)
		check_speed(d, dir);
}

/* ---- the journal ---- */

struct folder_sum {
	unsigned files;
	double mib;
};

static bool sum_up(const char *dir, struct folder_sum *s)
{
	DIR *folder = opendir(dir);
	struct stat st;
	for (struct dirent *e; folder && (e = readdir(folder));) {
		if (e->d_name[0] == '.' || fstatat(dirfd(folder), e->d_name, &st, 0) != 0)
			continue;
		s->files++;
		s->mib += (double)st.st_size / (1 << 20);
	}
	if (folder)
		closedir(folder);
	return folder != NULL;
}

/* Reads record heads for at most so long; a journal of gigabytes is looked at from its beginning on. */
static int read_through(
	const char *dir, const uint8_t *root, uint64_t *ret_records, uint64_t *ret_damaged, bool *ret_all)
{
	struct gg_journal_reader *r = NULL;
	struct gg_record record;
	int64_t end = gg_clock_monotonic(&gg_clock_system) + 3 * GG_NS_PER_S;
	int rc = gg_journal_reader_open(dir, &gg_names_table, root, 0, &r);
	if (rc < 0)
		return rc;
	gg_journal_reader_kinds(r, 1U << GG_RECORD_TICK | 1U << GG_RECORD_EVENT | 1U << GG_RECORD_CHECKPOINT);
	uint64_t n = 0;
	while ((rc = gg_journal_next(r, &record)) == 1 && gg_clock_monotonic(&gg_clock_system) < end)
		n++;
	*ret_records = n;
	*ret_damaged = gg_journal_reader_damaged(r);
	*ret_all = rc == 0;
	gg_journal_reader_free(r);
	return rc < 0 ? rc : 0;
}

void gg_doctor_journal(struct gg_doctor *d)
{
	char dir[PATH_BYTES];
	struct folder_sum sum = {0};
	uint64_t records, damaged;
	bool all;
	snprintf(dir, sizeof dir, "%s/journal", d->data);
	if (!d->data[0] || !sum_up(dir, &sum))
		return;
	int rc = read_through(dir, gg_cli_root(), &records, &damaged, &all);
	if (rc == -ENOKEY || rc == -EKEYREJECTED) {
		gg_find(d, d->at_work ? GG_MIND : GG_WRONG, "journal", "%s can't be read: %s", dir,
			gg_journal_reader_error(rc));
		gg_mend(d,
			"give the doctor the gateway's configuration (--config) and run it as the user the "
			"gateway runs as");
	} else if (rc < 0) {
		gg_find(d, GG_WRONG, "journal", "%s can't be read: %s", dir, strerror(-rc));
		gg_mend(d, "run this as the user the gateway runs as; if that is so, see 'dmesg | tail'");
	} else if (damaged) {
		gg_find(d, GG_WRONG, "journal", "%llu bytes in %s are damaged; what stood there is lost",
			(unsigned long long)damaged, dir);
		gg_mend(d, "the gateway passes over them by itself; have the disk looked at ('smartctl -a', "
			   "'dmesg')");
	} else {
		gg_find(d, GG_FINE, "journal", "%u segments, %.1f MiB, %s", sum.files, sum.mib,
			all ? "read to the end without damage" : "the first part read without damage");
	}
}
