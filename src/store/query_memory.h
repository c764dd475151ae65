/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much memory one query may take. SQLite counts memory for the whole process only, and a limit there
 * would hit the catalog and the history as well; so its allocator is wrapped once, and a thread that runs a
 * query says how much may be taken on it until it is done. What goes beyond is refused as if there were none.
 */
#ifndef GG_QUERY_MEMORY_H
#define GG_QUERY_MEMORY_H

#include "base/base.h"

struct gg_query_memory {
	int64_t used, most, limit; /* bytes; most: the highest that used has been */
	bool refused;
};

/* Before SQLite is used for the first time; later calls do nothing. Thread: any. */
void gg_query_memory_setup(void);
/* From here on this thread's SQLite memory is counted in m; NULL ends it. A thread counts one at a time. */
void gg_query_memory_count(struct gg_query_memory *m);

#endif
