/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GG_APP_CHECK_RULES_H
#define GG_APP_CHECK_RULES_H

#include "core/config.h"

/*
 * What option tables can't see: conditions and computations that don't compile, name signals that can't
 * exist, or mix units; stages that can't take the signals their pipeline selects. Signals are known from the
 * configuration as far as it names them (Modbus registers, pipelines' outputs); devices that bring their own
 * names (MQTT, HTTP) may bring any. Adds to problems.
 */
void gg_check_rules(const struct gg_config *config, struct gg_problems *problems);

#endif
