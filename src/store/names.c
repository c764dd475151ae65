/* SPDX-License-Identifier: Apache-2.0 */
/* The names of this process: the core's signal table. */
#include "store/names.h"
#include "core/signals.h"

#include <pthread.h>

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

/* What only records have said of a signal, and which one: a later one knows better. Bounded by the number of
 * signals. */
struct heard {
	const struct gg_signal_info *info;
	uint64_t position;
};

static struct {
	pthread_mutex_t lock; /* guards all */
	struct heard *by_signal;
	size_t cap;
} heard = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct heard *heard_of(uint32_t signal)
{
	if (signal >= heard.cap) {
		size_t cap = gg_max_size((size_t)signal + 1, heard.cap ? 2 * heard.cap : 256);
		struct heard *bigger = realloc(heard.by_signal, cap * sizeof *bigger);
		if (!bigger)
			return NULL;
		memset(bigger + heard.cap, 0, (cap - heard.cap) * sizeof *bigger);
		heard.by_signal = bigger;
		heard.cap = cap;
	}
	return &heard.by_signal[signal];
}

/* What a record says of a signal must not replace what is known of it from elsewhere, or from a later one. */
static int take_in(uint32_t device, struct gg_str name, const struct gg_signal_spec *spec, uint64_t position,
	uint32_t signal)
{
	const struct gg_signal_info *info = gg_signal(signal);
	struct heard *h = heard_of(signal);
	bool nothing_known = info->type == GG_TYPE_NONE && !*info->unit && !*info->title;
	if (!nothing_known && (!h || h->info != info || h->position >= position))
		return 0;
	int rc = gg_signal_make(device, name, spec, &signal);
	if (rc == 0 && h)
		*h = (struct heard){gg_signal(signal), position};
	return rc;
}

static int find_signal(GG_UNUSED void *arg, uint32_t device, struct gg_str name,
	const struct gg_signal_spec *spec, uint64_t position, uint32_t *ret_signal)
{
	int rc = gg_signal_make(device, name, NULL, ret_signal);
	if (rc < 0)
		return rc;
	pthread_mutex_lock(&heard.lock);
	rc = take_in(device, name, spec, position, *ret_signal);
	pthread_mutex_unlock(&heard.lock);
	return rc;
}

const struct gg_names gg_names_table = {
	.signal = signal_info, .device = device_id, .find_device = find_device, .find_signal = find_signal};
