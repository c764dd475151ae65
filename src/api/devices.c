/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices: those that were heard of, those the configuration describes and those that are registered, as one
 * list; and the registration, which says who may connect with which credential.
 */
#include "api/handlers.h"
#include "core/signals.h"
#include "core/work.h"
#include "devices/registry.h"
#include "gateway/gateway.h"

#include <openssl/crypto.h>

/* ---- showing ---- */

struct seen {
	uint32_t signals;
	int64_t last_ns;
};

/* What the signals say of each device; NULL when out of memory. */
static struct seen *look_at_signals(uint32_t devices)
{
	struct seen *all = calloc(devices + 1, sizeof *all);
	for (uint32_t i = 0; all && i < gg_signal_count(); i++) {
		const struct gg_signal_info *info = gg_signal(i);
		struct gg_last last;
		if (!info || info->device >= devices)
			continue;
		struct seen *s = &all[info->device];
		s->signals++;
		if (gg_last_get(i, &last) && last.sample.time_ns > s->last_ns)
			s->last_ns = last.sample.time_ns;
	}
	return all;
}

static const struct gg_site_device *configured(struct gg_str id)
{
	const struct gg_many *all = &gg_gateway.config->site.devices;
	const struct gg_site_device *d = all->items;
	for (size_t i = 0; i < all->count; i++)
		if (gg_str_is(id, d[i].id))
			return &d[i];
	return NULL;
}

static bool is_pipeline(struct gg_str id)
{
	const struct gg_many *all = &gg_gateway.config->site.pipelines;
	const struct gg_site_pipeline *p = all->items;
	for (size_t i = 0; i < all->count; i++)
		if (gg_str_is(id, p[i].name))
			return true;
	return false;
}

static void put_health(struct gg_json_writer *w, uint32_t device)
{
	struct gg_health h = device == GG_NONE ? (struct gg_health){0} : gg_health_get(device);
	gg_json_key(w, GG_STR("health"));
	gg_json_begin_object(w);
	gg_json_put_str(w, "state",
		!h.known    ? GG_STR("unknown")
		: h.healthy ? GG_STR("healthy")
			    : GG_STR("lost"));
	if (h.known)
		gg_json_put_time(w, "since", h.since_ns);
	if (h.known && h.reason[0])
		gg_json_put_str(w, "reason", gg_str(h.reason));
	gg_json_end_object(w);
}

static void put_registration(struct gg_json_writer *w, const struct gg_registered *r)
{
	gg_json_key(w, GG_STR("registration"));
	gg_json_begin_object(w);
	gg_json_put_str(w, "credential",
		r->password[0]   ? GG_STR("password")
		: r->token[0]    ? GG_STR("token")
		: r->certificate ? GG_STR("certificate")
				 : GG_STR("none"));
	if (r->password[0])
		gg_json_put_bool(w, "scram", r->scram[0] != '\0');
	gg_json_put_bool(w, "application", r->application);
	gg_json_put_bool(w, "enabled", r->enabled);
	if (r->created_ns)
		gg_json_put_time(w, "created", r->created_ns);
	gg_json_end_object(w);
}

static void put_configured(struct gg_json_writer *w, const struct gg_site_device *d)
{
	const struct gg_label *labels = d->labels.items;
	if (d->title && d->title[0])
		gg_json_put_str(w, "title", gg_str(d->title));
	gg_json_key(w, GG_STR("labels"));
	gg_json_begin_object(w);
	for (size_t i = 0; i < d->labels.count; i++)
		gg_json_put_str(w, labels[i].name, gg_str(labels[i].value));
	gg_json_end_object(w);
}

static void put_device(struct gg_json_writer *w, struct gg_str id, uint32_t device, const struct seen *seen)
{
	const struct gg_site_device *d = configured(id);
	const struct gg_registered *r = gg_registry_find(&gg_registry, id);
	struct gg_host *owner = device == GG_NONE ? NULL : gg_gateway_live(gg_device_owner(device));
	gg_json_begin_object(w);
	gg_json_put_str(w, "id", id);
	gg_json_put_str(w, "kind", is_pipeline(id) ? GG_STR("pipeline") : GG_STR("device"));
	if (d)
		put_configured(w, d);
	if (owner)
		gg_json_put_str(w, "driver", gg_str(owner->name));
	put_health(w, device);
	gg_json_put_int(w, "signals", seen ? seen->signals : 0);
	if (seen && seen->last_ns)
		gg_json_put_time(w, "last_seen", seen->last_ns);
	if (r)
		put_registration(w, r);
	gg_json_end_object(w);
}

