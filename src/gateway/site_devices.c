/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `devices:` of the configuration means for the devices at work. One with `enabled: false` is not taken
 * in from nor polled, whatever driver it has (gg_device_enabled()); and when a new configuration takes a
 * right away, connections made with it end, as after a change of the registry: their drivers asked only at
 * the login.
 */
#include "core/signals.h"
#include "gateway/gateway.h"

static const struct gg_site_device *entry_of(const struct gg_site *site, const char *id)
{
	const struct gg_site_device *d = site->devices.items;
	for (size_t i = 0; i < site->devices.count; i++)
		if (strcmp(d[i].id, id) == 0)
			return &d[i];
	return NULL;
}

static bool has_topic(const struct gg_site_device *d, const char *topic)
{
	for (size_t i = 0; d && i < d->topics.count; i++)
		if (strcmp(d->topics.items[i], topic) == 0)
			return true;
	return false;
}

/* NULL: there is no entry, so it is enabled and has no more than its own topics. */
static bool loses(const struct gg_site_device *was, const struct gg_site_device *is)
{
	bool any_topic = is && is->any_topic;
	if (is && !is->enabled && (!was || was->enabled))
		return true;
	if (!was || any_topic)
		return false;
	for (size_t i = 0; i < was->topics.count; i++)
		if (!has_topic(is, was->topics.items[i]))
			return true;
	return was->any_topic;
}

/* That a device which nobody asks any more does not answer is no news. */
static void forget_loss(const char *id)
{
	uint32_t device = gg_device_find(gg_str(id));
	if (device != GG_NONE && gg_health_get(device).known)
		gg_health_set(device, /* healthy= */ true, "");
	if (!gg_events_open_id("device-lost", gg_str(id)))
		return;
	gg_event(&(struct gg_event_report){.kind = "device-lost",
		.key = gg_str(id),
		.severity = GG_WARNING,
		.clear = true,
		.title = gg_str(id),
		.device = device,
		.signal = GG_NONE,
		.trace_json = GG_STR("{\"cleared\":true,\"reason\":\"the device was disabled\"}")});
}

void gg_gateway_disable_devices(const struct gg_site *site)
{
	const struct gg_site_device *d = site->devices.items;
	const char **ids = calloc(site->devices.count + 1, sizeof *ids);
	size_t count = 0;
	for (size_t i = 0; ids && i < site->devices.count; i++)
		if (!d[i].enabled)
			ids[count++] = d[i].id;
	if (!ids || gg_devices_disable(ids, count) < 0)
		gg_log(GG_ERROR, "devices", "out of memory: devices are enabled and disabled as before");
	for (size_t i = 0; ids && i < count; i++)
		forget_loss(ids[i]);
	free(ids);
}

void gg_gateway_revoke_lost_rights(const struct gg_site *was, const struct gg_site *is)
{
	const struct gg_site_device *d = was->devices.items;
	for (size_t i = 0; i < was->devices.count; i++)
		if (loses(&d[i], entry_of(is, d[i].id)))
			gg_gateway_revoke(gg_str(d[i].id));
	d = is->devices.items;
	for (size_t i = 0; i < is->devices.count; i++)
		if (!entry_of(was, d[i].id) && loses(NULL, &d[i]))
			gg_gateway_revoke(gg_str(d[i].id));
}
