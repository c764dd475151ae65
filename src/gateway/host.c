/* SPDX-License-Identifier: Apache-2.0 */
/* What include/ganglion/host.h promises to instances: names, data, work. Signals, events, writes and logins
 * have files of their own. */
#include "base/log.h"
#include "core/signals.h"
#include "core/work.h"
#include "ganglion/driver.h"
#include "gateway/gateway.h"
#include "store/journal.h"

const char *gg_host_name(const struct gg_host *h)
{
	return h->name;
}

struct gg_loop *gg_host_loop(const struct gg_host *h)
{
	return h->loop;
}

const struct gg_clock *gg_host_clock(const struct gg_host *h)
{
	(void)h;
	return &gg_clock_system;
}

const char *gg_host_data_dir(const struct gg_host *h)
{
	(void)h;
	return gg_gateway.data_dir;
}

const char *gg_host_site(const struct gg_host *h)
{
	(void)h;
	const char *site = atomic_load(&gg_gateway.site);
	return site ? site : "";
}

int gg_host_device(struct gg_host *h, struct gg_str id, uint32_t *ret_device)
{
	int rc = gg_device_make(id, ret_device);
	if (rc == 0 && h && h->component->kind == GG_DRIVER)
		gg_device_set_owner(*ret_device, h);
	return rc;
}

/* ---- data ---- */

/* Of a device that is disabled: dropped on purpose, which counts as kept. */
static void leave_out(struct gg_host *h, struct gg_batch *b)
{
	gg_count(h->left_out, b->count);
	if (b->receipt)
		gg_receipt_return(GG_TAKE(b->receipt), 0);
	gg_batch_unref(b);
}

int gg_host_submit_take(struct gg_host *h, struct gg_batch *b)
{
	struct gg_shard *s = gg_gateway_shard_of(b->device);
	uint32_t samples = b->count;
	if (!gg_device_enabled(b->device)) {
		leave_out(h, b);
		return 0;
	}
	/* By the gateway's own clock, whatever the driver has read: derive's time never steps back. */
	if (!b->frozen)
		b->received_ns = gg_gateway_utc();
	int rc = gg_shard_send(s, b);
	if (rc == -EAGAIN) {
		/* Said before the second attempt: if that fails too, whoever makes room sees it. */
		atomic_store(&h->waiting, true);
		gg_shard_want_room(s);
		rc = gg_shard_send(s, b);
	}
	if (rc < 0) {
		gg_count(h->refused, 1);
		if (b->receipt)
			gg_receipt_return(GG_TAKE(b->receipt), rc);
		gg_batch_unref(b);
		return rc;
	}
	gg_count(h->batches, 1);
	gg_count(h->samples, samples);
	return 0;
}

static void receipt_done(void *arg, int64_t status)
{
	struct gg_receipt *r = arg;
	r->done(r, (int)status);
}

void gg_receipt_return(struct gg_receipt *r, int status)
{
	gg_loop_post_sure(r->loop, receipt_done, r, status);
}

int gg_host_keep(struct gg_host *h, const void *data, size_t len, struct gg_receipt *receipt)
{
	int rc = gg_journal_append_record(
		gg_gateway.journal, GG_RECORD_KEPT, gg_str(h->name), gg_str_n(data, len), receipt);
	gg_count(h->kept, rc == 0);
	if (rc < 0)
		atomic_fetch_add(&h->not_kept, 1);
	return rc;
}

int gg_host_work(struct gg_host *h, void (*work)(void *arg), void (*done)(void *arg), void *arg)
{
	return gg_work(h->loop, work, done, arg);
}

/* ---- health ---- */

void gg_host_device_health(struct gg_host *h, uint32_t device, bool healthy, const char *reason)
{
	struct gg_str id = gg_device_id(device);
	char title[GG_ERROR_TEXT];
	if (!gg_gateway_live(h))
		return; /* it is ending: that its devices lose their connection is no news */
	if (!gg_device_enabled(device))
		return;
	if (!gg_health_set(device, healthy, reason))
		return; /* as before */
	if (healthy)
		snprintf(title, sizeof title, "%.*s answers again", GG_STR_ARG(id));
	else
		snprintf(title, sizeof title, "%.*s is lost: %s", GG_STR_ARG(id),
			reason ? reason : "no reason given");
	gg_log(healthy ? GG_INFO : GG_WARN, h->name, healthy ? "device is back" : "device is lost",
		GG_SV("device", id), GG_S("reason", reason));
	gg_event(&(struct gg_event_report){.kind = "device-lost",
		.key = id,
		.severity = GG_WARNING,
		.clear = healthy,
		.title = gg_str(title),
		.device = device,
		.signal = GG_NONE});
}
