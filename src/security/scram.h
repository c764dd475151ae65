/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SCRAM-SHA-256 (RFC 5802 with the hash of RFC 7677), the server's side, without channel binding: a client
 * proves that it knows a password which never travels, and the server that it knows the verifier.
 *
 *   client-first  n,,n=USER,r=NONCE               gg_scram_first()  ─▶ whose verifier is wanted
 *   server-first  r=NONCE+OURS,s=SALT,i=COUNT   ◀─ gg_scram_challenge()
 *   client-final  c=biws,r=...,p=PROOF            gg_scram_final()
 *   server-final  v=SIGNATURE                   ◀─ of the same
 *
 * A verifier as text: SCRAM-SHA-256$32768:<salt>$<StoredKey>:<ServerKey>, in base64. Names and passwords are
 * taken as they are: those in ASCII are what SASLprep (RFC 4013) makes of them; of others the client must
 * send the composed form. The exchange is pure but for the nonce, which the caller brings. Thread: any.
 */
#ifndef GG_SECURITY_SCRAM_H
#define GG_SECURITY_SCRAM_H

#include "base/str.h"

#define GG_SCRAM_NAME "SCRAM-SHA-256"

enum {
	GG_SCRAM_SALT = 16,
	GG_SCRAM_KEY = 32,
	GG_SCRAM_TEXT = 160,        /* a verifier */
	GG_SCRAM_NONCE = 24,        /* characters of ours */
	GG_SCRAM_MESSAGE = 1024,    /* longest message */
	GG_SCRAM_ITERATIONS = 32768 /* of new verifiers */
};

struct gg_scram_verifier {
	uint32_t iterations;
	uint8_t salt[GG_SCRAM_SALT], stored_key[GG_SCRAM_KEY], server_key[GG_SCRAM_KEY];
};

/* Of a password, with a new salt. Takes a tenth of a second: call from a worker. Errors: -EINVAL empty or
 * longer than 256 bytes, -EIO no randomness, -ENOMEM. */
int gg_scram_make(struct gg_str password, char to[GG_SCRAM_TEXT]);
/* Errors: -EINVAL. */
int gg_scram_parse(struct gg_str text, struct gg_scram_verifier *ret_verifier);
/* One that belongs to nobody, the same for the same name and secret: so that an unknown name gets an answer
 * like a known one. */
void gg_scram_fake(struct gg_str name, struct gg_str secret, char to[GG_SCRAM_TEXT]);

/* An exchange. */
struct gg_scram {
	char user[260];
	char header[272]; /* of client-first, which client-final repeats */
	size_t header_len;
	char text[3 *
		  GG_SCRAM_MESSAGE]; /* client-first-bare "," server-first "," client-final-without-proof */
	size_t len;
	size_t nonce_at, nonce_len; /* of both, in text */
	bool challenged;
	struct gg_scram_verifier verifier;
};

/* Reads client-first; s->user says who. Errors: -EINVAL not like one, -ENOTSUP channel binding, or another
 * name to act for. */
int gg_scram_first(struct gg_scram *s, struct gg_str message);
/* Errors: -ENOBUFS. nonce: printable without ','. */
int gg_scram_challenge(struct gg_scram *s, const struct gg_scram_verifier *v, struct gg_str nonce,
	char to[GG_SCRAM_MESSAGE], size_t *ret_len);
/* Errors: -EINVAL not like one, -EACCES the proof is wrong. */
int gg_scram_final(struct gg_scram *s, struct gg_str message, char to[GG_SCRAM_MESSAGE], size_t *ret_len);
/* Fresh, for gg_scram_challenge(). Errors: -EIO. */
int gg_scram_nonce(char to[GG_SCRAM_NONCE + 1]);

#endif
