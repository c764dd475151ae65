/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What drivers keep in the journal (sessions, retained messages), so that it neither grows for ever nor is
 * deleted with old segments. Each driver's records are pinned from a cursor on; now and then the driver is
 * asked to write what is still valid anew (driver.compact), and once that is synced the cursor moves to where
 * it began. Thread: control.
 */
#ifndef GG_GATEWAY_KEPT_H
#define GG_GATEWAY_KEPT_H

#include "gateway/gateway.h"

/* Begins to look after them. */
void gg_kept_start(struct gg_gateway *g);
void gg_kept_stop(void);
/* Where a driver's records begin; pins them. */
uint64_t gg_kept_position(struct gg_gateway *g, const char *driver);
/* The name of its cursor and pin. */
void gg_kept_name(const char *driver, char *to, size_t size);

#endif