/* Registered or configured, and never heard of. */
static void put_silent(struct gg_json_writer *w)
{
	const struct gg_many *all = &gg_gateway.config->site.devices;
	const struct gg_site_device *d = all->items;
	const struct gg_map_entry *e;
	gg_map_each (e, &gg_registry.by_id)
		if (gg_device_find(gg_str_n(e->key, e->len)) == GG_NONE)
			put_device(w, gg_str_n(e->key, e->len), GG_NONE, NULL);
	for (size_t i = 0; i < all->count; i++)
		if (gg_device_find(gg_str(d[i].id)) == GG_NONE &&
			!gg_registry_find(&gg_registry, gg_str(d[i].id)))
			put_device(w, gg_str(d[i].id), GG_NONE, NULL);
}

void gg_api_devices(struct gg_api_call *c)
{
	struct gg_answer a;
	uint32_t count = gg_device_count();
	struct seen *seen = look_at_signals(count);
	if (!seen) {
		gg_api_problem(c, -ENOMEM, "out of memory");
		return;
	}
	gg_answer_begin(&a);
	gg_json_begin_object(&a.w);
	gg_json_key(&a.w, GG_STR("devices"));
	gg_json_begin_array(&a.w);
	for (uint32_t i = 0; i < count; i++)
		put_device(&a.w, gg_device_id(i), i, &seen[i]);
	put_silent(&a.w);
	gg_json_end_array(&a.w);
	gg_json_end_object(&a.w);
	free(seen);
	gg_answer_send(c, 200, &a);
}

/* token NULL: the device alone; else it stands beside the token that was made, if one was. */
static void answer_device(struct gg_api_call *c, int status, struct gg_str id, const char *token)
{
	struct gg_answer a;
	uint32_t device = gg_device_find(id), count = gg_device_count();
	struct seen *seen = look_at_signals(count);
	gg_answer_begin(&a);
	if (token) {
		gg_json_begin_object(&a.w);
		if (token[0])
			gg_json_put_str(&a.w, "token", gg_str(token));
		gg_json_key(&a.w, GG_STR("device"));
	}
	put_device(&a.w, id, device, seen && device < count ? &seen[device] : NULL);
	if (token)
		gg_json_end_object(&a.w);
	free(seen);
	gg_answer_send(c, status, &a);
}

void gg_api_device(struct gg_api_call *c)
{
	struct gg_str id = c->parts[0];
	if (gg_device_find(id) == GG_NONE && !gg_registry_find(&gg_registry, id) && !configured(id))
		gg_api_problem(
			c, -ENOENT, "there is no device \"%.*s\"", (int)gg_min_size(id.len, 130), id.p);
	else
		answer_device(c, 200, id, NULL);
}

/* ---- registering ---- */

struct registering {
	struct gg_api_call *c;
	struct gg_registered entry; /* its id lies in the request's memory */
	struct gg_str password;
	char token[GG_TOKEN_TEXT];
	bool scram;
	int status, hashed;
};

/* Registers; frees job and answers the call. */
static void keep(struct registering *job)
{
	struct gg_error e = {0};
	struct gg_api_call *c = job->c;
	int rc = job->hashed;
	if (rc < 0)
		gg_error_set(&e, rc, "the password could not be hashed: %s", strerror(-rc));
	else
		rc = gg_registry_put(&gg_registry, &job->entry, &e);
	if (rc < 0) {
		gg_api_problem_error(c, &e);
	} else {
		gg_gateway_revoke(gg_str(job->entry.id));
		answer_device(c, job->status, gg_str(job->entry.id), job->token);
	}
	OPENSSL_cleanse(job, sizeof *job);
	free(job);
}

static void hash(void *arg)
{
	struct registering *job = arg;
	job->hashed = gg_password_hash(job->password, job->entry.password);
	if (job->hashed == 0 && job->scram)
		job->hashed = gg_scram_make(job->password, job->entry.scram);
}

static void hashed(void *arg)
{
	keep(arg);
}

enum { ID, PASSWORD, SCRAM, TOKEN, CERTIFICATE, APPLICATION, ENABLED, FIELDS };

