/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that cross from whoever asks (a rule on a shard, the API on the control thread) to the driver that
 * can: writing a signal and publishing a message. The request is the asker's struct; it travels to the
 * driver's loop, and back to the asker's loop with the answer in it, so nothing is allocated on the way.
 */
#include "core/signals.h"
#include "ganglion/driver.h"
#include "gateway/gateway.h"

static void answer_write(void *arg, int64_t status)
{
	struct gg_write *w = arg;
	w->done(w, (int)status, w->reason[0] ? w->reason : NULL);
}

void gg_write_done(struct gg_write *w, int status, const char *reason)
{
	gg_str_copy(w->reason, sizeof w->reason, gg_str(reason));
	gg_loop_post_sure(w->loop, answer_write, w, status);
}

static void run_write(void *arg, int64_t number)
{
	struct gg_write *w = arg;
	struct gg_host *h = gg_gateway_live(w->driver);
	struct gg_error e = {0};
	(void)number;
	int rc = h ? h->component->driver->write(h->self, w, &e)
		   : gg_error_set(&e, -ENOENT, "the driver has ended");
	if (rc < 0)
		gg_write_done(w, rc, e.text[0] ? e.text : strerror(-rc));
}

int gg_write_start(struct gg_write *w)
{
	const struct gg_signal_info *info = gg_signal(w->signal);
	struct gg_host *h = info ? gg_gateway_live(gg_device_owner(info->device)) : NULL;
	if (!h)
		return -ENOENT;
	if (!gg_device_enabled(info->device))
		return -EACCES;
	if (!info->writable || !h->component->driver || !h->component->driver->write)
		return -EPERM;
	w->driver = h;
	return gg_loop_post(h->loop, run_write, w, 0);
}

static void answer_publish(void *arg, int64_t status)
{
	struct gg_publish *p = arg;
	p->done(p, (int)status, p->reason[0] ? p->reason : NULL);
}

void gg_publish_done(struct gg_publish *p, int status, const char *reason)
{
	gg_str_copy(p->reason, sizeof p->reason, gg_str(reason));
	gg_loop_post_sure(p->loop, answer_publish, p, status);
}

static void run_publish(void *arg, int64_t number)
{
	struct gg_publish *p = arg;
	struct gg_host *h = gg_gateway_live(p->target);
	struct gg_error e = {0};
	(void)number;
	int rc = h ? h->component->driver->publish(h->self, p, &e)
		   : gg_error_set(&e, -ENOENT, "the driver has ended");
	if (rc < 0)
		gg_publish_done(p, rc, e.text[0] ? e.text : strerror(-rc));
}

static bool can_publish(const struct gg_host *h, void *via)
{
	return h->component->kind == GG_DRIVER && h->component->driver->publish &&
	       (!via || strcmp(h->name, via) == 0);
}

int gg_publish_start(struct gg_publish *p)
{
	struct gg_host *h = gg_gateway_find_live(can_publish, (void *)(uintptr_t)p->via);
	if (!h)
		return -ENOENT;
	p->target = h;
	return gg_loop_post(h->loop, run_publish, p, 0);
}
