/* SPDX-License-Identifier: Apache-2.0 */
#include "core/signals.h"
#include "base/map.h"

#include <pthread.h>

enum { CHUNK = 1024, CHUNKS = 1024 }; /* at most 1,048,576 of each */

struct signal {
	_Atomic(const struct gg_signal_info *) info;
	_Atomic uint32_t sequence; /* odd while last is being written */
	struct gg_last last;
};

/* What is known of a signal, and what was known before: that stays, somebody may be reading it. */
struct known {
	struct known *before;
	struct gg_signal_info info;
};

struct device {
	char *id;
	size_t id_len;
	_Atomic(void *) owner;
	_Atomic uint32_t signals; /* how many it has */
	_Atomic bool disabled;
};

static struct {
	pthread_mutex_t lock; /* guards the maps and making */
	struct gg_map devices_by_id, signals_by_name;
	struct gg_map disabled; /* ids, known or not */
	_Atomic(struct device *) devices[CHUNKS];
	_Atomic(struct signal *) signals[CHUNKS];
	_Atomic uint32_t device_count, signal_count;
	uint32_t device_limit, signal_limit;
} table = {.lock = PTHREAD_MUTEX_INITIALIZER, .device_limit = 10000, .signal_limit = 100000};

static struct signal *signal_at(uint32_t index)
{
	return index < atomic_load(&table.signal_count)
		       ? &atomic_load(&table.signals[index / CHUNK])[index % CHUNK]
		       : NULL;
}

static struct device *device_at(uint32_t index)
{
	return index < atomic_load(&table.device_count)
		       ? &atomic_load(&table.devices[index / CHUNK])[index % CHUNK]
		       : NULL;
}

void gg_signals_limit(uint32_t devices, uint32_t signals)
{
	pthread_mutex_lock(&table.lock);
	table.device_limit = (uint32_t)gg_min_size(devices, CHUNK * CHUNKS);
	table.signal_limit = (uint32_t)gg_min_size(signals, CHUNK * CHUNKS);
	pthread_mutex_unlock(&table.lock);
}

static void disable_locked(struct device *d)
{
	bool disabled = gg_map_find(&table.disabled, gg_str_n(d->id, d->id_len)) != NULL;
	atomic_store(&d->disabled, disabled);
}

int gg_devices_disable(const char *const *ids, size_t count)
{
	struct gg_map fresh = {0};
	int rc = 0;
	for (size_t i = 0; i < count && rc == 0; i++)
		rc = gg_map_put(&fresh, gg_str(ids[i]), 1);
	if (rc < 0) {
		gg_map_done(&fresh);
		return rc;
	}
	pthread_mutex_lock(&table.lock);
	gg_map_done(&table.disabled);
	table.disabled = fresh;
	for (uint32_t i = 0; i < atomic_load(&table.device_count); i++)
		disable_locked(device_at(i));
	pthread_mutex_unlock(&table.lock);
	return 0;
}

bool gg_device_enabled(uint32_t device)
{
	struct device *d = device_at(device);
	return !d || !atomic_load_explicit(&d->disabled, memory_order_relaxed);
}

uint32_t gg_device_signals(uint32_t device)
{
	struct device *d = device_at(device);
	return d ? atomic_load(&d->signals) : 0;
}

static bool name_ok(struct gg_str name, const char *forbidden)
{
	if (name.len == 0 || name.len > 128 || !gg_utf8_valid(name))
		return false;
	for (size_t i = 0; i < name.len; i++)
		if ((unsigned char)name.p[i] <= ' ' || name.p[i] == 0x7f || strchr(forbidden, name.p[i]))
			return false;
	return true;
}

static int make_device_locked(struct gg_str id, uint32_t *ret_device)
{
	uint32_t index = atomic_load(&table.device_count);
	if (index >= table.device_limit)
		return -EDQUOT;
	struct device *chunk = atomic_load(&table.devices[index / CHUNK]);
	if (!chunk) {
		chunk = calloc(CHUNK, sizeof *chunk);
		if (!chunk)
			return -ENOMEM;
		atomic_store(&table.devices[index / CHUNK], chunk);
	}
	struct device *d = &chunk[index % CHUNK];
	d->id = gg_str_dup(id);
	if (!d->id)
		return -ENOMEM;
	d->id_len = id.len;
	if (gg_map_put(&table.devices_by_id, id, index) < 0) {
		free(d->id);
		return -ENOMEM;
	}
	disable_locked(d);
	atomic_store(&table.device_count, index + 1);
	*ret_device = index;
	return 0;
}

