/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Are the option tables themselves right? For the test of the built-in components: what a table gets wrong,
 * every user would read in the schema, in the reference or at a start.
 */
#ifndef GG_CORE_COMPONENTS_CHECK_H
#define GG_CORE_COMPONENTS_CHECK_H

#include "core/config.h"

/*
 * Checks the root's table and every registered component: defaults and bounds can be read, no option is named
 * twice or like one that all of the kind share, what needs a sub-table has one, and the example loads as
 * pasted: a driver's and an uplink's under `drivers:` and `uplinks:`, a stage's under `stages:`, an action's
 * under `do:`. Returns the number of problems added.
 */
size_t gg_components_check(struct gg_problems *problems);

#endif
