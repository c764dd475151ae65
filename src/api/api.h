/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP face of the gateway: REST under /api/v1, /healthz, /readyz, /metrics, the live stream, the
 * dashboard. Thread: control.
 */
#ifndef GG_API_H
#define GG_API_H

#include "core/site.h"

/* Listens as configured. Errors: those of listening, with a text. */
int gg_api_start(const struct gg_site_api *options, struct gg_error *e);
void gg_api_stop(void);

/* Serves a connection that was made elsewhere as one from the network: for tests. Errors: as
 * gg_http_server_adopt_take(). */
int gg_api_serve_take(int fd);

#endif
