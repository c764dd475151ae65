/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recorded series: rows of timestamp,value as CSV, plain or compressed with zstd. One is built into the
 * program (site/data/README.md says where it is from); its values are played as they were recorded. Thread:
 * immutable once loaded.
 */
#ifndef GG_SITE_RECORDING_H
#define GG_SITE_RECORDING_H

#include <stddef.h>

struct gg_site_row {
	char time[24]; /* as written: "2013-12-14 18:15:00" */
	double value;
};

struct gg_site_recording {
	struct gg_site_row *rows;
	size_t count;
	double row_seconds; /* recorded time between two rows: of the first two that differ */
};

/* path NULL: the one that is built in. 0, or -1 with the reason on stderr. */
int gg_site_recording_load(const char *path, struct gg_site_recording *ret_recording);
void gg_site_recording_done(struct gg_site_recording *r);
/* The first row at or after a time written as in the file; count when there is none. */
size_t gg_site_recording_find(const struct gg_site_recording *r, const char *time);

#endif
