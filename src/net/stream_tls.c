/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TLS layer of a stream: OpenSSL over a BIO of ours that reads and sends through the layer below. So no
 * SIGPIPE can come (the socket is sent to with MSG_NOSIGNAL), no byte is copied through memory BIOs, and an
 * idle connection holds no record buffers (SSL_MODE_RELEASE_BUFFERS).
 *
 * What goes wrong is said as an operator needs it: which check failed and on whose certificate.
 */
#include "net/stream_private.h"
#include "net/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <pthread.h>

struct tls_layer {
	struct gg_layer layer;
	SSL *ssl;
	struct gg_tls *tls;
	char *host;             /* client: what was asked for */
	char *certificate_name; /* of the peer, once verified */
	char *refused;          /* whose certificate did not pass the checks */
	int broken;             /* an error after which OpenSSL must not be called for this connection */
};

static struct tls_layer *of(struct gg_layer *l)
{
	return GG_CONTAINER(l, struct tls_layer, layer);
}

/* ---- the BIO ---- */

static BIO_METHOD *bio_method;
static pthread_once_t bio_once = PTHREAD_ONCE_INIT;

static int bio_result(BIO *bio, ssize_t n, int retry)
{
	BIO_clear_retry_flags(bio);
	if (n >= 0)
		return (int)n;
	if (n == -EAGAIN)
		BIO_set_flags(bio, retry | BIO_FLAGS_SHOULD_RETRY);
	else
		of(BIO_get_data(bio))->broken = (int)n;
	return -1;
}

static int bio_read(BIO *bio, char *to, int size)
{
	return bio_result(bio, gg_below_recv(BIO_get_data(bio), to, (size_t)size), BIO_FLAGS_READ);
}

static int bio_write(BIO *bio, const char *bytes, int len)
{
	return bio_result(bio, gg_below_send(BIO_get_data(bio), bytes, (size_t)len), BIO_FLAGS_WRITE);
}

static long bio_ctrl(BIO *bio, int cmd, long number, void *arg)
{
	(void)bio, (void)number, (void)arg;
	return cmd == BIO_CTRL_FLUSH;
}

static void bio_set_up(void)
{
	OPENSSL_init_ssl(0, NULL);
	bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");
	if (!bio_method)
		return;
	BIO_meth_set_read(bio_method, bio_read);
	BIO_meth_set_write(bio_method, bio_write);
	BIO_meth_set_ctrl(bio_method, bio_ctrl);
}

/* ---- what went wrong ---- */

/* Whole or nothing, so that no NUL or length can make one device's name out of another's. */
static char *common_name(X509 *cert)
{
	X509_NAME *subject = cert ? X509_get_subject_name(cert) : NULL;
	int at = subject ? X509_NAME_get_index_by_NID(subject, NID_commonName, -1) : -1;
	unsigned char *name = NULL;
	char *copy = NULL;
	int len = at < 0 ? -1
			 : ASN1_STRING_to_UTF8(
				   &name, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
	if (len > 0 && !memchr(name, 0, (size_t)len))
		copy = gg_str_dup(gg_str_n(name, (size_t)len));
	OPENSSL_free(name);
	return copy;
}

/* After a failed check OpenSSL forgets the certificate; here it can still be asked. */
int gg_tls_on_verify(int ok, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	BIO *bio = ssl ? SSL_get_rbio(ssl)
		       : NULL; /* knows the layer; app data would cost each connection 96 bytes */
	struct tls_layer *t = bio ? of(BIO_get_data(bio)) : NULL;
	if (ok || !t || t->refused)
		return ok;
	int why = X509_STORE_CTX_get_error(store);
	bool of_time = why == X509_V_ERR_CERT_HAS_EXPIRED || why == X509_V_ERR_CERT_NOT_YET_VALID;
	t->refused = common_name(
		of_time ? X509_STORE_CTX_get_current_cert(store) : X509_STORE_CTX_get0_cert(store));
	return ok;
}

static void say_verify(struct tls_layer *t, long why)
{
	char text[600];
	const char *subject = t->refused ? t->refused : "";
	const char *who = t->tls->server ? "client" : "server";
	switch (why) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
		snprintf(text, sizeof text, "the %s's certificate has expired (\"%s\")", who, subject);
		break;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		snprintf(text, sizeof text,
			"the %s's certificate (\"%s\") is not valid yet; is the clock of this machine right?",
			who, subject);
		break;
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		snprintf(text, sizeof text,
			"the server's certificate (\"%s\") is for another name than \"%s\" (see "
			"tls.server_name)",
			subject, t->host);
		break;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
		snprintf(text, sizeof text,
			"the %s's certificate (\"%s\") is not signed by an authority we know (%s; see "
			"tls.ca)",
			who, subject, X509_verify_cert_error_string(why));
		break;
	default:
		snprintf(text, sizeof text, "the %s's certificate (\"%s\") is refused: %s", who, subject,
			X509_verify_cert_error_string(why));
	}
	gg_stream_set_reason(t->layer.stream, text);
}

