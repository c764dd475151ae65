/* SPDX-License-Identifier: Apache-2.0 */
/* The signals a configuration names by itself, made known without starting anything. */
#ifndef GG_APP_KNOWN_H
#define GG_APP_KNOWN_H

#include "core/config.h"
#include "ganglion/host.h"

/* Makes an instance of each driver, whose init() names the signals it knows of; none is started. What fails
 * is added to problems. Owner: the caller, gg_known_free(). */
struct gg_host *gg_known_signals(const struct gg_config *config, struct gg_problems *problems);
/* Accepts NULL. */
void gg_known_free(struct gg_host *hosts);

#endif
