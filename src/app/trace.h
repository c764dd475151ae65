/* SPDX-License-Identifier: Apache-2.0 */
/* An event with its trace, as steps that one can read. Thread: pure function. */
#ifndef GG_APP_TRACE_H
#define GG_APP_TRACE_H

#include "app/node.h"

/* event: as the API gives it. */
void gg_trace_write(const struct gg_node *event, int64_t now_ns, bool colour, struct gg_buf *to);
/* "\x1b[1;31m" for critical, ...; "" without colour. */
const char *gg_severity_colour(struct gg_str severity, bool colour);

#endif
