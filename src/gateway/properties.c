/* SPDX-License-Identifier: Apache-2.0 */
/* What devices say of themselves: a few pairs of name and value each, for their page. Bounded, written
 * rarely. */
#include "gateway/gateway.h"

#include <pthread.h>

enum { DEVICES_MAX = 10000, EACH_MAX = 32 };

struct properties {
	uint32_t device;
	uint32_t count;
	struct gg_property *items;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards rows, count and what they point to */
static struct properties **rows;
static size_t count;

static struct properties *find(uint32_t device)
{
	for (size_t i = 0; i < count; i++)
		if (rows[i]->device == device)
			return rows[i];
	return NULL;
}

static struct properties *make(uint32_t device)
{
	struct properties **more = count < DEVICES_MAX ? realloc(rows, (count + 1) * sizeof(void *)) : NULL;
	if (!more)
		return NULL;
	rows = more;
	rows[count] = calloc(1, sizeof **rows);
	if (!rows[count])
		return NULL;
	rows[count]->device = device;
	return rows[count++];
}

static void put(struct properties *p, struct gg_str name, struct gg_str value)
{
	uint32_t i = 0;
	while (i < p->count && !gg_str_is(name, p->items[i].name))
		i++;
	if (i == EACH_MAX)
		return;
	struct gg_property *more = i < p->count ? p->items : realloc(p->items, (i + 1) * sizeof *more);
	if (!more)
		return;
	p->items = more;
	gg_str_copy(p->items[i].name, sizeof p->items[i].name, name);
	gg_str_copy(p->items[i].value, sizeof p->items[i].value, value);
	p->count += i == p->count;
}

void gg_host_device_property(struct gg_host *h, uint32_t device, struct gg_str name, struct gg_str value)
{
	(void)h;
	pthread_mutex_lock(&lock);
	struct properties *p = find(device);
	if (!p)
		p = make(device);
	if (p)
		put(p, name, value);
	pthread_mutex_unlock(&lock);
}

bool gg_property_get(uint32_t device, uint32_t i, struct gg_property *ret_property)
{
	pthread_mutex_lock(&lock);
	const struct properties *p = find(device);
	bool there = p && i < p->count;
	if (there)
		*ret_property = p->items[i];
	pthread_mutex_unlock(&lock);
	return there;
}
