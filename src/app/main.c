/* SPDX-License-Identifier: Apache-2.0 */
#include "app/cli.h"

#include <malloc.h>

int main(int argc, char **argv)
{
	/* A password's hash takes 16 MiB for a moment. Left alone, glibc learns from that to keep such
	 * blocks: 48 MiB for good once three devices have logged in, instead of 4. */
	mallopt(M_MMAP_THRESHOLD, 128 << 10);
	mallopt(M_ARENA_MAX, 3); /* threads that hardly allocate need no arena each */
	return gg_cli_main(argc, argv);
}
