/* SPDX-License-Identifier: Apache-2.0 */
/* What a handler asks of a request. */
#include "net/http_private.h"

enum { ARENA_MAX = 4 << 20, EXTRA_MAX = 8 << 10 };

struct gg_http_request *gg_http_request_new(struct gg_http_conn *c)
{
	struct gg_http_request *r = calloc(1, sizeof *r);
	if (!r)
		return NULL;
	r->conn = c;
	r->arena = GG_ARENA(ARENA_MAX);
	r->head = GG_BUF(c->server->limits.header_bytes);
	r->body = GG_BUF(GG_HTTP_BODY_DEFAULT);
	r->extra = GG_BUF(EXTRA_MAX);
	return r;
}

void gg_http_request_free(struct gg_http_request *r)
{
	if (!r)
		return;
	gg_arena_done(&r->arena);
	gg_buf_done(&r->head);
	gg_buf_done(&r->body);
	gg_buf_done(&r->extra);
	free(r);
}

struct gg_str gg_http_method(const struct gg_http_request *r)
{
	return gg_str(http_method_str((enum http_method)r->method));
}

struct gg_str gg_http_path(const struct gg_http_request *r)
{
	return r->path;
}

struct gg_str gg_http_query(const struct gg_http_request *r)
{
	return r->query;
}

struct gg_str gg_http_header(const struct gg_http_request *r, const char *name)
{
	size_t len = strlen(name);
	for (unsigned i = 0; i < r->header_count; i++) {
		const struct gg_http_header *h = &r->headers[i];
		if (h->name_len == len && strncasecmp(r->head.p + h->name, name, len) == 0)
			return gg_str_trim(gg_str_n(r->head.p + h->value, h->value_len));
	}
	return GG_STR("");
}

struct gg_str gg_http_body(const struct gg_http_request *r)
{
	return gg_str_n(r->body.p ? r->body.p : "", r->body.len);
}

struct gg_arena *gg_http_arena(struct gg_http_request *r)
{
	return &r->arena;
}

int gg_http_decode(struct gg_http_request *r, struct gg_str text, bool of_query, struct gg_str *ret_decoded)
{
	char *to = gg_arena_alloc(&r->arena, text.len + 1);
	size_t n = 0;
	if (!to)
		return -ENOMEM;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.p[i];
		if (c == '+' && of_query)
			c = ' ';
		if (c == '%') {
			int high = text.len - i > 2 ? gg_hex_digit(text.p[i + 1]) : -1;
			int low = text.len - i > 2 ? gg_hex_digit(text.p[i + 2]) : -1;
			if (high < 0 || low < 0)
				return -EINVAL;
			c = (char)(high << 4 | low);
			i += 2;
		}
		if (c == 0)
			return -EINVAL;
		to[n++] = c;
	}
	if (!gg_utf8_valid(gg_str_n(to, n)))
		return -EINVAL;
	*ret_decoded = gg_str_n(to, n);
	return 0;
}

int gg_http_param(struct gg_http_request *r, const char *name, struct gg_str *ret_value)
{
	struct gg_str rest = r->query;
	while (rest.len) {
		struct gg_str value = gg_str_cut(&rest, '&');
		struct gg_str key = gg_str_cut(&value, '=');
		if (gg_http_decode(r, key, /* of_query= */ true, &key) < 0)
			return -EINVAL;
		if (gg_str_is(key, name))
			return gg_http_decode(r, value, /* of_query= */ true, ret_value);
	}
	return -ENOENT;
}

const struct gg_stream *gg_http_stream(const struct gg_http_request *r)
{
	return r->conn ? r->conn->stream : NULL;
}

void gg_http_on_gone(struct gg_http_request *r, void (*gone)(void *arg, struct gg_http_request *r), void *arg)
{
	r->gone = gone;
	r->gone_arg = arg;
}
