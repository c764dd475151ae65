/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lowest layer of a connection that comes through a proxy: it takes the PROXY header off, tells the
 * stream who its peer is, and then steps aside. Of the socket no byte behind the header is read before it is
 * known where the header ends, so nothing has to be handed on.
 */
#include "net/proxy.h"
#include "net/stream_private.h"

struct proxy_layer {
	struct gg_layer layer;
	bool done;
	size_t len;
	uint8_t bytes[GG_PROXY_MAX]; /* of the header so far */
};

static struct proxy_layer *of(struct gg_layer *l)
{
	return GG_CONTAINER(l, struct proxy_layer, layer);
}

static ssize_t receive(const struct gg_stream *s, void *to, size_t room, int flags)
{
	ssize_t n;
	do
		n = recv(s->fd, to, room, flags);
	while (n < 0 && errno == EINTR);
	return n >= 0 ? n : errno == EWOULDBLOCK ? -EAGAIN : -errno;
}

static int accept_header(struct gg_stream *s, const struct gg_proxy_header *h)
{
	if (h->carries) {
		char text[300];
		bool is_unix = strcmp(h->source.scheme, "unix") == 0;
		gg_address_format(&h->source, text, sizeof text);
		char *peer = gg_str_dup(is_unix ? GG_STR("unix") : gg_str(text));
		if (!peer)
			return -ENOMEM;
		free(s->peer);
		s->peer = peer;
		/* Local is who is local to this machine: the proxy's loopback is so only if it is ours. */
		s->is_local = s->is_local && (is_unix || gg_address_is_loopback(&h->source));
	}
	return gg_listener_admit(s);
}

/* 0 done, -EAGAIN, or an error. */
static int take_header(struct proxy_layer *p)
{
	struct gg_stream *s = p->layer.stream;
	struct gg_proxy_header h;
	struct gg_error e = {0};
	if (p->done)
		return 0;
	ssize_t n = receive(s, p->bytes + p->len, sizeof p->bytes - p->len, MSG_PEEK);
	if (n == 0)
		return -ECONNRESET;
	if (n < 0)
		return (int)n;
	int rc = gg_proxy_parse(gg_str_n(p->bytes, p->len + (size_t)n), &h, &e);
	if (rc < 0 && rc != -EAGAIN) {
		gg_stream_set_reason(s, e.text);
		return rc;
	}
	size_t mine = rc == 0 ? h.size - p->len : (size_t)n;
	if (receive(s, p->bytes + p->len, mine, 0) != (ssize_t)mine)
		return -EIO;
	p->len += mine;
	if (rc < 0)
		return p->len < sizeof p->bytes ? rc : -EPROTO;
	p->done = true;
	s->awaited = NULL;
	return accept_header(s, &h);
}

static int proxy_handshake(struct gg_layer *l)
{
	l->wants = EPOLLIN;
	return take_header(of(l));
}

static ssize_t proxy_recv(struct gg_layer *l, void *to, size_t room)
{
	int rc = take_header(of(l));
	return rc < 0 ? rc : gg_below_recv(l, to, room);
}

static ssize_t proxy_send(struct gg_layer *l, const void *bytes, size_t len)
{
	return len ? gg_below_send(l, bytes, len) : 0;
}

static bool proxy_pending(const struct gg_layer *l)
{
	(void)l;
	return false;
}

static size_t proxy_held(const struct gg_layer *l)
{
	(void)l;
	return 0;
}

static void proxy_bye(struct gg_layer *l)
{
	(void)l;
}

static int proxy_inherit(struct gg_layer *l, const void *in, size_t in_len, const void *out, size_t out_len)
{
	(void)l, (void)in, (void)in_len, (void)out, (void)out_len;
	return -ENOTSUP; /* it is there from the first byte on */
}

static void proxy_free(struct gg_layer *l)
{
	free(of(l));
}

static const struct gg_layer_ops proxy_ops = {
	.handshake = proxy_handshake,
	.recv = proxy_recv,
	.send = proxy_send,
	.pending = proxy_pending,
	.held = proxy_held,
	.bye = proxy_bye,
	.inherit = proxy_inherit,
	.free = proxy_free,
};

int gg_proxy_layer_new(struct gg_stream *s, struct gg_layer **ret_layer)
{
	struct proxy_layer *p = calloc(1, sizeof *p);
	if (!p)
		return -ENOMEM;
	p->layer = (struct gg_layer){.ops = &proxy_ops, .stream = s, .wants = EPOLLIN};
	s->awaited = "PROXY header";
	*ret_layer = &p->layer;
	return 0;
}
