/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections of the HTTP server. One has a phase, and a timer that means what the phase says:
 *
 *   IDLE ─first byte─▶ HEADER ─empty line─▶ BODY ─complete─▶ ANSWER ─answered─▶ IDLE
 *   closes silently    408 after 10 s       408 when too slow  watches whether the client reads
 *
 * A connection is never freed while its data() runs; a request never before its handler has answered.
 */
#include "base/log.h"
#include "net/http_private.h"

enum { SEND_PIECE = 64 << 10, REST_MAX = 256 << 20 };

#define BODY_LOOK_NS (5 * GG_NS_PER_S)

static void on_timer(struct gg_timer *t);

/* ---- life of a connection ---- */

static void free_server_if_done(struct gg_http_server *h)
{
	if (h->closed && h->count == 0)
		free(h);
}

static void free_conn(struct gg_http_conn *c)
{
	struct gg_http_server *h = c->server;
	if (c->prev)
		c->prev->next = c->next;
	else
		h->conns = c->next;
	if (c->next)
		c->next->prev = c->prev;
	gg_timer_stop(&c->timer);
	gg_buf_done(&c->rest);
	free(c);
	h->count--;
	free_server_if_done(h);
}

static void close_conn(struct gg_http_conn *c, bool flush, const char *reason)
{
	c->closing = true;
	gg_timer_stop(&c->timer);
	if (c->stream)
		gg_stream_close(c->stream, flush, reason);
}

static size_t queued_for(const struct gg_http_conn *c)
{
	return (c->stream ? gg_stream_queued(c->stream) : 0) + (c->rest.len - c->rest_at);
}

/* Since the last look: all of what waited then, or as much as answer_rate wants. */
static bool client_reads(const struct gg_http_conn *c)
{
	const struct gg_http_limits *l = &c->server->limits;
	double least = (double)l->answer_rate * (double)l->idle_timeout_ns / GG_NS_PER_S;
	uint64_t taken = c->written - queued_for(c) - c->sent_before;
	return taken >= c->queued_before || (taken > 0 && (double)taken >= least);
}

void gg_http_set_phase(struct gg_http_conn *c, enum gg_http_phase phase)
{
	const struct gg_http_limits *l = &c->server->limits;
	int64_t after = l->idle_timeout_ns;
	c->phase = (uint8_t)phase;
	if (phase == GG_HTTP_HEADER)
		after = l->header_timeout_ns;
	if (phase == GG_HTTP_BODY)
		after = BODY_LOOK_NS;
	c->body_before = 0;
	c->queued_before = queued_for(c);
	c->sent_before = c->written - c->queued_before;
	if (!c->closing && gg_timer_start(c->server->loop, &c->timer, after, on_timer) < 0)
		close_conn(c, /* flush= */ false, "out of memory");
}

static void look_at_body(struct gg_http_conn *c)
{
	size_t now = c->r ? c->r->body.len : 0;
	uint64_t wanted = (uint64_t)c->server->limits.body_rate * (BODY_LOOK_NS / GG_NS_PER_S);
	if (now - c->body_before < wanted) {
		gg_http_reject(c, 408, "the request's body comes too slowly");
		return;
	}
	size_t seen = now;
	gg_http_set_phase(c, GG_HTTP_BODY);
	c->body_before = seen;
}

static void on_timer(struct gg_timer *t)
{
	struct gg_http_conn *c = GG_CONTAINER(t, struct gg_http_conn, timer);
	switch (c->phase) {
	case GG_HTTP_HEADER:
		gg_http_reject(c, 408, "the request's header did not come in time");
		break;
	case GG_HTTP_BODY:
		look_at_body(c);
		break;
	default:
		if (!client_reads(c))
			close_conn(c, /* flush= */ false, "the client does not read, or too slowly");
		else if (c->phase == GG_HTTP_IDLE && queued_for(c) == 0 && c->queued_before == 0)
			close_conn(c, /* flush= */ true, "idle");
		else
			gg_http_set_phase(c, c->phase);
	}
}

/* ---- sending ---- */

static void answer_sent(struct gg_http_conn *c)
{
	if (c->closing)
		close_conn(c, /* flush= */ true, "answered");
	else if (!c->in_data)
		gg_stream_resume(c->stream);
}

static void push_rest(struct gg_http_conn *c)
{
	while (c->rest_at < c->rest.len) {
		size_t n = gg_min_size(SEND_PIECE, c->rest.len - c->rest_at);
		int rc = gg_stream_write(c->stream, c->rest.p + c->rest_at, n);
		if (rc == -EAGAIN)
			return;
		if (rc < 0) {
			close_conn(c, /* flush= */ false, "out of memory");
			return;
		}
		c->rest_at += n;
	}
	gg_buf_done(&c->rest);
	c->rest = GG_BUF(REST_MAX);
	c->rest_at = 0;
	if (!c->r)
		answer_sent(c);
}

