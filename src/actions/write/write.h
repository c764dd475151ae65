/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GG_ACTIONS_WRITE_H
#define GG_ACTIONS_WRITE_H

#include "ganglion/action.h"

extern const struct gg_component gg_action_write;

/* Reads text as a value of that type; NONE: as a number, on/off, or a text. A text's bytes are text's own.
 * Errors: -EINVAL, -ERANGE. */
int gg_write_value(struct gg_str text, uint8_t type, struct gg_sample *ret_value);

#endif
