/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors. A function returns 0 or a negative errno; where a human configures or asks, it also fills a
 * struct gg_error with a text that names the place and what was expected. One X-macro lists the kinds an API
 * client or a script may tell apart.
 */
#ifndef GG_ERROR_H
#define GG_ERROR_H

#include "base/base.h"

/*           name            negative errno  HTTP  text */
#define GG_ERRORS(X)                                                                                         \
	X(INVALID, EINVAL, 400, "invalid")                                                                   \
	X(UNAUTHORIZED, EACCES, 401, "unauthorized")                                                         \
	X(FORBIDDEN, EPERM, 403, "forbidden")                                                                \
	X(NOT_FOUND, ENOENT, 404, "not-found")                                                               \
	X(EXISTS, EEXIST, 409, "exists")                                                                     \
	X(CONFLICT, EALREADY, 409, "conflict")                                                               \
	X(STALE, ESTALE, 412, "stale")                                                                       \
	X(TOO_LARGE, E2BIG, 413, "too-large")                                                                \
	X(LIMIT, EDQUOT, 429, "limit")                                                                       \
	X(TIMEOUT, ETIMEDOUT, 504, "timeout")                                                                \
	X(BUSY, EAGAIN, 503, "busy")                                                                         \
	X(NO_SPACE, ENOSPC, 507, "no-space")                                                                 \
	X(NO_MEMORY, ENOMEM, 503, "no-memory")                                                               \
	X(UNSUPPORTED, ENOTSUP, 501, "unsupported")                                                          \
	X(IO, EIO, 500, "io")

enum { GG_ERROR_TEXT = 480 };

struct gg_error {
	int code;              /* negative errno, 0 = none */
	unsigned line, column; /* 1-based place in file, 0 = none */
	char file[128];
	char text[GG_ERROR_TEXT];
};

/* Fills e (may be NULL) and returns code, so that one can write: return gg_error_set(e, -EINVAL, "..."). */
int gg_error_set(struct gg_error *e, int code, const char *format, ...) GG_PRINTF(3, 4);
/* Puts "words: " before the text that is there. */
void gg_error_prefix(struct gg_error *e, const char *format, ...) GG_PRINTF(2, 3);
void gg_error_at(struct gg_error *e, const char *file, unsigned line, unsigned column);
/* "file:line:column: text", as compilers print it. Returns to. */
const char *gg_error_format(const struct gg_error *e, char *to, size_t size);
/* The kind's word ("not-found") and HTTP status for a negative errno; "io" and 500 when it is none of ours.
 */
const char *gg_error_name(int code);
int gg_error_http(int code);

#endif
