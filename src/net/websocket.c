/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frames of WebSocket, by wslay. Only its frame level is used: messages mean nothing to a byte stream, so
 * nothing has to be gathered and no message size can be too big.
 *
 *   reader ◀─ chunk (lies in wslay's buffer) ◀─ wslay ◀─ early input, then the layer below
 *   writer ─▶ wslay (header, mask) ─▶ out ─▶ the layer below, with one send
 */
#include "net/websocket_private.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

enum {
	FRAME_BYTES = 32 << 10,            /* payload of a frame that we send */
	OUT_MAX = FRAME_BYTES + (8 << 10), /* and what answers to pings may add */
};

struct gg_websocket *gg_websocket_of(struct gg_layer *l)
{
	return GG_CONTAINER(l, struct gg_websocket, layer);
}

/* ---- what wslay calls ---- */

static ssize_t on_want(uint8_t *to, size_t room, int flags, void *arg)
{
	struct gg_websocket *w = arg;
	(void)flags;
	if (w->early.len) {
		size_t n = gg_min_size(room, w->early.len);
		memcpy(to, w->early.p, n);
		gg_buf_consume(&w->early, n);
		if (w->early.len == 0)
			gg_buf_done(&w->early);
		return (ssize_t)n;
	}
	ssize_t n = gg_below_recv(&w->layer, to, room);
	w->below_status = n < 0 ? (int)n : 0;
	return n > 0 ? n : -1;
}

static ssize_t on_frame_bytes(const uint8_t *bytes, size_t len, int flags, void *arg)
{
	struct gg_websocket *w = arg;
	(void)flags;
	gg_buf_add(&w->out, bytes, len);
	return w->out.error ? -1 : (ssize_t)len;
}

static int on_mask(uint8_t *to, size_t len, void *arg)
{
	(void)arg;
	return RAND_bytes(to, (int)len) == 1 ? 0 : -1;
}

/* ---- sending ---- */

int gg_websocket_push(struct gg_websocket *w)
{
	while (w->out.len) {
		ssize_t n = gg_below_send(&w->layer, w->out.p, w->out.len);
		if (n < 0)
			return (int)n;
		gg_buf_consume(&w->out, (size_t)n);
	}
	size_t max = w->out.max;
	gg_buf_done(&w->out);
	w->out = GG_BUF(max);
	return 0;
}

/* Appends a whole frame to out. Errors: -ENOMEM. */
static int put_frame(struct gg_websocket *w, uint8_t opcode, const void *payload, size_t len)
{
	struct wslay_frame_iocb f = {.fin = 1,
		.opcode = opcode,
		.mask = w->client,
		.payload_length = len,
		.data = payload,
		.data_length = len};
	for (;;) {
		ssize_t n = wslay_frame_send(w->frames, &f);
		if (n < 0)
			return -ENOMEM;
		f.data += n;
		f.data_length -= (size_t)n;
		if (f.data_length == 0)
			return 0;
	}
}

static ssize_t websocket_send(struct gg_layer *l, const void *bytes, size_t len)
{
	struct gg_websocket *w = gg_websocket_of(l);
	int rc = gg_websocket_push(w);
	if (rc < 0 || len == 0)
		return rc;
	if (w->close_sent)
		return -EPIPE;
	len = gg_min_size(len, FRAME_BYTES);
	rc = put_frame(w, WSLAY_BINARY_FRAME, bytes, len);
	if (rc == 0)
		rc = gg_websocket_push(w);
	return rc < 0 && rc != -EAGAIN ? rc : (ssize_t)len; /* what did not go is held */
}

static void send_close(struct gg_websocket *w, const void *payload, size_t len)
{
	if (w->close_sent)
		return;
	w->close_sent = true;
	if (put_frame(w, WSLAY_CONNECTION_CLOSE, payload, len) == 0)
		gg_websocket_push(w);
}

static void websocket_bye(struct gg_layer *l)
{
	struct gg_websocket *w = gg_websocket_of(l);
	if (!w->request && l->stream->state >= GG_STREAM_OPEN)
		send_close(w, "\x03\xe8", 2); /* 1000, normal */
	if (l->below)
		l->below->ops->bye(l->below);
}

/* ---- receiving ---- */

static ssize_t breach(struct gg_websocket *w, uint16_t code, const char *what)
{
	char text[120];
	uint8_t payload[2] = {(uint8_t)(code >> 8), (uint8_t)code};
	snprintf(text, sizeof text, "WebSocket: %s", what);
	gg_stream_set_reason(w->layer.stream, text);
	send_close(w, payload, sizeof payload);
	return -EPROTO;
}

/* A frame begins. Returns what is wrong with it, or NULL. */
static const char *check_frame(struct gg_websocket *w, const struct wslay_frame_iocb *f)
{
	if (f->mask == w->client)
		return w->client ? "the server's frame is masked" : "the client's frame is not masked";
	if (f->rsv)
		return "a reserved bit is set";
	if (wslay_is_ctrl_frame(f->opcode))
		return f->opcode > WSLAY_PONG || !f->fin || f->payload_length > GG_WEBSOCKET_CONTROL_MAX
			       ? "a wrong control frame"
			       : NULL;
	if (f->opcode > WSLAY_BINARY_FRAME)
		return "an unknown kind of frame";
	if ((f->opcode == WSLAY_CONTINUATION_FRAME) != w->in_message)
		return "fragments are out of order";
	w->in_message = !f->fin;
	return NULL;
}

/* A control frame is complete. Returns 0 for the end, else -EAGAIN. */
static ssize_t on_control(struct gg_websocket *w, uint8_t opcode)
{
	size_t len = w->control_len;
	w->control_len = 0;
	if (opcode == WSLAY_CONNECTION_CLOSE) {
		send_close(w, w->control, len >= 2 ? 2 : 0);
		return 0;
	}
	/* A flood of pings without anybody reading our answers gets no more of them. */
	if (opcode == WSLAY_PING && !w->close_sent && w->out.len + len + 16 < OUT_MAX - FRAME_BYTES &&
		put_frame(w, WSLAY_PONG, w->control, len) == 0)
		gg_stream_todo(w->layer.stream, GG_TODO_FLUSH);
	return -EAGAIN;
}

/* Takes one piece from wslay. 1: there may be a chunk now, 0 the end, -EAGAIN, or an error. */
static ssize_t next_piece(struct gg_websocket *w)
{
	struct wslay_frame_iocb f;
	memset(&f, 0, sizeof f);
	ssize_t n = wslay_frame_recv(w->frames, &f);
	if (n == WSLAY_ERR_WANT_READ)
		return w->below_status;
	if (n < 0)
		return breach(w, WSLAY_CODE_PROTOCOL_ERROR, "no frame as the standard has it");
	if (!w->in_frame) {
		const char *wrong = check_frame(w, &f);
		if (wrong)
			return breach(w, WSLAY_CODE_PROTOCOL_ERROR, wrong);
		if (f.opcode == WSLAY_TEXT_FRAME)
			return breach(w, WSLAY_CODE_UNSUPPORTED_DATA,
				"a text frame where only binary ones may come");
		w->in_frame = true;
		w->frame_done = 0;
	}
	w->frame_done += f.data_length;
	w->in_frame = w->frame_done < f.payload_length;
	if (!wslay_is_ctrl_frame(f.opcode)) {
		w->chunk = gg_str_n(f.data, f.data_length);
		return 1;
	}
	if (f.data_length > sizeof w->control - w->control_len)
		return breach(w, WSLAY_CODE_PROTOCOL_ERROR, "a wrong control frame");
	if (f.data_length)
		memcpy(w->control + w->control_len, f.data, f.data_length);
	w->control_len = (uint8_t)(w->control_len + f.data_length);
	if (w->in_frame)
		return 1;
	n = on_control(w, f.opcode);
	return n == -EAGAIN ? 1 : n;
}

static ssize_t websocket_recv(struct gg_layer *l, void *to, size_t room)
{
	struct gg_websocket *w = gg_websocket_of(l);
	size_t got = 0;
	ssize_t rc = 1;
	if (w->over)
		return w->end_status;
	while (rc == 1 && got < room) {
		size_t n = gg_min_size(room - got, w->chunk.len);
		if (n) {
			memcpy((uint8_t *)to + got, w->chunk.p, n);
			w->chunk = gg_str_n(w->chunk.p + n, w->chunk.len - n);
			got += n;
		}
		if (got < room)
			rc = next_piece(w);
	}
	w->more = rc != -EAGAIN;
	if (rc <= 0 && rc != -EAGAIN) { /* to be told at the next call, when these bytes have been read */
		w->over = true;
		w->end_status = (int)rc;
	}
	return got ? (ssize_t)got : rc;
}

static bool websocket_pending(const struct gg_layer *l)
{
	const struct gg_websocket *w = GG_CONTAINER(l, const struct gg_websocket, layer);
	return w->more || w->early.len || (l->below && l->below->ops->pending(l->below));
}

static size_t websocket_held(const struct gg_layer *l)
{
	return GG_CONTAINER(l, const struct gg_websocket, layer)->out.len;
}

static int websocket_handshake(struct gg_layer *l)
{
	struct gg_websocket *w = gg_websocket_of(l);
	if (l->below && !w->below_ready) {
		int rc = l->below->ops->handshake(l->below);
		l->wants = l->below->wants;
		if (rc < 0)
			return rc;
		w->below_ready = true;
	}
	return gg_websocket_ask(w);
}

static int websocket_inherit(
	struct gg_layer *l, const void *in, size_t in_len, const void *out, size_t out_len)
{
	struct gg_websocket *w = gg_websocket_of(l);
	if (out_len)
		w->out.max = out_len + OUT_MAX;
	gg_buf_add(&w->early, in, in_len);
	gg_buf_add(&w->out, out, out_len);
	return w->early.error || w->out.error ? -ENOMEM : 0;
}

static void websocket_free(struct gg_layer *l)
{
	struct gg_websocket *w = gg_websocket_of(l);
	if (w->frames)
		wslay_frame_context_free(w->frames);
	gg_buf_done(&w->early);
	gg_buf_done(&w->out);
	free(w->request);
	free(w);
}

static const struct gg_layer_ops websocket_ops = {
	.handshake = websocket_handshake,
	.recv = websocket_recv,
	.send = websocket_send,
	.pending = websocket_pending,
	.held = websocket_held,
	.bye = websocket_bye,
	.inherit = websocket_inherit,
	.free = websocket_free,
};

struct gg_websocket *gg_websocket_new(bool client)
{
	static const struct wslay_frame_callbacks callbacks = {on_frame_bytes, on_want, on_mask};
	struct gg_websocket *w = calloc(1, sizeof *w);
	if (!w)
		return NULL;
	w->layer.ops = &websocket_ops;
	w->client = client;
	w->early = GG_BUF(1 << 20);
	w->out = GG_BUF(OUT_MAX);
	if (wslay_frame_context_init(&w->frames, &callbacks, w) != 0) {
		w->frames = NULL;
		websocket_free(&w->layer);
		return NULL;
	}
	return w;
}

int gg_websocket_lay(struct gg_stream *s)
{
	struct gg_websocket *w = gg_websocket_new(/* client= */ false);
	if (!w)
		return -ENOMEM;
	w->layer.stream = s;
	int rc = gg_stream_lay_take(s, &w->layer);
	if (rc < 0)
		websocket_free(&w->layer);
	else
		gg_stream_linger(s); /* so that our close frame is read */
	return rc;
}

/* ---- words of the upgrade ---- */

int gg_websocket_accept_key(struct gg_str key, char ret_accept[GG_WEBSOCKET_ACCEPT_LEN + 1])
{
	static const char magic[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455 §1.3 */
	unsigned char raw[20], digest[20];
	char text[24 + sizeof magic];
	if (key.len != 24 || key.p[22] != '=' || key.p[23] != '=' ||
		EVP_DecodeBlock(raw, (const unsigned char *)key.p, 24) != 18)
		return -EINVAL;
	memcpy(text, key.p, 24);
	memcpy(text + 24, magic, sizeof magic);
	if (EVP_Digest(text, 24 + sizeof magic - 1, digest, NULL, EVP_sha1(), NULL) != 1)
		return -EINVAL;
	EVP_EncodeBlock((unsigned char *)ret_accept, digest, sizeof digest);
	return 0;
}

bool gg_websocket_list_has(struct gg_str list, const char *word)
{
	size_t len = strlen(word);
	while (list.len) {
		struct gg_str one = gg_str_trim(gg_str_cut(&list, ','));
		if (one.len == len && strncasecmp(one.p, word, len) == 0)
			return true;
	}
	return false;
}
