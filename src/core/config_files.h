/* SPDX-License-Identifier: Apache-2.0 */
/* What config.c lends to config_files.c. */
#ifndef GG_CORE_CONFIG_FILES_H
#define GG_CORE_CONFIG_FILES_H

#include "core/config.h"

struct gg_config *gg_config_new(struct gg_problems *problems);
int gg_config_finish_take(struct gg_config *c, const struct gg_value *root, struct gg_problems *problems,
	struct gg_config **ret_config);

#endif
