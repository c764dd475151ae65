/* SPDX-License-Identifier: Apache-2.0 */
/* What a test and failing_disk.so share: 128 bytes of a file that both map. */
#ifndef FAILING_DISK_H
#define FAILING_DISK_H

#include <stdint.h>

enum failing_op { FAIL_WRITE = 1, FAIL_SYNC = 2, FAIL_READ = 4, FAIL_OPEN = 8 };

struct failing_plan {
	uint32_t ops;   /* which fail; 0: none */
	uint32_t error; /* errno */
	uint32_t skip;  /* calls to let through first */
	uint32_t times; /* how many then fail; 0: all */
	uint32_t hits;  /* how many have failed */
	uint32_t syncs; /* how many syncs succeeded, of any file */
	char part[104]; /* of the path; empty: all files in the folder */
};

#endif
