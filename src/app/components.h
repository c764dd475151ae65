/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GG_APP_COMPONENTS_H
#define GG_APP_COMPONENTS_H

#include "ganglion/component.h"

/* Everything that was built in, ended by NULL. */
extern const struct gg_component *const gg_all_components[];

#endif
