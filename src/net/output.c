/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The output of a stream: one buffer that grows up to its limit and is freed when it has run empty. Writers
 * append; at the end of the turn everything leaves with one send. EPOLLOUT is asked for only when the socket
 * is full.
 *
 *   out ──┬────────────┬────────────────┬──────────┐
 *         │ sent       │ out_len bytes  │ room     │
 *         0            out_start                   out_cap
 */
#include "net/stream_private.h"

enum { OUTPUT_FIRST_BYTES = 1024 };

static void drop_output(struct gg_stream *s)
{
	free(s->out);
	s->out = NULL;
	s->out_start = s->out_len = s->out_cap = 0;
}

static int make_room(struct gg_stream *s, size_t len)
{
	if (s->state >= GG_STREAM_FLUSHING)
		return -EPIPE;
	if (len > s->out_max)
		return -E2BIG;
	if (len > s->out_max - gg_min_size(s->out_len, s->out_max)) {
		s->want_drained = true;
		return -EAGAIN;
	}
	size_t need = s->out_len + len;
	if (s->out_start + need <= s->out_cap)
		return 0;
	if (need <= s->out_cap && s->out_start >= s->out_cap / 2) {
		memmove(s->out, s->out + s->out_start, s->out_len);
		s->out_start = 0;
		return 0;
	}
	size_t cap = gg_max_size(gg_max_size(need, s->out_cap * 2), OUTPUT_FIRST_BYTES);
	uint8_t *out = malloc(cap);
	if (!out)
		return -ENOMEM;
	if (s->out_len)
		memcpy(out, s->out + s->out_start, s->out_len);
	free(s->out);
	s->out = out;
	s->out_start = 0;
	s->out_cap = cap;
	return 0;
}

int gg_stream_write(struct gg_stream *s, const void *bytes, size_t len)
{
	int rc = make_room(s, len);
	if (rc < 0 || len == 0)
		return rc;
	memcpy(s->out + s->out_start + s->out_len, bytes, len);
	gg_stream_commit(s, len);
	return 0;
}

uint8_t *gg_stream_room(struct gg_stream *s, size_t len)
{
	return make_room(s, len) == 0 ? s->out + s->out_start + s->out_len : NULL;
}

void gg_stream_commit(struct gg_stream *s, size_t len)
{
	s->out_len += len;
	if (s->state == GG_STREAM_OPEN && !s->blocked)
		gg_stream_todo(s, GG_TODO_FLUSH);
}

size_t gg_stream_queued(const struct gg_stream *s)
{
	return s->out_len + (s->layer ? s->layer->ops->held(s->layer) : 0);
}

static ssize_t send_some(struct gg_stream *s, const void *bytes, size_t len)
{
	return s->layer ? s->layer->ops->send(s->layer, bytes, len) : gg_socket_send(s, bytes, len);
}

/* Sends until nothing is left or the socket is full. */
static ssize_t send_all(struct gg_stream *s)
{
	while (s->out_len) {
		ssize_t n = send_some(s, s->out + s->out_start, s->out_len);
		if (n < 0)
			return n;
		s->out_start += (size_t)n;
		s->out_len -= (size_t)n;
	}
	drop_output(s);
	return s->layer && s->layer->ops->held(s->layer) ? send_some(s, NULL, 0) : 0;
}

void gg_stream_flush(struct gg_stream *s)
{
	ssize_t rc = send_all(s);
	if (rc < 0 && rc != -EAGAIN) {
		gg_stream_fail(s, (int)rc, NULL);
		return;
	}
	s->blocked = gg_stream_queued(s) > 0;
	if (s->state == GG_STREAM_FLUSHING) {
		if (!s->blocked)
			gg_stream_flushed(s);
		return;
	}
	if (s->want_drained && s->out_len <= s->out_max / 2) {
		s->want_drained = false;
		if (s->handler && s->handler->drained)
			s->handler->drained(s->arg, s);
	}
}
