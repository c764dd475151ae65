/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes a changed configuration file over, whole or not at all: on SIGHUP, and by itself half a second after
 * the last change of the file or of conf.d/ (inotify(7)). One that is wrong changes nothing; it is logged
 * with its place, and an event of kind "config-refused" is open until a right one comes. Thread: control.
 */
#ifndef GG_APP_RELOAD_H
#define GG_APP_RELOAD_H

struct gg_loop;

/* Begins to watch the gateway's configuration file; without one, or where inotify is not to be had, only
 * SIGHUP counts. */
void gg_reload_watch(struct gg_loop *loop);
void gg_reload_stop(void);
/* Reads and applies now. who goes into the revision. */
void gg_reload_now(const char *who);

#endif
