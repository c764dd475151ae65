/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An uplink carries parcels north. The engine (src/uplinks/) owns the cursor in the journal, the selection,
 * the order, the rate cap, encoding, retries and back-off; a component of this kind only knows how to reach
 * its peer and when the peer has a parcel for good.
 */
#ifndef GANGLION_UPLINK_H
#define GANGLION_UPLINK_H

#include "ganglion/host.h"

struct gg_parcel {
	uint64_t id;           /* the same on every retry: (journal position, part) folded to 64 bits */
	struct gg_str name;    /* what it is about: "events", or a device or pipeline */
	struct gg_str payload; /* encoded, perhaps compressed */
	const char *content_type;
	const char *content_encoding; /* "zstd" or NULL */
	bool urgent;                  /* an event: goes before the backlog */
};

struct gg_uplink_ops {
	/* Begin to connect, once; answer with gg_uplink_ready(), true or false with the reason. Called after
	 * start() and, backed off, after each gg_uplink_ready(false). NULL: there is nothing to connect. */
	void (*connect)(void *self);
	/* How many parcels may be under way at once; read after connected. */
	unsigned (*window)(void *self);
	/* Sends; the parcel stays valid until gg_uplink_done(). -EAGAIN: not now, wait for gg_uplink_ready().
	 */
	int (*send)(void *self, const struct gg_parcel *p);
};

/* The link is up (ready; said again it means "go on" after -EAGAIN) or down; reason for people when down.
 * Thread: the uplink's loop, as for all here. */
void gg_uplink_ready(struct gg_host *h, bool ready, const char *reason);
/* The peer has acknowledged (0), refused for good (-EINVAL: it is dropped and counted), or it is to be
 * retried. */
void gg_uplink_done(struct gg_host *h, uint64_t parcel_id, int status);

#endif
