/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where clients connect: plain and TLS listeners give streams, and ws:// and wss:// ones are HTTP servers
 * whose only page is the upgrade to WebSocket (§6); what comes out of that is a stream like the others.
 */
#include "broker.h"

#include "base/log.h"
#include "net/http_server.h"
#include "net/proxy.h"

struct place {
	struct gg_address address;
	bool secure, websocket;
	struct gg_str path; /* of a WebSocket */
};

static bool is_scheme(const struct gg_address *a, const char *one, const char *other)
{
	return strcmp(a->scheme, one) == 0 || strcmp(a->scheme, other) == 0;
}

/* "ws://host:port/path": the path is cut off before the address is read. */
static struct gg_str cut_path(struct gg_str *text)
{
	size_t from = gg_str_starts(*text, GG_STR("wss://"))  ? 6
		      : gg_str_starts(*text, GG_STR("ws://")) ? 5
							      : 0;
	struct gg_str rest = gg_str_n(text->p + from, text->len - from);
	size_t slash = gg_str_find(rest, '/');
	if (!from || slash == rest.len)
		return GG_STR("/mqtt");
	text->len = from + slash;
	return gg_str_n(rest.p + slash, rest.len - slash);
}

static int parse_place(const struct broker *b, const char *text, struct place *ret, struct gg_error *e)
{
	struct place place = {0};
	struct gg_str address = gg_str(text);
	place.path = cut_path(&address);
	int rc = gg_address_parse(address, 1883, &place.address, e);
	if (rc < 0)
		return rc;
	const struct gg_address *a = &place.address;
	place.websocket = is_scheme(a, "ws", "wss");
	place.secure = is_scheme(a, "tls", "mqtts") || is_scheme(a, "wss", "wss");
	if (!place.secure && !place.websocket && !is_scheme(a, "", "tcp") && !is_scheme(a, "mqtt", "unix"))
		return gg_error_set(e, -EINVAL,
			"listen: \"%s\": expected host:port, tls://host:port, ws://host:port/path, "
			"wss://host:port/path or unix:path",
			text);
	if (place.secure && !b->o.tls.certificate)
		return gg_error_set(e, -EINVAL, "listen: \"%s\" needs tls.certificate and tls.key", text);
	*ret = place;
	return 0;
}

/* ---- proxies ---- */

static bool is_listener(const struct broker *b, const char *text)
{
	for (size_t i = 0; i < b->o.listen.count; i++)
		if (strcmp(b->o.listen.items[i], text) == 0)
			return true;
	return false;
}

static int check_proxies(const struct broker *b, struct gg_error *e)
{
	const struct proxy_option *all = b->o.proxies.items;
	struct gg_network network;
	for (size_t i = 0; i < b->o.proxies.count; i++) {
		if (!is_listener(b, all[i].listen))
			return gg_error_set(e, -EINVAL,
				"proxy_protocol: \"%s\" is not in listen: expected the same words",
				all[i].listen);
		for (size_t k = 0; k < all[i].from.count; k++) {
			int rc = gg_network_parse(gg_str(all[i].from.items[k]), &network, e);
			if (rc < 0) {
				gg_error_prefix(e, "proxy_protocol");
				return rc;
			}
		}
	}
	return 0;
}

static int take_proxies(struct broker *b, const char *text, struct broker_listener *l)
{
	const struct proxy_option *all = b->o.proxies.items;
	for (size_t i = 0; i < b->o.proxies.count; i++) {
		if (strcmp(all[i].listen, text) != 0)
			continue;
		l->proxies = calloc(all[i].from.count + 1, sizeof *l->proxies);
		if (!l->proxies)
			return -ENOMEM;
		for (; l->proxy_count < all[i].from.count; l->proxy_count++)
			gg_network_parse(
				gg_str(all[i].from.items[l->proxy_count]), &l->proxies[l->proxy_count], NULL);
	}
	return 0;
}

