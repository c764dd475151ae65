/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A self-signed certificate, so that HTTPS works from the first start: P-256, ten years, the machine's name,
 * "localhost" and the loopback addresses in it. Browsers will warn; what is on the network is enciphered all
 * the same. Its key lies sealed in a sealed data folder. A certificate of one's own goes into
 * api.tls.certificate.
 */
#include "api/listen.h"
#include "base/log.h"
#include "store/sealed_file.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#define KEY_NAME "api-key.pem"

enum { DAYS = 3650, KEY_BYTES = 64 << 10 };

static bool add_extension(X509 *x, int nid, const char *text)
{
	X509V3_CTX ctx;
	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, text);
	bool ok = ext && X509_add_ext(x, ext, -1) == 1;
	X509_EXTENSION_free(ext);
	return ok;
}

static bool fill(X509 *x, EVP_PKEY *key, const char *host)
{
	char names[400];
	uint8_t serial[16];
	X509_NAME *name = X509_get_subject_name(x);
	snprintf(names, sizeof names, "DNS:%s,DNS:localhost,IP:127.0.0.1,IP:::1", host);
	if (RAND_bytes(serial, sizeof serial) != 1)
		return false;
	serial[0] &= 0x7f;
	BIGNUM *number = BN_bin2bn(serial, sizeof serial, NULL);
	bool ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x));
	BN_free(number);
	return ok && X509_set_version(x, 2) == 1 && X509_gmtime_adj(X509_getm_notBefore(x), -3600) &&
	       X509_time_adj_ex(X509_getm_notAfter(x), DAYS, 0, NULL) &&
	       X509_NAME_add_entry_by_txt(
		       name, "CN", MBSTRING_UTF8, (const unsigned char *)host, -1, -1, 0) == 1 &&
	       X509_set_issuer_name(x, name) == 1 && X509_set_pubkey(x, key) == 1 &&
	       add_extension(x, NID_subject_alt_name, names) &&
	       add_extension(x, NID_basic_constraints, "critical,CA:FALSE") &&
	       add_extension(x, NID_ext_key_usage, "serverAuth") && X509_sign(x, key, EVP_sha256()) > 0;
}

static FILE *create(const char *path, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
	FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (!f && fd >= 0)
		close(fd);
	return f;
}

static bool key_text(EVP_PKEY *key, struct gg_buf *to)
{
	BIO *bio = BIO_new(BIO_s_secmem());
	char *text = NULL;
	long len = bio && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1
			   ? BIO_get_mem_data(bio, &text)
			   : 0;
	gg_buf_add(to, text, len > 0 ? (size_t)len : 0);
	BIO_free(bio);
	return len > 0 && !to->error;
}

static bool write_files(
	const char *certificate, const char *key_file, X509 *x, EVP_PKEY *key, struct gg_buf *ret_key)
{
	FILE *c = create(certificate, 0644);
	bool ok = c && PEM_write_X509(c, x) == 1;
	if (c)
		ok = fclose(c) == 0 && ok;
	return ok && key_text(key, ret_key) &&
	       gg_sealed_file_write(key_file, KEY_NAME, 0600, gg_buf_view(ret_key)) == 0;
}

/* The key that is there. One that is plain from before is sealed now, where there is a key to do so. */
static int read_key(const char *key_file, struct gg_buf *ret_key, struct gg_error *e)
{
	bool sealed = false;
	int rc = gg_sealed_file_read(key_file, KEY_NAME, KEY_BYTES, ret_key, &sealed);
	if (rc == -ENOKEY || rc == -EKEYREJECTED)
		return gg_error_set(e, rc, "the API's private key %s is sealed%s", key_file,
			rc == -ENOKEY ? ", and there is no key ('encryption')" : " with another key");
	if (rc < 0)
		return gg_error_set(
			e, rc, "the API's private key %s can't be read: %s", key_file, strerror(-rc));
	if (!sealed && gg_sealed_files_are() &&
		gg_sealed_file_write(key_file, KEY_NAME, 0600, gg_buf_view(ret_key)) < 0)
		gg_log(GG_WARN, "api", "the private key could not be sealed, it stays as it is",
			GG_S("file", key_file));
	return 0;
}

int gg_api_certificate_make(
	const char *certificate, const char *key_file, struct gg_buf *ret_key, struct gg_error *e)
{
	char host[64] = "";
	if (access(certificate, R_OK) == 0 && access(key_file, R_OK) == 0)
		return read_key(key_file, ret_key, e);
	if (gethostname(host, sizeof host - 1) < 0 || !host[0])
		gg_str_copy(host, sizeof host, GG_STR("ganglion"));
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	bool ok = key && x && fill(x, key, host) && write_files(certificate, key_file, x, key, ret_key);
	X509_free(x);
	EVP_PKEY_free(key);
	if (!ok) {
		unlink(certificate);
		unlink(key_file);
		return gg_error_set(e, -EIO, "a certificate could not be made in %s", certificate);
	}
	gg_log(GG_INFO, "api", "a self-signed certificate was made", GG_S("file", certificate));
	return 0;
}
