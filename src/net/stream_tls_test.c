/* SPDX-License-Identifier: Apache-2.0 */
#include "net/testing.h"

#include <arpa/inet.h>
#include <malloc.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* ---- certificates of our own making, in a folder of our own ---- */

static char folder[64];

struct identity {
	EVP_PKEY *key;
	X509 *cert;
	char cert_path[128], key_path[128];
};

static struct identity authority, stranger, server_id, expired_id, other_name_id, client_id,
	strange_client_id;

static void add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	X509_EXTENSION *x = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(x);
	X509_add_ext(cert, x, -1);
	X509_EXTENSION_free(x);
}

static void make(struct identity *id, const char *name, const char *alt, long from_s, long to_s,
	const struct identity *signer)
{
	static long serial = 1;
	id->key = EVP_EC_gen("P-256");
	id->cert = X509_new();
	X509_set_version(id->cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(id->cert), serial++);
	X509_gmtime_adj(X509_getm_notBefore(id->cert), from_s);
	X509_gmtime_adj(X509_getm_notAfter(id->cert), to_s);
	X509_set_pubkey(id->cert, id->key);
	X509_NAME_add_entry_by_txt(
		X509_get_subject_name(id->cert), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
	const struct identity *by = signer ? signer : id;
	X509_set_issuer_name(id->cert, X509_get_subject_name(by->cert));
	add_extension(id->cert, by->cert, NID_basic_constraints, signer ? "CA:FALSE" : "critical,CA:TRUE");
	if (alt)
		add_extension(id->cert, by->cert, NID_subject_alt_name, alt);
	assert_true(X509_sign(id->cert, by->key, EVP_sha256()) > 0);
	snprintf(id->cert_path, sizeof id->cert_path, "%s/%s.crt", folder, name);
	snprintf(id->key_path, sizeof id->key_path, "%s/%s.key", folder, name);
	FILE *f = fopen(id->cert_path, "w");
	assert_non_null(f);
	PEM_write_X509(f, id->cert);
	fclose(f);
	f = fopen(id->key_path, "w");
	assert_non_null(f);
	PEM_write_PrivateKey(f, id->key, NULL, NULL, 0, NULL, NULL);
	fclose(f);
}

static void done(struct identity *id)
{
	unlink(id->cert_path);
	unlink(id->key_path);
	X509_free(id->cert);
	EVP_PKEY_free(id->key);
}

static int set_up(void **state)
{
	const long day = 86400;
	snprintf(folder, sizeof folder, "/tmp/gg-tls-test-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	make(&authority, "authority", NULL, -day, day, NULL);
	make(&stranger, "stranger", NULL, -day, day, NULL);
	make(&server_id, "server", "DNS:localhost,IP:127.0.0.1", -day, day, &authority);
	make(&expired_id, "expired", "DNS:localhost,IP:127.0.0.1", -day, -1, &authority);
	make(&other_name_id, "other-name", "DNS:elsewhere.example", -day, day, &authority);
	make(&client_id, "press-2", NULL, -day, day, &authority);
	make(&strange_client_id, "press-3", NULL, -day, day, &stranger);
	return loop_up(state);
}

static int tear_down(void **state)
{
	struct identity *all[] = {&authority, &stranger, &server_id, &expired_id, &other_name_id, &client_id,
		&strange_client_id};
	for (size_t i = 0; i < GG_COUNT(all); i++)
		done(all[i]);
	rmdir(folder);
	return loop_down(state);
}

/* ---- a server and a client ---- */

static struct gg_tls *server_tls(const struct identity *id, const char *ca, bool optional)
{
	struct gg_tls *t = NULL;
	struct gg_error e = {0};
	struct gg_tls_options o = {.certificate = id->cert_path,
		.key = id->key_path,
		.ca = ca,
		.verify = ca != NULL,
		.optional = optional,
		.alpn = "mqtt"};
	assert_int_equal(gg_tls_server_new(&o, &t, &e), 0);
	return t;
}

static struct gg_tls *client_tls(const struct identity *id, const char *ca, bool verify)
{
	struct gg_tls *t = NULL;
	struct gg_error e = {0};
	struct gg_tls_options o = {.certificate = id ? id->cert_path : NULL,
		.key = id ? id->key_path : NULL,
		.ca = ca,
		.verify = verify,
		.alpn = "mqtt"};
	assert_int_equal(gg_tls_client_new(&o, &t, &e), 0);
	return t;
}

struct pair {
	struct gg_tls *server_tls, *client_tls;
	struct gg_listener *l;
	struct party server, client;
};

static void pair_up(struct pair *p, struct gg_tls *server, struct gg_tls *client, const char *host)
{
	*p = (struct pair){server, client, NULL, party(), party()};
	p->l = listen_at("127.0.0.1:0", server, &p->server);
	connect_to(p->l, host, client, &p->client);
}

static void pair_done(struct pair *p)
{
	party_done(&p->client);
	if (p->server.s)
		wait_until(p->server.closed);
	party_done(&p->server);
	for (int i = 0; i < 5; i++)
		gg_loop_turn(loop, GG_NS_PER_MS);
	gg_listener_close(p->l);
	gg_tls_unref(p->server_tls);
	gg_tls_unref(p->client_tls);
}

static void echoes_megabytes_over_tls(void **state)
{
	(void)state;
	enum { SIZE = 900000 };
	struct pair p;
	pair_up(&p, server_tls(&server_id, NULL, false), client_tls(NULL, authority.cert_path, true),
		"localhost");
	wait_until(p.client.opened && p.server.opened);
	p.server.echo = true;
	assert_true(gg_stream_is_tls(p.server.s) && gg_stream_is_tls(p.client.s));
	assert_string_equal(gg_stream_certificate_name(p.client.s), "server");
	assert_string_equal(gg_stream_certificate_name(p.server.s), "");
	uint8_t *bytes = malloc(SIZE);
	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = (uint8_t)(i * 7 + (i >> 9));
	assert_int_equal(gg_stream_write(p.client.s, bytes, SIZE), 0);
	wait_until(p.client.got.len == SIZE);
	assert_memory_equal(p.client.got.p, bytes, SIZE);
	free(bytes);
	gg_stream_close(p.client.s, true, "done");
	wait_until(p.server.closed);
	assert_string_equal(p.server.reason, "peer closed");
	assert_int_equal(p.server.status, 0);
	pair_done(&p);
}

static void checks_the_server_by_number_too(void **state)
{
	(void)state;
	struct pair p;
	pair_up(&p, server_tls(&server_id, NULL, false), client_tls(NULL, authority.cert_path, true),
		"127.0.0.1");
	wait_until(p.client.opened && p.server.opened);
	pair_done(&p);
}

static void tells_the_name_of_a_client_certificate(void **state)
{
	(void)state;
	struct pair p;
	pair_up(&p, server_tls(&server_id, authority.cert_path, false),
		client_tls(&client_id, authority.cert_path, true), "localhost");
	wait_until(p.client.opened && p.server.opened);
	assert_string_equal(gg_stream_certificate_name(p.server.s), "press-2");
	pair_done(&p);
	/* optional: one without may come too, and has no name */
	pair_up(&p, server_tls(&server_id, authority.cert_path, true),
		client_tls(NULL, authority.cert_path, true), "localhost");
	wait_until(p.client.opened && p.server.opened);
	assert_string_equal(gg_stream_certificate_name(p.server.s), "");
	pair_done(&p);
}

static void fails_saying(struct gg_tls *server, struct gg_tls *client, const char *host, const char *reason)
{
	struct pair p;
	pair_up(&p, server, client, host);
	wait_until(p.client.closed);
	assert_int_not_equal(p.client.status, 0);
	if (strcmp(p.client.reason, reason) != 0)
		print_message("said: %s\n", p.client.reason);
	assert_string_equal(p.client.reason, reason);
	assert_int_equal(p.client.got.len, 0);
	pair_done(&p);
}

static void says_what_is_wrong_with_a_certificate(void **state)
{
	(void)state;
	const char *ca = authority.cert_path;
	fails_saying(server_tls(&expired_id, NULL, false), client_tls(NULL, ca, true), "localhost",
		"the server's certificate has expired (\"expired\")");
	fails_saying(server_tls(&other_name_id, NULL, false), client_tls(NULL, ca, true), "localhost",
		"the server's certificate (\"other-name\") is for another name than \"localhost\" (see "
		"tls.server_name)");
	fails_saying(server_tls(&other_name_id, NULL, false), client_tls(NULL, ca, true), "127.0.0.1",
		"the server's certificate (\"other-name\") is for another name than \"127.0.0.1\" (see "
		"tls.server_name)");
	fails_saying(server_tls(&server_id, NULL, false), client_tls(NULL, stranger.cert_path, true),
		"localhost",
		"the server's certificate (\"server\") is not signed by an authority we know (unable to get "
		"local "
		"issuer certificate; see tls.ca)");
}

static void takes_any_server_only_when_told_so(void **state)
{
	(void)state;
	struct pair p;
	pair_up(&p, server_tls(&expired_id, NULL, false), client_tls(NULL, NULL, false), "localhost");
	wait_until(p.client.opened && p.server.opened);
	assert_string_equal(gg_stream_certificate_name(p.client.s), "");
	pair_done(&p);
}

static void turns_away_clients_without_a_good_certificate(void **state)
{
	(void)state;
	const char *ca = authority.cert_path;
	struct pair p;
	/* In TLS 1.3 a client learns only afterwards that it is not wanted. */
	pair_up(&p, server_tls(&server_id, ca, false), client_tls(NULL, ca, true), "localhost");
	wait_until(p.client.closed);
	assert_false(p.server.opened);
	assert_string_equal(p.client.reason, "the peer ended TLS with the alert \"certificate required\"");
	pair_done(&p);
	pair_up(&p, server_tls(&server_id, ca, false), client_tls(&strange_client_id, ca, true), "localhost");
	wait_until(p.client.closed);
	assert_false(p.server.opened);
	assert_non_null(strstr(p.client.reason, "unknown ca"));
	pair_done(&p);
}

static int raw_socket(const struct gg_listener *l)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(gg_listener_port(l))};
	inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	return fd;
}

