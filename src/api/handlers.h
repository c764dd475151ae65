/* SPDX-License-Identifier: Apache-2.0 */
/* What routes.c names. Each answers c->r, now or later on the control loop; c itself is gone when the handler
 * returns. Thread: control. */
#ifndef GG_API_HANDLERS_H
#define GG_API_HANDLERS_H

#include "api/call.h"

/* ---- health.c ---- */
void gg_api_healthz(struct gg_call *c);
void gg_api_readyz(struct gg_call *c);
void gg_api_metrics(struct gg_call *c);
const char *gg_api_not_ready(void);

#endif
