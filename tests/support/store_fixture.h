/* SPDX-License-Identifier: Apache-2.0 */
/* What the store's tests share: a folder of their own, signals, batches, receipts that remember. */
#ifndef GG_STORE_FIXTURE_H
#define GG_STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/signals.h"
#include "store/journal.h"
#include "store/seal.h"
#include "store/sql.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

struct folder {
	char path[64];
};

/* Set by use_key(): tests of journals run once plain and once sealed. */
static GG_UNUSED const uint8_t *the_root;

static inline int use_key(GG_UNUSED void **state)
{
	static const uint8_t root[GG_SEAL_KEY] = "a root key for tests";
	the_root = root;
	return 0;
}

static inline void folder_empty(const char *path)
{
	DIR *d = opendir(path);
	for (struct dirent *e; d && (e = readdir(d));) {
		char name[512];
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if ((size_t)snprintf(name, sizeof name, "%s/%s", path, e->d_name) >= sizeof name)
			continue;
		struct stat st;
		if (lstat(name, &st) == 0 && S_ISDIR(st.st_mode)) {
			folder_empty(name);
			rmdir(name);
		} else {
			unlink(name);
		}
	}
	if (d)
		closedir(d);
}

/* With GANGLION_TEST_SEALED in the environment the databases of all tests are sealed. */
static inline bool sealed_by_environment(void)
{
	static const uint8_t root[] = "a key of 32 bytes, for tests only";
	if (!getenv("GANGLION_TEST_SEALED"))
		return false;
	assert_int_equal(gg_sql_seal(root), 0);
	return true;
}

static inline void folder_make(struct folder *f)
{
	sealed_by_environment();
	snprintf(f->path, sizeof f->path, "/tmp/ganglion-store-XXXXXX");
	assert_non_null(mkdtemp(f->path));
}

static inline void folder_remove(struct folder *f)
{
	folder_empty(f->path);
	rmdir(f->path);
}

static inline uint32_t a_signal(const char *name)
{
	uint32_t index;
	assert_int_equal(gg_signal_make_full(gg_str(name), NULL, &index), 0);
	return index;
}

/* A frozen batch of count floats: value, value + 1, ... at one second's distance from time_ns. */
static inline struct gg_batch *a_batch(uint32_t signal, uint32_t count, int64_t time_ns, double value)
{
	struct gg_batch *b = gg_batch_new(count, 0);
	assert_non_null(b);
	b->device = gg_signal(signal)->device;
	b->received_ns = time_ns;
	for (uint32_t i = 0; i < count; i++)
		gg_batch_add_float(b, signal, time_ns + i * GG_NS_PER_S, value + i);
	gg_batch_freeze(b);
	return b;
}

struct answer {
	struct gg_receipt receipt;
	_Atomic int count;
	int status;
};

static inline void answered(struct gg_receipt *r, int status)
{
	struct answer *a = GG_CONTAINER(r, struct answer, receipt);
	a->status = status;
	a->count++;
}

static inline struct gg_receipt *an_answer(struct answer *a)
{
	*a = (struct answer){.receipt = {.done = answered}, .status = 1};
	return &a->receipt;
}

#endif
