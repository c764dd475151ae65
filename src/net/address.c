/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses as people write them. A name is kept as it stands and looked up only when somebody connects; so
 * parsing never blocks and `ganglion check` can do it anywhere.
 *
 *   [scheme "://"] (host | "[" ipv6 "]") [":" port] ["/"]      or      "unix:" path
 */
#include "net/stream.h"

#include <arpa/inet.h>

enum { UNIX_PATH_MAX_LEN = 107 }; /* sun_path less its NUL */

static const char expected[] = "expected \"host:port\", \"[ipv6]:port\" or \"unix:/path\"";

static int refuse(struct gg_error *e, struct gg_str text, const char *why)
{
	return gg_error_set(e, -EINVAL, "\"%.*s\" is no address: %s; %s", (int)gg_min_size(text.len, 80),
		text.p, why, expected);
}

/* Control bytes and blanks would end up in logs and, for a proxy or TLS, on the wire. */
static bool is_plain(struct gg_str s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
			return false;
	return true;
}

static int parse_unix(
	struct gg_str path, struct gg_str text, struct gg_address *ret_address, struct gg_error *e)
{
	if (path.len == 0)
		return refuse(e, text, "the path is missing");
	if (path.p[0] != '/')
		return refuse(e, text, "the path of a unix socket begins with \"/\"");
	while (path.len > 1 && path.p[1] == '/') /* the same file, and told from "unix://" when written */
		path = gg_str_n(path.p + 1, path.len - 1);
	if (path.len > UNIX_PATH_MAX_LEN)
		return refuse(e, text, "the path of a unix socket has at most 107 bytes");
	*ret_address = (struct gg_address){.scheme = "unix"};
	gg_str_copy(ret_address->host, sizeof ret_address->host, path);
	return 0;
}

static int take_scheme(struct gg_str *rest, char *to, size_t size)
{
	size_t colon = gg_str_find(*rest, ':');
	to[0] = 0;
	if (rest->len < colon + 3 || memcmp(rest->p + colon, "://", 3) != 0)
		return 0;
	if (colon == 0 || colon >= size)
		return -EINVAL;
	for (size_t i = 0; i < colon; i++) {
		char c = rest->p[i];
		if (!((c >= 'a' && c <= 'z') || (i && ((c >= '0' && c <= '9') || c == '+' || c == '-'))))
			return -EINVAL;
	}
	gg_str_copy(to, size, gg_str_n(rest->p, colon));
	*rest = gg_str_n(rest->p + colon + 3, rest->len - colon - 3);
	return 0;
}

static bool is_ipv6(struct gg_str s)
{
	char text[64];
	struct in6_addr a;
	return gg_str_copy(text, sizeof text, s) < sizeof text && inet_pton(AF_INET6, text, &a) == 1;
}

/* Splits "host:port"; port is empty when none is written. Returns what is wrong, or NULL. */
static const char *split_port(struct gg_str rest, struct gg_str *host, struct gg_str *port)
{
	if (rest.len && rest.p[0] == '[') {
		size_t end = gg_str_find(rest, ']');
		if (end == rest.len)
			return "\"]\" is missing";
		*host = gg_str_n(rest.p + 1, end - 1);
		if (!is_ipv6(*host))
			return "no IPv6 address stands in the brackets";
		rest = gg_str_n(rest.p + end + 1, rest.len - end - 1);
		if (rest.len && rest.p[0] != ':')
			return "\":\" and a port must follow \"]\"";
		*port = gg_str_n(rest.p + (rest.len > 0), rest.len ? rest.len - 1 : 0);
		return rest.len == 1 ? "the port is missing" : NULL;
	}
	if (is_ipv6(rest)) { /* bare, so no port can follow */
		*host = rest;
		*port = gg_str_n("", 0);
		return NULL;
	}
	size_t colon = gg_str_find(rest, ':');
	*host = gg_str_n(rest.p, colon);
	*port = colon < rest.len ? gg_str_n(rest.p + colon + 1, rest.len - colon - 1) : gg_str_n("", 0);
	if (gg_str_find(*port, ':') < port->len)
		return "an IPv6 address with a port needs brackets";
	if (colon < rest.len && port->len == 0)
		return "the port is missing";
	return NULL;
}

int gg_address_parse(
	struct gg_str text, uint16_t default_port, struct gg_address *ret_address, struct gg_error *e)
{
	struct gg_address a = {.port = default_port};
	struct gg_str rest = text, host, port;
	if (!is_plain(text))
		return refuse(e, gg_str(""), "it holds a blank or control byte");
	if (gg_str_starts(rest, GG_STR("unix:")) && !gg_str_starts(rest, GG_STR("unix://")))
		return parse_unix(gg_str_n(rest.p + 5, rest.len - 5), text, ret_address, e);
	if (take_scheme(&rest, a.scheme, sizeof a.scheme) < 0)
		return refuse(e, text, "the word before \"://\" is no scheme");
	if (!strcmp(a.scheme, "unix"))
		return parse_unix(rest, text, ret_address, e);
	if (a.scheme[0] && rest.len && rest.p[rest.len - 1] == '/')
		rest.len--;
	if (gg_str_find(rest, '/') < rest.len)
		return refuse(e, text, "a path does not belong here");
	const char *wrong = split_port(rest, &host, &port);
	if (wrong)
		return refuse(e, text, wrong);
	if (gg_str_is(host, "unix")) /* "unix:1883" is a path */
		return refuse(e, text, "\"unix\" is followed by a path");
	if (host.len == 0)
		return refuse(e, text, "the host is missing (0.0.0.0 stands for every interface)");
	if (gg_str_copy(a.host, sizeof a.host, host) >= sizeof a.host)
		return refuse(e, text, "the host has more than 255 bytes");
	uint64_t number = default_port;
	if (port.len && (gg_parse_uint(port, &number) < 0 || number > UINT16_MAX))
		return refuse(e, text, "the port is no number from 0 to 65535");
	if (!port.len && !default_port)
		return refuse(e, text, "the port is missing");
	a.port = (uint16_t)number;
	*ret_address = a;
	return 0;
}

bool gg_address_is_loopback(const struct gg_address *a)
{
	struct in_addr v4;
	struct in6_addr v6;
	if (!strcmp(a->scheme, "unix") || !strcmp(a->host, "localhost"))
		return true;
	if (inet_pton(AF_INET, a->host, &v4) == 1)
		return (ntohl(v4.s_addr) >> 24) == 127;
	if (inet_pton(AF_INET6, a->host, &v6) == 1)
		return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
	return false;
}

size_t gg_address_format(const struct gg_address *a, char *to, size_t size)
{
	bool v6 = strchr(a->host, ':') != NULL;
	int n;
	if (!strcmp(a->scheme, "unix"))
		n = snprintf(to, size, "unix:%s", a->host);
	else
		n = snprintf(to, size, "%s%s%s%s%s:%u", a->scheme, a->scheme[0] ? "://" : "", v6 ? "[" : "",
			a->host, v6 ? "]" : "", a->port);
	return n < 0 ? 0 : (size_t)n;
}
