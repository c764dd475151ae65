/* SPDX-License-Identifier: Apache-2.0 */
#include "core/signals.h"
#include "base/map.h"

#include <pthread.h>

enum { CHUNK = 1024, CHUNKS = 1024 }; /* at most 1,048,576 of each */

/* There are a hundred thousand of them, so each byte counts: the text of a string is apart. */
struct signal {
	_Atomic(const struct gg_signal_info *) info;
	_Atomic uint32_t sequence; /* odd while what follows is being written */
	struct gg_sample sample;
	uint64_t count;
	char *text; /* GG_LAST_TEXT bytes, from the first string on */
};

/* Names to indices: open addressing over the table's own names, so that none is kept twice. A slot is 0 or
 * index + 1 below and bits of the hash above. */
struct finder {
	uint32_t *slots;
	size_t cap, count;
};

enum { INDEX_BITS = 21 };

struct device {
	char *id;
	size_t id_len;
	_Atomic(void *) owner;
	_Atomic uint32_t signals; /* how many it has */
	_Atomic bool disabled;
};

static struct {
	pthread_mutex_t lock; /* guards the maps and making */
	struct gg_map devices_by_id;
	struct finder signals_by_name;
	struct gg_arena memory; /* of infos; what was known before stays, somebody may be reading it */
	struct gg_map disabled; /* ids, known or not */
	_Atomic(struct device *) devices[CHUNKS];
	_Atomic(struct signal *) signals[CHUNKS];
	_Atomic uint32_t device_count, signal_count;
	uint32_t device_limit, signal_limit;
} table = {.lock = PTHREAD_MUTEX_INITIALIZER,
	.device_limit = 10000,
	.signal_limit = 100000,
	.memory = {.max = SIZE_MAX}};

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

/* ---- names to indices ---- */

static uint32_t tag_of(uint64_t hash, uint32_t index)
{
	return (uint32_t)(hash >> 32) << INDEX_BITS | (index + 1);
}

static uint32_t index_of(uint32_t slot)
{
	return (slot & ((1U << INDEX_BITS) - 1)) - 1;
}

static void enter(struct finder *f, uint64_t hash, uint32_t index)
{
	size_t i = hash & (f->cap - 1);
	while (f->slots[i])
		i = (i + 1) & (f->cap - 1);
	f->slots[i] = tag_of(hash, index);
	f->count++;
}

static uint32_t find_signal_locked(struct gg_str name)
{
	const struct finder *f = &table.signals_by_name;
	uint64_t hash = gg_hash(name);
	for (size_t i = hash & (f->cap - 1); f->cap && f->slots[i]; i = (i + 1) & (f->cap - 1)) {
		uint32_t index = index_of(f->slots[i]);
		if (f->slots[i] == tag_of(hash, index) &&
			gg_str_eq(atomic_load(&signal_at(index)->info)->name, name))
			return index;
	}
	return GG_NONE;
}

/* Makes room for one more. */
static int reserve_name_locked(void)
{
	struct finder *f = &table.signals_by_name, bigger = {.cap = f->cap ? f->cap * 2 : 1024};
	if (f->count + 1 <= f->cap / 4 * 3)
		return 0;
	bigger.slots = calloc(bigger.cap, sizeof *bigger.slots);
	if (!bigger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < f->cap; i++)
		if (f->slots[i])
			enter(&bigger, gg_hash(atomic_load(&signal_at(index_of(f->slots[i]))->info)->name),
				index_of(f->slots[i]));
	free(f->slots);
	*f = bigger;
	return 0;
}

/* ---- what is known ---- */

/* One piece of memory: info, name, unit, title. */
static struct gg_signal_info *info_new(uint32_t index, uint32_t device, struct gg_str full, size_t device_len,
	const struct gg_signal_spec *spec)
{
	static const struct gg_signal_spec empty;
	const struct gg_signal_spec *s = spec ? spec : &empty;
	struct gg_str unit = gg_str(s->unit), title = gg_str(s->title);
	struct gg_signal_info *info =
		gg_arena_alloc(&table.memory, sizeof *info + full.len + unit.len + title.len + 3);
	if (!info)
		return NULL;
	char *p = (char *)(info + 1);
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
	if (reserve_name_locked() < 0)
		return -ENOMEM;
	struct gg_signal_info *info = info_new(index, device, full, device_len, spec);
	if (!info)
		return -ENOMEM;
	atomic_fetch_add(&device_at(device)->signals, 1);
	atomic_store(&chunk[index % CHUNK].info, info);
	atomic_store(&table.signal_count, index + 1);
	enter(&table.signals_by_name, gg_hash(full), index);
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
	uint32_t found = find_signal_locked(full);
	int rc;
	if (found == GG_NONE) {
		rc = atomic_load(&d->signals) < most
			     ? make_signal_locked(device, d->id_len, full, spec, ret_signal)
			     : -EDQUOT;
	} else {
		rc = renew_locked(found, d->id_len, full, spec);
		if (rc == 0)
			*ret_signal = found;
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

uint32_t gg_signal_find(struct gg_str name)
{
	pthread_mutex_lock(&table.lock);
	uint32_t index = find_signal_locked(name);
	pthread_mutex_unlock(&table.lock);
	return index;
}

uint32_t gg_device_find(struct gg_str id)
{
	pthread_mutex_lock(&table.lock);
	uint32_t index = (uint32_t)gg_map_get(&table.devices_by_id, id, GG_NONE);
	pthread_mutex_unlock(&table.lock);
	return index;
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

static void put_text(struct signal *at, struct gg_str text)
{
	if (!at->text)
		at->text = malloc(GG_LAST_TEXT); /* stays with the signal */
	if (at->text)
		gg_str_copy(at->text, GG_LAST_TEXT, text);
}

void gg_last_put(const struct gg_batch *b, const struct gg_sample *s)
{
	struct signal *at = signal_at(s->signal);
	if (!at)
		return;
	uint32_t sequence = atomic_load_explicit(&at->sequence, memory_order_relaxed);
	atomic_store_explicit(&at->sequence, sequence + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	at->sample = *s;
	at->count++;
	if (s->type >= GG_TYPE_STRING)
		put_text(at, gg_batch_text(b, s));
	atomic_store_explicit(&at->sequence, sequence + 2, memory_order_release);
}

__attribute__((no_sanitize("thread"))) static void copy_last(struct gg_last *to, const struct signal *from)
{
	/* May race with the writer; the sequence tells, and the copy is thrown away. */
	const volatile struct signal *source = from;
	const volatile uint64_t *words = (const volatile uint64_t *)&source->sample;
	uint64_t *target = (uint64_t *)&to->sample;
	for (size_t i = 0; i < sizeof to->sample / sizeof *target; i++)
		target[i] = words[i];
	to->count = source->count;
	const volatile char *text = source->text;
	for (size_t i = 0; text && i < GG_LAST_TEXT; i++)
		to->text[i] = text[i];
}

bool gg_last_get(uint32_t signal, struct gg_last *ret_last)
{
	struct signal *at = signal_at(signal);
	struct gg_last copy = {0};
	for (int tries = 0; at && tries < 1000; tries++) {
		uint32_t before = atomic_load_explicit(&at->sequence, memory_order_acquire);
		copy_last(&copy, at);
		atomic_thread_fence(memory_order_acquire);
		if (before % 2 == 0 && atomic_load_explicit(&at->sequence, memory_order_relaxed) == before) {
			if (copy.count)
				*ret_last = copy;
			return copy.count > 0;
		}
	}
	return false;
}
