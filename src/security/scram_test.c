/* SPDX-License-Identifier: Apache-2.0 */
/* The exchange of RFC 7677 §3, byte by byte, and what must be refused. */
#include "check.h"
#include "security/scram.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#define CLIENT_NONCE "rOprNGfwEbeRWgbNEkqO"
#define SERVER_NONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define FIRST        "n,,n=user,r=" CLIENT_NONCE
#define FINAL        "c=biws,r=" CLIENT_NONCE SERVER_NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="

/* That of the password "pencil" with the RFC's salt and 4096 rounds. */
static void rfc_verifier(struct gg_scram_verifier *v)
{
	uint8_t salted[32], client_key[32];
	unsigned size = 32;
	*v = (struct gg_scram_verifier){.iterations = 4096};
	uint8_t salt[20];
	EVP_DecodeBlock(salt, (const uint8_t *)"W22ZaJ0SNY7soEsUEjb6gQ==", 24);
	memcpy(v->salt, salt, 16);
	PKCS5_PBKDF2_HMAC("pencil", 6, v->salt, 16, 4096, EVP_sha256(), 32, salted);
	HMAC(EVP_sha256(), salted, 32, (const uint8_t *)"Client Key", 10, client_key, &size);
	EVP_Digest(client_key, 32, v->stored_key, NULL, EVP_sha256(), NULL);
	HMAC(EVP_sha256(), salted, 32, (const uint8_t *)"Server Key", 10, v->server_key, &size);
}

static struct gg_scram s;
static char out[GG_SCRAM_MESSAGE];
static size_t len;

static void challenge(const char *first)
{
	struct gg_scram_verifier v;
	rfc_verifier(&v);
	assert_int_equal(gg_scram_first(&s, gg_str(first)), 0);
	assert_int_equal(gg_scram_challenge(&s, &v, GG_STR(SERVER_NONCE), out, &len), 0);
}

static void speaks_the_exchange_of_the_rfc(void **state)
{
	(void)state;
	challenge(FIRST);
	assert_string_equal(s.user, "user");
	check_str(gg_str_n(out, len), "r=" CLIENT_NONCE SERVER_NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
	assert_int_equal(gg_scram_final(&s, GG_STR(FINAL), out, &len), 0);
	check_str(gg_str_n(out, len), "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
	assert_int_equal(gg_scram_final(&s, GG_STR(FINAL), out, &len), -EINVAL); /* once */
}

static void a_wrong_proof_is_no_proof(void **state)
{
	(void)state;
	challenge(FIRST);
	assert_int_equal(gg_scram_final(&s,
				 GG_STR("c=biws,r=" CLIENT_NONCE SERVER_NONCE
					",p=eHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="),
				 out, &len),
		-EACCES);
}

static void what_does_not_fit_what_was_said_is_refused(void **state)
{
	(void)state;
	static const char *const finals[] = {"", "c=biws", "c=eSws,r=" CLIENT_NONCE SERVER_NONCE ",p=",
		"c=biws,r=" CLIENT_NONCE SERVER_NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7And",
		"c=biws,r=" CLIENT_NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
		"c=eSws,r=" CLIENT_NONCE SERVER_NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="};
	for (size_t i = 0; i < GG_COUNT(finals); i++) {
		challenge(FIRST);
		assert_int_equal(gg_scram_final(&s, gg_str(finals[i]), out, &len), -EINVAL);
	}
}

static void reads_names_and_headers(void **state)
{
	(void)state;
	assert_int_equal(gg_scram_first(&s, GG_STR("n,a=a=2Cb=3Dc,n=a=2Cb=3Dc,r=12345678")), 0);
	assert_string_equal(s.user, "a,b=c");
	assert_int_equal(gg_scram_first(&s, GG_STR("y,,n=user,r=12345678,x=later")), 0);
	assert_int_equal(gg_scram_first(&s, GG_STR("p=tls-unique,,n=user,r=12345678")), -ENOTSUP);
	assert_int_equal(gg_scram_first(&s, GG_STR("n,a=other,n=user,r=12345678")), -ENOTSUP);
	static const char *const wrong[] = {"", "n", "n,,", "n,,n=,r=12345678", "n,,n=user",
		"n,,n=user,r=", "n,,n=a=b,r=12345678", "n,,m=x,n=user,r=12345678", "x,,n=user,r=12345678",
		"n,,n=user,r=1234 678", "n,b,n=user,r=12345678"};
	for (size_t i = 0; i < GG_COUNT(wrong); i++)
		assert_int_equal(gg_scram_first(&s, gg_str(wrong[i])), -EINVAL);
}

static void a_verifier_is_kept_as_text(void **state)
{
	(void)state;
	char text[GG_SCRAM_TEXT], other[GG_SCRAM_TEXT];
	struct gg_scram_verifier v;
	assert_int_equal(gg_scram_make(GG_STR("secret"), text), 0);
	assert_int_equal(gg_scram_parse(gg_str(text), &v), 0);
	assert_int_equal(v.iterations, GG_SCRAM_ITERATIONS);
	assert_int_equal(gg_scram_make(GG_STR("secret"), other), 0);
	assert_string_not_equal(text, other);
	assert_int_equal(gg_scram_make(GG_STR(""), text), -EINVAL);
	for (size_t n = 0; n < strlen(other); n++)
		assert_int_equal(gg_scram_parse(gg_str_n(other, n), &v), -EINVAL);
	assert_int_equal(gg_scram_parse(GG_STR("SCRAM-SHA-256$1:x$y:z"), &v), -EINVAL);
}

static void nobody_looks_like_somebody_and_stays_the_same(void **state)
{
	(void)state;
	char one[GG_SCRAM_TEXT], two[GG_SCRAM_TEXT];
	struct gg_scram_verifier v;
	gg_scram_fake(GG_STR("ghost"), GG_STR("key"), one);
	gg_scram_fake(GG_STR("ghost"), GG_STR("key"), two);
	assert_string_equal(one, two);
	assert_int_equal(gg_scram_parse(gg_str(one), &v), 0);
	gg_scram_fake(GG_STR("ghost2"), GG_STR("key"), two);
	assert_string_not_equal(one, two);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(speaks_the_exchange_of_the_rfc),
		cmocka_unit_test(a_wrong_proof_is_no_proof),
		cmocka_unit_test(what_does_not_fit_what_was_said_is_refused),
		cmocka_unit_test(reads_names_and_headers),
		cmocka_unit_test(a_verifier_is_kept_as_text),
		cmocka_unit_test(nobody_looks_like_somebody_and_stays_the_same),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
