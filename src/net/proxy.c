/* SPDX-License-Identifier: Apache-2.0 */
#include "net/proxy.h"

#include "base/bytes.h"

#include <arpa/inet.h>

enum { V1_MAX = 107, V2_HEAD = 16, UNIX_PATHS = 216 };

static const char signature[12] = "\r\n\r\n\0\r\nQUIT\n";

/* ---- version 1: "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n" ---- */

static bool read_ip(struct gg_str text, int family, char *to, size_t size)
{
	uint8_t bytes[16];
	if (text.len == 0 || text.len >= size)
		return false;
	gg_str_copy(to, size, text);
	return inet_pton(family, to, bytes) == 1;
}

static bool read_port(struct gg_str text, uint16_t *ret_port)
{
	uint64_t port = 0;
	if (text.len > 5 || gg_parse_uint(text, &port) < 0 || port > UINT16_MAX)
		return false;
	*ret_port = (uint16_t)port;
	return true;
}

static int parse_v1(struct gg_str input, struct gg_proxy_header *ret)
{
	struct gg_proxy_header h = {0};
	size_t end = gg_str_find(input, '\n');
	char other[64];
	uint16_t other_port;
	if (end == input.len)
		return input.len >= V1_MAX ? -EPROTO : -EAGAIN;
	if (end >= V1_MAX || end == 0 || input.p[end - 1] != '\r')
		return -EPROTO;
	h.size = end + 1;
	struct gg_str line = gg_str_n(input.p, end - 1);
	gg_str_cut(&line, ' ');
	struct gg_str family = gg_str_cut(&line, ' ');
	if (gg_str_is(family, "UNKNOWN")) {
		*ret = h;
		return 0;
	}
	struct gg_str from = gg_str_cut(&line, ' '), to = gg_str_cut(&line, ' '),
		      port = gg_str_cut(&line, ' ');
	int af = gg_str_is(family, "TCP4") ? AF_INET : gg_str_is(family, "TCP6") ? AF_INET6 : AF_UNSPEC;
	if (af == AF_UNSPEC || !read_ip(from, af, h.source.host, sizeof h.source.host) ||
		!read_ip(to, af, other, sizeof other) || !read_port(port, &h.source.port) ||
		!read_port(line, &other_port))
		return -EPROTO;
	h.carries = true;
	*ret = h;
	return 0;
}

/* ---- version 2, binary ---- */

/* An IPv4 address in clothes of version 6 is one of version 4, as from a socket of ours. */
static void put_v6(const uint8_t *bytes, struct gg_address *a)
{
	struct in6_addr in;
	memcpy(&in, bytes, sizeof in);
	if (IN6_IS_ADDR_V4MAPPED(&in))
		inet_ntop(AF_INET, bytes + 12, a->host, sizeof a->host);
	else
		inet_ntop(AF_INET6, bytes, a->host, sizeof a->host);
}

static int read_addresses(struct gg_reader *r, uint8_t family, struct gg_proxy_header *h)
{
	struct gg_address *a = &h->source;
	const uint8_t *from;
	switch (family) {
	case 0x00: /* of no family we know: not for us to use */
		return 0;
	case 0x11:
		from = gg_read_bytes(r, 4);
		gg_read_bytes(r, 4);
		if (from)
			inet_ntop(AF_INET, from, a->host, sizeof a->host);
		break;
	case 0x21:
		from = gg_read_bytes(r, 16);
		gg_read_bytes(r, 16);
		if (from)
			put_v6(from, a);
		break;
	case 0x31:
		gg_read_bytes(r, UNIX_PATHS);
		gg_str_copy(a->scheme, sizeof a->scheme, GG_STR("unix"));
		h->carries = true;
		return r->failed ? -EPROTO : 0;
	default: /* datagrams have no connections */
		return -EPROTO;
	}
	a->port = gg_read_be16(r);
	gg_read_be16(r);
	h->carries = true;
	return r->failed ? -EPROTO : 0;
}

