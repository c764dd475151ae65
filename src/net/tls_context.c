/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS contexts: certificate, key, whom to believe. TLS 1.2 and up, the library's own choice of ciphers; no
 * renegotiation, no compression. Buffers of a connection are given back while it is idle, and sessions are
 * resumed by tickets, so the server keeps nothing of connections that have ended.
 */
#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <sys/stat.h>

const char *gg_tls_error_text(char *to, size_t size)
{
	unsigned long code = ERR_peek_last_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;
	if (reason)
		gg_str_copy(to, size, gg_str(reason));
	else if (code && ERR_SYSTEM_ERROR(code))
		gg_str_copy(to, size, gg_str(strerror(ERR_GET_REASON(code))));
	else
		gg_str_copy(to, size, GG_STR("unknown error"));
	ERR_clear_error();
	return to;
}

static int fail(struct gg_error *e, const char *option, const char *path, const char *expected)
{
	char why[200];
	gg_tls_error_text(why, sizeof why);
	struct stat st;
	if (stat(path, &st) < 0)
		return gg_error_set(e, -ENOENT, "%s: cannot read %s: %s", option, path, strerror(errno));
	return gg_error_set(e, -EINVAL, "%s: %s is no %s (%s)", option, path, expected, why);
}

/* A key with a pass phrase would make the library ask on the terminal. */
static int no_pass_phrase(char *to, int size, int writing, void *arg)
{
	(void)to, (void)size, (void)writing, (void)arg;
	return 0;
}

static bool use_key_text(SSL_CTX *ctx, struct gg_str text)
{
	BIO *bio = BIO_new_mem_buf(text.p, (int)text.len);
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_pass_phrase, NULL) : NULL;
	bool ok = key && SSL_CTX_use_PrivateKey(ctx, key) == 1;
	EVP_PKEY_free(key);
	BIO_free(bio);
	return ok;
}

static bool use_key(SSL_CTX *ctx, const struct gg_tls_options *o)
{
	return o->key_text.len ? use_key_text(ctx, o->key_text)
			       : SSL_CTX_use_PrivateKey_file(ctx, o->key, SSL_FILETYPE_PEM) == 1;
}

static int load_identity(SSL_CTX *ctx, const struct gg_tls_options *o, struct gg_error *e)
{
	if (!o->certificate != !o->key)
		return gg_error_set(e, -EINVAL, "tls: certificate and key belong together, %s is missing",
			o->key ? "certificate" : "key");
	if (!o->certificate)
		return 0;
	SSL_CTX_set_default_passwd_cb(ctx, no_pass_phrase);
	if (SSL_CTX_use_certificate_chain_file(ctx, o->certificate) != 1)
		return fail(e, "tls.certificate", o->certificate, "certificate in PEM form");
	if (!use_key(ctx, o)) {
		if (ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH)
			return gg_error_set(e, -EINVAL, "tls.key: %s does not belong to the certificate %s",
				o->key, o->certificate);
		return fail(e, "tls.key", o->key, "private key in PEM form without a pass phrase");
	}
	return 0;
}

