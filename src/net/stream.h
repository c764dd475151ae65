/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One stream layer under MQTT, HTTP and all else that speaks over a byte stream: TCP, TLS (OpenSSL) and unix
 * sockets look alike. Non-blocking, on one loop.
 *
 *   socket ─▶ input buffer (bounded) ─▶ handler.data()    takes what it can, leaves the rest
 *   gg_stream_write() ─▶ output buffer (bounded) ─▶ one send at the end of the turn
 *
 * Reading stops by itself while the handler leaves a full input buffer, and while gg_stream_pause() holds; so
 * the peer feels back-pressure through TCP. A stream whose output reaches its limit fails gg_stream_write()
 * with -EAGAIN, and handler.drained() says when half of it has gone. Owner: gg_stream_close() frees, after
 * handler.closed() has been called once. Thread: the loop's.
 */
#ifndef GG_NET_STREAM_H
#define GG_NET_STREAM_H

#include "ganglion/loop.h"
#include "ganglion/option.h"

struct gg_stream;
struct gg_listener;
struct gg_tls; /* a context: certificates, keys, what the peer must show. Shared, reference counted */

/* ---- addresses: "127.0.0.1:1883", "[::1]:8883", "host:502", "unix:/run/x.sock", "tcp://h:p", "tls://h:p"
 * ---- */

struct gg_address {
	char scheme[12]; /* "tcp", "tls", "unix", or another that the caller knows ("mqtts"); "" when none is
			    written */
	char host[256];  /* name or number; a path for unix */
	uint16_t port;
};

/* Errors: -EINVAL with a text that says what was expected. default_port 0: a port must be written. */
int gg_address_parse(
	struct gg_str text, uint16_t default_port, struct gg_address *ret_address, struct gg_error *e);
/* Is it 127.0.0.0/8, ::1, "localhost" or a unix socket? */
bool gg_address_is_loopback(const struct gg_address *a);
size_t gg_address_format(const struct gg_address *a, char *to, size_t size);

/* ---- TLS ---- */

struct gg_tls_options {
	const char *certificate, *key; /* PEM files; a server needs both */
	struct gg_str key_text;        /* in place of the file key: the PEM itself; need not stay */
	const char *ca;                /* PEM file or folder to check the peer with; NULL: the system's */
	bool verify;             /* client: check the server (default); server: demand a client certificate */
	bool optional;           /* server with verify: a client without one may stay */
	const char *server_name; /* client: the name to ask for and check; NULL: the address's host */
	const char *alpn;        /* e.g. "http/1.1" */
};

/* Both fill struct gg_tls_options, for a GROUP named tls: of a client, and of a listener (where verify is off
 * unless asked for). */
extern const struct gg_option gg_tls_option_table[];
extern const struct gg_option gg_tls_server_option_table[];

int gg_tls_server_new(const struct gg_tls_options *o, struct gg_tls **ret_tls, struct gg_error *e);
int gg_tls_client_new(const struct gg_tls_options *o, struct gg_tls **ret_tls, struct gg_error *e);
struct gg_tls *gg_tls_ref(struct gg_tls *t);
struct gg_tls *gg_tls_unref(struct gg_tls *t);
/* Connections made from here on use what fresh has: its certificate, key and authority. fresh is taken.
 * Thread: that of the listeners that use t. */
void gg_tls_replace_take(struct gg_tls *t, struct gg_tls *fresh);

/* ---- streams ---- */

struct gg_stream_handler {
	/* Connected and, with TLS, shaken hands. Not called for streams of a listener. Optional. */
	void (*opened)(void *arg, struct gg_stream *s);
	/* Bytes are there: returns how many were used up (0..len); called again when more come. May close s.
	 */
	size_t (*data)(void *arg, struct gg_stream *s, const uint8_t *bytes, size_t len);
	/* Half of the output has gone after a write failed with -EAGAIN. Optional. */
	void (*drained)(void *arg, struct gg_stream *s);
	/* It is over, for the reason in words ("peer closed", "connection refused", "certificate has
	 * expired"); status 0 when the peer or we closed in order. Called once; s is freed when it returns.
	 */
	void (*closed)(void *arg, struct gg_stream *s, int status, const char *reason);
	/* The peer will send no more: true = it still reads, keep the stream to answer. Optional; without it
	 * the stream is closed once the output has gone. */
	bool (*ended)(void *arg, struct gg_stream *s);
};

