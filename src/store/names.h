/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the store has to know of the signal table: a name for an index when it writes, an index for a name
 * when it reads what an earlier process wrote. A table of functions, so that tools and tests bring their own.
 * Thread: any.
 */
#ifndef GG_NAMES_H
#define GG_NAMES_H

#include "ganglion/host.h"

struct gg_names {
	void *arg;
	/* NULL when there is no such index. */
	const struct gg_signal_info *(*signal)(void *arg, uint32_t index);
	/* "" when there is no such index. */
	struct gg_str (*device)(void *arg, uint32_t index);
	/* Find or make. position: of the record in which the signal is described so, later ones know better.
	 */
	int (*find_device)(void *arg, struct gg_str id, uint32_t *ret_device);
	int (*find_signal)(void *arg, uint32_t device, struct gg_str name, const struct gg_signal_spec *spec,
		uint64_t position, uint32_t *ret_signal);
};

/* The signal table of this process. */
extern const struct gg_names gg_names_table;

#endif
