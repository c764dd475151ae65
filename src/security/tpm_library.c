/* SPDX-License-Identifier: Apache-2.0 */
/* See tpm_library.h. */
#include "security/tpm_library.h"

#include <dlfcn.h>
#include <pthread.h>

struct gg_tss gg_tss;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct gg_error why;

static void *open_one(const char *name)
{
	void *library = why.code < 0 ? NULL : dlopen(name, RTLD_NOW | RTLD_LOCAL);
	if (!library && !why.code)
		gg_error_set(&why, -ENOENT,
			"tpm2-tss is not here (Debian: apt install libtss2-esys-3.0.2-0 libtss2-tctildr0 "
			"libtss2-tcti-device0): %s",
			dlerror());
	return library;
}

static void *find(void *library, const char *name)
{
	void *found = library ? dlsym(library, name) : NULL;
	if (library && !found)
		gg_error_set(&why, -ENOENT, "tpm2-tss is too old: it has no %s", name);
	return found;
}

static void load(void)
{
	void *esys = open_one("libtss2-esys.so.0"), *mu = open_one("libtss2-mu.so.0"),
	     *tcti = open_one("libtss2-tctildr.so.0");
#define FROM_ESYS(name) gg_tss.name = (__typeof__(gg_tss.name))find(esys, #name);
#define FROM_MU(name)   gg_tss.name = (__typeof__(gg_tss.name))find(mu, #name);
#define FROM_TCTI(name) gg_tss.name = (__typeof__(gg_tss.name))find(tcti, #name);
	GG_ESYS_FUNCTIONS(FROM_ESYS)
	GG_MU_FUNCTIONS(FROM_MU)
	GG_TCTI_FUNCTIONS(FROM_TCTI)
}

int gg_tpm_library_load(struct gg_error *e)
{
	setenv("TSS2_LOG", "all+NONE", /* overwrite= */ 0); /* what goes wrong we say ourselves, once */
	pthread_once(&once, load);
	if (why.code < 0 && e)
		*e = why;
	return why.code;
}
