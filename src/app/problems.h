/* SPDX-License-Identifier: Apache-2.0 */
/* Loading a configuration for a command, and telling people what is wrong with it. */
#ifndef GG_APP_PROBLEMS_H
#define GG_APP_PROBLEMS_H

#include "app/cli.h"
#include "core/config.h"

/* Loads path (NULL: the built-in defaults) with all components registered. On failure every problem is
 * printed, as text on stderr or, with --json, as an array on stdout; returns a negative errno. */
int gg_cli_load_config(const struct gg_args *args, const char *path, struct gg_config **ret_config);
void gg_cli_print_problems(const struct gg_args *args, const struct gg_problems *problems);
/* The defaults of a gateway that has no configuration yet. */
extern const char gg_default_config[];

#endif
