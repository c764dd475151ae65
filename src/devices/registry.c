/* SPDX-License-Identifier: Apache-2.0 */
#include "devices/registry.h"

static bool id_ok(struct gg_str id)
{
	if (id.len == 0 || id.len > 128 || !gg_utf8_valid(id))
		return false;
	for (size_t i = 0; i < id.len; i++)
		if ((unsigned char)id.p[i] <= ' ' || strchr("/*?#+\x7f", id.p[i]))
			return false;
	return true;
}

static void entry_free(struct gg_registered *entry)
{
	if (!entry)
		return;
	explicit_bzero(entry->password, sizeof entry->password);
	explicit_bzero(entry->scram, sizeof entry->scram);
	free(entry->id);
	free(entry);
}

void gg_registry_done(struct gg_registry *r)
{
	struct gg_map_entry *e;
	gg_map_each (e, &r->by_id)
		entry_free((struct gg_registered *)(uintptr_t)e->value);
	gg_map_done(&r->by_id);
	gg_map_done(&r->by_token);
}

static void take_out(struct gg_registry *r, struct gg_registered *old)
{
	if (old->token[0])
		gg_map_remove(&r->by_token, gg_str(old->token));
	gg_map_remove(&r->by_id, gg_str(old->id));
	entry_free(old);
}

int gg_registry_load(struct gg_registry *r, const struct gg_registered *entry)
{
	struct gg_registered *copy = malloc(sizeof *copy);
	if (!copy)
		return -ENOMEM;
	*copy = *entry;
	copy->id = gg_str_dup(gg_str(entry->id));
	struct gg_registered *old = gg_map_get_ptr(&r->by_id, gg_str(entry->id));
	if (copy->id && old)
		take_out(r, old);
	if (!copy->id || gg_map_put_ptr(&r->by_id, gg_str(copy->id), copy) < 0) {
		entry_free(copy);
		return -ENOMEM;
	}
	return copy->token[0] ? gg_map_put_ptr(&r->by_token, gg_str(copy->token), copy) : 0;
}

int gg_registry_put(struct gg_registry *r, const struct gg_registered *entry, struct gg_error *e)
{
	struct gg_str id = gg_str(entry->id);
	if (!id_ok(id))
		return gg_error_set(e, -EINVAL,
			"expected an id of 1 to 128 bytes without blanks, '/' and wildcards, got "
			"\"%.*s\"",
			(int)gg_min_size(id.len, 140), id.p);
	int rc = r->keep ? r->keep(r->arg, id, entry) : 0;
	if (rc < 0)
		return gg_error_set(e, rc, "the device could not be kept: %s", strerror(-rc));
	rc = gg_registry_load(r, entry);
	return rc < 0 ? gg_error_set(e, rc, "out of memory") : 0;
}

int gg_registry_remove(struct gg_registry *r, struct gg_str id, struct gg_error *e)
{
	struct gg_registered *old = gg_map_get_ptr(&r->by_id, id);
	if (!old)
		return gg_error_set(e, -ENOENT, "no device \"%.*s\" is registered", GG_STR_ARG(id));
	int rc = r->keep ? r->keep(r->arg, id, NULL) : 0;
	if (rc < 0)
		return gg_error_set(e, rc, "the device could not be removed: %s", strerror(-rc));
	take_out(r, old);
	return 0;
}

const struct gg_registered *gg_registry_find(const struct gg_registry *r, struct gg_str id)
{
	return gg_map_get_ptr(&r->by_id, id);
}

const struct gg_registered *gg_registry_find_token(const struct gg_registry *r, struct gg_str token)
{
	char hash[GG_TOKEN_HASH];
	gg_token_hash(token, hash);
	return gg_map_get_ptr(&r->by_token, gg_str(hash));
}
