/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A certificate authority for one machine's demo, and one certificate signed by it: P-256, for localhost,
 * 127.0.0.1 and ::1. The authority's key exists only while this runs; when the certificate nears its end both
 * are made anew.
 */
#include "app/demo.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#define DAY 86400L
enum { VALID_DAYS = 820, SPARE_DAYS = 30 };

static bool is_valid(const char *path)
{
	FILE *f = fopen(path, "r");
	X509 *c = f ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;
	time_t soon = time(NULL) + SPARE_DAYS * DAY;
	bool valid = c && X509_cmp_time(X509_get0_notAfter(c), &soon) > 0;
	X509_free(c);
	if (f)
		fclose(f);
	return valid;
}

static bool extend(X509 *c, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509V3_set_ctx(&ctx, issuer, c, NULL, NULL, 0);
	X509_EXTENSION *x = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	bool ok = x && X509_add_ext(c, x, -1) == 1;
	X509_EXTENSION_free(x);
	return ok;
}

static bool set_serial(X509 *c)
{
	uint8_t bytes[16];
	BIGNUM *n = RAND_bytes(bytes, sizeof bytes) == 1 ? BN_bin2bn(bytes, sizeof bytes, NULL) : NULL;
	bool ok = n && BN_clear_bit(n, 127) && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(c));
	BN_free(n);
	return ok;
}

/* A certificate without extensions and signature. issuer NULL: its own. */
static X509 *begin(const char *name, EVP_PKEY *key, X509 *issuer)
{
	X509 *c = X509_new();
	if (!c)
		return NULL;
	X509_NAME *subject = X509_get_subject_name(c);
	bool ok = X509_set_version(c, X509_VERSION_3) == 1 && set_serial(c) &&
		  X509_gmtime_adj(X509_getm_notBefore(c), -DAY) &&
		  X509_gmtime_adj(X509_getm_notAfter(c), VALID_DAYS * DAY) && X509_set_pubkey(c, key) == 1 &&
		  X509_NAME_add_entry_by_txt(
			  subject, "O", MBSTRING_ASC, (const uint8_t *)"Ganglion demo", -1, -1, 0) == 1 &&
		  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const uint8_t *)name, -1, -1, 0) ==
			  1 &&
		  X509_set_issuer_name(c, issuer ? X509_get_subject_name(issuer) : subject) == 1;
	if (!ok) {
		X509_free(c);
		return NULL;
	}
	return c;
}

static X509 *make_authority(EVP_PKEY *key)
{
	X509 *c = begin("authority of this machine's demo", key, NULL);
	if (c && extend(c, c, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
		extend(c, c, NID_key_usage, "critical,keyCertSign") &&
		extend(c, c, NID_subject_key_identifier, "hash") && X509_sign(c, key, EVP_sha256()) > 0)
		return c;
	X509_free(c);
	return NULL;
}

static X509 *make_server(EVP_PKEY *key, X509 *ca, EVP_PKEY *ca_key)
{
	X509 *c = begin("localhost", key, ca);
	if (c && extend(c, ca, NID_basic_constraints, "critical,CA:FALSE") &&
		extend(c, ca, NID_key_usage, "critical,digitalSignature") &&
		extend(c, ca, NID_ext_key_usage, "serverAuth") &&
		extend(c, ca, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1,IP:::1") &&
		extend(c, ca, NID_subject_key_identifier, "hash") &&
		extend(c, ca, NID_authority_key_identifier, "keyid") &&
		X509_sign(c, ca_key, EVP_sha256()) > 0)
		return c;
	X509_free(c);
	return NULL;
}

/* One of the two, as PEM. */
static int write_pem(
	const struct gg_demo *d, const char *name, X509 *certificate, EVP_PKEY *key, struct gg_error *e)
{
	char path[GG_DEMO_PATH], *bytes = NULL;
	BIO *bio = BIO_new(BIO_s_secmem());
	bool ok = bio && (certificate ? PEM_write_bio_X509(bio, certificate)
				      : PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL));
	long len = ok ? BIO_get_mem_data(bio, &bytes) : -1;
	int rc = len < 0 ? gg_error_set(e, -EIO, "%s could not be written as PEM", name)
			 : gg_demo_write(gg_demo_path(d, name, path), certificate ? 0644 : 0600, bytes,
				   (size_t)len, e);
	BIO_free(bio);
	return rc;
}

int gg_demo_tls(const struct gg_demo *d, struct gg_error *e)
{
	char path[GG_DEMO_PATH], key_path[GG_DEMO_PATH], ca_path[GG_DEMO_PATH];
	if (is_valid(gg_demo_path(d, "tls/server.crt", path)) &&
		is_valid(gg_demo_path(d, "tls/ca.crt", ca_path)) &&
		access(gg_demo_path(d, "tls/server.key", key_path), R_OK) == 0)
		return 0;
	EVP_PKEY *ca_key = EVP_EC_gen("P-256"), *key = EVP_EC_gen("P-256");
	X509 *ca = ca_key ? make_authority(ca_key) : NULL;
	X509 *server = ca && key ? make_server(key, ca, ca_key) : NULL;
	int rc = server ? 0
			: gg_error_set(e, -EIO, "the demo's certificate could not be made: %s",
				  ERR_reason_error_string(ERR_peek_last_error()));
	if (rc == 0)
		rc = write_pem(d, "tls/server.key", NULL, key, e);
	if (rc == 0)
		rc = write_pem(d, "tls/server.crt", server, NULL, e);
	if (rc == 0)
		rc = write_pem(d, "tls/ca.crt", ca, NULL, e);
	X509_free(server);
	X509_free(ca);
	EVP_PKEY_free(key);
	EVP_PKEY_free(ca_key);
	return rc;
}
