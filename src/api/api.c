/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a request to its handler:
 *
 *   header ─▶ route? ─▶ who asks? ─▶ may they? ─▶ (body) ─▶ the same once more ─▶ note what changes ─▶
 * handler 404       401, 429     403
 *
 * Refusals come before the body, so nobody who may not can make us hold one. What passed is asked again when
 * the body is there: a token may have gone in the meantime.
 */
#include "api/api.h"
#include "api/auth.h"
#include "api/handlers.h"
#include "api/listen.h"
#include "api/live.h"
#include "api/pour.h"
#include "api/rates.h"
#include "api/route.h"
#include "api/tokens.h"
#include "base/log.h"
#include "core/loop.h"
#include "gateway/gateway.h"

enum { BODY_MAX = 64 << 10 };

static struct gg_http_server *remote, *local;

/* ---- headers of every answer ---- */

static bool origin_may(struct gg_str origin)
{
	const struct gg_strings *all = &gg_gateway.config->site.api.origins;
	for (size_t i = 0; i < all->count; i++)
		if (gg_str_is(origin, all->items[i]))
			return true;
	return false;
}

static void add_headers(struct gg_http_request *r)
{
	struct gg_str origin = gg_http_header(r, "origin");
	gg_http_add_header(r, "X-Content-Type-Options", GG_STR("nosniff"));
	gg_http_add_header(r, "Referrer-Policy", GG_STR("no-referrer"));
	gg_http_add_header(r, "X-Frame-Options", GG_STR("DENY"));
	gg_http_add_header(r, "Content-Security-Policy",
		GG_STR("default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; "
		       "frame-ancestors 'none'"));
	gg_http_add_header(r, "Cross-Origin-Resource-Policy", GG_STR("same-origin"));
	gg_http_add_header(r, "Cache-Control", GG_STR("no-store"));
	if (origin.len == 0 || !origin_may(origin))
		return;
	gg_http_add_header(r, "Access-Control-Allow-Origin", origin);
	gg_http_add_header(r, "Vary", GG_STR("Origin"));
	if (gg_str_is(gg_http_method(r), "OPTIONS")) {
		gg_http_add_header(
			r, "Access-Control-Allow-Methods", GG_STR("GET, POST, PUT, PATCH, DELETE"));
		gg_http_add_header(r, "Access-Control-Allow-Headers",
			GG_STR("Authorization, Content-Type, If-Match, Last-Event-ID, X-Ganglion"));
		gg_http_add_header(r, "Access-Control-Max-Age", GG_STR("600"));
	}
}

/* ---- the gate ---- */

static bool find_route(struct gg_api_call *c)
{
	char allowed[80];
	struct gg_str parts[GG_CALL_PARTS] = {0}, method = gg_http_method(c->r);
	c->route = gg_route_find(gg_routes, method, gg_http_path(c->r), parts, allowed, sizeof allowed);
	if (!c->route && allowed[0] && gg_str_is(method, "OPTIONS")) {
		gg_http_add_header(c->r, "Allow", gg_str(allowed));
		gg_api_done(c);
		return false;
	}
	if (!c->route && allowed[0]) {
		gg_http_add_header(c->r, "Allow", gg_str(allowed));
		gg_http_problem(c->r, 405, "this path knows %s", allowed);
		return false;
	}
	if (!c->route) {
		gg_api_problem(c, -ENOENT,
			"there is nothing at this path; /api/v1/openapi.json tells what there is");
		return false;
	}
	for (size_t i = 0; i < GG_COUNT(parts); i++) {
		if (parts[i].len && gg_http_decode(c->r, parts[i], /* of_query= */ false, &c->parts[i]) < 0) {
			gg_api_problem(c, -EINVAL, "the path has a wrong escape");
			return false;
		}
	}
	return true;
}

static bool let_in(struct gg_api_call *c)
{
	struct gg_error e = {0};
	int rc = gg_auth(c, &e);
	if (c->route->role == GG_ROLE_NONE)
		return true;
	if (rc == 0 && c->role < c->route->role)
		rc = gg_error_set(&e, -EPERM, "this needs the role %s, and %s has %s",
			gg_role_name(c->route->role), c->who, gg_role_name(c->role));
	if (rc == -EACCES)
		gg_http_add_header(c->r, "WWW-Authenticate", GG_STR("Bearer realm=\"ganglion\""));
	if (rc < 0)
		gg_api_problem_error(c, &e);
	if (rc == 0 && gg_api_listen_waits() && !gg_tokens_fresh())
		gg_api_listen_open_all();
	return rc == 0;
}

