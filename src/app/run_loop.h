/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gateway from start to end, as `ganglion run` and `ganglion demo` do it: signals, gateway, API,
 * systemd's notifications, the control loop until SIGTERM or SIGINT, and all of it back in order. A
 * changed configuration file, or SIGHUP, is taken over (app/reload.h). Thread: main.
 */
#ifndef GG_APP_RUN_LOOP_H
#define GG_APP_RUN_LOOP_H

#include "base/error.h"

struct gg_config;

struct gg_run {
	const char *config_path; /* NULL: the built-in defaults */
	const char *data_dir;
	struct gg_config *config; /* taken over */
	/* Both optional, on the control thread: the gateway and its API are at work; they are about to end.
	 * An error ends what was started. */
	int (*started)(void *arg, struct gg_error *e);
	void (*ending)(void *arg);
	void *arg;
};

/* Before any thread starts, so that all inherit the mask: SIGTERM, SIGINT and SIGHUP are then read by
 * gg_run_gateway(). Errors: those of signalfd(2). */
int gg_run_block_signals(void);
/* For a child process, between fork and exec. */
void gg_run_unblock_signals(void);
/* Returns when it has ended. Errors: those of starting, with a text. */
int gg_run_gateway(const struct gg_run *r, struct gg_error *e);

#endif
