/* SPDX-License-Identifier: Apache-2.0 */
#include "api/auth.h"
#include "api/tokens.h"
#include "base/clock.h"
#include "base/log.h"
#include "core/metrics.h"
#include "gateway/gateway.h"
#include "security/limiter.h"

#include <strings.h>

static struct gg_limiter limiter;

static struct gg_str peer_of(const struct gg_api_call *c)
{
	const struct gg_stream *s = gg_http_stream(c->r);
	return gg_str(s ? gg_stream_peer(s) : "");
}

bool gg_auth_may_try(struct gg_api_call *c)
{
	return gg_limiter_allows(&limiter, peer_of(c), gg_clock_monotonic(&gg_clock_system));
}

void gg_auth_failed(struct gg_api_call *c)
{
	gg_limiter_failed(&limiter, peer_of(c), gg_clock_monotonic(&gg_clock_system));
	gg_count(gg_metric_counter("api_logins_refused_total", NULL, "Wrong tokens shown to the API"), 1);
	gg_log(GG_WARN, "api", "a wrong token was shown", GG_SV("peer", peer_of(c)));
}

bool gg_method_is_safe(struct gg_str m)
{
	return gg_str_is(m, "GET") || gg_str_is(m, "HEAD") || gg_str_is(m, "OPTIONS");
}

struct gg_str gg_cookie(struct gg_str header, const char *name)
{
	while (header.len) {
		struct gg_str value = gg_str_trim(gg_str_cut(&header, ';'));
		struct gg_str key = gg_str_cut(&value, '=');
		if (gg_str_is(key, name))
			return value;
	}
	return GG_STR("");
}

/*
 * A browser sends the cookie by itself, so a page elsewhere could make it act. SameSite=Strict forbids that;
 * here is the second lock: what changes something must come with a header or a type that another origin's
 * page can't send without asking us first (CORS).
 */
static bool is_from_our_page(const struct gg_api_call *c)
{
	struct gg_str site = gg_http_header(c->r, "sec-fetch-site");
	struct gg_str type = gg_http_header(c->r, "content-type");
	if (gg_method_is_safe(gg_http_method(c->r)))
		return true;
	if (site.len && !gg_str_is(site, "same-origin") && !gg_str_is(site, "none"))
		return false;
	return gg_http_header(c->r, "x-ganglion").len || gg_str_starts(type, GG_STR("application/json"));
}

static void is_token(struct gg_api_call *c, const struct gg_token_entry *t)
{
	const struct gg_token_entry *owner = t->parent[0] ? gg_tokens_find(gg_str(t->parent)) : t;
	c->role = t->role;
	gg_str_copy(c->token, sizeof c->token, gg_str(t->id));
	snprintf(
		c->who, sizeof c->who, "%s (%s)", owner ? owner->title : t->title, owner ? owner->id : t->id);
}

static int by_secret(struct gg_api_call *c, struct gg_str secret, bool guess, struct gg_error *e)
{
	if (!gg_auth_may_try(c))
		return gg_error_set(e, -EDQUOT, "too many wrong tokens from your address: wait a minute");
	const struct gg_token_entry *t = gg_tokens_use(secret, gg_clock_utc(&gg_clock_system));
	if (t) {
		is_token(c, t);
		return 0;
	}
	if (guess)
		gg_auth_failed(c);
	return gg_error_set(e, -EACCES,
		guess ? "the token is not known here, or has expired"
		      : "the session has ended: log in again");
}

int gg_auth(struct gg_api_call *c, struct gg_error *e)
{
	struct gg_str header = gg_http_header(c->r, "authorization");
	struct gg_str cookie = gg_cookie(gg_http_header(c->r, "cookie"), GG_SESSION_COOKIE);
	const struct gg_stream *s = gg_http_stream(c->r);
	const struct gg_token_entry *t;
	if (c->local) {
		c->role = GG_ROLE_ADMINISTRATOR;
		gg_str_copy(c->who, sizeof c->who, GG_STR("local administrator"));
		return 0;
	}
	if (header.len > 7 && strncasecmp(header.p, "bearer ", 7) == 0)
		return by_secret(
			c, gg_str_trim(gg_str_n(header.p + 7, header.len - 7)), /* guess= */ true, e);
	if (cookie.len && !is_from_our_page(c))
		return gg_error_set(e, -EPERM,
			"with a session, what changes something needs the header X-Ganglion or a JSON body");
	/* An old cookie is no guess: a page that slept for a month would lock its whole house out. */
	if (cookie.len)
		return by_secret(c, cookie, /* guess= */ false, e);
	if (s && gg_stream_certificate_name(s)[0]) {
		t = gg_tokens_titled(gg_str(gg_stream_certificate_name(s)));
		if (!t || (t->expires_ns && t->expires_ns <= gg_clock_utc(&gg_clock_system)))
			return gg_error_set(e, -EACCES,
				"no token has the certificate's name \"%s\" as its title",
				gg_stream_certificate_name(s));
		is_token(c, t);
		return 0;
	}
	return gg_error_set(e, -EACCES, "expected a token: Authorization: Bearer ggt_...");
}