int gg_device_make(struct gg_str id, uint32_t *ret_device)
{
	if (!name_ok(id, "/*?#+"))
		return -EINVAL;
	pthread_mutex_lock(&table.lock);
	uint64_t found = gg_map_get(&table.devices_by_id, id, GG_NONE);
	int rc = 0;
	if (found == GG_NONE)
		rc = make_device_locked(id, ret_device);
	else
		*ret_device = (uint32_t)found;
	pthread_mutex_unlock(&table.lock);
	return rc;
}

static struct known *known_of(const struct gg_signal_info *info)
{
	return GG_CONTAINER(info, struct known, info);
}

/* One piece of memory: info, name, unit, title. */
static struct gg_signal_info *info_new(uint32_t index, uint32_t device, struct gg_str full, size_t device_len,
	const struct gg_signal_spec *spec)
{
	static const struct gg_signal_spec empty;
	const struct gg_signal_spec *s = spec ? spec : &empty;
	struct gg_str unit = gg_str(s->unit), title = gg_str(s->title);
	struct known *known = calloc(1, sizeof *known + full.len + unit.len + title.len + 3);
	if (!known)
		return NULL;
	struct gg_signal_info *info = &known->info;
	char *p = (char *)(known + 1);
	memcpy(p, full.p, full.len);
	info->name = gg_str_n(p, full.len);
	info->signal = gg_str_n(p + device_len + 1, full.len - device_len - 1);
	p += full.len + 1;
	gg_str_copy(p, unit.len + 1, unit);
	info->unit = p;
	p += unit.len + 1;
	gg_str_copy(p, title.len + 1, title);
	info->title = p;
	info->index = index;
	info->device = device;
	info->type = s->type;
	info->writable = s->writable;
	info->low = s->low;
	info->high = s->high;
	info->period_ns = s->period_ns;
	return info;
}

static bool says_the_same(const struct gg_signal_info *i, const struct gg_signal_spec *s)
{
	return i->type == s->type && i->writable == s->writable &&
	       gg_str_eq(gg_str(i->unit), gg_str(s->unit)) && gg_str_eq(gg_str(i->title), gg_str(s->title)) &&
	       !(i->low < s->low) && !(i->low > s->low) && !(i->high < s->high) && !(i->high > s->high) &&
	       i->period_ns == s->period_ns;
}

static int make_signal_locked(uint32_t device, size_t device_len, struct gg_str full,
	const struct gg_signal_spec *spec, uint32_t *ret_signal)
{
	uint32_t index = atomic_load(&table.signal_count);
	if (index >= table.signal_limit)
		return -EDQUOT;
	struct signal *chunk = atomic_load(&table.signals[index / CHUNK]);
	if (!chunk) {
		chunk = calloc(CHUNK, sizeof *chunk);
		if (!chunk)
			return -ENOMEM;
		atomic_store(&table.signals[index / CHUNK], chunk);
	}
	struct gg_signal_info *info = info_new(index, device, full, device_len, spec);
	if (!info || gg_map_put(&table.signals_by_name, full, index) < 0) {
		free(info ? known_of(info) : NULL);
		return -ENOMEM;
	}
	atomic_fetch_add(&device_at(device)->signals, 1);
	atomic_store(&chunk[index % CHUNK].info, info);
	atomic_store(&table.signal_count, index + 1);
	*ret_signal = index;
	return 0;
}

static int renew_locked(
	uint32_t index, size_t device_len, struct gg_str full, const struct gg_signal_spec *spec)
{
	struct signal *s = signal_at(index);
	const struct gg_signal_info *old = atomic_load(&s->info);
	if (!spec || says_the_same(old, spec))
		return 0;
	struct gg_signal_info *fresh = info_new(index, old->device, full, device_len, spec);
	if (!fresh)
		return -ENOMEM;
	known_of(fresh)->before = known_of(old);
	atomic_store(&s->info, fresh);
	return 0;
}

int gg_signal_make(
	uint32_t device, struct gg_str name, const struct gg_signal_spec *spec, uint32_t *ret_signal)
{
	return gg_signal_make_within(device, name, spec, UINT32_MAX, ret_signal);
}

