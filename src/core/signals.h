/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signal table: names to dense indices, for the whole process.
 *
 * Indices are given once and never change, so a batch in flight, a journal reader and a chart can hold them
 * across a new configuration. What is known of a signal (unit, title, range) is an immutable gg_signal_info;
 * a new one replaces it, old ones stay readable until the process ends (bounded by the number of changes a
 * person makes). Reading by index takes no lock: entries lie in chunks that never move. Thread: all of these
 * from any.
 */
#ifndef GG_CORE_SIGNALS_H
#define GG_CORE_SIGNALS_H

#include "ganglion/host.h"

/* Most devices and signals there may be; from the configuration's limits. */
void gg_signals_limit(uint32_t devices, uint32_t signals);
/* Errors: -EINVAL a name that can't be, -EDQUOT the limit, -ENOMEM. */
int gg_device_make(struct gg_str id, uint32_t *ret_device);
/* Finds or makes; a spec that says more than what is known replaces it. spec may be NULL. */
int gg_signal_make(
	uint32_t device, struct gg_str name, const struct gg_signal_spec *spec, uint32_t *ret_signal);
/* The same, but a new one is refused (-EDQUOT) when its device has that many: those it has stay. */
int gg_signal_make_within(uint32_t device, struct gg_str name, const struct gg_signal_spec *spec,
	uint32_t most, uint32_t *ret_signal);
uint32_t gg_device_signals(uint32_t device);
/* From now on exactly these are disabled, those too that are not known yet. Errors: -ENOMEM, all is as it
 * was.
 */
int gg_devices_disable(const char *const *ids, size_t count);
/* By full name "device/signal"; the device is what stands before the first '/'. Makes both. */
int gg_signal_make_full(struct gg_str name, const struct gg_signal_spec *spec, uint32_t *ret_signal);
/* Who speaks for a device: the driver instance that answers writes. NULL = nobody. */
void gg_device_set_owner(uint32_t device, void *instance);
void *gg_device_owner(uint32_t device);

/* ---- last values: written by the shard that owns the device, read by API and page as snapshots ---- */

enum { GG_LAST_TEXT = 56 };

struct gg_last {
	struct gg_sample sample; /* a string's first bytes are in text, v.blob.len its whole length */
	char text[GG_LAST_TEXT];
	uint64_t count; /* samples so far */
};

void gg_last_put(const struct gg_batch *b, const struct gg_sample *s);
/* false when there has been none. */
bool gg_last_get(uint32_t signal, struct gg_last *ret_last);

#endif
