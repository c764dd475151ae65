/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a long result goes: standard output, or a file that has its name only once it is whole (until then
 * NAME.part). And Ctrl-C for work that cleans up behind itself. Thread: main.
 */
#ifndef GG_APP_OUTPUT_H
#define GG_APP_OUTPUT_H

#include "app/cli.h"
#include "base/sink.h"

#include <stdatomic.h>

struct gg_output {
	const struct gg_args *args;
	struct gg_sink sink; /* write here */
	int fd;
	char path[4096], part[4104]; /* "": standard output */
	uint64_t bytes;
	const char *doing; /* of the line of progress, NULL = none */
};

/* path NULL or "-": standard output, of which bytes is then counted only. Errors are printed; returns an exit
 * status. A file that is there is replaced at the end. */
int gg_output_open(struct gg_output *o, const struct gg_args *args, const char *path, unsigned mode);
/* rc 0: puts the file in its place, else takes it away. Returns rc, or 1 when that failed. */
int gg_output_close(struct gg_output *o, int rc);

/* From here on Ctrl-C and SIGTERM do not end the program but set this. */
const _Atomic bool *gg_cli_interruptible(void);
bool gg_cli_interrupted(void);

#endif
