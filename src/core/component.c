/* SPDX-License-Identifier: Apache-2.0 */
#include "ganglion/component.h"

static const struct gg_component *const none[] = {NULL};
static const struct gg_component *const *all = none;

const char *gg_kind_name(enum gg_component_kind kind)
{
	static const char *const names[] = {"driver", "stage", "action", "uplink", "engine"};
	return (size_t)kind < GG_COUNT(names) ? names[kind] : "component";
}

void gg_components_set(const struct gg_component *const *components)
{
	all = components;
}

const struct gg_component *const *gg_components(void)
{
	return all;
}

const struct gg_component *gg_component_find(enum gg_component_kind kind, struct gg_str name)
{
	for (const struct gg_component *const *c = all; *c; c++)
		if ((*c)->kind == kind && gg_str_is(name, (*c)->name))
			return *c;
	return NULL;
}