static bool is_closed(int fd)
{
	char byte[64];
	ssize_t n = recv(fd, byte, sizeof byte, MSG_DONTWAIT);
	return n == 0 || (n < 0 && errno != EAGAIN);
}

static void gives_up_a_handshake_that_does_not_come(void **state)
{
	(void)state;
	struct party server = party();
	struct gg_listener_options o = {.address = {.host = "127.0.0.1"},
		.tls = server_tls(&server_id, NULL, false),
		.limits = {.connect_timeout_ns = 50 * GG_NS_PER_MS}};
	struct gg_listener *l = NULL;
	assert_int_equal(gg_listener_open(loop, &o, party_accepted, &server, &l, NULL), 0);
	int fd = raw_socket(l);
	wait_until(is_closed(fd));
	assert_false(server.opened);
	close(fd);
	fd = raw_socket(l);
	assert_int_equal(write(fd, "GET / HTTP/1.1\r\n\r\n", 18), 18);
	wait_until(is_closed(fd));
	close(fd);
	gg_listener_close(l);
	gg_tls_unref(o.tls);
	/* and as a client, of a server that says nothing */
	struct party mute = party(), client = party();
	l = listen_at("127.0.0.1:0", NULL, &mute);
	struct gg_tls *t = client_tls(NULL, NULL, false);
	struct gg_address to = {.host = "127.0.0.1", .port = gg_listener_port(l)};
	struct gg_stream_limits limits = {.connect_timeout_ns = 50 * GG_NS_PER_MS};
	assert_int_equal(
		gg_stream_connect(loop, &to, t, &limits, &party_handler, &client, &client.s, NULL), 0);
	wait_until(client.closed);
	assert_int_equal(client.status, -ETIMEDOUT);
	assert_string_equal(client.reason, "no TLS handshake within 0.05 s");
	gg_listener_close(l);
	gg_tls_unref(t);
	party_done(&client);
	party_done(&mute);
	party_done(&server);
}