int gg_listen_check(const struct broker *b, struct gg_error *e)
{
	struct place place;
	if (b->o.listen.count > BROKER_LISTENERS)
		return gg_error_set(e, -E2BIG, "listen: at most %d addresses", BROKER_LISTENERS);
	for (size_t i = 0; i < b->o.listen.count; i++) {
		int rc = parse_place(b, b->o.listen.items[i], &place, e);
		if (rc < 0)
			return rc;
	}
	return check_proxies(b, e);
}

/* ---- WebSocket ---- */

static void on_request(void *arg, struct gg_http_request *r)
{
	struct broker_listener *l = arg;
	struct gg_stream *s;
	void *connection = NULL;
	if (!gg_str_eq(gg_http_path(r), l->path)) {
		gg_http_problem(r, 404, "MQTT is at %.*s", GG_STR_ARG(l->path));
		return;
	}
	if (gg_http_websocket_take(r, "mqtt", &s) < 0)
		return;
	const struct gg_stream_handler *h = gg_broker_accept(l, s, &connection);
	if (h)
		gg_stream_set_handler(s, h, connection);
	else
		gg_stream_close(s, false, "too many clients");
}

static const struct gg_http_ops http_ops = {.request = on_request};

static int listen_websocket(
	struct broker *b, struct broker_listener *l, const struct gg_listener_options *o, struct gg_error *e)
{
	struct gg_http_limits limits = {
		.connections = (unsigned)b->o.max_clients, .output_bytes = o->limits.output_bytes};
	int rc = gg_http_server_new(b->loop, &limits, &http_ops, l, &l->http);
	if (rc < 0)
		return gg_error_set(e, rc, "out of memory");
	rc = gg_http_server_listen(l->http, o, &l->listener, e);
	if (rc < 0)
		gg_http_server_close(l->http);
	return rc;
}

static int listen_at(struct broker *b, const char *text, struct gg_error *e)
{
	struct broker_listener *l = &b->listeners[b->listener_count];
	struct gg_listener_options o = {.max_streams = (unsigned)b->o.max_clients,
		.accept_rate = (unsigned)b->o.connect_rate,
		.max_per_address = (unsigned)b->o.max_per_address};
	struct place place;
	int rc = parse_place(b, text, &place, e);
	if (rc < 0)
		return rc;
	o.address = place.address;
	o.tls = place.secure ? b->tls : NULL;
	o.limits.input_bytes = gg_max_size(b->o.max_packet + 16, 64 << 10);
	o.limits.output_bytes = gg_max_size(b->o.max_packet * 2, 1 << 20);
	*l = (struct broker_listener){
		.broker = b, .loopback = gg_address_is_loopback(&o.address), .path = place.path};
	if (take_proxies(b, text, l) < 0)
		return gg_error_set(e, -ENOMEM, "out of memory");
	o.proxies = l->proxies;
	o.proxy_count = l->proxy_count;
	rc = place.websocket ? listen_websocket(b, l, &o, e)
			     : gg_listener_open(b->loop, &o, gg_broker_accept, l, &l->listener, e);
	if (rc < 0)
		return rc;
	b->listener_count++;
	gg_log(GG_INFO, b->outside.name, "MQTT server listens", GG_S("address", text),
		GG_I("port", gg_listener_port(l->listener)));
	return 0;
}

int gg_listen_start(struct broker *b, struct gg_error *e)
{
	for (size_t i = 0; i < b->o.listen.count; i++) {
		int rc = listen_at(b, b->o.listen.items[i], e);
		if (rc < 0) {
			gg_listen_close(b);
			return rc;
		}
	}
	return 0;
}

void gg_listen_close(struct broker *b)
{
	for (unsigned i = 0; i < b->listener_count; i++) {
		struct broker_listener *l = &b->listeners[i];
		if (l->http)
			gg_http_server_close(l->http);
		else
			gg_listener_close(l->listener);
	}
	b->listener_count = 0;
}
