/* SPDX-License-Identifier: Apache-2.0 */
#include "store/query_memory.h"

#include <pthread.h>
#include <sqlite3.h>

static sqlite3_mem_methods plain;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Thread_local struct gg_query_memory *counting;

static bool take(int64_t bytes)
{
	struct gg_query_memory *m = counting;
	if (!m)
		return true;
	if (bytes > 0 && m->used + bytes > m->limit) {
		m->refused = true;
		return false;
	}
	m->used += bytes;
	m->most = m->used > m->most ? m->used : m->most;
	return true;
}

static void *counted_malloc(int bytes)
{
	if (!take(bytes))
		return NULL;
	void *p = plain.xMalloc(bytes);
	/* what it really is, as free() will count that */
	take(p ? plain.xSize(p) - bytes : -(int64_t)bytes);
	return p;
}

static void counted_free(void *p)
{
	if (p)
		take(-(int64_t)plain.xSize(p));
	plain.xFree(p);
}

static void *counted_realloc(void *p, int bytes)
{
	int64_t before = plain.xSize(p);
	if (!take(bytes - before))
		return NULL;
	void *fresh = plain.xRealloc(p, bytes);
	take(fresh ? plain.xSize(fresh) - bytes : before - bytes);
	return fresh;
}

static void wrap(void)
{
	if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &plain) != SQLITE_OK || !plain.xMalloc)
		return;
	sqlite3_mem_methods counted = plain;
	counted.xMalloc = counted_malloc;
	counted.xFree = counted_free;
	counted.xRealloc = counted_realloc;
	sqlite3_config(
		SQLITE_CONFIG_MALLOC, &counted); /* refused when SQLite is at work: then nothing is counted */
}

void gg_query_memory_setup(void)
{
	pthread_once(&once, wrap);
}

void gg_query_memory_count(struct gg_query_memory *m)
{
	counting = m;
}
