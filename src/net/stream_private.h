/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a stream, shared by the files of this room and by nobody else.
 *
 * A stream stands on its socket, or on layers that change bytes on their way: TLS, and WebSocket upon plain
 * or TLS. A layer reads from and sends to the one below it; the last one uses the socket.
 *
 *   handler ◀─ input ◀─ layer ◀─ below ◀─ socket
 *   output ─▶ layer ─▶ below ─▶ socket
 *
 * States go only downwards in the list; GG_STREAM_OPEN is where handlers get data.
 */
#ifndef GG_NET_STREAM_PRIVATE_H
#define GG_NET_STREAM_PRIVATE_H

#include "net/stream.h"

#include <sys/socket.h>
#include <sys/types.h>

struct gg_layer;

struct gg_layer_ops {
	/* What must be done before the first byte: 0 done, -EAGAIN (layer.wants says for which event). */
	int (*handshake)(struct gg_layer *l);
	/* Bytes read, 0 the peer has ended, -EAGAIN nothing is there, or an error. */
	ssize_t (*recv)(struct gg_layer *l, void *to, size_t room);
	/* Bytes taken (some may be held back), -EAGAIN, or an error. len 0: push what is held. */
	ssize_t (*send)(struct gg_layer *l, const void *bytes, size_t len);
	/* Is there input which the socket will not tell of? */
	bool (*pending)(const struct gg_layer *l);
	size_t (*held)(const struct gg_layer *l);
	/* Says good-bye, once, as far as it goes without waiting. */
	void (*bye)(struct gg_layer *l);
	/* Takes over raw bytes when it is laid upon a running stream: input that was read already, and output
	 * that has yet to go as it is. Errors: -ENOMEM. */
	int (*inherit)(struct gg_layer *l, const void *in, size_t in_len, const void *out, size_t out_len);
	void (*free)(struct gg_layer *l);
};

struct gg_layer {
	const struct gg_layer_ops *ops;
	struct gg_layer *below;
	struct gg_stream *stream;
	uint32_t wants;
};

enum gg_stream_state {
	GG_STREAM_CONNECTING, /* resolving too */
	GG_STREAM_HANDSHAKE,
	GG_STREAM_OPEN,
	GG_STREAM_FLUSHING,  /* closed by us, output is still going */
	GG_STREAM_LINGERING, /* the handler is gone; waiting for the peer to have read our last words */
	GG_STREAM_DEAD,
};

struct gg_connecting;

struct gg_stream {
	struct gg_watch watch;
	struct gg_defer work;
	struct gg_timer timer; /* by state: connect and handshake; read again; flush; linger */
	struct gg_loop *loop;
	const struct gg_stream_handler *handler;
	void *arg;              /* of the handler; while lingering a gg_parting */
	struct gg_layer *layer; /* NULL = the socket itself */
	uint8_t *in, *out;
	size_t in_len, in_cap, in_max;
	size_t out_start, out_len, out_cap, out_max; /* out_len counts from out_start */
	int64_t timeout_ns;
	struct gg_connecting *connecting;
	struct gg_listener *listener;
	char *peer, *reason;
	const char *awaited; /* in the handshake; NULL: TLS */
	char *counted;       /* the address it is counted for at its listener; NULL: none */
	int fd;
	int status;
	enum gg_stream_state state;
	uint8_t todo; /* GG_TODO_ bits for the end of this turn */
	bool is_socket, is_local, paused, ended, in_data, blocked, want_drained, hung, linger, laid;
};

enum { GG_TODO_FLUSH = 1, GG_TODO_DELIVER = 2, GG_TODO_DIE = 4 };

/* Makes one without a socket; the handler may be set later. NULL when out of memory. */
struct gg_stream *gg_stream_new(struct gg_loop *loop, const struct gg_stream_limits *limits);
/* Frees one that nobody has seen yet; no callback. */
void gg_stream_discard(struct gg_stream *s);
/* Begins to watch its socket. */
int gg_stream_attach(struct gg_stream *s, uint32_t events);
/* (Re)starts its timer. Errors: -ENOMEM. */
int gg_stream_timer(struct gg_stream *s, int64_t after_ns);
/* The socket is connected: shakes hands or opens. */
void gg_stream_connected(struct gg_stream *s);
/* Ends it with an error; reason NULL = the errno's text. Only the first reason counts. */
void gg_stream_fail(struct gg_stream *s, int status, const char *reason);
/* Sends what it can; all has gone in the second, which ends a closing stream. */
void gg_stream_flush(struct gg_stream *s);
void gg_stream_flushed(struct gg_stream *s);
void gg_stream_todo(struct gg_stream *s, uint8_t bits);
void gg_stream_set_reason(struct gg_stream *s, const char *reason);
/* Lays a layer upon a running stream, inside data() too. Errors: -ENOMEM (the layer is not taken). */
int gg_stream_lay_take(struct gg_stream *s, struct gg_layer *l);
struct gg_layer *gg_stream_layer(const struct gg_stream *s, const struct gg_layer_ops *ops);

ssize_t gg_socket_recv(const struct gg_stream *s, void *to, size_t room);
ssize_t gg_socket_send(const struct gg_stream *s, const void *bytes, size_t len);
/* NODELAY, keep-alive and the time after which a peer that does not answer is given up. */
void gg_socket_setup(int fd, const struct gg_stream_limits *limits);
/* The numeric address of the other side, "unix" for a unix socket. Owner: the caller. */
char *gg_socket_peer(int fd, bool *ret_local);

static inline ssize_t gg_below_recv(struct gg_layer *l, void *to, size_t room)
{
	return l->below ? l->below->ops->recv(l->below, to, room) : gg_socket_recv(l->stream, to, room);
}

static inline ssize_t gg_below_send(struct gg_layer *l, const void *bytes, size_t len)
{
	return l->below ? l->below->ops->send(l->below, bytes, len) : gg_socket_send(l->stream, bytes, len);
}

/* connect.c */
/* gg_stream_connect() with one more layer above TLS; owns it also on failure. */
int gg_stream_connect_layer_take(struct gg_loop *loop, const struct gg_address *to, struct gg_tls *tls,
	struct gg_layer *top, const struct gg_stream_limits *limits, const struct gg_stream_handler *handler,
	void *arg, struct gg_stream **ret_stream, struct gg_error *e);
void gg_connecting_ready(struct gg_stream *s);
void gg_connecting_timeout(struct gg_stream *s);
void gg_connecting_cancel(struct gg_stream *s);

/* listener.c */
void gg_listener_opened(struct gg_stream *s);
/* Its handshake failed: nobody but the log will ever know of it. */
void gg_listener_failed(const struct gg_stream *s, int status);
void gg_listener_lost(struct gg_stream *s);
/* Counts it for its address. Errors: -EUSERS too many from there, with the reason set. */
int gg_listener_admit(struct gg_stream *s);

/* stream_proxy.c. Errors: -ENOMEM. */
int gg_proxy_layer_new(struct gg_stream *s, struct gg_layer **ret_layer);

/* stream_tls.c; host is the name to ask for and check, NULL on a server. Errors: -ENOMEM. */
int gg_tls_layer_new(struct gg_tls *tls, struct gg_stream *s, const char *host, struct gg_layer **ret_layer);
extern const struct gg_layer_ops gg_tls_layer_ops;

#endif
