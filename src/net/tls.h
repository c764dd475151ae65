/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a TLS context, shared by tls_context.c (making it) and stream_tls.c (using it). */
#ifndef GG_NET_TLS_H
#define GG_NET_TLS_H

#include "net/stream.h"

#include <openssl/ssl.h>
#include <stdatomic.h>

struct gg_tls {
	SSL_CTX *ctx;
	_Atomic unsigned refs;
	bool server, verify;
	char *server_name;   /* client: in place of the address's host; NULL = that */
	unsigned char *alpn; /* wire form: a length byte and the name */
	unsigned alpn_len;
};

/* The newest error of OpenSSL in words, and forgets all. */
const char *gg_tls_error_text(char *to, size_t size);

/* The context's verify callback. */
int gg_tls_on_verify(int ok, X509_STORE_CTX *store);

#endif
