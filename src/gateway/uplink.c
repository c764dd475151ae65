/* SPDX-License-Identifier: Apache-2.0 */
/* Instances of uplinks: the component's life together with the engine that feeds it. */
#include "core/loop.h"
#include "gateway/gateway.h"
#include "uplinks/engine.h"

struct job {
	struct gg_host *host;
	const struct gg_uplink_common *common;
	struct gg_error *error;
	int rc;
};

static void add(void *arg, int64_t number)
{
	struct job *j = arg;
	struct gg_uplink_engine *engine = NULL;
	struct gg_uplink_setup setup = {
		.host = j->host, .component = j->host->component, .self = j->host->self, .common = j->common};
	(void)number;
	j->rc = gg_uplink_add(gg_gateway.engine, &setup, &engine, j->error);
	j->host->engine = engine;
}

int gg_gateway_start_uplink(struct gg_host *h, const struct gg_instance_config *c, struct gg_error *e)
{
	struct job j = {h, c->common, e, 0};
	int rc = gg_instance_start(h, e);
	if (rc < 0)
		return rc;
	gg_loop_call(gg_gateway.north, add, &j, 0);
	if (j.rc < 0)
		gg_instance_end(h);
	return j.rc;
}

static void take_away(void *arg, int64_t number)
{
	struct gg_host *h = arg;
	(void)number;
	gg_uplink_remove(h->engine);
	h->engine = NULL;
}

void gg_gateway_end_uplink(struct gg_host *h)
{
	gg_loop_call(gg_gateway.north, take_away, h, 0);
	gg_instance_end(h);
}

static void change(void *arg, int64_t number)
{
	const struct job *j = arg;
	(void)number;
	gg_uplink_change(j->host->engine, j->common);
}

void gg_gateway_change_uplink(struct gg_host *h, const struct gg_instance_config *c)
{
	struct job j = {h, c->common, NULL, 0};
	gg_loop_call(gg_gateway.north, change, &j, 0);
}
