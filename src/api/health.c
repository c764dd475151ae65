/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What machines ask about us: is it alive, is it ready to serve, and the numbers. Open to whoever reaches the
 * listener for the first two; the numbers need a role (routes.c says which).
 */
#include "api/handlers.h"
#include "core/metrics.h"
#include "gateway/gateway.h"
#include "store/journal.h"

enum { METRICS_MAX = 32 << 20 };

void gg_api_healthz(struct gg_api_call *c)
{
	gg_http_reply(c->r, 200, "text/plain; charset=utf-8", GG_STR("ok\n"));
}

/* NULL when all is well. */
const char *gg_api_not_ready(void)
{
	struct gg_journal_stats stats = {0};
	if (!gg_gateway.ready)
		return "the gateway is starting or ending\n";
	if (gg_gateway.journal)
		gg_journal_get_stats(gg_gateway.journal, &stats);
	if (stats.state == GG_JOURNAL_FULL)
		return "the disk is full: nothing can be acknowledged\n";
	if (stats.state == GG_JOURNAL_FAILED)
		return "the disk gives errors: nothing can be acknowledged\n";
	return NULL;
}

void gg_api_readyz(struct gg_api_call *c)
{
	const char *why = gg_api_not_ready();
	gg_http_reply(c->r, why ? 503 : 200, "text/plain; charset=utf-8", gg_str(why ? why : "ready\n"));
}

void gg_api_metrics(struct gg_api_call *c)
{
	struct gg_buf text GG_CLEANUP(gg_buf_done) = GG_BUF(METRICS_MAX);
	gg_gateway_measure();
	gg_metrics_write(&text);
	if (text.error)
		gg_http_problem(c->r, 503, "no memory for the metrics");
	else
		gg_http_reply(c->r, 200, "text/plain; version=0.0.4; charset=utf-8", gg_buf_view(&text));
}
