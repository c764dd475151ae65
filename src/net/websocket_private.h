/* SPDX-License-Identifier: Apache-2.0 */
/* The WebSocket layer, shared by websocket.c (frames) and websocket_client.c (asking for the upgrade). */
#ifndef GG_NET_WEBSOCKET_PRIVATE_H
#define GG_NET_WEBSOCKET_PRIVATE_H

#include "base/buf.h"
#include "net/stream_private.h"
#include "net/websocket.h"

#include <wslay/wslay.h>

enum { GG_WEBSOCKET_CONTROL_MAX = 125 };

struct gg_websocket {
	struct gg_layer layer;
	wslay_frame_context_ptr frames;
	struct gg_buf early; /* raw input that came before the layer was laid or behind the answer to us */
	struct gg_buf out;   /* raw output that waits for the socket */
	struct gg_str chunk; /* payload that the reader has not taken yet; lies in frames */
	uint64_t frame_done; /* bytes of the present frame's payload */
	int below_status;    /* what the layer below said last: 0 end, < 0 */
	uint8_t control[GG_WEBSOCKET_CONTROL_MAX];
	uint8_t control_len;
	bool client, in_frame, in_message, close_sent, more, below_ready;
	bool over; /* nothing more can be read: end_status says why */
	int end_status;
	char *request; /* client: until it is sent; then NULL */
	char accept[GG_WEBSOCKET_ACCEPT_LEN + 1];
	char subprotocol[32];
};

/* NULL when out of memory. */
struct gg_websocket *gg_websocket_new(bool client);
struct gg_websocket *gg_websocket_of(struct gg_layer *l);
/* Client: sends the request and reads the answer. As layer_ops.handshake. */
int gg_websocket_ask(struct gg_websocket *w);
/* Sends what is held; 0, -EAGAIN or an error. */
int gg_websocket_push(struct gg_websocket *w);

#endif
