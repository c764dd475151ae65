/* SPDX-License-Identifier: Apache-2.0 */
/* Every component there is. A new one is entered here, and nowhere else. */
#include "app/components.h"

#define COMPONENTS(X)                                                                                        \
	/* south */                                                                                          \
	X(driver_mqtt)                                                                                       \
	X(driver_modbus)                                                                                     \
	X(driver_http)                                                                                       \
	X(driver_replay)                                                                                     \
	X(driver_host)                                                                                       \
	/* steps of a pipeline */                                                                            \
	X(stage_normalise)                                                                                   \
	X(stage_deadband)                                                                                    \
	X(stage_change)                                                                                      \
	X(stage_range)                                                                                       \
	X(stage_rate)                                                                                        \
	X(stage_duplicate)                                                                                   \
	X(stage_throttle)                                                                                    \
	X(stage_window)                                                                                      \
	X(stage_compute)                                                                                     \
	X(stage_lua)                                                                                         \
	X(stage_detect)                                                                                      \
	/* what rules do */                                                                                  \
	X(action_write)                                                                                      \
	X(action_publish)                                                                                    \
	X(action_webhook)                                                                                    \
	X(action_file)                                                                                       \
	X(action_lua)                                                                                        \
	/* north */                                                                                          \
	X(uplink_mqtt)                                                                                       \
	X(uplink_file)

#define DECLARE(name) extern const struct gg_component gg_##name;
COMPONENTS(DECLARE)

#define ROW(name) &gg_##name,
const struct gg_component *const gg_all_components[] = {COMPONENTS(ROW) NULL};
