/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GG_HOST_DRIVER_H
#define GG_HOST_DRIVER_H

#include "ganglion/driver.h"

/* The computer the gateway runs on; host.c describes it. */
extern const struct gg_component gg_driver_host;

#endif
