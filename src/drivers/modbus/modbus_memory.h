/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What has been learnt of a device, as a record that the driver keeps over restarts: addresses it refuses,
 * where ranges must not cross, how long a request may be, which functions it does not know.
 *
 *   u8 version (1)   u16 length, name   u64 layout   u8 functions   u16 groups
 *   group:  2 x (u16 taken, u16 refused)   u32 items   two bits an item, lowest first: barrier, refused
 *
 * All big-endian. The layout is a sum over the line's address, the unit, the limits and all places that are
 * read: a record of another layout is of a device that is no longer configured so, and not used. Pure.
 */
#ifndef GG_MODBUS_MEMORY_H
#define GG_MODBUS_MEMORY_H

#include "base/buf.h"
#include "drivers/modbus/modbus_device.h"

/* connect: where the line leads, as configured. Errors: those of the buffer. */
int gg_modbus_memory_write(const struct gg_modbus_device *d, struct gg_str connect, struct gg_buf *to);
/* Of which device it is; empty: of none, or of a version that is not known. */
struct gg_str gg_modbus_memory_name(struct gg_str record);
/* Before the device begins. Errors: -ESTALE of another layout, -EBADMSG, -ENOMEM; it is as it was then. */
int gg_modbus_memory_read(struct gg_modbus_device *d, struct gg_str connect, struct gg_str record);

#endif
