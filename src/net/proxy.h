/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PROXY protocol, versions 1 and 2 (haproxy's proxy-protocol.txt): what a load balancer says in front of
 * a connection's first byte, so that the server behind it knows from where the client really comes. Only who
 * is on a list is believed. The parser is pure. Thread: any.
 */
#ifndef GG_NET_PROXY_H
#define GG_NET_PROXY_H

#include "net/stream.h"

enum { GG_PROXY_MAX = 4096 }; /* bytes of a header; version 1 has 107 at most */

struct gg_proxy_header {
	size_t size;              /* of it all */
	bool carries;             /* source is set; else it speaks for itself (LOCAL, UNKNOWN) */
	struct gg_address source; /* scheme "unix" or "" */
};

/* Reads the header at the start of the input. Errors: -EAGAIN not all of it is there, -EPROTO it is none,
 * with the place in it, what was expected there and what came. */
int gg_proxy_parse(struct gg_str input, struct gg_proxy_header *ret_header, struct gg_error *e);

/* A network: "10.0.0.0/8", "::1", "unix". */
struct gg_network {
	uint8_t address[16]; /* of version 6; those of version 4 are mapped */
	uint8_t bits;
	bool unix_socket;
};

/* Errors: -EINVAL, with what was expected. */
int gg_network_parse(struct gg_str text, struct gg_network *ret_network, struct gg_error *e);
/* peer: as gg_stream_peer() says it. */
bool gg_network_has(const struct gg_network *networks, size_t count, const char *peer);

#endif
