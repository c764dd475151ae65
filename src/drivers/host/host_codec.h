/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Linux writes under /proc and /sys, as numbers: see proc(5) and the kernel's
 * Documentation/driver-api/thermal/sysfs-api.rst. Pure: text in, numbers out, no file is touched here.
 * Errors of all: -EINVAL the text is not of that form, -ERANGE a number that can't be.
 */
#ifndef GG_HOST_CODEC_H
#define GG_HOST_CODEC_H

#include "base/str.h"

enum { GG_MACHINE_ZONE_NAME = 48 };

struct gg_machine_memory {
	uint64_t total_bytes, available_bytes;
};

/* /proc/loadavg: "0.20 0.18 0.12 1/80 11206", of 1, 5 and 15 minutes. */
int gg_machine_load(struct gg_str text, double ret_load[3]);
/* /proc/meminfo: lines as "MemTotal:  16316412 kB". */
int gg_machine_memory(struct gg_str text, struct gg_machine_memory *ret_memory);
/* /proc/uptime: "350735.47 234388.90". Units: s. */
int gg_machine_uptime(struct gg_str text, double *ret_seconds);
/* thermal_zone0/temp: "48312\n", thousandths of a degree. Units: degrees Celsius. */
int gg_machine_temperature(struct gg_str text, double *ret_celsius);
/* thermal_zone0/type, fit for a signal's name: "cpu-thermal"; what a name can't have becomes '_'. */
void gg_machine_zone_name(struct gg_str text, char ret_name[GG_MACHINE_ZONE_NAME]);

#endif