static int load_authorities(SSL_CTX *ctx, const struct gg_tls_options *o, bool server, struct gg_error *e)
{
	struct stat st;
	if (!o->ca)
		return SSL_CTX_set_default_verify_paths(ctx) == 1
			       ? 0
			       : gg_error_set(e, -EIO, "tls: no system CAs");
	bool folder = stat(o->ca, &st) == 0 && S_ISDIR(st.st_mode);
	if (SSL_CTX_load_verify_locations(ctx, folder ? NULL : o->ca, folder ? o->ca : NULL) != 1)
		return fail(e, "tls.ca", o->ca, "certificate in PEM form, nor a folder of such");
	if (server && !folder) /* tell clients which authorities we believe, so that they can choose */
		SSL_CTX_set_client_CA_list(ctx, SSL_load_client_CA_file(o->ca));
	return 0;
}

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
	unsigned in_len, void *arg)
{
	const struct gg_tls *t = arg;
	(void)ssl;
	unsigned char *chosen;
	if (SSL_select_next_proto(&chosen, out_len, t->alpn, t->alpn_len, in, in_len) !=
		OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_NOACK; /* let it go on without: what it speaks will show */
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static int set_alpn(struct gg_tls *t, const char *alpn)
{
	size_t len = alpn ? strlen(alpn) : 0;
	if (len == 0 || len > 255)
		return len ? -EINVAL : 0;
	t->alpn = malloc(len + 1);
	if (!t->alpn)
		return -ENOMEM;
	t->alpn[0] = (unsigned char)len;
	memcpy(t->alpn + 1, alpn, len);
	t->alpn_len = (unsigned)len + 1;
	if (t->server)
		SSL_CTX_set_alpn_select_cb(t->ctx, choose_alpn, t);
	else
		SSL_CTX_set_alpn_protos(t->ctx, t->alpn, t->alpn_len);
	return 0;
}

static void set_up(struct gg_tls *t, const struct gg_tls_options *o)
{
	static const unsigned char id[] = "ganglion";
	SSL_CTX_set_min_proto_version(t->ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(t->ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
					    SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(t->ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
					 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(t->ctx, 1);
	SSL_CTX_set_session_id_context(t->ctx, id, sizeof id - 1);
	int mode = SSL_VERIFY_NONE;
	if (t->verify)
		mode = SSL_VERIFY_PEER | (t->server && !o->optional ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0);
	SSL_CTX_set_verify(t->ctx, mode, gg_tls_on_verify);
}

static int tls_new(const struct gg_tls_options *o, bool server, struct gg_tls **ret_tls, struct gg_error *e)
{
	struct gg_tls *t = calloc(1, sizeof *t);
	if (!t)
		return gg_error_set(e, -ENOMEM, "out of memory");
	t->refs = 1;
	t->server = server;
	t->verify = o->verify;
	t->ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
	int rc = t->ctx ? 0 : gg_error_set(e, -ENOMEM, "out of memory");
	if (rc == 0) {
		set_up(t, o);
		rc = load_identity(t->ctx, o, e);
	}
	if (rc == 0 && o->verify)
		rc = load_authorities(t->ctx, o, server, e);
	if (rc == 0 && set_alpn(t, o->alpn) < 0)
		rc = gg_error_set(e, -ENOMEM, "tls: out of memory");
	if (rc == 0 && o->server_name && !(t->server_name = gg_str_dup(gg_str(o->server_name))))
		rc = gg_error_set(e, -ENOMEM, "out of memory");
	if (rc < 0) {
		gg_tls_unref(t);
		return rc;
	}
	*ret_tls = t;
	return 0;
}

int gg_tls_server_new(const struct gg_tls_options *o, struct gg_tls **ret_tls, struct gg_error *e)
{
	if (!o->certificate || !o->key)
		return gg_error_set(e, -EINVAL, "tls: a server needs certificate and key, %s is missing",
			o->certificate ? "key" : "certificate");
	if (o->verify && !o->ca)
		return gg_error_set(e, -EINVAL,
			"tls.ca is missing: which authority signs the certificates of clients (or verify: "
			"false)");
	return tls_new(o, /* server= */ true, ret_tls, e);
}

int gg_tls_client_new(const struct gg_tls_options *o, struct gg_tls **ret_tls, struct gg_error *e)
{
	return tls_new(o, /* server= */ false, ret_tls, e);
}

struct gg_tls *gg_tls_ref(struct gg_tls *t)
{
	if (t)
		atomic_fetch_add(&t->refs, 1);
	return t;
}

struct gg_tls *gg_tls_unref(struct gg_tls *t)
{
	if (!t || atomic_fetch_sub(&t->refs, 1) != 1)
		return NULL;
	SSL_CTX_free(t->ctx);
	free(t->server_name);
	free(t->alpn);
	free(t);
	return NULL;
}

void gg_tls_replace_take(struct gg_tls *t, struct gg_tls *fresh)
{
	SSL_CTX *old = t->ctx; /* connections that were made with it have a reference of their own */
	t->ctx = fresh->ctx;
	fresh->ctx = old;
	t->verify = fresh->verify;
	if (t->alpn)
		SSL_CTX_set_alpn_select_cb(t->ctx, choose_alpn, t);
	gg_tls_unref(fresh);
}

/* ---- options ---- */

#define IDENTITY                                                                                             \
	GG_OPTION(struct gg_tls_options, certificate, STRING, .flags = GG_FILE,                              \
		.help = "Our certificate, with those between it and the root, in PEM form",                  \
		.example = "/etc/ganglion/tls/gateway.crt"),                                                 \
		GG_OPTION(struct gg_tls_options, key, STRING, .flags = GG_FILE,                              \
			.help = "The private key of our certificate, in PEM form",                           \
			.example = "/etc/ganglion/tls/gateway.key")

const struct gg_option gg_tls_option_table[] = {IDENTITY,
	GG_OPTION(struct gg_tls_options, ca, STRING, .flags = GG_FILE,
		.help = "Authority that must have signed the server's certificate: a PEM file, or a folder; "
			"the "
			"system's by default"),
	GG_OPTION(struct gg_tls_options, verify, BOOL, .def = "true",
		.help = "Check the server's certificate and name; without it anybody on the way can listen "
			"in"),
	GG_OPTION(struct gg_tls_options, server_name, STRING,
		.help = "The name to ask for and to check, in place of the address's host"),
	{0}};

const struct gg_option gg_tls_server_option_table[] = {IDENTITY,
	GG_OPTION(struct gg_tls_options, ca, STRING, .flags = GG_FILE,
		.help = "Authority that must have signed the certificates of clients: a PEM file, or a "
			"folder"),
	GG_OPTION(struct gg_tls_options, verify, BOOL, .def = "false",
		.help = "Demand a certificate of each client, signed by `ca`"),
	GG_OPTION(struct gg_tls_options, optional, BOOL, .def = "false",
		.help = "With verify: a client may also come without a certificate"),
	{0}};
