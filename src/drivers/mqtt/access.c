/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which topics are a client's own. An application may use all; a device those that name it: by the {device}
 * of a configured pattern (also of the one for writing), or by the first level. A filter is allowed when
 * every topic it covers is.
 */
#include "broker.h"

/* Does `wide` match every topic that `filter` does? A filter is a topic of which some levels are wildcards:
 * "+" is matched by "+", and "#" only by "#", which must then match what stands before it as well. */
static bool covers(struct gg_str wide, struct gg_str filter)
{
	if (!gg_mqtt_filter_matches(wide, filter))
		return false;
	if (!filter.len || filter.p[filter.len - 1] != '#')
		return true;
	if (wide.p[wide.len - 1] != '#')
		return false;
	return filter.len == 1 ? wide.len == 1
			       : gg_mqtt_filter_matches(wide, gg_str_n(filter.p, filter.len - 2));
}

static bool is_granted(const struct connection *c, struct gg_str filter)
{
	struct gg_str left = gg_str(c->topics);
	while (left.len) {
		struct gg_str line = gg_str_cut(&left, '\n');
		if (line.len && covers(line, filter))
			return true;
	}
	return false;
}

bool gg_access(const struct connection *c, struct gg_str topic_or_filter)
{
	const struct broker *b = c->broker;
	struct gg_str group, inner, filter = topic_or_filter;
	if (c->any_topic)
		return true;
	if (c->device == GG_NONE)
		return false;
	if (gg_mqtt_filter_shared(filter, &group, &inner))
		filter = inner;
	if (filter.p[0] == '$') /* the server's own: only where the configuration says so */
		return is_granted(c, filter);
	struct gg_str id = b->outside.device_id(c->device);
	if (gg_str_eq(gg_str_n(filter.p, gg_str_find(filter, '/')), id))
		return true;
	if (b->has_write && gg_topic_pattern_is_own(&b->write_pattern, filter, id))
		return true;
	for (size_t i = 0; i < b->rule_count; i++)
		if (gg_topic_pattern_is_own(&b->rules[i].pattern, filter, id))
			return true;
	return is_granted(c, filter);
}
