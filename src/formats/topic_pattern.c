/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/topic_pattern.h"

static struct gg_str next_level(struct gg_str *left)
{
	size_t n = gg_str_find(*left, '/');
	struct gg_str level = gg_str_n(left->p, n);
	*left = n == left->len ? gg_str_n(NULL, 0) : gg_str_n(left->p + n + 1, left->len - n - 1);
	return level;
}

static int parse_placeholder(
	struct gg_topic_pattern *p, struct gg_str level, bool last, struct gg_str whole, struct gg_error *e)
{
	size_t open = gg_str_find(level, '{'), close = gg_str_find(level, '}');
	if (close == level.len || close < open)
		return gg_error_set(e, -EINVAL, "topic pattern \"%.*s\": expected '}'", GG_STR_ARG(whole));
	struct gg_str name = gg_str_n(level.p + open + 1, close - open - 1);
	__typeof__(&p->levels[0]) at = &p->levels[p->count];
	at->before = gg_str_n(level.p, open);
	at->after = gg_str_n(level.p + close + 1, level.len - close - 1);
	if (gg_str_find(at->after, '{') < at->after.len || gg_str_find(at->after, '}') < at->after.len)
		return gg_error_set(e, -EINVAL,
			"topic pattern \"%.*s\": expected at most one placeholder between two '/'",
			GG_STR_ARG(whole));
	bool rest = gg_str_is(name, "signal...");
	bool *has = gg_str_is(name, "device") ? &p->has_device : &p->has_signal;
	if (!rest && !gg_str_is(name, "device") && !gg_str_is(name, "signal"))
		return gg_error_set(e, -EINVAL,
			"topic pattern \"%.*s\": unknown {%.*s}; expected {device}, {signal} or {signal...}",
			GG_STR_ARG(whole), GG_STR_ARG(name));
	if (*has)
		return gg_error_set(e, -EINVAL, "topic pattern \"%.*s\": {%.*s} comes twice",
			GG_STR_ARG(whole), GG_STR_ARG(name));
	if (rest && (!last || at->before.len || at->after.len))
		return gg_error_set(e, -EINVAL,
			"topic pattern \"%.*s\": {signal...} must be the whole last level",
			GG_STR_ARG(whole));
	*has = true;
	at->names_signal = rest;
	at->kind = rest ? GG_LEVEL_REST : has == &p->has_device ? GG_LEVEL_DEVICE : GG_LEVEL_SIGNAL;
	return 0;
}

int gg_topic_pattern_parse(struct gg_str text, struct gg_topic_pattern *ret_pattern, struct gg_error *e)
{
	struct gg_topic_pattern p = {0};
	if (text.len == 0)
		return gg_error_set(e, -EINVAL, "expected a topic pattern such as \"{device}/{signal}\"");
	for (struct gg_str left = text; left.p; p.count++) {
		if (p.count == GG_PATTERN_LEVELS)
			return gg_error_set(e, -EINVAL, "topic pattern \"%.*s\": at most %d levels",
				GG_STR_ARG(text), GG_PATTERN_LEVELS);
		struct gg_str level = next_level(&left);
		bool last = left.p == NULL;
		bool hash = gg_str_find(level, '#') < level.len, plus = gg_str_find(level, '+') < level.len;
		if ((hash || plus) && (level.len != 1 || (hash && !last)))
			return gg_error_set(e, -EINVAL,
				"topic pattern \"%.*s\": '+' stands for a whole level, '#' for the last ones",
				GG_STR_ARG(text));
		if (hash || plus) {
			p.levels[p.count].kind = hash ? GG_LEVEL_REST : GG_LEVEL_ANY;
			continue;
		}
		p.levels[p.count].before = level;
		if (gg_str_find(level, '{') == level.len)
			continue;
		int rc = parse_placeholder(&p, level, last, text, e);
		if (rc < 0)
			return rc;
	}
	*ret_pattern = p;
	return 0;
}

/* What stands between the literal text; false when that does not fit or nothing is left. */
static bool cut_out(struct gg_str level, struct gg_str before, struct gg_str after, struct gg_str *ret_inner)
{
	if (level.len <= before.len + after.len || memcmp(level.p, before.p, before.len) != 0 ||
		memcmp(level.p + level.len - after.len, after.p, after.len) != 0)
		return false;
	*ret_inner = gg_str_n(level.p + before.len, level.len - before.len - after.len);
	return true;
}

bool gg_topic_pattern_match(
	const struct gg_topic_pattern *p, struct gg_str topic, struct gg_topic_names *ret_names)
{
	struct gg_topic_names names = {{"", 0}, {"", 0}};
	struct gg_str left = topic;
	for (unsigned i = 0; i < p->count; i++) {
		const __typeof__(p->levels[0]) *at = &p->levels[i];
		if (at->kind == GG_LEVEL_REST) {
			if (at->names_signal && left.len == 0)
				return false;
			if (at->names_signal)
				names.signal = left;
			*ret_names = names;
			return true;
		}
		if (!left.p)
			return false;
		struct gg_str level = next_level(&left);
		bool fits = at->kind == GG_LEVEL_ANY;
		if (at->kind == GG_LEVEL_TEXT)
			fits = gg_str_eq(level, at->before);
		else if (at->kind == GG_LEVEL_DEVICE)
			fits = cut_out(level, at->before, at->after, &names.device);
		else if (at->kind == GG_LEVEL_SIGNAL)
			fits = cut_out(level, at->before, at->after, &names.signal);
		if (!fits)
			return false;
	}
	if (left.p)
		return false;
	*ret_names = names;
	return true;
}

bool gg_topic_pattern_is_own(const struct gg_topic_pattern *p, struct gg_str filter, struct gg_str device)
{
	struct gg_str left = filter, inner;
	for (unsigned i = 0; p->has_device && i < p->count && left.p; i++) {
		const __typeof__(p->levels[0]) *at = &p->levels[i];
		struct gg_str level = next_level(&left);
		if (level.len == 1 && level.p[0] == '#')
			return false;
		if (at->kind == GG_LEVEL_TEXT && !gg_str_eq(level, at->before))
			return false;
		if (at->kind == GG_LEVEL_DEVICE)
			return cut_out(level, at->before, at->after, &inner) && gg_str_eq(inner, device);
	}
	return false;
}

size_t gg_topic_pattern_fill(
	const struct gg_topic_pattern *p, struct gg_str device, struct gg_str signal, char *to, size_t size)
{
	size_t n = 0;
	for (unsigned i = 0; i < p->count; i++) {
		const __typeof__(p->levels[0]) *at = &p->levels[i];
		bool rest = at->kind == GG_LEVEL_REST;
		if (at->kind == GG_LEVEL_ANY || (rest && !at->names_signal))
			return 0;
		struct gg_str inner = at->kind == GG_LEVEL_DEVICE ? device
				      : at->kind == GG_LEVEL_TEXT ? gg_str_n("", 0)
								  : signal;
		struct gg_str before = rest ? gg_str_n("", 0) : at->before;
		size_t need = (i ? 1 : 0) + before.len + inner.len + at->after.len;
		if (n + need >= size || (!rest && gg_str_find(inner, '/') < inner.len))
			return 0;
		if (i)
			to[n++] = '/';
		memcpy(to + n, before.p ? before.p : "", before.len);
		n += before.len;
		memcpy(to + n, inner.p, inner.len);
		n += inner.len;
		memcpy(to + n, at->after.p ? at->after.p : "", at->after.len);
		n += at->after.len;
	}
	to[n] = '\0';
	return n;
}
