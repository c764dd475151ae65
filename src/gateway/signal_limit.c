/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The limit of signals per device: one that names ever new ones must not use up the table for all. What it
 * has already goes on. Each refusal is counted; the first of a device is an event that names it, which clears
 * when a new configuration gives it room again.
 */
#include "core/signals.h"
#include "gateway/gateway.h"

#include <pthread.h>

static _Atomic uint32_t most = UINT32_MAX;
static struct {
	pthread_mutex_t lock;  /* guards devices */
	struct gg_map devices; /* ids of those that were told */
} told = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void tell(struct gg_str id, bool clear, uint32_t limit)
{
	char title[300];
	snprintf(title, sizeof title,
		"%.*s has %u signals, as many as a device may: further ones are refused "
		"(limits.signals_per_device)",
		GG_STR_ARG(id), limit);
	gg_event(&(struct gg_event_report){.kind = "signals-limit",
		.key = id,
		.severity = GG_WARNING,
		.clear = clear,
		.title = gg_str(title),
		.device = gg_device_find(id),
		.signal = GG_NONE});
}

static void refused(struct gg_host *h, uint32_t device)
{
	struct gg_str id = gg_device_id(device);
	char label[200];
	snprintf(label, sizeof label, "driver=\"%.150s\"", h ? h->name : "");
	gg_count(gg_metric_counter("driver_refused_signals_total", label,
			 "Signals refused because their device has as many as it may"),
		1);
	pthread_mutex_lock(&told.lock);
	bool is_news = !gg_map_find(&told.devices, id) && gg_map_put(&told.devices, id, 1) == 0;
	pthread_mutex_unlock(&told.lock);
	if (!is_news)
		return;
	gg_log(GG_WARN, h ? h->name : "devices",
		"a device has as many signals as it may, continuing without further ones",
		GG_SV("device", id), GG_I("limit", atomic_load(&most)));
	tell(id, /* clear= */ false, atomic_load(&most));
}

int gg_host_signal(struct gg_host *h, uint32_t device, struct gg_str name, const struct gg_signal_spec *spec,
	uint32_t *ret_signal)
{
	uint32_t limit = atomic_load(&most);
	int rc = gg_signal_make_within(device, name, spec, limit, ret_signal);
	if (rc == -EDQUOT && gg_device_signals(device) >= limit)
		refused(h, device);
	return rc;
}

void gg_gateway_limit_signals(uint64_t per_device)
{
	struct gg_map before = {0};
	struct gg_map_entry *e;
	uint32_t limit = (uint32_t)gg_min_size(per_device, UINT32_MAX);
	atomic_store(&most, limit);
	pthread_mutex_lock(&told.lock);
	before = told.devices;
	told.devices = (struct gg_map){0};
	pthread_mutex_unlock(&told.lock);
	gg_map_each (e, &before) {
		struct gg_str id = gg_str_n(e->key, e->len);
		if (gg_device_signals(gg_device_find(id)) < limit) {
			tell(id, /* clear= */ true, limit);
			continue;
		}
		pthread_mutex_lock(&told.lock);
		gg_map_put(&told.devices, id, 1);
		pthread_mutex_unlock(&told.lock);
	}
	gg_map_done(&before);
}

void gg_gateway_was_limited(struct gg_str device)
{
	pthread_mutex_lock(&told.lock);
	gg_map_put(&told.devices, device, 1);
	pthread_mutex_unlock(&told.lock);
}
