/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `ganglion demo`: the gateway with a pump hall that speaks to it from a process of its own.
 *
 *   DIR/ganglion.yaml      the configuration, written once; yours from then on
 *   DIR/tls/               an authority's certificate, the server's certificate and key
 *   DIR/site/              passwords of the sensors, place in the recording
 *   DIR/data/              the gateway's own
 *   DIR/gateway.log, DIR/site.log
 *
 * Everything a second start needs is found there, so it goes on where the first ended. Thread: control.
 */
#ifndef GG_APP_DEMO_H
#define GG_APP_DEMO_H

#include "app/cli.h"
#include "ganglion/loop.h"

#include <sys/types.h>

enum { GG_DEMO_SENSORS = 3, GG_DEMO_PATH = 4096 };

enum gg_demo_port { GG_DEMO_HTTP, GG_DEMO_MQTT, GG_DEMO_MQTTS, GG_DEMO_MODBUS, GG_DEMO_PORTS };

struct gg_demo {
	const char *dir;       /* absolute */
	const char *shown_dir; /* as it was given */
	const char *site_path; /* the site's program */
	const char *speed;     /* NULL: the site's own */
	unsigned ports[GG_DEMO_PORTS];
	bool fresh; /* the site has not run here before */
	/* sensors.c: hashes made before the start, so that nobody is refused in its first moment */
	char hashes[GG_DEMO_SENSORS][128];
	/* site.c */
	pid_t site;
	int site_fd; /* pidfd */
	unsigned restarts;
	struct gg_watch site_watch;
	struct gg_timer site_timer;
};

/* docs/demo.yaml, ended by NUL. */
extern const char gg_demo_config[];

/* DIR/name. Returns to. */
const char *gg_demo_path(const struct gg_demo *d, const char *name, char to[GG_DEMO_PATH]);

/* ---- demo_prepare.c ---- */

/* Folders, configuration, certificates, passwords; picks free ports and puts them into the environment, where
 * the configuration finds them. Errors: with a text. */
int gg_demo_prepare(struct gg_demo *d, struct gg_error *e);
/* Writes a file whole, or leaves what was there. */
int gg_demo_write(const char *path, int mode, const char *text, size_t len, struct gg_error *e);

/* ---- demo_tls.c ---- */

/* Makes an authority and a certificate for this machine's loopback names, unless there is one that is valid
 * for another month. The authority's key is not kept. */
int gg_demo_tls(const struct gg_demo *d, struct gg_error *e);

/* ---- demo_sensors.c ---- */

/* Before the start: a password for each sensor, in DIR/site/credentials. */
int gg_demo_sensors_prepare(struct gg_demo *d, struct gg_error *e);
/* Once the gateway is at work: who is not in its registry is entered. */
int gg_demo_sensors_enter(struct gg_demo *d, struct gg_error *e);

/* ---- demo_site.c ---- */

/* Where the program lies: beside this one. Errors: -ENOENT with a text. */
int gg_demo_site_find(char to[GG_DEMO_PATH], struct gg_error *e);
/* Starts it and waits until its Modbus port answers. */
int gg_demo_site_start(struct gg_demo *d, struct gg_error *e);
/* From here on it is started again when it ends, a few times. */
void gg_demo_site_watch(struct gg_demo *d, struct gg_loop *loop);
/* It is not started again any more. Before the loop goes. */
void gg_demo_site_unwatch(struct gg_demo *d);
/* Ends it and waits for its end. Nothing to do when it does not run. Not watched. */
void gg_demo_site_end(struct gg_demo *d);

#endif