static void names_the_file_that_does_not_serve(void **state)
{
	(void)state;
	struct gg_tls *t = NULL;
	struct gg_error e = {0};
	struct gg_tls_options o = {.certificate = "/tmp/none.crt", .key = server_id.key_path};
	assert_int_equal(gg_tls_server_new(&o, &t, &e), -ENOENT);
	assert_string_equal(e.text, "tls.certificate: cannot read /tmp/none.crt: No such file or directory");
	o.certificate = server_id.key_path;
	assert_int_equal(gg_tls_server_new(&o, &t, &e), -EINVAL);
	assert_non_null(strstr(e.text, "is no certificate in PEM form"));
	o.certificate = server_id.cert_path;
	o.key = client_id.key_path;
	assert_int_equal(gg_tls_server_new(&o, &t, &e), -EINVAL);
	assert_non_null(strstr(e.text, "does not belong to the certificate"));
	o.key = NULL;
	assert_int_equal(gg_tls_server_new(&o, &t, &e), -EINVAL);
	assert_string_equal(e.text, "tls: a server needs certificate and key, key is missing");
	o.key = server_id.key_path;
	o.verify = true;
	assert_int_equal(gg_tls_server_new(&o, &t, &e), -EINVAL);
	assert_non_null(strstr(e.text, "tls.ca is missing"));
}

