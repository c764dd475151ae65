/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's half of WebSocket's opening: it is the handshake of the layer, after that of TLS below it. Our
 * request goes out, the answer is read up to its empty line; what came behind it are frames already.
 */
#include "net/websocket_private.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

enum { ANSWER_MAX = 8 << 10 };

static int refuse(struct gg_websocket *w, const char *what, struct gg_str shown)
{
	char text[200];
	snprintf(text, sizeof text, "WebSocket: %s%s%.*s%s", what, shown.len ? " (\"" : "",
		(int)gg_min_size(shown.len, 80), shown.p, shown.len ? "\")" : "");
	gg_stream_set_reason(w->layer.stream, text);
	return -EPROTO;
}

/* The value of a header, or an empty string. lines: those behind the first. */
static struct gg_str header(struct gg_str lines, const char *name)
{
	size_t len = strlen(name);
	while (lines.len) {
		struct gg_str line = gg_str_cut(&lines, '\n');
		if (line.len > len && line.p[len] == ':' && strncasecmp(line.p, name, len) == 0)
			return gg_str_trim(gg_str_n(line.p + len + 1, line.len - len - 1));
	}
	return GG_STR("");
}

static int check_answer(struct gg_websocket *w, struct gg_str answer)
{
	struct gg_str first = gg_str_trim(gg_str_cut(&answer, '\n'));
	if (!gg_str_starts(first, GG_STR("HTTP/1.1 101")))
		return refuse(w, "the server did not agree to the upgrade", first);
	if (!gg_websocket_list_has(header(answer, "upgrade"), "websocket") ||
		!gg_websocket_list_has(header(answer, "connection"), "upgrade"))
		return refuse(w, "the server's answer names no upgrade", gg_str(""));
	if (!gg_str_is(header(answer, "sec-websocket-accept"), w->accept))
		return refuse(w, "the server's answer belongs to another request", gg_str(""));
	if (!gg_str_is(header(answer, "sec-websocket-protocol"), w->subprotocol))
		return refuse(
			w, "the server speaks another subprotocol", header(answer, "sec-websocket-protocol"));
	return 0;
}

static int read_answer(struct gg_websocket *w)
{
	for (;;) {
		char *room = gg_buf_room(&w->early, 1024);
		if (!room)
			return -ENOMEM;
		ssize_t n = gg_below_recv(&w->layer, room, 1024);
		if (n == 0)
			return refuse(w, "the server closed instead of answering", gg_str(""));
		if (n < 0) {
			w->layer.wants = EPOLLIN;
			return (int)n;
		}
		w->early.len += (size_t)n;
		const char *end = memmem(w->early.p, w->early.len, "\r\n\r\n", 4);
		if (!end && w->early.len > ANSWER_MAX)
			return refuse(w, "the server's answer has no end", gg_str(""));
		if (!end)
			continue;
		size_t len = (size_t)(end - w->early.p) + 4;
		int rc = check_answer(w, gg_str_n(w->early.p, len));
		gg_buf_consume(&w->early, len);
		w->more = w->early.len > 0;
		return rc;
	}
}

int gg_websocket_ask(struct gg_websocket *w)
{
	if (w->request) {
		if (w->out.len == 0)
			gg_buf_add(&w->out, w->request, strlen(w->request));
		int rc = w->out.error ? w->out.error : gg_websocket_push(w);
		w->layer.wants = EPOLLOUT;
		if (rc < 0)
			return rc;
		free(GG_TAKE(w->request));
	}
	return w->client ? read_answer(w) : 0;
}

static bool is_path(const char *path)
{
	if (path[0] != '/' || strlen(path) > GG_WEBSOCKET_PATH_MAX)
		return false;
	for (const char *c = path; *c; c++)
		if (*c <= ' ' || *c == 0x7f)
			return false;
	return true;
}

static int write_request(struct gg_websocket *w, const struct gg_address *to, const char *path)
{
	unsigned char random[16], key[25];
	char text[GG_WEBSOCKET_PATH_MAX + 600], host[300];
	struct gg_address plain = *to;
	if (RAND_bytes(random, sizeof random) != 1)
		return -EIO;
	EVP_EncodeBlock(key, random, sizeof random);
	gg_websocket_accept_key(gg_str((const char *)key), w->accept);
	plain.scheme[0] = 0;
	gg_address_format(&plain, host, sizeof host);
	snprintf(text, sizeof text,
		"GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n%s%s%s\r\n",
		path, host, key, w->subprotocol[0] ? "Sec-WebSocket-Protocol: " : "", w->subprotocol,
		w->subprotocol[0] ? "\r\n" : "");
	w->request = gg_str_dup(gg_str(text));
	return w->request ? 0 : -ENOMEM;
}

int gg_websocket_connect(struct gg_loop *loop, const struct gg_address *to, const char *path,
	const char *subprotocol, struct gg_tls *tls, const struct gg_stream_limits *limits,
	const struct gg_stream_handler *handler, void *arg, struct gg_stream **ret_stream, struct gg_error *e)
{
	if (!is_path(path))
		return gg_error_set(e, -EINVAL, "\"%.80s\" is no path: expected \"/mqtt\" or the like", path);
	struct gg_websocket *w = gg_websocket_new(/* client= */ true);
	if (!w)
		return gg_error_set(e, -ENOMEM, "out of memory");
	gg_str_copy(w->subprotocol, sizeof w->subprotocol, gg_str(subprotocol));
	int rc = write_request(w, to, path);
	if (rc < 0) {
		w->layer.ops->free(&w->layer);
		return gg_error_set(e, rc, "cannot make a WebSocket request: %s", strerror(-rc));
	}
	return gg_stream_connect_layer_take(loop, to, tls, &w->layer, limits, handler, arg, ret_stream, e);
}
