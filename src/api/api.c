/* SPDX-License-Identifier: Apache-2.0 */
#include "api/api.h"
#include "api/handlers.h"
#include "base/log.h"
#include "core/loop.h"
#include "gateway/gateway.h"

static struct gg_http_server *server;

static void on_request(void *arg, struct gg_http_request *r)
{
	struct gg_call c = {.r = r};
	struct gg_str path = gg_http_path(r);
	(void)arg;
	if (gg_str_is(path, "/healthz"))
		gg_api_healthz(&c);
	else if (gg_str_is(path, "/readyz"))
		gg_api_readyz(&c);
	else if (gg_str_is(path, "/metrics"))
		gg_api_metrics(&c);
	else
		gg_http_problem(r, 404, "there is nothing at this path");
}

static int listen_at(const char *text, struct gg_error *e)
{
	struct gg_listener_options o = {0};
	struct gg_listener *l;
	int rc = gg_address_parse(gg_str(text), 8080, &o.address, e);
	if (rc == 0)
		rc = gg_http_server_listen(server, &o, &l, e);
	if (rc < 0)
		gg_error_prefix(e, "api.listen: ");
	return rc;
}

int gg_api_start(const struct gg_site_api *options, struct gg_error *e)
{
	static const struct gg_http_ops ops = {.request = on_request};
	const struct gg_http_limits limits = {.connections = (unsigned)options->connections};
	if (!options->enabled)
		return 0;
	int rc = gg_http_server_new(gg_gateway.control, &limits, &ops, NULL, &server);
	if (rc < 0)
		return gg_error_set(e, rc, "the API: out of memory");
	if (options->listen && options->listen[0])
		rc = listen_at(options->listen, e);
	if (rc < 0)
		gg_api_stop();
	return rc;
}

void gg_api_stop(void)
{
	gg_http_server_close(server);
	server = NULL;
}