/* ---- what an idle client costs ---- */

enum { IDLE_CLIENTS = 200 };

static int opened_count;

static const struct gg_stream_handler *count_opened(void *arg, struct gg_stream *s, void **ret_arg)
{
	static struct party nobody;
	(void)arg, (void)s;
	nobody.closed = false;
	opened_count++;
	*ret_arg = &nobody;
	static const struct gg_stream_handler handler = {.data = party_data};
	return &handler;
}

/* In another process, so that only the server's side is measured. */
static void many_clients(uint16_t port)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	for (int i = 0; i < IDLE_CLIENTS; i++) {
		struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
		inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		SSL *ssl = SSL_new(ctx);
		if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0 || SSL_set_fd(ssl, fd) != 1 ||
			SSL_connect(ssl) != 1 || SSL_write(ssl, "hello", 5) != 5)
			_exit(1);
	}
	pause();
}

static void an_idle_tls_client_costs_little(void **state)
{
	(void)state;
	struct gg_listener_options o = {
		.address = {.host = "127.0.0.1"}, .tls = server_tls(&server_id, NULL, false)};
	struct gg_listener *l = NULL;
	assert_int_equal(gg_listener_open(loop, &o, count_opened, NULL, &l, NULL), 0);
	pid_t child = fork();
	if (child == 0)
		many_clients(gg_listener_port(l));
	size_t before = mallinfo2().uordblks;
	wait_until(opened_count == IDLE_CLIENTS);
	for (int i = 0; i < 20; i++)
		gg_loop_turn(loop, GG_NS_PER_MS);
	size_t each = (mallinfo2().uordblks - before) / IDLE_CLIENTS;
	print_message("an idle TLS client costs %zu bytes\n", each);
	assert_true(each < 15 << 10);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	for (int i = 0; i < 50; i++)
		gg_loop_turn(loop, GG_NS_PER_MS);
	gg_listener_close(l);
	gg_tls_unref(o.tls);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(echoes_megabytes_over_tls),
		cmocka_unit_test(checks_the_server_by_number_too),
		cmocka_unit_test(tells_the_name_of_a_client_certificate),
		cmocka_unit_test(says_what_is_wrong_with_a_certificate),
		cmocka_unit_test(takes_any_server_only_when_told_so),
		cmocka_unit_test(turns_away_clients_without_a_good_certificate),
		cmocka_unit_test(gives_up_a_handshake_that_does_not_come),
		cmocka_unit_test(names_the_file_that_does_not_serve),
		cmocka_unit_test(an_idle_tls_client_costs_little),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
