/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the API is reached: the configured address, TLS beside it, and the unix socket
 * <data_dir>/api.sock, whose peers (our own user, or root) need no token.
 *
 * As long as nobody has shown a credential yet, an address beyond loopback is not opened: the first token
 * would be all that stands between a fresh install and the network. Loopback is opened in its place, and the
 * configured address as soon as a token was used or made. Thread: control.
 */
#ifndef GG_API_LISTEN_H
#define GG_API_LISTEN_H

#include "base/buf.h"
#include "core/site.h"
#include "net/http_server.h"

struct gg_api_listen {
	struct gg_loop *loop;
	const struct gg_site_api *options; /* those of the start */
	const char *data_dir;
	struct gg_http_server *remote, *local;
	/* Another server like remote, for the time until the configured address may be opened. */
	int (*make)(struct gg_http_server **ret_server);
};

/* Opens what may be opened. fresh: nobody has shown a credential. address gets the page's ("http://..."),
 * for people. Errors: those of listening and certificates, with a text. */
int gg_api_listen_start(
	const struct gg_api_listen *l, bool fresh, char *address, size_t size, struct gg_error *e);
bool gg_api_listen_waits(void);
/* A credential was shown: opens what had to wait, after this turn. */
void gg_api_listen_open_all(void);
/* A new configuration: prepares its certificate, then uses it for connections from then on or forgets it. */
int gg_api_listen_prepare(const struct gg_site_api *fresh, struct gg_error *e);
void gg_api_listen_done(bool applied);
void gg_api_listen_stop(void);

/* A self-signed certificate for this machine, made when the files are not there (certificate.c); appends the
 * private key. */
int gg_api_certificate_make(
	const char *certificate, const char *key_file, struct gg_buf *ret_key, struct gg_error *e);
/* The unix socket (local_socket.c). */
int gg_api_socket_open(
	struct gg_loop *loop, const char *data_dir, struct gg_http_server *server, struct gg_error *e);
void gg_api_socket_close(void);

#endif
