/* SPDX-License-Identifier: Apache-2.0 */
/* What the option tables say, for people and editors: `ganglion config schema` and `reference`. */
#ifndef GG_APP_CONFIG_REFERENCE_H
#define GG_APP_CONFIG_REFERENCE_H

#include "app/cli.h"

int gg_config_schema(const struct gg_args *args);
/* One page to stdout; or with --out DIR every page there is into a folder, with an index. */
int gg_config_reference(const struct gg_args *args);

#endif
