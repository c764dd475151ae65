/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GG_ACTIONS_FILE_FILE_H
#define GG_ACTIONS_FILE_FILE_H

#include "ganglion/action.h"

extern const struct gg_component gg_action_file;

#endif
