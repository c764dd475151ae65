/* SPDX-License-Identifier: Apache-2.0 */
#include "api/route.h"

static struct gg_str next_segment(struct gg_str *rest)
{
	/* rest begins with its slash */
	struct gg_str s = gg_str_n(rest->p + 1, rest->len - 1);
	s.len = gg_str_find(s, '/');
	*rest = gg_str_n(s.p + s.len, rest->len - 1 - s.len);
	return s;
}

static size_t count_segments(struct gg_str path)
{
	size_t n = 0;
	for (size_t i = 0; i < path.len; i++)
		n += path.p[i] == '/';
	return n;
}

static bool take_part(struct gg_str parts[GG_CALL_PARTS], size_t *at, struct gg_str part)
{
	if (part.len == 0 || *at == GG_CALL_PARTS)
		return false;
	parts[(*at)++] = part;
	return true;
}

bool gg_route_fits(const char *pattern, struct gg_str path, struct gg_str parts[GG_CALL_PARTS])
{
	struct gg_str rest = gg_str(pattern);
	size_t caught = 0;
	while (rest.len && path.len && path.p[0] == '/') {
		struct gg_str want = next_segment(&rest), is = next_segment(&path);
		if (gg_str_starts(want, GG_STR("{*"))) {
			for (size_t after = count_segments(rest); count_segments(path) > after;) {
				struct gg_str more = next_segment(&path);
				is.len = (size_t)(more.p + more.len - is.p);
			}
		}
		if (want.len && want.p[0] == '{') {
			if (!take_part(parts, &caught, is))
				return false;
		} else if (!gg_str_eq(want, is)) {
			return false;
		}
	}
	return rest.len == 0 && path.len == 0;
}

static void add_allowed(char *to, size_t size, const char *method)
{
	size_t len = strlen(to);
	snprintf(to + len, size - len, "%s%s", len ? ", " : "", method);
}

const struct gg_route *gg_route_find(const struct gg_route *routes, struct gg_str method, struct gg_str path,
	struct gg_str parts[GG_CALL_PARTS], char *ret_allowed, size_t size)
{
	ret_allowed[0] = '\0';
	for (const struct gg_route *r = routes; r->method; r++) {
		struct gg_str caught[GG_CALL_PARTS] = {0};
		if (!gg_route_fits(r->pattern, path, caught))
			continue;
		if (gg_str_is(method, r->method) ||
			(gg_str_is(method, "HEAD") && strcmp(r->method, "GET") == 0)) {
			memcpy(parts, caught, sizeof caught);
			return r;
		}
		add_allowed(ret_allowed, size, r->method);
	}
	return NULL;
}
