/* SPDX-License-Identifier: Apache-2.0 */
#define GG_CURL_LOADER
#include "net/curl.h"

#include <dlfcn.h>
#include <pthread.h>

struct gg_curl gg_curl;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct gg_error why;

static void load(void)
{
	static const char *const names[] = {"libcurl.so.4", "libcurl-gnutls.so.4"};
	void *library = NULL;
	for (size_t i = 0; i < GG_COUNT(names) && !library; i++)
		library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
	if (!library) {
		gg_error_set(
			&why, -ENOENT, "libcurl is not here (Debian: apt install libcurl4): %s", dlerror());
		return;
	}
#define ROW(name)                                                                                            \
	gg_curl.name##_ = (__typeof__(gg_curl.name##_))dlsym(library, #name);                                \
	if (!gg_curl.name##_)                                                                                \
		gg_error_set(&why, -ENOENT, "libcurl is too old: it has no " #name);
	GG_CURL_FUNCTIONS(ROW)
#undef ROW
}

int gg_curl_load(struct gg_error *e)
{
	pthread_once(&once, load);
	if (why.code < 0 && e)
		*e = why;
	return why.code;
}
