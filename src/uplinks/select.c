/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns are tried once per signal; after that a sample costs one look into an array of bytes. */
#include "uplinks/private.h"

static bool any_matches(const struct gg_strings *patterns, struct gg_str name)
{
	for (size_t i = 0; i < patterns->count; i++)
		if (gg_glob(gg_str(patterns->items[i]), name))
			return true;
	return false;
}

void gg_selection_set(struct gg_selection *s, const struct gg_uplink_common *common)
{
	s->common = common;
	s->events = false;
	for (size_t i = 0; i < common->send.count; i++)
		s->events |= strcmp(common->send.items[i], "events") == 0;
	if (s->known)
		memset(s->known, 0, s->size);
}

static bool ask(const struct gg_selection *s, uint32_t signal)
{
	const struct gg_signal_info *info = gg_signal(signal);
	return info && any_matches(&s->common->send, info->name) &&
	       !any_matches(&s->common->exclude, info->name);
}

bool gg_selected(struct gg_selection *s, uint32_t signal)
{
	if (signal >= s->size) {
		uint32_t size = signal + 1024;
		uint8_t *known = signal < gg_signal_count() ? realloc(s->known, size) : NULL;
		if (!known)
			return ask(s, signal);
		memset(known + s->size, 0, size - s->size);
		s->known = known;
		s->size = size;
	}
	if (!s->known[signal])
		s->known[signal] = ask(s, signal) ? 1 : 2;
	return s->known[signal] == 1;
}

void gg_selection_done(struct gg_selection *s)
{
	free(s->known);
	s->known = NULL;
	s->size = 0;
}
