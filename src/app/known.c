/* SPDX-License-Identifier: Apache-2.0 */
#include "app/known.h"
#include "core/signals.h"
#include "gateway/instance.h"

struct gg_host *gg_known_signals(const struct gg_config *config, struct gg_problems *problems)
{
	struct gg_host *hosts = NULL;
	gg_signals_limit((uint32_t)config->site.limits.devices, (uint32_t)config->site.limits.signals);
	for (size_t i = 0; i < config->site.drivers.count; i++) {
		const struct gg_instance_config *c = &config->site.drivers.items[i];
		struct gg_error e = {0};
		struct gg_host *h = NULL;
		if (gg_instance_new(c->name, c->component, c->value, /* loop= */ NULL, &h, &e) < 0) {
			gg_problem(problems, e.line ? NULL : c->place, "%s", e.text);
			if (e.line)
				problems->items[problems->count - 1] = e;
			continue;
		}
		h->next = hosts;
		hosts = h;
	}
	return hosts;
}

void gg_known_free(struct gg_host *hosts)
{
	while (hosts) {
		struct gg_host *next = hosts->next;
		gg_instance_free(hosts);
		hosts = next;
	}
}
