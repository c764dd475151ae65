/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of this room only: a loop that is turned by hand until something has come true, and a party
 * that notes what happens to its stream. */
#ifndef GG_NET_TESTING_H
#define GG_NET_TESTING_H

#include "check.h"

#include "base/buf.h"
#include "core/loop.h"
#include "net/stream.h"

#include <unistd.h>

static struct gg_loop *loop;

/* Turns the loop until the condition holds, for at most 10 s. */
#define wait_until(condition)                                                                                \
	do {                                                                                                 \
		int64_t end_ = gg_clock_monotonic(&gg_clock_system) + 10 * GG_NS_PER_S;                      \
		while (!(condition) && gg_clock_monotonic(&gg_clock_system) < end_)                          \
			gg_loop_turn(loop, 20 * GG_NS_PER_MS);                                               \
		assert_true(condition);                                                                      \
	} while (0)

struct party {
	struct gg_stream *s;
	struct gg_buf got;
	bool echo, opened, closed, take_nothing, keep_half_open;
	int status, drained, ended;
	char reason[300];
};

static inline void party_opened(void *arg, struct gg_stream *s)
{
	struct party *p = arg;
	p->s = s;
	p->opened = true;
}

static inline size_t party_data(void *arg, struct gg_stream *s, const uint8_t *bytes, size_t len)
{
	struct party *p = arg;
	if (p->take_nothing)
		return 0;
	if (p->echo)
		return gg_stream_write(s, bytes, len) == 0 ? len : 0;
	gg_buf_add(&p->got, bytes, len);
	return len;
}

static inline void party_drained(void *arg, struct gg_stream *s)
{
	struct party *p = arg;
	p->drained++;
	if (p->echo)
		gg_stream_resume(s);
}

static inline void party_closed(void *arg, struct gg_stream *s, int status, const char *reason)
{
	struct party *p = arg;
	(void)s;
	assert_false(p->closed);
	p->closed = true;
	p->status = status;
	p->s = NULL;
	gg_str_copy(p->reason, sizeof p->reason, gg_str(reason));
}

static inline bool party_ended(void *arg, struct gg_stream *s)
{
	struct party *p = arg;
	(void)s;
	p->ended++;
	return p->keep_half_open;
}

static const struct gg_stream_handler party_handler = {
	.opened = party_opened,
	.data = party_data,
	.drained = party_drained,
	.closed = party_closed,
	.ended = party_ended,
};

static inline const struct gg_stream_handler *party_accepted(void *arg, struct gg_stream *s, void **ret_arg)
{
	struct party *p = arg;
	p->s = s;
	p->opened = true;
	*ret_arg = p;
	return &party_handler;
}

static inline struct party party(void)
{
	return (struct party){.got = GG_BUF(64 << 20)};
}

static inline void party_done(struct party *p)
{
	if (p->s) {
		gg_stream_close(p->s, false, "test is over");
		wait_until(p->closed);
	}
	gg_buf_done(&p->got);
}

static inline struct gg_listener *listen_at(const char *where, struct gg_tls *tls, struct party *server)
{
	struct gg_listener_options o = {.tls = tls};
	struct gg_listener *l = NULL;
	struct gg_error e = {0};
	assert_int_equal(gg_address_parse(gg_str(where), 0, &o.address, &e), 0);
	assert_int_equal(gg_listener_open(loop, &o, party_accepted, server, &l, &e), 0);
	return l;
}

static inline void connect_to(
	struct gg_listener *l, const char *host, struct gg_tls *tls, struct party *client)
{
	struct gg_address to = {.port = gg_listener_port(l)};
	gg_str_copy(to.host, sizeof to.host, gg_str(host));
	assert_int_equal(
		gg_stream_connect(loop, &to, tls, NULL, &party_handler, client, &client->s, NULL), 0);
}

static inline int loop_up(void **state)
{
	(void)state;
	loop = gg_loop_new("test", 100);
	return loop ? 0 : -1;
}

static inline int loop_down(void **state)
{
	(void)state;
	gg_loop_free(loop);
	return 0;
}

#endif
