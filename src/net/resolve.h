/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names to addresses, off the loop: getaddrinfo() blocks, so up to 4 threads wait for it. They start when
 * there is work and leave when there is none for a while. At most 256 names wait.
 */
#ifndef GG_NET_RESOLVE_H
#define GG_NET_RESOLVE_H

#include "ganglion/loop.h"

#include <netdb.h>

struct gg_resolve;

/* Calls found(arg, list, reason) once on the loop: list is the callee's to freeaddrinfo(), NULL on failure
 * with a reason. Errors: -EAGAIN too many are waiting, -ENOMEM. Thread: the loop's. */
int gg_resolve_start(struct gg_loop *loop, const char *host, uint16_t port,
	void (*found)(void *arg, struct addrinfo *list, const char *reason), void *arg,
	struct gg_resolve **ret_resolve);
/* found() will not be called. Thread: the loop's. */
void gg_resolve_cancel(struct gg_resolve *r);

#endif