void gg_http_send(struct gg_http_conn *c, const void *bytes, size_t len)
{
	if (!c->stream || len == 0)
		return;
	c->written += len;
	if (c->rest.len == 0 && gg_stream_write(c->stream, bytes, len) == 0)
		return;
	gg_buf_add(&c->rest, bytes, len);
	if (c->rest.error)
		close_conn(c, /* flush= */ false, "the answer is too long");
}

void gg_http_answered(struct gg_http_conn *c, bool keep_alive)
{
	c->r = NULL;
	if (!c->stream)
		return;
	bool last = c->half_closed && !c->in_data && !c->left;
	if (!keep_alive || c->server->closed || last)
		c->closing = true;
	else
		gg_http_set_phase(c, GG_HTTP_IDLE);
	if (c->rest.len)
		push_rest(c);
	else
		answer_sent(c);
}

void gg_http_reject(struct gg_http_conn *c, int status, const char *text)
{
	if (!c->r)
		c->r = gg_http_request_new(c);
	if (!c->r) {
		close_conn(c, /* flush= */ false, text);
		return;
	}
	c->r->breaks_off = true;
	gg_http_problem(c->r, status, "%s", text);
}

struct gg_stream *gg_http_give_stream(struct gg_http_conn *c)
{
	c->r = NULL;
	gg_timer_stop(&c->timer);
	struct gg_stream *s = GG_TAKE(c->stream);
	if (!c->in_data)
		free_conn(c);
	return s;
}

/* ---- what the stream tells ---- */

static size_t on_data(void *arg, struct gg_stream *s, const uint8_t *bytes, size_t len)
{
	struct gg_http_conn *c = arg;
	size_t used = 0;
	(void)s;
	c->in_data = true;
	while (used < len && c->stream && !c->closing && !c->rest.len && !(c->r && c->r->complete)) {
		used += gg_http_parse(c, bytes + used, len - used);
		if (!c->stream || c->closing || !c->r || !c->r->complete)
			continue;
		gg_http_set_phase(c, GG_HTTP_ANSWER);
		c->server->ops->request(c->server->arg, c->r);
	}
	c->in_data = false;
	if (!c->stream) { /* given away */
		free_conn(c);
		return used;
	}
	if (c->closing)
		return len;
	c->left = len - used;
	if (c->half_closed && !c->rest.len && !(c->r && c->r->complete))
		close_conn(c, /* flush= */ true, "peer closed");
	return used;
}

static void on_drained(void *arg, struct gg_stream *s)
{
	struct gg_http_conn *c = arg;
	(void)s;
	if (c->rest.len)
		push_rest(c);
	else if (c->r && c->r->streaming && c->r->stream_ops->drained)
		c->r->stream_ops->drained(c->r->stream_arg, c->r);
}

/* Who waits for an answer may have closed its half; but a reader of a live stream that ends has left. */
static bool on_ended(void *arg, struct gg_stream *s)
{
	struct gg_http_conn *c = arg;
	(void)s;
	c->half_closed = true;
	return c->rest.len || (c->r && c->r->complete && !c->r->streaming);
}

static void on_closed(void *arg, struct gg_stream *s, int status, const char *reason)
{
	struct gg_http_conn *c = arg;
	struct gg_http_request *r = GG_TAKE(c->r);
	(void)s;
	if (status < 0)
		gg_log(GG_DEBUG, "http", "connection lost", GG_S("peer", gg_stream_peer(s)),
			GG_S("reason", reason));
	c->stream = NULL;
	if (r && !r->complete && !r->streaming) {
		r->conn = NULL;
		gg_http_request_free(r);
	} else if (r) {
		r->conn = NULL;
		if (r->streaming)
			r->stream_ops->gone(r->stream_arg, r);
		else if (r->gone)
			r->gone(r->gone_arg, r);
	}
	free_conn(c);
}

static const struct gg_stream_handler stream_handler = {
	.data = on_data, .drained = on_drained, .closed = on_closed, .ended = on_ended};

static struct gg_http_conn *new_conn(struct gg_http_server *h)
{
	struct gg_http_conn *c = calloc(1, sizeof *c);
	if (!c)
		return NULL;
	c->server = h;
	c->rest = GG_BUF(REST_MAX);
	c->next = h->conns;
	if (h->conns)
		h->conns->prev = c;
	h->conns = c;
	h->count++;
	gg_http_parse_init(c);
	return c;
}