struct gg_stream_limits {
	size_t input_bytes;         /* 0 = 64 KiB; grows up to this */
	size_t output_bytes;        /* 0 = 1 MiB */
	int64_t connect_timeout_ns; /* 0 = 10 s; also for the TLS handshake of an accepted stream */
	int64_t dead_peer_ns; /* TCP: how long a peer may be silent to probes or data; 0 = 2 min, < 0 = for
				 ever */
};

/* Begins to connect; names are resolved off the loop. tls NULL = plain. */
int gg_stream_connect(struct gg_loop *loop, const struct gg_address *to, struct gg_tls *tls,
	const struct gg_stream_limits *limits, const struct gg_stream_handler *handler, void *arg,
	struct gg_stream **ret_stream, struct gg_error *e);
/* Wraps a descriptor that is open already (serial line, pty, socketpair); owns it from here on, also on
 * failure. */
int gg_stream_adopt_take(struct gg_loop *loop, int fd, const struct gg_stream_limits *limits,
	const struct gg_stream_handler *handler, void *arg, struct gg_stream **ret_stream);

void gg_stream_set_handler(struct gg_stream *s, const struct gg_stream_handler *handler, void *arg);
/* Queues bytes; they leave at the end of this turn. Errors: -EAGAIN past the output limit (nothing queued),
 * -E2BIG more than the limit at all, -EPIPE closing, -ENOMEM. */
int gg_stream_write(struct gg_stream *s, const void *bytes, size_t len);
/* The output buffer itself, for encoders that write in place: room for len bytes or NULL; then commit. */
uint8_t *gg_stream_room(struct gg_stream *s, size_t len);
void gg_stream_commit(struct gg_stream *s, size_t len);
size_t gg_stream_queued(const struct gg_stream *s);
void gg_stream_pause(struct gg_stream *s); /* stop reading */
void gg_stream_resume(struct gg_stream *s);
/* How many bytes handler.data() is worth being called for: while fewer have come over a plain TCP stream it
 * may be left asleep. 1: any, as at first. For who knows how long the answers to his requests are. */
void gg_stream_expect(struct gg_stream *s, size_t bytes);
/* Closes: flush = send what is queued first (at most 5 s). handler.closed() follows, in this turn or later.
 */
void gg_stream_close(struct gg_stream *s, bool flush, const char *reason);
/* When it is closed with flush, wait up to 2 s for the peer to end, dropping what it still sends: so that it
 * can read our last words. (A close with unread input makes TCP throw away what the peer has not read.) */
void gg_stream_linger(struct gg_stream *s);
/* "10.0.0.7:49152"; valid as long as the stream. */
const char *gg_stream_peer(const struct gg_stream *s);
bool gg_stream_is_local(const struct gg_stream *s);
bool gg_stream_is_tls(const struct gg_stream *s);
/* Subject common name of the peer's certificate when it was verified, else "". */
const char *gg_stream_certificate_name(const struct gg_stream *s);

/* ---- listeners ---- */

struct gg_network;

struct gg_listener_options {
	struct gg_address address;
	struct gg_tls *tls;       /* NULL = plain */
	unsigned max_streams;     /* 0 = 10000; more are closed at once, counted and logged */
	unsigned accept_rate;     /* new ones per second, 0 = 1000; more wait in the backlog */
	unsigned max_per_address; /* 0 = any number; more are closed at once, counted and logged */
	/* Who is believed to be a proxy: a connection from there begins with a header of the PROXY protocol,
	 * and its peer is whom that names (net/proxy.h). Must live as long as the listener. */
	const struct gg_network *proxies;
	size_t proxy_count;
	struct gg_stream_limits limits;
};

/* accepted() is called when a stream is open (after the TLS handshake) and returns its handler and *ret_arg,
 * or NULL to close it. Port 0 takes a free one; gg_listener_port() tells it. Errors: -EADDRINUSE and others
 * of bind(2), with a text. */
int gg_listener_open(struct gg_loop *loop, const struct gg_listener_options *o,
	const struct gg_stream_handler *(*accepted)(void *arg, struct gg_stream *s, void **ret_arg),
	void *arg, struct gg_listener **ret_listener, struct gg_error *e);
uint16_t gg_listener_port(const struct gg_listener *l);
/* How many streams there may be from here on. */
void gg_listener_limit(struct gg_listener *l, unsigned max_streams);
/* Stops listening; its streams stay. Accepts NULL. */
void gg_listener_close(struct gg_listener *l);

#endif
