/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may connect. A login goes from the driver's loop to the control thread, which owns the registry; a
 * password is then hashed by a worker (it takes a tenth of a second, on purpose). A pair of name and password
 * that was right is remembered as a keyed hash, so that a thousand devices that come back after a network
 * failure cost nothing; any change of the registry forgets them all.
 *
 * With SCRAM the driver runs the exchange. A name that is not known, or has no verifier, is given one that
 * nobody can prove; it is made from the name and a secret of ours, for known names as well, so that neither
 * the answer nor its time tells them apart.
 */
#include "core/signals.h"
#include "core/work.h"
#include "devices/registry.h"
#include "gateway/gateway.h"
#include "security/limiter.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

enum { REMEMBERED = 20000, TOPICS_MAX = 64 << 10 };

struct gg_registry gg_registry;

static struct gg_limiter limiter;
static struct gg_map remembered; /* HMAC of id and password */
static uint8_t key[32];
static bool have_key;

struct login {
	struct gg_host *host;
	void (*granted)(void *arg, const struct gg_grant *g);
	void *arg;
	struct gg_login l;
	struct gg_grant grant;
	char hash[GG_PASSWORD_HASH];
	uint8_t mac[32];
	bool right;
	struct gg_buf topics; /* grant.topics */
	char id[132];         /* grant.id */
	char verifier[GG_SCRAM_TEXT];
	char bytes[];
};

static struct gg_str put(char **at, struct gg_str s)
{
	struct gg_str copy = gg_str_n(*at, s.len);
	gg_str_copy(*at, s.len + 1, s);
	*at += s.len + 1;
	return copy;
}

static void finish(void *arg, int64_t number)
{
	struct login *l = arg;
	(void)number;
	if (gg_gateway_live(l->host))
		l->granted(l->arg, &l->grant);
	gg_buf_done(&l->topics);
	OPENSSL_cleanse(l, sizeof *l);
	free(l);
}

static void answer(struct login *l, int status)
{
	l->grant.status = status;
	if (status == -EACCES) {
		gg_limiter_failed(&limiter, l->l.peer, gg_clock_monotonic(&gg_clock_system));
		gg_log(GG_WARN, l->host->name, "a login was refused", GG_SV("peer", l->l.peer),
			GG_SV("user", l->l.user));
		gg_count(gg_metric_counter(
				 "logins_refused_total", NULL, "Logins of devices that were refused"),
			1);
	}
	OPENSSL_cleanse((void *)(uintptr_t)l->l.secret.p, l->l.secret.len);
	gg_loop_post_sure(l->host->loop, finish, l, 0);
}

/* What `devices:` of the configuration says of it. */
static int grant_configured(struct login *l, const char *id)
{
	const struct gg_many *all = &gg_gateway.config->site.devices;
	const struct gg_site_device *d = all->items;
	for (size_t i = 0; i < all->count; i++, d++) {
		if (strcmp(d->id, id) != 0)
			continue;
		if (!d->enabled)
			return -EACCES;
		l->grant.any_topic = l->grant.any_topic || d->any_topic;
		for (size_t j = 0; j < d->topics.count; j++)
			gg_buf_printf(&l->topics, "%s\n", d->topics.items[j]);
		l->grant.topics = gg_buf_view(&l->topics);
		return l->topics.error;
	}
	return 0;
}

static int grant_to(struct login *l, const struct gg_registered *r)
{
	if (!r->enabled)
		return -EACCES;
	gg_str_copy(l->id, sizeof l->id, gg_str(r->id));
	l->grant.id = gg_str(l->id);
	l->grant.any_topic = r->application;
	int rc = grant_configured(l, r->id);
	if (rc < 0 || r->application)
		return rc;
	return gg_host_device(l->host, gg_str(r->id), &l->grant.device);
}

/* ---- passwords ---- */

static void make_mac(struct login *l, const char *hash)
{
	char text[2 * GG_PASSWORD_MAX + GG_PASSWORD_HASH + 8];
	unsigned size = sizeof l->mac;
	if (!have_key)
		have_key = RAND_bytes(key, sizeof key) == 1;
	int n = snprintf(text, sizeof text, "%s\x1f%.*s", hash,
		(int)gg_min_size(l->l.secret.len, GG_PASSWORD_MAX), l->l.secret.p);
	HMAC(EVP_sha256(), key, sizeof key, (const uint8_t *)text, (size_t)n, l->mac, &size);
	OPENSSL_cleanse(text, sizeof text);
}

static void hash_password(void *arg)
{
	struct login *l = arg;
	l->right = gg_password_verify(l->l.secret, gg_str(l->hash));
}

