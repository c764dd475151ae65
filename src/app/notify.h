/* SPDX-License-Identifier: Apache-2.0 */
/*
 * systemd's notification protocol (sd_notify(3)): READY=1, STOPPING=1, and WATCHDOG=1 while all loops turn,
 * EXTEND_TIMEOUT_USEC while a start takes long and is at work. A
 * loop that has been in one turn for longer than half the watchdog's time counts as hung; then nothing is
 * said and systemd restarts us. Nothing happens when $NOTIFY_SOCKET is not set. Thread: control.
 */
#ifndef GG_APP_NOTIFY_H
#define GG_APP_NOTIFY_H

struct gg_loop;

void gg_notify_start(struct gg_loop *control);
void gg_notify_stopping(void);
/* Before READY=1: a database is being rewritten, which may take longer than a start is given. */
void gg_notify_rewriting(const char *path, unsigned percent);

#endif
