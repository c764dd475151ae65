/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GG_HTTP_DRIVER_H
#define GG_HTTP_DRIVER_H

#include "ganglion/driver.h"

/* Data that devices push over HTTP; http.c describes it. */
extern const struct gg_component gg_driver_http;

#endif
