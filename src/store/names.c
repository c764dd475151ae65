/* SPDX-License-Identifier: Apache-2.0 */
/* The names of this process: the core's signal table. */
#include "store/names.h"
#include "core/signals.h"

static const struct gg_signal_info *signal_info(GG_UNUSED void *arg, uint32_t index)
{
	return gg_signal(index);
}

static struct gg_str device_id(GG_UNUSED void *arg, uint32_t index)
{
	return gg_device_id(index);
}

static int find_device(GG_UNUSED void *arg, struct gg_str id, uint32_t *ret_device)
{
	return gg_device_make(id, ret_device);
}

/* What an old record says of a signal must not replace what is known of it now. */
static int find_signal(GG_UNUSED void *arg, uint32_t device, struct gg_str name,
	const struct gg_signal_spec *spec, uint32_t *ret_signal)
{
	int rc = gg_signal_make(device, name, NULL, ret_signal);
	const struct gg_signal_info *info = rc == 0 ? gg_signal(*ret_signal) : NULL;
	bool nothing_known = info && info->type == GG_TYPE_NONE && !*info->unit && !*info->title;
	return nothing_known ? gg_signal_make(device, name, spec, ret_signal) : rc;
}

const struct gg_names gg_names_table = {
	.signal = signal_info, .device = device_id, .find_device = find_device, .find_signal = find_signal};
