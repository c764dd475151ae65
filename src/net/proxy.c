/* SPDX-License-Identifier: Apache-2.0 */
#include "net/proxy.h"

#include "base/bytes.h"

#include <arpa/inet.h>

enum { V1_MAX = 107, V2_HEAD = 16, UNIX_PATHS = 216 };

static const char signature[12] = "\r\n\r\n\0\r\nQUIT\n";

/* What the refusal says of bytes that came: text as it is, else hexadecimal; the first of them. */
static const char *show(struct gg_str got, char *to, size_t size)
{
	enum { MOST = 40, MOST_HEX = 12 };
	struct gg_str text = gg_str_n(got.p, gg_min_size(got.len, MOST));
	struct gg_writer w = gg_writer(to, size - 1);
	bool plain = true;
	for (size_t i = 0; i < text.len; i++)
		plain = plain && text.p[i] >= ' ' && text.p[i] <= '~' && text.p[i] != '"';
	if (plain) {
		gg_write_u8(&w, '"');
		gg_write_bytes(&w, text.p, text.len);
		gg_write_u8(&w, '"');
	}
	for (size_t i = 0; !plain && i < gg_min_size(text.len, MOST_HEX); i++) {
		char hex[3];
		gg_format_hex(hex, text.p + i, 1);
		hex[2] = ' ';
		gg_write_bytes(&w, hex, i + 1 < gg_min_size(text.len, MOST_HEX) ? 3 : 2);
	}
	to[gg_writer_len(&w)] = '\0';
	return to;
}

static int refuse_byte(struct gg_error *e, const char *place, const char *expected, uint8_t got)
{
	return gg_error_set(e, -EPROTO, "version 2, %s: expected %s, got %02x", place, expected, got);
}

static int refuse(struct gg_error *e, const char *place, const char *expected, struct gg_str got)
{
	char text[64];
	return gg_error_set(
		e, -EPROTO, "%s: expected %s, got %s", place, expected, show(got, text, sizeof text));
}

/* ---- version 1: "PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n" ---- */

static int read_ip(
	struct gg_str *line, int family, const char *place, struct gg_address *a, struct gg_error *e)
{
	uint8_t bytes[16];
	struct gg_str text = gg_str_cut(line, ' ');
	bool fits = text.len > 0 && text.len < sizeof a->host;
	if (fits)
		gg_str_copy(a->host, sizeof a->host, text);
	if (fits && inet_pton(family, a->host, bytes) == 1)
		return 0;
	return refuse(e, place, family == AF_INET ? "an address of IPv4" : "an address of IPv6", text);
}

static int read_port(struct gg_str text, const char *place, uint16_t *ret_port, struct gg_error *e)
{
	uint64_t port = 0;
	if (text.len > 5 || gg_parse_uint(text, &port) < 0 || port > UINT16_MAX)
		return refuse(e, place, "a port", text);
	*ret_port = (uint16_t)port;
	return 0;
}

static int read_fields(struct gg_str line, struct gg_proxy_header *h, struct gg_error *e)
{
	struct gg_address other;
	gg_str_cut(&line, ' ');
	struct gg_str family = gg_str_cut(&line, ' ');
	if (gg_str_is(family, "UNKNOWN"))
		return 0;
	int af = gg_str_is(family, "TCP4") ? AF_INET : gg_str_is(family, "TCP6") ? AF_INET6 : AF_UNSPEC;
	if (af == AF_UNSPEC)
		return refuse(e, "version 1, protocol", "TCP4, TCP6 or UNKNOWN", family);
	int rc = read_ip(&line, af, "version 1, address of the client", &h->source, e);
	if (rc == 0)
		rc = read_ip(&line, af, "version 1, address of the server", &other, e);
	if (rc == 0)
		rc = read_port(gg_str_cut(&line, ' '), "version 1, port of the client", &h->source.port, e);
	if (rc == 0)
		rc = read_port(line, "version 1, port of the server", &other.port, e);
	h->carries = rc == 0;
	return rc;
}

