/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of the HTTP server: connections (http_server.c), from bytes to requests (http_parse.c), what
 * handlers ask (http_request.c) and what they answer (http_reply.c).
 */
#ifndef GG_NET_HTTP_PRIVATE_H
#define GG_NET_HTTP_PRIVATE_H

#include "base/buf.h"
#include "net/http_server.h"

#include <http_parser.h>

enum { GG_HTTP_HEADERS_MAX = 100, GG_HTTP_BODY_DEFAULT = 1 << 20 };

struct gg_http_header {
	uint16_t name, name_len, value, value_len; /* places in head */
};

struct gg_http_request {
	struct gg_http_conn *conn; /* NULL = the client has gone */
	struct gg_arena arena;
	struct gg_buf head; /* the target, then names and values */
	struct gg_buf body;
	struct gg_buf extra; /* headers of the answer */
	struct gg_str path, query;
	void (*gone)(void *arg, struct gg_http_request *r);
	void *gone_arg;
	const struct gg_http_stream_ops *stream_ops;
	void *stream_arg;
	struct gg_http_header headers[GG_HTTP_HEADERS_MAX];
	uint16_t header_count, target_len;
	uint8_t method;
	bool in_value; /* the last piece was of a value */
	bool head_done, complete, version_1_0, keep_alive, is_head, expects_body, streaming, chunked;
	bool breaks_off; /* the rest of the request will not be read */
};

enum gg_http_phase { GG_HTTP_IDLE, GG_HTTP_HEADER, GG_HTTP_BODY, GG_HTTP_ANSWER };

struct gg_http_conn {
	struct gg_http_server *server;
	struct gg_http_conn *prev, *next;
	struct gg_stream *stream;  /* NULL = gone or given away */
	struct gg_http_request *r; /* being read or being answered */
	struct gg_timer timer;
	struct gg_buf rest;            /* of an answer that is bigger than the stream's output */
	size_t rest_at, left;          /* left: input that we did not take */
	uint64_t written, sent_before; /* to see whether the client reads */
	size_t queued_before;
	size_t body_before; /* at the last look at the rate */
	http_parser parser;
	uint16_t reject; /* status, when a callback of the parser has refused */
	const char *reject_text;
	uint8_t phase;
	bool in_data, closing, half_closed;
};

struct gg_http_server {
	struct gg_loop *loop;
	struct gg_http_limits limits;
	const struct gg_http_ops *ops;
	void *arg;
	struct gg_listener *listeners[8];
	struct gg_http_conn *conns;
	unsigned count, listener_count;
	bool closed;
};

/* http_parse.c: takes bytes until the request is complete; returns how many. */
size_t gg_http_parse(struct gg_http_conn *c, const uint8_t *bytes, size_t len);
void gg_http_parse_init(struct gg_http_conn *c);

/* http_server.c */
void gg_http_set_phase(struct gg_http_conn *c, enum gg_http_phase phase);
/* The answer is through: on to the next request, or the end. */
void gg_http_answered(struct gg_http_conn *c, bool keep_alive);
/* Answers what is wrong with what came, and closes. */
void gg_http_reject(struct gg_http_conn *c, int status, const char *text);
/* Queues bytes of an answer, whatever their length. */
void gg_http_send(struct gg_http_conn *c, const void *bytes, size_t len);
/* The stream is somebody else's from here on. */
struct gg_stream *gg_http_give_stream(struct gg_http_conn *c);

/* http_request.c; NULL when out of memory */
struct gg_http_request *gg_http_request_new(struct gg_http_conn *c);
void gg_http_request_free(struct gg_http_request *r);

#endif
