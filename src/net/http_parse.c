/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From bytes to requests: the glue around the http_parser library. It may be fed any split of the bytes and
 * calls back with pieces; these are gathered in one bounded buffer, a header being known by its places there.
 *
 * The parser is paused when a request is complete, so the next one waits until this one has been answered. It
 * refuses what request smuggling lives on: Content-Length beside chunked, two different lengths, blanks
 * before a colon. We refuse in addition a missing or second Host (RFC 9112 §3.2) and a second
 * Transfer-Encoding.
 */
#include "net/http_private.h"

static int refuse(struct gg_http_conn *c, uint16_t status, const char *text)
{
	if (!c->reject) {
		c->reject = status;
		c->reject_text = text;
	}
	return -1;
}

static int on_begin(http_parser *p)
{
	struct gg_http_conn *c = p->data;
	c->r = gg_http_request_new(c);
	if (!c->r)
		return refuse(c, 503, "out of memory");
	gg_http_set_phase(c, GG_HTTP_HEADER);
	return 0;
}

static int on_target(http_parser *p, const char *at, size_t len)
{
	struct gg_http_conn *c = p->data;
	gg_buf_add(&c->r->head, at, len);
	c->r->target_len = (uint16_t)c->r->head.len;
	if (c->r->head.error == -ENOMEM)
		return refuse(c, 503, "out of memory");
	return c->r->head.error || c->r->head.len > c->server->limits.header_bytes / 2
		       ? refuse(c, 414, "the request's target is too long")
		       : 0;
}

static int add(struct gg_http_conn *c, const char *at, size_t len)
{
	gg_buf_add(&c->r->head, at, len);
	if (c->r->head.error == -ENOMEM)
		return refuse(c, 503, "out of memory");
	return c->r->head.error ? refuse(c, 431, "the request's headers are too long") : 0;
}

static int on_name(http_parser *p, const char *at, size_t len)
{
	struct gg_http_conn *c = p->data;
	struct gg_http_request *r = c->r;
	if (!r || r->head_done) /* a trailer behind a chunked body: nobody asks for those */
		return 0;
	if (memchr(at, ' ', len)) /* the library may be built to let it pass; RFC 9112 §5.1 forbids it */
		return refuse(c, 400, "a header's name holds a blank");
	if (r->header_count == 0 || r->in_value) {
		if (r->header_count == GG_HTTP_HEADERS_MAX)
			return refuse(c, 431, "the request has too many headers");
		r->headers[r->header_count++].name = (uint16_t)r->head.len;
		r->in_value = false;
	}
	struct gg_http_header *h = &r->headers[r->header_count - 1];
	if (add(c, at, len) < 0)
		return -1;
	h->name_len = (uint16_t)(h->name_len + len);
	return 0;
}

static int on_value(http_parser *p, const char *at, size_t len)
{
	struct gg_http_conn *c = p->data;
	struct gg_http_request *r = c->r;
	if (!r || r->head_done)
		return 0;
	struct gg_http_header *h = &r->headers[r->header_count - 1];
	if (!r->in_value)
		h->value = (uint16_t)r->head.len;
	r->in_value = true;
	if (add(c, at, len) < 0)
		return -1;
	h->value_len = (uint16_t)(h->value_len + len);
	return 0;
}

static unsigned count_headers(const struct gg_http_request *r, const char *name)
{
	unsigned count = 0;
	for (unsigned i = 0; i < r->header_count; i++)
		count += r->headers[i].name_len == strlen(name) &&
			 strncasecmp(r->head.p + r->headers[i].name, name, strlen(name)) == 0;
	return count;
}

/* "/path?query", also behind "http://host" (RFC 9112 §3.2.2). */
static void split_target(struct gg_http_request *r)
{
	struct gg_str target = gg_str_n(r->head.p, r->target_len);
	size_t colon = gg_str_find(target, ':');
	if (target.len && target.p[0] != '/' && colon + 3 <= target.len &&
		memcmp(target.p + colon, "://", 3) == 0) {
		target = gg_str_n(target.p + colon + 3, target.len - colon - 3);
		size_t slash = gg_str_find(target, '/');
		target = slash < target.len ? gg_str_n(target.p + slash, target.len - slash) : GG_STR("/");
	}
	target = gg_str_cut(&target, '#');
	r->query = target;
	r->path = gg_str_cut(&r->query, '?');
}