/* What follows the addresses: type, length, value. They are not used, but must be well formed. */
static bool extras_fit(struct gg_reader *r)
{
	while (gg_reader_left(r)) {
		gg_read_u8(r);
		gg_read_bytes(r, gg_read_be16(r));
	}
	return !r->failed;
}

static int parse_v2(struct gg_str input, struct gg_proxy_header *ret)
{
	struct gg_proxy_header h = {0};
	struct gg_reader r = gg_reader(input.p, input.len);
	gg_read_bytes(&r, sizeof signature);
	uint8_t command = gg_read_u8(&r), family = gg_read_u8(&r);
	uint16_t len = gg_read_be16(&r);
	if (r.failed)
		return -EAGAIN;
	if (command >> 4 != 2 || (command & 15) > 1 || V2_HEAD + len > GG_PROXY_MAX)
		return -EPROTO;
	if (gg_reader_left(&r) < len)
		return -EAGAIN;
	h.size = (size_t)V2_HEAD + len;
	struct gg_reader body = gg_reader(r.p, len);
	if ((command & 15) == 1) {
		int rc = read_addresses(&body, family, &h);
		if (rc < 0)
			return rc;
		if (family && !extras_fit(&body))
			return -EPROTO;
	}
	*ret = h;
	return 0;
}

int gg_proxy_parse(struct gg_str input, struct gg_proxy_header *ret_header)
{
	size_t n = gg_min_size(input.len, sizeof signature);
	if (input.len == 0)
		return -EAGAIN;
	if (memcmp(input.p, signature, n) == 0)
		return n < sizeof signature ? -EAGAIN : parse_v2(input, ret_header);
	n = gg_min_size(input.len, 6);
	if (memcmp(input.p, "PROXY ", n) == 0)
		return n < 6 ? -EAGAIN : parse_v1(input, ret_header);
	return -EPROTO;
}

/* ---- networks ---- */

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

static bool to_bytes(const char *text, uint8_t to[16])
{
	memcpy(to, mapped, sizeof mapped);
	return inet_pton(AF_INET, text, to + 12) == 1 || inet_pton(AF_INET6, text, to) == 1;
}

int gg_network_parse(struct gg_str text, struct gg_network *ret_network, struct gg_error *e)
{
	struct gg_network n = {.bits = 128};
	struct gg_str whole = text, address = gg_str_cut(&text, '/');
	char host[64];
	uint64_t bits = 0;
	gg_str_copy(host, sizeof host, address);
	n.unix_socket = gg_str_is(whole, "unix");
	if (n.unix_socket) {
		*ret_network = n;
		return 0;
	}
	bool v4 = !memchr(address.p, ':', address.len), has_bits = address.len < whole.len;
	if (address.len >= sizeof host || !to_bytes(host, n.address) ||
		(has_bits && (gg_parse_uint(text, &bits) < 0 || bits > (v4 ? 32 : 128))))
		return gg_error_set(e, -EINVAL,
			"\"%.*s\": expected an address or network in numbers, such as 10.0.0.5, 10.0.0.0/8 "
			"or "
			"fd00::/8, or unix",
			(int)gg_min_size(whole.len, 100), whole.p);
	if (has_bits)
		n.bits = (uint8_t)(bits + (v4 ? 96 : 0));
	*ret_network = n;
	return 0;
}

static bool covers(const struct gg_network *n, const uint8_t address[16])
{
	unsigned whole = n->bits / 8, rest = n->bits % 8;
	if (memcmp(n->address, address, whole) != 0)
		return false;
	return rest == 0 || ((n->address[whole] ^ address[whole]) >> (8 - rest)) == 0;
}

bool gg_network_has(const struct gg_network *networks, size_t count, const char *peer)
{
	struct gg_address a;
	uint8_t address[16];
	bool is_unix = strcmp(peer, "unix") == 0;
	bool known =
		!is_unix && gg_address_parse(gg_str(peer), 1, &a, NULL) == 0 && to_bytes(a.host, address);
	for (size_t i = 0; i < count; i++)
		if (networks[i].unix_socket ? is_unix : known && covers(&networks[i], address))
			return true;
	return false;
}
