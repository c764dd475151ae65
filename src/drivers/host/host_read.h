/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One look at the machine: files of /proc and /sys, and statvfs(3) of disks. It may block (a sensor behind a
 * slow bus, a network disk whose server is away), so a worker does it. A reading therefore owns all it
 * needs, and may outlast the instance that asked for it.
 */
#ifndef GG_HOST_READ_H
#define GG_HOST_READ_H

#include "drivers/host/host_codec.h"
#include "ganglion/option.h"
#include "ganglion/sample.h"

enum { GG_MACHINE_DISKS = 8, GG_MACHINE_ZONES = 32 };

/* Places of values; of each disk two, used and free. */
enum {
	GG_MACHINE_LOAD, /* and the two behind it */
	GG_MACHINE_MEMORY_USED = GG_MACHINE_LOAD + 3,
	GG_MACHINE_MEMORY_AVAILABLE,
	GG_MACHINE_UPTIME,
	GG_MACHINE_DISK,
	GG_MACHINE_ZONE = GG_MACHINE_DISK + 2 * GG_MACHINE_DISKS,
	GG_MACHINE_VALUES = GG_MACHINE_ZONE + GG_MACHINE_ZONES
};

/* A disk as the configuration names it. */
struct gg_machine_disk {
	const char *name, *path;
};

struct gg_machine_value {
	bool there;            /* this machine has it */
	enum gg_reason reason; /* why it has no number; NONE: it has */
	double number;
};

struct gg_machine_reading {
	/* where to look */
	char *proc, *sys;
	char *disks[GG_MACHINE_DISKS];
	size_t disk_count;
	/* what was found */
	struct gg_machine_value values[GG_MACHINE_VALUES];
	char zones[GG_MACHINE_ZONES][GG_MACHINE_ZONE_NAME + 12]; /* each another name */
	size_t good;                                             /* values with a number */
	char trouble[160];                                       /* the first thing that failed, or "" */
	int64_t took_ns;
	/* the asker's */
	void *owner;
	int64_t time_ns;
};

/* NULL when out of memory. disks: struct gg_machine_disk, at most GG_MACHINE_DISKS. */
struct gg_machine_reading *gg_machine_reading_new(
	const char *proc, const char *sys, const struct gg_many *disks);
/* Accepts NULL. */
void gg_machine_reading_free(struct gg_machine_reading *r);
/* Looks. Thread: any that may block. */
void gg_machine_read(struct gg_machine_reading *r);

#endif
