/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An HTTP/1.1 server (RFC 9110, 9112) upon streams. It knows nothing of routes: for each request it calls
 *
 *   head()     the header is there, the body not yet: say how much body may come, or answer already (401)
 *   request()  it is all there: answer now or, on the same loop, later
 *
 * Requests of a connection are handled one after the other; what is pipelined behind waits in the stream's
 * bounded input. HEAD is answered like GET, the body is left out here. What a client does wrong is answered
 * here with application/problem+json (RFC 9457) and, where its end is not known, by closing.
 *
 * Owner: a request belongs to the handler until it has answered with gg_http_reply(), gg_http_problem(),
 * gg_http_stream_end() or gg_http_websocket(), which free it. It lives on even when the client has gone; then
 * answers go nowhere. Strings of a request live as long as it does. Thread: the loop's.
 */
#ifndef GG_NET_HTTP_SERVER_H
#define GG_NET_HTTP_SERVER_H

#include "base/arena.h"
#include "net/stream.h"

struct gg_http_server;
struct gg_http_request;

struct gg_http_ops {
	/* Returns the most bytes that the body may have; may answer, which then is the end of r. Optional:
	 * without it 1 MiB. */
	size_t (*head)(void *arg, struct gg_http_request *r);
	void (*request)(void *arg, struct gg_http_request *r);
};

struct gg_http_limits {
	unsigned connections;      /* 0 = 1000; more are told 503 */
	size_t header_bytes;       /* request line and headers, 0 = 16 KiB; at most 60 KiB */
	size_t output_bytes;       /* that may wait for a client, 0 = 4 MiB */
	int64_t header_timeout_ns; /* from the first byte to the end of the header, 0 = 10 s */
	int64_t idle_timeout_ns;   /* between requests, 0 = 75 s; and how often it is looked at answer_rate */
	unsigned body_rate;        /* bytes a second that a body must come with at least, 0 = 500 */
	unsigned answer_rate;      /* and that a client must take of what waits for it, 0 = 1000 */
};

/* Errors: -ENOMEM. limits may be NULL. */
int gg_http_server_new(struct gg_loop *loop, const struct gg_http_limits *limits,
	const struct gg_http_ops *ops, void *arg, struct gg_http_server **ret_server);
/* How many may be connected from here on; who is connected stays. Thread: the loop's. */
void gg_http_server_limit(struct gg_http_server *h, unsigned connections);
/* Listens, too; a server may listen at several places. Its max_streams and limits are set here. */
int gg_http_server_listen(struct gg_http_server *h, const struct gg_listener_options *o,
	struct gg_listener **ret_listener, struct gg_error *e);
/* Serves a descriptor that is connected already. Errors: as gg_stream_adopt_take(). */
int gg_http_server_adopt_take(struct gg_http_server *h, int fd);
/* Stops listening and closes its connections: idle ones at once, others when what is queued has been sent.
 * Requests that the handlers still hold must still be answered. Accepts NULL. */
void gg_http_server_close(struct gg_http_server *h);
unsigned gg_http_server_connections(const struct gg_http_server *h);

/* ---- the request ---- */

struct gg_str gg_http_method(const struct gg_http_request *r);
/* As sent, without the query: percent escapes are in it, so that "%2F" is told from "/". */
struct gg_str gg_http_path(const struct gg_http_request *r);
struct gg_str gg_http_query(const struct gg_http_request *r);
/* Value of a header, blanks cut; an empty string when it is not there. Several of a name: the first. */
struct gg_str gg_http_header(const struct gg_http_request *r, const char *name);
struct gg_str gg_http_body(const struct gg_http_request *r);
/* Memory that lives as long as the request; at most 4 MiB. */
struct gg_arena *gg_http_arena(struct gg_http_request *r);
/* Resolves percent escapes ('+' too when it is of a query). Errors: -EINVAL a wrong escape, NUL, or no UTF-8.
 */
int gg_http_decode(struct gg_http_request *r, struct gg_str text, bool of_query, struct gg_str *ret_decoded);
/* A parameter of the query, decoded. Errors: -ENOENT, -EINVAL. */
int gg_http_param(struct gg_http_request *r, const char *name, struct gg_str *ret_value);
/* The connection, NULL when the client has gone: for its peer, TLS and certificate. */
const struct gg_stream *gg_http_stream(const struct gg_http_request *r);
/* Once the client is gone before the answer, gone(arg, r) is called; r stays the handler's. */
void gg_http_on_gone(
	struct gg_http_request *r, void (*gone)(void *arg, struct gg_http_request *r), void *arg);

/* ---- the answer ---- */

/* Adds a header; control bytes in the value become blanks. Content-Type, Content-Length, Date and Connection
 * are put by the answer itself. What is more than 8 KiB in all is left out, and logged. */
void gg_http_add_header(struct gg_http_request *r, const char *name, struct gg_str value);
/* content_type NULL: there is no body. Frees r. */
void gg_http_reply(struct gg_http_request *r, int status, const char *content_type, struct gg_str body);
/* application/problem+json; detail is for people. Frees r. */
void gg_http_problem(struct gg_http_request *r, int status, const char *detail, ...) GG_PRINTF(3, 4);
/* The same from an error: status and title of its code, its text as detail, line and column. Frees r. */
void gg_http_problem_error(struct gg_http_request *r, const struct gg_error *e);

/* An answer that comes piece by piece: server-sent events, long lists. drained() tells that half of the
 * output has gone after a write said -EAGAIN; gone() that the client has left, and writing is in vain: then
 * end it. */
struct gg_http_stream_ops {
	void (*drained)(void *arg, struct gg_http_request *r); /* optional */
	void (*gone)(void *arg, struct gg_http_request *r);
};

void gg_http_stream_begin(struct gg_http_request *r, int status, const char *content_type,
	const struct gg_http_stream_ops *ops, void *arg);
/* Errors: -EAGAIN the client does not keep up (nothing was queued), -EPIPE it has gone, -E2BIG. */
int gg_http_stream_write(struct gg_http_request *r, struct gg_str bytes);
/* Bytes that wait for the client. */
size_t gg_http_stream_queued(const struct gg_http_request *r);
/* whole: the answer is complete; false breaks it off, so that the client can tell. Frees r. */
void gg_http_stream_end(struct gg_http_request *r, bool whole);

/* Is it a request to upgrade to WebSocket? */
bool gg_http_wants_websocket(const struct gg_http_request *r);
/* Agrees to it with the subprotocol (NULL = none) and gives the connection away: a stream whose bytes are the
 * payload of the frames. Set its handler at once. On failure the client has been told (400, 426). Frees r.
 * Errors: -EINVAL, -EPIPE the client has gone, -ENOMEM. */
int gg_http_websocket_take(struct gg_http_request *r, const char *subprotocol, struct gg_stream **ret_stream);

#endif
