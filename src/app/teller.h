/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines for standard output from a loop, which must not wait for it: a terminal that somebody has stopped
 * (Ctrl-S), or a pipe that nobody reads, takes nothing for as long as they like. A thread writes; what is too
 * much is left out, and the next line says how much.
 */
#ifndef GG_APP_TELLER_H
#define GG_APP_TELLER_H

#include "base/buf.h"

/* Errors: -ENOMEM, -errno of pthread_create. */
int gg_teller_start(void);
/* Copies the text, whole lines. Thread: any. Never blocks. */
void gg_teller_say(struct gg_str text);
/* Gives what waits a moment to be written. */
void gg_teller_end(void);

#endif
