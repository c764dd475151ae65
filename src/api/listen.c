/* SPDX-License-Identifier: Apache-2.0 */
#include "api/listen.h"
#include "base/log.h"

#include <openssl/crypto.h>

enum { PORT = 8080, PORT_TLS = 8443 };

static struct {
	struct gg_api_listen l;
	struct gg_address plain, secure;
	bool plain_waits, secure_waits; /* for a credential */
	struct gg_http_server *interim; /* on loopback until then */
	struct gg_tls *tls, *fresh_tls; /* fresh: of a configuration that is not in force yet */
} here;

static int open_at(
	struct gg_http_server *server, const struct gg_address *a, struct gg_tls *tls, struct gg_error *e)
{
	struct gg_listener_options o = {.address = *a, .tls = tls};
	struct gg_listener *l;
	char text[300];
	int rc = gg_http_server_listen(server, &o, &l, e);
	if (rc < 0)
		return rc;
	o.address.port = gg_listener_port(l);
	gg_address_format(&o.address, text, sizeof text);
	gg_log(GG_INFO, "api", "listening", GG_S("address", text), GG_S("tls", tls ? "yes" : "no"));
	if (!tls && !gg_address_is_loopback(a))
		gg_log(GG_WARN, "api",
			"tokens and data cross the network in the clear at this address: use api.tls",
			GG_S("address", text));
	return 0;
}

/* Loopback at once; beyond it only when somebody has a credential, until then the same port of loopback. */
static int open_or_wait(
	const struct gg_address *a, struct gg_tls *tls, bool fresh, bool *ret_waits, struct gg_error *e)
{
	struct gg_address loopback = *a;
	if (!fresh || gg_address_is_loopback(a))
		return open_at(here.l.remote, a, tls, e);
	gg_str_copy(loopback.host, sizeof loopback.host, GG_STR("127.0.0.1"));
	*ret_waits = true;
	gg_log(GG_WARN, "api",
		"nobody has logged in yet: listening on loopback only, and at the configured address once a "
		"token was used",
		GG_S("address", a->host), GG_I("port", a->port));
	int rc = here.interim ? 0 : here.l.make(&here.interim);
	return rc < 0 ? gg_error_set(e, rc, "out of memory") : open_at(here.interim, &loopback, tls, e);
}

static int make_tls(const struct gg_site_api_tls *c, struct gg_tls **ret_tls, struct gg_error *e)
{
	char certificate[4200], key[4200];
	struct gg_buf key_text = GG_BUF(128 << 10);
	struct gg_tls_options o = {.certificate = c->certificate,
		.key = c->key,
		.ca = c->client_ca,
		.verify = c->client_ca != NULL,
		.optional = true,
		.alpn = "http/1.1"};
	int rc = 0;
	if (!o.certificate) {
		snprintf(certificate, sizeof certificate, "%s/api-certificate.pem", here.l.data_dir);
		snprintf(key, sizeof key, "%s/api-key.pem", here.l.data_dir);
		rc = gg_api_certificate_make(certificate, key, &key_text, e);
		o.certificate = certificate;
		o.key = key;
		o.key_text = gg_buf_view(&key_text);
	}
	if (rc == 0)
		rc = gg_tls_server_new(&o, ret_tls, e);
	if (key_text.p)
		OPENSSL_cleanse(key_text.p, key_text.cap);
	gg_buf_done(&key_text);
	return rc;
}

static int start_plain(bool fresh, char *address, size_t size, struct gg_error *e)
{
	const char *text = here.l.options->listen;
	if (!text || !text[0])
		return 0;
	int rc = gg_address_parse(gg_str(text), PORT, &here.plain, e);
	if (rc == 0)
		rc = open_or_wait(&here.plain, NULL, fresh, &here.plain_waits, e);
	if (rc < 0)
		gg_error_prefix(e, "api.listen");
	else
		snprintf(address, size, "http://%s:%u/", here.plain_waits ? "127.0.0.1" : here.plain.host,
			here.plain.port);
	return rc;
}

static int start_secure(bool fresh, char *address, size_t size, struct gg_error *e)
{
	const char *text = here.l.options->tls.listen;
	if (!text || !text[0])
		return 0;
	int rc = gg_address_parse(gg_str(text), PORT_TLS, &here.secure, e);
	if (rc == 0)
		rc = make_tls(&here.l.options->tls, &here.tls, e);
	if (rc == 0)
		rc = open_or_wait(&here.secure, here.tls, fresh, &here.secure_waits, e);
	if (rc < 0)
		gg_error_prefix(e, "api.tls");
	else
		snprintf(address, size, "https://%s:%u/", here.secure_waits ? "127.0.0.1" : here.secure.host,
			here.secure.port);
	return rc;
}

int gg_api_listen_start(
	const struct gg_api_listen *l, bool fresh, char *address, size_t size, struct gg_error *e)
{
	here.l = *l;
	address[0] = '\0';
	int rc = gg_api_socket_open(l->loop, l->data_dir, l->local, e);
	if (rc == 0)
		rc = start_plain(fresh, address, size, e);
	if (rc == 0)
		rc = start_secure(fresh, address, size, e);
	return rc;
}

static void open_now(const struct gg_address *a, struct gg_tls *tls, bool *waits)
{
	struct gg_error e = {0};
	if (*waits && open_at(here.l.remote, a, tls, &e) < 0)
		gg_log(GG_ERROR, "api", "the configured address can't be opened, continuing without it",
			GG_S("reason", e.text));
	*waits = false;
}

bool gg_api_listen_waits(void)
{
	return here.plain_waits || here.secure_waits;
}

/* Loopback's port has to be free first; its clients come again. */
static void open_all(void *arg, int64_t number)
{
	(void)arg;
	(void)number;
	if (!gg_api_listen_waits())
		return;
	gg_http_server_close(here.interim);
	here.interim = NULL;
	open_now(&here.plain, NULL, &here.plain_waits);
	open_now(&here.secure, here.tls, &here.secure_waits);
}

void gg_api_listen_open_all(void)
{
	gg_loop_post_sure(here.l.loop, open_all, NULL, 0);
}

int gg_api_listen_prepare(const struct gg_site_api *fresh, struct gg_error *e)
{
	int rc = here.tls ? make_tls(&fresh->tls, &here.fresh_tls, e) : 0;
	if (rc == 0)
		return 0;
	gg_error_prefix(e, "api.tls");
	e->code = -EINVAL; /* that a file is not there is the configuration's mistake */
	return -EINVAL;
}

void gg_api_listen_done(bool applied)
{
	if (here.fresh_tls && applied)
		gg_tls_replace_take(here.tls, here.fresh_tls);
	else
		gg_tls_unref(here.fresh_tls);
	here.fresh_tls = NULL;
}

void gg_api_listen_stop(void)
{
	gg_api_socket_close();
	gg_http_server_close(here.interim);
	gg_tls_unref(here.tls);
	memset(&here, 0, sizeof here);
}