int gg_signal_make_within(uint32_t device, struct gg_str name, const struct gg_signal_spec *spec,
	uint32_t most, uint32_t *ret_signal)
{
	char full_name[260];
	struct device *d = device_at(device);
	if (!d || !name_ok(name, "*?#+"))
		return -EINVAL;
	int n = snprintf(full_name, sizeof full_name, "%s/%.*s", d->id, GG_STR_ARG(name));
	struct gg_str full = gg_str_n(full_name, (size_t)n);
	pthread_mutex_lock(&table.lock);
	uint64_t found = gg_map_get(&table.signals_by_name, full, GG_NONE);
	int rc;
	if (found == GG_NONE) {
		rc = atomic_load(&d->signals) < most
			     ? make_signal_locked(device, d->id_len, full, spec, ret_signal)
			     : -EDQUOT;
	} else {
		rc = renew_locked((uint32_t)found, d->id_len, full, spec);
		if (rc == 0)
			*ret_signal = (uint32_t)found;
	}
	pthread_mutex_unlock(&table.lock);
	return rc;
}

int gg_signal_make_full(struct gg_str name, const struct gg_signal_spec *spec, uint32_t *ret_signal)
{
	uint32_t device;
	struct gg_str id = gg_str_cut(&name, '/');
	int rc = gg_device_make(id, &device);
	return rc < 0 ? rc : gg_signal_make(device, name, spec, ret_signal);
}

const struct gg_signal_info *gg_signal(uint32_t index)
{
	struct signal *s = signal_at(index);
	return s ? atomic_load_explicit(&s->info, memory_order_acquire) : NULL;
}

static uint32_t find(const struct gg_map *map, struct gg_str key)
{
	pthread_mutex_lock(&table.lock);
	uint32_t index = (uint32_t)gg_map_get(map, key, GG_NONE);
	pthread_mutex_unlock(&table.lock);
	return index;
}

uint32_t gg_signal_find(struct gg_str name)
{
	return find(&table.signals_by_name, name);
}

uint32_t gg_device_find(struct gg_str id)
{
	return find(&table.devices_by_id, id);
}

uint32_t gg_signal_count(void)
{
	return atomic_load(&table.signal_count);
}

uint32_t gg_device_count(void)
{
	return atomic_load(&table.device_count);
}

struct gg_str gg_device_id(uint32_t device)
{
	struct device *d = device_at(device);
	return d ? gg_str_n(d->id, d->id_len) : GG_STR("");
}

void gg_device_set_owner(uint32_t device, void *instance)
{
	struct device *d = device_at(device);
	if (d)
		atomic_store(&d->owner, instance);
}

void *gg_device_owner(uint32_t device)
{
	struct device *d = device_at(device);
	return d ? atomic_load(&d->owner) : NULL;
}

/* ---- last values: a sequence lock per signal; one writer, readers try again ---- */

void gg_last_put(const struct gg_batch *b, const struct gg_sample *s)
{
	struct signal *at = signal_at(s->signal);
	if (!at)
		return;
	uint32_t sequence = atomic_load_explicit(&at->sequence, memory_order_relaxed);
	atomic_store_explicit(&at->sequence, sequence + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	at->last.sample = *s;
	at->last.count++;
	if (s->type >= GG_TYPE_STRING)
		gg_str_copy(at->last.text, sizeof at->last.text, gg_batch_text(b, s));
	atomic_store_explicit(&at->sequence, sequence + 2, memory_order_release);
}

__attribute__((no_sanitize("thread"))) static void copy_last(struct gg_last *to, const struct gg_last *from)
{
	/* May race with the writer; the sequence tells, and the copy is thrown away. */
	const volatile uint64_t *source = (const volatile uint64_t *)from;
	uint64_t *target = (uint64_t *)to;
	for (size_t i = 0; i < sizeof *to / sizeof *target; i++)
		target[i] = source[i];
}

bool gg_last_get(uint32_t signal, struct gg_last *ret_last)
{
	struct signal *at = signal_at(signal);
	struct gg_last copy;
	for (int tries = 0; at && tries < 1000; tries++) {
		uint32_t before = atomic_load_explicit(&at->sequence, memory_order_acquire);
		copy_last(&copy, &at->last);
		atomic_thread_fence(memory_order_acquire);
		if (before % 2 == 0 && atomic_load_explicit(&at->sequence, memory_order_relaxed) == before) {
			if (copy.count)
				*ret_last = copy;
			return copy.count > 0;
		}
	}
	return false;
}
