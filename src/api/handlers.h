/* SPDX-License-Identifier: Apache-2.0 */
/* What routes.c names, and the little that handlers share. Each answers its call, now or later on the control
 * loop. Thread: control. */
#ifndef GG_API_HANDLERS_H
#define GG_API_HANDLERS_H

#include "api/call.h"

struct gg_last;
struct gg_sample;
struct gg_signal_info;

/* ---- health.c, status.c ---- */
void gg_api_healthz(struct gg_api_call *c);
void gg_api_readyz(struct gg_api_call *c);
void gg_api_metrics(struct gg_api_call *c);
const char *gg_api_not_ready(void); /* NULL when all is well */
void gg_api_status(struct gg_api_call *c);
void gg_api_status_json(struct gg_json_writer *w);
void gg_api_whoami(struct gg_api_call *c);
void gg_api_log(struct gg_api_call *c);

/* ---- signals.c, history.c, query.c, live.c ---- */
void gg_api_signals(struct gg_api_call *c);
void gg_api_signal(struct gg_api_call *c);
void gg_api_signal_write(struct gg_api_call *c);
void gg_api_signal_history(struct gg_api_call *c);
void gg_api_query(struct gg_api_call *c);
void gg_api_live(struct gg_api_call *c);
/* The signal that the path names; NULL when it was answered that there is none. */
const struct gg_signal_info *gg_api_signal_of(struct gg_api_call *c);
/* value, time, quality, count: members of an object that is open. */
void gg_api_last_json(struct gg_json_writer *w, const struct gg_last *last);
/* Does the name fit one of the patterns, which have commas between? None: it does. */
bool gg_api_pattern_fits(struct gg_str patterns, struct gg_str name);
/* Ends queries under way. */
void gg_api_cancel_work(void);

/* ---- devices.c, events.c ---- */
void gg_api_devices(struct gg_api_call *c);
void gg_api_device(struct gg_api_call *c);
void gg_api_device_register(struct gg_api_call *c);
void gg_api_device_change(struct gg_api_call *c);
void gg_api_device_remove(struct gg_api_call *c);
void gg_api_events(struct gg_api_call *c);
void gg_api_event(struct gg_api_call *c);
void gg_api_event_acknowledge(struct gg_api_call *c);
void gg_api_event_comment(struct gg_api_call *c);

/* ---- config.c, components.c, parts.c ---- */
void gg_api_config(struct gg_api_call *c);
void gg_api_config_put(struct gg_api_call *c);
void gg_api_config_patch(struct gg_api_call *c);
void gg_api_config_check(struct gg_api_call *c);
void gg_api_schema(struct gg_api_call *c);
void gg_api_revisions(struct gg_api_call *c);
void gg_api_revision(struct gg_api_call *c);
void gg_api_revision_rollback(struct gg_api_call *c);
void gg_api_components(struct gg_api_call *c);
void gg_api_pipelines(struct gg_api_call *c);
void gg_api_drivers(struct gg_api_call *c);
void gg_api_uplinks(struct gg_api_call *c);
void gg_api_uplinks_json(struct gg_json_writer *w);

/* ---- access.c ---- */
void gg_api_tokens(struct gg_api_call *c);
void gg_api_token_make(struct gg_api_call *c);
void gg_api_token_remove(struct gg_api_call *c);
void gg_api_session_begin(struct gg_api_call *c);
void gg_api_session_end(struct gg_api_call *c);

/* ---- page.c, routes.c ---- */
void gg_api_page(struct gg_api_call *c);
void gg_api_openapi(struct gg_api_call *c);

#endif