/* Everything that changes something is told, and never left out: each line is a place of its own. */
static void audit(const struct gg_api_call *c)
{
	const struct gg_stream *s = gg_http_stream(c->r);
	struct gg_log_place place = {0};
	const struct gg_field fields[] = {GG_S("by", c->who), GG_SV("method", gg_http_method(c->r)),
		GG_SV("path", gg_http_path(c->r)), GG_S("peer", s ? gg_stream_peer(s) : "")};
	if (gg_log_enabled(GG_INFO))
		gg_log_write(
			&place, GG_INFO, "audit", "a call that changes something", fields, GG_COUNT(fields));
}

/* In the request's memory, so that it lives as long. */
static struct gg_api_call *new_call(void *arg, struct gg_http_request *r)
{
	struct gg_api_call *c = GG_NEW(gg_http_arena(r), struct gg_api_call);
	if (!c) {
		gg_http_problem(r, 503, "out of memory");
		return NULL;
	}
	c->r = r;
	c->local = arg == &local;
	return find_route(c) && let_in(c) ? c : NULL;
}

static size_t on_head(void *arg, struct gg_http_request *r)
{
	add_headers(r);
	const struct gg_api_call *c = new_call(arg, r);
	if (!c || !c->route->body)
		return 0;
	return c->route->body_max ? c->route->body_max : BODY_MAX;
}

/* A page of another origin can't send JSON without asking first (CORS); so JSON is what we insist on. */
static bool type_fits(const struct gg_api_call *c)
{
	struct gg_str type = gg_http_header(c->r, "content-type");
	if (!c->route->body || gg_http_body(c->r).len == 0)
		return true;
	bool json = gg_str_starts(type, GG_STR("application/json")) ||
		    gg_str_starts(type, GG_STR("application/merge-patch+json"));
	return json || (c->route->yaml && gg_str_starts(type, GG_STR("application/yaml")));
}

static void on_request(void *arg, struct gg_http_request *r)
{
	struct gg_api_call *c = new_call(arg, r);
	if (!c)
		return;
	if (!type_fits(c)) {
		gg_http_problem(r, 415, "expected Content-Type: application/json%s",
			c->route->yaml ? " or application/yaml" : "");
		return;
	}
	if (!gg_method_is_safe(gg_http_method(r)) && !c->route->reads)
		audit(c);
	c->route->handle(c);
}

/* ---- start and end ---- */

static int make_server(struct gg_http_server **ret_server, const void *arg)
{
	static const struct gg_http_ops ops = {on_head, on_request};
	const struct gg_http_limits limits = {
		.connections = (unsigned)gg_gateway.config->site.api.connections};
	return gg_http_server_new(gg_gateway.control, &limits, &ops, (void *)(uintptr_t)arg, ret_server);
}

static int make_remote(struct gg_http_server **ret_server)
{
	return make_server(ret_server, &remote);
}

static int prepare(const struct gg_config *fresh, struct gg_error *e)
{
	return gg_api_listen_prepare(&fresh->site.api, e);
}

static void done(const struct gg_config *fresh, bool applied)
{
	gg_api_listen_done(applied);
	if (applied) {
		gg_http_server_limit(remote, (unsigned)fresh->site.api.connections);
		gg_http_server_limit(local, (unsigned)fresh->site.api.connections);
	}
}

static const struct gg_gateway_tuner tuner = {prepare, done};

int gg_api_start(const struct gg_site_api *options, struct gg_error *e)
{
	char address[320];
	struct gg_api_listen l = {.loop = gg_gateway.control,
		.options = options,
		.data_dir = gg_gateway.data_dir,
		.make = make_remote};
	if (!options->enabled)
		return 0;
	int rc = gg_tokens_open(gg_gateway.catalog, e);
	if (rc == 0 && (make_remote(&remote) < 0 || make_server(&local, &local) < 0))
		rc = gg_error_set(e, -ENOMEM, "the API: out of memory");
	l.remote = remote;
	l.local = local;
	if (rc == 0)
		rc = gg_live_start(gg_gateway.control);
	if (rc == 0)
		rc = gg_rates_start(gg_gateway.control);
	if (rc == 0)
		rc = gg_api_listen_start(&l, gg_tokens_fresh(), address, sizeof address, e);
	if (rc == 0)
		rc = gg_first_token(gg_gateway.data_dir, address, e);
	if (rc < 0)
		gg_api_stop();
	else
		gg_gateway_tune_with(&tuner);
	return rc;
}

int gg_api_serve_take(int fd)
{
	return gg_http_server_adopt_take(remote, fd);
}

void gg_api_stop(void)
{
	gg_gateway_tune_with(NULL);
	gg_api_cancel_work();
	bool poured = gg_api_pour_stop();
	gg_rates_stop();
	gg_live_stop();
	gg_api_listen_stop();
	gg_http_server_close(remote);
	gg_http_server_close(local);
	if (poured) /* connections that were hung up on are freed in a turn of their loop, and it has ended */
		gg_loop_turn(gg_gateway.control, 0);
	remote = local = NULL;
	gg_tokens_close();
}