static void begin(struct gg_http_conn *c, struct gg_stream *s)
{
	c->stream = s;
	/* Whoever connects is expected to ask soon; between requests it may take its time. */
	c->phase = GG_HTTP_IDLE;
	if (gg_timer_start(c->server->loop, &c->timer, c->server->limits.header_timeout_ns, on_timer) < 0)
		close_conn(c, /* flush= */ false, "out of memory");
}

static const struct gg_stream_handler *on_accepted(void *arg, struct gg_stream *s, void **ret_arg)
{
	static const char full[] =
		"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\n"
		"Content-Length: 65\r\nRetry-After: 5\r\nConnection: close\r\n\r\n"
		"{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503}";
	struct gg_http_server *h = arg;
	struct gg_http_conn *c = h->closed || h->count >= h->limits.connections ? NULL : new_conn(h);
	if (!c) {
		gg_log(GG_WARN, "http", "too many connections, turning one away",
			GG_I("max", h->limits.connections));
		gg_stream_write(s, full, sizeof full - 1);
		gg_stream_linger(s);
		return NULL;
	}
	begin(c, s);
	*ret_arg = c;
	return &stream_handler;
}

/* ---- the server ---- */

int gg_http_server_new(struct gg_loop *loop, const struct gg_http_limits *limits,
	const struct gg_http_ops *ops, void *arg, struct gg_http_server **ret_server)
{
	struct gg_http_server *h = calloc(1, sizeof *h);
	if (!h)
		return -ENOMEM;
	h->loop = loop;
	h->ops = ops;
	h->arg = arg;
	struct gg_http_limits *l = &h->limits;
	if (limits)
		*l = *limits;
	l->connections = l->connections ? l->connections : 1000;
	l->header_bytes = gg_min_size(l->header_bytes ? l->header_bytes : 16 << 10, 60 << 10);
	l->output_bytes = l->output_bytes ? l->output_bytes : 4 << 20;
	l->header_timeout_ns = l->header_timeout_ns ? l->header_timeout_ns : 10 * GG_NS_PER_S;
	l->idle_timeout_ns = l->idle_timeout_ns ? l->idle_timeout_ns : 75 * GG_NS_PER_S;
	l->body_rate = l->body_rate ? l->body_rate : 500;
	l->answer_rate = l->answer_rate ? l->answer_rate : 1000;
	*ret_server = h;
	return 0;
}

/* Some more than may be connected: they are told 503. */
static unsigned most_streams(const struct gg_http_server *h)
{
	return h->limits.connections + h->limits.connections / 4 + 16;
}

int gg_http_server_listen(struct gg_http_server *h, const struct gg_listener_options *o,
	struct gg_listener **ret_listener, struct gg_error *e)
{
	struct gg_listener_options own = *o;
	struct gg_listener *l = NULL;
	if (h->listener_count == GG_COUNT(h->listeners))
		return gg_error_set(e, -EDQUOT, "an HTTP server listens at 8 places at most");
	own.max_streams = most_streams(h);
	own.limits.output_bytes = h->limits.output_bytes;
	int rc = gg_listener_open(h->loop, &own, on_accepted, h, &l, e);
	if (rc < 0)
		return rc;
	h->listeners[h->listener_count++] = l;
	if (ret_listener)
		*ret_listener = l;
	return 0;
}

int gg_http_server_adopt_take(struct gg_http_server *h, int fd)
{
	struct gg_stream_limits limits = {.output_bytes = h->limits.output_bytes};
	struct gg_http_conn *c = new_conn(h);
	struct gg_stream *s = NULL;
	int rc = gg_stream_adopt_take(h->loop, fd, &limits, &stream_handler, c, &s);
	if (rc == 0 && c)
		begin(c, s);
	else if (rc == 0)
		gg_stream_close(s, false, "out of memory");
	else if (c)
		free_conn(c);
	return c ? rc : -ENOMEM;
}

void gg_http_server_close(struct gg_http_server *h)
{
	if (!h || h->closed)
		return;
	for (unsigned i = 0; i < h->listener_count; i++)
		gg_listener_close(h->listeners[i]);
	h->closed = true;
	for (struct gg_http_conn *c = h->conns; c; c = c->next)
		close_conn(c, /* flush= */ true, "the server ends");
	free_server_if_done(h);
}

unsigned gg_http_server_connections(const struct gg_http_server *h)
{
	return h->count;
}

void gg_http_server_limit(struct gg_http_server *h, unsigned connections)
{
	h->limits.connections = connections;
	for (unsigned i = 0; i < h->listener_count; i++)
		gg_listener_limit(h->listeners[i], most_streams(h));
}
