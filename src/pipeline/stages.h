/* SPDX-License-Identifier: Apache-2.0 */
/* The built-in stages, for src/app/components.c. */
#ifndef GG_PIPELINE_STAGES_H
#define GG_PIPELINE_STAGES_H

#include "ganglion/component.h"

extern const struct gg_component gg_stage_normalise;
extern const struct gg_component gg_stage_deadband;
extern const struct gg_component gg_stage_change;
extern const struct gg_component gg_stage_range;
extern const struct gg_component gg_stage_rate;
extern const struct gg_component gg_stage_duplicate;
extern const struct gg_component gg_stage_throttle;
extern const struct gg_component gg_stage_window;
extern const struct gg_component gg_stage_detect;
extern const struct gg_component gg_stage_compute;
extern const struct gg_component gg_stage_lua;

#endif