static void say_library(struct tls_layer *t)
{
	char text[300], why[200];
	int reason = ERR_GET_REASON(ERR_peek_last_error());
	gg_tls_error_text(why, sizeof why);
	if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
		gg_str_copy(
			text, sizeof text, GG_STR("the client shows no certificate, but one is demanded"));
	else if (reason == SSL_R_HTTP_REQUEST)
		gg_str_copy(text, sizeof text, GG_STR("the peer speaks plain HTTP where TLS is expected"));
	else if (reason == SSL_R_WRONG_VERSION_NUMBER)
		gg_str_copy(text, sizeof text, GG_STR("the peer does not speak TLS"));
	else if (reason >= SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256)
		snprintf(text, sizeof text, "the peer ended TLS with the alert \"%s\"",
			strstr(why, "alert ") ? strstr(why, "alert ") + 6 : why);
	else
		snprintf(text, sizeof text, "TLS error: %s", why);
	gg_stream_set_reason(t->layer.stream, text);
}

/* Turns what OpenSSL returned into a count, 0 = end, -EAGAIN or an error with its reason set. */
static ssize_t result(struct tls_layer *t, int n)
{
	if (n > 0)
		return n;
	switch (SSL_get_error(t->ssl, n)) {
	case SSL_ERROR_WANT_READ:
		t->layer.wants = EPOLLIN;
		return -EAGAIN;
	case SSL_ERROR_WANT_WRITE:
		t->layer.wants = EPOLLOUT;
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_SYSCALL:
		if (!t->broken && !ERR_peek_error())
			return 0;
		t->broken = t->broken ? t->broken : -EIO;
		ERR_clear_error();
		return t->broken;
	default:
		if (!t->broken)
			say_library(t);
		t->broken = t->broken ? t->broken : -EPROTO;
		ERR_clear_error();
		return t->broken;
	}
}

/* ---- the layer ---- */

static void note_certificate(struct tls_layer *t)
{
	if (!t->tls->verify || SSL_get_verify_result(t->ssl) != X509_V_OK)
		return;
	X509 *cert = SSL_get1_peer_certificate(t->ssl);
	t->certificate_name = common_name(cert);
	X509_free(cert);
}

/* Setting a key's type frees what it held. */
static void wipe_take(EVP_PKEY *key)
{
	EVP_PKEY_set_type(key, EVP_PKEY_X25519);
	EVP_PKEY_free(key);
}

/* OpenSSL keeps both sides' ephemeral keys as long as the connection, though they have done their work when
 * its secrets are made: 430 bytes each connection, and what would decrypt it if the memory were ever read. */
static void forget_ephemeral(struct tls_layer *t)
{
	EVP_PKEY *key = NULL;
	if (SSL_get_tmp_key(t->ssl, &key) == 1)
		wipe_take(key);
	if (SSL_get_peer_tmp_key(t->ssl, &key) == 1)
		wipe_take(key);
	ERR_clear_error();
}

static int tls_handshake(struct gg_layer *l)
{
	struct tls_layer *t = of(l);
	ERR_clear_error();
	int n = SSL_do_handshake(t->ssl);
	if (n == 1) {
		note_certificate(t);
		forget_ephemeral(t);
		return 0;
	}
	long why = SSL_get_verify_result(t->ssl);
	if (SSL_get_error(t->ssl, n) == SSL_ERROR_SSL && why != X509_V_OK && t->tls->verify) {
		say_verify(t, why);
		t->broken = -EKEYREJECTED;
		ERR_clear_error();
		return t->broken;
	}
	ssize_t rc = result(t, n);
	if (rc == 0) {
		gg_stream_set_reason(l->stream, "the peer closed during the TLS handshake");
		return -ECONNRESET;
	}
	return (int)rc;
}

static ssize_t tls_recv(struct gg_layer *l, void *to, size_t room)
{
	struct tls_layer *t = of(l);
	if (t->broken)
		return t->broken;
	ERR_clear_error();
	return result(t, SSL_read(t->ssl, to, (int)gg_min_size(room, 1 << 30)));
}

