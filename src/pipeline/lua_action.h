/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GG_LUA_ACTION_H
#define GG_LUA_ACTION_H

#include "ganglion/action.h"

extern const struct gg_component gg_action_lua;

#endif