static void password_hashed(void *arg)
{
	struct login *l = arg;
	const struct gg_registered *r = gg_registry_find(&gg_registry, l->l.user);
	/* The entry may have changed while the worker was at it: then its hash is another. */
	bool right = l->right && r && strcmp(r->password, l->hash) == 0;
	if (right && have_key) {
		if (remembered.count >= REMEMBERED)
			gg_map_done(&remembered);
		gg_map_put(&remembered, gg_str_n(l->mac, sizeof l->mac), 1);
	}
	answer(l, right ? grant_to(l, r) : -EACCES);
}

static void check_password(struct login *l)
{
	const struct gg_registered *r = gg_registry_find(&gg_registry, l->l.user);
	if (r && r->password[0]) {
		gg_str_copy(l->hash, sizeof l->hash, gg_str(r->password));
		make_mac(l, r->password);
		if (have_key && gg_map_get(&remembered, gg_str_n(l->mac, sizeof l->mac), 0)) {
			answer(l, grant_to(l, r));
			return;
		}
	}
	/* An unknown name takes as long as a wrong password, so that names can't be found out by time. */
	if (gg_work(gg_gateway.control, hash_password, password_hashed, l) < 0)
		answer(l, -EAGAIN);
}

/* ---- SCRAM ---- */

static void give_verifier(struct login *l)
{
	const struct gg_registered *r = gg_registry_find(&gg_registry, l->l.user);
	char fake[GG_SCRAM_TEXT];
	gg_scram_fake(l->l.user, gg_str(gg_scram_secret), fake);
	bool known = r && r->enabled && r->scram[0];
	gg_str_copy(l->verifier, sizeof l->verifier, gg_str(known ? r->scram : fake));
	l->grant.verifier = gg_str(l->verifier);
	answer(l, 0);
}

/* The proof was right for the verifier that the driver was given: is it that of the entry still? */
static void check_proved(struct login *l)
{
	const struct gg_registered *r = gg_registry_find(&gg_registry, l->l.user);
	bool same = r && r->scram[0] && l->l.secret.len == strlen(r->scram) &&
		    CRYPTO_memcmp(l->l.secret.p, r->scram, l->l.secret.len) == 0;
	answer(l, same ? grant_to(l, r) : -EACCES);
}

/* ---- the ways to log in ---- */

static void check(void *arg, int64_t number)
{
	struct login *l = arg;
	const struct gg_registered *r = NULL;
	(void)number;
	l->grant.device = GG_NONE;
	if (!gg_limiter_allows(&limiter, l->l.peer, gg_clock_monotonic(&gg_clock_system))) {
		answer(l, -EDQUOT);
	} else if (l->l.step == GG_LOGIN_SCRAM_ASK) {
		give_verifier(l);
	} else if (l->l.step == GG_LOGIN_SCRAM_GOOD) {
		check_proved(l);
	} else if (l->l.step == GG_LOGIN_SCRAM_BAD) {
		answer(l, -EACCES);
	} else if (l->l.certificate.len && (r = gg_registry_find(&gg_registry, l->l.certificate)) &&
		   r->certificate) {
		answer(l, grant_to(l, r));
	} else if (l->l.secret.len && (r = gg_registry_find_token(&gg_registry, l->l.secret)) &&
		   (l->l.user.len == 0 || gg_str_is(l->l.user, r->id))) {
		answer(l, grant_to(l, r));
	} else if (l->l.user.len == 0 && l->l.secret.len == 0 && l->l.local) {
		l->grant.any_topic = true; /* whether nobody may come in at all is the driver's option */
		answer(l, 0);
	} else if (l->l.user.len && l->l.secret.len) {
		check_password(l);
	} else {
		answer(l, -EACCES);
	}
}

int gg_host_login(struct gg_host *h, const struct gg_login *login,
	void (*granted)(void *arg, const struct gg_grant *g), void *arg)
{
	if (login->secret.len > GG_PASSWORD_MAX || login->user.len > GG_PASSWORD_MAX)
		return -EACCES;
	size_t size = login->user.len + login->secret.len + login->certificate.len + login->peer.len + 4;
	struct login *l = calloc(1, sizeof *l + size);
	if (!l)
		return -EAGAIN;
	char *at = l->bytes;
	*l = (struct login){
		.host = h, .granted = granted, .arg = arg, .l = *login, .topics = GG_BUF(TOPICS_MAX)};
	l->l.user = put(&at, login->user);
	l->l.secret = put(&at, login->secret);
	l->l.certificate = put(&at, login->certificate);
	l->l.peer = put(&at, login->peer);
	int rc = gg_loop_post(gg_gateway.control, check, l, 0);
	if (rc < 0) {
		OPENSSL_cleanse(l, sizeof *l + size);
		free(l);
	}
	return rc < 0 ? -EAGAIN : 0;
}

void gg_gateway_forget_logins(void)
{
	gg_map_done(&remembered);
}
