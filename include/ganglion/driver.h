/* SPDX-License-Identifier: Apache-2.0 */
/* A driver speaks a protocol to devices. It lives on one loop; all ops are called there. */
#ifndef GANGLION_DRIVER_H
#define GANGLION_DRIVER_H

#include "ganglion/host.h"

struct gg_driver_ops {
	/* Write to a signal of this driver; answer later with gg_write_done(). A negative errno with no call
	 * to it when it can't be tried at all. */
	int (*write)(void *self, struct gg_write *w, struct gg_error *e);
	/* Publish a message to this driver's clients; answer with gg_publish_done(). */
	int (*publish)(void *self, struct gg_publish *p, struct gg_error *e);
	/* There is room again after gg_host_submit_take() said -EAGAIN. */
	void (*resume)(void *self);
	/* At start, before start(): a record this instance kept with gg_host_keep(), oldest first. */
	void (*kept)(void *self, struct gg_str record);
	/* After many records: write what is still valid anew with gg_host_keep(); what was kept before may
	 * go. */
	void (*compact)(void *self);
	/* An entry of the registry was changed or removed: whoever is connected under it has to log in anew.
	 */
	void (*revoked)(void *self, struct gg_str id);
};

#endif
