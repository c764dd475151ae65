/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/host/host_read.h"
#include "base/clock.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { TEXT = 8192, PATH = 4096 };

struct gg_machine_reading *gg_machine_reading_new(
	const char *proc, const char *sys, const struct gg_many *disks)
{
	const struct gg_machine_disk *d = disks->items;
	struct gg_machine_reading *r = calloc(1, sizeof *r);
	if (!r)
		return NULL;
	r->proc = gg_str_dup(gg_str(proc));
	r->sys = gg_str_dup(gg_str(sys));
	bool whole = r->proc && r->sys;
	for (size_t i = 0; whole && i < disks->count && i < GG_MACHINE_DISKS; i++) {
		r->disks[i] = gg_str_dup(gg_str(d[i].path));
		whole = r->disks[i] != NULL;
		r->disk_count++;
	}
	if (whole)
		return r;
	gg_machine_reading_free(r);
	return NULL;
}

void gg_machine_reading_free(struct gg_machine_reading *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->disk_count; i++)
		free(r->disks[i]);
	free(r->proc);
	free(r->sys);
	free(r);
}

/* ---- values ---- */

static void good(struct gg_machine_reading *r, size_t place, double number)
{
	r->values[place] = (struct gg_machine_value){true, GG_REASON_NONE, number};
	r->good++;
}

static enum gg_reason reason_of(int rc)
{
	switch (rc) {
	case -EINVAL:
		return GG_REASON_GARBLED;
	case -ERANGE:
		return GG_REASON_OUT_OF_RANGE;
	case -ENOENT:
		return GG_REASON_ILLEGAL_ADDRESS;
	default:
		return GG_REASON_DEVICE_FAILURE;
	}
}

/* Nothing could be made of what, which tells of so many values. */
static void bad(struct gg_machine_reading *r, size_t place, size_t count, const char *what, int rc)
{
	for (size_t i = place; i < place + count; i++)
		r->values[i] = (struct gg_machine_value){true, reason_of(rc), 0};
	if (!r->trouble[0])
		snprintf(r->trouble, sizeof r->trouble, "%.100s: %s", what,
			rc == -EINVAL ? "not what was expected" : strerror(-rc));
}

/* ---- files ---- */

/* The text of a file in dir; path is where it lies. Files of /proc and /sys come whole in one read(2). */
static int slurp(const char *dir, const char *name, char path[PATH], char to[TEXT], struct gg_str *ret_text)
{
	if (snprintf(path, PATH, "%s/%s", dir, name) >= PATH)
		return -ENAMETOOLONG;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ssize_t n = read(fd, to, TEXT);
	int rc = n < 0 ? -errno : 0;
	close(fd);
	if (rc == 0)
		*ret_text = gg_str_n(to, (size_t)n);
	return rc;
}

static void read_load(struct gg_machine_reading *r)
{
	char path[PATH], text[TEXT];
	struct gg_str s;
	double load[3];
	int rc = slurp(r->proc, "loadavg", path, text, &s);
	if (rc == 0)
		rc = gg_machine_load(s, load);
	if (rc < 0) {
		bad(r, GG_MACHINE_LOAD, 3, path, rc);
		return;
	}
	for (size_t i = 0; i < GG_COUNT(load); i++)
		good(r, GG_MACHINE_LOAD + i, load[i]);
}

static void read_memory(struct gg_machine_reading *r)
{
	char path[PATH], text[TEXT];
	struct gg_str s;
	struct gg_machine_memory m;
	int rc = slurp(r->proc, "meminfo", path, text, &s);
	if (rc == 0)
		rc = gg_machine_memory(s, &m);
	if (rc < 0) {
		bad(r, GG_MACHINE_MEMORY_USED, 2, path, rc);
		return;
	}
	double used = (double)(m.total_bytes - m.available_bytes);
	good(r, GG_MACHINE_MEMORY_USED, 100 * used / (double)m.total_bytes);
	good(r, GG_MACHINE_MEMORY_AVAILABLE, (double)m.available_bytes);
}

static void read_uptime(struct gg_machine_reading *r)
{
	char path[PATH], text[TEXT];
	struct gg_str s;
	double seconds;
	int rc = slurp(r->proc, "uptime", path, text, &s);
	if (rc == 0)
		rc = gg_machine_uptime(s, &seconds);
	if (rc < 0)
		bad(r, GG_MACHINE_UPTIME, 1, path, rc);
	else
		good(r, GG_MACHINE_UPTIME, seconds);
}

/* Used as df(1) counts it: of what ordinary users may fill. */
static void read_disk(struct gg_machine_reading *r, size_t i)
{
	struct statvfs st;
	size_t place = GG_MACHINE_DISK + 2 * i;
	int rc = statvfs(r->disks[i], &st) < 0 ? -errno : 0;
	if (rc == 0 && st.f_blocks == 0)
		rc = -ENODEV; /* /proc and the like: no disk */
	if (rc < 0) {
		bad(r, place, 2, r->disks[i], rc);
		return;
	}
	double used = (double)(st.f_blocks - st.f_bfree), open_to_all = (double)st.f_bavail;
	good(r, place, used + open_to_all > 0 ? 100 * used / (used + open_to_all) : 100);
	good(r, place + 1, open_to_all * (double)st.f_frsize);
}

/* ---- temperatures ---- */

/* The zone's type; where two zones are of one type, the later one's number goes behind it. */
static void name_zone(struct gg_machine_reading *r, unsigned zone, struct gg_str type)
{
	char name[GG_MACHINE_ZONE_NAME];
	gg_machine_zone_name(type, name);
	snprintf(r->zones[zone], sizeof r->zones[zone], "%s", name);
	for (unsigned i = 0; i < zone; i++)
		if (strcmp(r->zones[i], name) == 0)
			snprintf(r->zones[zone], sizeof r->zones[zone], "%s_%u", name, zone);
}

static void read_zone(struct gg_machine_reading *r, unsigned zone)
{
	char name[64], path[PATH], text[TEXT];
	struct gg_str s;
	double celsius;
	snprintf(name, sizeof name, "class/thermal/thermal_zone%u/type", zone);
	int rc = slurp(r->sys, name, path, text, &s);
	if (rc < 0) { /* there is no such zone, or no longer */
		r->values[GG_MACHINE_ZONE + zone].reason = GG_REASON_ILLEGAL_ADDRESS;
		return;
	}
	name_zone(r, zone, s);
	snprintf(name, sizeof name, "class/thermal/thermal_zone%u/temp", zone);
	rc = slurp(r->sys, name, path, text, &s);
	if (rc == 0)
		rc = gg_machine_temperature(s, &celsius);
	if (rc < 0)
		bad(r, GG_MACHINE_ZONE + zone, 1, path, rc);
	else
		good(r, GG_MACHINE_ZONE + zone, celsius);
}

void gg_machine_read(struct gg_machine_reading *r)
{
	int64_t began = gg_clock_monotonic(&gg_clock_system);
	memset(r->values, 0, sizeof r->values);
	memset(r->zones, 0, sizeof r->zones);
	r->good = 0;
	r->trouble[0] = '\0';
	read_load(r);
	read_memory(r);
	read_uptime(r);
	for (size_t i = 0; i < r->disk_count; i++)
		read_disk(r, i);
	for (unsigned zone = 0; zone < GG_MACHINE_ZONES; zone++)
		read_zone(r, zone);
	r->took_ns = gg_clock_monotonic(&gg_clock_system) - began;
}
