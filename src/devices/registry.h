/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device registry: who may connect, with which credential. An entry is a device's id (or an application's
 * name) with a hashed password, a hashed token, or neither when it shows a client certificate whose common
 * name is the id. What a device may do beyond its own topics is the configuration's to say (`devices:`). The
 * registry is in memory as a whole, and in the catalog. Thread: control.
 */
#ifndef GG_DEVICES_REGISTRY_H
#define GG_DEVICES_REGISTRY_H

#include "base/error.h"
#include "base/map.h"
#include "security/password.h"
#include "security/scram.h"
#include "security/token.h"

struct gg_registered {
	char *id;
	char password[GG_PASSWORD_HASH]; /* "" = none */
	char scram[GG_SCRAM_TEXT];       /* of the same password, "" = none: not with SCRAM */
	char token[GG_TOKEN_HASH];       /* SHA-256, "" = none */
	bool certificate;                /* a client certificate with this common name will do */
	bool application;                /* may use all topics */
	bool enabled;
	int64_t created_ns;
};

struct gg_registry {
	struct gg_map by_id, by_token;
	/* Keeps a change: entry NULL = id was removed. Errors: negative errno; the change is then undone. */
	int (*keep)(void *arg, struct gg_str id, const struct gg_registered *entry);
	void *arg;
};

void gg_registry_done(struct gg_registry *r);
/* Adds or replaces, keeping it. Errors: -EINVAL a name that can't be, -ENOMEM, those of keep. */
int gg_registry_put(struct gg_registry *r, const struct gg_registered *entry, struct gg_error *e);
/* The same without keeping: what the catalog holds. */
int gg_registry_load(struct gg_registry *r, const struct gg_registered *entry);
/* Errors: -ENOENT. */
int gg_registry_remove(struct gg_registry *r, struct gg_str id, struct gg_error *e);
const struct gg_registered *gg_registry_find(const struct gg_registry *r, struct gg_str id);
/* By the token itself. */
const struct gg_registered *gg_registry_find_token(const struct gg_registry *r, struct gg_str token);
static inline size_t gg_registry_count(const struct gg_registry *r)
{
	return r->by_id.count;
}

#endif
