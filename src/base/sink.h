/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a long answer goes piece by piece: a file, a pipe, a client. Thread: whoever writes.
 */
#ifndef GG_SINK_H
#define GG_SINK_H

#include "base/buf.h"

struct gg_sink {
	void *arg;
	/* Takes all of it, waiting where it must. Errors: negative errno (-EPIPE nobody reads any more,
	 * -ECANCELED); then whoever writes gives up. */
	int (*write)(void *arg, const void *data, size_t len);
};

static inline int gg_sink_write(const struct gg_sink *s, const void *data, size_t len)
{
	return len ? s->write(s->arg, data, len) : 0;
}

/* Writes what the buffer holds, and empties it. Errors: the buffer's own too. */
static inline int gg_sink_flush(const struct gg_sink *s, struct gg_buf *b)
{
	int status = b->error ? b->error : gg_sink_write(s, b->p, b->len);
	gg_buf_clear(b);
	return status;
}

#endif
