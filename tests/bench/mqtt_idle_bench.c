/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Idle MQTT clients over TLS: mqtt_idle_bench HOST:PORT COUNT
 *
 * Connects so many, one after the other, each subscribed to a topic of its own; says "ready" once the last
 * has its SUBACK, and ends with its input. Their keep alive is an hour: they do nothing. The server's
 * certificate is not looked at.
 */
#include "base/str.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

static void die(const char *what)
{
	fprintf(stderr, "mqtt_idle_bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void say(SSL *ssl, const void *bytes, size_t len)
{
	if (SSL_write(ssl, bytes, (int)len) != (int)len)
		die("write");
}

static void expect(SSL *ssl, uint8_t type, size_t len)
{
	uint8_t bytes[16];
	size_t have = 0;
	while (have < len) {
		int n = SSL_read(ssl, bytes + have, (int)(len - have));
		if (n <= 0)
			die("read");
		have += (size_t)n;
	}
	if (bytes[0] != type) {
		fprintf(stderr, "mqtt_idle_bench: answer %02x and not %02x\n", bytes[0], type);
		exit(1);
	}
}

/* CONNECT (3.1.1, clean session, keep alive of an hour) and SUBSCRIBE. */
static void greet(SSL *ssl, unsigned number)
{
	uint8_t packet[64];
	char id[16];
	size_t n = (size_t)snprintf(id, sizeof id, "idle-%05u", number);
	memcpy(packet, "\x10\x16\x00\x04MQTT\x04\x02\x0e\x10\x00\x0a", 14);
	memcpy(packet + 14, id, n);
	say(ssl, packet, 14 + n);
	expect(ssl, 0x20, 4);
	memcpy(packet, "\x82\x0f\x00\x01\x00\x0a", 6);
	memcpy(packet + 6, id, n);
	packet[6 + n] = 1;
	say(ssl, packet, 7 + n);
	expect(ssl, 0x90, 5);
}

static SSL *connect_one(SSL_CTX *ctx, const struct sockaddr_in *to)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)to, sizeof *to) < 0)
		die("connect");
	int one = 1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	SSL *ssl = SSL_new(ctx);
	if (!ssl || SSL_set_fd(ssl, fd) != 1 || SSL_connect(ssl) != 1)
		die("TLS");
	return ssl;
}

int main(int argc, char **argv)
{
	if (argc < 3 || !strchr(argv[1], ':')) {
		fprintf(stderr, "usage: mqtt_idle_bench HOST:PORT COUNT\n");
		return 2;
	}
	struct gg_str rest = gg_str(argv[1]), host = gg_str_cut(&rest, ':');
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)strtoul(rest.p, NULL, 10))};
	char text[64];
	gg_str_copy(text, sizeof text, host);
	inet_pton(AF_INET, text, &to.sin_addr);
	unsigned count = (unsigned)strtoul(argv[2], NULL, 10);
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	if (!ctx)
		die("TLS");
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	for (unsigned i = 0; i < count; i++)
		greet(connect_one(ctx, &to), i);
	printf("ready\n");
	fflush(stdout);
	char end;
	while (read(0, &end, 1) > 0)
		;
	return 0;
}