static const struct gg_in_field fields[FIELDS] = {{.name = "id", .type = GG_IN_STRING},
	{.name = "password", .type = GG_IN_STRING}, {.name = "scram", .type = GG_IN_BOOL},
	{.name = "token", .type = GG_IN_BOOL}, {.name = "certificate", .type = GG_IN_BOOL},
	{.name = "application", .type = GG_IN_BOOL}, {.name = "enabled", .type = GG_IN_BOOL}};

/* What is given, over what was there; a new credential takes the old one's place. */
static void fill_entry(
	struct gg_registered *to, const struct gg_registered *old, const struct gg_in_field f[FIELDS])
{
	bool credential = f[PASSWORD].given || f[TOKEN].truth || f[CERTIFICATE].given;
	*to = old ? *old : (struct gg_registered){.enabled = true, .created_ns = gg_gateway_utc()};
	if (credential) {
		to->password[0] = to->scram[0] = to->token[0] = '\0';
		to->certificate = f[CERTIFICATE].truth;
	}
	if (f[APPLICATION].given)
		to->application = f[APPLICATION].truth;
	if (f[ENABLED].given)
		to->enabled = f[ENABLED].truth;
}

/* Makes the token or has the password hashed, then keeps it all; answers. Errors: not begun. */
static int begin_keeping(struct registering *job, const struct gg_in_field f[FIELDS])
{
	int rc = 0;
	if (f[TOKEN].truth && (rc = gg_token_make(job->token)) == 0)
		gg_token_hash(gg_str(job->token), job->entry.token);
	if (rc == 0 && f[PASSWORD].given)
		return gg_work(gg_gateway.control, hash, hashed, job);
	if (rc == 0)
		keep(job);
	return rc;
}

static void begin(struct gg_api_call *c, struct gg_str id, const struct gg_in_field f[FIELDS], int status)
{
	struct registering *job = calloc(1, sizeof *job);
	char *name = gg_arena_str(gg_http_arena(c->r), id);
	int rc = -ENOMEM;
	if (job && name) {
		fill_entry(&job->entry, gg_registry_find(&gg_registry, id), f);
		job->c = c;
		job->status = status;
		job->password = f[PASSWORD].text;
		job->scram = f[SCRAM].truth;
		job->entry.id = name;
		rc = begin_keeping(job, f);
	}
	if (rc == 0)
		return;
	free(job);
	gg_api_problem(c, rc, "the device could not be registered: %s", strerror(-rc));
}

static bool credentials_ok(struct gg_api_call *c, const struct gg_in_field f[FIELDS])
{
	if (f[SCRAM].truth && !f[PASSWORD].given) {
		gg_api_problem(
			c, -EINVAL, "scram: expected a password beside it, of which to make the verifier");
		return false;
	}
	if (f[PASSWORD].given + f[TOKEN].truth + f[CERTIFICATE].truth <= 1)
		return true;
	gg_api_problem(c, -EINVAL, "expected one credential: password, token or certificate");
	return false;
}

void gg_api_device_register(struct gg_api_call *c)
{
	struct gg_in_field f[FIELDS];
	memcpy(f, fields, sizeof f);
	f[ID].required = true;
	if (!gg_api_body(c, f, FIELDS) || !credentials_ok(c, f))
		return;
	if (gg_registry_find(&gg_registry, f[ID].text))
		gg_api_problem(c, -EEXIST, "\"%.*s\" is registered already: change it with PUT",
			(int)gg_min_size(f[ID].text.len, 130), f[ID].text.p);
	else
		begin(c, f[ID].text, f, 201);
}

void gg_api_device_change(struct gg_api_call *c)
{
	struct gg_in_field f[FIELDS];
	memcpy(f, fields, sizeof f);
	if (!gg_api_body(c, f, FIELDS) || !credentials_ok(c, f))
		return;
	if (f[ID].given && !gg_str_eq(f[ID].text, c->parts[0]))
		gg_api_problem(c, -EINVAL, "id: expected that of the path, an id does not change");
	else
		begin(c, c->parts[0], f, 200);
}

void gg_api_device_remove(struct gg_api_call *c)
{
	struct gg_error e = {0};
	if (gg_registry_remove(&gg_registry, c->parts[0], &e) < 0) {
		gg_api_problem_error(c, &e);
		return;
	}
	gg_gateway_revoke(c->parts[0]);
	gg_api_done(c);
}