static ssize_t tls_send(struct gg_layer *l, const void *bytes, size_t len)
{
	struct tls_layer *t = of(l);
	if (t->broken)
		return t->broken;
	if (len == 0)
		return 0;
	ERR_clear_error();
	ssize_t n = result(t, SSL_write(t->ssl, bytes, (int)gg_min_size(len, 1 << 30)));
	return n == 0 ? -EPIPE : n;
}

static bool tls_pending(const struct gg_layer *l)
{
	const struct tls_layer *t = GG_CONTAINER(l, const struct tls_layer, layer);
	return !t->broken && SSL_pending(t->ssl) > 0;
}

/* An unfinished record that OpenSSL keeps belongs to bytes we still count as queued: nothing more is held. */
static size_t tls_held(const struct gg_layer *l)
{
	(void)l;
	return 0;
}

static void tls_bye(struct gg_layer *l)
{
	struct tls_layer *t = of(l);
	if (!t->broken && SSL_is_init_finished(t->ssl))
		SSL_shutdown(t->ssl);
	ERR_clear_error();
}

/* TLS begins with the connection; laying it upon a running one (STARTTLS) is not wanted anywhere. */
static int tls_inherit(struct gg_layer *l, const void *in, size_t in_len, const void *out, size_t out_len)
{
	(void)l, (void)in, (void)out;
	return in_len || out_len ? -EPROTO : 0;
}

static void tls_free(struct gg_layer *l)
{
	struct tls_layer *t = of(l);
	SSL_free(t->ssl); /* frees the BIO too */
	gg_tls_unref(t->tls);
	free(t->host);
	free(t->certificate_name);
	free(t->refused);
	free(t);
}

const struct gg_layer_ops gg_tls_layer_ops = {
	.handshake = tls_handshake,
	.recv = tls_recv,
	.send = tls_send,
	.pending = tls_pending,
	.held = tls_held,
	.bye = tls_bye,
	.inherit = tls_inherit,
	.free = tls_free,
};

/* The name goes into the greeting (a number may not, RFC 6066 §3) and is checked against the certificate. */
static int set_host(struct tls_layer *t, const char *host)
{
	unsigned char number[16];
	bool numeric = inet_pton(AF_INET, host, number) == 1 || inet_pton(AF_INET6, host, number) == 1;
	t->host = gg_str_dup(gg_str(host));
	if (!t->host || (!numeric && SSL_set_tlsext_host_name(t->ssl, host) != 1))
		return -ENOMEM;
	if (!t->tls->verify)
		return 0;
	X509_VERIFY_PARAM *param = SSL_get0_param(t->ssl);
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	int ok = numeric ? X509_VERIFY_PARAM_set1_ip_asc(param, host)
			 : X509_VERIFY_PARAM_set1_host(param, host, 0);
	return ok == 1 ? 0 : -ENOMEM;
}

int gg_tls_layer_new(struct gg_tls *tls, struct gg_stream *s, const char *host, struct gg_layer **ret_layer)
{
	pthread_once(&bio_once, bio_set_up);
	struct tls_layer *t = calloc(1, sizeof *t);
	if (!t)
		return -ENOMEM;
	t->layer.ops = &gg_tls_layer_ops;
	t->layer.stream = s;
	t->tls = gg_tls_ref(tls);
	t->ssl = SSL_new(tls->ctx);
	BIO *bio = bio_method ? BIO_new(bio_method) : NULL;
	int rc = t->ssl && bio ? 0 : -ENOMEM;
	if (bio) {
		BIO_set_data(bio, &t->layer);
		BIO_set_init(bio, 1);
		if (t->ssl)
			SSL_set_bio(t->ssl, bio, bio);
		else
			BIO_free(bio);
	}
	if (rc == 0 && tls->server)
		SSL_set_accept_state(t->ssl);
	else if (rc == 0)
		SSL_set_connect_state(t->ssl);
	if (rc == 0 && host)
		rc = set_host(t, tls->server_name ? tls->server_name : host);
	if (rc < 0) {
		tls_free(&t->layer);
		return rc;
	}
	*ret_layer = &t->layer;
	return 0;
}

const char *gg_stream_certificate_name(const struct gg_stream *s)
{
	struct gg_layer *l = gg_stream_layer(s, &gg_tls_layer_ops);
	return l && of(l)->certificate_name ? of(l)->certificate_name : "";
}

bool gg_stream_is_tls(const struct gg_stream *s)
{
	return gg_stream_layer(s, &gg_tls_layer_ops) != NULL;
}