static int check_head(struct gg_http_conn *c, struct gg_http_request *r)
{
	if (c->parser.http_major != 1)
		return refuse(c, 505, "this server speaks HTTP/1.1");
	if (c->parser.method == HTTP_CONNECT)
		return refuse(c, 405, "this server is no proxy");
	if (count_headers(r, "host") > 1 || (!r->version_1_0 && count_headers(r, "host") == 0))
		return refuse(c, 400, "expected exactly one Host header");
	if (count_headers(r, "transfer-encoding") > 1 ||
		(r->version_1_0 && count_headers(r, "transfer-encoding")))
		return refuse(c, 400, "expected at most one Transfer-Encoding header, and none in HTTP/1.0");
	struct gg_str expect = gg_http_header(r, "expect");
	if (expect.len && !(expect.len == 12 && strncasecmp(expect.p, "100-continue", 12) == 0))
		return refuse(c, 417, "the only expectation known is 100-continue");
	return 0;
}

/* Asks the handler how much body may come. -1 = nothing more is to be read of this request. */
static int ask_handler(struct gg_http_conn *c, struct gg_http_request *r)
{
	const struct gg_http_server *h = c->server;
	bool expects_body = r->expects_body;
	uint64_t length = c->parser.flags & F_CONTENTLENGTH ? c->parser.content_length : 0;
	size_t max = h->ops->head ? h->ops->head(h->arg, r) : GG_HTTP_BODY_DEFAULT;
	if (c->r != r) /* it has answered */
		return expects_body || c->closing || !c->stream ? -1 : 0;
	r->body = GG_BUF(max);
	if (length > max)
		return refuse(c, 413, "the request's body is too long");
	if (expects_body && gg_http_header(r, "expect").len && !r->version_1_0)
		gg_http_send(c, "HTTP/1.1 100 Continue\r\n\r\n", 25);
	return 0;
}

static int on_head(http_parser *p)
{
	struct gg_http_conn *c = p->data;
	struct gg_http_request *r = c->r;
	r->head_done = true;
	r->method = (uint8_t)p->method;
	r->is_head = p->method == HTTP_HEAD;
	r->version_1_0 = p->http_major == 1 && p->http_minor == 0;
	r->keep_alive = http_should_keep_alive(p);
	r->expects_body = (p->flags & F_CHUNKED) || ((p->flags & F_CONTENTLENGTH) && p->content_length > 0);
	split_target(r);
	if (check_head(c, r) < 0)
		return -1;
	/* Upgrades that we don't know (curl offers h2c) are passed over, as RFC 9110 §7.8 allows. */
	if (!gg_http_wants_websocket(r))
		p->upgrade = 0;
	gg_http_set_phase(c, GG_HTTP_BODY);
	return ask_handler(c, r);
}

static int on_body(http_parser *p, const char *at, size_t len)
{
	struct gg_http_conn *c = p->data;
	if (!c->r)
		return 0;
	gg_buf_add(&c->r->body, at, len);
	if (c->r->body.error == -ENOMEM)
		return refuse(c, 503, "out of memory");
	return c->r->body.error ? refuse(c, 413, "the request's body is too long") : 0;
}

static int on_complete(http_parser *p)
{
	struct gg_http_conn *c = p->data;
	if (c->r)
		c->r->complete = true;
	http_parser_pause(p, 1);
	return 0;
}

void gg_http_parse_init(struct gg_http_conn *c)
{
	http_parser_init(&c->parser, HTTP_REQUEST);
	c->parser.data = c;
}

static void reject(struct gg_http_conn *c, enum http_errno error)
{
	char text[120];
	if (c->reject) {
		gg_http_reject(c, c->reject, c->reject_text);
	} else if (error == HPE_HEADER_OVERFLOW) {
		gg_http_reject(c, 431, "the request's headers are too long");
	} else {
		snprintf(text, sizeof text, "not an HTTP/1.1 request: %s", http_errno_description(error));
		gg_http_reject(c, 400, text);
	}
}

size_t gg_http_parse(struct gg_http_conn *c, const uint8_t *bytes, size_t len)
{
	static const http_parser_settings settings = {
		.on_message_begin = on_begin,
		.on_url = on_target,
		.on_header_field = on_name,
		.on_header_value = on_value,
		.on_headers_complete = on_head,
		.on_body = on_body,
		.on_message_complete = on_complete,
	};
	if (HTTP_PARSER_ERRNO(&c->parser) == HPE_PAUSED)
		http_parser_pause(&c->parser, 0);
	size_t used = http_parser_execute(&c->parser, &settings, (const char *)bytes, len);
	enum http_errno error = HTTP_PARSER_ERRNO(&c->parser);
	if (error == HPE_OK || error == HPE_PAUSED)
		return used;
	if (c->stream && !c->closing)
		reject(c, error);
	return len;
}
