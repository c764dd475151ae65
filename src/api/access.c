/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens and sessions, as people see them. */
#include "api/auth.h"
#include "api/handlers.h"
#include "api/listen.h"
#include "api/tokens.h"
#include "base/clock.h"
#include "gateway/gateway.h"

#include <openssl/crypto.h>

/* ---- tokens ---- */

static void put_token(struct gg_json_writer *w, const struct gg_token_entry *t)
{
	gg_json_put_str(w, "id", gg_str(t->id));
	gg_json_put_str(w, "title", gg_str(t->title));
	gg_json_put_str(w, "role", gg_str(gg_role_name(t->role)));
	gg_json_put_time(w, "created", t->created_ns);
	if (t->expires_ns)
		gg_json_put_time(w, "expires", t->expires_ns);
	if (t->used_ns)
		gg_json_put_time(w, "last_used", t->used_ns);
}

void gg_api_tokens(struct gg_api_call *c)
{
	struct gg_answer a;
	gg_answer_begin(&a);
	gg_json_begin_object(&a.w);
	gg_json_key(&a.w, GG_STR("tokens"));
	gg_json_begin_array(&a.w);
	for (const struct gg_token_entry *t = gg_tokens_first(); t; t = t->next) {
		if (t->parent[0])
			continue;
		gg_json_begin_object(&a.w);
		put_token(&a.w, t);
		gg_json_end_object(&a.w);
	}
	gg_json_end_array(&a.w);
	gg_json_end_object(&a.w);
	gg_answer_send(c, 200, &a);
}

static bool take_expiry(struct gg_api_call *c, const struct gg_in_field *f, int64_t *ret_expires_ns)
{
	int64_t after, now = gg_clock_utc(&gg_clock_system);
	if (!f->given)
		return true;
	if (gg_parse_duration(f->text, &after) == 0 && after > 0 && after < INT64_MAX - now) {
		*ret_expires_ns = now + after;
		return true;
	}
	if (gg_time_parse(f->text, ret_expires_ns) == 0 && *ret_expires_ns > now)
		return true;
	gg_api_problem(c, -EINVAL, "expires: expected a time to come, or how long it may live, like 90d");
	return false;
}

void gg_api_token_make(struct gg_api_call *c)
{
	struct gg_in_field f[] = {{.name = "title", .type = GG_IN_STRING, .required = true},
		{.name = "role", .type = GG_IN_STRING, .required = true},
		{.name = "expires", .type = GG_IN_STRING}};
	char secret[GG_TOKEN_TEXT];
	const struct gg_token_entry *t;
	enum gg_role role;
	int64_t expires_ns = 0;
	struct gg_error e = {0};
	if (!gg_api_body(c, f, GG_COUNT(f)) || !take_expiry(c, &f[2], &expires_ns))
		return;
	if (gg_role_of_name(f[1].text, &role) < 0) {
		gg_api_problem(c, -EINVAL, "role: expected viewer, operator or administrator");
		return;
	}
	if (gg_tokens_make(f[0].text, role, expires_ns, /* parent= */ NULL, secret, &t, &e) < 0) {
		gg_api_problem_error(c, &e);
		return;
	}
	gg_first_token_forget(gg_gateway.data_dir);
	if (gg_api_listen_waits())
		gg_api_listen_open_all();
	struct gg_answer a;
	gg_answer_begin(&a);
	gg_json_begin_object(&a.w);
	put_token(&a.w, t);
	gg_json_put_str(&a.w, "token", gg_str(secret));
	gg_json_end_object(&a.w);
	OPENSSL_cleanse(secret, sizeof secret);
	gg_answer_send(c, 201, &a);
}

void gg_api_token_remove(struct gg_api_call *c)
{
	struct gg_error e = {0};
	const struct gg_token_entry *t = gg_tokens_find(c->parts[0]);
	int rc = t && t->parent[0] ? gg_error_set(&e, -ENOENT, "a session is no token")
				   : gg_tokens_remove(c->parts[0], &e);
	if (rc < 0)
		gg_api_problem_error(c, &e);
	else
		gg_api_done(c);
}

/* ---- sessions ---- */

static void set_cookie(struct gg_api_call *c, const char *value, int64_t seconds)
{
	char cookie[200];
	const struct gg_stream *s = gg_http_stream(c->r);
	int n = snprintf(cookie, sizeof cookie, "%s=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%lld%s",
		GG_SESSION_COOKIE, value, (long long)seconds, s && gg_stream_is_tls(s) ? "; Secure" : "");
	gg_http_add_header(c->r, "Set-Cookie", gg_str_n(cookie, (size_t)n));
	OPENSSL_cleanse(cookie, sizeof cookie);
}

void gg_api_session_begin(struct gg_api_call *c)
{
	struct gg_in_field f = {.name = "token", .type = GG_IN_STRING, .required = true};
	char secret[GG_TOKEN_TEXT];
	const struct gg_token_entry *session;
	struct gg_error e = {0};
	int64_t now = gg_clock_utc(&gg_clock_system);
	if (!gg_auth_may_try(c)) {
		gg_api_problem(c, -EDQUOT, "too many wrong tokens from your address: wait a minute");
		return;
	}
	if (!gg_api_body(c, &f, 1))
		return;
	const struct gg_token_entry *t = gg_tokens_use(gg_str_trim(f.text), now);
	if (!t || t->parent[0]) {
		gg_auth_failed(c);
		gg_api_problem(c, -EACCES, "the token is not known here, or has expired");
		return;
	}
	if (gg_tokens_make(gg_str(t->title), t->role, now + GG_SESSION_NS, t, secret, &session, &e) < 0) {
		gg_api_problem_error(c, &e);
		return;
	}
	if (gg_api_listen_waits())
		gg_api_listen_open_all();
	set_cookie(c, secret, GG_SESSION_NS / GG_NS_PER_S);
	OPENSSL_cleanse(secret, sizeof secret);
	struct gg_answer a;
	gg_answer_begin(&a);
	gg_json_begin_object(&a.w);
	gg_json_put_str(&a.w, "name", gg_str(t->title));
	gg_json_put_str(&a.w, "role", gg_str(gg_role_name(t->role)));
	gg_json_end_object(&a.w);
	gg_answer_send(c, 200, &a);
}

void gg_api_session_end(struct gg_api_call *c)
{
	const struct gg_token_entry *t = gg_tokens_find(gg_str(c->token));
	if (t && t->parent[0])
		gg_tokens_remove(gg_str(t->id), NULL);
	set_cookie(c, "", 0);
	gg_api_done(c);
}