static int parse_v1(struct gg_str input, struct gg_proxy_header *ret, struct gg_error *e)
{
	struct gg_proxy_header h = {0};
	size_t end = gg_str_find(input, '\n');
	if (end == input.len && input.len < V1_MAX)
		return -EAGAIN;
	if (end >= V1_MAX)
		return refuse(e, "version 1", "a line of at most 107 bytes", input);
	if (end == 0 || input.p[end - 1] != '\r')
		return refuse(e, "version 1", "CR LF at the end of the line", gg_str_n(input.p, end));
	h.size = end + 1;
	int rc = read_fields(gg_str_n(input.p, end - 1), &h, e);
	if (rc == 0)
		*ret = h;
	return rc;
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

/* Errors: -EPROTO datagrams, or a family that is none. */
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
		return 0;
	default: /* datagrams have no connections */
		return -EPROTO;
	}
	a->port = gg_read_be16(r);
	gg_read_be16(r);
	h->carries = true;
	return 0;
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

static int read_body(struct gg_str bytes, uint8_t family, struct gg_proxy_header *h, struct gg_error *e)
{
	struct gg_reader body = gg_reader(bytes.p, bytes.len);
	if (read_addresses(&body, family, h) < 0)
		return refuse_byte(e, "byte 13 (family)",
			"TCP over IPv4 or IPv6 (11, 21), or a unix stream (31)", family);
	if (body.failed)
		return gg_error_set(e, -EPROTO,
			"version 2, byte 14 (length): %zu bytes are too few for addresses of family %02x",
			bytes.len, family);
	if (family && !extras_fit(&body))
		return gg_error_set(e, -EPROTO,
			"version 2, behind the addresses: a field goes beyond the header's %zu bytes",
			V2_HEAD + bytes.len);
	return 0;
}

static int parse_v2(struct gg_str input, struct gg_proxy_header *ret, struct gg_error *e)
{
	struct gg_proxy_header h = {0};
	struct gg_reader r = gg_reader(input.p, input.len);
	gg_read_bytes(&r, sizeof signature);
	uint8_t command = gg_read_u8(&r), family = gg_read_u8(&r);
	uint16_t len = gg_read_be16(&r);
	if (r.failed)
		return -EAGAIN;
	if (command >> 4 != 2 || (command & 15) > 1)
		return refuse_byte(e, "byte 12 (version and command)", "20 (LOCAL) or 21 (PROXY)", command);
	if (V2_HEAD + len > GG_PROXY_MAX)
		return gg_error_set(e, -EPROTO, "version 2, byte 14 (length): %u bytes are more than %d", len,
			GG_PROXY_MAX - V2_HEAD);
	if (gg_reader_left(&r) < len)
		return -EAGAIN;
	h.size = (size_t)V2_HEAD + len;
	int rc = (command & 15) == 1 ? read_body(gg_str_n(r.p, len), family, &h, e) : 0;
	if (rc == 0)
		*ret = h;
	return rc;
}

int gg_proxy_parse(struct gg_str input, struct gg_proxy_header *ret_header, struct gg_error *e)
{
	size_t n = gg_min_size(input.len, sizeof signature);
	if (input.len == 0)
		return -EAGAIN;
	if (memcmp(input.p, signature, n) == 0)
		return n < sizeof signature ? -EAGAIN : parse_v2(input, ret_header, e);
	n = gg_min_size(input.len, 6);
	if (memcmp(input.p, "PROXY ", n) == 0)
		return n < 6 ? -EAGAIN : parse_v1(input, ret_header, e);
	/* Of what somebody else says no more than shows what it is: secrets may follow. */
	return refuse(
		e, "byte 0", "a header of the PROXY protocol", gg_str_n(input.p, gg_min_size(input.len, 12)));
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
