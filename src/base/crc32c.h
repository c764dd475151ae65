/* SPDX-License-Identifier: Apache-2.0 */
/* CRC32C (Castagnoli, RFC 3720 appendix B.4), by the processor's instruction where it has one. */
#ifndef GG_CRC32C_H
#define GG_CRC32C_H

#include "base/base.h"

/* Goes on from crc (0 to begin). */
uint32_t gg_crc32c(uint32_t crc, const void *data, size_t len);
/* The same by table: what processors without the instruction use, and what the tests compare with. */
uint32_t gg_crc32c_table(uint32_t crc, const void *data, size_t len);

#endif
