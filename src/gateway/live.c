/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which instances are alive. A letter may name an instance that has ended meanwhile; so the loops ask here
 * before they touch one. An instance is entered before its start and struck out before its close, both by the
 * control thread; close runs on the instance's loop, so a callback there that found it alive finishes first.
 */
#include "ganglion/driver.h"
#include "gateway/gateway.h"

#include <pthread.h>

enum { MOST = 4096 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards live, count */
static struct gg_host *live[MOST];
static size_t count;

int gg_gateway_enter(struct gg_host *h)
{
	pthread_mutex_lock(&lock);
	int rc = count < MOST ? 0 : -EDQUOT;
	if (rc == 0)
		live[count++] = h;
	pthread_mutex_unlock(&lock);
	return rc;
}

void gg_gateway_leave(struct gg_host *h)
{
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < count; i++) {
		if (live[i] == h) {
			memmove(&live[i], &live[i + 1], (count - i - 1) * sizeof live[0]);
			count--;
			break;
		}
	}
	pthread_mutex_unlock(&lock);
}

struct gg_host *gg_gateway_find_live(bool (*fits)(const struct gg_host *h, void *arg), void *arg)
{
	struct gg_host *found = NULL;
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < count && !found; i++)
		if (fits(live[i], arg))
			found = live[i];
	pthread_mutex_unlock(&lock);
	return found;
}

static bool is_same(const struct gg_host *h, void *arg)
{
	return h == arg;
}

struct gg_host *gg_gateway_live(void *h)
{
	return h ? gg_gateway_find_live(is_same, h) : NULL;
}

static void resume(void *arg, int64_t number)
{
	struct gg_host *h = gg_gateway_live(arg);
	(void)number;
	if (h && atomic_exchange(&h->waiting, false))
		h->component->driver->resume(h->self);
}

static bool post_resume(const struct gg_host *h, void *arg)
{
	(void)arg;
	if (atomic_load(&h->waiting) && h->component->kind == GG_DRIVER && h->component->driver->resume)
		gg_loop_post_sure(h->loop, resume, (void *)(uintptr_t)h, 0);
	return false;
}

void gg_gateway_resume_drivers(void)
{
	gg_gateway_find_live(post_resume, NULL);
}

struct revocation {
	void *host;
	char id[];
};

static void revoke(void *arg, int64_t number)
{
	struct revocation *r = arg;
	struct gg_host *h = gg_gateway_live(r->host);
	(void)number;
	if (h)
		h->component->driver->revoked(h->self, gg_str(r->id));
	free(r);
}

static bool post_revoked(const struct gg_host *h, void *arg)
{
	const struct gg_str *id = arg;
	if (h->component->kind != GG_DRIVER || !h->component->driver->revoked)
		return false;
	struct revocation *r = malloc(sizeof *r + id->len + 1);
	if (!r) {
		gg_log(GG_ERROR, h->name, "out of memory: what is connected under a changed entry stays",
			GG_SV("entry", *id));
		return false;
	}
	r->host = (void *)(uintptr_t)h;
	gg_str_copy(r->id, id->len + 1, *id);
	gg_loop_post_sure(h->loop, revoke, r, 0);
	return false;
}

void gg_gateway_revoke(struct gg_str id)
{
	gg_gateway_forget_logins();
	gg_gateway_find_live(post_revoked, &id);
}
