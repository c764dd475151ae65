/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks: by a token (Authorization: Bearer), a page's session (cookie), a client certificate, or over the
 * unix socket. Thread: control. */
#ifndef GG_API_AUTH_H
#define GG_API_AUTH_H

#include "api/call.h"

#define GG_SESSION_COOKIE "ganglion_session"

/*
 * Fills role, who and token of c. Errors: -EACCES no credential, or a wrong one; -EDQUOT too many wrong ones
 * from there; -EPERM a page from elsewhere tries to act with this page's session. With a text.
 */
int gg_auth(struct gg_api_call *c, struct gg_error *e);
/* The limiter of guesses, for the log-in too. */
bool gg_auth_may_try(struct gg_api_call *c);
void gg_auth_failed(struct gg_api_call *c);
/* The value of a cookie; empty when there is none. */
struct gg_str gg_cookie(struct gg_str header, const char *name);
/* "GET", "HEAD" and "OPTIONS" change nothing. */
bool gg_method_is_safe(struct gg_str method);

#endif
