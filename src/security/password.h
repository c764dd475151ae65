/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Passwords of devices and people, kept as a memory-hard hash: scrypt (RFC 7914) with N = 2^14, r = 8, p = 5,
 * which takes 16 MiB and a tenth of a second or two. As text: $scrypt$ln=14,r=8,p=5$<salt>$<hash>, both in
 * base64 without padding. Slow on purpose: call from a worker. Thread: any.
 */
#ifndef GG_SECURITY_PASSWORD_H
#define GG_SECURITY_PASSWORD_H

#include "base/error.h"
#include "base/str.h"

enum { GG_PASSWORD_HASH = 128, GG_PASSWORD_MAX = 256 };

/* Errors: -EINVAL empty or longer than GG_PASSWORD_MAX, -ENOMEM, -EIO no randomness. */
int gg_password_hash(struct gg_str password, char to[GG_PASSWORD_HASH]);
/* Does the password belong to the hash? A hash that is none belongs to nothing; takes as long either way. */
bool gg_password_verify(struct gg_str password, struct gg_str hash);

#endif
