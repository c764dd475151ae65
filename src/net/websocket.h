/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WebSocket (RFC 6455) as one more layer of a stream: what is behind it sees a plain gg_stream and reads and
 * writes bytes; frames are an affair of the layer. So MQTT over WebSocket is MQTT.
 *
 * Binary frames carry the bytes; where a frame begins or ends means nothing (as the MQTT standard has it,
 * §6), fragments are taken as they come. Pings are answered. A text frame, a frame masked the wrong way or
 * any other breach closes the stream with -EPROTO and the close code.
 *
 * Server: gg_http_websocket() in http_server.h does the hand-over. Client: gg_websocket_connect().
 * Thread: the loop's.
 */
#ifndef GG_NET_WEBSOCKET_H
#define GG_NET_WEBSOCKET_H

#include "net/stream.h"

enum { GG_WEBSOCKET_ACCEPT_LEN = 28, GG_WEBSOCKET_PATH_MAX = 512 };

/* What a server answers to Sec-WebSocket-Key, ended by NUL. Errors: -EINVAL not 16 bytes in base64. §4.2.2 */
int gg_websocket_accept_key(struct gg_str key, char ret_accept[GG_WEBSOCKET_ACCEPT_LEN + 1]);
/* Does a comma-separated list hold the word? Letters' case does not matter. */
bool gg_websocket_list_has(struct gg_str list, const char *word);

/* Server: lays the layer upon a stream where a request to upgrade was read and its answer (101) has been
 * written. What the peer sent behind the request is taken as frames. Errors: -ENOMEM. */
int gg_websocket_lay(struct gg_stream *s);

/* Client: connects and upgrades; opened() comes when the server has agreed. path "/mqtt"; subprotocol "mqtt"
 * or NULL. Errors: as gg_stream_connect(), -EINVAL path. */
int gg_websocket_connect(struct gg_loop *loop, const struct gg_address *to, const char *path,
	const char *subprotocol, struct gg_tls *tls, const struct gg_stream_limits *limits,
	const struct gg_stream_handler *handler, void *arg, struct gg_stream **ret_stream,
	struct gg_error *e);

#endif
