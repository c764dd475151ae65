/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both messages of a client, divided by a NUL, where '*' at the end of the second stands for the right proof;
 * then the text as a verifier.
 */
#include "security/scram.h"

#include <assert.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char client_key[GG_SCRAM_KEY + 1] = "the key of a client that is good";

/* The proof behind what the client says, as RFC 5802 §3 has it. */
static struct gg_str with_proof(const struct gg_scram *s, const struct gg_scram_verifier *v,
	struct gg_str text, char to[GG_SCRAM_MESSAGE])
{
	char auth[4 * GG_SCRAM_MESSAGE];
	uint8_t proof[GG_SCRAM_KEY];
	unsigned size = sizeof proof;
	if (text.len == 0 || text.p[text.len - 1] != '*' || text.len > 200)
		return text;
	int n = snprintf(auth, sizeof auth, "%.*s,%.*s", (int)s->len, s->text, (int)text.len - 1, text.p);
	HMAC(EVP_sha256(), v->stored_key, GG_SCRAM_KEY, (const uint8_t *)auth, (size_t)n, proof, &size);
	for (unsigned i = 0; i < GG_SCRAM_KEY; i++)
		proof[i] ^= (uint8_t)client_key[i];
	n = snprintf(to, GG_SCRAM_MESSAGE, "%.*s,p=", (int)text.len - 1, text.p);
	n += EVP_EncodeBlock((uint8_t *)to + n, proof, sizeof proof);
	return gg_str_n(to, (size_t)n);
}

/* What is made reads; once, for it takes its time. */
static void check_making(struct gg_scram_verifier *v)
{
	char text[GG_SCRAM_TEXT], again[GG_SCRAM_TEXT], nonce[GG_SCRAM_NONCE + 1];
	struct gg_scram_verifier made;
	gg_scram_fake(GG_STR("user"), GG_STR("secret"), text);
	gg_scram_fake(GG_STR("user"), GG_STR("secret"), again);
	assert(strcmp(text, again) == 0 && gg_scram_parse(gg_str(text), &made) == 0);
	assert(gg_scram_make(GG_STR("password"), text) == 0 && gg_scram_parse(gg_str(text), &made) == 0);
	assert(gg_scram_make(GG_STR(""), text) < 0);
	assert(gg_scram_nonce(nonce) == 0 && strlen(nonce) == GG_SCRAM_NONCE);
	EVP_Digest(client_key, GG_SCRAM_KEY, v->stored_key, NULL, EVP_sha256(), NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gg_str text = gg_str_n(data, size), first = gg_str_cut(&text, '\0');
	struct gg_scram s;
	static struct gg_scram_verifier v = {.iterations = 4096};
	struct gg_scram_verifier other;
	char out[GG_SCRAM_MESSAGE], proven[GG_SCRAM_MESSAGE];
	size_t len;
	if (!v.stored_key[0] && !v.stored_key[1])
		check_making(&v);
	if (gg_scram_first(&s, first) == 0) {
		assert(s.user[0] && s.nonce_len);
		if (gg_scram_challenge(&s, &v, GG_STR("abcdefgh"), out, &len) == 0) {
			assert(len < sizeof out);
			gg_scram_final(&s, with_proof(&s, &v, text, proven), out, &len);
		}
	}
	gg_scram_parse(gg_str_n(data, size), &other);
	return 0;
}
